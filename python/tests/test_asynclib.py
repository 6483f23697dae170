"""asynclib: tasks, channels and chats, each by what it did wrong once."""

import asyncore
import errno
import logging
import os
import resource
import socket
import sys
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


class Terminators(Case):
    def test_string_over_two_reads(self):
        self.hears(b'\r\n', [b'ab\r', b'\ncd\r\n'], [b'ab', 'F', b'cd', 'F'])

    def test_prefix_that_was_none(self):
        self.hears(b'\r\n', [b'ab\r', b'x\r\n'], [b'ab', b'\rx', 'F'])
        self.hears(b'\r\n', [b'\r', b'\r', b'\n'], [b'\r', 'F'])

    def test_empty_records(self):
        self.hears(b'\r\n', [b'\r\n\r\n'], ['F', 'F'])

    def test_long_one_byte_by_byte(self):
        self.hears(b'\r\n.\r\n', [b'a\r', b'\n', b'.', b'\r\n', b'tail\r'], [b'a', 'F', b'tail'])

    def test_count_counts_down(self):
        chat = self.hears(5, [b'ab', b'cd', b'efgh'], [b'ab', b'cd', b'e', 'F', b'fgh'])
        self.assertEqual(chat.terminator, 0)

    def test_changed_in_found_terminator(self):
        def toggle(chat):
            chat.terminator = b'\n' if chat.terminator == 0 else 4
        chat = self.hears(b'\n', [b'len\nABCDnext\nWX'], [b'len', 'F', b'ABCD', 'F', b'next', 'F', b'WX'],
                          plan={1: toggle, 2: toggle, 3: toggle})
        self.assertEqual(chat.terminator, 2)

    def test_none_collects_all(self):
        for none in (None, 0, b''):
            self.hears(none, [b'a\r\nb'], [b'a\r\nb'])

    def test_negative_count(self):
        with self.assertRaises(ValueError):
            Chat(None, self.map, -1)

    def test_list_earliest_wins_whatever_its_place(self):
        self.hears([b'Z', b'a'], [b'1a2Z3a'], [b'1', 'F', b'2', 'F', b'3', 'F'])

    def test_list_longest_at_the_same_place(self):
        self.hears([b'\r', b'\r\n'], [b'1\r\n2\r3'], [b'1', 'F', b'2', 'F', b'3'])

    def test_list_held_across_reads(self):
        self.hears([b'\r\n', b'END'], [b'1\r', b'\n2E', b'N', b'D3'], [b'1', 'F', b'2', 'F', b'3'])

    def test_list_longer_one_may_still_come(self):
        self.hears([b'\r', b'\r\n'], [b'1\r', b'\n2\r', b'3'], [b'1', 'F', b'2', 'F', b'3'])

    def test_list_one_that_begins_earlier_may_still_come(self):
        self.hears([b'abcd', b'c'], [b'1abc', b'd2'], [b'1', 'F', b'2'])
        self.hears([b'abcd', b'c'], [b'1abc', b'e2'], [b'1', b'ab', 'F', b'e2'])

    def test_list_is_decided_by_the_end(self):
        self.hears([b'\r', b'\r\n'], [b'1\r'], [b'1', 'F', 'closed'], end=True)

    def test_terminator_is_kept(self):
        self.hears(b'\r\n', [b'1\r\n2\r', b'\n'], [b'1\r\n', 'F', b'2', b'\r\n', 'F'], strip=False)
        self.hears([b';', b'!'], [b'1;2!'], [b'1;', 'F', b'2!', 'F'], strip=False)

    def test_held_tail_is_collected_at_the_end(self):
        self.hears(b'\r\n', [b'a\r'], [b'a', b'\r', 'closed'], end=True)

    def test_every_cut_of_the_stream_gives_the_same_records(self):
        stream = b'one\r\ntwo;three\r\r\nfour<END>five;'
        whole = None
        for size in (len(stream), 1, 2, 3, 5, 7):
            chat, there = self.chat([b';', b'\r\n', b'<END>'])
            for at in range(0, len(stream), size):
                there.sendall(stream[at:at + size])
                self.passes()
            records = b''.join(b'|' if s == 'F' else s for s in chat.said)
            whole = whole or records
            self.assertEqual(records, whole)
        self.assertEqual(whole, b'one|two|three\r|four|five|')

    def test_text_only_if_asked_for(self):
        with self.assertRaises(TypeError):
            Chat(None, self.map, '\n')
        with self.assertRaises(ValueError):
            Chat(None, self.map, [b'a', b''])
        chat, there = self.chat()
        with self.assertRaises(TypeError):
            chat.push('text')
        chat.use_encoding = True
        chat.terminator = '\n'
        self.assertEqual(chat.terminator, b'\n')
        chat.push('\xe9')
        self.assertEqual(there.recv(10), b'\xe9')

    def test_a_megabyte_of_newlines(self):
        chat, there = self.chat(b'\n')
        chat.recv_buffer_size = 1 << 20
        there.setblocking(False)
        sent, begun = 0, time.monotonic()
        while chat.records < 1 << 20:
            if sent < 1 << 20:
                try:
                    sent += there.send(b'\n' * min(65536, (1 << 20) - sent))
                except BlockingIOError:
                    pass
            self.passes()
        self.assertLess(time.monotonic() - begun, 60)


