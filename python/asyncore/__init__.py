"""Sockets served by one loop: channels, the maps they are on, and the passes over a map.

Design: a map is a dict, descriptor -> channel. A pass asks everyone on it what they wait for (_wishes), waits
for all of it at once by select (poll) or by the kernel's poll (poll2), and tells each channel what has come.
A channel is any object with the methods the passes call; `dispatcher` is the one that wraps a socket.

This text is complete. Where the C module is there it takes the place of what is called for every event, and
comes back here, to functions that begin with _, for all that is out of the ordinary.
"""

import os
import select
import socket
import sys
import time
import warnings

from contextlib import suppress as _suppress
from errno import EAGAIN, EALREADY, EBADF, ECONNABORTED, ECONNRESET, EINPROGRESS, EINVAL, EISCONN
from errno import ENOTCONN, EPIPE, ESHUTDOWN, EWOULDBLOCK, errorcode

from ._errors import ExitNow, _DISCONNECTED, _reraised_exceptions
from ._errors import _errno_in, _shown, _strerror, compact_traceback
from ._files import file_wrapper
from ._map import _serve, _wishes

# The map of all who name no other. Loading this module again does not lose who is on it.
socket_map = globals().get('socket_map', {})

# What connect_ex answers when it is done, and when that will be told later.
_DONE = {0, EISCONN}
_PENDING = {EINPROGRESS, EALREADY, EWOULDBLOCK} | ({EINVAL} if os.name == 'nt' else set())


# ---- Telling a channel -------------------------------------------------------------------------------------

def _settle(obj):
    """The exception that is current is the channel's to handle, unless it is to end the loop."""
    if issubclass(sys.exc_info()[0], _reraised_exceptions):
        raise
    obj.handle_error()


def _settle_steps(obj):
    """The same by poll2, which takes the error of a lost connection for its end."""
    if _errno_in(_DISCONNECTED):
        obj.handle_close()
    else:
        _settle(obj)


def read(obj):
    """Tells obj that there is something to read."""
    try:
        obj.handle_read_event()
    except BaseException:
        _settle(obj)


def write(obj):
    """Tells obj that it can write."""
    try:
        obj.handle_write_event()
    except BaseException:
        _settle(obj)


def _exception(obj):
    """Tells obj of an exceptional condition, such as urgent data."""
    try:
        obj.handle_expt_event()
    except BaseException:
        _settle(obj)


# What is called for which of poll's flags, in this order. There is no such poll on Windows.
_EVENTS = () if not hasattr(select, 'POLLIN') else (
    (select.POLLIN, 'handle_read_event'),
    (select.POLLOUT, 'handle_write_event'),
    (select.POLLPRI, 'handle_expt_event'),
    (select.POLLERR | select.POLLHUP | select.POLLNVAL, 'handle_close'),
)


def readwrite(obj, flags):
    """Tells obj all that poll has said of it."""
    try:
        for mask, name in _EVENTS:
            if flags & mask:
                getattr(obj, name)()
    except BaseException:
        _settle_steps(obj)


# A handler that C called has raised: made the current exception, with a trace. These frames must not keep it.

def _failed(obj, exc):
    try:
        raise exc
    except BaseException:
        del exc
        _settle(obj)


def _failed_steps(obj, exc):
    try:
        raise exc
    except BaseException:
        del exc
        _settle_steps(obj)


# ---- Passes over a map -------------------------------------------------------------------------------------

def _select_pass(r, w, e, timeout, map):
    """One pass of poll, from where it is known who waits for what."""
    if not (r or w or e):
        time.sleep(timeout)
        return
    readable, writable, exceptional = select.select(r, w, e, timeout)
    _serve(map, readable, read)
    _serve(map, writable, write)
    _serve(map, exceptional, _exception)


def _poll_pass(pairs, ms, map):
    """One pass of poll2, from where it is known who waits for which flags."""
    poller = select.poll()
    for pair in pairs:
        poller.register(*pair)
    for fd, flags in poller.poll(ms):
        obj = map.get(fd)
        if obj is not None:
            readwrite(obj, flags)


def poll(timeout=0.0, map=None):
    """Waits by select for up to timeout seconds, for ever if it is None, and serves what is ready."""
    map = socket_map if map is None else map
    if not map:
        return
    r, w, e = [], [], []
    for fd, reads, writes in _wishes(map):
        e.append(fd)
        if reads:
            r.append(fd)
        if writes:
            w.append(fd)
    _select_pass(r, w, e, timeout, map)


def _flags(map):
    """As poll wants it: descriptor and flags of all who wait for something."""
    reading = select.POLLIN | select.POLLPRI
    pairs = [(fd, (reading if reads else 0) | (select.POLLOUT if writes else 0))
             for fd, reads, writes in _wishes(map)]
    return [pair for pair in pairs if pair[1]]


