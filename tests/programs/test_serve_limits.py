"""test_serve_limits.py: the limits of `asyncore serve`, each below, at and above."""
import os
import socket
import unittest

from helper import read_all, read_until, wait_for
from test_serve import ServeCase

GET = b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n"


def post(*lines):
    return b"\r\n".join((b"POST / HTTP/1.1", b"Host: x") + lines) + b"\r\n\r\n"


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
        answers = [read_until(s, b"</h1>\n") for s in refused]  # they linger now
        self.assertEqual(sum(b" 503 " in a for a in answers), 32)
        one.close()
        self.assertTrue(wait_for(lambda: self.status(server, "GET /a.txt") == 200, 2))


if __name__ == "__main__":
    unittest.main()
