"""The same conversations with the standard SMTPChannel and with ours: the transcripts have to be equal.

A thousand scripts, each a list of chunks of input: most are written here, others made at random from a seed.
The standard module is run by this interpreter if it has it, else by the one CONTROL names.
"""

import os
import random
import unittest

from beside import Beside

CALLS = ['helpers', 'another_state', 'commands_called', 'channels_made', 'names_of_long_ago', 'servers_made',
         'debugging_server', 'pure_proxy', 'arguments']
RANDOM = 400

CHANNELS = ({}, {'decode_data': True}, {'enable_SMTPUTF8': True}, {'data_size_limit': None},
            {'data_size_limit': 0, 'decode_data': True}, {'data_size_limit': 60},
            {'data_size_limit': 60, 'decode_data': True}, {'data_size_limit': 100, 'enable_SMTPUTF8': True})

# ---- Scripts that are written here: lines, to which CR and LF are added ---------------------------

LETTER = ['HELO me', 'MAIL FROM:<a@b>', 'RCPT TO:<c@d>', 'RCPT TO:e@f', 'DATA', 'Subject: x', '', '.dot',
          '..', '...', ' .', 'last', '.', 'NOOP', 'QUIT', 'NOOP']
TWO_LETTERS = LETTER[:-3] + ['MAIL FROM:<>', 'RCPT TO:<>', 'DATA', '.', 'RSET', 'QUIT']
BEFORE_HELLO = ['NOOP', 'NOOP x', 'noop', ' NOOP', 'NOOP ', 'NOOP\t', '', '   ', 'RSET', 'RSET x', 'VRFY',
                'VRFY a@b', 'VRFY ""', 'VRFY <>', 'EXPN', 'EXPN l', 'RCPT', 'RCPT TO:<a>', 'DATA', 'DATA x',
                'MAIL', 'MAIL x', 'XTRA', 'xtra a  b ', 'HELO', 'EHLO', '__init__', 'smtp_NOOP', 'TURN',
                'QUIT bye']
ALL_HELP = ['HELP' + rest for rest in (
    '', ' x', ' ehlo', ' HELO', ' Mail', ' rcpt', ' data', ' rset', ' noop', ' quit', ' vrfy', ' expn',
    ' help', '  MAIL ', ' mail x', ' xtra')]
ADDRESSES = ['', ' ', 'a@b', '<a@b>', '<a@b', 'a@b>', '<>', '<>x', '""', '<"">', '"a b"@c', '<"a b"@c>', 'a',
             '<a>', '<a>b', '<@x:b@c>', 'x <a@b>', 'a.b@c.d', 'a@[1.2.3.4]', '<a@[IPv6:::1]>', 'a,b',
             '(c)a@b', '\xc3\xa9@b', '<\xc3\xa9@b>', '@', '<', '<@>', '\xff@b']
PARAMETERS = ['SIZE=1', 'SIZE=', 'SIZE', 'SIZE=-1', 'SIZE=x', 'size=99', 'SIZE=61', 'SIZE=100', 'SIZE=101',
              'SIZE=33554432', 'SIZE=33554433', 'SIZE=1=2', 'BODY=7BIT', 'body=8bitmime', 'BODY=9', 'BODY',
              'BODY=', 'SMTPUTF8', 'smtputf8', 'SMTPUTF8=x', 'SMTPUTF8=', 'FOO', 'FOO=1', 'A-B=1', '=', '=x',
              'X!', '<c>', 'AUTH=<>', 'B\xc3\xa9=1']


def envelopes(hello):
    """MAIL with each address, and with each one and two parameters; RCPT too."""
    yield [hello] + [line for address in ADDRESSES for line in ('MAIL FROM:' + address, 'RSET')]
    yield [hello, 'MAIL FROM:<a@b>'] + ['RCPT TO:' + address for address in ADDRESSES] + ['DATA', '.']
    yield [hello] + [line for one in PARAMETERS for line in ('MAIL FROM:<a@b> ' + one, 'RSET')]
    yield [hello, 'MAIL FROM:<a@b>'] + ['RCPT TO:<a@b> ' + one for one in PARAMETERS]
    yield [hello] + [line for one, two in zip(PARAMETERS, PARAMETERS[7:] + PARAMETERS[:7])
                     for line in ('MAIL FROM:a@b %s  %s' % (one, two), 'RSET',
                                  'MAIL FROM:a@b ' + two + ' ' + one, 'RSET')]
    wrong = ('BODY=9', 'SMTPUTF8=x', 'SIZE=x', 'SIZE=99999999', 'FOO')
    yield [hello] + ['MAIL FROM:<a@b> %s %s' % (one, two) for one in wrong for two in wrong]
    yield [hello, 'MAIL', 'MAIL FROM', 'MAIL TO:a', 'MAIL from:a', 'MAIL FROM:b', 'MAIL x', 'RCPT', 'RCPT x',
           'RCPT FROM:a', 'DATA', 'RCPT to:b', 'DATA x', hello, 'HELO z', 'EHLO z', 'DATA']


def lengths(hello):
    """Around what a line may be: 512, with SIZE 538, with SMTPUTF8 too 548."""
    for long in (511, 512, 513, 537, 538, 539, 547, 548, 549, 1100):
        yield [hello, 'NOOP ' + 'x' * (long - 5), 'MAIL FROM:<%s@b>' % ('a' * (long - 14)), 'mail from:<a>',
               'RCPT TO:<c>', 'X' * long, ' ' * long, 'DATA', 'y' * long, '.']