def poll2(timeout=0.0, map=None):
    """Waits by the kernel's poll, in whole milliseconds. A hang-up is told as handle_close here."""
    map = socket_map if map is None else map
    ms = timeout if timeout is None else int(timeout * 1000)
    if map:
        _poll_pass(_flags(map), ms, map)


poll3 = poll2


def loop(timeout=30.0, use_poll=False, map=None, count=None):
    """Makes passes until the map is empty, or so many as count says; timeout is for one pass."""
    map = socket_map if map is None else map
    one_pass = poll2 if use_poll and hasattr(select, 'poll') else poll
    while map and (count is None or count > 0):
        one_pass(timeout, map)
        if count is not None:
            count -= 1


def close_all(map=None, ignore_all=False):
    """Closes everyone on the map, and empties it; ignore_all: no error of theirs stops it."""
    map = socket_map if map is None else map
    for obj in list(map.values()):
        try:
            obj.close()
        except _reraised_exceptions:
            raise
        except BaseException:
            if not (ignore_all or _errno_in([EBADF])):
                raise
    map.clear()


# ---- What channels do --------------------------------------------------------------------------------------

def _receive(channel, recv, *args):
    """What recv returns; nothing if the connection is over, and then handle_close has been called."""
    try:
        data = recv(*args)
        if data:
            return data
        channel.handle_close()  # a loss that it meets counts as one of recv
    except OSError as why:
        if why.errno not in _DISCONNECTED:
            raise
        channel.handle_close()
    return b''


def _transmit(channel, send, *args):
    """What send returns; 0 if the socket is full, or the connection over and handle_close has been called."""
    try:
        return send(*args)
    except OSError as why:
        if why.errno in _DISCONNECTED:
            channel.handle_close()
        elif why.errno != EWOULDBLOCK:
            raise
    return 0


def _fail(err):
    """What recv and send do that were tried in C, and met this error."""
    raise OSError(err, os.strerror(err))


def _recv_failed(channel, err):
    return _receive(channel, _fail, err)


def _send_failed(channel, err):
    return _transmit(channel, _fail, err)


