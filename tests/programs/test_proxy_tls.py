"""test_proxy_tls.py: `asyncore proxy` with TLS on one side, on the other, and on both."""
import hashlib
import os
import select
import socket
import ssl
import struct
import threading
import unittest

from helper import POLLERS, read_all, read_until
from tls_helper import TlsCase


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(s.detach())


def exchange(s, data, size):
    """Sends data and reads so many bytes, both at once, on one thread: so ssl wants it."""
    s.setblocking(False)
    sent, got = 0, bytearray()
    while sent < len(data) or len(got) < size:
        try:
            sent += s.send(data[sent:sent + 100000]) if sent < len(data) else 0
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        try:
            got += s.recv(100000) if len(got) < size else b""
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            select.select([s], [s] if sent < len(data) else [], [], 0.05)
    return got


class ProxyTls(TlsCase):
    def setUp(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(10)
        self.addCleanup(self.listener.close)

    def proxy(self, accepts, dials, *args):
        """A program with TLS on these sides."""
        both = (*(("--tls", *self.pair) if accepts else ()),
                *(("--tls-target", "--cacert", self.ca) if dials else ()))
        return self.start("proxy", *both, *args, "127.0.0.1:0",
                          "localhost:%d" % self.listener.getsockname()[1])

    def ends(self, program, accepts, dials):
        """A client's socket and the target's for it."""
        got = []
        thread = threading.Thread(target=lambda: got.append(self.accept(dials)))
        thread.start()
        s = self.connect(program) if accepts else program.connect()
        thread.join()
        self.addCleanup(s.close)
        s.settimeout(10)
        return s, got[0]

    def accept(self, secure):
        t, _ = self.listener.accept()
        t.settimeout(10)
        if secure:
            t = self.server().wrap_socket(t, server_side=True, suppress_ragged_eofs=False)
        self.addCleanup(t.close)
        return t

    def test_bulk_both_ways(self):
        for poller in POLLERS:
            for accepts, dials in ((True, False), (False, True), (True, True)):
                program = self.proxy(accepts, dials, "--poller", poller)
                s, t = self.ends(program, accepts, dials)
                up, down = os.urandom(3000000), os.urandom(1500000)
                got = []
                thread = threading.Thread(
                    target=lambda: got.append(exchange(t, down, len(up))))
                thread.start()
                back = exchange(s, up, len(down))
                thread.join()
                self.assertEqual(hashlib.sha256(got[0]).digest(), hashlib.sha256(up).digest())
                self.assertEqual(hashlib.sha256(back).digest(), hashlib.sha256(down).digest())

    def test_the_end_of_one_side_is_passed_on_as_such(self):
        for accepts, dials in ((True, False), (False, True), (True, True)):
            program = self.proxy(accepts, dials)
            s, t = self.ends(program, accepts, dials)
            s.sendall(b"question")
            self.assertEqual(read_until(t, b"question"), b"question")
            if dials:
                self.say_goodbye(t)
            else:
                t.shutdown(socket.SHUT_WR)
            self.assertEqual(s.recv(1), b"")  # an end, and no error

    def say_goodbye(self, t):
        """close_notify, without waiting for the other's."""
        t.settimeout(0.5)
        try:
            t.unwrap()
        except (TimeoutError, ssl.SSLError, OSError):
            pass

    def test_a_cut_is_no_end(self):
        """Neither a reset nor the end of TCP without close_notify looks like an end."""
        for how in (reset, lambda t: os.close(t.detach())):
            program = self.proxy(True, True)
            s, t = self.ends(program, True, True)
            t.sendall(b"half of i")
            self.assertEqual(read_until(s, b"half of i"), b"half of i")
            how(t)
            with self.assertRaises((ssl.SSLError, ConnectionResetError)):
                s.recv(1)

    def test_reset_of_a_plain_client_is_no_end_for_a_secure_target(self):
        program = self.proxy(False, True)
        s, t = self.ends(program, False, True)
        s.sendall(b"half of i")
        self.assertEqual(read_until(t, b"half of i"), b"half of i")
        reset(s)
        with self.assertRaises((ssl.SSLError, ConnectionResetError)):
            t.recv(1)

    def test_target_that_is_not_who_it_should_be(self):
        program = self.proxy(False, True, "--server-name", "other.test")
        thread = threading.Thread(target=self.refused)
        thread.start()
        with program.connect() as s:
            with self.assertRaises(ConnectionResetError):
                s.recv(1)
        thread.join()
        self.assertIn("target: certificate of other.test", program.stop()[1])

    def refused(self):
        t, _ = self.listener.accept()
        t.settimeout(10)
        try:
            self.server().wrap_socket(t, server_side=True).close()
        except (ssl.SSLError, OSError):
            t.close()

    def test_clear_text_from_a_client(self):
        program = self.proxy(True, False)
        with program.connect() as s:
            t, _ = self.listener.accept()
            with t:
                s.sendall(b"GET / HTTP/1.1\r\n\r\n")
                self.assertNotIn(b"GET", read_all(t))
        self.assertIn("http request", program.stop()[1])


if __name__ == "__main__":
    unittest.main()
