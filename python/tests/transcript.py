"""Scenarios, each of which writes down what happens: the same on the standard modules and on ours.

    transcript.py [NAME...]      prints a JSON object of the transcripts, by scenario

A scenario is a function with a Stage. What cannot be the same twice (addresses, ports, descriptors) is
blotted out, and so are the lines of a trace that lie within asyncore and asynchat themselves.
"""

import contextlib
import glob
import importlib
import io
import json
import os
import re
import socket
import sys
import time
import warnings

warnings.simplefilter('ignore')

import asynchat  # noqa: E402
import asyncore  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SCENARIOS = {}


def scenario(function):
    SCENARIOS[function.__name__] = function
    return function


class Stage:
    """A map of its own, sockets that are closed at the end, and a list of what happened."""

    def __init__(self):
        self.map = {}
        self.lines = []
        self.sockets = []

    def say(self, *words):
        self.lines.append(' '.join(str(w) for w in words))

    def pair(self):
        """Two connected sockets; the second is for the scenario, and does not wait for ever."""
        pair = socket.socketpair()
        pair[1].settimeout(5)
        self.sockets += pair
        return pair

    def tcp_pair(self):
        with socket.socket() as listener:
            listener.bind(('127.0.0.1', 0))
            listener.listen(1)
            there = socket.create_connection(listener.getsockname())
            here, _ = listener.accept()
        there.settimeout(5)
        self.sockets += (here, there)
        return here, there

    def channel(self, cls, *args, tcp=False):
        """A channel of that class, and the socket at its other end."""
        here, there = self.tcp_pair() if tcp else self.pair()
        return cls(self, here, *args), there

    def passes(self, count=1, use_poll=False, timeout=0.01):
        asyncore.loop(timeout, use_poll, self.map, count)

    def until(self, true, use_poll=False):
        end = time.monotonic() + 5
        while self.map and not true() and time.monotonic() < end:
            self.passes(1, use_poll)
        if not true():
            self.say('it did not come to that')

    def raises(self, function, *args):
        try:
            return function(*args)
        except BaseException as why:
            self.say(type(why).__name__, why)

    def close(self):
        for channel in list(self.map.values()):
            with contextlib.suppress(Exception):
                channel.socket.close()
        for sock in self.sockets:
            with contextlib.suppress(OSError):
                sock.close()


class Chat(asynchat.async_chat):
    """Says what it collects and finds; `plan` maps what it has found so far to what to do then."""

    def __init__(self, stage, sock=None, terminator=b'\n', name=''):
        self.stage, self.name, self.plan, self.lines = stage, name, {}, 0
        asynchat.async_chat.__init__(self, sock, stage.map)
        self.set_terminator(terminator)

    def collect_incoming_data(self, data):
        self.stage.say(self.name + 'C', data)

    def found_terminator(self):
        self.stage.say(self.name + 'F')
        self.lines += 1
        todo = self.plan.get(self.lines)
        if todo:
            todo()

    def handle_close(self):
        self.stage.say(self.name + 'handle_close')
        self.close()

    def log_info(self, message, type='info'):
        self.stage.say(type, message)


class Dispatcher(asyncore.dispatcher):
    def __init__(self, stage, sock=None, name=''):
        self.stage, self.name = stage, name
        asyncore.dispatcher.__init__(self, sock, stage.map)

    def writable(self):
        return False

    def handle_read(self):
        self.stage.say(self.name + 'read', self.recv(100))

    def handle_write(self):
        self.stage.say(self.name + 'write')

    def handle_connect(self):
        self.stage.say(self.name + 'connect')

    def handle_close(self):
        self.stage.say(self.name + 'close')
        self.close()

    def log_info(self, message, type='info'):
        self.stage.say(type, message)


def blot(line):
    line = re.sub(r'0x[0-9a-f]+', '0xADDRESS', line)
    line = re.sub(r"127\.0\.0\.1(:|', )\d+", r'127.0.0.1\1PORT', line)
    line = re.sub(r'\[[^]|[]*(?:asyncore|asynchat)(?:/__init__)?\.py\|\w+\|\d+\] ?', '', line)
    line = re.sub(r'\[[^]|[]*/(\w+\.py)\|(\w+)\|\d+\]', r'[\1|\2]', line)
    line = re.sub(r'object at [0-9a-f]{6,}', 'object at ADDRESS', line)
    return re.sub(r'(fd=|[{ ])\d+(?=[,:] [<f])', r'\1N', line)


def play(name):
    stage, out = Stage(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            SCENARIOS[name](stage)
    except (ImportError, NameError):
        raise  # it is the scenario itself that is wrong
    except BaseException as why:
        stage.say('escaped:', type(why).__name__, why)
    finally:
        stage.close()
        asyncore.socket_map.clear()
    return [blot(line) for line in stage.lines + out.getvalue().splitlines()]


def main():
    for path in sorted(glob.glob(os.path.join(HERE, 'scenarios_*.py'))):
        importlib.import_module(os.path.basename(path)[:-3])
    if os.environ.get('FEW') and getattr(asyncore, '_fast', None):
        asyncore._fast.set_few(int(os.environ['FEW']))
    print(json.dumps({name: play(name) for name in sys.argv[1:] or SCENARIOS}))


if __name__ == '__main__':
    sys.modules['transcript'] = sys.modules['__main__']
    main()
