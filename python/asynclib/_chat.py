"""The chat."""

import functools
import re

from collections import deque

from ._dispatcher import Dispatcher


@functools.lru_cache(maxsize=256)
def _finder(alternatives):
    """What finds the first of them, the longest at the same place; and the length of the longest."""
    by_length = sorted(alternatives, key=len, reverse=True)
    return re.compile(b'|'.join(map(re.escape, by_length))).search, len(by_length[0])


def _begins(data, at, alternatives, longest):
    """Where in the last bytes one of them begins that is not all there; len(data): nowhere."""
    for start in range(max(at, len(data) - longest + 1), len(data)):
        rest = data[start:]
        if any(len(rest) < len(one) and one.startswith(rest) for one in alternatives):
            return start
    return len(data)


class AsyncChat(Dispatcher):
    """Cuts what comes in at terminator and calls found_terminator(); what goes out waits in outbox.

    terminator is a byte string, a list of them, a number of bytes, or None for no end at all. Of a list the match
    that begins first counts, and at the same place the longest; what may still become one waits for more input.
    """

    recv_buffer_size = 4096
    send_buffer_size = 4096

    # Off unless asked for: text where bytes belong is mostly a mistake.
    use_encoding = False
    encoding = 'latin-1'

    # Whether what is pulled comes without its terminator.
    strip_terminator = True

    _terminator = None
    _ending = False
    _at_end = False

    def __init__(self, sock=None, map=None):
        self._input_buffer, self._at = b'', 0
        self._first, self._sent = None, 0
        self.inbox = deque()
        self.outbox = deque()
        Dispatcher.__init__(self, sock, map)

    def set_socket(self, sock, map=None):
        self._ending = self._at_end = False
        Dispatcher.set_socket(self, sock, map)

    @property
    def terminator(self):
        return self._terminator

    @terminator.setter
    def terminator(self, term):
        if isinstance(term, int) and term < 0:
            raise ValueError('a record of %d bytes' % term)
        if isinstance(term, (list, tuple)):
            term = [self._as_bytes(one) for one in term]
            if not all(term):
                raise ValueError('an empty terminator in a list')
        elif isinstance(term, str):
            term = self._as_bytes(term)
        self._terminator = term

    def _as_bytes(self, data):
        if isinstance(data, str) and self.use_encoding:
            return data.encode(self.encoding)
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError('bytes, not %r' % (data,))
        return bytes(data)

    # What it wants to hear of.

    def readable(self):
        return not self._at_end and Dispatcher.readable(self)

    def writable(self):
        return bool(self.connecting or (self.outbox and self.connected))

    # Input.

    def pull(self, data):
        """What has come in goes to inbox."""
        self.inbox.append(data)

    def collect_incoming_data(self, data):
        self.pull(data)

    def found_terminator(self):
        raise NotImplementedError('must be implemented in subclass')

    def handle_read(self):
        try:
            data = self.recv(self.recv_buffer_size)
        except BlockingIOError:
            return
        if data and not self._ending:
            self._input_buffer = self._input_buffer[self._at:] + data
            self._at = 0
            self._cut()

    def _ended(self):
        """The peer has said all. What is queued is sent before the channel closes."""
        sock = self.socket
        self._cut(final=True)
        if self.socket is not sock or self._fileno is None:
            return
        if self.outbox and self.connected:
            self._at_end = True
            self.close_when_done()
        else:
            self._hang_up()

    def _cut(self, final=False):
        """Hands out what is in the buffer; whatever may change in found_terminator is looked up again."""
        sock = self.socket
        while self._at < len(self._input_buffer):
            term = self.terminator
            if not term:
                self._collect(len(self._input_buffer))
            elif isinstance(term, int):
                self._cut_count(term)
            elif not self._cut_string(tuple(term) if isinstance(term, (list, tuple)) else (bytes(term),), final):
                return
            if self._fileno is None or self.socket is not sock or self._ending:
                self._input_buffer, self._at = b'', 0

    def _collect(self, end, behind=None):
        data = self._input_buffer[self._at:end]
        self._at = end if behind is None else behind
        if data:
            self.collect_incoming_data(data)

    def _cut_count(self, count):
        end = min(self._at + count, len(self._input_buffer))
        left = count - (end - self._at)
        self.terminator = left
        self._collect(end)
        if left == 0:
            self.found_terminator()

    def _cut_string(self, alternatives, final):
        """False: what is left may be the beginning of a terminator, and waits for more."""
        data = self._input_buffer
        search, longest = _finder(alternatives)
        found = search(data, self._at)
        begins = len(data)
        if not final and not (found and found.start() + longest <= len(data)):
            begins = _begins(data, self._at, alternatives, longest)
        if not found or begins <= found.start():
            self._collect(begins)
            return False
        self._collect(found.start() if self.strip_terminator else found.end(), found.end())
        if self._fileno is not None:
            self.found_terminator()
        return True

    # Output.

    def push(self, data):
        """Queues data, and sends what can be sent. After the end of the connection it does nothing."""
        data = self._as_bytes(data)
        if data and not self._told:
            self.outbox.append(data)
            self.flush()

    def push_with_producer(self, producer):
        """producer.more() is asked for data until there is none."""
        if not self._told:
            self.outbox.append(producer)
            self.flush()

    def close_when_done(self):
        """Closes once all that was pushed before is sent. No record is told of from now on."""
        self._ending = True
        self.outbox.append(None)

    def handle_write(self):
        self.flush()

    def initiate_send(self):
        self.flush()

    def flush(self):
        """Sends what is queued, as much as can be sent now. Nothing leaves the queue before it is sent."""
        while self.outbox and self.connected and self._send_first():
            pass

    def _send_first(self):
        """True: the next in the queue may have its turn."""
        first = self.outbox[0]
        if first is None:
            self.outbox.popleft()
            self._hang_up()
            return False
        if hasattr(first, 'more'):
            data = first.more()
            if data:
                self.outbox.appendleft(data)
            else:
                self.outbox.popleft()
            return True
        if not isinstance(first, bytes):
            first = self.outbox[0] = self._as_bytes(first)
        return self._send_bytes(first)

    def _send_bytes(self, first):
        at = self._sent if first is self._first else 0
        piece = first[at:at + self.send_buffer_size]
        taken = self.send(piece) if piece else 0
        if not self.outbox or self.outbox[0] is not first:
            return False
        if at + taken >= len(first):
            self._first, self._sent = None, 0
            self.outbox.popleft()
        else:
            self._first, self._sent = first, at + taken
        return taken == len(piece)

    # In emergencies.

    def discard_buffers(self):
        self.discard_input_buffers()
        self.discard_output_buffers()

    def discard_input_buffers(self):
        self._input_buffer, self._at = b'', 0
        self.inbox.clear()

    def discard_output_buffers(self):
        self.outbox.clear()
        self._first, self._sent = None, 0
