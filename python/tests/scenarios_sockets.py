"""States of sockets: closed, replaced, hung up, fresh, urgent data, files, datagrams, listeners."""

import os
import socket
import tempfile
import time
from unittest import mock

import asyncore

from transcript import Chat, Dispatcher, scenario


@scenario
def socket_closed_behind_our_back(stage):
    here, _ = stage.pair()
    Dispatcher(stage, here)
    stage.passes(1)
    here.close()
    stage.raises(stage.passes, 1)
    stage.passes(1, True)
    stage.say(len(stage.map))


@scenario
def socket_closed_and_number_used_again(stage):
    here, there = stage.pair()
    channel = Dispatcher(stage, here)
    stage.passes(1)
    number = here.fileno()
    new, far = stage.pair()
    os.dup2(new.fileno(), number)
    far.sendall(b'x')
    channel.socket = socket.socket(fileno=os.dup(number))
    stage.until(lambda: stage.lines)
    channel.socket.close()


@scenario
def socket_replaced_by_a_wrapper(stage):
    class Wrapper:
        def __init__(self, sock):
            self.sock = sock

        def recv(self, size):
            return self.sock.recv(size).swapcase()

        def send(self, data):
            return self.sock.send(data.swapcase())

        def __getattr__(self, name):
            return getattr(self.sock, name)
    here, there = stage.pair()
    chat = Chat(stage, here)
    chat.socket = Wrapper(here)
    there.sendall(b'abc\n')
    stage.passes(1)
    chat.push(b'def')
    stage.say(there.recv(10))


@scenario
def hang_up_by_select_and_by_poll(stage):
    for use_poll in (False, True):
        _, there = stage.channel(Dispatcher)
        there.close()
        stage.passes(1, use_poll)
        stage.say(len(stage.map))


@scenario
def reset_by_select_and_by_poll(stage):
    for use_poll in (False, True):
        _, there = stage.channel(Dispatcher, tcp=True)
        there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        there.close()
        time.sleep(0.05)
        stage.passes(1, use_poll)
        stage.say(len(stage.map))


@scenario
def fresh_socket_by_poll(stage):
    for use_poll in (False, True):
        channel = Dispatcher(stage)
        channel.create_socket()
        stage.passes(1, use_poll, 0)
        stage.say(len(stage.map))
        channel.close()


@scenario
def urgent_data(stage):
    class Urgent(Dispatcher):
        def handle_expt(self):
            stage.say('urgent', self.socket.recv(1, socket.MSG_OOB))
    for use_poll in (False, True):
        _, there = stage.channel(Urgent, tcp=True)
        there.send(b'!', socket.MSG_OOB)
        time.sleep(0.05)
        stage.passes(1, use_poll)
        stage.map.clear()


@scenario
def files(stage):
    class Reader(asyncore.file_dispatcher):
        def handle_read(self):
            data = self.recv(100)
            stage.say('file', data)

        def writable(self):
            return False

        def handle_close(self):
            stage.say('end')
            self.close()
    with tempfile.TemporaryFile() as f:
        f.write(b'contents')
        f.flush()
        f.seek(0)
        Reader(f, stage.map)
        stage.passes(2)
    r, w = os.pipe()
    Reader(r, stage.map)
    os.close(r)
    os.write(w, b'pipe')
    stage.passes(1)
    os.close(w)
    stage.passes(1)
    stage.say(len(stage.map))


@scenario
def datagrams(stage):
    class Receiver(Dispatcher):
        def handle_read(self):
            stage.say(self.socket.recvfrom(100)[0])
    receiver = Receiver(stage)
    receiver.create_socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(('127.0.0.1', 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b'datagram', receiver.socket.getsockname())
    stage.passes(1, timeout=1)
    receiver.close()


@scenario
def accepting(stage):
    class Server(Dispatcher):
        def handle_accepted(self, sock, addr):
            stage.say('accepted', addr)
            Dispatcher(stage, sock, 'served ')
    server = Server(stage)
    server.create_socket()
    server.bind(('127.0.0.1', 0))
    server.listen(5)
    stage.say(server.accept(), server.accepting, server.connected)
    with socket.create_connection(server.socket.getsockname()) as client:
        stage.passes(1)
        client.sendall(b'hello')
        stage.passes(1)
    stage.passes(1)
    server.close()
    with mock.patch.object(server, 'socket', mock.Mock(accept=mock.Mock(return_value=None))):
        stage.say(server.accept())


@scenario
def unhandled(stage):
    here, there = stage.pair()

    class Loud(asyncore.dispatcher):
        ignore_log_types = ()
    channel = Loud(here, stage.map)
    there.sendall(b'x')
    stage.passes(1)
    channel.handle_connect()
    channel.handle_expt()
    channel.handle_accepted(stage.pair()[0], None)
    channel.handle_close()
