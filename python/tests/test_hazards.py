"""What a loop that remembers can get wrong: memory, threads, forks, sockets that change behind its back, TLS."""

import asyncore
import contextlib
import gc
import importlib
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import weakref

import asynchat

FAST = getattr(asyncore, '_fast', None)
REFERENCES = getattr(sys, 'gettotalrefcount', lambda: 0)  # a debug build knows them all


def descriptors():
    return len(os.listdir('/proc/self/fd'))


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


class Memory(Case):
    def test_channels_are_freed_with_the_map(self):
        chats = [self.chat()[0] for _ in range(20)]
        self.passes(3)
        alive = [weakref.ref(c) for c in chats]
        for c in chats:
            c.close()
        del c, chats
        gc.collect()
        self.assertEqual([r() for r in alive], [None] * 20)

    def test_a_map_that_is_dropped_frees_its_channels(self):
        before = descriptors()
        for _ in range(200):
            channels = {}
            pairs = [socket.socketpair() for _ in range(12)]
            alive = [weakref.ref(Chat(here, channels)) for here, _ in pairs]
            asyncore.loop(0, map=channels, count=2)
            for pair in pairs:
                for sock in pair:
                    sock.close()
            del pair, pairs, sock, channels
            gc.collect()
            self.assertFalse(any(r() for r in alive))
        # up to 3.11 a dict does not say that it is gone: so many pollers are kept at most
        self.assertLessEqual(descriptors(), before + 64)

    def test_garbage_cycles_are_collected(self):
        chat, _ = self.chat()
        self.passes()
        chat.itself = chat
        chat.readable = chat.readable
        alive = weakref.ref(chat)
        chat.close()
        del chat
        gc.collect()
        self.assertIsNone(alive())

    def connections(self, count):
        server = Acceptor(self.map)
        for _ in range(count):
            client = socket.create_connection(server.socket.getsockname())
            client.sendall(b'line\n')
            self.passes(1, 1)
            self.passes(1, 1)
            client.close()
            self.passes(1, 1)
        server.close()

    def test_many_connections_leave_nothing(self):
        """NUMBER=1000000 for the long way."""
        number = int(os.environ.get('NUMBER', 50000 if FAST else 2000))
        self.connections(200)
        gc.collect()
        files, objects = descriptors(), len(gc.get_objects())
        blocks, references = sys.getallocatedblocks(), REFERENCES()
        self.connections(number)
        gc.collect()
        self.assertEqual(descriptors(), files)
        self.assertLess(abs(len(gc.get_objects()) - objects), 50)
        self.assertLess(abs(sys.getallocatedblocks() - blocks), 200)
        self.assertLess(abs(REFERENCES() - references), 200)

    def test_references_are_given_back(self):
        watched = [None, b'', asynchat.async_chat, Chat, socket.socket, self.map]

        def work():
            chat, there = self.chat()
            there.sendall(b'a\nb\nhalf')
            self.passes(2, 0)
            chat.push(b'answer')
            chat.push(b'')
            chat.close_when_done()
            self.passes(3, 0)
            there.close()
            self.sockets.clear()
        for _ in range(50):
            work()
        gc.collect()
        before = [sys.getrefcount(o) for o in watched]
        for _ in range(1000):
            work()
        gc.collect()
        for o, was, now in zip(watched, before, [sys.getrefcount(o) for o in watched]):
            self.assertLess(abs(now - was), 50, o)


class Acceptor(asyncore.dispatcher):
    def __init__(self, map):
        asyncore.dispatcher.__init__(self, map=map)
        self.create_socket()
        self.set_reuse_addr()
        self.bind(('127.0.0.1', 0))
        self.listen(50)

    def handle_accepted(self, sock, addr):
        chat = Chat(sock, self._map)
        chat.push(b'hello')


class MemoryByEpoll(Memory):
    few = 0


