"""Random conversations of async_chat, by the standard modules of 3.11 and by ours: equal transcripts.

Each conversation is drawn from a number: a stream and where it is cut, a terminator, and for each callback
what it does besides: changes the terminator, the buffer or the queue, pushes, closes or raises. SEEDS says
how many there are.
"""

import json
import os
import random
import socket
import sys
import unittest

import asynchat

from beside import Beside

TERMINATORS = (b'\n', b'\r\n', b'\r\n.\r\n', b'aab', b'aa', 'text', '\n', b'', '', None, 0, 1, 3, 7, True, -2,
               bytearray(b'\n'), 2.5, [b'\n'])
PIECES = (b'a', b'b', b'aa', b'\r', b'\n', b'\r\n', b'.', b'\r\n.\r\n', b'aab', b'xyz')
BUFFERS = (b'', b'q', b'a\r\nb\n', b'\r', bytearray(b'a\nb'))
ACTS = ('terminator', 'raw', 'buffer', 'discard', 'push', 'producer', 'text', 'clear', 'front', 'replace',
        'done', 'close', 'raise', 'size', 'look')


class Producer:
    def __init__(self, parts):
        self.parts = parts

    def more(self):
        part = self.parts.pop(0) if self.parts else b''
        if part is None:
            raise ValueError('more')
        return part


class Talk(asynchat.async_chat):
    """Does what the dice say, and says what is done to it."""

    def __init__(self, sock, map, dice, lines):
        asynchat.async_chat.__init__(self, sock, map)
        self.dice, self.lines, self.left = dice, lines, 12
        self.use_encoding = dice.random() < 0.3
        self.ac_in_buffer_size = dice.choice((1, 5, 65536))
        self.ac_out_buffer_size = dice.choice((1, 3, 65536))

    def say(self, *words):
        self.lines.append(repr(words))

    def state(self):
        queue = [item if isinstance(item, (bytes, str)) else type(item).__name__
                 for item in self.producer_fifo]
        return self.ac_in_buffer, getattr(self, 'terminator', 'unset'), queue, self.connected

    def act(self):
        if self.left and self.dice.random() < 0.4:
            self.left -= 1
            name = self.dice.choice(ACTS)
            self.say(name)
            getattr(self, 'act_' + name)()

    def act_terminator(self):
        term = self.dice.choice(TERMINATORS)
        try:
            self.set_terminator(term)
        except ValueError as why:
            self.say(str(why))

    def act_raw(self):
        self.terminator = self.dice.choice(TERMINATORS)

    def act_buffer(self):
        self.ac_in_buffer = self.dice.choice(BUFFERS)

    def act_discard(self):
        self.discard_buffers()

    def act_push(self):
        self.push(self.dice.choice((b'', b'1', b'12345', bytearray(b'ba'), b'x' * 9)))

    def act_producer(self):
        parts = (b'p', b'pq', b'producer', None, '')
        chosen = [self.dice.choice(parts) for _ in range(self.dice.randrange(4))]
        self.push_with_producer(Producer(chosen))

    def act_text(self):
        self.push_with_producer(self.dice.choice(('text', '', b'', 5)))

    def act_clear(self):
        self.producer_fifo.clear()

    def act_front(self):
        self.producer_fifo.appendleft(self.dice.choice((b'front', b'', None)))

    def act_replace(self):
        self.producer_fifo = asynchat.deque([b'new', b'er'])

    def act_done(self):
        self.close_when_done()

    def act_close(self):
        self.close()

    def act_raise(self):
        raise self.dice.choice((KeyError, OSError))('planned')

    def act_size(self):
        self.ac_out_buffer_size = self.dice.choice((1, 2, 4, 65536))

    def act_look(self):
        self.say(self.state())

    def collect_incoming_data(self, data):
        self.say('C', data)
        self.act()

    def found_terminator(self):
        self.say('F', self.state())
        self.act()

    def handle_close(self):
        self.say('close')
        self.close()

    def handle_error(self):
        kind, why = sys.exc_info()[:2]
        # the words of Python's own errors differ from version to version
        self.say('error', kind.__name__, str(why) if kind in (KeyError, OSError, ValueError) else '')
        if self.dice.random() < 0.3:
            self.close()


def read_all(sock):
    try:
        return sock.recv(65536)
    except OSError as why:
        return type(why).__name__


def step(talk, there, dice):
    """One event, and what is to be seen after it."""
    if dice.random() < 0.7:
        there.sendall(b''.join(dice.choice(PIECES) for _ in range(dice.randrange(1, 8))))
    for event in (talk.handle_read_event, talk.act, talk.handle_write_event):
        try:
            event()
        except Exception as why:
            talk.say(type(why).__name__)
    talk.say(talk.state(), read_all(there))


def conversation(seed):
    dice, lines, map = random.Random(seed), [], {}
    here, there = socket.socketpair()
    there.setblocking(False)
    talk = Talk(here, map, dice, lines)
    talk.terminator = dice.choice(TERMINATORS)
    for _ in range(8):
        if not talk.connected:
            break
        step(talk, there, dice)
    talk.close()
    there.close()
    return lines


class ChatDifferential(Beside):
    command = (os.path.abspath(__file__), '--print')

    def compare(self, **environment):
        ours = self.ours(**environment)
        wrong = [seed for seed, lines in enumerate(self.standard) if ours[seed] != lines]
        for seed in wrong[:3]:
            with self.subTest(seed=seed):
                self.assertEqual(ours[seed], self.standard[seed])
        self.assertEqual(wrong, [])

    def test_with_c(self):
        self.compare()

    def test_without_c(self):
        self.compare(ASYNCORE_PURE='1')


if __name__ == '__main__':
    if sys.argv[1:] == ['--print']:
        print(json.dumps([conversation(seed) for seed in range(int(os.environ.get('SEEDS', '1500')))]))
    else:
        unittest.main()
