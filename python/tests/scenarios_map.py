"""What programs do with the map: it is a real dict, and they change it as they like."""

import asyncore

from transcript import Dispatcher, scenario


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
    _, there = stage.channel(Dispatcher)
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
    channel, there = stage.channel(Dispatcher)
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
