"""What programs rely on, one kind a scenario: maps, modules, predicates and attributes."""

import asyncore
import contextlib
import select
import socket
import time
import types
from unittest import mock

import asynchat

from transcript import Chat, Dispatcher, scenario


# ---- The map is a real dict ----------------------------------------------------------------------

@scenario
def loop_while_socket_map(stage):
    here, there = stage.pair()

    class Plain(asyncore.dispatcher):
        def handle_read(self):
            stage.say(self.recv(10))
            self.close()
    Plain(here)
    there.sendall(b'x')
    while asyncore.socket_map:
        asyncore.loop(0.01, count=1)
    stage.say(type(asyncore.socket_map).__name__)


@scenario
def map_copied_cleared_updated(stage):
    here, there = stage.pair()
    Dispatcher(stage, here)
    there.sendall(b'1')
    stage.passes()
    kept = stage.map.copy()
    stage.map.clear()
    there.sendall(b'2')
    stage.passes()
    stage.say('cleared')
    stage.map.update(kept)
    stage.passes()


@scenario
def map_entry_put_and_taken_by_hand(stage):
    here, there = stage.pair()
    channel = Dispatcher(stage, here)
    there.sendall(b'1')
    del stage.map[here.fileno()]
    stage.passes()
    stage.map[here.fileno()] = channel
    stage.passes()
    stage.say(stage.map.pop(here.fileno()) is channel)
    there.sendall(b'2')
    stage.passes()
    stage.map.setdefault(here.fileno(), channel)
    stage.passes()


@scenario
def entry_replaced_by_another_object(stage):
    here, there = stage.pair()
    first = Dispatcher(stage, here, 'first ')
    second = Dispatcher(stage, None, 'second ')
    second.socket = here
    there.sendall(b'1')
    stage.passes()
    stage.map[here.fileno()] = second
    there.sendall(b'2')
    stage.passes()
    stage.map[here.fileno()] = first
    there.sendall(b'3')
    stage.passes()


@scenario
def value_that_is_no_dispatcher(stage):
    here, there = stage.pair()

    class Duck:
        accepting = False

        def readable(self):
            stage.say('readable?')
            return True

        def writable(self):
            stage.say('writable?')
            return False

        def handle_read_event(self):
            stage.say('duck', here.recv(10))

        def handle_expt_event(self):
            pass

        def handle_error(self):
            stage.say('error')
    stage.map[here.fileno()] = Duck()
    there.sendall(b'x')
    stage.passes(1)
    stage.passes(1, True)


@scenario
def key_that_is_no_number(stage):
    channel = Dispatcher(stage)
    for key in (None, 'a', -1, 1 << 40):
        stage.map.clear()
        stage.map[key] = channel
        for use_poll in (False, True):
            stage.raises(stage.passes, 1, use_poll)
    stage.map.clear()


@scenario
def another_mapping(stage):
    class Mapping(dict):
        def items(self):
            stage.say('items')
            return dict.items(self)
    here, there = stage.pair()
    channels = Mapping()

    class Reader(asyncore.dispatcher):
        def handle_read(self):
            stage.say(self.recv(10))
    Reader(here, channels)
    there.sendall(b'x')
    asyncore.loop(0.01, False, channels, 1)


@scenario
def two_maps(stage):
    here, there = stage.pair()
    channel = Dispatcher(stage, here)
    other = {}
    channel.add_channel(other)
    there.sendall(b'12')
    asyncore.loop(0.01, True, other, 1)
    channel.del_channel(other)
    stage.say(channel._fileno, len(other), len(stage.map))


@scenario
def order_of_the_map(stage):
    channels = []
    for n in range(12):
        here, there = stage.pair()
        channels.append((Dispatcher(stage, here, '%d ' % n), there))
    first = stage.map.pop(next(iter(stage.map)))
    stage.map[first._fileno] = first
    for _, there in reversed(channels):
        there.sendall(b'x')
    stage.passes(1)
    for _, there in reversed(channels):
        there.sendall(b'y')
    stage.passes(1, True)


