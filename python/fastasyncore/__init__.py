"""Puts our asyncore, asynchat and smtpd in front of those that Python up to 3.11 brings along.

    import fastasyncore
    fastasyncore.install()
    import asyncore                     # ours

`python -m fastasyncore prog.py` runs a program that way without a change. From 3.12 on there is nothing in
the way, and install() does nothing more than what the import would do by itself.
"""

import os
import sys
from importlib.machinery import PathFinder

__all__ = ['install', 'uninstall', 'MODULES']

MODULES = ('asyncore', 'asynchat', 'smtpd')

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class _Finder:
    """First of those asked for a module; knows these three only."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, [_HERE]) if name in MODULES else None


def _is_ours(module):
    path = getattr(module, '__file__', None)  # of one that a test has made up there is none
    return bool(path) and os.path.dirname(os.path.dirname(os.path.abspath(path))) == _HERE


def _forget(ours):
    for name in MODULES:
        module = sys.modules.get(name)
        if module is not None and _is_ours(module) == ours:
            # With its parts: those of a package that is gone refer to it.
            for each in [each for each in sys.modules if each == name or each.startswith(name + '.')]:
                del sys.modules[each]


def install():
    """From now on `import asyncore` is ours. Modules that have imported the other one keep it."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    _forget(ours=False)


def uninstall():
    """From now on `import asyncore` is whatever comes first on the path."""
    if _Finder in sys.meta_path:
        sys.meta_path.remove(_Finder)
    _forget(ours=True)
