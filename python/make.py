#!/usr/bin/env python3
"""Builds the Python packages for every interpreter found here, and runs their tests.

    make.py build [VERSION...]      build/python/wheels, and a tree for each interpreter in build/python/X.Y
    make.py test [VERSION...]       that, and all tests; the last line counts
    make.py asan [VERSION...]       the tests of what is in C under ASan and UBSan, in build/python/asan, and
                                    those with threads under TSan, in build/python/tsan

Interpreters are those of pyenv and python3.8 … python3.13 of the system; PYTHONS names others. An interpreter
counts if its headers are there. Two parts run at a time, JOBS of them if that is set; each line says how many
seconds its part took.

For each interpreter: CPython's own tests with C, with epoll for all maps, without C, and as control with the
standard modules; ours with and without C; pyftpdlib's, and as control. For one of them ours and CPython's
under sanitizers too. Some of ours with Debian's debug build (python3-dbg). CPython's are read from where a
Python 3.11 keeps them, pyftpdlib's from the folder PYFTPDLIB (a tree of release 1.5.7 with its tests), or
else from what apt fetches into build/python/pyftpdlib. What is not there is left out, with a line that says
so.

QUICK=1, as .ci/run has it, leaves out ours but for the first and the last interpreter and under
sanitizers, ours without C but for the last, and pyftpdlib's but for the first, the last and 3.11.
"""

import collections
import concurrent.futures
import functools
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(os.path.dirname(HERE), 'build', 'python')
TESTS = os.path.join(HERE, 'tests')
PYENV = os.environ.get('PYENV_ROOT', os.path.expanduser('~/.pyenv'))
SUITES = ('test_asyncore', 'test_asynchat', 'test_smtpd')
FTP_SUITES = ('test_functional', 'test_ioloop', 'test_servers')
SANITIZED = '3.11'  # its tests are run under sanitizers too
LIMIT = 600  # seconds that a part may take
ASK = ('import os, sys, sysconfig; print("%d.%d" % sys.version_info[:2]);'
       'print(os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))')


# ---- Interpreters --------------------------------------------------------------------------------

def by_minor(version):
    return int(version.split('.')[1])


def candidates():
    yield from os.environ.get('PYTHONS', '').split()
    yield from sorted(glob.glob(os.path.join(PYENV, 'versions', '3.*', 'bin', 'python3')))
    for minor in range(8, 14):
        for folder in ('/usr/bin', '/usr/local/bin'):
            yield '%s/python3.%d' % (folder, minor)


