"""test_get.py: what `asyncore get` makes of responses: bodies whole, partial and bad."""
import contextlib
import os
import socket
import time
import unittest

from get_server import (OK, POLLERS, PROTOCOL, Case, Server, bytewise, chunked, field, http,
                        reset, saying)


class Bodies(Case):
    def test_length(self):
        self.assertEqual(self.fetch(saying(http(b"hello"))), b"hello")

    def test_empty_body_makes_an_empty_file(self):
        self.write(b"old")
        self.fetch(saying(http(b"")), OK, "", "-o", self.file)
        self.assertEqual(self.content(), b"")

    def test_no_content_has_no_body(self):
        self.fetch(saying(b"HTTP/1.1 204 No Content\r\n\r\n"))

    def test_length_is_not_waited_for_beyond(self):
        def answer(conn, _head):
            conn.sendall(http(b"hello") + b"surplus")
            conn.recv(1)  # until the client closes
        self.assertEqual(self.fetch(answer), b"hello")

    def test_length_byte_by_byte(self):
        self.assertEqual(self.fetch(bytewise(http(b"hello\r\n\r\n"))), b"hello\r\n\r\n")

    def test_to_end(self):
        self.assertEqual(self.fetch(saying(b"HTTP/1.1 200 OK\r\n\r\nab\r", b"\ncd")), b"ab\r\ncd")

    def test_to_end_of_http_1_0(self):
        self.assertEqual(self.fetch(saying(b"HTTP/1.0 200 OK\r\n\r\n", b"abc")), b"abc")

    def test_to_end_empty(self):
        self.assertEqual(self.fetch(saying(b"HTTP/1.1 200 OK\r\n\r\n")), b"")

    def test_chunked(self):
        self.assertEqual(self.fetch(saying(chunked(b"hello ", b"", b"world")[:-5])), b"hello ")
        self.assertEqual(self.fetch(saying(chunked(b"hello ", b"world"))), b"hello world")

    def test_chunked_byte_by_byte(self):
        body = b"a\r\n0\r\n\r\nb" * 5
        self.assertEqual(self.fetch(bytewise(chunked(body, b"x", b"\r\n"))), body + b"x\r\n")

    def test_chunk_extensions_and_trailers_are_ignored(self):
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
        body = b"5;a=b\r\nhello\r\n00006;c=\"d\"\r\n world\r\n0;e\r\nX: y\r\nZ: 1\r\n\r\n"
        self.assertEqual(self.fetch(saying(head + body)), b"hello world")
        self.assertEqual(self.fetch(bytewise(head + body)), b"hello world")

    def test_many_small_chunks(self):
        self.assertEqual(self.fetch(saying(chunked(*[b"x"] * 20000))), b"x" * 20000)

    def test_large_bodies_are_whole(self):
        body = os.urandom(3 << 20)
        self.assertEqual(self.fetch(saying(http(body))), body)
        self.assertEqual(self.fetch(saying(chunked(body[:70000], body[70000:]))), body)
        self.fetch(saying(b"HTTP/1.1 200 OK\r\n\r\n" + body), OK, "", "-o", self.file)
        self.assertEqual(self.content(), body)

    def test_interim_responses_are_skipped(self):
        interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        self.assertEqual(self.fetch(saying(interim + http(b"abc"))), b"abc")
        self.assertEqual(self.fetch(bytewise(interim + http(b"abc"))), b"abc")

    def test_each_poller(self):
        body = os.urandom(300000)
        for poller in POLLERS:
            with self.subTest(poller):
                for answer in (http(body), chunked(body), b"HTTP/1.1 200 OK\r\n\r\n" + body):
                    got = self.fetch(saying(answer), OK, "", "--poller", poller)
                    self.assertEqual(got, body)
                self.fetch(saying(http(body)[:-1]), PROTOCOL, "partial", "--poller", poller)

    def test_ipv6(self):
        try:
            server = Server(saying(http(b"six")), socket.AF_INET6)
        except OSError:
            self.skipTest("no IPv6 here")
        with server:
            done = self.get("http://[::1]:%d/" % server.port)
        self.check(done, OK)
        self.assertEqual(done.stdout, b"six")
        self.assertEqual(field(server.heads[0], "Host"), "[::1]:%d" % server.port)


class Partial(Case):
    def test_length(self):
        got = self.fetch(saying(http(b"x" * 2000)[:-1000]), PROTOCOL,
                         "partial body: 1000 of 2000 bytes")
        self.assertEqual(got, b"x" * 1000)

    def test_length_nothing_came(self):
        self.fetch(saying(http(b"x" * 2000)[:-2000]), PROTOCOL, "partial body: 0 of 2000 bytes")

    def test_what_came_stays_in_the_file(self):
        self.fetch(saying(http(b"abcdef")[:-2]), PROTOCOL, "4 of 6", "-o", self.file)
        self.assertEqual(self.content(), b"abcd")

    def test_chunked_at_each_place(self):
        whole = chunked(b"hello", b"world")
        start = whole.index(b"\r\n\r\n") + 4
        for end in range(start, len(whole)):
            with self.subTest(end=whole[start:end]):
                got = self.fetch(saying(whole[:end]), PROTOCOL, "partial body")
                self.assertTrue(b"helloworld".startswith(got))

    def test_head_at_each_place(self):
        whole = http(b"")
        for end in range(0, len(whole), 3):
            with self.subTest(end=whole[:end]):
                says = "response head" if end else "without a response"
                self.assertEqual(self.fetch(saying(whole[:end]), PROTOCOL, says), b"")

    def test_connection_reset_is_no_end(self):
        def answer(conn, _head):
            conn.sendall(b"HTTP/1.1 200 OK\r\n\r\nabc")
            time.sleep(0.3)
            reset(conn)
        self.fetch(answer, PROTOCOL, "partial body: 3 bytes (Connection reset by peer)")


