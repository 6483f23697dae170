"""Channels, chats and tasks in one loop: the surface of astm.asynclib, for Python 3.8 to 3.13.

It stands on asyncore: a Dispatcher is an asyncore.dispatcher, both may share a map, and asyncore.poll does
the waiting, in C where asyncore has it. _dispatcher is the channel, _output and _chat the two halves of a
chat, _tasks the heap of what is called later, _loop what serves them. Where astm.asynclib lost data, told
things twice or waited for nothing, this one does what the C library does; doc/python-differences.md lists
these places.
"""

import asyncore

from asynchat import find_prefix_at_end, simple_producer
from asyncore import ExitNow, _exception as exception, read, readwrite, write

from ._chat import AsyncChat
from ._dispatcher import Dispatcher
from ._loop import close_all, loop, poll
from ._state import log
from . import _tasks
from ._tasks import call_later, scheduler

__all__ = ['AsyncChat', 'Dispatcher', 'ExitNow', 'call_later', 'close_all', 'exception',
           'find_prefix_at_end', 'log', 'loop', 'poll', 'read', 'readwrite', 'scheduler', 'simple_producer',
           'write']

# What those have who name neither a map nor a list of tasks.
_SOCKET_MAP = asyncore.socket_map
_SCHEDULED_TASKS = _tasks._SCHEDULED_TASKS
