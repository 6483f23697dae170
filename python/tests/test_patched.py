"""Others put something of theirs in the place of what asyncore uses, or look closely at its classes."""

import inspect
import os
import subprocess
import sys
import types
import unittest
import weakref
from unittest import mock

import asynchat
import asyncore

BEFORE = '''
import select, socket, time
said, real, wait = [], select.select, time.sleep
def said_select(*args):
    said.append('select')
    return real(*args)
def said_sleep(seconds):
    said.append('sleep')
    wait(seconds)
select.select, time.sleep = said_select, said_sleep
del select.poll
import asynchat, asyncore
class Chat(asynchat.async_chat):
    def collect_incoming_data(self, data):
        self.push(data)
    def found_terminator(self):
        pass
class Idle:
    def readable(self):
        return False
    writable = readable
here, there = socket.socketpair()
Chat(here).set_terminator(b';')
there.sendall(b'abc;')
asyncore.loop(0.01, False, None, 2)
asyncore.poll(0.001, {0: Idle()})
assert there.recv(10) == b'abc'
print(said)
'''


def run(script, **environment):
    return subprocess.run([sys.executable, '-W', 'ignore', '-c', script], env=dict(os.environ, **environment),
                          stdout=subprocess.PIPE, universal_newlines=True, timeout=60, check=True).stdout


class Patched(unittest.TestCase):
    def test_before_the_import(self):
        """As gevent does it, which waits for all it has in its select; and there is no poll then."""
        self.assertEqual(run(BEFORE).strip(), "['select', 'select', 'sleep']")

    def test_a_module_without_a_file(self):
        self.addCleanup(sys.modules.__setitem__, 'smtpd', sys.modules.get('smtpd'))
        with mock.patch.dict(sys.modules, smtpd=types.ModuleType('smtpd')):
            import fastasyncore
            fastasyncore._forget(ours=True)
            self.assertIn('smtpd', sys.modules)


class Looked(unittest.TestCase):
    def test_methods_can_be_weakly_referenced(self):
        chat = asynchat.async_chat()
        bound = weakref.WeakMethod(chat.push)
        self.assertEqual(bound(), chat.push)
        self.assertIs(weakref.ref(asynchat.async_chat.push)(), asynchat.async_chat.push)
        del chat
        self.assertIsNone(bound())

    def test_mocks_know_the_signatures(self):
        for name in ('push', 'recv', 'readable'):
            with mock.patch.object(asynchat.async_chat, name, autospec=True) as method:
                chat = asynchat.async_chat()
                getattr(chat, name)(*[b''] * (name != 'readable'))
                self.assertIs(method.call_args[0][0], chat)
        chat = mock.create_autospec(asynchat.async_chat)()
        chat.push(b'x')
        for wrong in (chat.push, lambda: chat.readable(1)):
            self.assertRaises(TypeError, wrong)

    def test_methods_pass_for_functions(self):
        functions = dict(inspect.getmembers(asynchat.async_chat, inspect.isfunction))
        self.assertTrue({'push', 'recv', 'send', 'handle_read', 'readable'} <= set(functions))
        for name in ('push', 'readable'):
            raw = vars(asynchat.async_chat)[name]
            self.assertEqual((raw.__name__, raw.__code__.co_varnames[0]), (name, 'self'))
            self.assertEqual(inspect.getfullargspec(raw).args[0], 'self')
        self.assertTrue(inspect.isfunction(asyncore.poll))


if __name__ == '__main__':
    unittest.main()
