"""The loop over a map and tasks."""

import os
import time

import asyncore

from ._state import _pass, _tell_error, _ticks
from ._tasks import _SCHEDULED_TASKS, _next_due, scheduler

# The longest wait that every system's calls take.
_LONGEST = 86400.0


def _map_of(map):
    """The map of those who name none is asyncore's, whatever that is by now."""
    return asyncore.socket_map if map is None else map


def poll(timeout=0.0, map=None):
    """Waits once, and serves what is ready. A channel born meanwhile hears nothing before the next pass."""
    map = _map_of(map)
    outer = getattr(_pass, 'began', None)
    _pass.began = next(_ticks)
    try:
        asyncore.poll(timeout, map)
    except (OSError, ValueError):
        if not _drop_bad(map):
            raise
    finally:
        _pass.began = outer


def _drop_bad(map):
    """A descriptor that is none is its channel's error, not the loop's. How many there were."""
    bad = 0
    for fd, obj in list(map.items()):
        try:
            os.fstat(fd)
        except (OSError, OverflowError):
            bad += 1
            _tell_error(obj)
            if map.get(fd) is obj:
                del map[fd]
    return bad


def loop(timeout=30.0, map=None, tasks=None, count=None):
    """Serves a map and tasks until there is neither a channel nor a task, or for `count` passes.

    No wait is longer than timeout seconds, or than it takes until the next task is due.
    """
    map = _map_of(map)
    tasks = _SCHEDULED_TASKS if tasks is None else tasks
    while count is None or count > 0:
        due = _next_due(tasks)
        if not map and due is None:
            return
        wait = timeout
        if due is not None:
            left = min(max(0.0, due - time.monotonic()), _LONGEST)
            wait = left if timeout is None else min(timeout, left)
        if map:
            poll(wait, map)
        else:
            time.sleep(wait)
        scheduler(tasks)
        if count is not None:
            count -= 1


def close_all(map=None, tasks=None, ignore_all=False):
    """Closes all channels and cancels all tasks; ignore_all: whatever they raise."""
    asyncore.close_all(_map_of(map), ignore_all)
    tasks = _SCHEDULED_TASKS if tasks is None else tasks
    for task in list(tasks):
        task.cancel()
    del tasks[:]
