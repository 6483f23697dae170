"""test_tls.py: the servers with --tls, and `talk --tls`."""
import os
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

from helper import ASYNCORE, POLLERS, read_all, read_until, wait_for
from tls_helper import TlsCase


class Echo(TlsCase):
    def test_lines_come_back(self):
        for poller in POLLERS:
            program = self.start("echo", "127.0.0.1:0", "--poller", poller, "--tls", *self.pair)
            with self.connect(program) as s:
                for piece in (b"one\r\n", b"two\n", b"x" * 60000 + b"\n"):
                    s.sendall(piece)
                    self.assertEqual(read_until(s, b"\n"), piece)

    def test_clear_text_is_refused(self):
        program = self.start("echo", "127.0.0.1:0", "--tls", *self.pair)
        with program.connect() as s:
            s.sendall(b"in clear\n")
            self.assertNotIn(b"in clear", read_all(s))
        with self.connect(program) as s:
            s.sendall(b"still here\n")
            self.assertEqual(read_until(s, b"\n"), b"still here\n")

    def test_the_key_is_missing(self):
        self.fails(2, "--tls needs CERT and KEY", "echo", "--tls", self.pair[0])
        self.fails(2, "--tls needs CERT and KEY", "echo", "--tls", self.pair[0], "--poller", "poll")

    def test_files_that_cannot_be_used(self):
        for name in ("echo", "chat", "serve"):
            self.fails(1, "/no/such/file", name, "--tls", "/no/such/file", self.pair[1])
            self.fails(1, self.pair[0], name, "--tls", self.pair[0], __file__)


class Chat(TlsCase):
    def test_guests_hear_each_other(self):
        program = self.start("chat", "127.0.0.1:0", "--tls", *self.pair)
        a, b = self.connect(program), self.connect(program)
        read_until(a, b"joined")
        a.sendall(b"hello there\n")
        self.assertIn(b"hello there", read_until(b, b"hello there"))

    def test_who_does_not_shake_hands_is_no_guest(self):
        program = self.start("chat", "127.0.0.1:0", "--tls", *self.pair)
        with program.connect() as s:
            s.sendall(b"/who\n")
            read_all(s)
        a = self.connect(program)
        a.sendall(b"/who\n")
        self.assertNotIn(b"guest2", read_until(a, b"End of"))


