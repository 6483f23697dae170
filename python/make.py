#!/usr/bin/env python3
"""Builds the Python packages for every interpreter found here, and runs their tests.

    make.py build [VERSION...]      build/python/wheels, and a tree for each interpreter in build/python/X.Y
    make.py test [VERSION...]       that, and all tests; the last line counts
    make.py asan [VERSION...]       the tests of what is in C under ASan and UBSan, in build/python/asan

Interpreters are those of pyenv and python3.8 … python3.13 on the path; PYTHONS names others. CPython's own tests are
read from where a Python 3.11 keeps them, pyftpdlib's from the folder PYFTPDLIB (a tree of release 1.5.7 with its
tests), or else from what apt fetches into build/python/pyftpdlib; what is not there is left out, with a line that
says so.
"""

import glob
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(os.path.dirname(HERE), 'build', 'python')
SUITES = ('test_asyncore', 'test_asynchat', 'test_smtpd')
SANITIZED = '3.11'  # `test` runs its tests under sanitizers too
FTP_SUITES = ('test_functional', 'test_ioloop', 'test_servers')
ASK = ('import os, sys, sysconfig; print("%d.%d" % sys.version_info[:2]);'
       'print(os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))')


# ---- Interpreters --------------------------------------------------------------------------------

def candidates():
    yield from os.environ.get('PYTHONS', '').split()
    root = os.environ.get('PYENV_ROOT', os.path.expanduser('~/.pyenv'))
    yield from sorted(glob.glob(os.path.join(root, 'versions', '3.*', 'bin', 'python3')))
    for minor in range(8, 14):
        for folder in ('/usr/bin', '/usr/local/bin'):
            yield '%s/python3.%d' % (folder, minor)


def interpreters(wanted):
    """{version: path}, one for each of 3.8 to 3.13."""
    found = {}
    for path in candidates():
        if not os.access(path, os.X_OK):
            continue
        asked = subprocess.run([path, '-c', ASK], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        answer = asked.stdout.decode().split()
        if asked.returncode or answer[1] != 'True' or not 8 <= int(answer[0].split('.')[1]) <= 13:
            continue
        if not wanted or answer[0] in wanted:
            found.setdefault(answer[0], path)
    return dict(sorted(found.items(), key=lambda item: int(item[0].split('.')[1])))


def build(version, path, out=OUT, **environment):
    tree = os.path.join(out, version)
    subprocess.run(['rm', '-rf', tree], check=True)
    subprocess.run([path, os.path.join(HERE, 'build_backend', 'backend.py'), os.path.join(out, 'wheels'), tree],
                   check=True, env=dict(os.environ, **environment))
    return tree


# ---- Tests ---------------------------------------------------------------------------------------

class Count:
    passed = failed = 0


def run(command, **environment):
    """What it said, whatever became of it."""
    environment = dict(os.environ, PYTHONWARNINGS='ignore', **environment)
    try:
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900)
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b'').decode(errors='replace') + '\nit did not end\n'
    return done.stdout.decode(errors='replace')


def report(what, text, counts=True):
    """One line of it; a control counts for nothing."""
    ran = re.findall(r'^Ran (\d+) tests? in', text, re.M)
    bad = re.findall(r'(?:failures|errors|unexpected successes)=(\d+)', text[text.rfind('\nRan '):])
    skipped = re.findall(r'skipped=(\d+)', text[text.rfind('\nRan '):])
    total, failed = (int(ran[-1]), sum(map(int, bad))) if ran else (0, 1)
    print('%-58s %4d ran, %d failed, %s skipped' % (what, total, failed, skipped[-1] if skipped else 0), flush=True)
    if counts:
        Count.passed += max(total - failed, 0)
        Count.failed += failed
        if failed:
            print(text[-6000:])


def cpython_tests():
    for pattern in ('~/.pyenv/versions/3.11*/lib/python3.11/test', '/usr/lib/python3.11/test'):
        for folder in glob.glob(os.path.expanduser(pattern)):
            if os.path.exists(os.path.join(folder, 'test_asyncore.py')):
                return folder
    return None


def has_standard(path):
    """Those of the interpreter itself: ours may be installed, or lie in the folder we are in."""
    ask = 'import asyncore, sys; sys.exit(hasattr(asyncore, "_fast"))'
    return subprocess.run([path, '-I', '-W', 'ignore', '-c', ask], stderr=subprocess.DEVNULL).returncode == 0


