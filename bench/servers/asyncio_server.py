#!/usr/bin/env python3
"""The bench's server by asyncio: protocols on transports, the standard event loop.

    asyncio_server.py WORK ADDRESS [ARG]

The lines of one read go out with one write. Who does not take his answers is not read meanwhile;
in a broadcast, who is too far behind is closed.
"""
import asyncio

import common

WORK, ADDRESS, ARG = common.start_service()
GUESTS = set()


class Lines(asyncio.Protocol):
    """Cuts what comes into lines."""

    def __init__(self):
        self.tail = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        if self.tail:
            data = self.tail + data
        *lines, self.tail = data.split(b"\r\n")
        if lines:
            self.lines_received(lines)
        if len(self.tail) > common.LINE_LIMIT:
            self.transport.abort()


class Echo(Lines):
    def lines_received(self, lines):
        lines.append(b"")
        self.transport.write(b"\r\n".join(lines))

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


class Hangup(Lines):
    def lines_received(self, lines):
        if not self.transport.is_closing():
            self.transport.write(lines[0] + b"\r\n")
            self.transport.close()


class Guest(Echo):
    def connection_made(self, transport):
        super().connection_made(transport)
        GUESTS.add(transport)

    def lines_received(self, lines):
        lines.append(b"")
        text = b"\r\n".join(lines)
        for guest in tuple(GUESTS):
            guest.write(text)
            if guest.get_write_buffer_size() > common.OUTPUT_LIMIT:
                guest.abort()

    def connection_lost(self, exc):
        GUESTS.discard(self.transport)


class Source(asyncio.Protocol):
    """Writes until it is told to pause; the views are no copies."""

    def connection_made(self, transport):
        self.transport = transport
        self.left = ARG
        self.paused = False
        transport.set_write_buffer_limits(high=len(common.BLOCK))
        self.resume_writing()

    def pause_writing(self):
        self.paused = True

    def resume_writing(self):
        self.paused = False
        while self.left > 0 and not self.paused and not self.transport.is_closing():
            size = min(self.left, len(common.BLOCK))
            self.left -= size
            self.transport.write(memoryview(common.BLOCK)[:size])
        if self.left == 0:
            self.transport.close()


class File(asyncio.Protocol):
    def connection_made(self, transport):
        self.task = asyncio.get_running_loop().create_task(self.send(transport))

    async def send(self, transport):
        try:
            with open(ARG, "rb") as file:
                await asyncio.get_running_loop().sendfile(transport, file)
        except OSError:
            pass
        transport.close()


class Sink(asyncio.BufferedProtocol):
    buffer = bytearray(common.READ_SIZE)

    def get_buffer(self, sizehint):
        return self.buffer

    def buffer_updated(self, nbytes):
        pass


HANDLERS = {"echo": Echo, "hangup": Hangup, "source": Source, "file": File, "sink": Sink,
            "broadcast": Guest}


async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: None)
    listener = common.listen_on(ADDRESS)
    make = loop.create_unix_server if ADDRESS.startswith("unix:") else loop.create_server
    server = await make(HANDLERS[WORK], sock=listener, backlog=common.BACKLOG)
    await server.serve_forever()


asyncio.run(main())
