"""test_proxy.py: `asyncore proxy` passes bytes, ends and losses on."""
import hashlib
import os
import random
import resource
import socket
import struct
import tempfile
import threading
import time
import unittest

from helper import POLLERS, Case, read_all, read_until, wait_for

RESET = struct.pack("ii", 1, 0)


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    s.close()


def listen(family=socket.AF_INET, address=("127.0.0.1", 0)):
    s = socket.socket(family)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(address)
    s.listen(1100)
    s.settimeout(10)
    return s


def address_of(s):
    return "127.0.0.1:%d" % s.getsockname()[1]


def send_slowly(s, data, seed):
    """In pieces of any size, with pauses, then the end; on a thread."""
    def run():
        luck = random.Random(seed)
        at = 0
        while at < len(data):
            size = luck.choice((1, 100, 5000, 300000))
            s.sendall(data[at:at + size])
            at += size
            if luck.random() < 0.05:
                time.sleep(0.005)
        s.shutdown(socket.SHUT_WR)
    thread = threading.Thread(target=run)
    thread.start()
    return thread


class Proxy(Case):
    def setUp(self):
        self.target = listen()
        self.addCleanup(self.target.close)

    def proxy(self, *args):
        return self.start("proxy", *args, "127.0.0.1:0", address_of(self.target))

    def pair(self, program):
        """A client's socket and the target's for it."""
        s = program.connect()
        self.addCleanup(s.close)
        t, _ = self.target.accept()
        t.settimeout(10)
        self.addCleanup(t.close)
        return s, t

    def descriptors(self, program):
        return len(os.listdir("/proc/%d/fd" % program.process.pid))

    def last_line(self, program):
        return program.stop()[1].splitlines()[-1]

    def test_both_directions_at_once(self):
        for seed, poller in enumerate(POLLERS):
            program = self.proxy("--poller", poller)
            s, t = self.pair(program)
            up, down = os.urandom(9000000), os.urandom(2500000)
            threads = [send_slowly(s, up, seed), send_slowly(t, down, seed + 10)]
            got = []
            reader = threading.Thread(target=lambda: got.append(read_all(t)))
            reader.start()
            self.assertEqual(hashlib.sha256(read_all(s)).digest(), hashlib.sha256(down).digest())
            reader.join()
            for thread in threads:
                thread.join()
            self.assertEqual(hashlib.sha256(got[0]).digest(), hashlib.sha256(up).digest())
            self.assertRegex(self.last_line(program),
                             r"^127\.0\.0\.1:\d+ 9000000 2500000 \d+\.\d{3} closed$")

    def test_half_close_each_way(self):
        for poller in POLLERS:
            program = self.proxy("--poller", poller)
            for first_is_client in (True, False):
                s, t = self.pair(program)
                first, second = (s, t) if first_is_client else (t, s)
                first.sendall(b"question")
                first.shutdown(socket.SHUT_WR)
                self.assertEqual(read_all(second), b"question")
                second.sendall(b"answer")
                second.close()
                self.assertEqual(read_all(first), b"answer")

    def test_reader_that_waits_bounds_the_memory(self):
        program = self.proxy()
        s, t = self.pair(program)
        s.settimeout(0.3)
        sent = 0
        with self.assertRaises(TimeoutError):
            while sent < 1 << 30:
                sent += s.send(bytes(1 << 18))
        with open("/proc/%d/statm" % program.process.pid) as f:
            self.assertLess(int(f.read().split()[1]) * 4096, 32 << 20)
        got = 0
        s.shutdown(socket.SHUT_WR)
        while piece := t.recv(1 << 20):
            got += len(piece)
        self.assertGreaterEqual(got, sent)

    def test_reset_of_either_side(self):
        for poller in POLLERS:
            program = self.proxy("--poller", poller)
            for first_is_client in (True, False):
                s, t = self.pair(program)
                first, second = (s, t) if first_is_client else (t, s)
                second.sendall(b"x")
                self.assertEqual(first.recv(1), b"x")
                reset(first)
                with self.assertRaises(ConnectionResetError):
                    second.recv(1)
            lines = program.stop()[1].splitlines()
            self.assertIn("client: Connection reset by peer", lines[0])
            self.assertIn("target: Connection reset by peer", lines[1])

    def test_target_refused(self):
        for poller in POLLERS:
            program = self.proxy("--poller", poller)
            self.target.close()
            with self.assertRaises(ConnectionResetError):  # which may come before connect returns
                with program.connect() as s:
                    s.sendall(b"early")
                    s.recv(1)
            self.target = listen(address=self.target_name(program))
            self.addCleanup(self.target.close)
            s, t = self.pair(program)
            s.sendall(b"later")
            self.assertEqual(read_until(t, b"later"), b"later")
            s.close()
            t.close()
            lines = program.stop()[1].splitlines()
            self.assertIn("target: Connection refused", lines[0])

    def target_name(self, program):
        return ("127.0.0.1", int(program.process.args[-1].rsplit(":", 1)[1]))

    def test_many_connections(self):
        for poller in POLLERS[1:]:  # select has room for 1024 descriptors
            program = self.proxy("--poller", poller, "--quiet", "--max-connections", "2000")
            before = self.descriptors(program)
            clients = [program.connect() for _ in range(400)]
            peers = {}
            for s in clients:
                s.sendall(b"%06d" % s.getsockname()[1])
            for _ in clients:
                t, _ = self.target.accept()
                peers[int(t.recv(6))] = t
            for s in clients:
                peers[s.getsockname()[1]].sendall(b"%06d" % s.getsockname()[1])
            for s in clients:
                self.assertEqual(int(s.recv(6)), s.getsockname()[1])
            self.assertGreaterEqual(self.descriptors(program), before + 800)
            for i, s in enumerate(clients):
                reset(s) if i % 3 == 0 else s.close()
            for i, t in enumerate(peers.values()):
                reset(t) if i % 5 == 0 else t.close()
            self.assertTrue(wait_for(lambda: self.descriptors(program) <= before))
            self.assertEqual(program.stop()[:2], (0, ""))

    def test_those_above_the_limit_wait(self):
        self.waits_above(self.proxy("--max-connections", "2"), 2)

    def test_sixteen_where_descriptors_are_few(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        try:
            program = self.proxy()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        self.waits_above(program, 16)

    def waits_above(self, program, most):
        pairs = [self.pair(program) for _ in range(most)]
        with program.connect() as third:
            third.sendall(b"third")
            self.target.settimeout(0.3)
            with self.assertRaises(TimeoutError):
                self.target.accept()
            self.target.settimeout(10)
            for s in pairs[0]:
                s.close()
            t, _ = self.target.accept()
            with t:
                self.assertEqual(read_until(t, b"third"), b"third")

    def test_silence(self):
        program = self.proxy("--idle-timeout", "0.3")
        s, t = self.pair(program)
        for end in (s, t):
            with self.assertRaises(ConnectionResetError):
                end.recv(1)
        self.assertIn(" idle for 0.3 s", self.last_line(program))

    def test_unix_sockets_on_both_sides(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "target")
            with listen(socket.AF_UNIX, path) as target:
                program = self.start("proxy", "127.0.0.1:0", "unix:" + path)
                with program.connect() as s, target.accept()[0] as t:
                    data = os.urandom(5000000)
                    thread = send_slowly(s, data, 1)
                    self.assertEqual(read_all(t), data)
                    thread.join()

    def test_stop_lets_connections_end(self):
        program = self.proxy()
        s, t = self.pair(program)
        s.sendall(b"before")
        self.assertEqual(read_until(t, b"before"), b"before")
        program.process.terminate()
        self.assertTrue(wait_for(lambda: not self.accepts(program)))
        s.sendall(b"after")
        self.assertEqual(read_until(t, b"after"), b"after")
        s.close()
        t.close()
        self.assertEqual(program.process.wait(5), 0)

    def accepts(self, program):
        try:
            program.connect().close()
        except OSError:
            return False
        return True

    def test_bad_arguments(self):
        self.fails(2, "an address and a target are needed", "proxy", "127.0.0.1:0")
        for options in (("--cacert", "ca.pem"), ("--server-name", "a.test"), ("--insecure",)):
            self.fails(2, "need --tls-target", "proxy", *options, "127.0.0.1:0", "127.0.0.1:1")
            self.fails(2, "need --tls", "talk", *options, "127.0.0.1:1")
        self.fails(1, '"nowhere" is no address', "proxy", "127.0.0.1:0", "nowhere")
        self.fails(2, "bad value '0'", "proxy", "--max-connections", "0", "127.0.0.1:0",
                   "127.0.0.1:1")


if __name__ == "__main__":
    unittest.main()
