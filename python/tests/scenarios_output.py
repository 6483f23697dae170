"""Output: the queue used directly, odd things pushed, methods overridden, a full socket, a closed one."""

import socket
import time

import asynchat
import asyncore

from transcript import Chat, Dispatcher, scenario


@scenario
def queue_used_directly(stage):
    chat, there = stage.channel(Chat)
    queue = chat.producer_fifo
    stage.passes(2)
    queue.append(b'held')
    stage.passes(2)
    queue.appendleft(b'again')
    stage.passes(2)
    stage.say(there.recv(100), type(queue).__name__, type(queue).__module__)


@scenario
def queue_replaced_by_a_list(stage):
    chat, there = stage.channel(Chat)
    chat.producer_fifo = [b'one', b'two']
    stage.passes(3)
    chat.producer_fifo.append(b'three')
    stage.passes(2)
    stage.say(there.recv(100), chat.producer_fifo)


@scenario
def odd_things_pushed(stage):
    chat, there = stage.channel(Chat)
    for data in (bytearray(b'ba'), memoryview(b'mv'), b'', 'text', 5, None):
        stage.raises(chat.push, data)
    stage.passes(3)
    stage.say(there.recv(100))
    chat.push_with_producer(asynchat.simple_producer(b'12345', 2))
    stage.passes(6)
    stage.say(there.recv(100))


@scenario
def push_returns_and_pushes_in_a_row(stage):
    chat, there = stage.channel(Chat)
    stage.say(chat.push(b'a'), chat.push(b'b'), chat.initiate_send(), chat.close_when_done())
    stage.passes(2)
    stage.say(there.recv(10), there.recv(10))


@scenario
def send_overridden(stage):
    class Own(Chat):
        def send(self, data):
            stage.say('send', data)
            return asynchat.async_chat.send(self, data)
    chat, there = stage.channel(Own)
    chat.push(b'a')
    chat.send = lambda data: stage.say('instance', data) or 1
    chat.push(b'bc')
    stage.passes(2)
    stage.say(there.recv(10))


@scenario
def initiate_send_overridden(stage):
    chat, there = stage.channel(Chat)
    chat.initiate_send = lambda: stage.say('initiate', list(chat.producer_fifo))
    chat.push(b'a')
    stage.passes(1)
    del chat.initiate_send
    stage.passes(1)
    stage.say(there.recv(10))


@scenario
def full_socket(stage):
    here, there = stage.pair()
    here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    chat = Chat(stage, here)
    for _ in range(40):
        chat.push(b'x' * 1000)
    stage.say(len(chat.producer_fifo) > 0, chat.send(b'y' * 100000), bool(chat.writable()))
    got = 0
    while got < 40000:
        got += len(there.recv(65536))
        stage.passes(1)
    stage.say(got, len(chat.producer_fifo))


@scenario
def send_on_a_closed_one(stage):
    channel, there = stage.channel(Dispatcher, tcp=True)
    there.close()
    channel.send(b'1')
    time.sleep(0.05)
    stage.say(channel.send(b'2'), channel.connected)
    stage.raises(channel.send, b'3')
    stage.raises(channel.send)


@scenario
def with_send(stage):
    class Sender(asyncore.dispatcher_with_send):
        def handle_close(self):
            self.close()
    here, there = stage.pair()
    sender = Sender(here, stage.map)
    sender.debug = True
    stage.say(sender.send(b'abc'), sender.out_buffer, sender.writable())
    sender.out_buffer = b'rest'
    stage.passes(1)
    stage.say(there.recv(10), sender.out_buffer)
