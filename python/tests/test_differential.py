"""The same scenarios on the standard modules of 3.11 and on ours: the transcripts have to be equal.

Differences that are meant to be stand in KNOWN, and their reasons in doc/python-differences.md.
"""

import json
import os
import subprocess
import sys
import unittest

from programs import control

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = os.path.join(HERE, 'transcript.py')

KNOWN = {}


def transcripts(python, path, **more):
    environment = dict(os.environ, PYTHONPATH=path, PYTHONHASHSEED='0', **more)
    out = subprocess.run([python, '-W', 'ignore', SCRIPT], env=environment, stdout=subprocess.PIPE,
                         check=True, timeout=300).stdout
    return json.loads(out.decode().splitlines()[-1])


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
