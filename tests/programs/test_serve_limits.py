"""test_serve_limits.py: the limits of `asyncore serve`, each below, at and above; and its patience."""
import fcntl
import os
import signal
import socket
import struct
import termios
import time
import unittest

from helper import POLLERS, read_all, read_until, wait_for
from test_serve import ServeCase

GET = b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def post(*lines):
    return b"\r\n".join((b"POST / HTTP/1.1", b"Host: x") + lines) + b"\r\n\r\n"


def slow_reader(server):
    """A client with next to no room for what it is sent."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(20)
    s.connect(("127.0.0.1", server.port))
    return s


class Limits(ServeCase):
    def verdict(self, server, data):
        with server.connect() as s:
            try:
                s.sendall(data)
            except ConnectionError:
                pass
            return self.parse(read_all(s))[0]

    def test_body_of_known_length(self):
        server = self.serve("-q")
        for length, status in ((1048575, 405), (1048576, 405), (1048577, 413)):
            data = post(b"Content-Length: %d" % length, b"Connection: close") + b"x" * length
            self.assertEqual(self.verdict(server, data), status, length)

    def test_body_in_chunks(self):
        server = self.serve("-q")
        begin = post(b"Transfer-Encoding: chunked", b"Connection: close")
        for length, status in ((1048575, 405), (1048576, 405), (1048577, 413)):
            chunks = b"80000\r\n" + b"x" * 524288 + b"\r\n%x\r\n" % (length - 524288)
            data = begin + chunks + b"x" * (length - 524288) + b"\r\n0\r\n\r\n"
            self.assertEqual(self.verdict(server, data), status, length)
        self.assertEqual(self.verdict(server, begin + b"fffffffffffffff\r\n"), 413)

    def test_overhead_of_chunks(self):
        server = self.serve("-q")
        begin = post(b"Transfer-Encoding: chunked", b"Connection: close")
        for overhead, status in ((99999, 405), (100000, 405), (100001, 413)):
            pad = overhead - 5 * 10000 - 5 - 2  # the chunks, the last one, the empty line
            chunks = b"1\r\nx\r\n" * 9999 + b"1;" + b"e" * (pad - 1) + b"\r\nx\r\n0\r\n\r\n"
            self.assertEqual(self.verdict(server, begin + chunks), status, overhead)
        self.assertEqual(self.verdict(server, begin + b"1\r\nx\r\n" * 1000000), 413)
        self.assertEqual(self.verdict(server, begin + b"0\r\n" + b"T: x\r\n" * 20000), 413)

    def test_requests_of_a_connection(self):
        server = self.serve("-q")
        one = b"HEAD /a.txt HTTP/1.1\r\nHost: x\r\n\r\n"
        for count, closes in ((999, 0), (1000, 1), (1001, 1)):
            with server.connect() as s:
                s.sendall(one * count)
                s.shutdown(socket.SHUT_WR)
                data = read_all(s)
            self.assertEqual(data.count(b"HTTP/1.1 200"), min(count, 1000))
            self.assertEqual(data.count(b"Connection: close"), closes)

    def test_connections(self):
        for option in ("--max-connections", "--max-per-address"):
            server = self.serve(option, "2", "-q")
            kept = []
            for expected in (200, 200, 503):
                s = server.connect()
                self.addCleanup(s.close)
                kept.append(s)
                s.sendall(GET)
                self.assertEqual(self.parse(read_until(s, b"\r\n\r\n"))[0], expected, option)
            kept[0].close()
            self.assertTrue(wait_for(lambda: self.status(server, "GET /a.txt") == 200))

    def test_refused_connections_take_no_place(self):
        server = self.serve("--max-connections", "1", "-q")
        one = server.connect()
        one.sendall(GET)
        read_until(one, b"world\n")
        refused = [server.connect() for _ in range(40)]
        for s in refused:
            self.addCleanup(s.close)
        answers = []
        for s in refused:  # they linger now, and the others were reset
            try:
                answers.append(read_until(s, b"</h1>\n"))
            except ConnectionError:
                answers.append(b"")
        self.assertEqual(sum(b" 503 " in a for a in answers), 32)
        one.close()
        self.assertTrue(wait_for(lambda: self.status(server, "GET /a.txt") == 200, 2))


class Rates(ServeCase):
    def test_answers_come_no_faster_than_the_rate(self):
        for poller in POLLERS:
            for option in ("--rate", "--rate-all"):
                server = self.serve(option, "4000000", "-q", "--poller", poller)
                begin = time.monotonic()
                with server.connect() as s:
                    s.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    self.assertEqual(len(self.parse(read_all(s))[2]), 3000000)
                took = time.monotonic() - begin
                self.assertTrue(0.49 < took < 5, took)  # but for a burst of a quarter of a second


class Reports(ServeCase):
    def test_counters_are_told_when_asked(self):
        server = self.serve("--max-connections", "1", "-q")
        with server.connect() as one, server.connect() as two:
            one.sendall(GET)
            read_until(one, b"world\n")
            read_until(two, b"</h1>\n")
            server.process.send_signal(signal.SIGUSR1)
            time.sleep(0.3)
        self.assertIn("asyncore serve: 1 connections, under stress, accepted 1, over total 1",
                      server.stop()[2])


class Patience(ServeCase):
    def test_client_below_the_least_rate_ends(self):
        server = self.serve("--min-rate", "1000", "-q")
        begin = time.monotonic()
        with server.connect() as s:
            s.sendall(post(b"Content-Length: 1000000"))
            with self.assertRaises(ConnectionError):
                while time.monotonic() - begin < 20:
                    s.sendall(b"x" * 10)  # never silent for long
                    time.sleep(0.1)
        self.assertTrue(4 < time.monotonic() - begin < 9, time.monotonic() - begin)

    def test_slow_head_is_given_up_whatever_still_comes(self):
        for poller in POLLERS:
            server = self.serve("--head-timeout", "0.3", "--poller", poller)
            begin = time.monotonic()
            with server.connect() as s:
                s.sendall(b"GET / HT")
                while time.monotonic() - begin < 0.25:
                    time.sleep(0.05)
                    s.sendall(b"T")
                self.assertIn(b"408 Request Timeout", read_all(s))
            self.assertLess(time.monotonic() - begin, 3)
            self.assertIn('"GET / HTT', server.stop()[1])

    def test_head_behind_a_slow_answer_is_not_late(self):
        server = self.serve("--head-timeout", "0.3")
        with slow_reader(server) as s:
            s.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n" + LAST[:20])
            time.sleep(0.8)
            s.sendall(LAST[20:])
            data = read_all(s)
        self.assertEqual(data.count(b"HTTP/1.1 200 OK\r\n"), 2)
        self.assertTrue(data.endswith(b"hello, world\n"))

    def test_late_head_behind_an_answer_that_is_not_read_ends(self):
        server = self.serve("--head-timeout", "0.2", "--stall-timeout", "0.4")
        self.write("long", b"q" * 30000000)
        with slow_reader(server) as s:
            s.sendall(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\nGET")
            time.sleep(1.5)
            self.assertLess(len(read_all(s)), 30000000)

    def test_idle_connection_ends(self):
        for poller in POLLERS:
            server = self.serve("--idle-timeout", "0.2", "--poller", poller)
            with server.connect() as s:
                self.assertEqual(read_all(s), b"")
            with server.connect() as s:
                s.sendall(GET)
                self.assertTrue(read_all(s).endswith(b"hello, world\n"))

    def test_stalled_body_ends(self):
        server = self.serve("--stall-timeout", "0.2")
        for data in (post(b"Content-Length: 9") + b"abc",
                     post(b"Transfer-Encoding: chunked") + b"9\r\nabc",
                     post(b"Transfer-Encoding: chunked") + b"9\r\n012345678\r\n0\r\nT"):
            with server.connect() as s:
                s.sendall(data)
                self.assertEqual(read_all(s), b"")

    def test_answer_that_is_not_read_ends(self):
        server = self.serve("--stall-timeout", "0.4", "-q")
        self.write("long", b"q" * 30000000)
        for last in (b"", b"Connection: close\r\n"):
            with slow_reader(server) as s:
                s.sendall(b"GET /long HTTP/1.1\r\nHost: x\r\n" + last + b"\r\n")
                end = time.monotonic() + 1.5
                while time.monotonic() < end:  # what it says does not make it read
                    time.sleep(0.1)
                    try:
                        s.sendall(b"\0" if last else b"")
                    except ConnectionError:
                        break
                self.assertLess(len(read_all(s)), 30000000)

    def test_talking_does_not_stand_for_reading(self):
        path = os.path.join(self.folder.name, "socket")
        server = self.serve("--stall-timeout", "0.4", "-q", "--listen", "unix:" + path)
        self.assertIn("unix:", server.process.stdout.readline().decode())
        clients = []
        for size in range(100000, 500000, 16384):
            self.write("f%d" % size, b"q" * size)
            s = socket.socket(socket.AF_UNIX)
            self.addCleanup(s.close)
            s.connect(path)
            s.sendall(b"GET /f%d HTTP/1.0\r\n\r\n" % size)
            clients.append((s, size))
        time.sleep(0.2)
        left = [size - struct.unpack("i", fcntl.ioctl(s, termios.FIONREAD, b"0000"))[0]
                for s, size in clients]  # of the file; the head counts too
        self.assertTrue(any(n < 0 for n in left) and any(0 < n < 60000 for n in left), left)
        end = time.monotonic() + 1.3
        while time.monotonic() < end:
            time.sleep(0.1)
            for s, _ in clients:
                try:
                    s.sendall(b"x")
                except ConnectionError:
                    pass
        for (s, size), n in zip(clients, left):
            self.assertEqual(len(read_all(s)) > size, n < 0, size)  # who was to get more did not

    def test_slow_but_steady_reader_gets_it_all(self):
        server = self.serve("--stall-timeout", "0.5", "-q")
        with slow_reader(server) as s:
            s.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            data, begin = b"", time.monotonic()
            while True:
                piece = s.recv(65536)
                if not piece:
                    break
                data += piece
                if time.monotonic() - begin < 1.5:
                    time.sleep(0.05)
        self.assertEqual(len(self.parse(data)[2]), 3000000)

    def test_lingering_ends(self):
        server = self.serve("-q")
        begin = time.monotonic()
        with server.connect() as s:
            s.sendall(b"bad\r\n\r\n")
            self.assertIn(b"400 Bad Request", read_until(s, b"</h1>\n"))
            with self.assertRaises(ConnectionError):
                while time.monotonic() - begin < 20:
                    s.sendall(b"more")
                    time.sleep(0.1)
        self.assertTrue(4 < time.monotonic() - begin < 9, time.monotonic() - begin)

    def test_answer_arrives_although_the_client_is_still_sending(self):
        server = self.serve("-q")
        with server.connect() as s:
            s.sendall(post(b"Content-Length: 50000000"))
            for _ in range(500):
                s.sendall(b"x" * 100000)
            s.shutdown(socket.SHUT_WR)
            self.assertEqual(self.parse(read_all(s))[0], 413)

    def test_nothing_is_left_behind(self):
        for poller in POLLERS:
            server = self.serve("-q", "--poller", poller)
            folder = "/proc/%d/fd" % server.process.pid
            before = len(os.listdir(folder))
            big = b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n"
            for data in (b"", b"GET", b"bad\r\n\r\n", GET, GET * 3, big * 20,
                         b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", post(b"Content-Length: 9") + b"a",
                         post(b"Transfer-Encoding: chunked") + b"5\r\nab"):
                for _ in range(5):
                    with server.connect() as s:
                        s.sendall(data)
                        if data:
                            time.sleep(0.005)
            self.assertTrue(wait_for(lambda: len(os.listdir(folder)) == before),
                            os.listdir(folder))
            self.assertEqual(server.stop()[2], "")


class Stops(ServeCase):
    def test_answers_that_never_end_are_cut_after_ten_seconds(self):
        server = self.serve("-q")
        self.write("long", b"q" * 30000000)
        with slow_reader(server) as s:
            s.sendall(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
            s.recv(100)
            begin = time.monotonic()
            self.assertEqual(server.stop()[0], 0)
            self.assertTrue(9 < time.monotonic() - begin < 13, time.monotonic() - begin)

    def test_second_signal_ends_at_once(self):
        server = self.serve("-q")
        self.write("long", b"q" * 30000000)
        with slow_reader(server) as s:
            s.sendall(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
            s.recv(100)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            self.assertEqual(server.stop(signal.SIGINT)[0], 128 + signal.SIGINT)

    def test_request_that_has_begun_is_answered(self):
        server = self.serve("-q")
        with server.connect() as s, server.connect() as idle:
            s.sendall(GET[:20])
            time.sleep(0.1)
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(read_all(idle), b"")
            s.sendall(GET[20:])
            answer = read_all(s)
        self.assertIn(b"Connection: close", answer)
        self.assertTrue(answer.endswith(b"hello, world\n"))
        self.assertEqual(server.process.wait(5), 0)  # by itself: a second signal would say so


if __name__ == "__main__":
    unittest.main()
