"""`python -m smtpd`: what it is told, and a server of that."""

import importlib
import os
import sys

import smtpd

HELP = """\
A server for mail (RFC 5321) with SIZE (RFC 1870) and, if asked to, SMTPUTF8 (RFC 6531).

Usage: {program} [options] [localhost:localport [remotehost:remoteport]]

Options:

    -n, --nosetuid         do not become the user nobody; only root can
    -c, --class NAME       the class that serves, PureProxy unless told: one of smtpd,
                           or one of a module as MODULE.NAME
    -s, --size LIMIT       no message of more than LIMIT bytes; {limit} unless told
    -u, --smtputf8         offer SMTPUTF8
    -d, --debug            tell on stderr what happens
    -V, --version          print the version, and no more
    -h, --help             print this, and no more

Version: {version}

It listens at localhost:localport, which is localhost:8025 unless told, and PureProxy passes mail on to
remotehost:remoteport, which is localhost:25 unless told.
"""

# By what getopt gives: how it is called at length, and whether an argument follows.
OPTIONS = {'-n': 'nosetuid', '-V': 'version', '-h': 'help', '-c': 'class=', '-s': 'size=', '-u': 'smtputf8',
           '-d': 'debug'}


class Options:
    classname = 'PureProxy'

    # Whether to become the user nobody.
    setuid = True

    # Of a message, in bytes.
    size_limit = None

    enable_SMTPUTF8 = False


def tell(text):
    print(text, file=sys.stderr)


def usage(code, msg=''):
    tell(HELP.format(program=smtpd.program, version=smtpd.__version__, limit=smtpd.DATA_SIZE_DEFAULT))
    if msg:
        tell(msg)
    sys.exit(code)


def parseargs():
    """Options of what sys.argv says; ends the program if that cannot be."""
    short = ''.join(letter[1] + ':' * name.endswith('=') for letter, name in OPTIONS.items())
    try:
        given, places = smtpd.getopt.getopt(sys.argv[1:], short, list(OPTIONS.values()))
    except smtpd.getopt.error as why:
        usage(1, why)
    letters = {'--' + name.rstrip('='): letter for letter, name in OPTIONS.items()}
    options = Options()
    for option, value in given:
        follow(options, letters.get(option, option), value)
    if len(places) > 2:
        usage(1, 'Invalid arguments: %s' % smtpd.COMMASPACE.join(places))
    local, remote = places + ['localhost:8025', 'localhost:25'][len(places):]
    options.localhost, options.localport = place('local', local)
    options.remotehost, options.remoteport = place('remote', remote)
    return options


def follow(options, letter, value):
    if letter == '-h':
        usage(0)
    elif letter == '-V':
        print(smtpd.__version__)
        sys.exit(0)
    elif letter == '-d':
        smtpd.DEBUGSTREAM = sys.stderr
    elif letter == '-s':
        options.size_limit = size(value)
    elif letter == '-c':
        options.classname = value
    elif letter == '-u':
        options.enable_SMTPUTF8 = True
    else:
        options.setuid = False


def size(text):
    try:
        return int(text)
    except ValueError:
        tell('Invalid size: ' + text)
        sys.exit(1)


def place(which, text):
    """(host, port) of host:port."""
    host, colon, port = text.partition(':')
    if not colon:
        usage(1, 'Bad %s spec: %s' % (which, text))
    try:
        return host, int(port)
    except ValueError:
        usage(1, 'Bad %s port: %s' % (which, text))


def find_class(name):
    """A name without a module is one of what runs, as __main__ of this package has all of ours."""
    module, _, attribute = name.rpartition('.')
    return getattr(importlib.import_module(module or '__main__'), attribute)


def become_nobody():
    try:
        import pwd
    except ImportError:
        sys.exit('Cannot import module "pwd"; try running with -n option.')
    try:
        os.setuid(pwd.getpwnam('nobody').pw_uid)
    except PermissionError:
        sys.exit('Cannot setuid "nobody"; try running with -n option.')


def main():
    smtpd.program = sys.argv[0]  # python -m sets it after the package has been imported
    options = parseargs()
    serve = find_class(options.classname)
    local, remote = (options.localhost, options.localport), (options.remotehost, options.remoteport)
    serve(local, remote, options.size_limit, enable_SMTPUTF8=options.enable_SMTPUTF8)
    if options.setuid:
        become_nobody()
    try:
        smtpd.asyncore.loop()
    except KeyboardInterrupt:
        pass
