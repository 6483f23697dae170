"""What the tests of channels share: a chat of lines, and a case with a map and sockets of its own."""

import contextlib
import socket
import time
import unittest

import asynchat
import asyncore

FAST = getattr(asyncore, '_fast', None)


class Chat(asynchat.async_chat):
    collect_incoming_data = asynchat.async_chat._collect_incoming_data

    def __init__(self, sock=None, map=None):
        self.set_terminator(b'\n')  # first: another thread may serve it as soon as it is in the map
        self.got = []
        asynchat.async_chat.__init__(self, sock, map)

    def found_terminator(self):
        self.got.append(self._get_data())

    def handle_error(self):
        raise


class Case(unittest.TestCase):
    """A map; sockets that are closed at the end."""

    few = None

    def setUp(self):
        self.map = {}
        self.sockets = []
        if FAST and self.few is not None:
            self.addCleanup(FAST.set_few, FAST.set_few(self.few))
        self.addCleanup(self.close)

    def close(self):
        for channel in list(self.map.values()):
            channel.close()
        for sock in self.sockets:
            with contextlib.suppress(OSError):
                sock.close()

    def pair(self):
        pair = socket.socketpair()
        pair[1].settimeout(5)
        self.sockets += pair
        return pair

    def chat(self, cls=Chat):
        here, there = self.pair()
        return cls(here, self.map), there

    def passes(self, count=1, timeout=0.01, use_poll=False):
        asyncore.loop(timeout, use_poll, self.map, count)

    def until(self, true):
        end = time.monotonic() + 10
        while not true() and time.monotonic() < end:
            self.passes()
        self.assertTrue(true())
