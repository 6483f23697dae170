"""What programs rely on, one kind a scenario: input and output, errors, states of sockets, replacing things."""

import asyncore
import os
import socket
import sys
import tempfile
import threading
import time
from collections import deque
from unittest import mock

import asynchat

from transcript import Chat, Dispatcher, Stage, scenario


# ---- Input ---------------------------------------------------------------------------------------

@scenario
def buffer_read_in_callbacks(stage):
    here, there = stage.pair()

    class Looks(Chat):
        def collect_incoming_data(self, data):
            stage.say('C', data, self.ac_in_buffer)

        def found_terminator(self):
            stage.say('F', self.ac_in_buffer, 'ac_in_buffer' in vars(self))
    chat = Looks(stage, here)
    there.sendall(b'a\nbc\n\nrest')
    stage.passes(1)
    stage.say(chat.ac_in_buffer)
    chat.set_terminator(3)
    there.sendall(b'12345')
    stage.passes(1)


@scenario
def buffer_reset_in_callbacks(stage):
    for method in ('collect_incoming_data', 'found_terminator'):
        for value in (b'', b'new\nmore', b'x'):
            here, there = stage.pair()
            chat = Chat(stage, here)
            done = []

            def callback(*args, chat=chat, done=done, value=value, method=method):
                stage.say(method, args)
                if not done:
                    done.append(1)
                    chat.ac_in_buffer = value
            setattr(chat, method, callback)
            there.sendall(b'abc\ndef\nghi')
            stage.passes(1)
            stage.say(chat.ac_in_buffer)


@scenario
def discard_in_found_terminator(stage):
    here, there = stage.pair()
    chat = Chat(stage, here)
    chat.plan = {1: chat.discard_buffers}
    there.sendall(b'a\nb\nc\n')
    stage.passes(2)
    stage.say(chat.ac_in_buffer, chat.incoming, chat.producer_fifo)


@scenario
def terminators_of_other_kinds(stage):
    for terminator in (bytearray(b'\n'), 'text', True, 2.5, [b'\n'], memoryview(b'\n'), -3):
        here, there = stage.pair()
        chat = Chat(stage, here)
        chat.terminator = terminator
        there.sendall(b'ab\ncd')
        stage.passes(1)
        stage.say(repr(chat.ac_in_buffer), len(stage.map))
        if chat.connected:
            chat.close()


@scenario
def terminator_changed_while_collecting_a_number(stage):
    here, there = stage.pair()

    class Changes(Chat):
        def collect_incoming_data(self, data):
            stage.say('C', data)
            self.terminator = 100
    chat = Changes(stage, here, 10)
    there.sendall(b'abc')
    stage.passes(1)
    stage.say(chat.terminator)


@scenario
def get_terminator_overridden(stage):
    class Own(Chat):
        def get_terminator(self):
            return b';'
    here, there = stage.pair()
    chat = Own(stage, here)
    there.sendall(b'a;b;c')
    stage.passes(1)
    chat.get_terminator = lambda: b'c'
    there.sendall(b'dc')
    stage.passes(1)


@scenario
def no_terminator_set_at_all(stage):
    class Bare(asynchat.async_chat):
        def log_info(self, message, type='info'):
            stage.say(type, message)
    here, there = stage.pair()
    Bare(here, stage.map)
    there.sendall(b'x')
    stage.passes(1)
    stage.say(len(stage.map))


@scenario
def terminator_of_the_class(stage):
    class Lines(asynchat.async_chat):
        terminator = b'\n'
        collect_incoming_data = asynchat.async_chat._collect_incoming_data

        def found_terminator(self):
            stage.say(self._get_data(), self.incoming)
    here, there = stage.pair()
    Lines(here, stage.map)
    there.sendall(b'a\nb\n')
    stage.passes(1)


@scenario
def recv_overridden(stage):
    class Own(Chat):
        def recv(self, size):
            data = asynchat.async_chat.recv(self, size)
            stage.say('recv', size, data)
            return data.upper()
    here, there = stage.pair()
    chat = Own(stage, here)
    there.sendall(b'a\n')
    stage.passes(1)
    chat.recv = lambda size: b'instance\n'
    there.sendall(b'b\n')
    stage.passes(1)


