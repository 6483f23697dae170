"""Tasks: what is called later.

A list of tasks is a heap by _due and _order. A task that is put off stays where it is until it comes to the
top, and only then goes to its new place; a cancelled one stays until then as well. So a reset costs nothing.
When more than half of a list are cancelled ones they are swept out. How many there are is counted in what the
tasks of a list share: a new one takes it over from whatever is at the top.
"""

import functools
import heapq
import time

from ._state import _ticks

# The tasks of those who name no list.
_SCHEDULED_TASKS = []

# So few cancelled ones are left where they are.
_FEW = 64


class _Cancelled:
    """How many tasks of a list are."""

    def __init__(self):
        self.count = 0


def _next_due(tasks):
    """When the first of them is due; None: there is none. What is first is where it belongs."""
    while tasks:
        first = tasks[0]
        if first.cancelled:
            heapq.heappop(tasks)._waits = False
            first._garbage.count -= 1
        elif first._order != first._wanted_order:
            first._due = first.timeout
            first._order = first._wanted_order
            heapq.heapreplace(tasks, first)
        else:
            return first.timeout
    return None


def scheduler(tasks=None):
    """Runs what is due. What becomes due by that waits for the next time."""
    tasks = _SCHEDULED_TASKS if tasks is None else tasks
    now, began = time.monotonic(), next(_ticks)
    while True:
        due = _next_due(tasks)
        if due is None or due > now or tasks[0]._order > began:
            return
        task = heapq.heappop(tasks)
        task._waits = False
        try:
            task.call()
        finally:
            if not task._waits:
                task.cancel()


class call_later:
    """Calls target(*args, **kwargs) from the loop, in so many seconds.

    _tasks is the list it goes to, if not that of all. timeout says when it is due, by time.monotonic();
    cancelled is true when it has run or was cancelled. Tasks of the same time run in the order in which they
    were set.
    """

    def __init__(self, seconds, target, *args, **kwargs):
        if not callable(target):
            raise AssertionError('%s is not callable' % (target,))
        self._tasks = kwargs.pop('_tasks', _SCHEDULED_TASKS)
        self._target = functools.partial(target, *args, **kwargs)
        self.cancelled = False
        self._waits = False
        self._set(seconds)

    def __lt__(self, other):
        return (self._due, self._order) < (other._due, other._order)

    def _set(self, seconds):
        if not seconds >= 0:
            raise AssertionError('%s is not a number of seconds from now' % (seconds,))
        if self.cancelled:
            raise AssertionError('it has run, or was cancelled')
        self._delay = seconds
        self.timeout = time.monotonic() + seconds
        self._wanted_order = next(_ticks)
        if self._waits and self.timeout >= self._due:
            return
        self._due, self._order = self.timeout, self._wanted_order
        if self._waits:
            heapq.heapify(self._tasks)
        else:
            self._garbage = self._tasks[0]._garbage if self._tasks else _Cancelled()
            heapq.heappush(self._tasks, self)
            self._waits = True

    def call(self):
        """Runs it now; it stays pending."""
        if self.cancelled:
            raise AssertionError('it has run, or was cancelled')
        self._target()

    def reset(self):
        """Its time begins anew. In its own call: it will be called again."""
        self._set(self._delay)

    def delay(self, seconds):
        """It is due in so many seconds from now."""
        self._set(seconds)

    def cancel(self):
        """It will not be called. Once more does nothing."""
        if self._waits and not self.cancelled:
            self._garbage.count += 1
        self.cancelled = True
        self._target = None
        if self._waits and self._garbage.count > max(_FEW, len(self._tasks) // 2):
            self._garbage.count = 0
            self._tasks[:] = [task for task in self._tasks if not task.cancelled]
            heapq.heapify(self._tasks)
