"""get_server.py: small servers of raw sockets for the tests of `asyncore get`, and their base case.

Each server speaks exactly the bytes a case gives it, on a port of its own. ASYNCORE names the
program (./build/asyncore); GET_POLLERS the pollers to try (select poll epoll).
"""
import contextlib
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

PROGRAM = os.path.abspath(os.environ.get("ASYNCORE", "./build/asyncore"))
POLLERS = os.environ.get("GET_POLLERS", "select poll epoll").split()
LIMIT = 60  # seconds for any one run, also under a sanitizer

OK, LOCAL, USAGE, CONNECT, PROTOCOL, STATUS, REDIRECTS, TIMEOUT = range(8)


class Server:
    """Accepts connections; each request's head is kept, and answered by `answer(conn, head)`."""

    def __init__(self, answer, family=socket.AF_INET):
        self.answer = answer
        self.heads = []
        self.listener = socket.socket(family)
        self.listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self.listener.listen(16)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(LIMIT)

    def run(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            with conn, contextlib.suppress(OSError):
                conn.settimeout(LIMIT)
                head = b""
                while b"\r\n\r\n" not in head:
                    more = conn.recv(65536)
                    if not more:
                        break
                    head += more
                self.heads.append(head.decode("latin-1"))
                self.answer(conn, self.heads[-1])

    def url(self, path="/file"):
        return "http://127.0.0.1:%d%s" % (self.port, path)


def saying(*pieces, pause=0.0):
    """An answer that sends the pieces, each in a segment of its own, and closes."""
    def answer(conn, _head):
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            conn.sendall(piece)
            if pause:
                time.sleep(pause)
    return answer


def bytewise(data):
    return saying(*[data[i:i + 1] for i in range(len(data))])


def reset(conn):
    """Closes so that the peer sees a reset."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


def target(head):
    return head.split(" ")[1]


def field(head, name):
    found = re.search(r"^%s: *(.*?)\r$" % name, head, re.I | re.M)
    return found and found.group(1)


def http(body=b"", status="200 OK", *fields):
    lines = ["HTTP/1.1 " + status, "Content-Length: %d" % len(body), *fields, "", ""]
    return "\r\n".join(lines).encode() + body


def chunked(*chunks, last=b"0\r\n\r\n"):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + last


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = os.path.join(self.folder, "out")

    def get(self, *args, **kwargs):
        done = subprocess.run([PROGRAM, "get", *args], capture_output=True, timeout=LIMIT,
                              cwd=self.folder, stdin=subprocess.DEVNULL, check=False, **kwargs)
        done.err = done.stderr.decode("utf-8", "replace")
        return done

    def check(self, done, status, says=""):
        self.assertEqual(done.returncode, status, done.err)
        self.assertIn(says, done.err)
        if status != OK:
            self.assertTrue(done.err.startswith("asyncore get: "), done.err)
            self.assertEqual(done.err.count("\n"), 1, done.err)

    def fetch(self, answer, status=OK, says="", *args):
        """Runs against a server with this answer; the run's output."""
        with Server(answer) as server:
            done = self.get(*args, server.url())
        self.check(done, status, says)
        self.heads = server.heads
        return done.stdout

    def content(self):
        with open(self.file, "rb") as f:
            return f.read()

    def write(self, data, mtime=None):
        with open(self.file, "wb") as f:
            f.write(data)
        if mtime is not None:
            os.utime(self.file, (mtime, mtime))
