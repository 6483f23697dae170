"""What goes out of a chat: the queue, its limits, and how it is sent.

outbox holds byte strings, producers, and None where the channel shall close. Of its first item self._sent
bytes are gone already. self._queued is what it weighs: bytes, and send_buffer_size for a producer. Who puts
things there himself is not counted, and an empty outbox weighs nothing whatever was counted.
"""

import errno

from collections import deque

from ._dispatcher import Dispatcher

# Bytes one flush sends at most. The rest waits for the next pass, so that the other channels have their turn.
_FLUSH_MOST = 1 << 20


class Output(Dispatcher):
    """The half of AsyncChat that sends."""

    send_buffer_size = 4096

    # The C library's AC_MAX_OUTPUT, AC_HIGH_WATER and AC_LOW_WATER, in bytes; None: no limit.
    max_output = 1 << 24
    high_water = 1 << 18
    low_water = 1 << 16

    # Off unless asked for: text where bytes belong is mostly a mistake.
    use_encoding = False
    encoding = 'latin-1'

    _ending = _flushing = _choked = False

    def __init__(self, sock=None, map=None):
        self.outbox = deque()
        self._first, self._sent, self._queued = None, 0, 0
        Dispatcher.__init__(self, sock, map)

    def set_socket(self, sock, map=None):
        self._ending = any(item is None for item in self.outbox)
        Dispatcher.set_socket(self, sock, map)

    def close(self):
        """What was meant for this connection is not for the next; what waits for the first one stays."""
        if self.connected:
            self._ending = False
            self.discard_output_buffers()
        Dispatcher.close(self)

    def writable(self):
        return bool(self.connecting or (self.outbox and self.connected))

    # Into the queue.

    def push(self, data):
        """Queues data, and sends what can be sent; OSError ENOBUFS if it would be more than max_output.

        After the end of the connection, or close_when_done, it does nothing.
        """
        data = self._as_bytes(data)
        if data and self._takes(len(data)):
            if len(self.outbox) > 1:
                self._join(data)
            else:
                self.outbox.append(data)
            self.flush()

    def push_with_producer(self, producer):
        """producer.more() is asked for data until there is none."""
        if self._takes(self.send_buffer_size):
            self.outbox.append(producer)
            self.flush()

    def close_when_done(self):
        """Closes once all that was pushed before is sent. No record is told of from now on."""
        if not self._ending:
            self._ending = True
            self.outbox.append(None)

    def discard_output_buffers(self):
        """Drops what is queued. A channel that was to close when done still does."""
        self.outbox.clear()
        self._first, self._sent, self._queued = None, 0, 0
        if self._ending:
            self.outbox.append(None)

    def _as_bytes(self, data):
        if type(data) is bytes:
            return data
        if isinstance(data, str) and self.use_encoding:
            return data.encode(self.encoding)
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError('bytes, not %r' % (data,))
        return bytes(data)

    def _join(self, data):
        """Small pieces that wait are joined: a queue of single bytes would hold far more than it weighs."""
        last = self.outbox[-1]
        if isinstance(last, bytes) and len(last) + len(data) <= self.send_buffer_size:
            self.outbox[-1] = last + data
        else:
            self.outbox.append(data)

    # What it weighs.

    def _takes(self, size):
        """Whether so much more is to be queued, and then counts it."""
        if self._told or self._ending:
            return False
        weight = self._weight() + size
        if self.max_output is not None and weight > self.max_output:
            weight = max(0, sum(map(self._weigh, self.outbox)) - self._sent) + size
            if weight > self.max_output:
                raise OSError(errno.ENOBUFS, '%d bytes queued, %d more' % (weight - size, size))
        self._queued = weight
        return True

    def _weigh(self, item):
        if item is None:
            return 0
        return self.send_buffer_size if hasattr(item, 'more') else len(item)

    def _weight(self):
        return self._queued if self.outbox else 0

    def _is_choked(self):
        """From high_water queued bytes on, until low_water: nothing is read and no record told of."""
        if not self.outbox or self.high_water is None:
            self._choked = False
        elif self._choked:
            self._choked = self._queued > self.low_water
        else:
            self._choked = self._queued >= self.high_water
        return self._choked

    # Out of it.

    def handle_write(self):
        self.flush()

    def initiate_send(self):
        self.flush()

    def flush(self):
        """Sends what is queued, as much as can be sent now. Nothing leaves the queue before it is sent."""
        if self._flushing:
            return  # a producer, or a send of the program's own, pushes: that is sent in its turn
        self._flushing, left = True, _FLUSH_MOST
        try:
            while left > 0 and self.outbox and self.connected:
                taken = self._send_first()
                if taken is None:
                    break
                left -= taken
        finally:
            self._flushing = False

    def _send_first(self):
        """How many bytes went; None: no more now."""
        first = self.outbox[0]
        if type(first) is bytes:
            return self._send_bytes(first)
        if first is None:
            self.outbox.popleft()
            self._hang_up()
            return None
        if hasattr(first, 'more'):
            return self._ask(first)
        self.outbox[0] = self._as_bytes(first)
        return 0

    def _is_first(self, item):
        """False: the channel was closed meanwhile, or its queue dropped."""
        return bool(self.outbox) and self.outbox[0] is item

    def _ask(self, producer):
        data = producer.more()
        if not self._is_first(producer):
            return None
        if data:
            data = self._as_bytes(data)
            self.outbox.appendleft(data)
            self._queued += len(data)
        else:
            self.outbox.popleft()
            self._queued = max(0, self._queued - self.send_buffer_size)
        return 0

    def _send_bytes(self, first):
        at = self._sent if first is self._first else 0
        piece = first[at:at + self.send_buffer_size]
        taken = self.send(piece) if piece else 0
        if not self._is_first(first):
            return None
        self._queued = max(0, self._queued - taken)
        if at + taken >= len(first):
            self._first, self._sent = None, 0
            self.outbox.popleft()
        else:
            self._first, self._sent = first, at + taken
        return taken if taken == len(piece) else None
