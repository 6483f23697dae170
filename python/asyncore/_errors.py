"""What errors mean: to whom they are told, and which of them say that a connection is gone."""

import os
import sys

from contextlib import suppress
from errno import EBADF, ECONNABORTED, ECONNRESET, ENOTCONN, EPIPE, ESHUTDOWN, errorcode

# What recv and send fail with when there is nobody on the other side any more.
_DISCONNECTED = frozenset([EBADF, EPIPE, ENOTCONN, ESHUTDOWN, ECONNRESET, ECONNABORTED])


class ExitNow(Exception):
    """Raised by a handler to leave the loop; the channels stay on their map."""

    __module__ = 'asyncore'


_reraised_exceptions = (ExitNow, KeyboardInterrupt, SystemExit)


def _errno_in(errnos):
    """Whether the exception that is current is an OSError with one of these numbers."""
    why = sys.exc_info()[1]
    return isinstance(why, OSError) and why.errno in errnos


def _strerror(err):
    with suppress(ValueError, OverflowError, NameError):
        return os.strerror(err)
    return errorcode.get(err, 'Unknown error %s' % err)


def _shown(addr):
    """As much as fits: host:port, or whatever else it is."""
    try:
        return '%s:%d' % addr
    except TypeError:
        return repr(addr)


def compact_traceback():
    """The current exception on one line: where it was raised, its type, itself, and the way there."""
    kind, value, trace = sys.exc_info()
    if trace is None:
        raise AssertionError('traceback does not exist')
    way = []
    while trace is not None:
        code = trace.tb_frame.f_code
        way.append((code.co_filename, code.co_name, str(trace.tb_lineno)))
        trace = trace.tb_next
    return way[-1], kind, value, ' '.join('[%s|%s|%s]' % step for step in way)


compact_traceback.__module__ = 'asyncore'
