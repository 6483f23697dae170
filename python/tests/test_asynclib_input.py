"""asynclib: how input is cut into records, each case by what went wrong with it once."""

import time
import unittest

import asynclib

from asynclib_case import Case, Chat


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

    def test_no_record_when_its_data_close_the_channel(self):
        class Shuts(Chat):
            def pull(self, data):
                Chat.pull(self, data)
                self.close()
        for terminator in (b'\n', [b'\n', b';'], 1):
            chat, there = self.chat(terminator, Shuts)
            there.sendall(b'1\n2\n')
            self.passes(2)
            self.assertEqual(chat.said, [b'1'])

    def test_what_comes_after_close_when_done_is_read_and_dropped(self):
        chat, there = self.chat(b'\n')
        chat.send = lambda data: 0
        chat.push(b'1')
        chat.close_when_done()
        there.sendall(b'1\n2\n')
        self.passes()
        self.assertEqual((chat.said, chat.writable()), ([], True))
        self.assertRaises(BlockingIOError, chat.recv, 10)

    def test_the_same_if_it_was_called_before_there_was_a_connection(self):
        chat = Chat(None, self.map, b'\n')
        chat.push(b'1')
        chat.close_when_done()
        here, there = self.pair()
        chat.set_socket(here)
        chat.connected = True
        there.sendall(b'1\n')
        self.passes(2)
        self.assertEqual((chat.said, there.recv(10)), (['closed'], b'1'))

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


if __name__ == '__main__':
    unittest.main()
