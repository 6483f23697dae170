"""A server of RFC 5321 for mail, with SIZE (RFC 1870), 8BITMIME (RFC 6152) and SMTPUTF8 (RFC 6531).

A subclass of SMTPServer gets each message in process_message(). Each client gets an SMTPChannel, which
answers its commands by methods named smtp_ and the command, so a subclass adds one by adding such a method.

This is the drop-in for Python 3.11's module: the same answers, byte for byte, and the same attributes. The
parts are in files of their own: _replies and _commands are tables of what is said, _parameters and _message
are of text alone, _channel and _servers are the classes, _program is `python -m smtpd`. What a program puts
in the place of a name here (`smtpd.socket = ...`, `smtpd.DEBUGSTREAM = sys.stderr`) counts there as well:
they look it up here when they need it.
"""

import collections
import errno
import getopt
import os
import socket
import sys
import time

from email._header_value_parser import get_addr_spec, get_angle_addr
from warnings import warn

import asynchat
import asyncore

__all__ = ['SMTPChannel', 'SMTPServer', 'DebuggingServer', 'PureProxy']
__version__ = 'Python SMTP proxy version 0.3'

NEWLINE = '\n'
COMMASPACE = ', '
DATA_SIZE_DEFAULT = 32 << 20

# What usage() calls the program.
program = sys.argv[0]


class Devnull:
    """A stream that forgets."""

    def write(self, msg):
        pass

    def flush(self):
        pass


# Whatever there is to say of the work goes here: sys.stderr shows it.
DEBUGSTREAM = Devnull()

# These need the names above.
from ._channel import SMTPChannel  # noqa: E402
from ._servers import DebuggingServer, PureProxy, SMTPServer  # noqa: E402
from ._program import Options, parseargs, usage  # noqa: E402

for _each in (SMTPChannel, SMTPServer, DebuggingServer, PureProxy, Options, parseargs, usage):
    _each.__module__ = __name__  # where pickle and programs look for them
del _each