@scenario
def recv_that_would_block(stage):
    here, _ = stage.pair()
    chat = Chat(stage, here)
    stage.say(chat.handle_read())
    stage.raises(chat.recv, 10)
    stage.raises(asyncore.dispatcher.recv, chat, 0)
    stage.raises(chat.recv, 'x')
    stage.raises(chat.recv)


@scenario
def nested_read_of_the_same_chat(stage):
    here, there = stage.pair()
    chat = Chat(stage, here)

    def more():
        there.sendall(b'more\n')
        chat.handle_read()
    chat.plan = {1: more}
    there.sendall(b'a\nb\n')
    stage.passes(1)
    stage.say(chat.ac_in_buffer)


@scenario
def encoding(stage):
    class Encoded(Chat):
        use_encoding = 1
    here, there = stage.pair()
    chat = Encoded(stage, here, '\n')
    stage.say(chat.get_terminator())
    chat.producer_fifo.append('text')
    stage.passes(2)
    stage.say(there.recv(10))
    stage.raises(chat.push, 'text')


@scenario
def collect_aliased_at_run_time(stage):
    here, there = stage.pair()
    chat = Chat(stage, here)
    chat.collect_incoming_data = chat._collect_incoming_data
    there.sendall(b'a\nb')
    stage.passes(1)
    stage.say(chat.incoming)
    chat.incoming = deque()
    there.sendall(b'c\n')
    stage.passes(1)
    stage.say(chat.incoming)


# ---- Output --------------------------------------------------------------------------------------

@scenario
def queue_used_directly(stage):
    here, there = stage.pair()
    chat = Chat(stage, here)
    queue = chat.producer_fifo
    stage.passes(2)
    queue.append(b'held')
    stage.passes(2)
    queue.appendleft(b'again')
    stage.passes(2)
    stage.say(there.recv(100), type(queue).__name__, type(queue).__module__)


@scenario
def queue_replaced_by_a_list(stage):
    here, there = stage.pair()
    chat = Chat(stage, here)
    chat.producer_fifo = [b'one', b'two']
    stage.passes(3)
    chat.producer_fifo.append(b'three')
    stage.passes(2)
    stage.say(there.recv(100), chat.producer_fifo)


@scenario
def odd_things_pushed(stage):
    here, there = stage.pair()
    chat = Chat(stage, here)
    for data in (bytearray(b'ba'), memoryview(b'mv'), b'', 'text', 5, None):
        stage.raises(chat.push, data)
    stage.passes(3)
    stage.say(there.recv(100))
    chat.push_with_producer(asynchat.simple_producer(b'12345', 2))
    stage.passes(6)
    stage.say(there.recv(100))


@scenario
def push_returns_and_pushes_in_a_row(stage):
    here, there = stage.pair()
    chat = Chat(stage, here)
    stage.say(chat.push(b'a'), chat.push(b'b'), chat.initiate_send(), chat.close_when_done())
    stage.passes(2)
    stage.say(there.recv(10), there.recv(10))


@scenario
def send_overridden(stage):
    class Own(Chat):
        def send(self, data):
            stage.say('send', data)
            return asynchat.async_chat.send(self, data)
    here, there = stage.pair()
    chat = Own(stage, here)
    chat.push(b'a')
    chat.send = lambda data: stage.say('instance', data) or 1
    chat.push(b'bc')
    stage.passes(2)
    stage.say(there.recv(10))


@scenario
def initiate_send_overridden(stage):
    here, there = stage.pair()
    chat = Chat(stage, here)
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
    here, there = stage.tcp_pair()
    channel = Dispatcher(stage, here)
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


# ---- Errors --------------------------------------------------------------------------------------

@scenario
def default_handle_error(stage):
    class Broken(asyncore.dispatcher):
        def handle_read(self):
            self.recv(1)
            deeper()
    def deeper():
        raise KeyError('deep')
    here, there = stage.pair()
    channel = Broken(here, stage.map)
    there.sendall(b'x')
    stage.passes(1)
    stage.say(len(stage.map), channel.connected)


@scenario
def error_is_current_in_handle_error(stage):
    class Broken(Dispatcher):
        def handle_read(self):
            raise ValueError('first')

        def handle_error(self):
            kind, value, tb = sys.exc_info()
            stage.say(kind.__name__, value, tb is not None)
            (file, function, line), t, v, info = asyncore.compact_traceback()
            stage.say(function, t.__name__, v, os.path.basename(file))
            raise
    here, there = stage.pair()
    Broken(stage, here)
    there.sendall(b'x')
    for use_poll in (False, True):
        stage.raises(stage.passes, 1, use_poll)
    stage.say(sys.exc_info())


