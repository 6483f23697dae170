"""The server's side of one conversation.

Input comes as lines until DATA, then as one piece up to the lone dot: found_terminator() hands either on to
_take_command() or _take_message(). A command is a method named smtp_ and its name, so a subclass may have
more. What those methods share are functions here: a subclass may have methods by any name.
"""

import asynchat
import collections
import errno

from warnings import warn

import smtpd

from . import _commands, _message, _parameters, _replies
from ._commands import syntax

END_OF_LINE, END_OF_DATA = b'\r\n', b'\r\n.\r\n'
CONFLICT = 'decode_data and enable_SMTPUTF8 cannot be set to True at the same time'


def debug(*words):
    print(*words, file=smtpd.DEBUGSTREAM)


def _met(channel):
    """Whether the client is still there."""
    try:
        channel.peer = channel.conn.getpeername()
    except OSError as why:
        channel.close()
        if why.errno != errno.ENOTCONN:
            raise
        return False
    debug('Peer:', repr(channel.peer))
    return True


# ---- Input: a line before DATA, all up to the dot after it ---------------------------------------

def _take_command(channel, line):
    size, channel.num_bytes = channel.num_bytes, 0
    if not line:
        channel.push(_replies.EMPTY_LINE)
        return
    name, argument = _commands.cut(line if channel._decode_data else str(line, 'utf-8'))
    if size > (channel.command_size_limits[name] if channel.extended_smtp else channel.command_size_limit):
        channel.push(_replies.LONG_LINE)
        return
    method = getattr(channel, 'smtp_' + name, None)
    if method:
        method(argument)
    else:
        channel.push(_replies.UNKNOWN % name)


def _take_message(channel, raw):
    if channel.data_size_limit and channel.num_bytes > channel.data_size_limit:
        # It goes on as data: what else comes counts from here.
        channel.num_bytes = 0
        channel.push(_replies.TOO_MUCH)
        return
    channel.received_data = _message.unstuffed(raw, channel._linesep, channel._dotsep, channel._newline)
    options = {}
    if not channel._decode_data:
        options = {'mail_options': channel.mail_options, 'rcpt_options': channel.rcpt_options}
    status = channel.smtp_server.process_message(channel.peer, channel.mailfrom, channel.rcpttos,
                                                 channel.received_data, **options)
    channel._set_post_data_state()
    channel.push(status or _replies.OK)


# ---- What commands share -------------------------------------------------------------------------

def _syntax(channel, name):
    return syntax(name, channel.extended_smtp)


def _refused(channel, *conditions):
    """Answers with the reply of the first (whether it holds, reply), and tells if there was one."""
    reply = next((reply for holds, reply in conditions if holds), None)
    if reply:
        channel.push(reply)
    return reply is not None


def _greeted(channel, name, host):
    """What HELO and EHLO have in common; tells whether the client is welcome."""
    if _refused(channel, (not host, _syntax(channel, name)), (channel.seen_greeting, _replies.GREETED)):
        return False
    channel._set_rset_state()
    channel.seen_greeting = host
    return True


def _extensions(channel):
    """What EHLO offers, each with the bytes by which the line of MAIL may be longer for it."""
    offers = ((channel.data_size_limit, 'SIZE %s' % channel.data_size_limit, _commands.SIZE_ADDS),
              (not channel._decode_data, '8BITMIME', 0),
              (channel.enable_SMTPUTF8, 'SMTPUTF8', _commands.UTF8_ADDS))
    return [(text, adds) for offered, text, adds in offers if offered]


def _address_of(channel, keyword, arg):
    """(address, what follows) of the argument of MAIL and RCPT; address is empty if that is no good."""
    address, rest = channel._getaddr(channel._strip_command_keyword(keyword, arg) if arg else '')
    return ('' if rest and not channel.extended_smtp else address), rest


# ---- The channel ---------------------------------------------------------------------------------

