#!/usr/bin/env python3.11
"""The bench's server by Python's asyncore and asynchat, of which 3.11 is the last to have them.

    asynchat_server.py WORK ADDRESS [ARG]

Lines are chats with a CRLF terminator, memory and files are producers, the loop is the one by poll.
"""
import warnings

warnings.simplefilter("ignore", DeprecationWarning)

import asynchat  # noqa: E402
import asyncore  # noqa: E402

import common  # noqa: E402

WORK, ADDRESS, ARG = common.start_service()
GUESTS = set()


class Lines(asynchat.async_chat):
    """What all who read lines have in common. Clients that are gone are no news."""

    def __init__(self, sock):
        super().__init__(sock)
        self.set_terminator(b"\r\n")

    collect_incoming_data = asynchat.async_chat._collect_incoming_data

    def tell(self, line):
        """Sends; who takes nothing for too long is closed."""
        if len(self.producer_fifo) * len(line) > common.OUTPUT_LIMIT:
            self.handle_close()
        else:
            self.push(line)

    def handle_error(self):
        self.handle_close()

    def log_info(self, message, type="info"):
        pass


class Echo(Lines):
    def found_terminator(self):
        self.tell(self._get_data() + b"\r\n")


class Hangup(Lines):
    def found_terminator(self):
        self.push(self._get_data() + b"\r\n")
        self.close_when_done()
        self.set_terminator(None)
        self.collect_incoming_data = lambda data: None


class Guest(Lines):
    def __init__(self, sock):
        super().__init__(sock)
        GUESTS.add(self)

    def found_terminator(self):
        line = self._get_data() + b"\r\n"
        for guest in tuple(GUESTS):
            guest.tell(line)

    def handle_close(self):
        GUESTS.discard(self)
        super().handle_close()


class Blocks:
    """A producer of so many bytes of the block, over and over."""

    def __init__(self, left):
        self.left = left

    def more(self):
        data = common.BLOCK[: self.left]
        self.left -= len(data)
        return data


class File:
    """A producer of a file."""

    def __init__(self, path):
        self.file = open(path, "rb", buffering=0)

    def more(self):
        data = self.file.read(len(common.BLOCK))
        if not data:
            self.file.close()
        return data


class Bulk(Lines):
    ac_out_buffer_size = len(common.BLOCK)

    def __init__(self, sock):
        super().__init__(sock)
        self.set_terminator(None)
        self.push_with_producer(Blocks(ARG) if WORK == "source" else File(ARG))
        self.close_when_done()

    def collect_incoming_data(self, data):
        pass


class Sink(asyncore.dispatcher):
    def handle_read(self):
        self.recv(common.READ_SIZE)

    def writable(self):
        return False

    def handle_close(self):
        self.close()

    def handle_error(self):
        self.close()


HANDLERS = {"echo": Echo, "hangup": Hangup, "source": Bulk, "file": Bulk, "sink": Sink,
            "broadcast": Guest}


class Server(asyncore.dispatcher):
    def __init__(self, listener):
        super().__init__(listener)
        self.accepting = True

    def handle_accepted(self, sock, _):
        HANDLERS[WORK](sock)

    def writable(self):
        return False

    def handle_error(self):
        pass


Server(common.listen_on(ADDRESS))
asyncore.loop(use_poll=True)
