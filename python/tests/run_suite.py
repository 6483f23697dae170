"""Runs one of CPython's own test files against whatever asyncore comes first on the path, and counts.

    run_suite.py FOLDER-OF-TESTS NAME      e.g. .../lib/python3.11/test test_asyncore

Nothing of the tests is kept here: the file is read from the CPython 3.11 that is installed. What that file
asks of `test.support` and an older or newer interpreter does not have is made up at run time.
"""

import importlib
import importlib.util
import os
import sys
import types
import unittest


def stand_in(name, *more):
    """test.support.NAME where everything still stands in test.support itself."""
    from test import support
    full = 'test.support.' + name
    try:
        return importlib.import_module(full)
    except ImportError:
        module = types.ModuleType(full)
        for each in dir(support):
            setattr(module, each, getattr(support, each))
        sys.modules[full] = module
        setattr(support, name, module)
        return module


def without_condition(**_):
    return lambda case: case


def with_old_names(check):
    """check__all__ called the names that are not public by another name before 3.10."""
    def check__all__(*args, not_exported=(), **more):
        try:
            return check(*args, not_exported=not_exported, **more)
        except TypeError:
            return check(*args, blacklist=not_exported, **more)
    return check__all__


def prepare():
    """Whatever is asked for there and missing, with the least that does."""
    from test import support
    for name in ('import_helper', 'os_helper', 'socket_helper', 'threading_helper',
                 'warnings_helper'):
        module = stand_in(name)
        module.import_deprecated = importlib.import_module
        if not hasattr(module, 'has_gethostname'):
            module.has_gethostname = True
        for condition in ('requires_working_threading', 'requires_working_socket'):
            for where in (module, support):
                if not hasattr(where, condition):
                    setattr(where, condition, without_condition)
    support.check__all__ = with_old_names(support.check__all__)
    for name, seconds in (('LOOPBACK_TIMEOUT', 5.0), ('SHORT_TIMEOUT', 30.0), ('LONG_TIMEOUT', 300.0)):
        if not hasattr(support, name):
            setattr(support, name, seconds)


def load(folder, name):
    path = os.path.join(folder, name + '.py')
    spec = importlib.util.spec_from_file_location('test.' + name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules['test.' + name] = module
    spec.loader.exec_module(module)
    return module


def who_served():
    asyncore = sys.modules['asyncore']
    if not hasattr(asyncore, '_fast'):
        return 'the standard modules'
    return 'ours in C' if asyncore._fast else 'ours in Python'


def main():
    folder, name = sys.argv[1:3]
    only = sys.argv[3:]
    prepare()
    module = load(folder, name)
    fast = getattr(sys.modules['asyncore'], '_fast', None)
    if fast and 'FEW' in os.environ:
        fast.set_few(int(os.environ['FEW']))  # epoll for small maps too
    loader = unittest.defaultTestLoader
    if only:
        loader.testNamePatterns = ['*%s*' % o for o in only]
    suite = loader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(verbosity=2 if only else 0, stream=sys.stderr).run(suite)
    bad = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    print('%s: %d ran, %d failed, %d skipped (%s)' % (
        name, result.testsRun, bad, len(result.skipped), who_served()))
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