class Input(Case):
    def test_inbox_and_its_alias(self):
        class Plain(asynclib.AsyncChat):
            def found_terminator(self):
                self.inbox.append('F')
        here, there = self.pair()
        chat = Plain(here, self.map)
        chat.terminator = b'\n'
        there.sendall(b'a\n')
        self.passes()
        chat.collect_incoming_data(b'b')
        self.assertEqual(list(chat.inbox), [b'a', 'F', b'b'])

    def test_found_terminator_has_to_be_there(self):
        chat = asynclib.AsyncChat(None, self.map)
        self.assertRaises(NotImplementedError, chat.found_terminator)

    def test_no_record_after_close(self):
        self.hears(b'\n', [b'1\n2\n3\n'], [b'1', 'F'], plan={1: lambda chat: chat.close()})

    def test_no_record_after_close_when_done(self):
        chat = self.hears(b'\n', [b'1\n2\n3\n'], [b'1', 'F'], plan={1: lambda chat: chat.close_when_done()})
        self.passes()
        self.assertEqual(chat.said, [b'1', 'F', 'closed'])

    def test_error_in_found_terminator(self):
        def fail(chat):
            raise KeyError('first')
        self.hears(b'\n', [b'1\n2\n'], [b'1', 'F', 'closed'], plan={1: fail})
        self.assertIn("KeyError", self.log[-1])
        self.assertEqual(len(self.log), 1)

    def test_error_in_handle_error_does_not_leave_the_loop(self):
        chat, there = self.chat(b'\n')
        chat.plan[1] = chat.handle_error = lambda: 1 / 0
        there.sendall(b'1\n')
        self.passes()
        self.assertEqual(self.map, {})
        self.assertIn('handle_error of', self.log[-1])

    def test_discard(self):
        chat, there = self.chat(b'\n')
        chat.plan[1] = chat.discard_buffers
        there.sendall(b'1\n2\n3\n')
        self.passes()
        self.assertEqual(chat.said, [b'1', 'F'])
        asynclib.AsyncChat.pull(chat, b'x')
        chat.outbox.append(b'y')
        chat.discard_output_buffers()
        self.assertEqual((list(chat.inbox), list(chat.outbox)), ([b'x'], []))
        chat.outbox.append(b'y')
        chat.discard_input_buffers()
        self.assertEqual((list(chat.inbox), list(chat.outbox)), ([], [b'y']))


class Pieces:
    def __init__(self, *pieces):
        self.pieces = list(pieces)

    def more(self):
        return self.pieces.pop(0) if self.pieces else b''


