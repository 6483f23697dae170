"""python -m fastasyncore [-m MODULE | PROGRAM] [ARGUMENTS]: runs it with our asyncore."""

import os
import runpy
import sys

import fastasyncore


def main():
    args = sys.argv[1:]
    if not args or args[0] in ('-h', '--help') or args == ['-m']:
        print(__doc__)
        return 0 if args[:1] in (['-h'], ['--help']) else 2
    fastasyncore.install()
    if args[0] == '-m':
        sys.argv = args[1:]
        runpy.run_module(args[1], run_name='__main__', alter_sys=True)
    else:
        sys.argv = args
        sys.path[0] = os.path.dirname(os.path.abspath(args[0]))
        runpy.run_path(args[0], run_name='__main__')
    return 0


if __name__ == '__main__':
    sys.exit(main())
