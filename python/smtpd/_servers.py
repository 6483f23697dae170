"""The servers: one to be subclassed, one that prints what it gets, one that passes it on."""

import asyncore
import smtplib

import smtpd

from ._channel import CONFLICT, SMTPChannel, debug
from ._message import end_of_headers, peer_header

BACKLOG = 5


def _listen(server, address):
    family, kind = smtpd.socket.getaddrinfo(*address, type=smtpd.socket.SOCK_STREAM)[0][:2]
    server.create_socket(family, kind)
    server.set_reuse_addr()
    server.bind(address)
    server.listen(BACKLOG)


class SMTPServer(asyncore.dispatcher):

    # What a client that connects gets.
    channel_class = SMTPChannel

    def __init__(self, localaddr, remoteaddr, data_size_limit=smtpd.DATA_SIZE_DEFAULT, map=None,
                 enable_SMTPUTF8=False, decode_data=False):
        self._localaddr, self._remoteaddr = localaddr, remoteaddr
        self.data_size_limit = data_size_limit
        self.enable_SMTPUTF8, self._decode_data = enable_SMTPUTF8, decode_data
        if decode_data and enable_SMTPUTF8:
            raise ValueError(CONFLICT)
        asyncore.dispatcher.__init__(self, map=map)
        try:
            _listen(self, localaddr)
        except BaseException:
            self.close()
            raise
        debug('%s started at %s\n\tLocal addr: %s\n\tRemote addr:%s' % (
            type(self).__name__, smtpd.time.ctime(smtpd.time.time()), localaddr, remoteaddr))

    def handle_accepted(self, conn, addr):
        debug('Incoming connection from', repr(addr))
        terms = self.data_size_limit, self._map, self.enable_SMTPUTF8, self._decode_data
        self.channel_class(self, conn, addr, *terms)

    def process_message(self, peer, mailfrom, rcpttos, data, **kwargs):
        """A message has come: data from mailfrom, at the (address, port) peer, to those of the list rcpttos.

        With decode_data set, data is text; else it is bytes, and mail_options and rcpt_options come along,
        lists of the parameters of MAIL and RCPT in capitals. What this returns is the reply; None stands for
        '250 OK'.
        """
        raise NotImplementedError


class DebuggingServer(SMTPServer):

    def process_message(self, peer, mailfrom, rcpttos, data, **kwargs):
        print('---------- MESSAGE FOLLOWS ----------')
        if kwargs.get('mail_options'):
            print('mail options:', kwargs['mail_options'])
        if kwargs.get('rcpt_options'):
            print('rcpt options:', kwargs['rcpt_options'], end='\n\n')
        self._print_message_content(peer, data)
        print('------------ END MESSAGE ------------')

    def _print_message_content(self, peer, data):
        lines = data.splitlines()
        blank = end_of_headers(lines)
        if blank is not None:
            header = peer_header(peer)
            lines.insert(blank, header if isinstance(data, str) else header.encode('utf-8'))
        for line in lines:
            print(line if isinstance(data, str) else repr(line))


def _hand_over(address, mailfrom, rcpttos, data, refused):
    """Fills in refused as soon as it is known: to say goodbye may fail after that."""
    client = smtplib.SMTP()
    client.connect(*address)
    try:
        refused.update(client.sendmail(mailfrom, rcpttos, data))
    finally:
        client.quit()


class PureProxy(SMTPServer):
    """Passes each message on to remoteaddr, at once: nothing else happens meanwhile."""

    def __init__(self, *args, **kwargs):
        if kwargs.get('enable_SMTPUTF8'):
            raise ValueError('PureProxy does not support SMTPUTF8.')
        SMTPServer.__init__(self, *args, **kwargs)

    def process_message(self, peer, mailfrom, rcpttos, data):
        lines = data.split('\n')
        blank = end_of_headers(lines)
        lines.insert(len(lines) if blank is None else blank, peer_header(peer))
        debug('we got some refusals:', self._deliver(mailfrom, rcpttos, '\n'.join(lines)))

    def _deliver(self, mailfrom, rcpttos, data):
        """{recipient: (code, text)} of those who did not get it."""
        refused = {}
        try:
            _hand_over(self._remoteaddr, mailfrom, rcpttos, data, refused)
        except smtplib.SMTPRecipientsRefused as refusal:
            debug('got SMTPRecipientsRefused')
            return refusal.recipients
        except (OSError, smtplib.SMTPException) as failure:
            debug('got', type(failure))
            # All of them, with the next server's words if it was that which failed.
            answer = getattr(failure, 'smtp_code', -1), getattr(failure, 'smtp_error', 'ignore')
            refused.update(dict.fromkeys(rcpttos, answer))
        return refused
