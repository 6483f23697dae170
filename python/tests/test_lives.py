"""Interpreters and processes: signals during a wait, daemons, the end with channels open, sub-interpreters.

Each in an interpreter of its own.
"""

import signal
import subprocess
import sys
import time
import unittest

import asyncore

FAST = getattr(asyncore, '_fast', None)

BEFORE = '''
import asyncore, asynchat, os, signal, socket, sys, threading, time
if asyncore._fast:
    asyncore._fast.set_few(%d)

class Chat(asynchat.async_chat):
    collect_incoming_data = asynchat.async_chat._collect_incoming_data
    def __init__(self, sock, map=None):
        asynchat.async_chat.__init__(self, sock, map)
        self.set_terminator(b';')
        self.got = []
    def found_terminator(self):
        self.got.append(self._get_data())
    def handle_error(self):
        raise

pairs = [socket.socketpair() for _ in range(12)]
chats = [Chat(here) for here, _ in pairs]
'''


class Case(unittest.TestCase):
    few = 8

    def run_it(self, script, send=None, status=0):
        """What it says. It is sent a signal when it has said that it waits."""
        command = [sys.executable, '-W', 'ignore::ResourceWarning', '-c', BEFORE % self.few + script]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.stderr.close)
        said = b''
        if send:
            said = child.stdout.readline()
            time.sleep(0.3)
            child.send_signal(send)
        began = time.monotonic()
        out, err = child.communicate(timeout=60)
        self.took = time.monotonic() - began
        self.assertEqual(child.returncode, status, err.decode())
        self.err = err.decode()
        return (said + out).decode()


class Signals(Case):
    def test_control_c_ends_the_wait(self):
        for use_poll in (False, True):
            self.run_it('print("waits", flush=True)\nasyncore.loop(40, %r)' % use_poll, signal.SIGINT,
                        -signal.SIGINT)
            self.assertIn('KeyboardInterrupt', self.err)
            self.assertLess(self.took, 20)

    def test_what_a_signal_handler_raises_comes_out_of_the_loop(self):
        out = self.run_it('''
def handler(*_):
    raise LookupError('stop')
signal.signal(signal.SIGUSR1, handler)
print('waits', flush=True)
try:
    asyncore.loop(40)
except LookupError as why:
    print(why)
pairs[3][1].send(b'after;')
asyncore.loop(1, count=1)
print(chats[3].got)
''', signal.SIGUSR1)
        self.assertEqual(out, "waits\nstop\n[b'after']\n")
        self.assertLess(self.took, 20)

    def test_exit_now_from_a_signal_handler(self):
        out = self.run_it('''
def handler(*_):
    raise asyncore.ExitNow
signal.signal(signal.SIGUSR1, handler)
print('waits', flush=True)
try:
    asyncore.loop(40)
except asyncore.ExitNow:
    print(len(asyncore.socket_map))
''', signal.SIGUSR1)
        self.assertEqual(out, 'waits\n12\n')

    def test_a_signal_handler_that_returns_does_not_shorten_the_wait(self):
        out = self.run_it('''
heard = []
signal.signal(signal.SIGALRM, lambda *_: heard.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
began = time.monotonic()
asyncore.loop(0.5, count=1)
took = time.monotonic() - began
signal.setitimer(signal.ITIMER_REAL, 0)
print(took >= 0.49, took < 20, len(heard) > 2)
''')
        self.assertEqual(out, 'True True True\n')

    @unittest.skipUnless(FAST, 'select fails with EBADF')
    def test_a_signal_handler_that_closes_all_ends_the_loop(self):
        for change in ('asyncore.close_all()', 'asyncore.socket_map.clear()', '[c.close() for c in chats]'):
            out = self.run_it('''
signal.signal(signal.SIGTERM, lambda *_: %s)
print('waits', flush=True)
asyncore.loop(40)
print('ended')
''' % change, signal.SIGTERM)
            self.assertEqual(out, 'waits\nended\n')
            self.assertLess(self.took, 20)

    def test_a_signal_handler_that_pushes(self):
        """A loop within the loop, in the middle of its wait."""
        out = self.run_it('''
def handler(*_):
    pairs[0][1].send(b'inner;')
    asyncore.loop(1, count=1)
    chats[0].push(b'answer')
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.1)
asyncore.loop(0.5, count=1)
print(chats[0].got, pairs[0][1].recv(10))
''')
        self.assertEqual(out, "[b'inner'] b'answer'\n")


class SignalsByEpoll(Signals):
    few = 0


