"""Whole small programs, written the way their users write them."""

import asyncio
import collections
import logging
import logging.handlers
import os
import pickle
import socket
import struct
import threading
import time

import asynchat
import asyncore

from transcript import scenario


class Listener(asyncore.dispatcher):
    def __init__(self, stage, accepted, family=socket.AF_INET, address=('127.0.0.1', 0)):
        asyncore.dispatcher.__init__(self, map=stage.map)
        self.create_socket(family)
        self.set_reuse_addr()
        self.bind(address)
        self.listen(50)
        self.address, self.accepted = self.socket.getsockname(), accepted

    def handle_accepted(self, sock, addr):
        self.accepted(sock)


class Person(asynchat.async_chat):
    """One who sits in a room of a server, or wants to."""

    def __init__(self, rooms, sock, map):
        super().__init__(sock=sock, map=map)
        self.rooms, self.room, self.words, self.nick = rooms, None, [], 'nobody'
        self.set_terminator(b'\r\n')

    def collect_incoming_data(self, data):
        self.words.append(data)

    def found_terminator(self):
        line, self.words = b''.join(self.words).decode(), []
        command, _, rest = line.partition(' ')
        getattr(self, 'do_' + command.lower(), self.do_say)(rest or line)

    def do_nick(self, name):
        self.nick = name

    def do_join(self, room):
        self.leave()
        self.room = room
        self.rooms[room].append(self)
        self.tell('%s comes' % self.nick)

    def do_say(self, text):
        self.tell('<%s> %s' % (self.nick, text))

    def do_quit(self, _):
        self.push(b'bye\r\n')
        self.close_when_done()

    def tell(self, text):
        for other in list(self.rooms.get(self.room, ())):
            other.push(('%s: %s\r\n' % (self.room, text)).encode())

    def leave(self):
        if self.room:
            self.rooms[self.room].remove(self)
            self.tell('%s goes' % self.nick)
            self.room = None

    def handle_close(self):
        self.leave()
        self.close()


@scenario
def chat_server_with_rooms(stage):
    rooms = collections.defaultdict(list)
    server = Listener(stage, lambda sock: Person(rooms, sock, stage.map))
    people = [socket.create_connection(server.address, 5) for _ in range(6)]
    stage.sockets += people
    stage.until(lambda: len(stage.map) == 7)
    for number, person in enumerate(people):
        person.sendall(b'NICK p%d\r\nJOIN room%d\r\n' % (number, number % 2))
        stage.until(lambda: sum(map(len, rooms.values())) == number + 1)
    people[0].sendall(b'say hello\r\nwhat?\r\nJO')
    stage.passes(4)
    people[0].sendall(b'IN room1\r\n')
    people[3].sendall(b'quit\r\n')
    stage.passes(6)
    people[5].close()
    stage.passes(4)
    people[1].shutdown(socket.SHUT_WR)
    stage.passes(4)
    for person in people[:5]:
        person.settimeout(0.05)
        said = b''
        try:
            while True:
                data = person.recv(4096)
                said += data or b'(end)'
                if not data:
                    break
        except OSError:
            pass
        stage.say(said)
    stage.say({room: [person.nick for person in sitting] for room, sitting in sorted(rooms.items())})


def lines_from(peer, count):
    """What TCP hands over in pieces."""
    data = b''
    while data.count(b'\n') < count:
        more = peer.recv(1000)
        if not more:
            break
        data += more
    return data


@scenario
def bot_that_answers(stage):
    """The usual bot: it connects, says who it is, answers pings, comes back when it was thrown out."""
    class Bot(asynchat.async_chat):
        times = 0

        def start(self, address):
            self.address, self.buffer = address, b''
            self.create_socket()
            self.set_terminator(b'\r\n')
            self.connect(address)

        def handle_connect(self):
            Bot.times += 1
            stage.say('connected', self.connected, self.connecting, self.addr == self.address)
            self.push(b'NICK bot%d\r\n' % Bot.times)
            self.push(b'USER bot 0 * :bot\r\n')

        def collect_incoming_data(self, data):
            self.buffer += data

        def found_terminator(self):
            line, self.buffer = self.buffer, b''
            stage.say('bot has', line)
            if line.startswith(b'PING'):
                self.push(line.replace(b'PING', b'PONG') + b'\r\n')

        def handle_close(self):
            stage.say('thrown out')
            self.close()
            if Bot.times < 2:
                self.start(self.address)

    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen(5)
        listener.settimeout(5)
        bot = Bot(map=stage.map)
        bot.start(listener.getsockname())
        for farewell in (b'ERROR :closing\r\n', b'half'):
            stage.until(lambda: bot.connected)
            peer, _ = listener.accept()
            peer.settimeout(5)
            stage.passes(3)
            stage.say(lines_from(peer, 2))
            peer.sendall(b':srv 001 bot :hello\r\nPING :1\r\nPING :2\r\n')
            stage.passes(3)
            stage.say(lines_from(peer, 2))
            peer.sendall(farewell)
            peer.close()
            end = Bot.times + 1
            stage.until(lambda: Bot.times == end or not stage.map)
    stage.say(len(stage.map), bot.connected)


