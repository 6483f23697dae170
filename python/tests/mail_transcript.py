"""Conversations with an SMTPChannel over a socket pair, each written down, to be the same on any smtpd.

    mail_transcript.py < SCRIPTS       prints a JSON list, a transcript for each script

A script is a JSON object: `channel`, the keyword arguments of the channel; `chunks`, what comes in, each
taken before the next is sent; `stubborn`, whether the channel lives on after an error. What a message asks
for in its first word, process_message() does. After each chunk stand the answers, what was said for
debugging, what process_message() got, errors, and the channel's attributes where they have changed.

The scripts that are a word are of CALLS below: what is not a conversation.
"""

import contextlib
import io
import json
import re
import socket
import sys
import types
import warnings

warnings.simplefilter('ignore')

import asyncore  # noqa: E402
import smtpd  # noqa: E402

WATCHED = ('smtp_state', 'seen_greeting', 'extended_smtp', 'mailfrom', 'rcpttos', 'mail_options',
           'rcpt_options', 'require_SMTPUTF8', 'num_bytes', 'received_lines', 'received_data', 'terminator',
           'data_size_limit', 'max_command_size_limit')
FIXED = ('addr', 'fqdn', 'peer', 'enable_SMTPUTF8', '_decode_data', '_emptystring', '_linesep', '_dotsep',
         '_newline')

# Which of these email's parser raises for what is no address depends on the interpreter.
BY_PARSER = ('HeaderParseError', 'IndexError')


class Heard:
    """smtpd.DEBUGSTREAM; what is said counts by line, however many pieces it is written in."""

    def __init__(self, lines):
        self.lines, self.said = lines, ''

    def write(self, text):
        self.said += text
        while '\n' in self.said:
            line, _, self.said = self.said.partition('\n')
            self.lines.append('debug ' + re.sub(r'started at .*', 'started at WHEN', line))


class Server:
    """What a channel asks of its server."""

    def __init__(self, lines):
        self.lines = lines

    def process_message(self, *args, **kwargs):
        self.lines.append('message %r %r' % (args, sorted(kwargs.items())))
        data = args[3] if isinstance(args[3], str) else args[3].decode('latin-1')
        word = data.split(None, 1)[0] if data.strip() else ''
        if word == 'raise':
            raise ValueError('asked to')
        return {'reply': '250 Taken', 'refuse': '550 No', 'empty': '', 'bytes': b'250 x', 'zero': 0,
                'accent': '250 \xe9'}.get(word)


class Channel(smtpd.SMTPChannel):
    lines = None
    stubborn = False

    def smtp_XTRA(self, arg):
        self.lines.append('XTRA %r' % (arg,))
        self.push('250 extra')

    def handle_error(self):
        kind, why = sys.exc_info()[:2]
        by_parser = kind.__name__ in BY_PARSER
        self.lines.append('error ' + ('of the parser' if by_parser else '%s: %s' % (kind.__name__, why)))
        if not self.stubborn:
            self.close()

    def handle_close(self):
        self.lines.append('handle_close')
        self.close()


def attributes(channel):
    found = {name: repr(getattr(channel, name, 'none')) for name in WATCHED}
    found['limits'] = repr(sorted(channel.command_size_limits.items()))
    return found


def heard(client):
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        return client.recv(1 << 20)
    return 'nothing'


def converse(script):
    lines, map = [], {}
    smtpd.DEBUGSTREAM = Heard(lines)
    client, conn = socket.socketpair()
    kind = type('Channel', (Channel,), {'lines': lines, 'stubborn': script['stubborn']})
    channel = kind(Server(lines), conn, 'address', map=map, **script['channel'])
    before = {}
    for chunk in [''] + script['chunks']:
        with contextlib.suppress(OSError):
            client.sendall(chunk.encode('latin-1'))
        asyncore.loop(timeout=0, map=map, count=4)
        lines.append('%.80r -> %r' % (chunk, heard(client)))
        now = attributes(channel)
        lines.extend('%s = %s' % item for item in now.items() if before.get(item[0]) != item[1])
        before = now
    client.close()
    asyncore.loop(timeout=0, map=map, count=2)
    lines.append('left: %d' % len(map))
    for each in list(map.values()):
        each.close()
    return lines


# ---- What is not a conversation ------------------------------------------------------------------

def attempt(lines, name, function, *args, **kwargs):
    try:
        lines.append('%s%r %r -> %r' % (name, args, kwargs, function(*args, **kwargs)))
    except Exception as why:
        lines.append('%s%r %r raised %s: %s' % (name, args, kwargs, type(why).__name__, why))


@contextlib.contextmanager
def channel_of(lines, **kwargs):
    client, conn = socket.socketpair()
    with client, conn:
        yield type('Channel', (Channel,), {'lines': lines})(Server(lines), conn, 'address', map={}, **kwargs)


