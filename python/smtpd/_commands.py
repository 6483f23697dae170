"""The commands: in which order HELP lists them, how each is written, how long a line may be."""

# RFC 5321, 4.5.3.1.4. CR and LF are not counted.
LINE_LIMIT = 512

# What an extension adds to the line of MAIL: ' SIZE=' with twenty digits (RFC 1870), and ' SMTPUTF8',
# for which RFC 6531 says ten.
SIZE_ADDS = 26
UTF8_ADDS = 10

PARAMETERS = ' [SP <mail-parameters>]'

# How it is written, and whether parameters may follow once the client has said EHLO.
COMMANDS = {
    'EHLO': ('EHLO hostname', False),
    'HELO': ('HELO hostname', False),
    'MAIL': ('MAIL FROM: <address>', True),
    'RCPT': ('RCPT TO: <address>', True),
    'DATA': ('DATA', False),
    'RSET': ('RSET', False),
    'NOOP': ('NOOP', False),
    'QUIT': ('QUIT', False),
    'VRFY': ('VRFY <address>', False),
}


def syntax(name, extended, code=501):
    """The reply that tells how a command is written; 501 when it was not."""
    text, has_parameters = COMMANDS[name]
    return '%d Syntax: %s%s' % (code, text, PARAMETERS if extended and has_parameters else '')


def listing(code):
    return '%d Supported commands: %s' % (code, ' '.join(COMMANDS))


def cut(line):
    """A line as (COMMAND, argument or None)."""
    word, space, rest = line.partition(' ')
    return word.upper(), rest.strip() if space else None
