"""Channels that talk: input is cut at terminators, output waits in a queue.

Design: what has arrived and is not yet handed on stands in `ac_in_buffer`, what is to be sent in
`producer_fifo`. A round of cutting hands on one piece, and each begins by asking anew what there is and where
to cut, since callbacks may change both. What is done with a piece is only taken off when its callback has
returned: one that raises sees it again. The queue holds strings, producers (objects whose `more()` gives the
next string, an empty one at the end) and None, which closes the channel when it comes to the front.

As in asyncore this text is complete, and C takes the place of what is called often.
"""

import asyncore

from collections import deque
from functools import partial as _partial


# ---- Input -------------------------------------------------------------------------------------------------

def find_prefix_at_end(haystack, needle):
    """How many characters at the end of haystack may be the beginning of needle; not all of it."""
    whole = len(needle)
    fits = (size for size in range(whole - 1, 0, -1) if haystack.endswith(needle[:size]))
    return next(fits, 0 if whole else -1)


def _hand_on_all(chat):
    chat.collect_incoming_data(chat.ac_in_buffer)
    chat.ac_in_buffer = b''


def _hand_on_record(chat, size, taken):
    """A record of this size, and what is taken off with it. There is no call for an empty one."""
    if size != 0:
        chat.collect_incoming_data(chat.ac_in_buffer[:size])
    chat.ac_in_buffer = chat.ac_in_buffer[taken:]


def _cut_by_count(chat, count, there):
    """Counts down in `terminator` itself, so that a callback can change what is still to come."""
    if count > there:
        _hand_on_all(chat)
        chat.terminator = chat.terminator - there
    else:
        _hand_on_record(chat, count, count)
        chat.terminator = 0
        chat.found_terminator()


def _cut_at_string(chat, terminator, there):
    """True: what is left may be the beginning of a terminator, and waits for more."""
    width = len(terminator)
    at = chat.ac_in_buffer.find(terminator)
    if at != -1:
        _hand_on_record(chat, at, at + width)
        chat.found_terminator()
        return False
    held = find_prefix_at_end(chat.ac_in_buffer, terminator)
    if not held:
        _hand_on_all(chat)
    elif held != there:
        _hand_on_record(chat, -held, -held)
    return held


def _cut_round(chat, there, terminator):
    """Hands on one piece. True: what is left waits for more."""
    if terminator and not isinstance(terminator, int):
        return _cut_at_string(chat, terminator, there)
    if terminator:
        _cut_by_count(chat, terminator, there)
    else:
        _hand_on_all(chat)
    return False


def _cut(chat):
    """Hands on all that can be. How much there was is asked before get_terminator, which may change it."""
    waits = False
    while chat.ac_in_buffer and not waits:
        there = len(chat.ac_in_buffer)
        waits = _cut_round(chat, there, chat.get_terminator())


def _take_in(chat, recv, what):
    try:
        data = recv(what)
    except BlockingIOError:
        return
    except OSError:
        chat.handle_error()
        return
    if isinstance(data, str) and chat.use_encoding:
        raise TypeError('encoding without a string argument')
    chat.ac_in_buffer = chat.ac_in_buffer + data
    _cut(chat)


def _read_failed(chat, err):
    """A recv that was tried in C met this error."""
    _take_in(chat, _partial(asyncore._recv_failed, chat), err)


# ---- Output ------------------------------------------------------------------------------------------------

def _produce(chat, producer):
    """What it makes goes before it in the queue; a producer that makes nothing is done with."""
    made = producer.more()
    if made:
        chat.producer_fifo.appendleft(made)
    else:
        del chat.producer_fifo[0]


def _send_piece(chat, first, piece, most, send):
    """One send; what is left of the first in the queue stays there."""
    if isinstance(piece, str) and chat.use_encoding:
        piece = bytes(piece, chat.encoding)
    try:
        sent = send(piece)
    except OSError:
        chat.handle_error()
        return
    if not sent:
        return
    if sent < len(piece) or most < len(first):
        chat.producer_fifo[0] = first[sent:]
    else:
        del chat.producer_fifo[0]