@scenario
def errors_that_leave_the_loop(stage):
    for error in (asyncore.ExitNow, KeyboardInterrupt, SystemExit):
        here, there = stage.pair()
        channel = Dispatcher(stage, here)
        channel.handle_read = mock.Mock(side_effect=error('out'))
        there.sendall(b'x')
        for use_poll in (False, True):
            stage.raises(stage.passes, 1, use_poll)
        stage.say(len(stage.map))
        channel.close()


@scenario
def os_errors_by_poll2(stage):
    for error in (ConnectionResetError(104, 'reset'), OSError(5, 'io'), ValueError('v')):
        here, there = stage.pair()
        channel = Dispatcher(stage, here)
        channel.handle_read = mock.Mock(side_effect=error)
        channel.handle_error = lambda: stage.say('error', sys.exc_info()[0].__name__)
        there.sendall(b'x')
        stage.passes(1, True)
        stage.passes(1, False)
        stage.say(len(stage.map))
        stage.map.clear()


@scenario
def repr_that_fails(stage):
    class Odd(Dispatcher):
        def __repr__(self):
            raise RuntimeError('repr')

        def handle_read(self):
            self.recv(1)
            raise ValueError('v')
    here, there = stage.pair()
    Odd(stage, here)
    there.sendall(b'x')
    stage.passes(1)


@scenario
def reprs(stage):
    channel = Dispatcher(stage)
    stage.say(channel)
    channel.create_socket()
    stage.say(channel)
    channel.bind(('127.0.0.1', 0))
    channel.listen(1)
    stage.say(channel)
    channel.addr = 'name'
    stage.say(channel, str(channel) == repr(channel))
    here, _ = stage.pair()
    stage.say(Chat(stage, here))


@scenario
def no_traceback(stage):
    stage.raises(asyncore.compact_traceback)


@scenario
def handle_error_patched_on_the_instance(stage):
    here, there = stage.pair()
    chat = Chat(stage, here)
    chat.found_terminator = mock.Mock(side_effect=ZeroDivisionError('z'))
    there.sendall(b'a\n')
    with mock.patch.object(chat, 'handle_error') as handle_error:
        stage.passes(1)
        stage.say(handle_error.call_count, chat.ac_in_buffer)


@scenario
def close_all_with_errors(stage):
    class Bad:
        def __init__(self, error):
            self.error = error

        def close(self):
            raise self.error
    for error in (OSError(9, 'bad'), OSError(5, 'io'), ValueError('v'), asyncore.ExitNow('x')):
        for ignore in (False, True):
            channels = {1: Bad(error)}
            stage.raises(asyncore.close_all, channels, ignore)
            stage.say(len(channels))


# ---- Sockets -------------------------------------------------------------------------------------

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
        here, there = stage.pair()
        Dispatcher(stage, here)
        there.close()
        stage.passes(1, use_poll)
        stage.say(len(stage.map))


@scenario
def reset_by_select_and_by_poll(stage):
    for use_poll in (False, True):
        here, there = stage.tcp_pair()
        Dispatcher(stage, here)
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
        here, there = stage.tcp_pair()
        Urgent(stage, here)
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


# ---- Around the loop -----------------------------------------------------------------------------

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
        here, there = stage.pair()
        Dispatcher(stage, here)
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
    here, there = stage.pair()
    channel = Dispatcher(stage, here)
    there.sendall(b'1')
    stage.passes(1)
    channel.__class__ = Other
    there.sendall(b'2')
    stage.passes(1)


@scenario
def signatures(stage):
    import inspect
    for function in (asyncore.poll, asyncore.poll2, asyncore.loop, asyncore.dispatcher.recv,
                     asyncore.dispatcher.send, asyncore.dispatcher.add_channel,
                     asynchat.async_chat.push, asynchat.async_chat.handle_read):
        stage.say(function.__name__, function.__module__, function.__qualname__, inspect.signature(function))
    here, _ = stage.pair()
    chat = Chat(stage, here)
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