class Side(asyncore.dispatcher):
    """One side of a proxy: what it reads goes out of the other."""

    def __init__(self, stage, sock=None):
        asyncore.dispatcher.__init__(self, sock, stage.map)
        self.buffer, self.other, self.ended = b'', None, False

    def readable(self):
        return not self.ended and len(self.other.buffer) < 20000

    def writable(self):
        return bool(self.buffer) or not self.connected

    def handle_connect(self):
        pass

    def handle_read(self):
        self.other.buffer += self.recv(4096)

    def handle_write(self):
        sent = self.send(self.buffer[:5000])
        self.buffer = self.buffer[sent:]
        if self.other.ended and not self.buffer:
            self.close()

    def handle_close(self):
        self.ended = True
        self.close()
        if not self.other.buffer:
            self.other.close()


@scenario
def proxy_of_two_dispatchers(stage):
    target = socket.socket()
    target.bind(('127.0.0.1', 0))
    target.listen(5)
    target.settimeout(5)
    stage.sockets.append(target)

    def accepted(sock):
        inner, outer = Side(stage, sock), Side(stage)
        inner.other, outer.other = outer, inner
        outer.create_socket()
        outer.connect(target.getsockname())
    server = Listener(stage, accepted)
    for use_poll in (False, True):
        client = socket.create_connection(server.address, 5)
        stage.until(lambda: len(stage.map) == 3, use_poll)
        far, _ = target.accept()
        question = b'0123456789' * 20000
        threads = [threading.Thread(target=client.sendall, args=(question,)),
                   threading.Thread(target=far.sendall, args=(question.swapcase(),))]
        got = {client: 0, far: 0}

        def drain(sock):
            while got[sock] < len(question):
                got[sock] += len(sock.recv(65536))
        threads += [threading.Thread(target=drain, args=(sock,)) for sock in got]
        for thread in threads:
            thread.start()
        stage.until(lambda: set(got.values()) == {len(question)}, use_poll)
        for thread in threads:
            thread.join(5)
        stage.say(sorted(got.values()), len(stage.map))
        far.sendall(b'last')
        far.close()
        stage.until(lambda: len(stage.map) == 1, use_poll)
        stage.say(client.recv(10), client.recv(10))
        client.close()


@scenario
def log_server(stage):
    """The standard library's DatagramHandler sends; records are pickled behind their length."""
    class Server(asyncore.dispatcher):
        def __init__(self):
            asyncore.dispatcher.__init__(self, map=stage.map)
            self.create_socket(type=socket.SOCK_DGRAM)
            self.bind(('127.0.0.1', 0))
            self.seen = 0

        def handle_connect(self):
            stage.say('no connection to speak of')

        def writable(self):
            return False

        def handle_read(self):
            data, _ = self.socket.recvfrom(9000)
            size, = struct.unpack('>L', data[:4])
            record = logging.makeLogRecord(pickle.loads(data[4:]))
            self.seen += 1
            stage.say(size == len(data) - 4, record.levelname, record.getMessage())
    server = Server()
    stage.say(server.connected, server.accepting, server.addr == server.socket.getsockname())
    handler = logging.handlers.DatagramHandler(*server.socket.getsockname())
    logger = logging.Logger('far')
    logger.addHandler(handler)
    for number in range(12):
        logger.warning('number %d', number)
    stage.until(lambda: server.seen == 12)
    logger.error('and %s', 'one more')
    stage.until(lambda: server.seen == 13, True)
    handler.close()


@scenario
def lines_of_a_pipe(stage):
    """As standard input is read."""
    class Lines(asyncore.file_dispatcher):
        def writable(self):
            return False

        def handle_read(self):
            data = self.recv(64)
            stage.say('read', data)

        def handle_close(self):
            stage.say('close')
            self.close()

        def handle_expt(self):
            stage.say('exception')
    for use_poll in (False, True):
        inner, outer = os.pipe()
        with os.fdopen(inner, 'rb', 0) as standard_input:
            lines = Lines(standard_input, stage.map)
            stage.say(lines.socket.fileno() != inner, lines.connected, lines.addr)
            stage.passes(1, use_poll)
            os.write(outer, b'one\ntwo\nth')
            stage.passes(1, use_poll)
            os.write(outer, b'ree\n' + b'x' * 70)
            stage.passes(3, use_poll)
            os.close(outer)
            stage.passes(1, use_poll)
            stage.passes(1, use_poll)
            stage.say(len(stage.map))
            stage.map.clear()