class Serve(TlsCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.mkdir(self.path("dir"))
        self.big = os.urandom(3000000)
        for name, data in (("a.txt", b"hello\n"), ("big", self.big)):
            with open(self.path(name), "wb") as f:
                f.write(data)

    def path(self, name):
        return os.path.join(self.folder, name)

    def serve(self, *args):
        return self.start("serve", self.folder, "-l", "127.0.0.1:0", "--tls", *self.pair, *args)

    def ask(self, s, target):
        s.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % target)
        answer = read_all(s)
        s.close()  # or the server lingers
        return answer

    def test_files_of_any_size(self):
        for poller in POLLERS:
            program = self.serve("--poller", poller)
            self.assertIn("https://", program.line)
            self.assertTrue(self.ask(self.connect(program), b"/a.txt").endswith(b"\r\n\r\nhello\n"))
            self.assertTrue(self.ask(self.connect(program), b"/big").endswith(self.big))

    def test_both_versions_and_the_protocol(self):
        program = self.serve()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.client(minimum_version=version, maximum_version=version)
            context.set_alpn_protocols(["h2", "http/1.1"])
            s = self.connect(program, context=context)
            self.assertEqual(s.selected_alpn_protocol(), "http/1.1")
            self.assertEqual(s.version(), "TLSv1.2" if version == ssl.TLSVersion.TLSv1_2
                             else "TLSv1.3")

    def test_certificate_by_name(self):
        other = self.certificates.sign("two", "DNS:two.test,DNS:*.two.test")
        program = self.serve("--tls", *other)
        for asked, subject in (("one.test", "one"), ("two.test", "two"), ("www.two.test", "two"),
                               ("localhost", "one")):
            cert = self.connect(program, asked).getpeercert()
            self.assertEqual(cert["subject"][0][0][1], subject)
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.connect(program, "three.test")

    def test_certificates_are_read_again_at_hangup(self):
        mine = self.certificates.sign("first", "DNS:localhost")
        program = self.start("serve", self.folder, "-l", "127.0.0.1:0", "--tls", *mine)
        old = self.connect(program)
        self.assertEqual(old.getpeercert()["subject"][0][0][1], "first")
        new = self.certificates.sign("second", "DNS:localhost")
        for have, want in zip(mine, new):
            os.replace(want, have)
        program.process.send_signal(signal.SIGHUP)
        self.assertTrue(wait_for(lambda: self.connect(program).getpeercert()["subject"][0][0][1]
                                 == "second"))
        self.assertIn(b"hello", self.ask(old, b"/a.txt"))
        with open(mine[0], "wb") as f:
            f.write(b"nonsense")
        program.process.send_signal(signal.SIGHUP)
        self.assertTrue(wait_for(lambda: self.said(program, b"stay as they are")))
        self.assertIn(b"hello", self.ask(self.connect(program), b"/a.txt"))

    def test_workers(self):
        for poller in POLLERS:
            program = self.serve("--poller", poller, "--workers", "2")
            for _ in range(20):
                self.assertIn(b"hello", self.ask(self.connect(program), b"/a.txt"))
            self.assertTrue(self.ask(self.connect(program), b"/big").endswith(self.big))
            program.process.send_signal(signal.SIGHUP)
            self.assertTrue(wait_for(lambda: self.said(program, b"read again")))
            self.assertIn(b"hello", self.ask(self.connect(program), b"/a.txt"))
            status, log, _ = program.stop()
            self.assertEqual((status, len(log.splitlines())), (0, 22))

    def said(self, program, words):
        program.err.seek(0)
        return words in program.err.read()

    def test_clear_text_is_closed_with_one_line(self):
        program = self.serve()
        for _ in range(20):
            with program.connect() as s:
                s.sendall(b"GET / HTTP/1.1\r\n\r\n")
                self.assertNotIn(b"HTTP", read_all(s))
        self.assertIn(b"hello", self.ask(self.connect(program), b"/a.txt"))
        status, _, err = program.stop()
        self.assertEqual(status, 0)
        self.assertIn("http request", err)
        self.assertLess(len(err.splitlines()), 5)


class Talk(TlsCase):
    def talk(self, address, *args):
        return subprocess.run([ASYNCORE, "talk", "--tls", *args, address], capture_output=True,
                              input=b"hello\n", timeout=15)

    def setUp(self):
        self.echo = self.start("echo", "127.0.0.1:0", "--tls", *self.pair)
        self.address = "localhost:%d" % self.echo.port

    def test_there_and_back(self):
        for poller in POLLERS:
            r = self.talk(self.address, "--cacert", self.ca, "--poller", poller)
            self.assertEqual((r.returncode, r.stdout, r.stderr), (0, b"hello\n", b""))

    def test_nobody_is_believed_without_proof(self):
        for args, words in (((), b"issuer certificate"),
                            (("--cacert", self.ca, "--server-name", "other.test"), b"other.test")):
            r = self.talk(self.address, *args)
            self.assertEqual((r.returncode, r.stdout), (1, b""))
            self.assertIn(words, r.stderr)
        self.assertEqual(self.talk(self.address, "--insecure").stdout, b"hello\n")

    def test_a_cut_is_no_end(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def serve():
                conn = self.server().wrap_socket(listener.accept()[0], server_side=True)
                conn.sendall(b"half of i")
                read_all(conn)  # what is unread when it closes would make it a reset
                os.close(conn.detach())
            thread = threading.Thread(target=serve)
            thread.start()
            r = self.talk("127.0.0.1:%d" % listener.getsockname()[1], "--cacert", self.ca)
            thread.join()
        self.assertEqual((r.returncode, r.stdout), (1, b"half of i"))
        self.assertIn(b"truncated", r.stderr)


if __name__ == "__main__":
    unittest.main()
