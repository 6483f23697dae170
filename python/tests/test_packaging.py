"""pip, as users call it, with no network: from the checkout, the sdist, the wheel, and editable.

All in one virtual environment of the interpreter that runs this, and compiled without optimisation, for the
time it takes. The wheel of an sdist has to be that of the checkout to the byte.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGES = ('asyncore', 'asynchat', 'smtpd', 'asynclib', 'fastasyncore')
BACKEND = 'import sys; sys.path.insert(0, "build_backend"); import backend; backend.%s'
PURE = dict(ASYNCORE_PURE='1')
# Serves one line, and says whether it did so in C, and where it stands.
SERVE = '''
import asynchat, asyncore, socket, smtpd, asynclib
class Chat(asynchat.async_chat):
    collect_incoming_data = asynchat.async_chat._collect_incoming_data
    def found_terminator(self):
        print(self._get_data().decode(), asyncore._fast is not None, asyncore.__file__)
        self.close()
here, there = socket.socketpair()
Chat(here).set_terminator(b';')
there.send(b'line;')
asyncore.loop(5)
'''


def environment(**more):
    """Nothing of where the tests run; no index, and no way to one."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(('PIP_', 'PYTHON')) and name != 'ASYNCORE_PURE'}
    return dict(kept, PIP_NO_INDEX='1', PIP_CONFIG_FILE=os.devnull, PIP_DISABLE_PIP_VERSION_CHECK='1',
                PIP_NO_CACHE_DIR='1', https_proxy='http://127.0.0.1:9', CFLAGS='-O0 -g', **more)


def lines(path):
    return path.decode().splitlines()


