"""A file's descriptor, with as much of a socket's ways as a dispatcher needs."""

import os
import socket
import warnings


class file_wrapper:
    """A descriptor that passes for a socket. It is a duplicate: the one given stays its owner's."""

    __module__ = 'asyncore'

    fd = -1  # closed, or never opened

    def __init__(self, fd):
        self.fd = os.dup(fd)

    def fileno(self):
        return self.fd

    def close(self):
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self):
        if self.fd != -1:
            warnings.warn('unclosed file %r' % self, ResourceWarning, source=self)
        self.close()

    def getsockopt(self, level, optname, buflen=None):
        """A file has no pending error, and nothing else is ever asked."""
        if buflen or (level, optname) != (socket.SOL_SOCKET, socket.SO_ERROR):
            raise NotImplementedError('Only asyncore specific behaviour implemented.')
        return 0

    def recv(self, *args):
        return os.read(self.fd, *args)

    read = recv

    def send(self, *args):
        return os.write(self.fd, *args)

    write = send
