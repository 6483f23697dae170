#!/usr/bin/env python3
"""Receives what laboratory analysers send (ASTM E1381, CLSI LIS01), and prints each message.

    astm_receiver.py [--host HOST] [--port PORT] [--timeout SECONDS] [--idle SECONDS] [--report SECONDS]

An analyser connects, says ENQ and waits for ACK. It sends frames, each a number, text and a checksum, and
waits for ACK, or sends one again that got NAK; EOT ends the message. One that falls silent in a message is
forgotten after --timeout seconds, a connection on which nobody says anything is closed after --idle. SIGTERM
and ^C end it.

Design: a frame, ENQ and EOT are all records of one chat, cut by a list of terminators that stay on the
record, so that the last byte says which it is. Both times are tasks, put off by whatever comes in. A frame
that does not end is max_record's matter: the error closes that connection, and the others do not notice.
"""

import argparse
import signal
import socket
import sys

import asynclib

STX, ETX, EOT, ENQ, ACK, NAK, ETB = b'\x02', b'\x03', b'\x04', b'\x05', b'\x06', b'\x15', b'\x17'


def checksum(body):
    """Of what stands between STX and the two digits."""
    return b'%02X' % (sum(body) % 256)


def text_of(frame, number):
    """The text of a frame STX number text ETX-or-ETB digits CR LF; None if it is another, or harmed."""
    start = frame.rfind(STX) + 1
    body, digits = frame[start:-4], frame[-4:-2]
    whole = start and body[-1:] in (ETX, ETB) and body[:1] == b'%d' % number
    return body[1:-1] if whole and digits.upper() == checksum(body) else None


class Analyser(asynclib.AsyncChat):
    """One connection. self.frame is the number of the next frame, None between messages."""

    strip_terminator = False
    max_record = 64000
    max_frames = 1000

    def __init__(self, sock, peer, server):
        self.name, self.server = '%s:%d' % peer[:2], server
        self.frame, self.texts = None, []
        self.silence = asynclib.call_later(server.options.timeout, self.give_up)
        self.idle = asynclib.call_later(server.options.idle, self.hang_up)
        asynclib.AsyncChat.__init__(self, sock)
        self.terminator = [ENQ, EOT, b'\r\n']

    def found_terminator(self):
        record = b''.join(self.inbox)
        self.inbox.clear()
        self.silence.reset()
        self.idle.reset()
        if record.endswith(ENQ):
            self.begin()
        elif record.endswith(EOT):
            self.finish()
        elif self.frame is not None:
            self.take(record)

    def begin(self):
        self.frame, self.texts = 1, []
        self.push(ACK)

    def take(self, record):
        text = text_of(record, self.frame)
        if text is not None and len(self.texts) < self.max_frames:
            self.texts.append(text)
            self.frame = (self.frame + 1) % 8
            self.push(ACK)
        elif self.texts and text_of(record, (self.frame - 1) % 8) == self.texts[-1]:
            self.push(ACK)  # the last one again: our ACK was lost on its way
        else:
            self.push(NAK)

    def finish(self):
        if self.texts:
            self.server.received(self.name, b''.join(self.texts))
        self.frame, self.texts = None, []

    def give_up(self):
        if self.frame is not None:
            self.server.say('%s fell silent in a message, which is dropped' % self.name)
        self.frame, self.texts = None, []
        self.silence.reset()

    def hang_up(self):
        self.server.say('%s said nothing for %g s' % (self.name, self.server.options.idle))
        self.close()

    def close(self):
        self.silence.cancel()
        self.idle.cancel()
        asynclib.AsyncChat.close(self)


class Receiver(asynclib.Dispatcher):
    """Listens, prints what has come, and says now and then how much that was."""

    def __init__(self, options):
        asynclib.Dispatcher.__init__(self)
        self.options, self.messages = options, 0
        self.create_socket(socket.AF_INET, socket.SOCK_STREAM)
        self.set_reuse_addr()
        self.bind((options.host, options.port))
        self.listen(64)
        self.say('listening on %s:%d' % self.socket.getsockname())
        if options.report:
            self.task = asynclib.call_later(options.report, self.report)

    def handle_accepted(self, sock, peer):
        Analyser(sock, peer, self)

    def received(self, name, text):
        self.messages += 1
        for record in text.decode('latin-1').rstrip('\r').split('\r'):
            self.say('%s %s' % (name, record))

    def report(self):
        self.say('%d messages so far' % self.messages)
        self.task.reset()

    def say(self, line):
        print(line, flush=True)


def leave(number, frame):
    raise asynclib.ExitNow


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    parser.add_argument('--host', default='127.0.0.1')
    parser.add_argument('--port', type=int, default=12000)
    parser.add_argument('--timeout', type=float, default=30, help='of a silence within a message (30)')
    parser.add_argument('--idle', type=float, default=3600, help='of a connection without a word (3600)')
    parser.add_argument('--report', type=float, default=0, help='how often to count messages (never)')
    receiver = Receiver(parser.parse_args())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    try:
        asynclib.loop()
    except asynclib.ExitNow:
        receiver.say('%d messages' % receiver.messages)
    finally:
        asynclib.close_all(ignore_all=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
