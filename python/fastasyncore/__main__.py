"""python -m fastasyncore [PROGRAM | -m MODULE | -c CODE | -] [ARGUMENTS]: runs it with our asyncore.

PROGRAM is what python itself would take: a file, or a folder or zip file with a __main__.py; - is read from
standard input. Options of the interpreter go in front: python -W error -m fastasyncore PROGRAM.
"""

import io
import os
import runpy
import sys
import types
import zipfile

import fastasyncore

# Whether python has put a folder of the program's in front of the path.
IN_FRONT = not (sys.flags.isolated or getattr(sys.flags, 'safe_path', False))


def run_module(name):
    runpy.run_module(name, run_name='__main__', alter_sys=True)


def run_text(text, name, first='', **attributes):
    sys.modules['__main__'] = main = types.ModuleType('__main__')
    vars(main).update(attributes)
    if IN_FRONT:
        sys.path[0] = first
    exec(compile(text, name, 'exec'), vars(main))


def run_file(path):
    with io.open_code(path) as f:
        text = f.read()
    if sys.version_info >= (3, 9):  # from then on python makes it absolute, but not argv[0]
        path = os.path.abspath(path)
    run_text(text, path, os.path.dirname(os.path.realpath(path)), __file__=path)


def run_program(path):
    if not os.path.exists(path):
        print('python -m fastasyncore: no such file: %s' % path, file=sys.stderr)
        sys.exit(2)
    if os.path.isfile(path) and not path.endswith('.pyc') and not zipfile.is_zipfile(path):
        return run_file(path)
    if IN_FRONT:  # of a folder or a zip file it is itself, which runpy sees to
        sys.path[:1] = [os.path.dirname(os.path.realpath(path))] if path.endswith('.pyc') else []
    runpy.run_path(path, run_name='__main__')


def main():
    args = sys.argv[1:]
    if args in (['-h'], ['--help']):
        print(__doc__.rstrip())
        return 0
    what = args.pop(0) if args[:1] in (['-m'], ['-c']) else ''
    if not args or not what and args[0].startswith('-') and args[0] != '-':
        print(__doc__.partition('\n')[0], file=sys.stderr)
        return 2
    fastasyncore.install()
    sys.argv = [what or args[0]] + args[1:]
    if what == '-m':
        run_module(args[0])
    elif what == '-c':
        run_text(args[0], '<string>')
    elif args[0] == '-':
        run_text(sys.stdin.read(), '<stdin>')
    else:
        run_program(args[0])
    return 0


if __name__ == '__main__':
    sys.exit(main())
