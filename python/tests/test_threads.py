"""Threads: each with a map of its own, several in one, pushes and closes from outside the loop."""

import socket
import threading
import time
import unittest

import asynchat
import asyncore

from channels import Case, Chat, FAST


class Threads(Case):
    def test_threads_with_their_own_maps(self):
        failures = []

        def work(n):
            try:
                channels = {}
                pairs = [socket.socketpair() for _ in range(n)]
                chats = [Chat(here, channels) for here, _ in pairs]
                for i in range(200):
                    pairs[i % n][1].sendall(b'%d\n' % i)
                    asyncore.loop(1, map=channels, count=1)
                got = sum(len(c.got) for c in chats)
                if got != 200:
                    failures.append(got)
                asyncore.close_all(channels)
                for pair in pairs:
                    pair[1].close()
            except Exception as why:
                failures.append(why)
        threads = [threading.Thread(target=work, args=(n,)) for n in (1, 5, 12, 30)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
        self.assertEqual(failures, [])

    @unittest.skipUnless(FAST, 'in Python two threads may trip over each other, as in the standard modules')
    def test_pushed_from_another_thread(self):
        """What the kernel takes at once, C sends without letting another thread in between."""
        chat, there = self.chat()
        for _ in range(12):
            self.chat()
        stop = threading.Event()

        def work():
            for _ in range(100):  # not more than a socket's buffer holds if nobody reads
                chat.push(b'x' * 500)
            stop.set()
        t = threading.Thread(target=work)
        t.start()
        got = 0
        while got < 50000:
            self.passes(1, 0.001)
            there.settimeout(5)
            got += len(there.recv(65536))
        t.join()
        self.assertEqual(got, 50000)

    def test_closed_by_another_thread(self):
        for _ in range(12):
            self.chat()
        victim, _ = self.chat()
        t = threading.Timer(0.05, victim.close)
        t.start()
        self.passes(1, 0.2)
        t.join()
        self.passes(3)
        self.assertNotIn(victim, self.map.values())

    @unittest.skipUnless(FAST, 'select does not hear of it')
    def test_the_last_one_closed_by_another_thread_ends_the_loop(self):
        victim, _ = self.chat()
        t = threading.Timer(0.1, victim.close)
        t.start()
        began = time.monotonic()
        asyncore.loop(20, map=self.map)
        t.join()
        self.assertLess(time.monotonic() - began, 10)

    def test_one_put_in_by_another_thread_is_left_alone_until_it_is_made(self):
        self.chat()
        here, there = self.pair()
        there.sendall(b'x\n')
        made = []

        class Slow(Chat):
            def __init__(self, sock, map):
                asynchat.async_chat.__init__(self, sock, map)
                time.sleep(0.1)
                self.got = []
                self.set_terminator(b'\n')
                made.append(self)
        t = threading.Timer(0.1, Slow, (here, self.map))
        t.start()
        self.passes(1, 0.5)
        t.join()
        self.until(lambda: made[0].got)

    def test_two_threads_in_one_map(self):
        chat, there = self.chat()
        for _ in range(12):
            self.chat()
        t = threading.Thread(target=self.passes, args=(1, 0.3))
        t.start()
        time.sleep(0.05)
        extra, far = self.chat()
        far.sendall(b'new\n')
        self.passes(1, 0.1)
        t.join()
        self.assertEqual(extra.got, [b'new'])
        there.sendall(b'old\n')
        self.until(lambda: chat.got)


class ThreadsByEpoll(Threads):
    few = 0


if __name__ == '__main__':
    unittest.main()
