"""test_get_tls.py: `asyncore get https://…`, by names, and who is not believed."""
import os
import socket
import ssl
import subprocess
import threading
import unittest

from helper import ASYNCORE, POLLERS
from tls_helper import TlsCase

LOCAL, USAGE, CONNECT, PROTOCOL, TIMEOUT = 1, 2, 3, 4, 7
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


class GetTls(TlsCase):
    def server_for(self, answer, pair=None, end=True, context=None):
        """One that gives this answer once, and ends TLS properly or not at all. Its port."""
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(10)
        self.asked = b""

        def serve():
            with listener:
                conn, _ = listener.accept()
            conn.settimeout(10)
            try:
                s = (context or self.server(pair)).wrap_socket(conn, server_side=True)
                self.asked = s.recv(10000)
                s.sendall(answer)
                if end:
                    s.unwrap().close()
                else:
                    os.close(s.detach())
            except (ssl.SSLError, OSError):
                conn.close()
        thread = threading.Thread(target=serve)
        thread.start()
        self.addCleanup(thread.join)
        return listener.getsockname()[1]

    def get(self, url, *args):
        return subprocess.run([ASYNCORE, "get", "--cacert", self.ca, *args, url],
                              capture_output=True, timeout=20, stdin=subprocess.DEVNULL)

    def check(self, done, status, words, out=b""):
        self.assertEqual((done.returncode, done.stdout), (status, out), done.stderr)
        self.assertIn(words, done.stderr.decode())
        self.assertLessEqual(len(done.stderr.splitlines()), 1)

    def test_length_chunks_and_end(self):
        for poller in POLLERS:
            for answer in (OK + b"Content-Length: 5\r\n\r\nhello", OK + b"\r\nhello",
                           OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"):
                port = self.server_for(answer)
                done = self.get("https://localhost:%d/x" % port, "--poller", poller)
                self.check(done, 0, "", b"hello")
                self.assertIn(b"GET /x HTTP/1.1\r\nHost: localhost:%d\r\n" % port, self.asked)

    def test_cut_where_the_length_is_not_known(self):
        done = self.get("https://localhost:%d/" % self.server_for(OK + b"\r\nhalf", end=False))
        self.check(done, PROTOCOL, "truncated", b"half")

    def test_cut_behind_the_length(self):
        port = self.server_for(OK + b"Content-Length: 5\r\n\r\nhello", end=False)
        self.check(self.get("https://localhost:%d/" % port), 0, "", b"hello")

    def test_nobody_is_believed_without_proof(self):
        answer = OK + b"Content-Length: 2\r\n\r\nno"
        done = subprocess.run([ASYNCORE, "get", "https://localhost:%d/" % self.server_for(answer)],
                              capture_output=True, timeout=20)
        self.check(done, CONNECT, "issuer certificate")
        other = self.certificates.sign("other", "DNS:other.test")
        done = self.get("https://localhost:%d/" % self.server_for(answer, other))
        self.check(done, CONNECT, "ostname mismatch")
        old = self.certificates.sign("old", "DNS:localhost", "-not_before", "20200101000000Z",
                                     "-not_after", "20200201000000Z") if self.has_dates() else None
        if old:
            self.check(self.get("https://localhost:%d/" % self.server_for(answer, old)), CONNECT,
                       "expired")

    def has_dates(self):
        out = subprocess.run(["openssl", "x509", "-help"], capture_output=True, check=False)
        return b"not_before" in out.stderr + out.stdout

    def test_insecure_takes_anybody(self):
        other = self.certificates.sign("other", "DNS:other.test")
        port = self.server_for(OK + b"Content-Length: 3\r\n\r\nyes", other)
        done = subprocess.run([ASYNCORE, "get", "-k", "https://localhost:%d/" % port],
                              capture_output=True, timeout=20)
        self.check(done, 0, "", b"yes")

    def test_a_given_address_for_a_name(self):
        for poller in POLLERS:
            port = self.server_for(OK + b"Content-Length: 5\r\n\r\nhello")
            done = self.get("https://one.test:%d/" % port, "--resolve",
                            "one.test:%d:127.0.0.1" % port, "--poller", poller)
            self.check(done, 0, "", b"hello")
            self.assertIn(b"Host: one.test:%d" % port, self.asked)

    def test_the_first_address_is_dead(self):
        port = self.server_for(OK + b"Content-Length: 5\r\n\r\nhello")
        done = self.get("https://one.test:%d/" % port, "--resolve",
                        "one.test:%d:[::1],127.0.0.1" % port)
        self.check(done, 0, "", b"hello")

    def test_bad_given_address(self):
        for value in ("one.test", "one.test:80", "one.test:80:", "one.test:80:name", ":80:127.0.0.1",
                      "localhost:80:127.0.0.2"):
            done = self.get("http://one.test/", "--resolve", value)
            self.assertEqual(done.returncode, USAGE, value)

    def test_no_such_name(self):
        done = self.get("http://no-such-name.invalid/", "--connect-timeout", "5")
        self.assertIn(done.returncode, (CONNECT, TIMEOUT))
        self.assertIn(b"no-such-name.invalid", done.stderr)

    def test_nobody_answers(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            done = self.get("https://localhost:%d/" % listener.getsockname()[1],
                            "--connect-timeout", "0.3")
            self.check(done, TIMEOUT, "no connection to localhost")

    def test_server_without_tls(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def serve():
                conn, _ = listener.accept()
                with conn:
                    conn.recv(10000)
                    conn.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            thread = threading.Thread(target=serve)
            thread.start()
            done = self.get("https://localhost:%d/" % listener.getsockname()[1])
            thread.join()
        self.check(done, CONNECT, "cannot connect to localhost")

    def test_redirect_out_of_https(self):
        port = self.server_for(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
                               b"Content-Length: 0\r\n\r\n")
        self.check(self.get("https://localhost:%d/" % port), LOCAL, "from https to http")


if __name__ == "__main__":
    unittest.main()
