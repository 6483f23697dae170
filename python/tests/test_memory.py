"""What is left behind: by connections, by maps that are dropped, by cycles; and who is still referred to.

NUMBER=1000000 makes the connections so many. A debug build of the interpreter counts every reference.
"""

import ctypes
import gc
import os
import socket
import sys
import unittest
import weakref

import asynchat
import asyncore

from channels import FAST, Case, Chat

NUMBER = int(os.environ.get('NUMBER', 0))
SANITIZED = 'san' in os.environ.get('LD_PRELOAD', '')


class Heap(ctypes.Structure):
    """mallinfo2() of glibc 2.33 and later."""

    _fields_ = [(name, ctypes.c_size_t) for name in (
        'arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost').split()]


def in_use():
    """Bytes that malloc() has given out, Python's own arenas among them; None if nobody says."""
    ask = getattr(ctypes.CDLL(None), 'mallinfo2', None)
    if not ask or SANITIZED:
        return None
    ask.restype = Heap
    heap = ask()
    return heap.uordblks + heap.hblkhd


def descriptors():
    """The number of each kind: sockets, epoll, eventfd."""
    kinds = {}
    for name in os.listdir('/proc/self/fd'):
        try:
            kind = os.readlink('/proc/self/fd/' + name).partition(':[')[0]
        except OSError:  # the one that has just been listed with
            continue
        kinds[kind] = kinds.get(kind, 0) + 1
    return kinds


def garbage_free(count):
    """What that counts when nothing is left to be collected."""
    gc.collect()
    return count()


def everything():
    return {'objects': len(gc.get_objects()), 'blocks': sys.getallocatedblocks(),
            'references': getattr(sys, 'gettotalrefcount', lambda: 0)(), 'heap': in_use() or 0}


class Acceptor(asyncore.dispatcher):
    def __init__(self, map):
        asyncore.dispatcher.__init__(self, map=map)
        self.create_socket()
        self.set_reuse_addr()
        self.bind(('127.0.0.1', 0))
        self.listen(50)

    def handle_accepted(self, sock, addr):
        Chat(sock, self._map).push(b'hello')


class Memory(Case):
    # Caches of the interpreter come and go; what a connection leaves behind shows a thousand times over.
    slack = {'objects': 50, 'blocks': 200, 'references': 200, 'heap': 200000}

    def leaves_nothing(self, work, number):
        """As many descriptors of each kind, and as much memory, as before."""
        work(200)
        files, before = garbage_free(descriptors), garbage_free(everything)
        work(number)
        after = garbage_free(everything)
        self.assertEqual(descriptors(), files)
        for what, most in self.slack.items():
            self.assertLess(abs(after[what] - before[what]), most, what)
        if NUMBER:
            print('%d: %s before, %s after, %s' % (number, before, after, files), file=sys.stderr)

    def connections(self, count):
        server = Acceptor(self.map)
        for _ in range(count):
            client = socket.create_connection(server.socket.getsockname())
            client.sendall(b'line\n')
            self.passes(1, 1)
            self.passes(1, 1)
            client.close()
            self.passes(1, 1)
        server.close()

    def test_many_connections(self):
        self.leaves_nothing(self.connections, NUMBER or (20000 if FAST and not SANITIZED else 2000))

    def maps(self, count):
        """Each with channels, served, closed and dropped; a channel of every second one lies in a cycle."""
        for n in range(count):
            channels = {}
            ends = []
            for _ in range(2):
                here, there = socket.socketpair()
                ends.append(there)
                chat = Chat(here, channels)
            if n % 2:
                chat.itself = chat
            ends[0].send(b'line\n')
            asyncore.loop(0, n % 3 == 0, channels, 2)
            for there in ends:
                there.close()
            asyncore.loop(0, n % 3 == 0, channels, 2)
            self.assertEqual(channels, {})

    def test_many_maps(self):
        if not FAST or self.few is None or sys.version_info >= (3, 12):
            self.leaves_nothing(self.maps, 3000)
            return
        # Up to 3.11 a dict does not say that it is gone: so many pollers are kept at most.
        before = garbage_free(descriptors)
        self.maps(500)
        kept = garbage_free(descriptors)
        self.maps(3000)
        most = max(sum(before.values()) + 64, sum(kept.values()))
        self.assertLessEqual(sum(garbage_free(descriptors).values()), most)

    def test_channels_are_freed_when_they_are_closed(self):
        chats = [self.chat()[0] for _ in range(20)]
        self.passes(3)
        alive = [weakref.ref(chat) for chat in chats]
        for chat in chats:
            chat.close()
        del chat, chats
        self.assertEqual([ref() for ref in alive], [None] * 20)

    def test_a_map_that_is_dropped_frees_its_channels(self):
        before = sum(descriptors().values())
        for _ in range(200):
            channels = {}
            pairs = [socket.socketpair() for _ in range(12)]
            alive = [weakref.ref(Chat(here, channels)) for here, _ in pairs]
            asyncore.loop(0, map=channels, count=2)
            for pair in pairs:
                for sock in pair:
                    sock.close()
            del pair, pairs, sock, channels
            gc.collect()
            self.assertFalse(any(ref() for ref in alive))
        self.assertLessEqual(sum(descriptors().values()), before + 64)

    def test_garbage_cycles_are_collected(self):
        chat, _ = self.chat()
        self.passes()
        chat.itself = chat
        chat.readable = chat.readable
        alive = weakref.ref(chat)
        chat.close()
        del chat
        self.assertIsNotNone(alive())
        gc.collect()
        self.assertIsNone(alive())

    def talk(self):
        chat, there = self.chat()
        there.sendall(b'a\nb\nhalf')
        self.passes(2, 0)
        chat.push(b'answer')
        chat.push(b'')
        chat.close_when_done()
        self.passes(3, 0)
        there.close()
        self.sockets.clear()

    def test_references_are_given_back(self):
        watched = [None, b'', asynchat.async_chat, Chat, socket.socket, self.map]
        counts = []
        for turns in (50, 1000):
            for _ in range(turns):
                self.talk()
            gc.collect()
            counts.append([sys.getrefcount(each) for each in watched])
        for each, was, now in zip(watched, *counts):
            self.assertLess(abs(now - was), 50, each)


class MemoryByEpoll(Memory):
    few = 0


if __name__ == '__main__':
    unittest.main()
