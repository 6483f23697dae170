"""What a script prints as JSON with the standard modules and with ours: tests that compare the two."""

import json
import os
import subprocess
import sys
import unittest

from programs import control


class Beside(unittest.TestCase):
    """`command` is the script with its arguments, `asked` what it reads as JSON, if anything."""

    maxDiff = None
    command = ()
    asked = None

    @classmethod
    def setUpClass(cls):
        python = control()
        if not python:
            raise unittest.SkipTest('no interpreter with the standard modules here')
        cls.standard = cls.said(python, '')

    @classmethod
    def said(cls, python, path, **more):
        environment = dict(os.environ, PYTHONPATH=path, PYTHONHASHSEED='0', PYTHONIOENCODING='utf-8', **more)
        done = subprocess.run([python, '-W', 'ignore', *cls.command], input=json.dumps(cls.asked).encode(),
                              env=environment, stdout=subprocess.PIPE, check=True, timeout=300)
        return json.loads(done.stdout.decode().splitlines()[-1])

    def ours(self, **environment):
        """As much as the standard modules have said."""
        ours = self.said(sys.executable, os.environ.get('PYTHONPATH', ''), **environment)
        self.assertEqual(len(ours), len(self.standard))
        return ours