def asked(path):
    """What version it is, and whether its headers are there; None if it is no Python of ours."""
    ran = subprocess.run([path, '-c', ASK], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    answer = ran.stdout.decode().split()
    if ran.returncode or len(answer) != 2 or not 8 <= by_minor(answer[0]) <= 13:
        return None
    return answer[0], answer[1] == 'True'


@functools.lru_cache()
def interpreters():
    """({version: path}, [path without headers]), one for each of 3.8 to 3.13 at the most."""
    found, bare = {}, []
    for path in filter(lambda path: os.access(path, os.X_OK), candidates()):
        version, headers = asked(path) or (None, None)
        if headers:
            found.setdefault(version, path)
        elif version:
            bare.append(path)
    return {version: found[version] for version in sorted(found, key=by_minor)}, bare


def chosen(wanted):
    """{version: path} of those to work with."""
    found, bare = interpreters()
    for path in bare:
        print('%s has no headers (python3-dev): left out' % path)
    for version in wanted:
        if version not in found:
            print('no Python %s here: left out' % version)
    found = {version: path for version, path in found.items() if not wanted or version in wanted}
    if not found:
        sys.exit('no Python from 3.8 to 3.13 with its headers here; Debian has them in python3-dev, '
                 'and PYTHONS=/path/to/python3.13 names one that stands elsewhere')
    return found


@functools.lru_cache(None)
def has_standard(path):
    """Those of the interpreter itself: ours may be installed, or lie in the folder we are in."""
    ask = 'import asyncore, sys; sys.exit(hasattr(asyncore, "_fast"))'
    return subprocess.run([path, '-I', '-W', 'ignore', '-c', ask], stderr=subprocess.DEVNULL).returncode == 0


def standard_python():
    """One that brings asyncore along, as late as can be."""
    return next(filter(has_standard, reversed(list(interpreters()[0].values()))), '')


# ---- Building ------------------------------------------------------------------------------------

def build(version, path, out=OUT, **environment):
    tree = os.path.join(out, version)
    shutil.rmtree(tree, ignore_errors=True)
    command = [path, os.path.join(HERE, 'build_backend', 'backend.py'), os.path.join(out, 'wheels'), tree]
    ran = subprocess.run(command, env=dict(os.environ, **environment), stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT)
    print(ran.stdout.decode(errors='replace').rstrip(), flush=True)
    if ran.returncode:
        sys.exit('it cannot be built for %s' % path)
    return tree


# ---- Parts of a test -----------------------------------------------------------------------------

# What is run with which environment; a control is not counted.
Part = collections.namedtuple('Part', 'title command environment counts')


def suite_parts(version, path, tree):
    folder = cpython_tests()
    ways = [('ours', dict(PYTHONPATH=tree)), ('ours, all by epoll', dict(PYTHONPATH=tree, FEW='0')),
            ('ours without C', dict(PYTHONPATH=tree, ASYNCORE_PURE='1'))]
    if has_standard(path):
        ways.append(('control', dict(PYTHONPATH='')))
    for suite in SUITES if folder else ():
        for whose, environment in ways:
            command = [path, '-W', 'ignore', os.path.join(TESTS, 'run_suite.py'), folder, suite]
            yield Part('%s %s, %s' % (version, suite, whose), command, environment, whose != 'control')


def own_parts(version, path, tree, pure):
    command = [path, '-W', 'error::ResourceWarning', '-m', 'unittest', 'discover', '-s', TESTS]
    environment = dict(PYTHONPATH=tree, CONTROL=standard_python(), PYFTPDLIB=pyftpdlib())
    yield Part('%s our own' % version, command, environment, True)
    if pure:
        yield Part('%s our own, without C' % version, command, dict(environment, ASYNCORE_PURE='1'), True)


def pyftpdlib_parts(version, path, tree):
    where = pyftpdlib()
    if not has_tests(where):
        return
    paths = [('ours', tree + os.pathsep + where)] + ([('control', where)] if has_standard(path) else [])
    for suite in FTP_SUITES:
        for whose, python_path in paths:
            command = [path, '-W', 'ignore', os.path.join(TESTS, 'run_pyftpdlib.py'), suite]
            yield Part('%s pyftpdlib %s, %s' % (version, suite, whose), command, dict(PYTHONPATH=python_path),
                       whose == 'ours')


def cpython_tests():
    """The folder they are in."""
    places = glob.glob(os.path.join(PYENV, 'versions', '3.11*', 'lib', 'python3.11', 'test'))
    found = (place for place in places + ['/usr/lib/python3.11/test']
             if os.path.exists(os.path.join(place, 'test_asyncore.py')))
    return next(found, None)


@functools.lru_cache()
def pyftpdlib():
    """The folder it stands in; it is fetched but once."""
    where = os.environ.get('PYFTPDLIB') or os.path.join(OUT, 'pyftpdlib')
    if not os.path.exists(where):
        os.makedirs(OUT, exist_ok=True)
        subprocess.run([os.path.join(TESTS, 'fetch_pyftpdlib.sh'), where])
    return where


def has_tests(where):
    return os.path.exists(os.path.join(where, 'pyftpdlib', 'test'))


# ---- Sanitizers ----------------------------------------------------------------------------------

SANITIZERS = '-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer'


def libraries(*names):
    """What an interpreter without sanitizers has to load first; '' if it is not there."""
    if not shutil.which('gcc'):
        return ''
    said = [subprocess.run(['gcc', '-print-file-name=' + name], stdout=subprocess.PIPE).stdout
            for name in names]
    paths = [path.decode().strip() for path in said]
    return ' '.join(paths) if all(map(os.path.isabs, paths)) else ''


def thread_parts(version, path):
    """The interpreter has no part in it: what its lock orders is seen, and so are races in what is ours."""
    library = libraries('libtsan.so')
    if not library or not shutil.which('setarch'):
        print('%s: no TSan, or no setarch: left out' % version)
        return
    tree = build(version, path, os.path.join(OUT, 'tsan'), CC='gcc', CFLAGS='-fsanitize=thread')
    options = 'halt_on_error=1 report_signal_unsafe=0 die_after_fork=0'
    command = ['setarch', '-R', path, '-W', 'ignore', '-m', 'unittest', 'discover', '-s', TESTS,
               '-p', '*_threads.py']
    yield Part('%s our own with threads, under TSan' % version, command,
               dict(LD_PRELOAD=library, TSAN_OPTIONS=options, PYTHONPATH=tree), True)


def sanitized_parts(version, path):
    yield from thread_parts(version, path)
    first = libraries('libasan.so', 'libubsan.so')
    if not first:
        print('%s: no gcc with its sanitizers: left out' % version)
        return
    tree = build(version, path, os.path.join(OUT, 'asan'), CC='gcc', CFLAGS=SANITIZERS)
    # The interpreter itself leaks at its end; its own allocator would hide what is freed. ASan takes
    # crypt's place, which has to be there before it.
    sanitized = dict(LD_PRELOAD=first + ' ' + libraries('libcrypt.so.1'), ASAN_OPTIONS='detect_leaks=0',
                     UBSAN_OPTIONS='print_stacktrace=1', PYTHONMALLOC='malloc', PYTHONPATH=tree,
                     CONTROL=standard_python())
    folder = cpython_tests()
    for suite in SUITES if folder else ():
        command = [path, '-W', 'ignore', os.path.join(TESTS, 'run_suite.py'), folder, suite]
        for few in ('8', '0'):
            yield Part('%s %s, sanitized, up to %s channels by poll' % (version, suite, few), command,
                       dict(sanitized, FEW=few), True)
    command = [path, '-W', 'ignore', '-m', 'unittest', 'discover', '-s', TESTS]
    yield Part('%s our own, sanitized' % version, command, sanitized, True)


# ---- Debug builds --------------------------------------------------------------------------------

def debug_parts():
    """Ours with Debian's debug build, if any: it counts all references and asserts much."""
    for path in sorted(glob.glob('/usr/bin/python3.*-dbg')):
        version, headers = asked(path) or (None, None)
        if headers:
            tree = build(version, path, os.path.join(OUT, 'debug'))
            for name in ('test_memory', 'test_hazards', 'test_threads', 'test_lives', 'test_cork'):
                command = [path, '-W', 'ignore', os.path.join(TESTS, name + '.py')]
                yield Part('%s %s, debug build' % (version, name), command, dict(PYTHONPATH=tree), True)


# ---- Running them --------------------------------------------------------------------------------

class Count:
    passed = failed = 0


def run(part):
    """What it said, whatever became of it, and its seconds. It may leave files where it is."""
    environment = dict(os.environ, PYTHONWARNINGS='ignore', **part.environment)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        try:
            said = subprocess.run(part.command, env=environment, cwd=folder, timeout=LIMIT,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
        except subprocess.TimeoutExpired as late:
            said = (late.stdout or b'') + b'\nit did not end\n'
    return said.decode(errors='replace'), time.monotonic() - began


def report(part, said, seconds):
    """One line of it, and the end of what it said if it has failed."""
    ran = re.findall(r'^Ran (\d+) tests? in', said, re.M)
    end = said[said.rfind('\nRan '):]
    bad = re.findall(r'(?:failures|errors|unexpected successes)=(\d+)', end)
    skipped = re.findall(r'skipped=(\d+)', end)
    total, failed = (int(ran[-1]), sum(map(int, bad))) if ran else (0, 1)
    print('%-58s %4d ran, %d failed, %s skipped %4d s' % (
        part.title, total, failed, skipped[-1] if skipped else 0, seconds))
    for line in re.findall('^(?:asyncore is|passed when|not counted).*', said, re.M):
        print('    ' + line)
    if part.counts:
        Count.passed += max(total - failed, 0)
        Count.failed += failed
        if failed:
            print(said[-6000:])
    sys.stdout.flush()


def run_all(parts):
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get('JOBS', 2))) as pool:
        for part, done in [(part, pool.submit(run, part)) for part in parts]:
            report(part, *done.result())
    print('%d passed, %d failed' % (Count.passed, Count.failed))
    return 1 if Count.failed else 0


def test_parts(found):
    if not cpython_tests():
        print('no Python 3.11 with its tests here (libpython3.11-testsuite): CPython\'s own are left out')
    if not has_tests(pyftpdlib()):
        print('no pyftpdlib with its tests to be had (PYFTPDLIB): left out')
    first, last = min(found, key=by_minor), max(found, key=by_minor)
    whole = not os.environ.get('QUICK')
    for version, path in found.items():
        tree = os.path.join(OUT, version)
        yield from suite_parts(version, path, tree)
        if whole or version in (first, last):
            yield from own_parts(version, path, tree, pure=whole or version == last)
        if whole or version in (first, last, SANITIZED):
            yield from pyftpdlib_parts(version, path, tree)
        if version == SANITIZED:
            yield from sanitized_parts(version, path)
    yield from debug_parts()


def main():
    what, wanted = sys.argv[1], sys.argv[2:]
    found = chosen(wanted)
    if what == 'asan':
        return run_all([part for each in found.items() for part in sanitized_parts(*each)])
    for version, path in found.items():
        build(version, path)
    return run_all(list(test_parts(found))) if what == 'test' else 0


if __name__ == '__main__':
    sys.exit(main())
