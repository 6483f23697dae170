"""test_udp.py: `asyncore echo --udp` and `asyncore talk --udp`."""
import os
import socket
import subprocess
import tempfile
import time
import unittest

from helper import ASYNCORE, POLLERS, Case


def talk(address, data, *args):
    return subprocess.run([ASYNCORE, "talk", "--udp", *args, address], capture_output=True,
                          timeout=15, input=data)


class Udp(Case):
    def echo(self, *args):
        return self.start("echo", "--udp", "127.0.0.1:0", *args)

    def client(self, program):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(s.close)
        s.settimeout(5)
        s.connect(("127.0.0.1", program.port))
        return s

    def test_each_sender_gets_its_own_back(self):
        for poller in POLLERS:
            program = self.echo("--poller", poller)
            one, two = self.client(program), self.client(program)
            for i in range(100):
                one.send(b"%d" % i)
            two.send(b"")
            two.send(b"x" * 60000)
            self.assertEqual([one.recv(100) for _ in range(100)], [b"%d" % i for i in range(100)])
            self.assertEqual(two.recv(100), b"")
            self.assertEqual(two.recv(70000), b"x" * 60000)
            self.assertEqual(program.stop()[0], 0)

    def test_sender_that_is_gone_is_nobody_elses_trouble(self):
        program = self.echo()
        for _ in range(50):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.sendto(b"bye", ("127.0.0.1", program.port))
        s = self.client(program)
        s.send(b"hello")
        self.assertEqual(s.recv(100), b"hello")
        self.assertEqual(program.stop()[2], "")

    def test_unix_datagrams(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s")
            p = subprocess.Popen([ASYNCORE, "echo", "--udp", "unix:" + path],
                                 stdout=subprocess.PIPE)
            self.assertEqual(p.stdout.readline().decode(), "echo listening on unix:%s\n" % path)
            r = talk("unix:" + path, b"one\ntwo\n")
            p.terminate()
            p.wait(5)
            p.stdout.close()
        self.assertEqual((r.returncode, r.stdout, r.stderr), (0, b"one\ntwo\n", b""))

    def test_talk_sends_lines_and_prints_what_comes(self):
        program = self.echo()
        address = "127.0.0.1:%d" % program.port
        for poller in POLLERS:
            r = talk(address, b"one\n\nthree\nrest", "--poller", poller)
            self.assertEqual((r.returncode, r.stdout, r.stderr), (0, b"one\n\nthree\nrest\n", b""))

    def test_talk_says_that_nobody_is_there(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % s.getsockname()[1]
        r = talk(address, b"anybody?\n")
        self.assertEqual((r.returncode, r.stdout), (1, b""))
        self.assertEqual(r.stderr, b"asyncore talk: a datagram was lost: Connection refused\n")

    def test_talk_ends_though_nobody_takes_its_many_lines(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        for poller in POLLERS:
            # 15 seconds, or TimeoutExpired
            done = talk("127.0.0.1:%d" % port, b"a line\n" * 200, "--poller", poller)
            self.assertEqual(done.returncode, 1)

    def test_talk_to_a_group(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", 0))
            address = "239.255.77.3:%d" % s.getsockname()[1]
        probe = talk(address, b"")
        if b"No such device" in probe.stderr:
            self.skipTest("no interface for groups on this machine")
        one = subprocess.Popen([ASYNCORE, "talk", "--udp", address], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
        time.sleep(0.3)
        talk(address, b"to all\n")
        out, _ = one.communicate(b"own\n", timeout=10)
        self.assertEqual(sorted(out.splitlines()), [b"own", b"to all"])

    def test_bad_arguments(self):
        self.fails(1, "is no address", "echo", "--udp", "nowhere")
        self.fails(1, "Invalid argument", "talk", "--udp", "nowhere")
        self.fails(1, "No such file or directory", "talk", "--udp", "unix:/no/such/socket")
        self.fails(2, "one address is needed", "talk", "--udp")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", 0))
            self.fails(1, "Address already in use", "echo", "--udp",
                       "127.0.0.1:%d" % s.getsockname()[1])


if __name__ == "__main__":
    unittest.main()
