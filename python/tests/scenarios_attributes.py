"""Attributes set, shadowed and missing, methods overridden or called past the loop, other bases."""

import contextlib
import select
import socket
import threading
import time
from unittest import mock

import asynchat
import asyncore

from transcript import Chat, Dispatcher, scenario


@scenario
def attributes_where_one_looks_for_them(stage):
    chat, _ = stage.channel(Chat)
    stage.say(sorted(vars(chat)))
    stage.say(asyncore.dispatcher.connected, asyncore.dispatcher.accepting)
    stage.say(asynchat.async_chat.ac_in_buffer_size)
    stage.say(hasattr(asynchat.async_chat, 'producer_fifo'), hasattr(asynchat.async_chat, 'socket'))
    stage.raises(getattr, asynchat.async_chat, 'ac_in_buffer')
    del chat.connected
    stage.say(chat.connected)
    del chat.ac_in_buffer
    stage.raises(getattr, chat, 'ac_in_buffer')
    stage.say([c.__name__ for c in asynchat.async_chat.__mro__])


@scenario
def state_set_by_hand(stage):
    here, there = stage.pair()
    chat = Chat(stage, here)
    stage.passes(1)
    chat.connected = False
    chat.plan = {}
    stage.say(chat.writable())
    stage.passes(1)
    chat.connected = True
    chat.accepting = True
    chat.handle_accept = lambda: stage.say('accept', there.send(b'x'), here.recv(10))
    there.sendall(b'x')
    stage.passes(1)
    chat.accepting = False
    there.sendall(b'back\n')
    stage.passes(1)


@scenario
def state_set_before_init(stage):
    class Early(Dispatcher):
        def __init__(self, stage, sock):
            self.connected = True
            self.accepting = False
            self.stage = stage
            stage.say(self.connected, self.readable())
            Dispatcher.__init__(self, stage, sock)
    _, there = stage.channel(Early)
    there.sendall(b'x')
    stage.passes(1)


@scenario
def class_attributes_overridden(stage):
    class Small(Chat):
        ac_in_buffer_size = 2
        ac_out_buffer_size = 3
        connected = True

    chat, there = stage.channel(Small)
    there.sendall(b'abc\n')
    stage.passes(3)
    with mock.patch.object(Small, 'send', lambda self, data: stage.say('send', data) or len(data)):
        chat.push(b'12345678')
        stage.passes(4)
    chat.ac_in_buffer_size = 1
    there.sendall(b'xy\n')
    stage.passes(3)


@scenario
def read_event_is_read(stage):
    class Short(Dispatcher):
        def handle_read(self):
            stage.say('read', self.connected, self.recv(10))
        handle_read_event = handle_read
    channel, there = stage.channel(Short)
    channel.connected = False
    there.sendall(b'x')
    stage.passes(1)


@scenario
def getattr_and_setattr_overridden(stage):
    class Odd(Chat):
        def __getattr__(self, name):
            if name.startswith('_') or name == 'stage':
                raise AttributeError(name)
            return 'made up ' + name

        def __setattr__(self, name, value):
            self.__dict__[name] = value
    chat, there = stage.channel(Odd)
    stage.say(chat.missing)
    there.sendall(b'a\n')
    stage.passes(1)
    chat.connected = False
    stage.say(bool(chat.writable()))


@scenario
def no_fileno_of_its_own(stage):
    class Bare(asyncore.dispatcher):
        _fileno = None

        def __init__(self):
            self._map = stage.map
            self.socket = None
    bare = Bare()
    stage.say(repr(bare).split(' at ')[0])
    bare.del_channel()
    bare.close()
    bare.close()
    stage.say(bare.connected, len(stage.map))


@scenario
def add_and_del_channel_overridden(stage):
    class Registered(Dispatcher):
        def add_channel(self, map=None):
            stage.say('add', map is None or map is stage.map)
            asyncore.dispatcher.add_channel(self, map)

        def del_channel(self, map=None):
            stage.say('del')
            asyncore.dispatcher.del_channel(self, map)
    channel, there = stage.channel(Registered)
    there.sendall(b'x')
    stage.passes(1)
    channel.close()
    stage.say(channel._fileno, len(stage.map))


@scenario
def never_in_a_map(stage):
    class Alone(Dispatcher):
        def add_channel(self, map=None):
            pass
    alone, there = stage.channel(Alone)
    there.sendall(b'x')
    stage.passes(1)
    asyncore.read(alone)
    asyncore.write(alone)
    asyncore.readwrite(alone, select.POLLOUT)
    alone.close()


@scenario
def functions_called_directly(stage):
    channel, there = stage.channel(Dispatcher)
    there.sendall(b'x')
    asyncore.poll(0, stage.map)
    there.sendall(b'y')
    asyncore.poll2(0, stage.map)
    there.sendall(b'z')
    asyncore.poll3(timeout=0, map=stage.map)
    asyncore._exception(channel)
    asyncore.readwrite(channel, select.POLLHUP)
    stage.say(asyncore.poll3 is asyncore.poll2, len(stage.map))


@scenario
def timeouts_that_are_wrong(stage):
    Dispatcher(stage, stage.pair()[0])
    for timeout in ('x', -1, None.__class__):
        stage.raises(asyncore.poll, timeout, stage.map)
    stage.raises(asyncore.poll2, 'x', stage.map)
    stage.raises(asyncore.poll2, 'x', {})
    stage.raises(asyncore.poll, 'x', {})
    stage.raises(asyncore.poll, 0, stage.map, 3)


@scenario
def sub_millisecond_timeouts(stage):
    Dispatcher(stage, stage.pair()[0])
    for use_poll in (False, True):
        began = time.monotonic()
        for _ in range(20):
            stage.passes(1, use_poll, 0.0005)
        took = time.monotonic() - began
        stage.say('slept' if took >= 0.01 else 'span')


@scenario
def own_log(stage):
    class Logging(asyncore.dispatcher):
        ignore_log_types = frozenset(['info'])
    channel = Logging(None, stage.map)
    channel.log('one')
    channel.log_info('two')
    channel.log_info('three', 'warning')
    with contextlib.suppress(NotImplementedError):
        asynchat.async_chat(None, stage.map).found_terminator()


@scenario
def mix_ins(stage):
    class Both(Chat, threading.Thread):
        def __init__(self, stage, sock):
            threading.Thread.__init__(self)
            Chat.__init__(self, stage, sock)

    class AsDict(asyncore.dispatcher, dict):
        def handle_read(self):
            self['read'] = self.recv(10)
            stage.say(dict(self))

    class AsError(asynchat.async_chat, Exception):
        def collect_incoming_data(self, data):
            stage.say(data)

        def found_terminator(self):
            raise self
    for cls in (Both, AsDict, AsError):
        here, there = stage.pair()
        if cls is AsError:
            channel = AsError(here, stage.map)
            channel.set_terminator(b'\n')
        else:
            channel = cls(stage, here) if cls is Both else cls(here, stage.map)
        there.sendall(b'a\n')
        stage.passes(1)
        with socket.socket() as _:
            stage.say(cls.__name__, channel in stage.map.values())


@scenario
def a_neighbour_gets_another_class(stage):
    class Paused(Chat):
        def readable(self):
            return False

    for use_poll in (False, True):
        chats = [stage.channel(Chat, name='%d ' % i) for i in range(20)]
        stage.passes(20, use_poll)
        chat, there = chats[7]
        chat.__class__ = Paused
        for _ in range(20):
            there.sendall(b'x\n')
            chats[3][1].sendall(b'y\n')
            stage.passes(1, use_poll)
        stage.map.clear()