class SMTPChannel(asynchat.async_chat):
    COMMAND = 0
    DATA = 1

    command_size_limit = _commands.LINE_LIMIT

    # One for all channels; a new channel empties it, an EHLO fills in what its extensions add.
    command_size_limits = collections.defaultdict(lambda: _commands.LINE_LIMIT)

    def __init__(self, server, conn, addr, data_size_limit=smtpd.DATA_SIZE_DEFAULT, map=None,
                 enable_SMTPUTF8=False, decode_data=False):
        asynchat.async_chat.__init__(self, conn, map=map)
        self.smtp_server, self.conn, self.addr = server, conn, addr
        self.data_size_limit = data_size_limit
        self.enable_SMTPUTF8, self._decode_data = enable_SMTPUTF8, decode_data
        if decode_data and enable_SMTPUTF8:
            raise ValueError(CONFLICT)
        for name, mark in _message.MARKS[bool(decode_data)].items():
            setattr(self, name, mark)
        self.command_size_limits.clear()
        self._set_rset_state()
        self.seen_greeting, self.extended_smtp = '', False
        self.fqdn = smtpd.socket.getfqdn()
        if _met(self):
            self.push(_replies.READY.format(host=self.fqdn, version=smtpd.__version__))

    # ---- What a message and a conversation begin with

    def _set_post_data_state(self):
        """As after a message: the next one may begin."""
        self.smtp_state, self.num_bytes = self.COMMAND, 0
        self.mailfrom, self.rcpttos, self.require_SMTPUTF8 = None, [], False
        self.set_terminator(END_OF_LINE)

    def _set_rset_state(self):
        """As after RSET: what has come in is forgotten as well."""
        self._set_post_data_state()
        self.received_data, self.received_lines = '', []

    @property
    def max_command_size_limit(self):
        return max(self.command_size_limits.values(), default=self.command_size_limit)

    # ---- Output and input

    def push(self, msg):
        """Sends a reply; CR and LF are added."""
        encoding = 'utf-8' if self.require_SMTPUTF8 else 'ascii'
        asynchat.async_chat.push(self, (msg + '\r\n').encode(encoding))

    def collect_incoming_data(self, data):
        limits = {self.COMMAND: self.max_command_size_limit, self.DATA: self.data_size_limit}
        limit = limits.get(self.smtp_state)  # a subclass may have more states
        if limit:
            # The chunk that goes beyond it is kept yet, and tells later that there was too much.
            if self.num_bytes > limit:
                return
            self.num_bytes += len(data)
        self.received_lines.append(str(data, 'utf-8') if self._decode_data else data)

    def found_terminator(self):
        taken = self._emptystring.join(self.received_lines)
        self.received_lines = []
        debug('Data:', repr(taken))
        if self.smtp_state == self.COMMAND:
            _take_command(self, taken)
        elif self.smtp_state == self.DATA:
            _take_message(self, taken)
        else:
            self.num_bytes = 0
            self.push(_replies.CONFUSED)

    # ---- The commands

    def smtp_HELO(self, arg):
        if _greeted(self, 'HELO', arg):
            self.push('250 ' + self.fqdn)

    def smtp_EHLO(self, arg):
        if not _greeted(self, 'EHLO', arg):
            return
        self.extended_smtp = True
        self.push('250-' + self.fqdn)
        for text, adds in _extensions(self):
            self.push('250-' + text)
            if adds:
                self.command_size_limits['MAIL'] += adds
        self.push('250 HELP')

    def smtp_NOOP(self, arg):
        self.push(_syntax(self, 'NOOP') if arg else _replies.OK)

    def smtp_QUIT(self, arg):
        self.push(_replies.BYE)
        self.close_when_done()

    def smtp_HELP(self, arg):
        name = arg.upper() if arg else None
        if name in _commands.COMMANDS:
            self.push(syntax(name, self.extended_smtp, 250))
        else:
            self.push(_commands.listing(501 if name else 250))

    def smtp_VRFY(self, arg):
        if not arg:
            self.push(_syntax(self, 'VRFY'))
            return
        address, _ = self._getaddr(arg)
        self.push(_replies.UNVERIFIED if address else _replies.NOT_AN_ADDRESS % arg)

    def smtp_EXPN(self, arg):
        self.push(_replies.NO_EXPN)

    def _strip_command_keyword(self, keyword, arg):
        return _parameters.after_keyword(keyword, arg)

    def _getaddr(self, arg):
        return _parameters.split_address(arg)

    def _getparams(self, params):
        return _parameters.as_dict(params)

    def smtp_MAIL(self, arg):
        if _refused(self, (not self.seen_greeting, _replies.GREET_FIRST)):
            return
        debug('===> MAIL', arg)
        address, rest = _address_of(self, 'FROM:', arg)
        if _refused(self, (not address, _syntax(self, 'MAIL')), (self.mailfrom, _replies.NESTED)):
            return
        self.mail_options = rest.upper().split()
        found = self._getparams(self.mail_options)
        if _refused(self, (found is None, _syntax(self, 'MAIL'))):
            return
        asked = _parameters.MailParameters(found, self, _syntax(self, 'MAIL'))
        refusal = asked.refusal()
        if asked.utf8:
            self.require_SMTPUTF8 = True
        if _refused(self, (refusal, refusal)):
            return
        self.mailfrom = address
        debug('sender:', address)
        self.push(_replies.OK)

    def smtp_RCPT(self, arg):
        if _refused(self, (not self.seen_greeting, _replies.GREET_FIRST)):
            return
        debug('===> RCPT', arg)
        if _refused(self, (not self.mailfrom, _replies.MAIL_FIRST)):
            return
        address, rest = _address_of(self, 'TO:', arg)
        if _refused(self, (not address, _syntax(self, 'RCPT'))):
            return
        self.rcpt_options = rest.upper().split()
        found = self._getparams(self.rcpt_options)
        if _refused(self, (found is None, _syntax(self, 'RCPT')),
                    (found, _replies.UNKNOWN_PARAMETERS % 'RCPT TO')):
            return
        self.rcpttos.append(address)
        debug('recips:', self.rcpttos)
        self.push(_replies.OK)

    def smtp_RSET(self, arg):
        if _refused(self, (arg, _syntax(self, 'RSET'))):
            return
        self._set_rset_state()
        self.push(_replies.OK)

    def smtp_DATA(self, arg):
        if _refused(self, (not self.seen_greeting, _replies.GREET_FIRST),
                    (not self.rcpttos, _replies.RCPT_FIRST), (arg, _syntax(self, 'DATA'))):
            return
        self.set_terminator(END_OF_DATA)
        self.smtp_state = self.DATA
        self.push(_replies.SEND_DATA)


# ---- Names of long ago ---------------------------------------------------------------------------

# They were private; programs reach them as channel._SMTPChannel__state.
RENAMED = dict({name: name for name in ('mailfrom', 'rcpttos', 'fqdn', 'peer', 'conn', 'addr')},
               server='smtp_server', line='received_lines', state='smtp_state', greeting='seen_greeting',
               data='received_data')


def _alias(old, new):
    told = "%s __%s attribute on SMTPChannel is deprecated, %s '%s' instead"

    def get(self):
        warn(told % ('Access to', old, 'use', new), DeprecationWarning, 2)
        return getattr(self, new)

    def put(self, value):
        warn(told % ('Setting', old, 'set', new), DeprecationWarning, 2)
        setattr(self, new, value)

    return property(get, put)


for _old, _new in RENAMED.items():
    setattr(SMTPChannel, '_SMTPChannel__' + _old, _alias(_old, _new))
