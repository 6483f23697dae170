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
    def block(self, language, word):
        with open(PAGE, encoding='utf-8') as f:
            blocks = re.findall(r'^```%s\n(.*?)^```$' % language, f.read(), re.S | re.M)
        self.port = free_port()
        return next(block for block in blocks if word in block).replace('8007', str(self.port))

    def echoes(self, command, **more):
        process = subprocess.Popen(command, env=dict(os.environ, **more))
        self.addCleanup(process.wait)
        self.addCleanup(process.send_signal, signal.SIGKILL)
        with reach(self.port) as sock:
            sock.sendall(b'one\r\ntwo\r')
            sock.sendall(b'\nthree\r\n')
            got = b''
            while len(got) < 17:
                got += sock.recv(100)
        self.assertEqual(got, b'one\r\ntwo\r\nthree\r\n')

    def test_asyncore(self):
        self.echoes([sys.executable, '-c', self.block('python', 'import asyncore')])

    def test_asyncio(self):
        self.echoes([sys.executable, '-c', self.block('python', 'import asyncio')])

    @unittest.skipUnless(os.path.exists(LIBRARY) and shutil.which('cc'), 'no libasyncore built here, or no compiler')
    def test_c(self):
        with tempfile.TemporaryDirectory() as folder:
            source, program = os.path.join(folder, 'echo.c'), os.path.join(folder, 'echo')
            with open(source, 'w', encoding='utf-8') as f:
                f.write(self.block('c', 'int main'))
            subprocess.run(['cc', '-std=c11', '-D_GNU_SOURCE', '-I' + os.path.join(ROOT, 'include'), source, LIBRARY,
                            '-o', program], check=True, timeout=60)
            self.echoes([program], LD_LIBRARY_PATH=os.path.dirname(LIBRARY))


if __name__ == '__main__':
    unittest.main()
