"""test_guests.py: the library inside other loops, as the examples show it."""
import os
import subprocess
import tempfile
import time
import unittest

from helper import connect_unix

EXAMPLES = os.environ.get("EXAMPLES", "build/examples")


class Guest:
    """One of the examples; a subclass names it. What is not built here is skipped."""
    name = None
    poller = "epoll"

    def setUp(self):
        self.program = os.path.join(EXAMPLES, self.name)
        if not os.path.exists(self.program):
            self.skipTest(self.name + " is not built")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "s")
        self.p = subprocess.Popen([self.program, "unix:" + self.path, self.poller], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        self.addCleanup(self.p.stdout.close)
        self.addCleanup(self.p.stderr.close)
        self.addCleanup(self.p.wait)
        self.addCleanup(self.p.kill)

    def connect(self):
        s = connect_unix(self.path)
        self.addCleanup(s.close)
        return s

    def quit(self):
        self.connect().sendall(b"quit\r\n")
        self.assertEqual(self.p.wait(5), 0)
        self.assertEqual(self.p.stderr.read(), b"")
        return self.p.stdout.read().decode().split("\n")

    def test_lines_come_back_and_both_clocks_tick(self):
        files = [self.connect().makefile("rwb") for _ in range(20)]
        for n in range(50):
            for f in files:
                f.write(b"line %d\r\n" % n)
                f.flush()
            for f in files:
                self.assertEqual(f.readline(), b"line %d\r\n" % n)
        for f in files:
            f.close()
        time.sleep(0.3)
        lines = self.quit()
        ticks = [s for s in lines if s.startswith("guest")]
        self.assertGreaterEqual(len(ticks), 3)
        self.assertEqual(ticks, ["guest %d" % (n + 1) for n in range(len(ticks))])
        self.assertGreaterEqual(lines.count("host"), 2)

    def test_much_goes_out_to_a_slow_reader(self):
        s = self.connect()
        sent = b"".join(b"%d " % n * 1000 + b"\r\n" for n in range(150))
        got = b""
        s.setblocking(False)
        at, end = 0, time.monotonic() + 10
        while len(got) < len(sent) and time.monotonic() < end:
            try:
                at += s.send(sent[at:at + 65536]) if at < len(sent) else 0
            except BlockingIOError:
                pass
            try:
                got += s.recv(30000)
            except BlockingIOError:
                time.sleep(0.001)
        self.assertEqual(got, sent)
        self.quit()

    def test_it_sleeps_when_there_is_nothing_to_do(self):
        self.connect()
        time.sleep(0.2)
        before = self.switches()
        time.sleep(0.5)
        self.assertLess(self.switches() - before, 100)
        self.quit()

    def switches(self):
        with open("/proc/%d/status" % self.p.pid, encoding="ascii") as f:
            return sum(int(line.split()[1]) for line in f if "ctxt_switches" in line)


class Epoll(Guest, unittest.TestCase):
    name = "guest_epoll"


class Libuv(Guest, unittest.TestCase):
    name = "guest_libuv"


class Glib(Guest, unittest.TestCase):
    name = "guest_glib"


class OnUring(Guest):
    poller = "io_uring"


class EpollOnUring(OnUring, unittest.TestCase):
    name = "guest_epoll"


class LibuvOnUring(OnUring, unittest.TestCase):
    name = "guest_libuv"


class GlibOnUring(OnUring, unittest.TestCase):
    name = "guest_glib"


if __name__ == "__main__":
    unittest.main()
