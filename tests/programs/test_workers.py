"""test_workers.py: `asyncore serve --workers`: one address, whole lines, limits, a clean end."""
import os
import re
import socket
import tempfile
import threading
import unittest

from helper import POLLERS, Case, read_all, read_until, wait_for

REQUEST = b"GET /a.txt HTTP/1.1\r\nHost: x\r\n%s\r\n"
LINE = re.compile(r'127\.0\.0\.1 - - \[[^]]*\] "GET /a\.txt(\?x*)? HTTP/1\.1" 200 6')


class Workers(Case):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        with open(self.path("a.txt"), "wb") as f:
            f.write(b"hello\n")

    def path(self, name):
        return os.path.join(self.folder, name)

    def serve(self, *args):
        return self.start("serve", self.folder, "-l", "127.0.0.1:0", *args)

    def tasks(self, program):
        return len(os.listdir("/proc/%d/task" % program.process.pid))

    def load(self, program, count, target=b"/a.txt"):
        request = REQUEST.replace(b"/a.txt", target) % b""
        with program.connect() as s:
            for _ in range(count):
                s.sendall(request)
                self.assertTrue(read_until(s, b"hello\n"))

    def test_all_of_them_serve(self):
        for poller in POLLERS:
            program = self.serve("--workers", "3", "--poller", poller, "--quiet")
            self.assertTrue(wait_for(lambda: self.tasks(program) >= 4))
            threads = [threading.Thread(target=self.load, args=(program, 50)) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(program.stop(), (0, "", ""))

    def test_lines_of_the_log_stay_whole(self):
        log = self.path("log")
        program = self.serve("--workers", "4", "--log", log)
        threads = [threading.Thread(target=self.load, args=(program, 100, b"/a.txt?" + b"x" * 40 * i))
                   for i in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(program.stop()[0], 0)
        with open(log, encoding="ascii") as f:
            lines = f.read().splitlines()
        self.assertEqual(len(lines), 1200)
        for line in lines:
            self.assertRegex(line, LINE)

    def test_limits_are_divided(self):
        program = self.serve("--workers", "2", "--max-connections", "4")
        answers = []
        held = []
        for _ in range(40):
            s = program.connect()
            self.addCleanup(s.close)
            s.sendall(REQUEST % b"")
            answers.append(read_until(s, b"\r\n\r\n")[9:12])
            held.append(s)
        self.assertLessEqual(answers.count(b"200"), 4)
        self.assertGreaterEqual(answers.count(b"200"), 2)

    def test_an_open_answer_is_finished_at_the_stop(self):
        big = os.urandom(9000000)
        with open(self.path("big"), "wb") as f:
            f.write(big)
        program = self.serve("--workers", "2")
        with program.connect(timeout=10) as s:
            s.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
            head = s.recv(1000)
            program.process.terminate()
            self.assertTrue((head + read_all(s)).endswith(big))
        self.assertEqual(program.process.wait(10), 0)

    def test_unix_sockets_have_the_first_alone(self):
        path = self.path("s")
        program = self.serve("--workers", "2", "-l", "unix:" + path)
        self.assertTrue(wait_for(lambda: os.path.exists(path)))
        for _ in range(4):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path)
                s.sendall(REQUEST % b"Connection: close\r\n")
                self.assertTrue(read_all(s).endswith(b"hello\n"))
        self.assertEqual(program.stop()[0], 0)

    def test_bad_numbers(self):
        for bad in ("x", "-1", "100000"):
            self.fails(2, "bad value '%s'" % bad, "serve", "--workers", bad)

    def test_address_that_cannot_be_had(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            self.fails(1, "Address already in use", "serve", "--workers", "2", "-l",
                       "127.0.0.1:%d" % s.getsockname()[1])


if __name__ == "__main__":
    unittest.main()
