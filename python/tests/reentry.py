"""What the tests of what runs in the midst of C share: a script of their own, and the last line it prints."""

import os
import subprocess
import sys
import textwrap
import unittest

import asyncore

FAST = getattr(asyncore, '_fast', None)

BEGIN = """
import asyncore, asynchat, gc, os, signal, socket, sys, threading, time

class Quiet(asyncore.dispatcher):
    def writable(self):
        return False
    def handle_read(self):
        self.recv(100)
    def handle_error(self):
        raise

class Chat(asynchat.async_chat):
    collect_incoming_data = asynchat.async_chat._collect_incoming_data
    def __init__(self, sock, map=None):
        asynchat.async_chat.__init__(self, sock, map)
        self.set_terminator(b';')
        self.got = []
    def found_terminator(self):
        self.got.append(self._get_data())
    def handle_error(self):
        raise

class Bomb:
    '''Garbage that does something when it is collected.'''
    def __init__(self, work):
        self.work, self.me = work, self
    def __del__(self):
        self.work()

def pairs(count):
    return [socket.socketpair() for _ in range(count)]
"""


class Case(unittest.TestCase):
    def answer(self, script, **environment):
        """The last line it prints."""
        done = subprocess.run([sys.executable, '-W', 'ignore', '-c', BEGIN + textwrap.dedent(script)],
                              env=dict(os.environ, **environment), timeout=120,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        said = done.stderr.decode(errors='replace')
        self.assertEqual(done.returncode, 0, said[-4000:])
        return done.stdout.decode().strip().split('\n')[-1]