class Output(Case):
    def test_nothing_is_lost_when_the_kernel_is_full(self):
        chat, there = self.chat()
        there.setblocking(False)
        data = bytes(range(256)) * 8000
        chat.push(data)
        self.assertTrue(chat.outbox)
        chat.close_when_done()
        got = []
        end = time.monotonic() + 20
        while self.map and time.monotonic() < end:
            self.passes()
            try:
                got.append(there.recv(1 << 20))
            except BlockingIOError:
                pass
        there.settimeout(5)
        while True:
            piece = there.recv(1 << 20)
            if not piece:
                break
            got.append(piece)
        self.assertTrue(b''.join(got) == data)
        self.assertEqual(chat.said, ['closed'])

    def test_short_sends(self):
        class Short(Chat):
            def send(self, data):
                self.calls.append(bytes(data))
                return Chat.send(self, data[:2]) if len(self.calls) % 2 else 0
        Short.calls = []
        chat, there = self.chat(cls=Short)
        chat.push(b'abcdef')
        chat.close_when_done()
        self.passes(8)
        self.assertEqual(there.recv(100), b'abcdef')
        self.assertEqual(chat.calls[:3], [b'abcdef', b'cdef', b'cdef'])
        self.assertEqual(there.recv(100), b'')

    def test_send_buffer_size(self):
        class Sizes(Chat):
            send_buffer_size = 3
            sizes = []

            def send(self, data):
                self.sizes.append(len(data))
                return Chat.send(self, data)
        chat, there = self.chat(cls=Sizes)
        chat.push(b'12345678')
        self.assertEqual(there.recv(100), b'12345678')
        self.assertEqual(chat.sizes, [3, 3, 2])

    def test_producers(self):
        chat, there = self.chat()
        chat.push_with_producer(Pieces())
        chat.push_with_producer(Pieces(b'a', b'b'))
        chat.push_with_producer(asynclib.simple_producer(b'c' * 600))
        chat.push(b'd')
        self.assertEqual(there.recv(1000), b'ab' + b'c' * 600 + b'd')
        self.assertFalse(chat.outbox)

    def test_items_put_there_by_hand(self):
        chat, there = self.chat()
        chat.outbox.extend([b'', b'x', bytearray(b'y'), None, b'z'])
        chat.flush()
        self.assertEqual(there.recv(100), b'xy')
        self.assertEqual(chat.said, ['closed'])

    def test_close_when_done_on_an_idle_channel(self):
        chat, there = self.chat()
        self.passes()
        chat.close_when_done()
        self.passes()
        self.assertEqual((chat.said, self.map, there.recv(1)), (['closed'], {}, b''))

    def test_what_is_queued_is_sent_after_the_end_of_input(self):
        chat, there = self.chat()
        data = b'x' * 1000000
        chat.push(data)
        there.shutdown(socket.SHUT_WR)
        there.setblocking(False)
        got = 0
        end = time.monotonic() + 20
        while self.map and time.monotonic() < end:
            self.passes()
            try:
                got += len(there.recv(1 << 20))
            except BlockingIOError:
                pass
        there.settimeout(5)
        piece = True
        while piece:
            piece = there.recv(1 << 20)
            got += len(piece)
        self.assertEqual((got, chat.said), (len(data), ['closed']))

    def test_reset_during_push(self):
        chat, there = self.chat()
        there.close()
        chat.push(b'1')
        chat.push(b'2')
        self.passes(2)
        self.assertEqual((chat.said, self.map), (['closed'], {}))
        self.assertNotIn(b'2', chat.outbox)

    def test_push_before_connect_and_in_handle_connect(self):
        class Client(Chat):
            def handle_connect(self):
                self.push(b'2')
                self.push(b'3')
        listener = socket.create_server(('127.0.0.1', 0))
        self.sockets.append(listener)
        chat = Client(None, self.map)
        chat.push(b'1')
        chat.create_socket(socket.AF_INET, socket.SOCK_STREAM)
        self.passes(2)
        chat.connect(listener.getsockname())
        self.until(lambda: chat.connected and not chat.outbox)
        there = listener.accept()[0]
        self.sockets.append(there)
        there.settimeout(5)
        self.assertEqual(there.recv(100), b'123')


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

    def refused(self, **methods):
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
        self.until(lambda: not self.map)
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


