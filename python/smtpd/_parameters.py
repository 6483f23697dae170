"""What follows MAIL FROM: and RCPT TO:, an address and parameters after it."""

from email._header_value_parser import get_addr_spec, get_angle_addr

from . import _replies


def after_keyword(keyword, text):
    """What stands behind the keyword (in capitals, with its colon), or '' if the text begins otherwise."""
    begin, rest = text[:len(keyword)], text[len(keyword):]
    return rest.strip() if begin.upper() == keyword else ''


def split_address(text):
    """(address, rest) of what begins with an address, in angle brackets or bare."""
    if not text:
        return '', ''
    bracketed = text.lstrip().startswith('<')
    token, rest = (get_angle_addr if bracketed else get_addr_spec)(text)
    return token.addr_spec, rest


def as_dict(words):
    """{keyword: value} of KEYWORD=VALUE and {keyword: True} of KEYWORD; None if one of them is neither."""
    found = {}
    for word in words:
        keyword, equals, value = word.partition('=')
        if not keyword.isalnum() or (equals and not value):
            return None
        found[keyword] = value if equals else True
    return found


class MailParameters:
    """Those of one MAIL: refusal() tells what is wrong first, `utf8` whether SMTPUTF8 was asked for.

    Each check takes out of `left` what it knows; what is left in the end nobody knows.
    """

    def __init__(self, found, channel, bad_syntax):
        self.left = found
        self.channel, self.bad_syntax = channel, bad_syntax
        self.utf8 = False

    def refusal(self):
        """The reply that refuses, or None."""
        for check in (self._body, self._smtputf8, self._size, self._others):
            reply = check()
            if reply:
                return reply
        return None

    def _body(self):
        if not self.channel._decode_data and self.left.pop('BODY', '7BIT') not in ('7BIT', '8BITMIME'):
            return _replies.BAD_BODY
        return None

    def _smtputf8(self):
        if not self.channel.enable_SMTPUTF8:
            return None
        asked = self.left.pop('SMTPUTF8', False)
        self.utf8 = asked is True
        return _replies.UTF8_WITH_VALUE if asked and not self.utf8 else None

    def _size(self):
        # Without a value it is True here, and a program sees the AttributeError of that, as ever.
        size, limit = self.left.pop('SIZE', None), self.channel.data_size_limit
        if not size:
            return None
        if not size.isdigit():
            return self.bad_syntax
        return _replies.LARGER_THAN_LIMIT if limit and int(size) > limit else None

    def _others(self):
        return _replies.UNKNOWN_PARAMETERS % 'MAIL FROM' if self.left else None