@unittest.skipIf('ASYNCORE_PURE' in os.environ or 'LD_PRELOAD' in os.environ, 'once is enough')
class Packaging(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(os.path.join(HERE, 'build_backend')):
            raise unittest.SkipTest('not in a checkout')
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = os.path.realpath(folder.name)
        cls.venv = os.path.join(cls.folder, 'venv')
        made = subprocess.run([sys.executable, '-m', 'venv', cls.venv], env=environment(), timeout=120,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if made.returncode:
            raise unittest.SkipTest('no venv with pip: ' + ' '.join(lines(made.stdout)[:3]))

    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir=self.folder)
        self.addCleanup(folder.cleanup)
        self.out = folder.name

    # ---- What the tests do -----------------------------------------------------------------------

    def run_it(self, *args, status=0, cwd=None, **more):
        """What Python in the virtual environment says."""
        ran = subprocess.run([os.path.join(self.venv, 'bin', 'python'), *args], env=environment(**more),
                             cwd=cwd or self.out, timeout=300, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
        self.assertEqual(ran.returncode, status, ran.stdout.decode())
        return ran.stdout.decode()

    def pip(self, *args, **more):
        return self.run_it('-W', 'ignore', '-m', 'pip', *args, **more)

    def backend(self, call, cwd=HERE, **more):
        return self.run_it('-c', BACKEND % call, cwd=cwd, **more)

    def made(self, ending):
        """The one file of that kind that has been made."""
        found = [name for name in os.listdir(self.out) if name.endswith(ending)]
        self.assertEqual(len(found), 1, found)
        return os.path.join(self.out, found[0])

    def site(self):
        """All files there, but for what is compiled or pip's own."""
        top = self.run_it('-c', 'import sysconfig; print(sysconfig.get_paths()["platlib"])').strip()
        files = (os.path.join(where, name) for where, _, names in os.walk(top) for name in names)
        return {os.path.relpath(path, top) for path in files
                if not re.search(r'__pycache__|/(pip|setuptools|_distutils_hack|pkg_resources)\b', path)}

    def serves(self, in_c=True, folder=None):
        """By a plain import where nothing is in the way, by install(), and as a program."""
        program = os.path.join(self.out, 'program.py')
        with open(program, 'w') as f:
            f.write(SERVE)
        ways = [('-m', 'fastasyncore', program), ('-m', 'fastasyncore', '-m', 'program'),
                ('-c', 'import fastasyncore; fastasyncore.install()\n' + SERVE)]
        for way in ways + [(program,)] * (sys.version_info >= (3, 12)):
            said = self.run_it('-W', 'error', *way).split()
            self.assertEqual(said[:2], ['line', str(in_c)], way)
            self.assertTrue(said[2].startswith(folder or self.venv), said)

    def installed(self, *args, in_c=True, folder=None, **more):
        """Installs it, uses it, and takes it away: nothing may be left."""
        before = self.site()
        self.pip('install', *args, **more)
        try:
            self.serves(in_c, folder)
            there = self.site() - before
        finally:
            self.pip('uninstall', '-y', 'fastasyncore')
        self.assertEqual(self.site(), before)
        return there

    # ---- What is installed -----------------------------------------------------------------------

    def test_checkout(self):
        there = self.installed(HERE)
        for package in PACKAGES:
            for name in ('__init__.py', '__init__.pyi', 'py.typed'):
                self.assertIn('%s/%s' % (package, name), there)
        self.assertEqual(len([name for name in there if name.startswith('_asyncore.')]), 1)

    def test_checkout_without_c(self):
        there = self.installed(HERE, in_c=False, **PURE)
        self.assertEqual([name for name in there if name.endswith('.so')], [])

    def test_editable(self):
        there = self.installed('-e', HERE, folder=HERE)
        self.assertEqual(len([name for name in there if name.startswith('_asyncore.')]), 1)
        self.assertFalse(any(name.startswith('asyncore') for name in there))

    def test_sdist_and_wheels(self):
        """pip builds the same wheel of either, with and without an environment for the build."""
        self.backend('build_sdist(%r)' % self.out)
        sdist, wheels = self.made('.tar.gz'), []
        for args in (['--no-build-isolation', HERE], [sdist]):
            self.pip('wheel', '--no-deps', '-w', self.out, *args)
            with open(self.made('.whl'), 'rb') as f:
                wheels.append(hashlib.sha256(f.read()).hexdigest())
        self.assertEqual(*wheels)
        self.installed(self.made('.whl'))
        self.installed(sdist)

    # ---- What is in it ---------------------------------------------------------------------------

    def test_wheel(self):
        self.backend('build_wheel(%r)' % self.out)
        with zipfile.ZipFile(self.made('.whl')) as archive:
            names = archive.namelist()
            info = 'fastasyncore-%s.dist-info/' % os.path.basename(self.made('.whl')).split('-')[1]
            about = {name: archive.read(info + name) for name in ('METADATA', 'WHEEL', 'RECORD', 'LICENSE')}
        self.assertEqual([line.split(',')[0] for line in lines(about['RECORD'])], names)
        self.assertIn('Tag: cp%d%d-' % sys.version_info[:2], about['WHEEL'].decode())
        self.assertIn(b'MIT License', about['LICENSE'])
        headers, _, text = about['METADATA'].decode().partition('\n\n')
        for header in ('Requires-Python: >=3.8', 'License: MIT', 'License-File: LICENSE',
                       'Classifier: Programming Language :: Python :: 3.13',
                       'Description-Content-Type: text/markdown'):
            self.assertIn(header, headers.split('\n'))
        self.assertEqual(re.findall(r'\]\((?!https?:)[^)]*\)', text), [], 'links that lead nowhere')
        self.assertIn('doc/python-differences.md', text)

    def test_sdist(self):
        self.backend('build_sdist(%r)' % self.out)
        with tarfile.open(self.made('.tar.gz')) as archive:
            archive.extractall(self.out)
        base = self.made('.tar.gz')[:-len('.tar.gz')]
        with open(os.path.join(base, 'README.md'), encoding='utf-8') as f:
            links = re.findall(r'\]\(([^)#]*)', f.read())
        self.assertTrue(links)
        for link in links + ['PKG-INFO', 'pyproject.toml', 'core/LICENSE', 'core/include/asyncore.h']:
            self.assertTrue(os.path.exists(os.path.join(base, link)), link)
        shutil.rmtree(os.path.join(base, 'core'))
        said = self.backend('build_wheel(%r)' % self.out, cwd=base, status=1)
        self.assertIn('this wants the whole repository, or an sdist', said)

    def test_no_compiler(self):
        said = self.backend('build_wheel(%r)' % self.out, CC='/nowhere/cc', status=1)
        self.assertIn('With ASYNCORE_PURE=1 in the environment it is built without C', said)
        self.backend('build_wheel(%r)' % self.out, CC='/nowhere/cc', **PURE)
        self.assertTrue(self.made('.whl').endswith('-py3-none-any.whl'))


if __name__ == '__main__':
    unittest.main()