class Processes(Case):
    def test_a_daemon_goes_on_with_its_channels(self):
        out = self.run_it('''
asyncore.loop(0, count=2)
read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    os.close(read)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    for i, (_, there) in enumerate(pairs):
        there.send(b'%d;' % i)
    asyncore.loop(1, count=1)
    asyncore.loop(0, True, count=1)
    os.write(write, repr([c.got for c in chats] == [[b'%d' % i] for i in range(12)]).encode())
    os._exit(0)
os.close(write)
print(os.read(read, 100))
os.wait()
''')
        self.assertEqual(out, "b'True'\n")

    def test_a_child_of_a_thread_that_waits(self):
        """The child has only the thread that forked; its map is served anew."""
        out = self.run_it('''
t = threading.Thread(target=asyncore.loop, args=(1,), kwargs=dict(count=1))
t.start()
time.sleep(0.2)
child = os.fork()
if child == 0:
    here, there = socket.socketpair()
    chat = Chat(here)
    there.send(b'child;')
    asyncore.loop(5, count=1)
    os._exit(0 if chat.got == [b'child'] else 3)
t.join()
print(os.waitpid(child, 0)[1])
''')
        self.assertEqual(out, '0\n')

    def test_every_descriptor_that_pollers_have_is_closed_in_a_new_program(self):
        out = self.run_it('''
asyncore.loop(0, count=2)
for _, there in pairs:
    os.set_inheritable(there.fileno(), False)
os.execv(sys.executable, [sys.executable, '-c', 'import os; print([n for n in os.listdir("/proc/self/fd") '
                          'if os.path.islink("/proc/self/fd/" + n) and int(n) > 2])'])
''')
        self.assertEqual(out, '[]\n')


class ProcessesByEpoll(Processes):
    few = 0


class End(Case):
    def test_with_channels_open(self):
        self.run_it('asyncore.loop(0, count=2)')
        self.assertEqual(self.err, '')

    def test_while_a_daemon_thread_waits(self):
        self.run_it('''
threading.Thread(target=asyncore.loop, args=(20,), daemon=True).start()
time.sleep(0.2)
''')
        self.assertEqual(self.err, '')

    def test_in_a_handler(self):
        out = self.run_it('''
chats[4].found_terminator = lambda: sys.exit(5)
pairs[4][1].send(b';')
asyncore.loop(5)
''', status=5)
        self.assertEqual(out, '')

    def test_a_channel_that_closes_when_the_modules_are_gone(self):
        self.run_it('''
class Late(Chat):
    def __del__(self):
        self.close()
pair = socket.socketpair()
late = Late(pair[0], {})
asyncore.loop(0, map=late._map, count=1)
late.itself = late
''')
        self.assertEqual(self.err, '')


class EndByEpoll(End):
    few = 0


class Again(Case):
    def test_maps_cleared_and_replaced(self):
        out = self.run_it('''
for turn in range(300):
    for i, (here, there) in enumerate(pairs):
        there.send(b'%d;' % turn)
    old = asyncore.socket_map
    if turn % 3 == 0:
        old.clear()
        old.update((c._fileno, c) for c in chats)
    elif turn % 3 == 1:
        asyncore.socket_map = dict(old)
    else:
        asyncore.socket_map = {}
        for c in reversed(chats):
            asyncore.socket_map[c._fileno] = c
            c._map = asyncore.socket_map
    del old
    asyncore.loop(1, turn % 2 == 1, count=1)
print(all(c.got == [b'%d' % t for t in range(300)] for c in chats))
''')
        self.assertEqual(out, 'True\n')

    def test_imported_twice(self):
        """Channels of the first import are served by either."""
        out = self.run_it('''
first, chat = asyncore, chats[0]
asyncore.loop(0, count=1)
for name in ('asyncore', 'asynchat') + (('_asyncore',) if %d else ()):
    sys.modules.pop(name, None)
import asyncore, asynchat
class New(asynchat.async_chat):
    collect_incoming_data = asynchat.async_chat._collect_incoming_data
    def found_terminator(self):
        print('new', self._get_data())
here, there = socket.socketpair()
new = New(here)
new.set_terminator(b';')
there.send(b'x;')
asyncore.loop(1, count=1)
for module in (first, asyncore):
    pairs[0][1].send(b'y;')
    module.loop(1, map=first.socket_map, count=1)
print(chat.got, asyncore is first)
''' % (self.few == 0))
        self.assertEqual(out, "new b'x'\n[b'y', b'y'] False\n")

    def test_sub_interpreters(self):
        """One with a lock of its own has the modules in Python; any other what the first one has."""
        out = self.run_it('''
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
script = """
import asyncore, asynchat, socket
class Chat(asynchat.async_chat):
    collect_incoming_data = asynchat.async_chat._collect_incoming_data
    def found_terminator(self):
        assert self._get_data() == b'x'
        self.close()
ends = []
for _ in range(12):
    here, there = socket.socketpair()
    Chat(here).set_terminator(b';')
    there.send(b'x;')
    ends.append(there)
asyncore.loop(5)
Chat(socket.socketpair()[0])
asyncore.loop(0, count=1)
"""
makers = [interpreters.create]
if sys.version_info >= (3, 13):
    makers.append(lambda: interpreters.create('legacy'))
elif sys.version_info >= (3, 12):
    makers.append(lambda: interpreters.create(isolated=False))
for make in makers * 5:
    other = make()
    failed = interpreters.run_string(other, script)
    assert not failed, failed.formatted
    interpreters.destroy(other)
    for i, (_, there) in enumerate(pairs):
        there.send(b'%d;' % i)
    asyncore.loop(5, count=1)
print([len(c.got) for c in chats] == [5 * len(makers)] * 12)
''')
        self.assertEqual(out, 'True\n')


class AgainByEpoll(Again):
    few = 0


if __name__ == '__main__':
    unittest.main()
