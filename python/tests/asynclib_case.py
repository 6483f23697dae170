"""What the tests of asynclib share: a chat that writes down what it hears, and pairs of sockets."""

import logging
import socket
import time
import unittest

import asynclib


class Chat(asynclib.AsyncChat):
    """Writes down what it hears; `plan` maps the number of the record to what to do then."""

    def __init__(self, sock=None, map=None, terminator=b'\r\n'):
        self.said, self.plan, self.records = [], {}, 0
        asynclib.AsyncChat.__init__(self, sock, map)
        self.terminator = terminator

    def pull(self, data):
        self.said.append(data)

    def found_terminator(self):
        self.said.append('F')
        self.records += 1
        todo = self.plan.get(self.records)
        if todo:
            todo()

    def handle_close(self):
        self.said.append('closed')
        self.close()


class Case(unittest.TestCase):
    def setUp(self):
        self.map, self.tasks, self.sockets = {}, [], []
        logger = logging.getLogger('asynclib')
        self.log = []
        handler = logging.Handler()
        handler.emit = lambda record: self.log.append(record.getMessage())
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)
        self.addCleanup(self.close)

    def close(self):
        asynclib.close_all(self.map, self.tasks, ignore_all=True)
        for sock in self.sockets:
            sock.close()

    def pair(self):
        pair = socket.socketpair()
        pair[1].settimeout(5)
        self.sockets += pair
        return pair

    def passes(self, count=1, timeout=0.0):
        asynclib.loop(timeout, self.map, self.tasks, count)

    def until(self, true):
        end = time.monotonic() + 5
        while not true() and time.monotonic() < end:
            self.passes(1, 0.01)
        self.assertTrue(true())

    def chat(self, terminator=b'\r\n', cls=Chat):
        here, there = self.pair()
        return cls(here, self.map, terminator), there

    def hears(self, terminator, reads, expected, end=False, plan=None, strip=True):
        chat, there = self.chat(terminator)
        chat.strip_terminator = strip
        for number, todo in (plan or {}).items():
            chat.plan[number] = lambda todo=todo: todo(chat)
        for data in reads:
            there.sendall(data)
            self.passes()
        if end:
            there.close()
            self.passes(2)
        self.assertEqual(chat.said, expected)
        return chat
