"""The example programs are run as a person runs them."""

import os
import signal
import socket
import subprocess
import sys
import unittest

from programs import free_port, reach

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EXAMPLES = os.path.join(ROOT, 'examples')

ENQ, ACK, NAK, EOT = b'\x05', b'\x06', b'\x15', b'\x04'


def frame(number, text, end=b'\x03'):
    body = b'%d%s%s' % (number, text, end)
    return b'\x02%s%02X\r\n' % (body, sum(body) % 256)


@unittest.skipUnless(os.path.exists(EXAMPLES), 'no examples beside the tests')
class Astm(unittest.TestCase):
    def start(self, *options):
        port = free_port()
        self.server = subprocess.Popen(
            [sys.executable, os.path.join(EXAMPLES, 'astm_receiver.py'), '--port', str(port), *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        self.addCleanup(self.end)
        self.assertEqual(self.server.stdout.readline(), 'listening on 127.0.0.1:%d\n' % port)
        self.port = port
        return self.analyser()

    def end(self):
        if self.server.poll() is None:
            self.server.kill()
        self.server.communicate()

    def analyser(self):
        sock = reach(self.port)
        self.addCleanup(sock.close)
        sock.settimeout(10)
        self.name = '127.0.0.1:%d' % sock.getsockname()[1]
        return sock

    def says(self, *lines):
        self.assertEqual([self.server.stdout.readline() for _ in lines], [line + '\n' for line in lines])

    def asks(self, sock, sent, answer):
        sock.sendall(sent)
        self.assertEqual(sock.recv(10), answer)

    def stop(self, number, last):
        self.server.send_signal(number)
        out, err = self.server.communicate(timeout=10)
        self.assertEqual((out, err, self.server.returncode), (last + '\n', '', 0))

    def test_a_message_and_the_end(self):
        sock = self.start()
        self.asks(sock, frame(1, b'before ENQ') + ENQ, ACK)
        self.asks(sock, frame(1, b'H|\\^&\rP|1\r', b'\x17'), ACK)
        self.asks(sock, frame(1, b'H|\\^&\rP|1\r', b'\x17'), ACK)
        self.asks(sock, frame(2, b'R|1|4.2\r')[:-4] + b'00\r\n', NAK)
        self.asks(sock, frame(3, b'R|1|4.2\r'), NAK)
        whole = frame(2, b'R|1|4.2\r')
        sock.sendall(whole[:5])
        self.asks(sock, whole[5:], ACK)
        sock.sendall(EOT)
        self.says(*('%s %s' % (self.name, text) for text in ('H|\\^&', 'P|1', 'R|1|4.2')))
        self.stop(signal.SIGTERM, '1 messages')

    def test_numbers_go_round(self):
        sock = self.start('--report', '0.2')
        self.asks(sock, ENQ, ACK)
        for number in range(1, 18):
            self.asks(sock, frame(number % 8, b'%d ' % number), ACK)
        sock.sendall(EOT)
        expected = '%s %s\n' % (self.name, ''.join('%d ' % n for n in range(1, 18)))
        while self.server.stdout.readline() != expected:
            pass
        self.says('1 messages so far', '1 messages so far')

    def test_silence(self):
        sock = self.start('--timeout', '0.2', '--idle', '0.7')
        self.asks(sock, ENQ, ACK)
        self.asks(sock, frame(1, b'half'), ACK)
        self.says('%s fell silent in a message, which is dropped' % self.name)
        self.says('%s said nothing for 0.7 s' % self.name)
        self.assertEqual(sock.recv(10), b'')

    def test_a_frame_without_end_is_that_connections_error(self):
        sock = self.start()
        good = self.analyser()
        sock.sendall(ENQ + b'\x02' + b'1' * 70000)
        try:
            while sock.recv(10):
                pass
        except ConnectionResetError:
            pass
        self.asks(good, ENQ, ACK)
        self.server.send_signal(signal.SIGINT)
        out, err = self.server.communicate(timeout=10)
        self.assertEqual(out, '0 messages\n')
        self.assertIn('a record of more than 64000 bytes', err)
        self.assertRaises(OSError, socket.create_connection, ('127.0.0.1', self.port))


if __name__ == '__main__':
    unittest.main()