def _send_one(chat, send):
    """Goes through the queue until there has been one send, however little it took."""
    while chat.producer_fifo and chat.connected:
        first = chat.producer_fifo[0]
        if not first:  # an empty string is sent nevertheless
            del chat.producer_fifo[0]
            if first is None:
                return chat.handle_close()
        most = chat.ac_out_buffer_size
        try:
            piece = first[:most]
        except TypeError:
            _produce(chat, first)
        else:
            return _send_piece(chat, first, piece, most, send)


def _send_failed(chat, err):
    """A send that was tried in C met this error; nothing has left the queue."""
    try:
        asyncore._send_failed(chat, err)
    except OSError:
        chat.handle_error()


class simple_producer:
    """A string as a producer, so much of it at a time."""

    def __init__(self, data, buffer_size=512):
        self.data, self.buffer_size = data, buffer_size

    def more(self):
        data, size = self.data, self.buffer_size
        if len(data) <= size:
            self.data = b''
            return data
        self.data = data[size:]
        return data[:size]


# ---- Channels ----------------------------------------------------------------------------------------------

def _for_subclass():
    raise NotImplementedError('must be implemented in subclass')


class async_chat(asyncore.dispatcher):
    """A channel of which a class has to say what is done with input, and at the end of each piece of it."""

    ac_in_buffer_size = ac_out_buffer_size = 65536
    ac_cork = False  # what is pushed while input is handled leaves together; only C can
    use_encoding, encoding = 0, 'latin-1'  # whether strings may be text, and which bytes they are then

    def __init__(self, sock=None, map=None):
        self.ac_in_buffer, self.incoming, self.producer_fifo = b'', [], deque()
        asyncore.dispatcher.__init__(self, sock, map)

    # What it waits for, and what it is told.

    def readable(self):
        return 1

    def writable(self):
        return self.producer_fifo or not self.connected

    def handle_close(self):
        self.close()

    def handle_read(self):
        _take_in(self, self.recv, self.ac_in_buffer_size)

    def handle_write(self):
        self.initiate_send()

    # Input.

    def collect_incoming_data(self, data):
        _for_subclass()

    def found_terminator(self):
        _for_subclass()

    def _collect_incoming_data(self, data):
        """To be used as collect_incoming_data; _get_data then gives the whole."""
        self.incoming.append(data)

    def _get_data(self):
        whole = b''.join(self.incoming)
        self.incoming.clear()
        return whole

    def set_terminator(self, term):
        """A string that ends each piece, or how many bytes the next one has; None: all is one piece."""
        if isinstance(term, int) and term < 0:
            raise ValueError('the number of received bytes must be positive')
        text = isinstance(term, str) and self.use_encoding
        self.terminator = bytes(term, self.encoding) if text else term

    def get_terminator(self):
        return self.terminator

    # Output.

    def push(self, data):
        """Queues it, in parts of no more than one send, and sends what the kernel takes."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError('data argument must be byte-ish (%r)', type(data))
        most, queue = self.ac_out_buffer_size, self.producer_fifo
        starts = range(0, len(data), most) if len(data) > most else ()
        for start in starts:
            queue.append(data[start:start + most])
        if len(data) <= most:
            queue.append(data)
        self.initiate_send()

    def initiate_send(self):
        _send_one(self, self.send)

    def push_with_producer(self, producer):
        self.producer_fifo.append(producer)
        self.initiate_send()

    def close_when_done(self):
        """Closes when all that is queued by now is sent."""
        self.producer_fifo.append(None)

    def discard_buffers(self):
        """Forgets what has come and what was to go."""
        self.ac_in_buffer = b''
        for waiting in (self.incoming, self.producer_fifo):
            waiting.clear()


_fast = getattr(asyncore, '_fast', None)
if _fast:
    _fast.attach_chat(globals(), async_chat)
