"""test_run.py: `asyncore run`, a command for each connection."""
import os
import re
import signal
import socket
import struct
import tempfile
import threading
import time
import unittest

from helper import POLLERS, Case, Program, read_all, read_until, wait_for


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Run(Case):
    def run_command(self, *command, options=()):
        return self.start("run", *options, "127.0.0.1:0", "--", *command)

    def test_input_and_output_are_the_conversation_with_half_close(self):
        data = b"".join(b"line %d\n" % (i * 7 % 10000) for i in range(20000))
        for poller in POLLERS:
            program = self.run_command("sort", options=("-q", "--poller", poller))
            with program.connect() as s:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                got = read_all(s)
            self.assertEqual(got, b"".join(sorted(data.splitlines(True))))
            self.assertEqual(program.stop(), (0, "", ""))

    def test_exit_status_signal_and_stderr_are_said(self):
        program = self.run_command("sh", "-c", 'read x; printf "bad\\033[1m\\n" >&2; exit $x')
        with program.connect() as s:
            where = "%s:%d" % s.getsockname()
            s.sendall(b"7\n")
            self.assertEqual(read_all(s), b"")
        with program.connect() as s:
            s.sendall(b"0; kill -9 $$\n")
            read_all(s)
        status, out, err = program.stop()
        self.assertEqual(status, 0)
        self.assertRegex(out, r"^%s pid \d+ exited with 7\n" % where)
        self.assertTrue(err.startswith(where + ": bad?[1m\n"), err)

    def test_addresses_are_in_the_environment(self):
        program = self.run_command(
            "sh", "-c", "echo $REMOTE_ADDR $REMOTE_PORT $LOCAL_ADDR $LOCAL_PORT")
        with program.connect() as s:
            port = s.getsockname()[1]
            self.assertEqual(read_all(s), b"127.0.0.1 %d 127.0.0.1 %d\n" % (port, program.port))

    def test_peer_that_does_not_read_holds_the_command_and_one_that_does_not_read_the_peer(self):
        for poller in POLLERS:
            program = self.run_command("sh", "-c", "head -c 30000000 /dev/zero; cat >/dev/null",
                                       options=("-q", "--poller", poller))
            with program.connect(10) as s:
                time.sleep(0.3)
                with open("/proc/%d/statm" % program.process.pid) as f:
                    pages = int(f.read().split()[1])
                self.assertLess(pages * os.sysconf("SC_PAGESIZE"), 24 << 20)
                s.shutdown(socket.SHUT_WR)
                self.assertEqual(len(read_all(s)), 30000000)
            program.stop()
        program = self.run_command("sleep", "60", options=("-q",))
        with program.connect() as s:
            s.settimeout(0.5)
            sent = 0
            with self.assertRaises(TimeoutError):
                while sent < 1 << 28:
                    sent += s.send(b"x" * 65536)

    def test_output_that_ends_early_is_an_end_and_input_goes_on(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        with_file = os.path.join(folder.name, "got")
        program = self.run_command("sh", "-c", "echo bye; exec >&-; cat >%s" % with_file)
        with program.connect() as s:
            self.assertEqual(read_all(s), b"bye\n")
            s.sendall(b"still heard\n")
            s.shutdown(socket.SHUT_WR)
            self.assertTrue(wait_for(lambda: os.path.exists(with_file) and
                                     os.path.getsize(with_file) == 12))

    def test_command_is_ended_with_its_connection(self):
        for poller in POLLERS:
            program = self.run_command("sh", "-c", "echo $$; sleep 60 & wait",
                                       options=("--poller", poller))
            s = program.connect()
            pid = int(read_until(s, b"\n"))
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
            self.assertTrue(wait_for(lambda p=pid: not alive(p)))
            self.assertIn("ended by signal 15", program.stop()[1])

    def test_command_deaf_to_sigterm_is_killed(self):
        program = self.run_command("sh", "-c",
                                   "trap '' TERM; echo $$; while :; do sleep 0.1; done")
        s = program.connect()
        pid = int(read_until(s, b"\n"))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
        time.sleep(1)
        self.assertTrue(alive(pid))
        self.assertTrue(wait_for(lambda: not alive(pid), 8))
        self.assertIn("ended by signal 9", program.stop()[1])

    def test_more_connections_than_allowed_wait(self):
        for most in (1, 2):
            program = self.run_command("cat", options=("-q", "--max-connections", str(most)))
            socks = [program.connect() for _ in range(most + 1)]
            for s in socks:
                s.sendall(b"hello\n")
            for s in socks[:most]:
                self.assertEqual(s.recv(100), b"hello\n")
            socks[most].settimeout(0.3)
            with self.assertRaises(TimeoutError):
                socks[most].recv(100)
            socks[0].close()
            socks[most].settimeout(5)
            self.assertEqual(socks[most].recv(100), b"hello\n")
            for s in socks[1:]:
                s.close()
            self.assertEqual(program.stop(), (0, "", ""))

    def test_many_conversations_leave_nothing_behind(self):
        program = self.run_command("cat", options=("-q",))
        folder = "/proc/%d/fd" % program.process.pid
        before = len(os.listdir(folder))
        bad = []

        def talk(n):
            for i in range(25):
                with program.connect(15) as s:
                    s.sendall(b"%d %d" % (n, i))
                    s.shutdown(socket.SHUT_WR)
                    if read_all(s) != b"%d %d" % (n, i):
                        bad.append((n, i))
        threads = [threading.Thread(target=talk, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(bad, [])
        self.assertTrue(wait_for(lambda: len(os.listdir(folder)) == before))

    def test_stop_ends_the_commands(self):
        for poller in POLLERS:
            program = self.run_command("sh", "-c", "echo $$; exec sleep 60",
                                       options=("--poller", poller))
            with program.connect() as s:
                pid = int(read_until(s, b"\n"))
                status, out, err = program.stop()
                self.assertEqual((status, err), (0, ""))
                self.assertIn("pid %d ended by signal 15" % pid, out)
                self.assertFalse(alive(pid))

    def test_stop_is_bounded_though_one_writes_on_and_one_is_not_read(self):
        orphan = self.run_command("sh", "-c", "(trap '' TERM; while :; do echo x; sleep 0.2; done) &"
                                              "echo pid $!")
        unread = self.run_command("cat", "/dev/zero")
        with orphan.connect() as s, unread.connect() as t:
            pid = int(re.search(rb"pid (\d+)\n", read_until(s, b"\n") + read_until(s, b"\n") +
                                read_until(s, b"\n"))[1])
            t.recv(1)
            began = time.monotonic()
            for program in (orphan, unread):
                program.process.send_signal(signal.SIGTERM)
                program.process.wait(timeout=14)
            self.assertGreater(time.monotonic() - began, 4)
            for program in (orphan, unread):
                self.assertEqual(program.stop()[0], 0)
            self.assertTrue(wait_for(lambda: not alive(pid)))

    def test_place_is_taken_until_the_output_is_sent(self):
        path = os.path.join(self.folder(), "socket")
        program = Program("run", "--max-connections", "1", "unix:" + path, "--",
                          "head", "-c", "300000", "/dev/zero")
        self.addCleanup(self.finish, program)
        socks = [socket.socket(socket.AF_UNIX) for _ in range(2)]
        for s in socks:
            s.settimeout(5)
            s.connect(path)
        self.assertIn(b"exited with 0", program.process.stdout.readline())
        socks[1].settimeout(0.3)
        with self.assertRaises(TimeoutError):
            socks[1].recv(1)
        self.assertEqual(len(read_all(socks[0])), 300000)
        socks[0].close()
        socks[1].settimeout(5)
        self.assertEqual(len(read_all(socks[1])), 300000)
        socks[1].close()
        self.assertEqual(program.stop()[0], 0)

    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return folder.name

    def test_command_that_is_not_there(self):
        program = self.run_command("/no/such/command")
        with program.connect() as s:
            self.assertEqual(read_all(s), b"")
        status, _, err = program.stop()
        self.assertEqual((status, err), (0, "asyncore run: /no/such/command: "
                                            "No such file or directory\n"))

    def test_bad_arguments(self):
        self.fails(2, "an address and a command are needed", "run")
        self.fails(2, "an address and a command are needed", "run", "127.0.0.1:0", "--")
        self.fails(2, "bad value '0'", "run", "--max-connections", "0", "127.0.0.1:0", "cat")
        self.fails(2, "unrecognized option '--frobnicate'", "run", "--frobnicate")
        self.fails(2, "unknown poller 'kqueue'", "run", "-p", "kqueue", "127.0.0.1:0", "cat")
        self.fails(1, "no address", "run", "nowhere", "cat")


if __name__ == "__main__":
    unittest.main()
