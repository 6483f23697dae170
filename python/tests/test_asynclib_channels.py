"""asynclib: channels on a map, from their birth to their one handle_close."""

import asyncore
import errno
import gc
import os
import resource
import select
import socket
import sys
import unittest
import warnings

import asynclib

from asynclib_case import Case, Chat


class Channels(Case):
    def server(self, **methods):
        cls = type('Server', (asynclib.Dispatcher,), methods)
        server = cls(None, self.map)
        server.create_socket(socket.AF_INET, socket.SOCK_STREAM)
        server.set_reuse_addr()
        server.bind(('127.0.0.1', 0))
        server.listen(5)
        return server, server.socket.getsockname()

    def client(self, address):
        sock = socket.create_connection(address)
        sock.settimeout(5)
        self.sockets.append(sock)
        return sock

    def test_map_is_that_of_asyncore(self):
        channel = asynclib.Dispatcher()
        self.assertIs(channel._map, asyncore.socket_map)

    def test_shared_with_a_channel_of_asyncore(self):
        heard = []

        class Plain(asyncore.dispatcher):
            def writable(self):
                return False

            def handle_read(self):
                heard.append(self.recv(10))
        here, there = self.pair()
        Plain(here, self.map)
        chat, beside = self.chat(b'\n')
        there.sendall(b'1')
        beside.sendall(b'2\n')
        self.passes()
        self.assertEqual((heard, chat.said), ([b'1'], [b'2', 'F']))
        here.close()
        self.map.clear()

    def test_handle_close_once_and_closed_all_the_same(self):
        class Lazy(asynclib.Dispatcher):
            told = 0

            def handle_read(self):
                self.recv(10)
                self.recv(10)

            def handle_close(self):
                self.told += 1
        here, there = self.pair()
        lazy = Lazy(here, self.map)
        there.close()
        self.passes(3)
        self.assertEqual((lazy.told, self.map), (1, {}))

    def test_fresh_socket_is_not_watched(self):
        heard = []
        cls = type('Fresh', (asynclib.Dispatcher,), {
            name: (lambda self, name=name: heard.append(name))
            for name in ('handle_read', 'handle_write', 'handle_close', 'handle_connect', 'handle_error')})
        channel = cls(None, self.map)
        channel.create_socket(socket.AF_INET, socket.SOCK_STREAM)
        self.passes(3)
        self.assertEqual(heard, [])

    def test_no_spin_without_handle_write(self):
        here, there = self.pair()
        channel = asynclib.Dispatcher(here, self.map)
        self.assertFalse(channel.writable())
        self.assertTrue(type('W', (asynclib.Dispatcher,), {'handle_write': lambda self: None})
                        (here, self.map).writable())

    def refused(self, until=None, **methods):
        with socket.socket() as gone:
            gone.bind(('127.0.0.1', 0))
            address = gone.getsockname()
        heard = []

        def handle_error(self):
            heard.append(sys.exc_info()[1].errno)
        cls = type('Client', (asynclib.Dispatcher,), dict({
            'handle_error': handle_error,
            'handle_close': lambda self: heard.append('closed'),
            'handle_connect': lambda self: heard.append('connected')}, **methods))
        client = cls(None, self.map)
        client.create_socket(socket.AF_INET, socket.SOCK_STREAM)
        client.connect(address)
        self.until(until or (lambda: not self.map))
        return heard

    def test_refused_connect_is_never_told_as_connected(self):
        self.assertEqual(self.refused(), [errno.ECONNREFUSED, 'closed'])
        self.assertEqual(self.refused(handle_write=lambda self: None), [errno.ECONNREFUSED, 'closed'])

    def test_connect_that_fails_at_once_leaves_nothing(self):
        client = asynclib.Dispatcher(None, self.map)
        client.create_socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with self.assertRaises(FileNotFoundError):
            client.connect('/nowhere/at/all')
        self.assertEqual(self.map, {})

    def test_close_in_handle_connect(self):
        heard = []
        server, address = self.server()
        cls = type('Client', (asynclib.Dispatcher,), {
            'handle_connect': lambda self: (heard.append('connected'), self.close()),
            'handle_read': lambda self: heard.append('read'),
            'handle_write': lambda self: heard.append('write')})
        client = cls(None, self.map)
        client.create_socket(socket.AF_INET, socket.SOCK_STREAM)
        client.connect(address)
        self.until(lambda: heard)
        self.passes(3)
        self.assertEqual((heard, client.connected), (['connected'], False))

    def test_descriptor_used_again_in_the_same_pass(self):
        heard = []
        a, a_there = self.pair()
        b, b_there = self.pair()
        born, born_there = self.pair()
        born_there.sendall(b'for the new one')

        class New(asynclib.Dispatcher):
            def handle_read(self):
                heard.append(('new', self.recv(100)))

        class First(asynclib.Dispatcher):
            def handle_read(self):
                self.recv(100)
                fd = second.socket.fileno()
                second.close()
                os.dup2(born.fileno(), fd)
                New(socket.socket(fileno=fd), self._map)
                heard.append('first')

        class Second(asynclib.Dispatcher):
            def handle_read(self):
                heard.append('second')
        First(a, self.map)
        second = Second(b, self.map)
        a_there.sendall(b'1')
        b_there.sendall(b'2')
        self.passes()
        self.assertEqual(heard, ['first'])
        self.passes()
        self.assertEqual(heard, ['first', ('new', b'for the new one')])

    def test_closed_in_its_read_hears_of_no_write(self):
        heard = []
        cls = type('Both', (asynclib.Dispatcher,), {
            'handle_read': lambda self: (heard.append('read'), self.close()),
            'handle_write': lambda self: heard.append('write')})
        here, there = self.pair()
        cls(here, self.map)
        there.sendall(b'1')
        there.close()
        self.passes(2)
        self.assertEqual(heard, ['read'])

    def test_the_same_if_all_is_told_at_once(self):
        chat, there = self.chat(b'\n')
        chat.plan[1] = chat.close
        chat.handle_write = lambda: chat.said.append('write')
        there.sendall(b'1\n')
        asynclib.readwrite(chat, select.POLLIN | select.POLLOUT)
        self.assertEqual(chat.said, [b'1', 'F'])

    def test_connected_anew_in_handle_error(self):
        server, address = self.server()
        heard = []

        def handle_error(self):
            self.close()
            self.create_socket(socket.AF_INET, socket.SOCK_STREAM)
            self.connect(address)
        self.refused(lambda: heard, handle_error=handle_error, handle_connect=lambda self: heard.append(self))
        self.assertIn(heard[0], self.map.values())

    def test_bad_descriptor_is_its_channels_error(self):
        chat, there = self.chat(b'\n')
        bad, _ = self.chat(b'\n')
        os.close(bad.socket.fileno())
        there.sendall(b'1\n')
        self.passes(3)
        self.assertEqual(chat.said, [b'1', 'F'])
        self.assertEqual((bad.said, len(self.map)), (['closed'], 1))
        bad.socket.detach()

    def test_out_of_band_byte_is_told_once(self):
        heard = []
        server, address = self.server(handle_accepted=lambda self, sock, addr: Urgent(sock, self._map))

        class Urgent(asynclib.Dispatcher):
            def handle_exception(self):
                heard.append(1)
        client = self.client(address)
        self.until(lambda: len(self.map) == 2)
        client.send(b'!', socket.MSG_OOB)
        self.until(lambda: heard)
        self.passes(5)
        self.assertEqual(len(heard), 1)
        client.send(b'!', socket.MSG_OOB)
        self.until(lambda: len(heard) == 2)

    def test_error_in_handle_accepted_leaves_the_listener(self):
        accepted = []

        def handle_accepted(self, sock, addr):
            accepted.append(addr)
            Chat(sock, self._map)
            if len(accepted) == 1:
                raise KeyError('the first')
        server, address = self.server(handle_accepted=handle_accepted)
        first = self.client(address)
        self.until(lambda: accepted)
        self.assertEqual(first.recv(1), b'')
        self.client(address)
        self.until(lambda: len(accepted) == 2)
        self.assertEqual(len(self.map), 2)
        self.assertIn('KeyError', self.log[0])

    def test_no_descriptor_left_turns_one_away(self):
        accepted = []
        server, address = self.server(handle_accepted=lambda self, sock, addr: accepted.append(sock))
        first = self.client(address)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        taken = os.dup(0)
        os.close(taken)
        resource.setrlimit(resource.RLIMIT_NOFILE, (taken, hard))
        try:
            self.passes(1, 1)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        self.assertEqual((first.recv(1), accepted), (b'', []))
        self.assertIn('turned away', self.log[-1])
        self.client(address)
        self.until(lambda: accepted)
        self.sockets += accepted

    def test_exit_now_leaves_the_map(self):
        chat, there = self.chat(b'\n')

        def leave():
            raise asynclib.ExitNow
        chat.plan[1] = leave
        there.sendall(b'1\n')
        with self.assertRaises(asyncore.ExitNow):
            self.passes()
        self.assertEqual(len(self.map), 1)

    def test_reconnect_in_handle_close(self):
        server, address = self.server(handle_accepted=lambda self, sock, addr: sock.close())
        heard = []

        class Client(asynclib.Dispatcher):
            def handle_read(self):
                self.recv(10)

            def handle_close(self):
                heard.append('closed')
                self.close()
                if len(heard) < 3:
                    self.begin()

            def begin(self):
                self.create_socket(socket.AF_INET, socket.SOCK_STREAM)
                self.connect(address)
        Client(None, self.map).begin()
        self.until(lambda: len(heard) == 3)
        self.assertEqual(list(self.map.values()), [server])

    def test_close_all(self):
        self.chat()
        self.chat()
        task = asynclib.call_later(10, print, _tasks=self.tasks)
        asynclib.close_all(self.map, self.tasks)
        self.assertEqual((self.map, self.tasks, task.cancelled), ({}, [], True))

        class Bad(asynclib.Dispatcher):
            def close(self):
                raise KeyError
        bad = Bad(self.pair()[0], self.map)
        self.assertRaises(KeyError, asynclib.close_all, self.map, self.tasks)
        asynclib.close_all({1: bad}, self.tasks, True)
        self.map.clear()

    def test_handle_expt_is_handle_exception(self):
        heard = []
        cls = type('One', (asynclib.Dispatcher,), {'handle_exception': lambda self: heard.append(1)})
        cls(None, self.map).handle_expt()
        self.assertEqual(heard, [1])

    def test_read_write_exception_by_hand(self):
        chat, there = self.chat(b'\n')
        there.sendall(b'1\n')
        asynclib.read(chat)
        chat.outbox.append(b'2')
        asynclib.write(chat)
        asynclib.exception(chat)
        self.assertEqual((chat.said, there.recv(10)), ([b'1', 'F'], b'2'))

    def test_another_global_map(self):
        self.addCleanup(setattr, asyncore, 'socket_map', asyncore.socket_map)
        asyncore.socket_map = self.map
        heard = []
        cls = type('One', (asynclib.Dispatcher,), {'handle_read': lambda self: heard.append(self.recv(10))})
        here, there = self.pair()
        cls(here)
        there.sendall(b'1')
        asynclib.loop(1, count=1)
        asynclib.close_all()
        self.assertEqual((heard, self.map), ([b'1'], {}))

    def test_listener_that_is_dropped_keeps_no_descriptor(self):
        before = os.listdir('/proc/self/fd')
        server, _ = self.server()
        server.socket.close()
        self.map.clear()
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', ResourceWarning)
            del server
            gc.collect()
        self.assertEqual(os.listdir('/proc/self/fd'), before)

    def test_log_levels(self):
        channel = asynclib.Dispatcher(None, self.map)
        with self.assertLogs('asynclib', 'INFO') as logs:
            channel.log_info('one')
            channel.log_info('two', 'error')
            channel.log_info('three', 'warning')
            channel.ignore_log_types = ()
            channel.log_info('four %s', 'warning')
        self.assertEqual([(record.levelname, record.getMessage()) for record in logs.records],
                         [('INFO', 'one'), ('ERROR', 'two'), ('WARNING', 'four %s')])


if __name__ == '__main__':
    unittest.main()
