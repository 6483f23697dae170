"""STARTTLS by putting an SSLSocket in the place of self.socket, on both sides of a conversation.

Input that is decrypted already waits in the SSLSocket, where no poller sees it. This file runs on the
standard modules too.
"""

import os
import socket
import ssl
import subprocess
import tempfile
import unittest

import asynchat
import asyncore

from channels import Case
from programs import control, tls_contexts

SIZE = 300000


class Secure(asynchat.async_chat):
    """It may read far less at once than a record holds, and asks the SSLSocket whether there is more."""

    ac_in_buffer_size = 512
    shaking = False
    wants = 'read'
    in_place = True  # self.socket is assigned; or else the channel leaves the map and comes back

    def __init__(self, sock, context, map):
        asynchat.async_chat.__init__(self, sock, map)
        self.context = context
        self.lines = []
        self.line = []
        self.pending_seen = 0
        self.set_terminator(b'\n')

    def collect_incoming_data(self, data):
        self.line.append(data)

    def found_terminator(self):
        self.lines.append(b''.join(self.line))
        self.line = []
        self.handle_line(self.lines[-1])

    def handle_error(self):
        raise

    def start_tls(self, server):
        secure = self.context.wrap_socket(self.socket, server_side=server, do_handshake_on_connect=False)
        if self.in_place:
            self.socket = secure
        else:
            self.del_channel()
            self.set_socket(secure)
        self.shaking = True
        if not server:
            self.wants = 'write'

    def readable(self):
        return self.wants == 'read' if self.shaking else asynchat.async_chat.readable(self)

    def writable(self):
        return self.wants == 'write' if self.shaking else asynchat.async_chat.writable(self)

    def shake(self):
        try:
            self.socket.do_handshake()
        except ssl.SSLWantReadError:
            self.wants = 'read'
        except ssl.SSLWantWriteError:
            self.wants = 'write'
        else:
            self.shaking = False
            self.handle_secure()

    def recv(self, size):
        try:
            return asynchat.async_chat.recv(self, size)
        except ssl.SSLWantReadError:
            raise BlockingIOError

    def send(self, data):
        try:
            return asynchat.async_chat.send(self, data)
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return 0

    def handle_read(self):
        if self.shaking:
            self.shake()
            return
        asynchat.async_chat.handle_read(self)
        while isinstance(self.socket, ssl.SSLSocket) and not self.shaking and self.socket.pending():
            self.pending_seen += 1
            asynchat.async_chat.handle_read(self)

    def handle_write(self):
        if self.shaking:
            self.shake()
        else:
            asynchat.async_chat.handle_write(self)

    def handle_secure(self):
        pass


class Server(Secure):
    def handle_line(self, line):
        if line == b'STARTTLS':
            self.push(b'go\n')
            self.start_tls(True)
        else:
            self.push(b'%d\n' % len(line))
            self.push(line + b'\n')


class Client(Secure):
    def handle_line(self, line):
        if line == b'go':
            self.start_tls(False)

    def handle_secure(self):
        self.push(b'x' * SIZE + b'\n' + b'short\n')
        self.push(b'QUIT\n')


class StartTls(Case):
    def setUp(self):
        Case.setUp(self)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.contexts = tls_contexts(folder.name)
        if not self.contexts:
            self.skipTest('no openssl here')
        self.addCleanup(setattr, Secure, 'in_place', Secure.in_place)

    def talk(self, use_poll):
        server, client = (cls(sock, context, self.map) for cls, sock, context
                          in zip((Server, Client), socket.socketpair(), self.contexts))
        client.push(b'STARTTLS\n')
        for _ in range(20000):
            if len(client.lines) == 7:
                break
            self.passes(1, 0.5, use_poll)
        long = b'x' * SIZE
        self.assertEqual(client.lines, [b'go', b'%d' % SIZE, long, b'5', b'short', b'4', b'QUIT'])
        self.assertEqual(server.lines, [b'STARTTLS', long, b'short', b'QUIT'])
        self.assertGreater(server.pending_seen, 100)
        self.assertIsNotNone(server.socket.cipher())
        self.assertEqual(client.socket.version(), server.socket.version())
        asyncore.close_all(self.map)

    def test_socket_assigned(self):
        for use_poll in (False, True):
            self.talk(use_poll)

    def test_channel_taken_out_and_put_back(self):
        Secure.in_place = False
        for use_poll in (False, True):
            self.talk(use_poll)


class StartTlsByEpoll(StartTls):
    few = 0


class Control(unittest.TestCase):
    def test_the_same_on_the_standard_modules(self):
        python = control()
        if not python:
            self.skipTest('no interpreter with the standard modules')
        env = dict(os.environ, PYTHONPATH='', PYTHONWARNINGS='ignore')
        env.pop('LD_PRELOAD', None)
        ran = subprocess.run([python, os.path.abspath(__file__), 'StartTls'], env=env,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        self.assertEqual(ran.returncode, 0, ran.stdout.decode())


if __name__ == '__main__':
    unittest.main()
