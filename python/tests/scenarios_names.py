"""Names that programs replace: `asyncore.socket_map`, `select`, `poll`, `read`, the sockets themselves."""

import select
import types
from unittest import mock

import asyncore

from transcript import Chat, Dispatcher, scenario


@scenario
def socket_map_rebound(stage):
    here, there = stage.pair()
    before = asyncore.socket_map

    class Reader(asyncore.dispatcher):
        def handle_read(self):
            stage.say(self.recv(10))
    try:
        asyncore.socket_map = {}
        Reader(here)
        there.sendall(b'x')
        asyncore.loop(0.01, count=1)
        stage.say(len(before), len(asyncore.socket_map))
        asyncore.socket_map.clear()
    finally:
        asyncore.socket_map = before


@scenario
def select_rebound(stage):
    _, there = stage.channel(Dispatcher)
    there.sendall(b'x')

    def mine(r, w, e, timeout):
        stage.say('select', len(r), len(w), len(e), timeout)
        return select_itself(r, w, e, timeout)
    select_itself = select.select
    with mock.patch('select.select', mine):
        stage.passes(1)
    with mock.patch.object(asyncore, 'select', types.SimpleNamespace(select=mine)):
        stage.passes(1)
    there.sendall(b'y')
    stage.passes(1)


@scenario
def poll_rebound(stage):
    _, there = stage.channel(Dispatcher)
    there.sendall(b'x')
    with mock.patch.object(asyncore, 'poll', lambda timeout, map: stage.say('poll', timeout, len(map))):
        stage.passes(2)
    stage.passes(1)


@scenario
def time_rebound(stage):
    Chat(stage).readable = lambda: False
    channel, _ = stage.channel(Dispatcher)
    channel.readable = lambda: False
    with mock.patch('time.sleep', lambda seconds: stage.say('sleep', seconds)):
        stage.passes(1)


@scenario
def read_rebound(stage):
    _, there = stage.channel(Dispatcher)
    there.sendall(b'x')
    with mock.patch.object(asyncore, 'read', lambda obj: stage.say('read', type(obj).__name__)):
        stage.passes(1)
    stage.passes(1)


@scenario
def socket_module_mocked(stage):
    fake = mock.Mock()
    fake.fileno.return_value = 1000
    fake.recv.return_value = b'from a mock\n'
    fake.send.side_effect = len
    chat = Chat(stage, fake)
    chat.handle_read_event()
    chat.push(b'abc')
    stage.say(fake.send.call_args, list(stage.map))
    stage.map.clear()


@scenario
def socket_class_patched(stage):
    _, there = stage.channel(Chat)
    there.sendall(b'a\n')
    with mock.patch('socket.socket.recv', lambda self, n: b'patched\n'):
        stage.passes(1)
    stage.passes(1)
