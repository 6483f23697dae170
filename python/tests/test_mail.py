"""smtpd as a program, `python -m smtpd`: mail by swaks, and conversations, beside the standard module.

Both have to hear and to say the same. Where no interpreter with the standard module is found, what ours says
is still looked at.
"""

import os
import re
import shutil
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from programs import control, free_port, reach

SWAKS = os.environ.get('SWAKS', 'swaks')
LIMIT = 20000


def blot(text):
    text = re.sub(r'(127\.0\.0\.1):\d+', r'\1:PORT', text)
    text = re.sub(r'Date: [^\n\']*', 'Date: WHEN', text)
    text = re.sub(r'(test| at) \w{3}, \d\d [^\n\']*', r'\1 WHEN', text)
    text = re.sub(r'Message-Id: [^\n\']*', 'Message-Id: WHICH', text)
    return text.replace(socket.getfqdn(), 'HOST')


class Server:
    """`python -m smtpd` with a class that prints what it gets."""

    def __init__(self, python, path, *options):
        self.port, self.out = free_port(), tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [python, '-W', 'ignore', '-u', '-m', 'smtpd', '-n', '-c', 'DebuggingServer', *options,
             '127.0.0.1:%d' % self.port],
            env=dict(os.environ, PYTHONPATH=path, PYTHONIOENCODING='utf-8'),
            stdout=self.out, stderr=subprocess.STDOUT)

    def __enter__(self):
        reach(self.port).close()
        return self

    def __exit__(self, *why):
        self.process.kill()
        self.process.wait()
        self.out.close()

    def said(self):
        self.out.seek(0)
        return blot(self.out.read().decode())

    def swaks(self, *args):
        """Its transcript: what it sent and what it was answered."""
        command = [SWAKS, '--server', '127.0.0.1', '--port', str(self.port), '--timeout', '20', '--helo',
                   'me.example.org', '--from', 'me@example.org', '--to', 'you@example.org', *args]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        return blot(done.stdout.decode(errors='replace')) + 'exit %d' % done.returncode

    def talk(self, *lines):
        """The answer to each line; the last one ends the conversation."""
        with socket.create_connection(('127.0.0.1', self.port), 20) as sock, sock.makefile('rb') as answers:
            heard = [self.answer(answers)]
            for line in lines:
                sock.sendall(line)
                heard.append(self.answer(answers))
        return heard

    def answer(self, answers):
        lines = [answers.readline()]
        while lines[-1][3:4] == b'-':
            lines.append(answers.readline())
        return blot(b''.join(lines).decode())


# ---- Each gives lines that have to be the same on both -------------------------------------------

def message(server):
    yield server.swaks('--header', 'Subject: one', '--body', 'line\n.dot\n..dots\n\nlast')


def hello_of_old(server):
    yield server.swaks('--protocol', 'SMTP', '--body', 'by HELO')


def several_recipients(server):
    yield server.swaks('--to', 'a@example.org,b@example.org', '--body', 'to two')


def eight_bits(server):
    yield server.swaks('--header', 'Subject: gr\u00fcn', '--body', 'sch\u00f6n \u20ac')


def long_lines(server):
    yield server.swaks('--body', 'x' * 9000 + '\n' + 'y' * 997)
    yield server.swaks('--from', 'm' * 600 + '@example.org')


def too_large(server):
    # It takes no command after that, not even QUIT, as ever.
    yield server.swaks('--body', '\n'.join(['z' * 70] * 400), '--timeout', '1')
    yield server.swaks('--body', 'the next one is taken')


def left_early(server):
    yield server.swaks('--quit-after', 'RCPT')
    yield server.swaks('--drop-after', 'MAIL')


def size(server):
    yield server.talk(b'EHLO me\r\n', b'MAIL FROM:<a@example.org> SIZE=%d\r\n' % (LIMIT + 1),
                      b'MAIL FROM:<a@example.org> SIZE=x\r\n',
                      b'MAIL FROM:<a@example.org> SIZE=%d\r\n' % LIMIT, b'QUIT\r\n')


def bodies_and_utf8(server):
    yield server.talk(b'EHLO me\r\n', b'MAIL FROM:<a@example.org> BODY=9BIT\r\n',
                      b'MAIL FROM:<a@example.org> SMTPUTF8=yes\r\n',
                      'MAIL FROM:<\u00fc@example.org> BODY=8BITMIME SMTPUTF8\r\n'.encode(),
                      'RCPT TO:<\u00e9@example.org>\r\n'.encode(), b'DATA\r\n',
                      'Subject: \u20ac\r\n\r\n\u00e4\r\n.\r\n'.encode(), b'QUIT\r\n')


