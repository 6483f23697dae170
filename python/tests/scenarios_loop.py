"""Around the loop: loops within it, threads, forks, classes that change, signatures, plain functions."""

import inspect
import os
import threading

import asynchat
import asyncore

from transcript import Chat, Dispatcher, Stage, scenario


@scenario
def nested_loops(stage):
    pairs = [stage.pair() for _ in range(2)]

    class Outer(Dispatcher):
        def handle_read(self):
            stage.say('outer', self.recv(10))
            pairs[1][1].sendall(b'inner')
            stage.passes(1)
            stage.say('out again')
    Outer(stage, pairs[0][0])
    Dispatcher(stage, pairs[1][0], 'inner ')
    pairs[0][1].sendall(b'x')
    stage.passes(1)


@scenario
def threads_with_their_own_maps(stage):
    def work(stage, results, n):
        _, there = stage.channel(Dispatcher)
        for i in range(50):
            there.sendall(b'%d' % i)
            stage.passes(1)
        results[n] = stage.lines
    stages = [Stage() for _ in range(4)]
    results = {}
    threads = [threading.Thread(target=work, args=(s, results, n)) for n, s in enumerate(stages)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    stage.say([len(results[n]) for n in sorted(results)], results[0][-1])
    for s in stages:
        s.close()


@scenario
def forked(stage):
    pairs = [stage.pair() for _ in range(12)]
    for here, _ in pairs:
        Dispatcher(stage, here)
    stage.passes(1)
    child = os.fork()
    if not child:
        try:
            pairs[0][1].sendall(b'child')
            del stage.lines[:]
            stage.passes(1, timeout=1)
            os._exit(0 if stage.lines == ["read b'child'"] else 1)
        finally:
            os._exit(2)
    stage.say('child', os.waitpid(child, 0)[1])
    pairs[3][1].sendall(b'parent')
    stage.passes(1, timeout=1)


@scenario
def class_changed_at_run_time(stage):
    class Other(Dispatcher):
        def handle_read(self):
            stage.say('other', self.recv(10))
    channel, there = stage.channel(Dispatcher)
    there.sendall(b'1')
    stage.passes(1)
    channel.__class__ = Other
    there.sendall(b'2')
    stage.passes(1)


@scenario
def signatures(stage):
    for function in (asyncore.poll, asyncore.poll2, asyncore.loop, asyncore.dispatcher.recv,
                     asyncore.dispatcher.send, asyncore.dispatcher.add_channel,
                     asynchat.async_chat.push, asynchat.async_chat.handle_read):
        stage.say(function.__name__, function.__module__, function.__qualname__, inspect.signature(function))
    chat, _ = stage.channel(Chat)
    stage.say(type(chat.push).__name__, chat.push.__self__ is chat, chat.push == chat.push)
    stage.raises(chat.push)
    stage.raises(chat.push, b'a', b'b')


@scenario
def helpers(stage):
    for haystack, needle in ((b'qwerty\r', b'\r\n'), (b'qwertydkjf', b'\r\n'), (b'', b'ab'), (b'aa', b'aab')):
        stage.say(asynchat.find_prefix_at_end(haystack, needle))
    producer = asynchat.simple_producer(b'abcdefg', 3)
    stage.say([producer.more() for _ in range(4)])
    stage.say(asyncore._strerror(2), asyncore._strerror(-1), asyncore._strerror(1 << 70))