def large(hello):
    """Around a limit of 60 or 100 bytes."""
    for long in (29, 30, 31, 49, 50, 51, 59, 60, 61, 99, 100, 101):
        yield [hello, 'MAIL FROM:<a>', 'RCPT TO:<c>', 'DATA', 'z' * long, '.', 'NOOP', '.', 'RSET',
               'z' * long, 'z' * long, '.', 'QUIT']


def written():
    """(channel, lines, stubborn)"""
    for channel in CHANNELS:
        for lines in (LETTER, TWO_LETTERS, BEFORE_HELLO, ALL_HELP, ['EHLO a b '] + ALL_HELP + LETTER[1:]):
            yield channel, lines, True
        for hello in ('HELO me', 'EHLO me'):
            for lines in [*envelopes(hello), *lengths(hello), *large(hello)]:
                yield channel, lines, True
            for word in ('raise', 'reply', 'refuse', 'empty', 'bytes', 'zero', 'accent', '\xc3\xa9', '\xff'):
                for stubborn in (False, True):
                    yield channel, [hello, 'MAIL FROM:<a> SMTPUTF8', 'MAIL FROM:<a>', 'RCPT TO:<c>', 'DATA',
                                    word, '.', 'NOOP', '.', 'NOOP', 'QUIT'], stubborn


# ---- Scripts made at random ----------------------------------------------------------------------

def random_line(choose):
    verb = choose.choice(['MAIL', 'MAIL', 'RCPT', 'RCPT', 'DATA', 'DATA', 'NOOP', 'RSET', 'HELO', 'EHLO',
                          'HELP', 'VRFY', 'EXPN', 'QUIT', 'XTRA', 'FOO', '', 'text', '.', '..', '.x', 'raise',
                          'reply'])
    if choose.random() < 0.1:
        verb = verb.lower()
    if choose.random() < 0.03:
        verb += choose.choice(['\t', '\xc3\xa9', '\xff', '\n', '\r', '\0'])
    tail = {'MAIL': ' FROM:', 'RCPT': ' TO:'}.get(verb.upper(), '')
    if tail:
        tail += choose.choice(ADDRESSES[2:4] * 8 + ADDRESSES)
        for _ in range(choose.choice([0, 0, 0, 1, 1, 2])):
            tail += ' ' + choose.choice(PARAMETERS)
    elif verb.upper() in ('HELO', 'EHLO'):
        tail = ' me'
    elif choose.random() < 0.15:
        tail = ' ' + choose.choice(['x', 'MAIL', 'a@b', 'x' * 600, '\xc3\xa9', '  '])
    return verb + tail


def cut(choose, text):
    """The input in chunks that end anywhere, some of many lines."""
    chunks = []
    while text:
        long = choose.choice([1, 2, 3, 10, 40, 40, 200, 1000])
        chunks.append(text[:long])
        text = text[long:]
    return chunks


def random_script(seed):
    choose = random.Random(seed)
    lines = [choose.choice(['HELO me', 'EHLO me', 'EHLO me', 'NOOP'])]
    for _ in range(choose.randrange(5, 40)):
        if choose.random() < 0.2:
            lines += ['MAIL FROM:<a@b>', 'RCPT TO:<c@d>', 'DATA', choose.choice(['raise', 'reply', 'x' * 70,
                                                                                 '..', '']), '.']
        lines.append(random_line(choose))
    whole = ''.join(line + '\r\n' for line in lines)
    by_line = [line + '\r\n' for line in lines]
    return {'channel': choose.choice(CHANNELS), 'stubborn': choose.random() < 0.8,
            'chunks': by_line if seed % 2 else cut(choose, whole)}


def scripts():
    made = [{'channel': channel, 'stubborn': stubborn, 'chunks': [line + '\r\n' for line in lines]}
            for channel, lines, stubborn in written()]
    return CALLS + made + [random_script(seed) for seed in range(RANDOM)]


# ---- Compared ------------------------------------------------------------------------------------

class MailDifferential(Beside):
    command = (os.path.join(os.path.dirname(os.path.abspath(__file__)), 'mail_transcript.py'),)

    @classmethod
    def setUpClass(cls):
        cls.asked = scripts()
        super().setUpClass()

    def compare(self, **environment):
        for asked, had, standard in zip(self.asked, self.ours(**environment), self.standard):
            if had != standard:
                with self.subTest(asked):
                    self.assertEqual(had, standard)

    def test_ours(self):
        self.compare()

    def test_ours_without_c(self):
        self.compare(ASYNCORE_PURE='1')

    def test_there_are_enough_and_they_reach_far(self):
        self.assertGreater(len(self.asked), 1000)
        told = '\n'.join(line for lines in self.standard for line in lines)
        for answer in ('220', '221', '250 ', '250-', '252', '354', '500 Error: bad', '500 Error: comm',
                       '500 Error: line',
                       '501 Error: BODY', '501 Error: SMTPUTF8', '501 Syntax', '502 EXPN', '502 Could',
                       '503 Dup',
                       '503 Error: send', '503 Error: nested', '503 Error: need MAIL', '503 Error: need RCPT',
                       '552 Error: message', '552 Error: Too', '555 MAIL', '555 RCPT', '550 No', '250 Taken'):
            self.assertIn(answer, told)


if __name__ == '__main__':
    unittest.main()
