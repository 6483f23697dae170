"""What the loop, its channels and its tasks share."""

import itertools
import logging
import threading

from asyncore import ExitNow

log = logging.getLogger('asynclib')

_LEAVES_THE_LOOP = (ExitNow, KeyboardInterrupt, SystemExit)

# Birthdays of channels, order of tasks, beginnings of passes: all from one count, so that they can be
# compared.
_ticks = itertools.count(1)
_pass = threading.local()


def _tell_error(obj):
    """An error that handle_error makes itself is written down, and the channel goes."""
    try:
        obj.handle_error()
    except _LEAVES_THE_LOOP:
        raise
    except Exception:
        log.exception('handle_error of %r failed, the channel is closed', obj)
        obj.close()
