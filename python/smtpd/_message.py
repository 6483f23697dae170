"""A message: as it stands on the wire after DATA, and with the header that names its sender's host."""

# By whether data is text (decode_data): what joins the chunks, ends a line on the wire, begins a line that is
# stuffed (a byte of bytes is a number), and ends a line for process_message(). The names are those of the
# attributes of a channel.
MARKS = {
    True: {'_emptystring': '', '_linesep': '\r\n', '_dotsep': '.', '_newline': '\n'},
    False: {'_emptystring': b'', '_linesep': b'\r\n', '_dotsep': ord('.'), '_newline': b'\n'},
}


def unstuffed(raw, linesep, dot, newline):
    """What the client meant: lines end in newline, and a dot at the begin of one was doubled on the wire."""
    return newline.join(line[1:] if line and line[0] == dot else line for line in raw.split(linesep))


def end_of_headers(lines):
    """Where the first empty line is, or None."""
    return next((at for at, line in enumerate(lines) if not line), None)


def peer_header(peer):
    return 'X-Peer: ' + peer[0]
