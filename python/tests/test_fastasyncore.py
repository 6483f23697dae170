"""Import: without a warning, and ours where the standard modules come first on the path.

PYTHONPATH would put ours in front by itself; so the interpreters here are told of them behind their own
library.
"""

import os
import py_compile
import subprocess
import sys
import tempfile
import unittest
import zipfile

import asyncore

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(asyncore.__file__)))
SAY = ('import asyncore, os, sys; '
       'print(__name__, sys.argv, os.path.abspath(asyncore.__file__) == %r, sys.path[0])' % asyncore.__file__)
BEHIND = 'import sys; sys.path.append(%r); ' % ROOT
AS_MODULE = ('sys.argv[1:] = %r; import runpy; '
             'runpy.run_module("fastasyncore", run_name="__main__", alter_sys=True)')


def python(*args, **more):
    return subprocess.run([sys.executable, *args], env=dict(os.environ, PYTHONPATH=''), timeout=60,
                          stdout=subprocess.PIPE, universal_newlines=True, **more)


class Import(unittest.TestCase):
    def test_no_deprecation_warning(self):
        subprocess.run([sys.executable, '-W', 'error', '-c', 'import asyncore, asynchat, smtpd'], check=True)

    def test_install_puts_ours_in_front(self):
        python('-c', BEHIND + 'import fastasyncore; fastasyncore.install(); '
               'import asynchat, asyncore, smtpd; '
               'assert all(m.__file__.startswith(%r) for m in (asynchat, asyncore, smtpd))' % ROOT,
               check=True)

    def test_install_after_an_import(self):
        """What has imported the other one keeps it; who asks from now on has ours."""
        python('-W', 'ignore', '-c', BEHIND + '''
try:
    import asyncore as before
except ImportError:
    before = None
import fastasyncore
fastasyncore.install()
fastasyncore.install()
import asyncore, asynchat
assert hasattr(asyncore, "_fast") and asynchat.asyncore is asyncore
assert hasattr(before, "_fast") == (before is asyncore)
fastasyncore.uninstall()
fastasyncore.uninstall()
if before and before is not asyncore:
    import asyncore as after
    assert not hasattr(after, "_fast")
''', check=True)


class Program(unittest.TestCase):
    """As `python -m fastasyncore ARGS` would run it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = os.path.realpath(folder.name)
        self.program = os.path.join(self.folder, 'program.py')
        with open(self.program, 'w') as f:
            f.write(SAY)

    def run_it(self, *args, **more):
        return python('-c', BEHIND + AS_MODULE % list(args), cwd=self.folder, stderr=subprocess.PIPE, **more)

    def says(self, argv, *args, first=None, **more):
        ran = self.run_it(*args, **more)
        self.assertEqual(ran.stderr, '')
        self.assertEqual(ran.stdout.strip(), '__main__ %s True %s' % (argv, first or self.folder))

    def test_a_file(self):
        self.says(['program.py', 'a', '-b'], 'program.py', 'a', '-b')
        self.says([self.program], self.program)

    def test_a_file_knows_where_it_is(self):
        with open(self.program, 'w') as f:
            f.write('import inspect\nprint(__file__, inspect.currentframe().f_code.co_filename, __name__)')
        direct = python('program.py', cwd=self.folder).stdout
        self.assertEqual(self.run_it('program.py').stdout, direct)

    def test_compiled(self):
        compiled = os.path.join(self.folder, 'program.pyc')
        py_compile.compile(self.program, compiled)
        self.says([compiled], compiled)

    def test_a_link_to_a_file(self):
        os.mkdir(os.path.join(self.folder, 'bin'))
        os.symlink(self.program, os.path.join(self.folder, 'bin', 'serve'))
        self.says(['bin/serve'], 'bin/serve')

    def test_a_module(self):
        ran = self.run_it('-m', 'program', 'a')
        self.assertIn("__main__ ['%s', 'a'] True" % self.program, ran.stdout)

    def test_a_folder_and_a_zip_file(self):
        folder, archive = (os.path.join(self.folder, name) for name in ('app', 'app.zip'))
        os.mkdir(folder)
        os.rename(self.program, os.path.join(folder, '__main__.py'))
        with zipfile.ZipFile(archive, 'w') as out:
            out.write(os.path.join(folder, '__main__.py'), '__main__.py')
        for path in (folder, archive):
            self.says([path, 'x'], path, 'x', first=path)

    def test_text(self):
        self.assertIn("__main__ ['-c', 'x'] True", self.run_it('-c', SAY, 'x').stdout)
        self.assertIn("__main__ ['-', 'x'] True", self.run_it('-', 'x', input=SAY).stdout)

    def test_what_it_ends_with(self):
        self.assertEqual(self.run_it('-c', 'import sys; sys.exit(7)').returncode, 7)
        failed = self.run_it('-c', 'import asyncore; raise asyncore.ExitNow("out")')
        self.assertEqual(failed.returncode, 1)
        self.assertIn('ExitNow: out', failed.stderr)

    def test_a_call_that_is_wrong(self):
        for args in ([], ['-m'], ['-c'], ['-x']):
            ran = self.run_it(*args)
            self.assertEqual((ran.returncode, ran.stdout), (2, ''), args)
            self.assertIn('python -m fastasyncore [', ran.stderr)
        self.assertIn('no such file: missing.py', self.run_it('missing.py').stderr)
        self.assertIn('python -m fastasyncore [', self.run_it('--help').stdout)


if __name__ == '__main__':
    unittest.main()