class Threads(Case):
    def test_threads_with_their_own_maps(self):
        failures = []

        def work(n):
            try:
                channels = {}
                pairs = [socket.socketpair() for _ in range(n)]
                chats = [Chat(here, channels) for here, _ in pairs]
                for i in range(200):
                    pairs[i % n][1].sendall(b'%d\n' % i)
                    asyncore.loop(1, map=channels, count=1)
                got = sum(len(c.got) for c in chats)
                if got != 200:
                    failures.append(got)
                asyncore.close_all(channels)
                for pair in pairs:
                    pair[1].close()
            except Exception as why:
                failures.append(why)
        threads = [threading.Thread(target=work, args=(n,)) for n in (1, 5, 12, 30)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
        self.assertEqual(failures, [])

    @unittest.skipUnless(FAST, 'in Python two threads may trip over each other, as in the standard modules')
    def test_pushed_from_another_thread(self):
        """What the kernel takes at once, C sends without letting another thread in between."""
        chat, there = self.chat()
        for _ in range(12):
            self.chat()
        stop = threading.Event()

        def work():
            for _ in range(100):  # not more than a socket's buffer holds if nobody reads
                chat.push(b'x' * 500)
            stop.set()
        t = threading.Thread(target=work)
        t.start()
        got = 0
        while got < 50000:
            self.passes(1, 0.001)
            there.settimeout(5)
            got += len(there.recv(65536))
        t.join()
        self.assertEqual(got, 50000)

    def test_closed_by_another_thread(self):
        for _ in range(12):
            self.chat()
        victim, _ = self.chat()
        t = threading.Timer(0.05, victim.close)
        t.start()
        self.passes(1, 0.2)
        t.join()
        self.passes(3)
        self.assertNotIn(victim, self.map.values())

    @unittest.skipUnless(FAST, 'select does not hear of it')
    def test_the_last_one_closed_by_another_thread_ends_the_loop(self):
        victim, _ = self.chat()
        t = threading.Timer(0.1, victim.close)
        t.start()
        began = time.monotonic()
        asyncore.loop(20, map=self.map)
        t.join()
        self.assertLess(time.monotonic() - began, 10)

    def test_one_put_in_by_another_thread_is_left_alone_until_it_is_made(self):
        self.chat()
        here, there = self.pair()
        there.sendall(b'x\n')
        made = []

        class Slow(Chat):
            def __init__(self, sock, map):
                asynchat.async_chat.__init__(self, sock, map)
                time.sleep(0.1)
                self.got = []
                self.set_terminator(b'\n')
                made.append(self)
        t = threading.Timer(0.1, Slow, (here, self.map))
        t.start()
        self.passes(1, 0.5)
        t.join()
        self.until(lambda: made[0].got)

    def test_two_threads_in_one_map(self):
        chat, there = self.chat()
        for _ in range(12):
            self.chat()
        t = threading.Thread(target=self.passes, args=(1, 0.3))
        t.start()
        time.sleep(0.05)
        extra, far = self.chat()
        far.sendall(b'new\n')
        self.passes(1, 0.1)
        t.join()
        self.assertEqual(extra.got, [b'new'])
        there.sendall(b'old\n')
        self.until(lambda: chat.got)


class ThreadsByEpoll(Threads):
    few = 0


class Sockets(Case):
    def test_fork_keeps_parent_and_child_apart(self):
        chats = [self.chat() for _ in range(20)]
        self.passes()
        child = os.fork()
        if not child:
            status = 1
            with contextlib.suppress(BaseException):
                for chat, there in chats[:10]:
                    chat.close()
                chats[15][1].sendall(b'child\n')
                self.passes(1, 1)
                status = 0 if chats[15][0].got == [b'child'] else 2
            os._exit(status)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        for chat, there in chats[:10]:
            there.sendall(b'parent\n')
        self.passes(1, 1)
        self.assertEqual([c.got for c, _ in chats[:10]], [[b'parent']] * 10)

    def test_nested_loops(self):
        inner, far = self.chat()
        outer, there = self.chat()
        for _ in range(12):
            self.chat()

        def nested():
            far.sendall(b'inner\n')
            self.until(lambda: inner.got)
        outer.found_terminator = nested
        there.sendall(b'x\n')
        self.until(lambda: inner.got)

    def test_closed_and_opened_again_under_the_same_number(self):
        chat, _ = self.chat()
        for _ in range(12):
            self.chat()
        self.passes(2)
        new, far = self.pair()
        os.dup2(new.fileno(), chat.socket.fileno())
        far.sendall(b'new\n')
        self.until(lambda: chat.got)

    def test_closed_while_a_child_holds_it(self):
        """The kernel goes on reporting it; nobody may spin on that."""
        chat, there = self.chat()
        for _ in range(12):
            self.chat()
        self.passes(2)
        held = os.dup(chat.socket.fileno())
        self.addCleanup(os.close, held)
        chat.socket.close()
        del self.map[chat._fileno]
        there.sendall(b'x\n')
        self.passes(3)
        began = time.process_time()
        self.passes(1, 0.3)
        self.assertLess(time.process_time() - began, 0.15)

    def test_recursion_of_closes(self):
        chats = [self.chat()[0] for _ in range(20)]

        class Closer(Chat):
            def found_terminator(self):
                for chat in chats:
                    chat.close()
                self.close()
        closer, there = self.chat(Closer)
        there.sendall(b'x\n')
        self.until(lambda: not self.map)

    def test_thousands_of_channels(self):
        import resource
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        number = 1500
        if hard < 3 * number:
            self.skipTest('too few descriptors')
        resource.setrlimit(resource.RLIMIT_NOFILE, (3 * number, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        if not FAST:
            self.skipTest('select takes no more than 1024')
        chats = [self.chat() for _ in range(number)]
        for _, there in chats:
            there.sendall(b'x\n')
        self.passes(1, 1)
        self.assertEqual(sum(len(c.got) for c, _ in chats), number)

    def test_module_loaded_again(self):
        script = ('import asyncore, asynchat, importlib, socket\n'
                  'importlib.reload(asyncore); importlib.reload(asynchat)\n'
                  'a, b = socket.socketpair()\n'
                  'class C(asynchat.async_chat):\n'
                  '    def collect_incoming_data(self, data): print(data)\n'
                  '    def found_terminator(self): self.close()\n'
                  'C(a).set_terminator(b";")\n'
                  'b.sendall(b"again;")\n'
                  'asyncore.loop(1)\n')
        out = subprocess.run([sys.executable, '-c', script], stdout=subprocess.PIPE, check=True)
        self.assertEqual(out.stdout, b"b'again'\n")


class SocketsByEpoll(Sockets):
    few = 0


class Cork(Case):
    def corked(self):
        class Corked(Chat):
            ac_cork = True

            def found_terminator(self):
                self.push(self._get_data())
                self.push(b';')
        return self.chat(Corked)

    def test_answers_to_all_that_was_read_come_at_once_and_in_order(self):
        chat, there = self.corked()
        there.sendall(b''.join(b'%d\n' % n for n in range(2000)))
        got = b''
        while got.count(b';') < 2000:
            self.passes()
            got += there.recv(65536)
        self.assertEqual(got, b''.join(b'%d;' % n for n in range(2000)))

    def test_pushed_before_close_is_sent(self):
        chat, there = self.corked()

        def last():
            chat.push(b'bye')
            chat.close()
        chat.found_terminator = last
        there.sendall(b'x\n')
        self.passes(2)
        self.assertEqual(there.recv(10), b'bye')
        self.assertEqual(there.recv(10), b'')

    def test_close_when_done(self):
        chat, there = self.corked()

        def last():
            chat.push(b'bye')
            chat.push(b'bye')
            chat.close_when_done()
        chat.found_terminator = last
        there.sendall(b'x\n')
        self.passes(3)
        self.assertEqual(there.recv(10), b'byebye')
        self.assertEqual(there.recv(10), b'')

    def test_sent_past_the_queue_comes_behind_it(self):
        chat, there = self.corked()

        def direct():
            chat.push(b'1')
            chat.socket.send(b'2')
            chat.push(b'3')
        chat.found_terminator = direct
        there.sendall(b'x\n')
        self.passes(2)
        self.assertEqual(there.recv(10), b'123')

    def test_more_than_the_kernel_takes(self):
        chat, there = self.corked()
        chat.found_terminator = lambda: [chat.push(b'%d' % (n % 10) * 1000) for n in range(3000)]
        there.sendall(b'x\n')
        got = bytearray()
        while len(got) < 3000000:
            self.passes()
            got += there.recv(1 << 20)
        self.assertEqual(bytes(got), b''.join(b'%d' % (n % 10) * 1000 for n in range(3000)))


class StartTls(Case):
    """TLS by putting an SSLSocket in the place of self.socket in mid-conversation, on both sides."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.cert = os.path.join(cls.folder.name, 'cert.pem')
        made = subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj',
                               '/CN=localhost', '-keyout', cls.cert, '-out', cls.cert + '.crt'],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if made.returncode:
            raise unittest.SkipTest('no openssl')
        with open(cls.cert, 'ab') as out, open(cls.cert + '.crt', 'rb') as crt:
            out.write(crt.read())

    def contexts(self):
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(self.cert)
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.load_verify_locations(self.cert + '.crt')
        return server, client

    def test_both_sides(self):
        server_context, client_context = self.contexts()

        class Secure(Chat):
            shaking = False

            def start_tls(self, context, server):
                self.socket = context.wrap_socket(self.socket, server_side=server, do_handshake_on_connect=False)
                self.shaking = True
                self.wants_write = not server

            def readable(self):
                return not self.shaking or not self.wants_write or asynchat.async_chat.readable(self)

            def writable(self):
                return self.wants_write if self.shaking else asynchat.async_chat.writable(self)

            def shake(self):
                try:
                    self.socket.do_handshake()
                    self.shaking = False
                    self.secured()
                except ssl.SSLWantReadError:
                    self.wants_write = False
                except ssl.SSLWantWriteError:
                    self.wants_write = True

            def handle_read(self):
                if self.shaking:
                    self.shake()
                    return
                try:
                    asynchat.async_chat.handle_read(self)
                except ssl.SSLWantReadError:
                    pass

            def recv(self, size):
                try:
                    return asynchat.async_chat.recv(self, size)
                except ssl.SSLWantReadError:
                    raise BlockingIOError

            def handle_write(self):
                if self.shaking:
                    self.shake()
                else:
                    asynchat.async_chat.handle_write(self)

            def secured(self):
                pass

        class Server(Secure):
            def found_terminator(self):
                line = self._get_data()
                if line == b'STARTTLS':
                    self.push(b'go\n')
                    self.start_tls(server_context, True)
                else:
                    self.push(b'echo ' + line + b'\n')

        class Client(Secure):
            def found_terminator(self):
                self.got.append(self._get_data())
                if self.got == [b'go']:
                    self.start_tls(client_context, False)

            def secured(self):
                self.push(b'secret\n')
                self.push(b'x' * 100000 + b'\n')
        here, there = socket.socketpair()
        server = Server(here, self.map)
        client = Client(there, self.map)
        client.push(b'STARTTLS\n')
        self.until(lambda: len(client.got) == 3)
        self.assertEqual(client.got[1], b'echo secret')
        self.assertEqual(len(client.got[2]), 100005)
        self.assertIsNotNone(server.socket.cipher())
        self.assertEqual(client.socket.version(), server.socket.version())


class Import(unittest.TestCase):
    def test_no_deprecation_warning(self):
        subprocess.run([sys.executable, '-W', 'error', '-c', 'import asyncore, asynchat'], check=True)

    def test_fastasyncore_puts_ours_in_front(self):
        root = os.path.dirname(os.path.dirname(os.path.abspath(asyncore.__file__)))
        script = ('import sys; sys.path.append(%r); import fastasyncore; fastasyncore.install(); '
                  'import asynchat, asyncore, smtpd; '
                  'assert all(m.__file__.startswith(%r) for m in (asynchat, asyncore, smtpd))' % (root, root))
        subprocess.run([sys.executable, '-c', script], check=True, env=dict(os.environ, PYTHONPATH=''))

    def test_fastasyncore_runs_a_program(self):
        root = os.path.dirname(os.path.dirname(os.path.abspath(asyncore.__file__)))
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, 'program.py')
            with open(program, 'w') as f:
                f.write('import asyncore, sys; print(__name__, sys.argv[1:], asyncore.__file__)')
            out = subprocess.run([sys.executable, '-c', 'import sys; sys.path.append(%r); sys.argv[1:] = %r; '
                                  'import runpy; runpy.run_module("fastasyncore", run_name="__main__", '
                                  'alter_sys=True)' % (root, [program, 'a', 'b'])],
                                 check=True, stdout=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=''))
        self.assertEqual(out.stdout.decode().strip(), "__main__ ['a', 'b'] %s" % asyncore.__file__)


if __name__ == '__main__':
    unittest.main()
