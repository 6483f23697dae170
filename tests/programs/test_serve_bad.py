"""test_serve_bad.py: requests that no server should understand: 400, 413, 414 or 431, and close."""
import unittest

from helper import read_all
from test_serve import ServeCase

GOOD = b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n"


def head(*lines):
    return b"\r\n".join((b"POST / HTTP/1.1", b"Host: x") + lines) + b"\r\n\r\n"


class Bad(ServeCase):
    def setUp(self):
        super().setUp()
        self.server = self.serve("-q")

    def refused(self, data, status=400):
        """The one answer is `status`, and the good request behind is never run."""
        with self.server.connect() as s:
            try:
                s.sendall(data + GOOD)
            except ConnectionError:
                pass
            answer = read_all(s)
        self.assertTrue(answer.startswith(b"HTTP/1.1 %d " % status), (data[:80], answer[:80]))
        self.assertEqual(answer.count(b"HTTP/1.1 "), 1, data[:80])
        self.assertIn(b"Connection: close\r\n", answer)

    def test_h1_two_framings_hide_a_request(self):
        body = b"0\r\n\r\n"
        for lines in ((b"Content-Length: 5", b"Transfer-Encoding: chunked"),
                      (b"Transfer-Encoding: chunked", b"Content-Length: 5"),
                      (b"Content-Length: 5", b"Content-Length: 6"),
                      (b"Content-Length: 5", b"Content-Length: 5"),
                      (b"Transfer-Encoding: chunked, identity",),
                      (b"Transfer-Encoding: identity, chunked",),
                      (b"Transfer-Encoding: \x0bchunked",),
                      (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
                      (b"Transfer-Encoding: xchunked",)):
            self.refused(head(*lines) + body)

    def test_h2_lengths(self):
        for length in (b"-48", b"+10", b"0x10", b"1Z", b"", b"9223372036854775808",
                       b"18446744073709551621", b"10,10", b"1 0", b"1e3"):
            self.refused(head(b"Content-Length: " + length))

    def test_h3_chunk_sizes(self):
        for line in (b"-1", b"+5", b"0x5", b"fffffffffffffffff", b"", b" 5", b"5 ", b"g",
                     b"5;a\rX", b"5;a\x00", b"5;a\x7f", b"5\n", b"5;\n"):
            self.refused(head(b"Transfer-Encoding: chunked") + line + b"\r\nhello\r\n0\r\n\r\n")
        for data in (b"helloX\r\n", b"hello\n", b"hello\r", b"hello\r\r", b"hello\n\r"):
            self.refused(head(b"Transfer-Encoding: chunked") + b"5\r\n" + data + b"0\r\n\r\n")

    def test_trailers(self):
        for line in (b"no colon", b"a: b\nc", b"a: b\rc", b"a: b\0", b" a: b", b"a : b", b"\n"):
            self.refused(head(b"Transfer-Encoding: chunked") + b"0\r\n" + line + b"\r\n\r\n")

    def test_h5_bare_cr_lf_and_nul_anywhere(self):
        whole = b"GET /a.txt HTTP/1.1\r\nHost: x\r\nName: value\r\n\r\n"
        for byte in (b"\r", b"\n", b"\0"):
            for at in range(1, len(whole) - 4):
                bad = whole[:at] + byte + whole[at:]
                if b"\r\n\r\n" in bad[:-4] or bad[at - 1:at + 2] == b"\r\r\n" and byte == b"\r":
                    continue
                with self.subTest(byte=byte, at=at):
                    self.refused(bad)

    def test_h6_fields(self):
        for line in (b"Name : value", b": value", b"no colon", b" folded: x", b"\tfolded: x",
                     b"Na me: x", b"N\xc3\xa4me: x", b"Name\x00: x"):
            self.refused(head(line))
        self.refused(b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n\r\n")

    def test_h7_nul_in_a_value(self):
        self.refused(head(b"Name: a\0b"))

    def test_h8_targets(self):
        for target in (b"/a\x01", b"/#x", b"/%00", b"/%0a", b"/%zz", b"/%4", b"a.txt", b"*",
                       b"/\xff", b"/a b", b"/<", b"/a\x7f"):
            self.refused(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")

    def test_request_lines(self):
        for line in (b"GET", b"GET /", b"GET  / HTTP/1.1", b"GET /  HTTP/1.1", b"G@T / HTTP/1.1",
                     b"GET / HTTP/1.1 ", b"GET / http/1.1", b"GET / HTTP/1.10", b" GET / HTTP/1.1"):
            self.refused(line + b"\r\nHost: x\r\n\r\n")
        self.refused(b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505)

    def test_same_verdict_for_every_split(self):
        for data, status in ((b"GET / HTTP/1.1\r\nHost: x\r\nName : y\r\n\r\n", b"400"),
                             (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", b"505"),
                             (b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
                             (head(b"Transfer-Encoding: chunked") + b"1\r\nabc\r\n", b"400"),
                             (head(b"Content-Length: 2", b"Content-Length: 2") + b"ab", b"400")):
            for cut in range(1, len(data)):
                self.assertEqual(self.ask_split(data, cut), status, (data, cut))

    def test_absolute_targets(self):
        for target in (b"http://", b"http:///a.txt", b"http://x@y/a.txt", b"https://x/a.txt",
                       b"http://x#/a.txt"):
            self.refused(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")

    def test_hosts(self):
        self.refused(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
        self.refused(b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n")
        self.refused(b"GET / HTTP/1.1\r\n\r\n")
        self.refused(b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n")

    def ask_split(self, data, cut):
        with self.server.connect() as s:
            s.sendall(data[:cut])
            s.sendall(data[cut:])
            return read_all(s)[9:12]

    def test_h9_limits_of_the_head(self):
        def sized(total):
            begin = b"GET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            fields = b"".join(b"F%d: %s\r\n" % (i, b"v" * 4000) for i in range(3))
            left = total - len(begin) - len(fields) - len(b"G: ")
            return begin + fields + b"G: " + b"v" * left + b"\r\n\r\n"
        for total, status in ((16383, b"200"), (16384, b"200"), (16385, b"431"), (40000, b"431")):
            data = sized(total)
            for cut in (1, 100, 8192, 8193, 16383, 16384, 16385, len(data) - 3, len(data) - 1):
                self.assertEqual(self.ask_split(data, cut), status, (total, cut))

    def test_limits_of_the_request_line(self):
        for length, status in ((8191, b"404"), (8192, b"404"), (8193, b"414"), (30000, b"414")):
            target = b"/" + b"x" * (length - len(b"GET / HTTP/1.1"))
            data = b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            for cut in (1, 8190, 8192, 8193, 8194, 8195, len(data) - 2):
                self.assertEqual(self.ask_split(data, cut), status, (length, cut))

    def test_number_of_fields(self):
        for count, status in ((98, b"200"), (99, b"431")):
            data = (b"GET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" +
                    b"".join(b"F%d: v\r\n" % i for i in range(count)) + b"\r\n")
            self.assertEqual(self.ask_split(data, 50), status)


if __name__ == "__main__":
    unittest.main()