class BadResponses(Case):
    def head(self, *lines):
        return saying("\r\n".join(["HTTP/1.1 200 OK", *lines, "", "12345678901"]).encode("latin-1"))

    def refused(self, answer, says="bad response"):
        """Nothing of it may reach the file."""
        self.write(b"old")
        self.fetch(answer, PROTOCOL, says, "-o", self.file)
        self.assertEqual(self.content(), b"old")

    def test_two_lengths(self):
        self.refused(self.head("Content-Length: 10", "Content-Length: 11"))
        self.refused(self.head("Content-Length: 10, 11"))

    def test_length_with_transfer_encoding(self):
        self.refused(self.head("Content-Length: 10", "Transfer-Encoding: chunked"))

    def test_bad_lengths(self):
        for length in ("-1", "+10", "0x10", "1Z", "", '""', "9223372036854775808",
                       "18446744073709551621", "1 0"):
            with self.subTest(length):
                self.refused(self.head("Content-Length: " + length))

    def test_unknown_transfer_encodings(self):
        for coding in ("gzip, chunked", "chunked, identity", "\x0bchunked", "xchunked", "identity"):
            with self.subTest(coding):
                self.refused(self.head("Transfer-Encoding: " + coding))

    def test_bad_heads(self):
        for line in ("X : y", ": y", "no colon", " folded", "X: a\rb", "X: a\0b"):
            with self.subTest(line):
                self.refused(self.head("A: b", line))

    def test_bad_status_lines(self):
        for line in ("HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 abc OK", "HTTP/2.0 200 OK",
                     "HTTP/1.1", "HTTP/1.1  200 OK", "HTTP/1.1 000 OK", "HTTP/11 200 OK"):
            with self.subTest(line):
                self.refused(saying(line.encode() + b"\r\nContent-Length: 1\r\n\r\nx"))

    def test_not_http_is_told_at_once(self):
        def answer(conn, _head):
            conn.sendall(b"SSH-2.0-x\r\n")
            conn.recv(1)
        start = time.monotonic()
        self.refused(answer, "no HTTP server")
        self.assertLess(time.monotonic() - start, 10)

    def test_not_http_behind_an_interim_response(self):
        def answer(conn, _head):
            conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\nSSH-2.0-x\r\n")
            conn.recv(1)
        self.refused(answer, "no HTTP server")

    def test_huge_head(self):
        def answer(conn, _head):
            conn.sendall(b"HTTP/1.1 200 OK\r\n")
            with contextlib.suppress(OSError):
                while True:
                    conn.sendall(b"X: " + b"y" * 1000 + b"\r\n")
        self.refused(answer, "a head of more than 65536 bytes")

    def test_endless_interim_responses(self):
        def answer(conn, _head):
            with contextlib.suppress(OSError):
                while True:
                    conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
        self.refused(answer, "interim responses")

    def test_switching_protocols(self):
        self.refused(saying(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), "protocol")

    def test_bad_chunk_sizes(self):
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
        for line in (b"-1", b"+5", b"0x5", b"fffffffffffffffff", b"ffffffffffffffff",
                     b"7fffffffffffffff", b"", b" ", b"5 x", b"g", b"5\nhello", b"5\rhello"):
            with self.subTest(line):
                got = self.fetch(saying(head + line + b"\r\nhello\r\n0\r\n\r\n"), PROTOCOL,
                                 "bad chunk")
                self.assertEqual(got, b"abc")

    def test_chunk_longer_than_its_size(self):
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for rest in (b"5\r\nhello!\r\n0\r\n\r\n", b"5\r\nhello\n\n0\r\n\r\n",
                     b"5;a\r\r\nhello0\r\n"):
            with self.subTest(rest):
                self.fetch(saying(head + rest), PROTOCOL, "chunk")

    def test_endless_chunk_line(self):
        def answer(conn, _head):
            conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;")
            with contextlib.suppress(OSError):
                while True:
                    conn.sendall(b"x" * 1000)
        self.fetch(answer, PROTOCOL, "a line of more than")

    def test_chunk_line_at_its_limit(self):
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for length, status in ((4096, OK), (4097, PROTOCOL)):
            line = b"3;" + b"x" * (length - 2)
            answer = saying(head + line + b"\r\nabc\r\n0\r\n\r\n")
            self.fetch(answer, status, "" if status == OK else "more than 4096 bytes")

    def test_head_at_its_limit(self):
        start = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: "
        for length, status in ((65536, OK), (65537, PROTOCOL)):
            head = start + b"y" * (length - len(start))
            self.fetch(saying(head + b"\r\n\r\n"), status)

    def test_endless_trailers(self):
        def answer(conn, _head):
            conn.sendall(chunked(b"abc", last=b"0\r\n"))
            with contextlib.suppress(OSError):
                while True:
                    conn.sendall(b"X: y\r\n" * 100)
        self.fetch(answer, PROTOCOL, "trailers of more than")


if __name__ == "__main__":
    unittest.main()