@scenario
def map_changes_in_a_handler(stage):
    pairs = [stage.pair() for _ in range(3)]

    class Opener(Dispatcher):
        def handle_read(self):
            stage.say('opens', self.recv(10))
            Dispatcher(stage, pairs[2][0], 'new ')
            del stage.map[pairs[1][0].fileno()]
    Opener(stage, pairs[0][0])
    Dispatcher(stage, pairs[1][0], 'gone ')
    for _, there in pairs:
        there.sendall(b'x')
    stage.passes(1)
    stage.say('next')
    stage.passes(1)


@scenario
def map_changes_in_readable(stage):
    pairs = [stage.pair() for _ in range(2)]

    class Opener(Dispatcher):
        opened = False

        def readable(self):
            if not self.opened:
                self.opened = True
                Dispatcher(stage, pairs[1][0], 'new ')
            return True
    Opener(stage, pairs[0][0], 'opener ')
    pairs[0][1].sendall(b'x')
    stage.passes(1)
    pairs[1][1].sendall(b'y')
    stage.passes(1)


# ---- Names of the modules ------------------------------------------------------------------------

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
    here, there = stage.pair()
    Dispatcher(stage, here)
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
    here, there = stage.pair()
    Dispatcher(stage, here)
    there.sendall(b'x')
    with mock.patch.object(asyncore, 'poll', lambda timeout, map: stage.say('poll', timeout, len(map))):
        stage.passes(2)
    stage.passes(1)


@scenario
def time_rebound(stage):
    Chat(stage).readable = lambda: False
    here, _ = stage.pair()
    channel = Dispatcher(stage, here)
    channel.readable = lambda: False
    with mock.patch('time.sleep', lambda seconds: stage.say('sleep', seconds)):
        stage.passes(1)


@scenario
def read_rebound(stage):
    here, there = stage.pair()
    Dispatcher(stage, here)
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
    here, there = stage.pair()
    Chat(stage, here)
    there.sendall(b'a\n')
    with mock.patch('socket.socket.recv', lambda self, n: b'patched\n'):
        stage.passes(1)
    stage.passes(1)


# ---- Predicates ----------------------------------------------------------------------------------

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
    here, there = stage.pair()
    Odd(stage, here)
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
    here, there = stage.pair()
    channel = Later(stage, here)
    channel.when = time.monotonic() + 0.03
    there.sendall(b'x')
    stage.passes(1, timeout=0)
    stage.say('not yet')
    stage.until(lambda: stage.lines[-1].startswith('read'))


@scenario
def predicates_of_the_instance(stage):
    here, there = stage.pair()
    chat = Chat(stage, here)
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
    here, there = stage.pair()
    Chat(stage, here)
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
    here, there = stage.pair()
    chat = Proud(stage, here)
    there.sendall(b'a\n')
    stage.passes(1)
    chat.producer_fifo.append(b'x')
    stage.passes(2)
    stage.say(there.recv(10))


# ---- Attributes ----------------------------------------------------------------------------------

@scenario
def attributes_where_one_looks_for_them(stage):
    here, _ = stage.pair()
    chat = Chat(stage, here)
    stage.say(sorted(vars(chat)))
    stage.say(asyncore.dispatcher.connected, asyncore.dispatcher.accepting, asynchat.async_chat.ac_in_buffer_size)
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
    here, there = stage.pair()
    Early(stage, here)
    there.sendall(b'x')
    stage.passes(1)


@scenario
def class_attributes_overridden(stage):
    class Small(Chat):
        ac_in_buffer_size = 2
        ac_out_buffer_size = 3
        connected = True

    here, there = stage.pair()
    chat = Small(stage, here)
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
    here, there = stage.pair()
    channel = Short(stage, here)
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
    here, there = stage.pair()
    chat = Odd(stage, here)
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
    here, there = stage.pair()
    channel = Registered(stage, here)
    there.sendall(b'x')
    stage.passes(1)
    channel.close()
    stage.say(channel._fileno, len(stage.map))


@scenario
def never_in_a_map(stage):
    class Alone(Dispatcher):
        def add_channel(self, map=None):
            pass
    here, there = stage.pair()
    alone = Alone(stage, here)
    there.sendall(b'x')
    stage.passes(1)
    asyncore.read(alone)
    asyncore.write(alone)
    asyncore.readwrite(alone, select.POLLOUT)
    alone.close()


@scenario
def functions_called_directly(stage):
    here, there = stage.pair()
    channel = Dispatcher(stage, here)
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
    import threading

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
