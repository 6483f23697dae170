"""The same scenarios on the standard modules of 3.11 and on ours: the transcripts have to be equal.

The standard ones are run by this interpreter if it has them (messages differ from one to the next), else by the one
CONTROL names. Differences there
are meant to be stand in KNOWN, with the line of doc/python-differences.md that gives the reason.
"""

import json
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = os.path.join(HERE, 'transcript.py')

KNOWN = {}

# Not ours, which may be installed there, or lie in the folder we are in.
STANDARD = 'import asyncore, sys; sys.exit(hasattr(asyncore, "_fast"))'


def transcripts(python, path, **more):
    environment = dict(os.environ, PYTHONPATH=path, PYTHONHASHSEED='0', **more)
    out = subprocess.run([python, '-W', 'ignore', SCRIPT], env=environment, stdout=subprocess.PIPE, check=True,
                         timeout=300).stdout
    return json.loads(out.decode().splitlines()[-1])


def control():
    """An interpreter that brings asyncore along, 3.11 if there is one."""
    for python in (sys.executable, os.environ.get('CONTROL')):
        if python and subprocess.run([python, '-I', '-W', 'ignore', '-c', STANDARD],
                                     stderr=subprocess.DEVNULL).returncode == 0:
            return python
    return None


class Differential(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        python = control()
        if not python:
            raise unittest.SkipTest('no interpreter with the standard modules here')
        cls.standard = transcripts(python, '')

    def compare(self, **environment):
        ours = transcripts(sys.executable, os.environ.get('PYTHONPATH', ''), **environment)
        self.assertEqual(set(ours), set(self.standard))
        for name, lines in sorted(self.standard.items()):
            with self.subTest(name):
                self.assertEqual(ours[name], KNOWN.get(name, lines))

    def test_ours(self):
        self.compare()

    def test_ours_with_epoll_for_small_maps(self):
        self.compare(FEW='0')

    def test_ours_without_c(self):
        self.compare(ASYNCORE_PURE='1')

    def test_there_are_enough(self):
        self.assertGreaterEqual(len(self.standard), 25 + 44)


if __name__ == '__main__':
    unittest.main()