def mistakes(server):
    yield server.talk(b'MAIL FROM:<a@example.org>\r\n', b'HELO\r\n', b'HELO me\r\n', b'HELO me\r\n',
                      b'RCPT TO:<b>\r\n', b'DATA\r\n', b'MAIL\r\n', b'MAIL FROM:<a@example.org> SIZE=1\r\n',
                      b'VRFY b\r\n', b'EXPN l\r\n',
                      b'NOOP x\r\n', b'RSET x\r\n', b'HELP\r\n', b'HELP MAIL\r\n', b'\r\n', b'TURN\r\n',
                      b'x' * 600 + b'\r\n', b'RSET\r\n', b'QUIT\r\n')


def a_line_in_pieces(server):
    with socket.create_connection(('127.0.0.1', server.port), 20) as sock, sock.makefile('rb') as answers:
        server.answer(answers)
        for piece in (b'HE', b'LO me\r', b'\nNO', b'OP\r\nQUIT\r', b'\n'):
            sock.sendall(piece)
            time.sleep(0.01)
        yield blot(answers.read().decode())


BY_SWAKS = (message, hello_of_old, several_recipients, eight_bits, long_lines, too_large, left_early)
BY_HAND = (size, bodies_and_utf8, mistakes, a_line_in_pieces)


class Mail(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.standard = control()

    def hear(self, python, path, scenario):
        options = () if scenario is several_recipients else ('-u', '-s', str(LIMIT))
        with Server(python, path, *options) as server:
            told = list(scenario(server))
            return told, server.said()

    def compare(self, scenarios):
        for scenario in scenarios:
            with self.subTest(scenario.__name__):
                ours = self.hear(sys.executable, os.environ.get('PYTHONPATH', ''), scenario)
                self.assertTrue(ours[0])
                if self.standard:
                    self.assertEqual(ours, self.hear(self.standard, '', scenario))

    @unittest.skipUnless(shutil.which(SWAKS), 'no swaks here')
    def test_swaks_beside_the_standard_module(self):
        self.compare(BY_SWAKS)

    def test_conversations_beside_the_standard_module(self):
        self.compare(BY_HAND)

    @unittest.skipUnless(shutil.which(SWAKS), 'no swaks here')
    def test_what_swaks_is_told(self):
        def ours(scenario):
            told, said = self.hear(sys.executable, os.environ.get('PYTHONPATH', ''), scenario)
            return ''.join(told), said
        told, said = ours(message)
        self.assertIn('exit 0', told)
        for line in ("b'.dot'", "b'..dots'", "b'last'", "b'Subject: one'"):
            self.assertIn(line, said)
        told, said = ours(long_lines)
        self.assertIn("b'" + 'x' * 9000 + "'", said)
        self.assertIn('500 Error: line too long', told)
        told, said = ours(too_large)
        self.assertIn('552 Error: Too much mail data', told)
        self.assertIn('the next one is taken', said)

    def test_what_a_conversation_is_told(self):
        def ours(scenario):
            return next(iter(self.hear(sys.executable, os.environ.get('PYTHONPATH', ''), scenario)[0]))
        told = ours(size)
        self.assertIn('250-SIZE %d\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n' % LIMIT, told[1])
        self.assertEqual([line[:3] for line in told[2:]], ['552', '501', '250', '221'])
        told = ours(bodies_and_utf8)
        self.assertEqual(' '.join(line[:3] for line in told), '220 250 501 501 250 250 354 250 221')

    def test_smtplib(self):
        with Server(sys.executable, os.environ.get('PYTHONPATH', '')) as server:
            with smtplib.SMTP('127.0.0.1', server.port, timeout=20) as client:
                refused = client.sendmail('me@example.org', ['you@example.org'],
                                          'Subject: 1\r\n\r\na\r\n.b\r\n')
            self.assertEqual(refused, {})
            self.assertIn("b'.b'", server.said())

    def test_version_and_help(self):
        for option, status, words in (('-V', 0, 'Python SMTP proxy version 0.3'), ('-h', 0, 'Usage:'),
                                      ('--nonsense', 1, 'Usage:')):
            done = subprocess.run([sys.executable, '-W', 'ignore', '-m', 'smtpd', option], timeout=30,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(done.returncode, status)
            self.assertIn(words, done.stdout.decode())


if __name__ == '__main__':
    unittest.main()
