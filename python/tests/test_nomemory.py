"""One allocation after another fails, and nothing worse happens than a MemoryError."""

import os
import subprocess
import sys
import textwrap
import unittest

import asyncore

try:
    import _testcapi
except ImportError:
    _testcapi = None

SCRIPT = textwrap.dedent("""
    import asyncore, asynchat, gc, socket, sys
    import _testcapi

    class Chat(asynchat.async_chat):
        ac_cork = %(cork)s
        collect_incoming_data = asynchat.async_chat._collect_incoming_data
        def __init__(self, sock, map):
            asynchat.async_chat.__init__(self, sock, map)
            self.set_terminator(b';')
        def found_terminator(self):
            self.push(self._get_data() + b'!')
            self.push(b'more')
        def handle_error(self):
            raise

    class Asked(Chat):
        def readable(self):
            return True

    def prepare():
        channels, far = {}, []
        for cls in (Chat, Asked) * 5:
            here, there = socket.socketpair()
            cls(here, channels)
            there.send(b'one;two;half')
            far.append(there)
        return channels, far

    def work(channels):
        chats = list(channels.values())
        asyncore.poll(0, channels)
        asyncore.poll2(0, channels)
        chats[0].push(b'x' * 300000)
        chats[1].push_with_producer(asynchat.simple_producer(b'y' * 3000))
        asyncore.poll(0, channels)
        chats[2].close()
        chats[3].ac_in_buffer
        asyncore.poll(0, channels)
        asyncore.poll2(0.001, channels)
        asyncore.close_all(channels)

    def without(number, spared):
        channels, far = prepare()
        _testcapi.set_nomemory(number, number + spared)
        try:
            work(channels)
        except (MemoryError, OSError):
            pass
        except SystemError as why:  # CPython's own, of a frame there is no room for
            if str(why) != 'error return without exception set':
                raise
        finally:
            _testcapi.remove_mem_hooks()
        # afterwards all goes on
        for sock in far:
            sock.setblocking(False)
        asyncore.poll(0, channels)
        for channel in list(channels.values()):
            channel.close()
        for sock in far:
            sock.close()

    asyncore._fast and asyncore._fast.set_few(%(few)d)
    for number in range(1, %(most)d):
        without(number, %(failing)d)
    print('done', end='')
    """)


@unittest.skipUnless(getattr(asyncore, '_fast', None), 'without C it is the interpreter alone that is tried')
@unittest.skipUnless(_testcapi and hasattr(_testcapi, 'set_nomemory'), 'nothing here makes allocations fail')
class NoMemory(unittest.TestCase):
    most = int(os.environ.get('NUMBER', 1500))

    def check(self, **how):
        script = SCRIPT % dict(how, most=self.most)
        done = subprocess.run([sys.executable, '-W', 'ignore', '-c', script], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=300)
        self.assertEqual((done.returncode, done.stdout), (0, b'done'), done.stderr.decode()[-3000:])

    def test_one_fails(self):
        self.check(few=8, failing=1, cork=False)

    def test_one_fails_by_epoll(self):
        self.check(few=0, failing=1, cork=True)

    @unittest.skipIf(hasattr(sys, 'gettotalrefcount'), 'a debug build ends itself over a frame')
    def test_all_fail_from_there_on_for_a_while(self):
        self.check(few=0, failing=5, cork=False)


if __name__ == '__main__':
    unittest.main()
