"""The 25 scenarios of the behaviour contract, as Python runs them."""

import errno
import os
import socket
import time

import asynchat
import asyncore

from transcript import Chat, Dispatcher, scenario


def feed(stage, terminator, *pieces, plan=None):
    chat, there = stage.channel(Chat, terminator)
    chat.plan = plan(chat) if plan else {}
    for piece in pieces:
        there.sendall(piece)
        stage.passes(2)
    stage.say('left', chat.ac_in_buffer, chat.terminator)
    return chat


@scenario
def terminator_across_reads(stage):
    feed(stage, b'\r\n', b'ab\r', b'\ncd\r\n')


@scenario
def false_beginning_of_a_terminator(stage):
    feed(stage, b'\r\n', b'ab\r', b'x\r\n')
    feed(stage, b'\r\n', b'\r', b'\r', b'\n')


@scenario
def empty_records(stage):
    feed(stage, b'\r\n', b'\r\n\r\n')


@scenario
def long_terminator_in_pieces(stage):
    feed(stage, b'\r\n.\r\n', b'a\r', b'\n', b'.', b'\r\n', b'tail')


@scenario
def number_counts_down(stage):
    feed(stage, 5, b'ab', b'cd', b'efgh')


@scenario
def string_and_number_in_turn(stage):
    def plan(chat):
        return {n: lambda n=n: chat.set_terminator(4 if n % 2 else b'\n') for n in range(1, 9)}
    feed(stage, b'\n', b'len\nABCDnext\nWX', plan=plan)


@scenario
def close_in_found_terminator(stage):
    feed(stage, b'\n', b'a\nb\nc\n', plan=lambda chat: {1: chat.close})


@scenario
def end_of_file_with_half_a_terminator(stage):
    chat, there = stage.channel(Chat, b'\r\n')
    there.sendall(b'a\r')
    stage.passes(2)
    there.close()
    stage.passes(2)
    stage.say(chat.ac_in_buffer, len(stage.map))


@scenario
def error_in_found_terminator(stage):
    def plan(chat):
        return {1: lambda: 1 / 0}
    chat = feed(stage, b'\n', b'a\nb\n', plan=plan)
    stage.say(chat.connected, len(stage.map))


@scenario
def no_terminator(stage):
    for terminator in (None, 0, b''):
        feed(stage, terminator, b'some', b'thing\n')
    stage.raises(Chat(stage).set_terminator, -1)


@scenario
def idle_close_when_done(stage):
    chat, there = stage.channel(Chat)
    stage.passes()
    chat.close_when_done()
    stage.say(len(chat.producer_fifo))
    stage.passes(3)
    stage.say(len(stage.map), there.recv(1))


@scenario
def empty_strings_in_the_queue(stage):
    chat, there = stage.channel(Chat)
    for data in (b'', b'x', b'y'):
        chat.push(data)
        stage.say(list(chat.producer_fifo))
    chat.producer_fifo.extend([b'', b'z'])
    for _ in range(4):
        stage.passes()
        stage.say(list(chat.producer_fifo))
    stage.say(there.recv(10))


@scenario
def much_output_arrives_in_order(stage):
    chat, there = stage.channel(Chat)
    data = bytes(range(256)) * 800
    chat.push(data)
    got = b''
    while len(got) < len(data):
        got += there.recv(65536)
        stage.passes()
    stage.say(got == data, len(chat.producer_fifo))


@scenario
def push_before_connect(stage):
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen(1)

        class Client(Chat):
            def handle_connect(self):
                stage.say('connect')
                self.push(b'second\n')
        client = Client(stage)
        client.create_socket()
        client.push(b'first\n')
        stage.say(len(client.producer_fifo), client.connected)
        client.connect(listener.getsockname())
        there, _ = listener.accept()
        stage.sockets.append(there)
        stage.until(lambda: client.connected)
        stage.passes(3)
        stage.say(there.recv(100), client.connected, client.connecting)


class Producer:
    def __init__(self, *pieces):
        self.pieces = list(pieces)

    def more(self):
        return self.pieces.pop(0)