class Tasks(Case):
    def later(self, seconds, *said):
        return asynclib.call_later(seconds, self.said.extend, said, _tasks=self.tasks)

    def setUp(self):
        Case.setUp(self)
        self.said = []

    def run_out(self):
        asynclib.loop(30, self.map, self.tasks)

    def test_nothing_to_do(self):
        self.run_out()
        self.passes(0)

    def test_idle_channel_does_not_keep_a_task_waiting(self):
        self.chat()
        begun = time.monotonic()
        self.later(0.05, 1)
        asynclib.loop(30, self.map, self.tasks, 1)
        self.assertEqual(self.said, [1])
        self.assertTrue(0.05 <= time.monotonic() - begun < 10)

    def test_empty_map_waits_for_the_task(self):
        begun = time.monotonic()
        self.later(0.05, 1)
        self.run_out()
        self.assertEqual(self.said, [1])
        self.assertGreaterEqual(time.monotonic() - begun, 0.05)

    def test_timeout_none(self):
        self.chat()
        self.later(0.01, 1)
        asynclib.loop(None, self.map, self.tasks, 1)
        self.assertEqual(self.said, [1])

    def test_order(self):
        for n in range(50):
            self.later(0, n)
        self.later(0.02, 'b')
        self.later(0.01, 'a')
        self.run_out()
        self.assertEqual(self.said, list(range(50)) + ['a', 'b'])

    def test_equal_deadlines_in_the_order_they_were_set(self):
        tasks = [self.later(0.01, n) for n in range(20)]
        when = time.monotonic() + 0.02
        for n in (7, 3, 11):
            tasks[n].reset()
        for task in tasks:
            task.timeout = when
            if not task._order == task._wanted_order:
                continue
            task._due = when
        asynclib._tasks.heapq.heapify(self.tasks)
        self.run_out()
        self.assertEqual(self.said[-3:], [7, 3, 11])
        self.assertEqual(self.said[:-3], [n for n in range(20) if n not in (7, 3, 11)])

    def test_reset_of_the_earliest_does_not_delay_the_next(self):
        first = self.later(0.03, 'first')
        self.later(0.04, 'next')
        time.sleep(0.02)
        first.reset()
        self.run_out()
        self.assertEqual(self.said, ['next', 'first'])

    def test_delay_earlier_and_later(self):
        a, b = self.later(0.02, 'a'), self.later(30, 'b')
        b.delay(0.001)
        a.delay(0.03)
        self.later(0.01, 'c')
        self.run_out()
        self.assertEqual(self.said, ['b', 'c', 'a'])

    def test_reset_in_its_own_call(self):
        def again():
            self.said.append(task.cancelled)
            if len(self.said) < 3:
                task.reset()
        task = asynclib.call_later(0, again, _tasks=self.tasks)
        asynclib.scheduler(self.tasks)
        self.assertEqual(self.said, [False])
        self.run_out()
        self.assertEqual(self.said, [False] * 3)
        self.assertTrue(task.cancelled)

    def test_cancel_in_its_own_call(self):
        task = asynclib.call_later(0, lambda: (task.reset(), task.cancel()), _tasks=self.tasks)
        self.run_out()
        self.assertEqual(self.tasks, [])

    def test_cancel_of_another(self):
        other = self.later(0.01, 'other')
        asynclib.call_later(0, other.cancel, _tasks=self.tasks)
        self.later(0.02, 'last')
        self.run_out()
        self.assertEqual(self.said, ['last'])
        other.cancel()
        self.assertRaises(AssertionError, other.reset)
        self.assertRaises(AssertionError, other.delay, 1)
        self.assertRaises(AssertionError, other.call)

    def test_cancelled_ones_do_not_keep_the_loop(self):
        for n in range(10):
            self.later(30 + n, n).cancel()
        begun = time.monotonic()
        self.run_out()
        self.assertLess(time.monotonic() - begun, 10)
        self.assertEqual(self.tasks, [])

    def test_call_runs_it_and_it_stays(self):
        task = self.later(0.01, 1)
        task.call()
        self.assertEqual((self.said, task.cancelled), ([1], False))
        self.run_out()
        self.assertEqual((self.said, task.cancelled), ([1, 1], True))

    def test_error_leaves_the_loop_and_the_others_stay(self):
        asynclib.call_later(0, lambda: 1 / 0, _tasks=self.tasks)
        self.later(0, 'next')
        self.assertRaises(ZeroDivisionError, self.run_out)
        self.run_out()
        self.assertEqual(self.said, ['next'])

    def test_what_makes_no_task(self):
        self.assertRaises(AssertionError, asynclib.call_later, -1, print)
        self.assertRaises(AssertionError, asynclib.call_later, float('nan'), print)
        self.assertRaises(AssertionError, asynclib.call_later, 1, None)
        self.assertEqual(asynclib._SCHEDULED_TASKS, [])

    def test_keywords_and_the_tasks_of_all(self):
        asynclib.call_later(0, self.said.append, 1)
        asynclib.call_later(0, lambda **kw: self.said.append(kw), a=2)
        asynclib.loop()
        self.assertEqual(self.said, [1, {'a': 2}])

    def test_a_hundred_thousand_resets(self):
        task = self.later(30, 1)
        for n in range(1000):
            self.later(20, n)
        for n in range(100000):
            task.reset()
        self.assertEqual(len(self.tasks), 1001)


if __name__ == '__main__':
    unittest.main()