def helpers(lines):
    with channel_of(lines) as channel:
        for arg in ('FROM:x', ' FROM:x', 'from:  x ', 'fro', 'FROM', '', 'FROM: <>'):
            attempt(lines, 'keyword', channel._strip_command_keyword, 'FROM:', arg)
        for arg in ('', None, '<a@b>', '<a@b> x=1 y', 'a@b  z ', ' <a@b>', '<>', '<> q', '<>q',
                    '"a b"@c Z=1'):
            attempt(lines, 'address', channel._getaddr, arg)
        for arg in ([], ['A'], ['A=1'], ['A='], ['=1'], ['A=1', 'A=2'], ['A-B'], ['A=B=C'], ['\xe9'], ['A!'],
                    [''], ['=']):
            attempt(lines, 'parameters', channel._getparams, arg)
        for arg in ('x', '\xe9', b'x', None, 5):
            attempt(lines, 'push', channel.push, arg)


def another_state(lines):
    """A subclass with more states, as for AUTH: no limit is for it."""
    with channel_of(lines, data_size_limit=5) as channel:
        channel.smtp_state = 7
        for _ in range(3):
            channel.collect_incoming_data(b'123456789')
        lines.append('%r %r' % (channel.num_bytes, channel.received_lines))


def commands_called(lines):
    for extended in (False, True):
        with channel_of(lines) as channel:
            channel.extended_smtp = extended
            for name in ('HELO', 'EHLO', 'NOOP', 'HELP', 'VRFY', 'MAIL', 'RCPT', 'RSET', 'DATA', 'EXPN'):
                for arg in (None, '', 'x'):
                    channel.received_data = 'not forgotten'
                    attempt(lines, name, getattr(channel, 'smtp_' + name), arg)
                    lines.append(channel.received_data)
            lines.append(repr([attributes(channel), list(channel.producer_fifo)]))


def channels_made(lines):
    for kwargs in ({}, {'decode_data': True}, {'enable_SMTPUTF8': True}, {'data_size_limit': None},
                   {'decode_data': 1, 'data_size_limit': 0}, {'decode_data': True, 'enable_SMTPUTF8': True}):
        try:
            with channel_of(lines, **kwargs) as channel:
                lines.append(repr(sorted((k, repr(v)) for k,
                                         v in vars(channel).items() if k in WATCHED + FIXED)))
        except ValueError as why:
            lines.append('%r: %s' % (kwargs, why))


def names_of_long_ago(lines):
    with channel_of(lines) as channel:
        for old in 'server line state greeting mailfrom rcpttos data fqdn peer conn addr'.split():
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter('always')
                value = getattr(channel, '_SMTPChannel__' + old)
                setattr(channel, '_SMTPChannel__' + old, 'new')
            lines.append(repr([old, sorted(name for name, each in vars(channel).items() if each == 'new')]))
            lines.extend(repr((str(each.message), each.filename == __file__))
                         for each in told if each.category is DeprecationWarning)
            setattr(channel, '_SMTPChannel__' + old, value)


class Made(smtpd.SMTPServer):
    lines = []

    def create_socket(self, *args):
        self.lines.append('create_socket %s' % (tuple(map(int, args)),))
        smtpd.SMTPServer.create_socket(self, *args)

    def set_reuse_addr(self):
        self.lines.append('set_reuse_addr')

    def bind(self, address):
        self.lines.append('bind %r' % (address,))

    def listen(self, backlog):
        self.lines.append('listen %r' % backlog)
        if self.data_size_limit == 13:
            raise KeyError('asked to')

    def close(self):
        self.lines.append('close')
        if self.socket:
            smtpd.SMTPServer.close(self)


def servers_made(lines):
    Made.lines = lines
    for args, kwargs in (((None,), {}), ((('b', 1),), {}), ((None, 7, {}, True), {}), ((None, 13), {}),
                         ((None,), {'decode_data': 1}), ((None,), {'decode_data': True,
                                                                   'enable_SMTPUTF8': True})):
        try:
            server = Made(('127.0.0.1', 0), *args, **dict({'map': {}} if len(args) < 3 else {}, **kwargs))
        except Exception as why:
            lines.append('%s: %s' % (type(why).__name__, why))
            continue
        lines.append(repr([server._localaddr, server._remoteaddr, server.data_size_limit,
                           server.enable_SMTPUTF8, server._decode_data, len(server._map)]))
        server.channel_class = lambda of, *args, **kwargs: lines.append('channel %r %r' % (
            args[:3] + args[4:], [of is server, args[3] is server._map, kwargs]))
        server.handle_accepted('conn', ('host', 5))
        attempt(lines, 'process_message', server.process_message, 1, 2, 3, 4, x=5)
        server.close()


