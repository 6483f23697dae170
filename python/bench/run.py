"""Measures what a line costs a server: ours beside the standard modules, asyncio and uvloop.

    run.py [--seconds S] [--rounds N] [--only WORK,...] TREE [INTERPRETER]

TREE is where ours is built for the interpreter (make python makes build/python/VERSION). The figure is the
server's processor time for each line of 64 bytes, in microseconds, the kernel's included: the median of the
rounds, in which the servers take turns. The load is bench/load.c.
"""

import argparse
import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
WORKS = {
    '1': ['--connections', '1'],
    '100': ['--connections', '100'],
    '1000': ['--connections', '1000'],
    '1000:1': ['--connections', '1', '--idle', '999'],
    '1000:10': ['--connections', '10', '--idle', '990'],
    '100, 50 lines a write': ['--connections', '100', '--depth', '50'],
}
SERVERS = {
    'standard': 'asyncore',
    'ours': 'asyncore',
    'ours, corked': 'cork',
    'asyncio': 'asyncio',
    'uvloop': 'uvloop',
}


def build_load(folder):
    target = os.path.join(folder, 'load')
    sources = sorted(glob.glob(os.path.join(ROOT, 'bench', 'load*.c')))
    subprocess.run(['cc', '-O2', '-D_GNU_SOURCE', *sources, '-o', target, '-lssl', '-lcrypto'], check=True)
    return target


def start(interpreter, tree, name):
    environment = dict(os.environ, PYTHONWARNINGS='ignore')
    if name.startswith('ours'):
        environment['PYTHONPATH'] = tree + os.pathsep + environment.get('PYTHONPATH', '')
    server = subprocess.Popen([interpreter, os.path.join(HERE, 'server.py'), SERVERS[name]],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    address = server.stdout.readline().decode().strip()
    if not address:
        server.wait()
        return None, None
    return server, address


def measure(load, interpreter, tree, name, options, seconds):
    """Microseconds a line, or None if this server is not to be had here."""
    server, address = start(interpreter, tree, name)
    if not server:
        return None
    try:
        out = subprocess.run([load, 'echo', address, str(server.pid), '--seconds', str(seconds), *options],
                             stdout=subprocess.PIPE, check=True, timeout=120).stdout
    finally:
        server.kill()
        server.wait()
    result = json.loads(out)
    return result


def per_line(result):
    return result['cpu_ns'] / result['count'] / 1000


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument('--seconds', type=float, default=1)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--only')
    parser.add_argument('tree')
    parser.add_argument('interpreter', nargs='?', default=sys.executable)
    args = parser.parse_args()
    works = args.only.split(';') if args.only else list(WORKS)
    print('| connections : active | ' + ' | '.join(works) + ' |')
    print('|' + '---|' * (len(works) + 1))
    with tempfile.TemporaryDirectory() as folder:
        load = build_load(folder)
        table = {name: [] for name in SERVERS}
        for work in works:
            found = {name: [] for name in SERVERS}
            for _ in range(args.rounds):
                for name in SERVERS:
                    result = measure(load, args.interpreter, args.tree, name, WORKS[work], args.seconds)
                    if result:
                        found[name].append(per_line(result))
            for name, values in found.items():
                table[name].append('%.2f' % statistics.median(values) if values else '–')
    for name, row in table.items():
        print('| %s | %s |' % (name, ' | '.join(row)))


if __name__ == '__main__':
    main()
