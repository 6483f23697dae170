"""STARTTLS by putting an SSLSocket in the place of self.socket, with input that is decrypted already and waits in the
SSLSocket, where no poller sees it. The same file runs on the standard modules: as CONTROL names an interpreter."""

import asyncore
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest

import asynchat

FAST = getattr(asyncore, '_fast', None)
SIZE = 300000


class Secure(asynchat.async_chat):
    """It may read far less at once than a record holds, and asks the SSLSocket whether there is more."""

    ac_in_buffer_size = 512
    shaking = False
    wants = 'read'

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
        self.del_channel()
        self.set_socket(self.context.wrap_socket(self.socket, server_side=server, do_handshake_on_connect=False))
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


class Client(Secure):
    def handle_line(self, line):
        if line == b'go':
            self.start_tls(False)

    def handle_secure(self):
        self.push(b'x' * SIZE + b'\n' + b'short\n')
        self.push(b'QUIT\n')


class StartTls(unittest.TestCase):
    few = 8

    def contexts(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        key, cert = (os.path.join(folder.name, name) for name in ('key', 'cert'))
        made = subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj',
                               '/CN=localhost', '-keyout', key, '-out', cert], stderr=subprocess.DEVNULL)
        self.assertEqual(made.returncode, 0)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(cert, key)
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.load_verify_locations(cert)
        return server, client

    def talk(self, use_poll):
        map = {}
        contexts = self.contexts()
        here, there = socket.socketpair()
        server = Server(here, contexts[0], map)
        client = Client(there, contexts[1], map)
        client.push(b'STARTTLS\n')
        for _ in range(20000):
            if len(client.lines) == 4:
                break
            asyncore.loop(0.5, use_poll, map, 1)
        self.assertEqual(client.lines, [b'go', b'%d' % SIZE, b'5', b'4'])
        self.assertEqual(server.lines, [b'STARTTLS', b'x' * SIZE, b'short', b'QUIT'])
        self.assertGreater(server.pending_seen, 100)
        self.assertIsNotNone(server.socket.cipher())
        asyncore.close_all(map)

    def test_both_sides(self):
        if FAST:
            self.addCleanup(FAST.set_few, FAST.set_few(self.few))
        for use_poll in (False, True):
            self.talk(use_poll)


class StartTlsByEpoll(StartTls):
    few = 0


@unittest.skipUnless(os.environ.get('CONTROL'), 'no interpreter with the standard modules')
class Control(unittest.TestCase):
    def test_the_same_on_the_standard_modules(self):
        env = dict(os.environ, PYTHONPATH='', PYTHONWARNINGS='ignore')
        env.pop('LD_PRELOAD', None)
        ran = subprocess.run([env.pop('CONTROL'), os.path.abspath(__file__), 'StartTls'], env=env,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        self.assertEqual(ran.returncode, 0, ran.stdout.decode())


if __name__ == '__main__':
    unittest.main()