def test_suites(version, path, tree):
    folder = cpython_tests()
    if not folder:
        print('no Python 3.11 with its tests here: CPython\'s own are left out')
        return
    for suite in SUITES:
        command = [path, '-W', 'ignore', os.path.join(HERE, 'tests', 'run_suite.py'), folder, suite]
        report('%s %s, ours' % (version, suite), run(command, PYTHONPATH=tree))
        report('%s %s, ours, all by epoll' % (version, suite), run(command, PYTHONPATH=tree, FEW='0'))
        report('%s %s, ours without C' % (version, suite), run(command, PYTHONPATH=tree, ASYNCORE_PURE='1'))
        if has_standard(path):
            report('%s %s, control' % (version, suite), run(command, PYTHONPATH=''), counts=False)


def standard_python():
    """One that brings asyncore along, as late as can be."""
    for version, path in reversed(list(interpreters(()).items())):
        if has_standard(path):
            return path
    return ''


def test_own(version, path, tree):
    control = standard_python()
    command = [path, '-W', 'error::ResourceWarning', '-m', 'unittest', 'discover', '-s', os.path.join(HERE, 'tests')]
    report('%s our own' % version, run(command, PYTHONPATH=tree, CONTROL=control, PYFTPDLIB=pyftpdlib()))
    report('%s our own, without C' % version,
           run(command, PYTHONPATH=tree, CONTROL=control, ASYNCORE_PURE='1'))


def pyftpdlib():
    """The folder it stands in."""
    where = os.environ.get('PYFTPDLIB') or os.path.join(OUT, 'pyftpdlib')
    if not os.path.exists(where):
        os.makedirs(OUT, exist_ok=True)
        subprocess.run([os.path.join(HERE, 'tests', 'fetch_pyftpdlib.sh'), where])
    return where


def test_pyftpdlib(version, path, tree):
    where = pyftpdlib()
    if not os.path.exists(os.path.join(where, 'pyftpdlib', 'test')):
        print('%s: no pyftpdlib with its tests to be had: left out' % version)
        return
    paths = [('ours', tree + os.pathsep + where)] + ([('control', where)] if has_standard(path) else [])
    for suite in FTP_SUITES:
        for whose, python_path in paths:
            text = run([path, '-W', 'ignore', os.path.join(HERE, 'tests', 'run_pyftpdlib.py'), suite],
                       PYTHONPATH=python_path)
            report('%s pyftpdlib %s, %s' % (version, suite, whose), text, counts=whose == 'ours')
            print('\n'.join(re.findall('^(?:asyncore is|passed when|not counted).*', text, re.M)), flush=True)


# ---- Sanitizers ----------------------------------------------------------------------------------

SANITIZERS = '-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer'


def libraries():
    """What an interpreter without sanitizers has to load first; '' if it is not there."""
    if not shutil.which('gcc'):
        return ''
    paths = [subprocess.run(['gcc', '-print-file-name=' + name], stdout=subprocess.PIPE).stdout.decode().strip()
             for name in ('libasan.so', 'libubsan.so')]
    return ' '.join(paths) if all(map(os.path.isabs, paths)) else ''


def test_sanitized(version, path):
    if not libraries():
        print('%s: no gcc with its sanitizers: left out' % version)
        return
    tree = build(version, path, os.path.join(OUT, 'asan'), CC='gcc', CFLAGS=SANITIZERS)
    # The interpreter itself leaks at its end; its own allocator would hide what is freed.
    sanitized = dict(LD_PRELOAD=libraries(), ASAN_OPTIONS='detect_leaks=0', PYTHONMALLOC='malloc', PYTHONPATH=tree,
                     UBSAN_OPTIONS='print_stacktrace=1')
    folder = cpython_tests()
    for suite in SUITES if folder else ():
        for few in ('8', '0'):
            text = run([path, '-W', 'ignore', os.path.join(HERE, 'tests', 'run_suite.py'), folder, suite],
                       FEW=few, **sanitized)
            report('%s %s, sanitized, up to %s channels by poll' % (version, suite, few), text)
    own = run([path, '-W', 'ignore', '-m', 'unittest', 'discover', '-s', os.path.join(HERE, 'tests')],
              CONTROL=standard_python(), **sanitized)
    report('%s our own, sanitized' % version, own)


def main():
    what, wanted = sys.argv[1], sys.argv[2:]
    found = interpreters(wanted)
    if not found:
        sys.exit('no Python 3.8 to 3.13 with its headers here')
    for version, path in found.items():
        if what == 'asan':
            test_sanitized(version, path)
            continue
        tree = build(version, path)
        if what == 'test':
            test_suites(version, path, tree)
            test_own(version, path, tree)
            test_pyftpdlib(version, path, tree)
            if version == SANITIZED:
                test_sanitized(version, path)
    if what != 'build':
        print('%d passed, %d failed' % (Count.passed, Count.failed))
        return 1 if Count.failed else 0
    return 0


if __name__ == '__main__':
    sys.exit(main())