@scenario
def producers(stage):
    chat, there = stage.channel(Chat)
    chat.push_with_producer(Producer(b'a', b'b', b''))
    for _ in range(4):
        stage.say([type(p).__name__ for p in chat.producer_fifo])
        stage.passes()
    chat.push_with_producer(Producer(b''))
    chat.push(b'x')
    stage.passes(2)
    stage.say(there.recv(10))
    chat.producer_fifo.extend([b'p', None, b'q'])
    stage.passes(4)
    stage.say(there.recv(10), len(stage.map), list(chat.producer_fifo))


@scenario
def short_writes(stage):
    class Slow(Chat):
        def send(self, data):
            stage.say('send', data)
            return asynchat.async_chat.send(self, data[:2])
    chat, there = stage.channel(Slow)
    chat.push(b'abcdef')
    chat.close_when_done()
    stage.passes(6)
    stage.say(there.recv(10), len(stage.map))


@scenario
def push_to_one_who_has_reset(stage):
    chat, there = stage.channel(Chat, tcp=True)
    there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
    there.close()
    time.sleep(0.05)
    stage.say(chat.push(b'x'))
    stage.say(chat.push(b'y'), len(chat.producer_fifo), len(stage.map))


@scenario
def much_input_then_close(stage):
    """By select all of it comes; poll2 closes at the hang-up."""
    for use_poll in (False, True):
        got = []

        class Sink(Dispatcher):
            def handle_read(self):
                got.append(self.recv(65536))
        _, there = stage.channel(Sink)
        there.sendall(b'x' * 150000)
        there.close()
        stage.passes(8, use_poll)
        stage.say(sum(map(len, got)), len(stage.map))


@scenario
def close_in_own_read_with_more_to_come(stage):
    for use_poll in (False, True):
        class Closer(Dispatcher):
            def writable(self):
                return True

            def handle_read(self):
                stage.say('read', self.recv(10))
                self.close()
        _, there = stage.channel(Closer)
        there.sendall(b'x')
        there.close()
        stage.passes(1, use_poll)


@scenario
def descriptor_used_again_in_the_same_pass(stage):
    a, far_a = stage.pair()
    b, far_b = stage.pair()

    class First(Dispatcher):
        def handle_read(self):
            stage.say('first', self.recv(10))
            number = second._fileno
            second.close()
            new, far = stage.pair()
            os.dup2(new.fileno(), number)
            third = Dispatcher(stage, socket.socket(fileno=number), 'third ')
            far.sendall(b'new')
            stage.say(third._fileno == number)
    First(stage, a)
    second = Dispatcher(stage, b, 'second ')
    far_a.sendall(b'1')
    far_b.sendall(b'2')
    stage.passes(2)


@scenario
def refused_connect(stage):
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        address = s.getsockname()
    client = Dispatcher(stage)
    client.create_socket()
    client.writable = lambda: True
    stage.raises(client.connect, address)
    stage.passes(3)
    stage.say(client.connected, len(stage.map))


@scenario
def connect_that_fails_at_once(stage):
    client = Dispatcher(stage)
    client.create_socket(socket.AF_UNIX)
    client.writable = lambda: True
    stage.raises(client.connect, '/nonexistent/socket')
    stage.say(client.connecting, len(stage.map))
    stage.passes(2)
    stage.say(client.connected, len(stage.map))


@scenario
def close_in_handle_connect(stage):
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen(1)

        class Client(Dispatcher):
            def handle_connect(self):
                stage.say('connect')
                self.close()
        client = Client(stage)
        client.create_socket()
        client.writable = lambda: True
        client.connect(listener.getsockname())
        stage.passes(3)
        stage.say(client.connected, len(stage.map))


@scenario
def listener_that_fails(stage):
    class Server(Dispatcher):
        def handle_accepted(self, sock, addr):
            sock.close()
            stage.say('accepted')
            raise OSError(errno.EMFILE, 'too many')
    server = Server(stage)
    server.create_socket()
    server.set_reuse_addr()
    server.bind(('127.0.0.1', 0))
    server.listen(5)
    address = server.socket.getsockname()
    with socket.create_connection(address):
        stage.passes(2)
    stage.say(len(stage.map))


@scenario
def the_loop_itself(stage):
    began = time.monotonic()
    asyncore.loop(30, False, {})
    stage.passes(0)

    class Leaver(Dispatcher):
        def handle_read(self):
            raise asyncore.ExitNow('now')
    _, there = stage.channel(Leaver)
    there.sendall(b'x')
    stage.raises(stage.passes)
    stage.say(len(stage.map), time.monotonic() - began < 5)
