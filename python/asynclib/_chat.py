"""The chat: what comes in is cut into records.

self._input_buffer holds what was read, and from self._at on it is not cut yet. What is left there after a cut
is the beginning of a terminator, or waits (self._waits) because a record failed or too much is queued; then
the next turn in which the channel may write goes on with it.
"""

import errno
import functools
import re

from collections import deque

from ._output import Output


@functools.lru_cache(maxsize=256)
def _finder(alternatives):
    """What finds the first of them, the longest at the same place; and the length of the longest."""
    by_length = sorted(alternatives, key=len, reverse=True)
    return re.compile(b'|'.join(map(re.escape, by_length))).search, len(by_length[0])


def _begins(data, at, alternatives):
    """Where in the last bytes one of them begins that is not all there; len(data): nowhere."""
    longest = max(map(len, alternatives))
    for start in range(max(at, len(data) - longest + 1), len(data)):
        rest = data[start:]
        if any(len(rest) < len(one) and one.startswith(rest) for one in alternatives):
            return start
    return len(data)


class AsyncChat(Output):
    """Cuts what comes in at terminator and calls found_terminator(); what goes out waits in outbox.

    terminator is a byte string, a list of them, a number of bytes, or None for no end at all. Of a list the
    match that begins first counts, and at the same place the longest; what may still become one waits for
    more input.
    """

    recv_buffer_size = 4096

    # The C library's AC_MAX_RECORD, in bytes without the terminator; None: no limit.
    max_record = 1 << 16

    # Whether what is pulled comes without its terminator.
    strip_terminator = True

    _terminator = None
    _at_end = _waits = False

    def __init__(self, sock=None, map=None):
        self.inbox = deque()
        self._forget_input()
        Output.__init__(self, sock, map)

    def close(self):
        self._forget_input()
        self._at_end = self._waits = False
        Output.close(self)

    # Terminators.

    @property
    def terminator(self):
        return self._terminator

    @terminator.setter
    def terminator(self, term):
        if isinstance(term, int):
            self._check_count(term)
        elif isinstance(term, (list, tuple)):
            term = [self._as_bytes(one) for one in term]
            if not all(term):
                raise ValueError('an empty terminator in a list')
        elif isinstance(term, (str, bytearray, memoryview)):
            term = self._as_bytes(term)
        self._terminator = term

    def _check_count(self, count):
        if count < 0:
            raise ValueError('a record of %d bytes' % count)
        if self.max_record is not None and count > self.max_record and self._collects_itself():
            raise OSError(errno.EMSGSIZE, 'a record of %d bytes' % count)

    # What it wants to hear of.

    def readable(self):
        return not (self._at_end or self._is_choked()) and Output.readable(self)

    def writable(self):
        goes_on = self._waits and self.connected and not self._is_choked()
        return goes_on or Output.writable(self)

    def handle_write(self):
        self.flush()
        if self._waits:
            self._go_on()

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
        self._at_end = True
        self._go_on()

    def _go_on(self):
        sock = self.socket
        self._cut()
        if not self._at_end or self._waits or self._is_gone(sock):
            return
        if self.outbox and self.connected:
            self.close_when_done()
        else:
            self._hang_up()

    # Collecting.

    def pull(self, data):
        """What has come in goes to inbox."""
        self.inbox.append(data)

    def collect_incoming_data(self, data):
        self.pull(data)

    def found_terminator(self):
        raise NotImplementedError('must be implemented in subclass')

    def discard_buffers(self):
        self.discard_input_buffers()
        self.discard_output_buffers()

    def discard_input_buffers(self):
        self._forget_input()
        self.inbox.clear()

    def _forget_input(self):
        self._input_buffer, self._at = b'', 0
        self._record = self._pieces = 0

    def _collects_itself(self):
        """Whether records go to inbox. Where a subclass has them, it bounds what has no terminator."""
        return (getattr(self.pull, '__func__', None) is AsyncChat.pull and
                getattr(self.collect_incoming_data, '__func__', None) is AsyncChat.collect_incoming_data)

    def _collect(self, end, behind, size):
        """The bytes up to end, `size` of them the record's own, and on to what lies behind."""
        data = self._input_buffer[self._at:end]
        self._at = behind
        if data:
            self._record += size
            self._pieces += 1
            if self.max_record is not None and self._record > self.max_record:
                self._weigh_record(size)
            self.collect_incoming_data(data)

    def _weigh_record(self, size):
        """What was counted is too much: is it all there? A record that is too long is dropped."""
        held = 0
        if self._collects_itself():
            held = min(self._pieces - 1, len(self.inbox))
            self._pieces = held + 1
            self._record = size + sum(len(self.inbox[-n]) for n in range(1, held + 1))
        elif isinstance(self.terminator or 0, int):
            self._record = 0
        if self._record > self.max_record:
            for _ in range(held):
                self.inbox.pop()
            self._record = self._pieces = 0
            raise OSError(errno.EMSGSIZE, 'a record of more than %d bytes' % self.max_record)

    def _found(self):
        self._record = self._pieces = 0
        self.found_terminator()

    # Cutting.

    def _is_gone(self, sock):
        return self._fileno is None or self.socket is not sock

    def _cut(self):
        """Hands out what is in the buffer; whatever may change in found_terminator is looked up again."""
        self._waits = True
        while self._at < len(self._input_buffer):
            if self._is_choked():
                return
            if not self._cut_one():
                break
            if self._ending:
                self._forget_input()
        self._waits = False

    def _cut_one(self):
        """False: what is left may be the beginning of a terminator, and waits for more."""
        term = self.terminator
        if isinstance(term, bytes) and term:
            start = self._input_buffer.find(term, self._at)
            return self._cut_string((term,), start, start + len(term))
        if isinstance(term, (list, tuple)) and term:
            return self._cut_list(tuple(term))
        if term:
            self._cut_count(term)
        else:
            end = len(self._input_buffer)
            self._collect(end, end, end - self._at)
        return True

    def _cut_count(self, count):
        size = min(count, len(self._input_buffer) - self._at)
        left = self.terminator = count - size
        self._collect(self._at + size, self._at + size, size)
        if left == 0 and self._fileno is not None:
            self._found()

    def _cut_list(self, alternatives):
        data = self._input_buffer
        search, longest = _finder(alternatives)
        found = search(data, self._at)
        if found is None:
            return self._cut_string(alternatives, -1, -1)
        if not self._at_end and found.start() + longest > len(data):
            begins = _begins(data, self._at, alternatives)
            if begins <= found.start():  # a longer one, or one that begins earlier, may still come
                self._collect(begins, begins, begins - self._at)
                return False
        return self._cut_string(alternatives, found.start(), found.end())

    def _cut_string(self, alternatives, start, end):
        """The terminator lies from start to end; start below 0: nowhere yet."""
        data, at = self._input_buffer, self._at
        if start < 0:
            begins = len(data) if self._at_end else _begins(data, at, alternatives)
            self._collect(begins, begins, begins - at)
            return False
        self._collect(start if self.strip_terminator else end, end, start - at)
        if self._fileno is not None:
            self._found()
        return True
