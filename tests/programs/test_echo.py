"""test_echo.py: `asyncore echo` sends lines back as they came."""
import unittest

from helper import POLLERS, Case, read_all, read_until


class Echo(Case):
    def test_lines_come_back_as_they_came(self):
        for poller in POLLERS:
            with self.start("echo", "127.0.0.1:0", "--poller", poller).connect() as s:
                for piece in (b"crlf\r\n", b"lf\n", b"\n", b"\r\n", b"cr\rin\n", b"\0\xff\n"):
                    s.sendall(piece)
                    self.assertEqual(read_until(s, b"\n"), piece)

    def test_every_split_of_a_batch(self):
        text = b"one\r\ntwo\n\r\nthree\r\n"
        server = self.start("echo", "127.0.0.1:0")
        for cut in range(1, len(text)):
            with server.connect() as s:
                s.sendall(text[:cut])
                s.sendall(text[cut:])
                self.assertEqual(read_until(s, b"three\r\n"), text)

    def test_a_rest_without_end_is_no_line(self):
        with self.start("echo", "127.0.0.1:0").connect() as s:
            s.sendall(b"line\nrest")
            s.shutdown(1)
            self.assertEqual(read_all(s), b"line\n")

    def test_line_of_the_limit_and_one_more(self):
        server = self.start("echo", "127.0.0.1:0")
        with server.connect() as s:
            line = b"x" * 65536 + b"\n"
            s.sendall(line)
            got = b""
            while len(got) < len(line):
                got += s.recv(65536)
            self.assertEqual(got, line)
        with server.connect() as s:
            s.sendall(b"x" * 65537)
            self.assertEqual(read_all(s), b"")
        with server.connect() as s:
            s.sendall(b"still here\n")
            self.assertEqual(read_until(s, b"\n"), b"still here\n")
        self.assertIn("EMSGSIZE", server.stop()[2])

    def test_client_that_does_not_read_stops_being_read(self):
        server = self.start("echo", "127.0.0.1:0")
        with server.connect() as s:
            s.setblocking(False)
            sent = 0
            lines = (b"y" * 1023 + b"\n") * 64
            try:
                for _ in range(100000):
                    sent += s.send(lines[sent % 1024:])
            except BlockingIOError:
                pass
            with server.connect() as other:
                other.sendall(b"next\n")
                self.assertEqual(read_until(other, b"\n"), b"next\n")
            s.setblocking(True)
            s.settimeout(5)
            whole = sent - sent % 1024
            got = 0
            while got < whole:
                got += len(s.recv(1 << 20))
            self.assertEqual(got, whole)


if __name__ == "__main__":
    unittest.main()