MESSAGES = ('A: b\n\nx\r\ny\n', '', 'x', '\n', '\n\nx', 'A: b\nC: d', 'a\x0bb\x0cc\rg', 'A: b\n\n\n',
            'A\xe9: b\n\nc')


def debugging_server(lines):
    server = smtpd.DebuggingServer.__new__(smtpd.DebuggingServer)
    for text in MESSAGES:
        for data in (text, text.encode('latin-1')):
            for kwargs in ({}, {'mail_options': [], 'rcpt_options': []}, {'mail_options': ['A'],
                                                                          'rcpt_options': []},
                           {'mail_options': ['A'], 'rcpt_options': ['B']}, {'mail_options': None},
                           {'other': 1}):
                arguments = ('host\xe9', 1), 'f', ['t'], data
                with contextlib.redirect_stdout(io.StringIO()) as out:
                    attempt(lines, 'process_message', server.process_message, *arguments, **kwargs)
                lines.append(out.getvalue())


def pure_proxy(lines):
    import smtplib

    class Client:
        outcome, parting = {}, None

        def connect(self, *args):
            lines.append('connect %r' % (args,))
            if isinstance(self.outcome, ConnectionRefusedError):
                raise self.outcome

        def sendmail(self, *args):
            lines.append('sendmail %r' % (args,))
            if isinstance(self.outcome, Exception):
                raise self.outcome
            return self.outcome

        def quit(self):
            lines.append('quit')
            if self.parting:
                raise self.parting

    real, smtplib.SMTP = smtplib.SMTP, Client
    server = smtpd.PureProxy.__new__(smtpd.PureProxy)
    server._remoteaddr = ('next', 25)
    spoken = OSError('spoken')
    spoken.smtp_code, spoken.smtp_error = 99, 'words'
    for outcome in ({}, {'a': (550, b'no')}, smtplib.SMTPRecipientsRefused({'q': (1, b'z')}), OSError('x'),
                    spoken, smtplib.SMTPException('e'), smtplib.SMTPResponseException(551, b'no'),
                    ValueError('v'), smtplib.SMTPServerDisconnected('d'),
                    smtplib.SMTPSenderRefused(553, b's', 'me'), ConnectionRefusedError(111, 'refused')):
        Client.outcome = outcome
        attempt(lines, '_deliver', server._deliver, 'f', ['t', 'u'], 'data')
        for text in MESSAGES:
            attempt(lines, 'process_message', server.process_message, ('host', 5), 'f', ['t', 'u'], text)
    Client.outcome = {'a': (550, b'no')}
    for parting in (smtplib.SMTPServerDisconnected('gone'), smtplib.SMTPResponseException(421, b'bye')):
        Client.parting = parting
        attempt(lines, '_deliver', server._deliver, 'f', ['t', 'u'], 'data')
    attempt(lines, 'PureProxy', smtpd.PureProxy, ('127.0.0.1', 0), ('b', 1), enable_SMTPUTF8=True)
    smtplib.SMTP = real


ARGUMENTS = ('', '-n', '-V', 'a:1', 'a:1 b:2', 'a:1 b:2 c:3', 'a', 'a:x', 'a:1 b', 'a:1 b:x', '-s 5', '-s x',
             '-s -5', '-u', '-d', '-c X', '--class=Y.Z -n -s 10 -u :1 :2', '-z', '--foo', '-c', '--size',
             '--smtputf8 --debug', ':', 'a:b:1', '[::1]:25 x', '--nosetuid=1', '-s 0', '-V -z', '-s x -V',
             '--ver', '--deb --cl x', '-h')


def arguments(lines):
    """Of the help only the last line counts: it has words of its own."""
    for given in ARGUMENTS:
        sys.argv[1:] = given.split()
        smtpd.DEBUGSTREAM = Heard(lines)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                lines.append(repr(sorted(vars(smtpd.parseargs()).items())))
            except SystemExit as why:
                lines.append('exit %r' % why.code)
        told = err.getvalue().splitlines()[-1:] if given != '-h' else ['Usage:' in err.getvalue()]
        lines.append(repr([given, out.getvalue(), told, isinstance(smtpd.DEBUGSTREAM, Heard)]))


CALLS = {each.__name__: each for each in (
    helpers, another_state, commands_called, channels_made, names_of_long_ago, servers_made, debugging_server,
    pure_proxy, arguments)}


def call(name):
    lines = []
    smtpd.DEBUGSTREAM = Heard(lines)
    CALLS[name](lines)
    return lines


def main():
    stand_in = types.ModuleType('socket')
    stand_in.__dict__.update(socket.__dict__, getfqdn=lambda: 'host.example.org')
    smtpd.socket = stand_in
    scripts = json.load(sys.stdin)
    print(json.dumps([call(script) if isinstance(script, str) else converse(script) for script in scripts]))


if __name__ == '__main__':
    main()
