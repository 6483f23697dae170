"""The channel."""

import contextlib
import logging
import os
import socket
import time

from errno import EMFILE, ENFILE, ENOBUFS, ENOMEM

import asyncore

from ._state import _LEAVES_THE_LOOP, _pass, _tell_error, _ticks, log


_LEVELS = {'debug': logging.DEBUG, 'warning': logging.WARNING, 'error': logging.ERROR}


class Dispatcher(asyncore.dispatcher):
    """A socket on a map. Override what it shall hear of.

    handle_close is called once, when the connection is lost or has ended; the channel is closed when it
    returns, if it has not opened another socket. close() by itself does not call it.
    """

    _born = 0
    _told = False
    _spare = None

    # In and out of the map.

    def add_channel(self, map=None):
        self._born = next(_ticks)
        asyncore.dispatcher.add_channel(self, map)

    def set_socket(self, sock, map=None):
        self._told = False
        asyncore.dispatcher.set_socket(self, sock, map)

    def close(self):
        self._give_back()
        asyncore.dispatcher.close(self)

    # A descriptor in reserve.

    def _keep_one(self):
        if self._spare is None:
            with contextlib.suppress(OSError):
                self._spare = open(os.devnull, 'rb', 0)

    def _give_back(self):
        if self._spare is not None:
            self._spare.close()
            self._spare = None

    # What it wants to hear of.

    def readable(self):
        """A stream's socket: once it has begun to connect or to listen."""
        return bool(self.connected or self.accepting or self.connecting
                    or getattr(self.socket, 'type', None) != socket.SOCK_STREAM)

    def writable(self):
        """While it connects; from then on if there is a handle_write to call."""
        overridden = getattr(self.handle_write, '__func__', None) is not Dispatcher.handle_write
        return bool(self.connecting or (overridden and Dispatcher.readable(self)))

    # What a socket does.

    def connect(self, address):
        try:
            asyncore.dispatcher.connect(self, address)
        except OSError:
            self.close()
            raise

    def listen(self, num):
        self._keep_one()
        return asyncore.dispatcher.listen(self, num)

    def accept(self):
        try:
            return asyncore.dispatcher.accept(self)
        except OSError as why:
            if why.errno not in (EMFILE, ENFILE, ENOBUFS, ENOMEM):
                raise
            self._turn_away(why)
            return None

    def _turn_away(self, why):
        """No descriptor is left. The one in reserve takes the connection, and is given back."""
        _log_seldom('%r: a connection is turned away: %s', self, why.strerror)
        self._give_back()
        with contextlib.suppress(OSError):
            self.socket.accept()[0].close()
        self._keep_one()

    def send(self, data):
        """How much went; 0 if nothing can go now, or the connection is lost."""
        try:
            return self._over_the_wire(self.socket.send, data) or 0
        except BlockingIOError:
            return 0

    def recv(self, buffer_size):
        """b'' at the end of input, or if the connection is lost."""
        data = self._over_the_wire(self.socket.recv, buffer_size)
        if data is None:
            return b''
        if not data:
            self._ended()
        return data

    def _over_the_wire(self, call, argument):
        """What it returns; None, and handle_close, if that lost the connection."""
        try:
            return call(argument)
        except OSError as why:
            if why.errno not in asyncore._DISCONNECTED:
                raise
        self._hang_up()
        return None

    # What becomes of it.

    def _ended(self):
        self._hang_up()

    def _hang_up(self):
        if self._told:
            return
        self._told = True
        try:
            self.handle_close()
        finally:
            if self._told:
                self.close()

    def _guarded(self, step):
        try:
            step()
        except _LEAVES_THE_LOOP:
            raise
        except Exception:
            _tell_error(self)

    def _out_of_date(self):
        """The event was for another, or comes too late."""
        began = getattr(_pass, 'began', None)
        return self._fileno is None or (began is not None and self._born > began)

    # What the loop calls.

    def handle_read_event(self):
        if self._out_of_date():
            return
        if self.accepting:
            self._guarded(self.handle_accept)
        elif self._is_connected():
            self._guarded(self.handle_read)

    def handle_write_event(self):
        if not self._out_of_date() and not self.accepting and self._is_connected():
            self._guarded(self.handle_write)

    def handle_expt_event(self):
        if not self._out_of_date():
            self._guarded(self.handle_exception_event)

    def handle_exception_event(self):
        if self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._hang_up()
            return
        self.handle_exception()
        if self._fileno is not None:
            # What was not read would be told again at once.
            with contextlib.suppress(OSError, ValueError):
                self.socket.recv(1, socket.MSG_OOB)

    def _is_connected(self):
        """Brings a connect to its end, good or bad. Something else than a stream need not be connected."""
        if self.connected or not self.connecting:
            return True
        sock = self.socket
        try:
            self.handle_connect_event()
        except _LEAVES_THE_LOOP:
            raise
        except Exception:
            refused = not self.connected
            _tell_error(self)
            if refused and self.socket is sock:
                self._hang_up()
        return self._fileno is not None and self.socket is sock

    def handle_connect_event(self):
        err = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self.connecting = False
        if err:
            raise OSError(err, os.strerror(err))
        self.connected = True
        self.handle_connect()

    def handle_error(self):
        """The exception is written down and the channel closed; a listener stays."""
        try:
            me = repr(self)
        except Exception:
            me = '<__repr__(self) failed for object at %0x>' % id(self)
        _, kind, value, trace = asyncore.compact_traceback()
        goes = '' if self.accepting else ', closing channel'
        self.log_info('uncaptured python exception%s %s (%s:%s %s)' % (goes, me, kind, value, trace), 'error')
        if not self.accepting:
            self._hang_up()

    def log(self, message):
        log.debug(message)

    def log_info(self, message, type='info'):
        """Goes to the logger asynclib; what ignore_log_types names, for debugging only."""
        level = _LEVELS.get(type, logging.INFO)
        log.log(logging.DEBUG if type in self.ignore_log_types else level, '%s', message)

    # What a subclass overrides.

    def handle_exception(self):
        self.log_info('unhandled incoming priority event', 'warning')

    def handle_expt(self):
        self.handle_exception()

    def handle_write(self):
        self.log_info('unhandled write event', 'warning')

    def handle_accept(self):
        pair = self.accept()
        if pair is None:
            return
        try:
            self.handle_accepted(*pair)
        except _LEAVES_THE_LOOP:
            raise
        except Exception:
            # It is this connection's error; handle_error of the listener writes it down.
            channel = self._map.get(pair[0].fileno())
            if channel is not None and channel.socket is pair[0]:
                channel.close()
            pair[0].close()
            raise


_told_last = 0.0


def _log_seldom(*words):
    global _told_last
    now = time.monotonic()
    if now - _told_last >= 1.0:
        _told_last = now
        log.error(*words)