def _pending_error(sock):
    """Asking for it clears it. It is told as an exceptional condition, and as the end of a connect."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def _finish_connect(channel):
    """The first event after a connect is its end."""
    if not channel.connected and channel.connecting:
        channel.handle_connect_event()


def _adopt(channel, sock, map):
    """A socket that was made elsewhere: it may be connected, listening or neither."""
    sock.setblocking(False)
    channel.set_socket(sock, map)
    channel.connected = True
    try:
        channel.addr = sock.getpeername()
    except OSError as why:
        if why.errno not in (ENOTCONN, EINVAL):
            channel.del_channel(map)
            raise
        channel.connected = False


def _unhandled(channel, event):
    channel.log_info('unhandled %s event' % event, 'warning')


# ---- Channels ----------------------------------------------------------------------------------------------

class dispatcher:
    """A socket on a map. Override the handle_ methods, and readable and writable."""

    debug = connected = accepting = connecting = closing = False
    addr = None
    ignore_log_types = frozenset(('warning',))

    def __init__(self, sock=None, map=None):
        self._map = socket_map if map is None else map
        self._fileno = None
        if sock:
            _adopt(self, sock, map)
        else:
            self.socket = None

    def __repr__(self):
        words = ['{0.__module__}.{0.__qualname__}'.format(type(self))]
        if self.accepting and self.addr:
            words.append('listening')
        elif self.connected:
            words.append('connected')
        if self.addr is not None:
            words.append(_shown(self.addr))
        return '<%s at %#x>' % (' '.join(words), id(self))

    # Its place on the map, and its socket.

    def add_channel(self, map=None):
        """Under the descriptor of its socket; on its own map if none is named."""
        (self._map if map is None else map)[self._fileno] = self

    def del_channel(self, map=None):
        """Off the map, if it is there."""
        map = self._map if map is None else map
        if self._fileno in map:
            del map[self._fileno]
        self._fileno = None

    def create_socket(self, family=socket.AF_INET, type=socket.SOCK_STREAM):
        """A new one, which never waits."""
        self.family_and_type = (family, type)
        fresh = socket.socket(family, type)
        fresh.setblocking(False)
        self.set_socket(fresh)

    def set_socket(self, sock, map=None):
        """From now on it is this one, and on the map."""
        self.socket = sock
        self._fileno = sock.fileno()
        self.add_channel(map)

    def bind(self, addr):
        self.addr = addr
        return self.socket.bind(addr)

    def listen(self, num):
        self.accepting = True
        return self.socket.listen(min(num, 5) if os.name == 'nt' else num)

    def set_reuse_addr(self):
        option = socket.SOL_SOCKET, socket.SO_REUSEADDR
        with _suppress(OSError):
            self.socket.setsockopt(*option, self.socket.getsockopt(*option) | 1)

    def connect(self, address):
        """Begins to; handle_connect will be called when it is done."""
        self.connected, self.connecting = False, True
        err = self.socket.connect_ex(address)
        if err not in _PENDING and err not in _DONE:
            raise OSError(err, errorcode[err])
        self.addr = address
        if err in _DONE:
            self.handle_connect_event()

    def accept(self):
        """A socket and the peer's address; None where there is nobody, or no more."""
        try:
            conn, peer = self.socket.accept()
            return conn, peer
        except OSError as why:
            if why.errno not in (EAGAIN, EWOULDBLOCK, ECONNABORTED):
                raise
        except TypeError:
            pass  # there are wrappers of sockets that return None
        return None

    def send(self, data):
        """How much of it was sent."""
        return _transmit(self, self.socket.send, data)

    def recv(self, buffer_size):
        """What there is, up to so much; b'' at the end of input."""
        return _receive(self, self.socket.recv, buffer_size)

    def close(self):
        """Off the map, and the socket closed. It can be said twice, and can be given another socket."""
        self.connected = self.accepting = self.connecting = False
        self.del_channel()
        try:
            if self.socket is not None:
                self.socket.close()
        except OSError as why:
            if why.errno != ENOTCONN and why.errno != EBADF:
                raise

    # What a pass asks, and what it tells.

    def readable(self):
        """Asked in each pass: does it wait for input?"""
        return True

    def writable(self):
        """And does it wait until it can write?"""
        return True

    def handle_read_event(self):
        if self.accepting:
            self.handle_accept()
            return
        _finish_connect(self)
        self.handle_read()

    def handle_write_event(self):
        if not self.accepting:
            _finish_connect(self)
            self.handle_write()

    def handle_expt_event(self):
        tell = self.handle_close if _pending_error(self.socket) != 0 else self.handle_expt
        tell()

    def handle_connect_event(self):
        err = _pending_error(self.socket)
        if err != 0:
            raise OSError(err, _strerror(err))
        self.handle_connect()
        self.connected, self.connecting = True, False

    # What it does unless a class says otherwise.

    def log(self, message):
        sys.stderr.write('log: ' + str(message) + '\n')

    def handle_error(self):
        """The current exception is written on one line, and the channel closed."""
        _, kind, value, way = compact_traceback()
        me = '<__repr__(self) failed for object at %0x>' % id(self)
        with _suppress(BaseException):
            me = repr(self)
        told = 'uncaptured python exception, closing channel %s (%s:%s %s)' % (me, kind, value, way)
        self.log_info(told, 'error')
        self.handle_close()

    def handle_accepted(self, sock, addr):
        sock.close()
        _unhandled(self, 'accepted')

    def handle_close(self):
        _unhandled(self, 'close')
        self.close()

    def handle_connect(self):
        _unhandled(self, 'connect')

    def handle_accept(self):
        conn = self.accept()
        if conn is not None:
            self.handle_accepted(*conn)

    def handle_expt(self):
        _unhandled(self, 'incoming priority')

    def handle_read(self):
        _unhandled(self, 'read')

    def handle_write(self):
        _unhandled(self, 'write')

    def log_info(self, message, type='info'):
        if type not in self.ignore_log_types:
            print('%s: %s' % (type, message))


class dispatcher_with_send(dispatcher):
    """Keeps what a send did not take, and sends it when it can."""

    def __init__(self, sock=None, map=None):
        dispatcher.__init__(self, sock, map)
        self.out_buffer = b''

    def writable(self):
        return not self.connected or len(self.out_buffer)

    def send(self, data):
        if self.debug:
            self.log_info('sending %r' % (data,))
        self.out_buffer = self.out_buffer + data
        self.initiate_send()

    def initiate_send(self):
        sent = dispatcher.send(self, self.out_buffer[:65536])
        self.out_buffer = self.out_buffer[sent:]

    def handle_write(self):
        self.initiate_send()


class file_dispatcher(dispatcher):
    """A file, a pipe or a terminal on a map: a descriptor, or an object that has one."""

    def __init__(self, fd, map=None):
        dispatcher.__init__(self, None, map)
        self.connected = True
        with _suppress(AttributeError):  # it is the descriptor itself
            fd = fd.fileno()
        self.set_file(fd)
        os.set_blocking(fd, False)  # the duplicate too: they are one file

    def set_file(self, fd):
        wrapper = self.socket = file_wrapper(fd)
        self._fileno = wrapper.fileno()
        self.add_channel()


if os.name != 'posix':
    del file_wrapper, file_dispatcher

# What stands in for it where it was built and is wanted.
_fast = None
if not os.environ.get('ASYNCORE_PURE'):
    with _suppress(ImportError):
        import _asyncore as _fast
if _fast:
    _fast.attach(globals(), dispatcher)
