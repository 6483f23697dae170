"""The servers of doc/migration.md are run, and each sends back what it gets."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from programs import free_port, reach

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, 'doc', 'migration.md')
LIBRARY = os.path.join(ROOT, 'build', 'src', 'libasyncore.so')


@unittest.skipUnless(os.path.exists(PAGE), 'no doc/migration.md beside the tests')
class Migration(unittest.TestCase):
    def setUp(self):
        self.port = free_port()

    def blocks(self):
        """(heading, language): text, with a port of ours."""
        with open(PAGE, encoding='utf-8') as f:
            parts = re.split(r'^## (.*)\n', f.read(), flags=re.M)
        found = [((heading, language), text.replace('8007', str(self.port)))
                 for heading, part in zip(parts[1::2], parts[2::2])
                 for language, text in re.findall(r'^```(\w+)\n(.*?)^```$', part, re.S | re.M)]
        self.assertEqual(len(found), len(dict(found)), 'two of a kind below one heading')
        return dict(found)

    def start(self, command, **more):
        process = subprocess.Popen(command, env=dict(os.environ, **more))
        self.addCleanup(process.wait)
        self.addCleanup(process.send_signal, signal.SIGKILL)

    def echoes(self):
        with reach(self.port) as sock:
            sock.sendall(b'one\r\ntwo\r')
            sock.sendall(b'\nthree\r\n')
            got = b''
            while len(got) < 17:
                piece = sock.recv(100)
                self.assertTrue(piece, got)
                got += piece
        self.assertEqual(got, b'one\r\ntwo\r\nthree\r\n')

    def run_python(self, heading):
        self.start([sys.executable, '-W', 'ignore', '-c', self.blocks()[heading, 'python']])
        self.echoes()
        with reach(self.port) as sock:  # one that leaves in the middle of a line
            sock.sendall(b'half\r')
        self.echoes()

    def test_all_are_here(self):
        self.assertEqual(sorted(self.blocks()), [
            ('C', 'c'), ('C', 'sh'), ('Piece by piece', 'python'), ('asyncio', 'python'),
            ('asynclib', 'python'), ('asyncore', 'python')])

    def test_asyncore(self):
        self.run_python('asyncore')

    def test_asynclib(self):
        self.run_python('asynclib')

    def test_asyncio(self):
        self.run_python('asyncio')

    def test_both(self):
        self.run_python('Piece by piece')

    @unittest.skipUnless(os.path.exists(LIBRARY) and shutil.which('cc'), 'no libasyncore built, or no cc')
    def test_c(self):
        """As the page says it, but for the folder and the library, which is there already."""
        blocks = self.blocks()
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, 'echo.c'), 'w', encoding='utf-8') as f:
                f.write(blocks['C', 'c'])
            make, _, rest = blocks['C', 'sh'].partition(' && ')
            self.assertEqual(make, 'make')
            build, _, run = rest.partition(' && ')
            build = build.replace('-Iinclude', '-Wall -Wextra -Werror -I%s/include' % ROOT)
            build = build.replace('-Lbuild/src', '-L' + os.path.dirname(LIBRARY))
            subprocess.run(build, shell=True, check=True, cwd=folder, timeout=60)
            self.assertEqual(run.split(), ['LD_LIBRARY_PATH=build/src', './echo'])
            self.start([os.path.join(folder, 'echo')], LD_LIBRARY_PATH=os.path.dirname(LIBRARY))
            self.echoes()


if __name__ == '__main__':
    unittest.main()
