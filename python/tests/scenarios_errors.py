"""Errors: what handle_error is told, what leaves the loop, representations, close_all."""

import os
import sys
from unittest import mock

import asyncore

from transcript import Chat, Dispatcher, scenario


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
    _, there = stage.channel(Broken)
    there.sendall(b'x')
    for use_poll in (False, True):
        stage.raises(stage.passes, 1, use_poll)
    stage.say(sys.exc_info())


@scenario
def errors_that_leave_the_loop(stage):
    for error in (asyncore.ExitNow, KeyboardInterrupt, SystemExit):
        channel, there = stage.channel(Dispatcher)
        channel.handle_read = mock.Mock(side_effect=error('out'))
        there.sendall(b'x')
        for use_poll in (False, True):
            stage.raises(stage.passes, 1, use_poll)
        stage.say(len(stage.map))
        channel.close()


@scenario
def os_errors_by_poll2(stage):
    for error in (ConnectionResetError(104, 'reset'), OSError(5, 'io'), ValueError('v')):
        channel, there = stage.channel(Dispatcher)
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
    _, there = stage.channel(Odd)
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
    chat, there = stage.channel(Chat)
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
