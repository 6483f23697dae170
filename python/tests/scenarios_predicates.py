"""readable() and writable(): when they are asked, and who may answer for them."""

import time
from unittest import mock

import asynchat
import asyncore

from transcript import Chat, Dispatcher, scenario


@scenario
def predicates_called_once_a_pass_in_order(stage):
    class Asked(Dispatcher):
        def readable(self):
            stage.say(self.name, 'readable?')
            return True

        def writable(self):
            stage.say(self.name, 'writable?')
            return False
    for n in range(3):
        Asked(stage, stage.pair()[0], str(n))
    stage.passes(2)
    stage.passes(1, True)


@scenario
def predicate_with_an_odd_answer(stage):
    class Odd(Dispatcher):
        answers = [[], 'yes', None, 0, 2.5]

        def readable(self):
            return self.answers.pop(0)

        def handle_read(self):
            stage.say('read')
    _, there = stage.channel(Odd)
    there.sendall(b'x')
    stage.passes(5, timeout=0)


@scenario
def predicate_that_raises(stage):
    class Bad(Dispatcher):
        def readable(self):
            raise ValueError('readable')
    Bad(stage, stage.pair()[0])
    for use_poll in (False, True):
        stage.raises(stage.passes, 1, use_poll)
    stage.say(len(stage.map))


@scenario
def predicate_that_depends_on_time(stage):
    class Later(Dispatcher):
        def readable(self):
            return time.monotonic() > self.when
    channel, there = stage.channel(Later)
    channel.when = time.monotonic() + 0.03
    there.sendall(b'x')
    stage.passes(1, timeout=0)
    stage.say('not yet')
    stage.until(lambda: stage.lines[-1].startswith('read'))


@scenario
def predicates_of_the_instance(stage):
    chat, there = stage.channel(Chat)
    there.sendall(b'a\n')
    chat.readable = lambda: False
    stage.passes(1)
    stage.say('deaf', 'readable' in vars(chat))
    del chat.readable
    stage.passes(1)
    chat.writable = lambda: stage.say('asked')
    stage.passes(2)
    del chat.writable
    stage.passes(1)
    stage.raises(chat.__delattr__, 'writable')


@scenario
def predicates_of_the_class_patched(stage):
    _, there = stage.channel(Chat)
    there.sendall(b'a\n')
    stage.passes(1)
    there.sendall(b'b\n')
    with mock.patch.object(Chat, 'readable', lambda self: False):
        stage.passes(1)
        stage.say('deaf')
    with mock.patch.object(asynchat.async_chat, 'writable', lambda self: stage.say('asked')):
        stage.passes(1)
    stage.passes(1)


@scenario
def writable_by_default_spins(stage):
    class Writer(asyncore.dispatcher):
        def handle_write(self):
            stage.say('write')
    Writer(stage.pair()[0], stage.map)
    stage.passes(2)
    stage.passes(1, True)


@scenario
def base_methods_called_by_subclass(stage):
    class Proud(Chat):
        def readable(self):
            stage.say('readable', asynchat.async_chat.readable(self), asyncore.dispatcher.readable(self))
            return super().readable()

        def writable(self):
            answer = super().writable()
            stage.say('writable', type(answer).__name__, bool(answer))
            return answer
    chat, there = stage.channel(Proud)
    there.sendall(b'a\n')
    stage.passes(1)
    chat.producer_fifo.append(b'x')
    stage.passes(2)
    stage.say(there.recv(10))
