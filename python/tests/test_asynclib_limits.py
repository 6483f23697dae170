"""asynclib: what a record, a queue and one turn may hold; each limit one below, at it, and one above."""

import errno
import socket
import sys
import unittest

import asynclib

from asynclib_case import Case, Chat


class Plain(asynclib.AsyncChat):
    """Collects in inbox, as one does who overrides nothing but found_terminator."""

    max_record = 8
    recv_buffer_size = 3

    def __init__(self, sock, map, terminator):
        self.said = []
        asynclib.AsyncChat.__init__(self, sock, map)
        self.terminator = terminator

    def found_terminator(self):
        self.said.append(b''.join(self.inbox))
        self.inbox.clear()

    def handle_error(self):
        self.said.append(sys.exc_info()[1].errno)
        asynclib.AsyncChat.handle_error(self)

    def handle_close(self):
        self.said.append('closed')


class Patient(Plain):
    """Answers what is too long, and goes on."""

    def handle_error(self):
        self.said.append(sys.exc_info()[1].errno)
        self.push(b'?')


class Own(Plain):
    """Collects by itself."""

    def collect_incoming_data(self, data):
        self.inbox.append(data)


class Records(Case):
    def fed(self, terminator, data, cls=Plain):
        chat, there = self.chat(terminator, cls)
        there.sendall(data)
        self.passes(len(data) // chat.recv_buffer_size + 3)
        return chat

    def test_the_defaults_are_those_of_the_c_library(self):
        chat = asynclib.AsyncChat
        self.assertEqual((chat.max_record, chat.high_water, chat.low_water, chat.max_output),
                         (65536, 262144, 65536, 16777216))

    def test_a_finished_record(self):
        self.assertEqual(self.fed(b'\r\n', b'1234567\r\n12345678\r\n').said, [b'1234567', b'12345678'])
        self.assertEqual(self.fed(b'\r\n', b'123456789\r\n1\r\n').said, [errno.EMSGSIZE, 'closed'])

    def test_an_unfinished_record(self):
        for size, said in (7, []), (8, []), (9, [errno.EMSGSIZE, 'closed']):
            self.assertEqual(self.fed(b'\r\n', b'1' * size).said, said)
        self.assertEqual(self.fed(b'\r\n', b'12345678\r').said, [])

    def test_in_one_piece(self):
        class Whole(Plain):
            recv_buffer_size = 100
        self.assertEqual(self.fed(b'\n', b'12345678\n123456789\n1\n', Whole).said,
                         [b'12345678', errno.EMSGSIZE, 'closed'])

    def test_a_list(self):
        self.assertEqual(self.fed([b';', b'\r\n'], b'12345678;12345678\r\n123456789;').said,
                         [b'12345678', b'12345678', errno.EMSGSIZE, 'closed'])

    def test_the_terminator_that_is_kept_does_not_count(self):
        class Keeps(Plain):
            strip_terminator = False
        self.assertEqual(self.fed(b'\r\n', b'12345678\r\n', Keeps).said, [b'12345678\r\n'])
        self.assertEqual(self.fed(b'\r\n', b'123456789\r\n', Keeps).said, [errno.EMSGSIZE, 'closed'])

    def test_a_count(self):
        self.assertEqual(self.fed(8, b'12345678').said, [b'12345678'])
        with self.assertRaises(OSError) as caught:
            self.chat(9, Plain)
        self.assertEqual(caught.exception.errno, errno.EMSGSIZE)
        self.assertEqual(self.fed(9, b'123456789', Own).said, [b'123456789'])

    def test_no_terminator(self):
        self.assertEqual(self.fed(None, b'123456789').said, [errno.EMSGSIZE, 'closed'])
        self.assertEqual(b''.join(self.fed(None, b'123456789', Own).inbox), b'123456789')

    def test_no_terminator_and_inbox_is_taken(self):
        class Takes(Plain):
            def handle_read(self):
                Plain.handle_read(self)
                self.said.extend(self.inbox)
                self.inbox.clear()
        self.assertEqual(b''.join(self.fed(None, b'123456789abcdef', Takes).said), b'123456789abcdef')

    def test_no_terminator_and_some_of_inbox_is_taken(self):
        class Fives(Plain):
            recv_buffer_size = 5
        chat, there = self.chat(None, Fives)
        for data in b'12345', b'678', b'abcde', b'f':
            there.sendall(data)
            self.passes()
            if data == b'678':
                chat.inbox.popleft()
            elif data == b'abcde':
                self.assertEqual((list(chat.inbox), chat.said), ([b'678', b'abcde'], []))
        self.assertEqual((list(chat.inbox), chat.said), ([], [errno.EMSGSIZE, 'closed']))

    def test_own_collector_with_a_terminator(self):
        self.assertEqual(self.fed(b'\n', b'123456789', Own).said, [errno.EMSGSIZE, 'closed'])

    def test_off(self):
        class Endless(Plain):
            max_record = None
        self.assertEqual(self.fed(b'\n', b'1' * 30 + b'\n', Endless).said, [b'1' * 30])

    def test_one_that_is_too_long_is_dropped_and_the_rest_told(self):
        chat = self.fed(b'\n', b'12\n123456789abc\n34\n56\n', Patient)
        self.assertEqual(chat.said, [b'12', errno.EMSGSIZE, b'abc', b'34', b'56'])

    def test_whole_records_in_inbox_are_not_dropped_with_it(self):
        class Keeps(Patient):
            def found_terminator(self):
                self.inbox.append('F')
        chat = self.fed(b'\n', b'12\n123456789\n', Keeps)
        self.assertEqual(list(chat.inbox), [b'12', 'F', 'F'])

    def test_what_had_been_read_when_a_record_failed_is_told_in_the_next_turn(self):
        chat, there = self.chat(b'\n')
        chat.handle_error = lambda: chat.said.append('error')
        chat.plan[1] = chat.plan[3] = lambda: 1 / 0
        there.sendall(b'1\n2\n3\n4\n')
        self.passes(3)
        self.assertEqual(chat.said, [b'1', 'F', 'error', b'2', 'F', b'3', 'F', 'error', b'4', 'F'])
        self.assertFalse(chat.writable())

    def test_the_same_at_the_end_of_input(self):
        chat, there = self.chat(b'\n')
        chat.handle_error = lambda: chat.said.append('error')
        chat.plan[1] = chat.discard_buffers
        chat.plan[2] = lambda: 1 / 0
        there.sendall(b'1\n')
        self.passes()
        there.sendall(b'2\n')
        there.close()
        self.passes(4)
        self.assertEqual(chat.said, [b'1', 'F', b'2', 'F', 'error', 'closed'])

    def test_one_that_fails_at_the_end_of_input_and_one_that_queues_much(self):
        chat, there = self.chat(b'\n', Small)
        chat.handle_error = lambda: chat.said.append('error')
        chat.plan[1] = lambda: 1 / 0
        chat.plan[2] = lambda: chat.push(b'1' * 50)
        there.sendall(b'a\nb\nc\nd')
        there.close()
        self.passes(2)
        self.assertEqual(chat.said, [b'a', 'F', 'error', b'b', 'F'])
        chat.discard_output_buffers()
        self.passes(2)
        self.assertEqual(chat.said[5:], [b'c', 'F', b'd', 'closed'])


class Small(Chat):
    max_output, high_water, low_water, send_buffer_size = 100, 50, 20, 10

    def send(self, data):
        return Chat.send(self, data) if self.open else 0

    open = False


class Queues(Case):
    def test_max_output(self):
        for size in 99, 100:
            chat, _ = self.chat(cls=Small)
            chat.push(b'1' * size)
            self.assertEqual(len(b''.join(chat.outbox)), size)
        self.assertRaises(OSError, chat.push, b'2')
        chat, _ = self.chat(cls=Small)
        with self.assertRaises(OSError) as caught:
            chat.push(b'1' * 101)
        self.assertEqual((caught.exception.errno, str(caught.exception), len(chat.outbox)),
                         (errno.ENOBUFS, '[Errno %d] 0 bytes queued, 101 more' % errno.ENOBUFS, 0))

    def test_over_it_in_a_handler_is_an_error_of_the_handler(self):
        chat, there = self.chat(b'\n', Small)
        chat.plan[1] = lambda: chat.push(b'1' * 101)
        there.sendall(b'1\n')
        self.passes()
        self.assertEqual(chat.said, [b'1', 'F', 'closed'])
        self.assertIn('0 bytes queued, 101 more', self.log[-1])

    def test_there_is_room_again_when_some_is_sent(self):
        chat, there = self.chat(cls=Small)
        chat.push(b'1' * 100)
        self.assertRaises(OSError, chat.push, b'2')
        chat.open = True
        chat.flush()
        chat.open = False
        chat.push(b'2' * 100)
        self.assertRaises(OSError, chat.push, b'3')
        self.assertEqual(there.recv(1000), b'1' * 100)

    def test_what_is_sent_of_a_piece_does_not_count(self):
        chat, there = self.chat(cls=Small)
        chat.push(b'1' * 100)
        chat.send = lambda data: Chat.send(chat, data[:5])
        chat.flush()
        chat.send = lambda data: 0
        with self.assertRaisesRegex(OSError, '95 bytes queued, 6 more'):
            chat.push(b'2' * 6)
        chat.push(b'2' * 5)

    def test_what_was_taken_out_by_hand_leaves_room(self):
        chat, _ = self.chat(cls=Small)
        chat.push(b'1' * 60)
        chat.push(b'2' * 40)
        chat.outbox.popleft()
        chat.push(b'3' * 60)
        chat.outbox.clear()
        self.assertTrue(chat.readable())
        chat.push(b'3' * 49)
        self.assertTrue(chat.readable())
        chat.outbox.clear()
        chat.push(b'4' * 100)
        chat.discard_buffers()
        chat.push(b'5' * 100)
        self.assertRaises(OSError, chat.push, b'6')

    def test_a_producer_weighs_send_buffer_size(self):
        chat = Small(None, self.map)
        for _ in range(10):
            chat.push_with_producer(asynclib.simple_producer(b'12'))
        self.assertRaises(OSError, chat.push_with_producer, asynclib.simple_producer(b'12'))
        here, there = self.pair()
        chat.set_socket(here)
        chat.open = chat.connected = True
        chat.flush()
        self.assertEqual((there.recv(100), chat._queued), (b'12' * 10, 0))

    def test_off(self):
        class Endless(Small):
            max_output = high_water = None
        chat, _ = self.chat(cls=Endless)
        chat.push(b'1' * 1000)
        self.assertTrue(chat.readable())

    def test_small_pieces_that_wait_are_joined(self):
        chat, there = self.chat(cls=Small)
        for n in range(45):
            chat.push(b'%d' % (n % 10))
        self.assertEqual(list(map(len, chat.outbox)), [1, 10, 10, 10, 10, 4])
        chat.open = True
        chat.flush()
        self.assertEqual(there.recv(100), (b'0123456789' * 5)[:45])

    def test_water_marks(self):
        chat, there = self.chat(b'\n', Small)
        chat.push(b'1' * 49)
        self.assertTrue(chat.readable())
        chat.push(b'1')
        self.assertFalse(chat.readable())
        there.sendall(b'a\n')
        self.passes(2)
        self.assertEqual(chat.said, [])
        chat.send = lambda data: Chat.send(chat, data[:5])
        for left in 45, 40, 35, 30, 25:
            chat.flush()
            self.assertFalse(chat.readable(), left)
        chat.flush()
        self.assertTrue(chat.readable())
        self.passes()
        self.assertEqual(chat.said, [b'a', 'F'])

    def test_records_wait_when_much_is_queued(self):
        chat, there = self.chat(b'\n', Small)
        for n in range(1, 6):
            chat.plan[n] = lambda: chat.push(b'1' * 25)
        there.sendall(b'a\nb\nc\nd\ne\n')
        self.passes(3)
        self.assertEqual(chat.records, 2)
        chat.open = True
        self.passes(8)
        self.assertEqual((chat.records, there.recv(1000)), (5, b'1' * 125))

    def test_they_are_told_after_the_end_of_input_too(self):
        chat, there = self.chat(b'\n', Small)
        for n in range(1, 6):
            chat.plan[n] = lambda: chat.push(b'1' * 50)
        there.sendall(b'a\nb\nc\nd\ne\nf')
        there.shutdown(socket.SHUT_WR)
        self.passes(3)
        self.assertEqual(chat.records, 1)
        chat.open = True
        self.passes(20)
        self.assertEqual((chat.said[-3:], self.map), (['F', b'f', 'closed'], {}))
        self.assertEqual(there.recv(1000), b'1' * 250)

    def test_dropping_the_queue_lets_the_records_go_on(self):
        chat, there = self.chat(b'\n', Small)
        chat.plan[1] = lambda: chat.push(b'1' * 50)
        there.sendall(b'a\nb\n')
        self.passes(2)
        chat.discard_output_buffers()
        self.passes()
        self.assertEqual(chat.records, 2)

    def test_an_endless_producer_leaves_the_others_their_turn(self):
        class Counts(Chat):
            sent = 0
            send_buffer_size = 1 << 16

            def send(self, data):
                self.sent += len(data)
                return len(data)

        class Endless:
            def more(self):
                return b'1' * 65536
        chat, _ = self.chat(cls=Counts)
        chat.push_with_producer(Endless())
        self.assertEqual(chat.sent, 1 << 20)
        self.passes()
        self.assertEqual(chat.sent, 2 << 20)


if __name__ == '__main__':
    unittest.main()
