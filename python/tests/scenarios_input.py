"""async_chat's input: the buffer and the terminator in the hands of callbacks, methods overridden."""

from collections import deque

import asynchat
import asyncore

from transcript import Chat, scenario


@scenario
def buffer_read_in_callbacks(stage):
    class Looks(Chat):
        def collect_incoming_data(self, data):
            stage.say('C', data, self.ac_in_buffer)

        def found_terminator(self):
            stage.say('F', self.ac_in_buffer, 'ac_in_buffer' in vars(self))
    chat, there = stage.channel(Looks)
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
            chat, there = stage.channel(Chat)
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
    chat, there = stage.channel(Chat)
    chat.plan = {1: chat.discard_buffers}
    there.sendall(b'a\nb\nc\n')
    stage.passes(2)
    stage.say(chat.ac_in_buffer, chat.incoming, chat.producer_fifo)


@scenario
def terminators_of_other_kinds(stage):
    for terminator in (bytearray(b'\n'), 'text', True, 2.5, [b'\n'], memoryview(b'\n'), -3):
        chat, there = stage.channel(Chat)
        chat.terminator = terminator
        there.sendall(b'ab\ncd')
        stage.passes(1)
        stage.say(repr(chat.ac_in_buffer), len(stage.map))
        if chat.connected:
            chat.close()


@scenario
def terminator_changed_while_collecting_a_number(stage):
    class Changes(Chat):
        def collect_incoming_data(self, data):
            stage.say('C', data)
            self.terminator = 100
    chat, there = stage.channel(Changes, 10)
    there.sendall(b'abc')
    stage.passes(1)
    stage.say(chat.terminator)


@scenario
def get_terminator_overridden(stage):
    class Own(Chat):
        def get_terminator(self):
            return b';'
    chat, there = stage.channel(Own)
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
    chat, there = stage.channel(Own)
    there.sendall(b'a\n')
    stage.passes(1)
    chat.recv = lambda size: b'instance\n'
    there.sendall(b'b\n')
    stage.passes(1)


@scenario
def recv_that_would_block(stage):
    chat, _ = stage.channel(Chat)
    stage.say(chat.handle_read())
    stage.raises(chat.recv, 10)
    stage.raises(asyncore.dispatcher.recv, chat, 0)
    stage.raises(chat.recv, 'x')
    stage.raises(chat.recv)


@scenario
def nested_read_of_the_same_chat(stage):
    chat, there = stage.channel(Chat)

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
    chat, there = stage.channel(Encoded, '\n')
    stage.say(chat.get_terminator())
    chat.producer_fifo.append('text')
    stage.passes(2)
    stage.say(there.recv(10))
    stage.raises(chat.push, 'text')


@scenario
def collect_aliased_at_run_time(stage):
    chat, there = stage.channel(Chat)
    chat.collect_incoming_data = chat._collect_incoming_data
    there.sendall(b'a\nb')
    stage.passes(1)
    stage.say(chat.incoming)
    chat.incoming = deque()
    there.sendall(b'c\n')
    stage.passes(1)
    stage.say(chat.incoming)


@scenario
def get_terminator_replaces_the_buffer(stage):
    class Meddler(Chat):
        todo = []

        def get_terminator(self):
            if self.todo:
                self.ac_in_buffer = self.todo.pop(0)
            return Chat.get_terminator(self)

    for terminator in (b';', b'ab', 2, 5, None):
        for buffers in ([b'x'], [b'a;b;c'], [b'', b'zz'], [b'aab'], [b'1234', b'5;']):
            chat, there = stage.channel(Meddler, terminator=terminator)
            chat.todo = list(buffers)
            there.sendall(b'one;two;a')
            stage.raises(stage.passes, 2)
            stage.say(repr(terminator), buffers, chat.ac_in_buffer, chat.terminator)
            chat.close()
