"""A program that others wrote, served by ours: Debian's pyftpdlib, with curl."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from programs import free_port, reach


def has(module):
    """Where ours is, it is; else it has to be on PYTHONPATH, or in the folder PYFTPDLIB."""
    return subprocess.run([sys.executable, '-c', 'import ' + module], stderr=subprocess.DEVNULL,
                          env=environment()).returncode == 0


def environment():
    path = os.pathsep.join(filter(None, (os.environ.get('PYTHONPATH'), os.environ.get('PYFTPDLIB'))))
    return dict(os.environ, PYTHONPATH=path, PYTHONUNBUFFERED='1')


def curl(*args):
    return subprocess.run(['curl', '-sS', *args], check=True, timeout=60, stdout=subprocess.PIPE).stdout


class Program(unittest.TestCase):
    def start(self, *args):
        out = tempfile.TemporaryFile()
        self.addCleanup(out.close)
        process = subprocess.Popen([sys.executable, *args], env=environment(), stdout=out,
                                   stderr=subprocess.STDOUT)
        self.addCleanup(process.wait)
        self.addCleanup(process.send_signal, signal.SIGKILL)
        return process, out

    def said(self, out):
        out.seek(0)
        return out.read().decode()


@unittest.skipUnless(shutil.which('curl') and has('pyftpdlib'), 'no curl or no pyftpdlib')
class Ftp(Program):
    def test_up_and_down(self):
        port = free_port()
        with tempfile.TemporaryDirectory() as folder:
            data = os.urandom(3000000)
            with open(os.path.join(folder, 'up'), 'wb') as f:
                f.write(data)
            os.mkdir(os.path.join(folder, 'served'))
            os.chmod(os.path.join(folder, 'served'), 0o777)
            self.start('-m', 'pyftpdlib', '-i', '127.0.0.1', '-p', str(port), '-w', '-d',
                       os.path.join(folder, 'served'))
            reach(port).close()
            url = 'ftp://127.0.0.1:%d/' % port
            curl('-T', os.path.join(folder, 'up'), url + 'file')
            got, listed = curl(url + 'file'), curl(url)
        self.assertEqual(got, data)
        self.assertIn(b'file', listed)


if __name__ == '__main__':
    unittest.main()
