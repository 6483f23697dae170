"""asynclib: what is pushed, queued and sent."""

import socket
import time
import unittest

import asynclib

from asynclib_case import Case, Chat


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

    def test_nothing_is_queued_after_close_when_done(self):
        chat, there = self.chat()
        chat.push(b'1')
        chat.close_when_done()
        chat.push(b'2')
        chat.push_with_producer(Pieces(b'3'))
        chat.close_when_done()
        self.assertEqual((list(chat.outbox), chat.said), ([None], []))
        self.passes()
        self.assertEqual((there.recv(100), there.recv(100), chat.said), (b'1', b'', ['closed']))

    def test_close_when_done_outlives_discard(self):
        chat, there = self.chat()
        chat.send = lambda data: 0
        chat.push(b'1')
        chat.close_when_done()
        chat.discard_buffers()
        self.passes()
        self.assertEqual((there.recv(100), chat.said), (b'', ['closed']))

    def test_producer_that_closes_its_chat(self):
        class Closes(Pieces):
            def more(self):
                chat.close()
                return Pieces.more(self)
        for pieces in (), (b'1',):
            chat, there = self.chat()
            chat.push_with_producer(Closes(*pieces))
            self.assertEqual((there.recv(10), self.map, self.log), (b'', {}, []))

    def test_send_that_closes_its_chat(self):
        class Closes(Chat):
            def send(self, data):
                self.close()
                return len(data)
        chat, there = self.chat(cls=Closes)
        chat.push(b'1')
        self.assertEqual((there.recv(10), self.map), (b'', {}))

    def test_producer_that_pushes(self):
        class Pushes(Pieces):
            def more(self):
                chat.push(b'behind ')
                return Pieces.more(self)
        chat, there = self.chat()
        chat.push_with_producer(Pushes(b'first '))
        self.assertEqual(there.recv(100), b'first behind behind ')

    def test_the_next_connection_gets_nothing_of_the_last(self):
        chat, there = self.chat()
        there.sendall(b'half\r')
        self.passes()
        chat.send = lambda data: 0
        chat.push(b'old')
        chat.close_when_done()
        chat.close()
        del chat.send
        chat.push(b'new')
        here, there = self.pair()
        chat.set_socket(here)
        chat.connected = True
        there.sendall(b'\nwhole\r\n')
        self.passes(2)
        self.assertEqual((there.recv(100), chat.said), (b'new', [b'half', b'\nwhole', 'F']))

    def test_close_before_the_first_connection_keeps_the_queue(self):
        chat = Chat(None, self.map)
        chat.push(b'1')
        chat.create_socket(socket.AF_INET, socket.SOCK_STREAM)
        chat.close()
        self.assertEqual(list(chat.outbox), [b'1'])


if __name__ == '__main__':
    unittest.main()