@scenario
def channel_that_is_a_thread(stage):
    class Worker(threading.Thread, asyncore.dispatcher):
        def __init__(self, sock):
            threading.Thread.__init__(self, name='worker', daemon=True)
            self.own = {}
            asyncore.dispatcher.__init__(self, sock, self.own)
            self.out = b''

        def run(self):
            asyncore.loop(0.05, map=self.own)

        def writable(self):
            return len(self.out) > 0

        def handle_read(self):
            self.out += self.recv(100).upper()

        def handle_write(self):
            self.out = self.out[self.send(self.out):]

        def handle_close(self):
            stage.say('closed in', threading.current_thread().name, self.is_alive(), self.ident is not None)
            self.close()
    pairs = [stage.pair() for _ in range(3)]
    workers = [Worker(here) for here, _ in pairs]
    for worker in workers:
        worker.start()
    for number, (_, there) in enumerate(pairs):
        there.sendall(b'abc%d' % number)
        stage.say(there.recv(10))
    for worker, (_, there) in zip(workers, pairs):
        there.close()
        worker.join(5)
        stage.say(worker.is_alive(), worker.connected, worker.own)


@scenario
def thread_beside_asyncio(stage):
    """asyncore serves in a thread with its own map; asyncio in this one is the client."""
    class Echo(asyncore.dispatcher_with_send):
        def handle_read(self):
            self.send(self.recv(8192))
    server = Listener(stage, lambda sock: Echo(sock, stage.map))
    thread = threading.Thread(target=asyncore.loop, kwargs={'timeout': 0.02, 'map': stage.map})
    thread.start()

    async def client(number):
        reader, writer = await asyncio.open_connection(*server.address)
        for size in (1, 100, 30000):
            writer.write(b'%d' % number * size)
            await writer.drain()
            assert await reader.readexactly(size) == b'%d' % number * size
        writer.close()
        return number

    async def all_of_them():
        return await asyncio.gather(*map(client, range(8)))
    stage.say(asyncio.run(all_of_them()))
    end = time.monotonic() + 5
    while len(stage.map) > 1 and time.monotonic() < end:
        time.sleep(0.01)
    stage.say(len(stage.map))
    server.close()
    thread.join(5)
    stage.say(thread.is_alive(), stage.map)


@scenario
def step_of_another_loop(stage):
    """A window's main loop calls one pass after another; callbacks put new timers and channels in."""
    timers = collections.deque()
    trace = []

    class Ticker(asynchat.async_chat):
        def __init__(self, sock):
            asynchat.async_chat.__init__(self, sock, stage.map)
            self.set_terminator(1)

        def collect_incoming_data(self, data):
            trace.append(data)
            timers.append(lambda: self.push(data * 2))

        def found_terminator(self):
            trace.append('F')
            self.set_terminator(len(trace) % 3 + 1)

    def pump():
        asyncore.loop(timeout=0.0, count=1, map=stage.map)
        if len(trace) < 40:
            timers.append(pump)
    here, there = stage.pair()
    Ticker(here)
    there.sendall(b'abcdefghijklmnopqrst')
    timers.append(pump)
    end = time.monotonic() + 5
    while timers and time.monotonic() < end:
        timers.popleft()()
    stage.passes(2)
    stage.say(trace, there.recv(100))


def hear_and_lose(stage, channel, there):
    """Input by both kinds of pass, and then the end of it."""
    there.sendall(b'ab;cd')
    stage.raises(stage.passes, 1)
    stage.raises(stage.passes, 1, True)
    stage.say(getattr(channel, 'seen', None), channel.connected, bool(channel.readable()))
    there.close()
    stage.raises(stage.passes, 1)
    stage.say(channel.connected, len(stage.map))
    stage.map.clear()


@scenario
def a_class_with_slots(stage):
    class Slotted(asyncore.dispatcher):
        __slots__ = ('seen', 'connected')

        def handle_read(self):
            self.seen = self.recv(10)

    here, there = stage.pair()
    hear_and_lose(stage, Slotted(here, stage.map), there)


@scenario
def properties_where_the_module_keeps_a_state(stage):
    class Proper(asynchat.async_chat):
        @property
        def connected(self):
            return self.__dict__.get('_is', False)

        @connected.setter
        def connected(self, value):
            stage.say('connected becomes', value)
            self.__dict__['_is'] = value

        @property
        def ac_in_buffer(self):
            return self.__dict__.get('_in', b'')

        @ac_in_buffer.setter
        def ac_in_buffer(self, value):
            self.__dict__['_in'] = value

        def collect_incoming_data(self, data):
            stage.say('C', data)

        def found_terminator(self):
            stage.say('F')

    here, there = stage.pair()
    channel = Proper(here, stage.map)
    channel.set_terminator(b';')
    hear_and_lose(stage, channel, there)


@scenario
def attributes_that_come_from_elsewhere(stage):
    class Elsewhere(asyncore.dispatcher):
        def __getattr__(self, name):
            if name.startswith('__'):
                raise AttributeError(name)
            return getattr(self.socket, name)

        def __setattr__(self, name, value):
            stage.say('set', name)
            object.__setattr__(self, name, value)

        def writable(self):
            return False

        def handle_read(self):
            stage.say(self.recv(10), self.family.name, self.getsockname() == self.socket.getsockname())

    here, there = stage.pair()
    hear_and_lose(stage, Elsewhere(here, stage.map), there)
