"""ac_cork: what is pushed while a chat reads goes out at once, in order, before all that comes behind it."""

import unittest

from channels import Case, Chat


class Cork(Case):
    def corked(self):
        class Corked(Chat):
            ac_cork = True

            def found_terminator(self):
                self.push(self._get_data())
                self.push(b';')
        return self.chat(Corked)

    def test_answers_to_all_that_was_read_come_at_once_and_in_order(self):
        chat, there = self.corked()
        there.sendall(b''.join(b'%d\n' % n for n in range(2000)))
        got = b''
        while got.count(b';') < 2000:
            self.passes()
            got += there.recv(65536)
        self.assertEqual(got, b''.join(b'%d;' % n for n in range(2000)))

    def test_pushed_before_close_is_sent(self):
        chat, there = self.corked()

        def last():
            chat.push(b'bye')
            chat.close()
        chat.found_terminator = last
        there.sendall(b'x\n')
        self.passes(2)
        self.assertEqual(there.recv(10), b'bye')
        self.assertEqual(there.recv(10), b'')

    def test_close_when_done(self):
        chat, there = self.corked()

        def last():
            chat.push(b'bye')
            chat.push(b'bye')
            chat.close_when_done()
        chat.found_terminator = last
        there.sendall(b'x\n')
        self.passes(3)
        self.assertEqual(there.recv(10), b'byebye')
        self.assertEqual(there.recv(10), b'')

    def test_sent_past_the_queue_comes_behind_it(self):
        chat, there = self.corked()

        def direct():
            chat.push(b'1')
            chat.socket.send(b'2')
            chat.push(b'3')
        chat.found_terminator = direct
        there.sendall(b'x\n')
        self.passes(2)
        self.assertEqual(there.recv(10), b'123')

    def test_more_than_the_kernel_takes(self):
        chat, there = self.corked()
        chat.found_terminator = lambda: [chat.push(b'%d' % (n % 10) * 1000) for n in range(3000)]
        there.sendall(b'x\n')
        got = bytearray()
        while len(got) < 3000000:
            self.passes()
            got += there.recv(1 << 20)
        self.assertEqual(bytes(got), b''.join(b'%d' % (n % 10) * 1000 for n in range(3000)))


if __name__ == '__main__':
    unittest.main()
