#!/usr/bin/env python3
"""Measures what a line costs a server: ours beside the standard modules, asyncio and uvloop.

    run.py [--seconds S] [--rounds N] [--only WORK;...] [--json FILE] TREE [INTERPRETER]
    run.py --from FILE

TREE is where ours is built for the interpreter (make python makes build/python/VERSION). The figure is the
server's processor time for each line of 64 bytes, in microseconds, the kernel's included. In each round every
server is run once for every work as a fresh process, in an order that rotates, the server on the first core
and the load on the last. What counts is the ratio to the standard modules in the same round, or to asyncio
where the interpreter has no standard modules: the median of these ratios, and their quartiles. The load is
bench/load.c; it all runs in a network namespace of its own where that is allowed.
"""

import argparse
import glob
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, 'bench'))

from lib import children, network, stats, versions  # noqa: E402

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


class Bench:
    def __init__(self, args, load):
        self.interpreter, self.tree, self.seconds, self.load = args.interpreter, args.tree, args.seconds, load
        cores = sorted(os.sched_getaffinity(0))
        self.first, self.last = cores[0], cores[-1]

    def start(self, name):
        environment = dict(os.environ, PYTHONWARNINGS='ignore')
        environment.pop('PYTHONPATH', None)
        if name.startswith('ours'):
            environment['PYTHONPATH'] = self.tree
        command = [self.interpreter, os.path.join(HERE, 'server.py'), SERVERS[name]]
        server = children.start(command, self.first, env=environment)
        address = children.first_line(server).decode()
        if not address:
            why = children.complaint(server)
            children.stop(server)
            raise children.Failed(why)
        return server, address

    def measure(self, name, work):
        """Microseconds a line."""
        server, address = self.start(name)
        try:
            command = [self.load, 'echo', address, str(server.pid), '--seconds', str(self.seconds)]
            out = children.output(command + WORKS[work], self.last, self.seconds + 90)
        finally:
            children.stop(server)
        result = json.loads(out)
        return result['cpu_ns'] / result['count'] / 1000


def run(args, works):
    """{work: {server: a figure a round}}; a server that cannot be had here is not in it."""
    found = {work: {name: [] for name in SERVERS} for work in works}
    absent = {}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(args, build_load(folder))
        names = list(SERVERS)
        for turn in range(args.rounds):
            for work in works:
                for name in names[turn % len(names):] + names[:turn % len(names)]:
                    if name in absent:
                        continue
                    try:
                        found[work][name].append(bench.measure(name, work))
                    except children.Failed as why:
                        absent[name] = str(why)
    return {work: {n: v for n, v in row.items() if n not in absent} for work, row in found.items()}, absent


def about(interpreter):
    """What the figures were taken on and with."""
    ask = 'import platform; print(platform.python_version())'
    uvloop = versions.said([interpreter, '-c', 'import uvloop; print(uvloop.__version__)'])
    return {'date': versions.now(), 'machine': versions.machine(), 'network': network.describe(),
            'python': versions.said([interpreter, '-c', ask]), 'library': versions.of_library(),
            'uvloop': uvloop if uvloop[:1].isdigit() else None}


# ---- Tables --------------------------------------------------------------------------------------

def table(head, rows):
    print('| %s |' % ' | '.join(head))
    print('|' + '---|' * len(head))
    for row in rows:
        print('| %s |' % ' | '.join(row))
    print()


def ratio_cell(row, name, reference):
    spread = stats.spread(stats.ratios(row.get(name, []), row.get(reference, [])))
    return '%.2f (%.2f–%.2f)' % (spread[1], spread[0], spread[2]) if spread else '–'


def report(document):
    works = document['works']
    names = [name for name in SERVERS if any(name in row for row in works.values())]
    reference = 'standard' if 'standard' in names else 'asyncio'
    print('%s, Python %s, %d rounds of %g s\n' % (document['date'], document['python'], document['rounds'],
                                                  document['seconds']))
    head = ['connections : active'] + list(works)
    medians = {w: {n: stats.median(v) for n, v in row.items()} for w, row in works.items()}
    table(head, [['%s, µs a line' % n] + ['%.2f' % medians[w][n] if n in medians[w] else '–' for w in works]
                 for n in names])
    table(head, [['%s ÷ %s' % (n, reference)] + [ratio_cell(works[w], n, reference) for w in works]
                 for n in names if n != reference])
    for name, why in document['absent'].items():
        print('%s is left out: %s' % (name, why))


def options():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument('--seconds', type=float, default=1)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--only')
    parser.add_argument('--json')
    parser.add_argument('--from', dest='source')
    parser.add_argument('tree', nargs='?')
    parser.add_argument('interpreter', nargs='?', default=sys.executable)
    args = parser.parse_args()
    if not args.source and not args.tree:
        parser.error('the folder in which ours is built is wanted')
    args.tree = args.tree and os.path.abspath(args.tree)
    return args


def main():
    args = options()
    if args.source:
        with open(args.source, encoding='utf-8') as f:
            report(json.load(f))
        return
    network.enter_own_network()
    network.prepare_network()
    document = dict(about(args.interpreter), rounds=args.rounds, seconds=args.seconds)
    document['works'], document['absent'] = run(args, args.only.split(';') if args.only else list(WORKS))
    if args.json:
        with open(args.json, 'w', encoding='utf-8') as f:
            json.dump(document, f, indent=1, ensure_ascii=False)
            f.write('\n')
    report(document)


if __name__ == '__main__':
    main()
