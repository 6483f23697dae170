"""What a loop that remembers can get wrong: forks, loops in loops, descriptors changed behind its back."""

import contextlib
import os
import resource
import subprocess
import sys
import time
import unittest

from channels import Case, Chat, FAST


class Sockets(Case):
    def test_fork_keeps_parent_and_child_apart(self):
        chats = [self.chat() for _ in range(20)]
        self.passes()
        child = os.fork()
        if not child:
            status = 1
            with contextlib.suppress(BaseException):
                for chat, there in chats[:10]:
                    chat.close()
                chats[15][1].sendall(b'child\n')
                self.passes(1, 1)
                status = 0 if chats[15][0].got == [b'child'] else 2
            os._exit(status)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        for chat, there in chats[:10]:
            there.sendall(b'parent\n')
        self.passes(1, 1)
        self.assertEqual([c.got for c, _ in chats[:10]], [[b'parent']] * 10)

    def test_nested_loops(self):
        inner, far = self.chat()
        outer, there = self.chat()
        for _ in range(12):
            self.chat()

        def nested():
            far.sendall(b'inner\n')
            self.until(lambda: inner.got)
        outer.found_terminator = nested
        there.sendall(b'x\n')
        self.until(lambda: inner.got)

    def test_closed_and_opened_again_under_the_same_number(self):
        chat, _ = self.chat()
        for _ in range(12):
            self.chat()
        self.passes(2)
        new, far = self.pair()
        os.dup2(new.fileno(), chat.socket.fileno())
        far.sendall(b'new\n')
        self.until(lambda: chat.got)

    def test_closed_while_a_child_holds_it(self):
        """The kernel goes on reporting it; nobody may spin on that."""
        chat, there = self.chat()
        for _ in range(12):
            self.chat()
        self.passes(2)
        held = os.dup(chat.socket.fileno())
        self.addCleanup(os.close, held)
        chat.socket.close()
        del self.map[chat._fileno]
        there.sendall(b'x\n')
        self.passes(3)
        began = time.process_time()
        self.passes(1, 0.3)
        self.assertLess(time.process_time() - began, 0.15)

    def test_recursion_of_closes(self):
        chats = [self.chat()[0] for _ in range(20)]

        class Closer(Chat):
            def found_terminator(self):
                for chat in chats:
                    chat.close()
                self.close()
        closer, there = self.chat(Closer)
        there.sendall(b'x\n')
        self.until(lambda: not self.map)

    def test_thousands_of_channels(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        number = 1500
        if hard < 3 * number:
            self.skipTest('too few descriptors')
        resource.setrlimit(resource.RLIMIT_NOFILE, (3 * number, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        if not FAST:
            self.skipTest('select takes no more than 1024')
        chats = [self.chat() for _ in range(number)]
        for _, there in chats:
            there.sendall(b'x\n')
        self.passes(1, 1)
        self.assertEqual(sum(len(c.got) for c, _ in chats), number)

    def test_module_loaded_again(self):
        script = ('import asyncore, asynchat, importlib, socket\n'
                  'importlib.reload(asyncore); importlib.reload(asynchat)\n'
                  'a, b = socket.socketpair()\n'
                  'class C(asynchat.async_chat):\n'
                  '    def collect_incoming_data(self, data): print(data)\n'
                  '    def found_terminator(self): self.close()\n'
                  'C(a).set_terminator(b";")\n'
                  'b.sendall(b"again;")\n'
                  'asyncore.loop(1)\n')
        out = subprocess.run([sys.executable, '-c', script], stdout=subprocess.PIPE, check=True)
        self.assertEqual(out.stdout, b"b'again'\n")


class SocketsByEpoll(Sockets):
    few = 0


if __name__ == '__main__':
    unittest.main()
