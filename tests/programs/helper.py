"""helper.py: starts `asyncore` subcommands and talks to them over plain sockets."""
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

ASYNCORE = os.environ.get("ASYNCORE", "build/asyncore")
POLLERS = ("select", "poll", "epoll", "io_uring")


class Program:
    """A server that was started: its address, its output, its end."""

    def __init__(self, *args):
        self.err = tempfile.TemporaryFile()
        self.process = subprocess.Popen([ASYNCORE, *args], stdout=subprocess.PIPE,
                                        stderr=self.err, stdin=subprocess.DEVNULL)
        self.line = self.process.stdout.readline().decode()
        found = re.search(r"listening on (?:https?://)?(.*?):(\d+)/?$", self.line)
        self.port = int(found.group(2)) if found else None

    def connect(self, timeout=5):
        s = socket.create_connection(("127.0.0.1", self.port), timeout)
        return s

    def stop(self, how=signal.SIGTERM):
        """Ends it; returns (status, rest of its output, errors)."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            out, _ = self.process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, _ = self.process.communicate()
        self.err.seek(0)
        return self.process.returncode, out.decode(errors="replace"), self.err.read().decode()


class Case(unittest.TestCase):
    def start(self, *args):
        program = Program(*args)
        self.addCleanup(self.finish, program)
        self.assertIsNotNone(program.port, program.line)
        return program

    def finish(self, program):
        program.stop()
        program.process.stdout.close()
        program.err.close()

    def fails(self, status, words, *args):
        """One clear line on stderr, nothing on stdout."""
        r = subprocess.run([ASYNCORE, *args], capture_output=True, timeout=10,
                           stdin=subprocess.DEVNULL)
        self.assertEqual(r.returncode, status, r.stderr)
        self.assertEqual(r.stdout, b"")
        lines = r.stderr.decode().splitlines()
        self.assertIn(words, lines[-1] if len(lines) == 1 else r.stderr.decode())
        self.assertLessEqual(len(lines), 2)


def connect_unix(path, seconds=5):
    """To a server that may still be on its way up."""
    end = time.monotonic() + seconds
    while True:
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(5)
        try:
            s.connect(path)
            return s
        except (FileNotFoundError, ConnectionRefusedError):
            s.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def read_until(s, end, most=1 << 20):
    data = b""
    while end not in data and len(data) < most:
        piece = s.recv(65536)
        if not piece:
            break
        data += piece
    return data


def read_all(s):
    data = b""
    while True:
        try:
            piece = s.recv(65536)
        except ConnectionResetError:
            break
        if not piece:
            break
        data += piece
    return data


def wait_for(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()
