"""A map of channels, as a pass goes over it."""


def _wishes(map):
    """Asks everyone on the map; of those who wait for anything: descriptor, to read?, to write?

    No generator: what is asked may raise StopIteration.
    """
    wishes = []
    # A listener has nothing to write, whatever it says, but is then watched for exceptions.
    for fd, obj in list(map.items()):
        reads, writes = obj.readable(), obj.writable()
        if reads or writes:
            wishes.append((fd, reads, writes and not obj.accepting))
    return wishes


def _serve(map, fds, tell):
    """A handler may have taken others off the map: who has gone hears nothing."""
    for fd in fds:
        obj = map.get(fd)
        if obj is not None:
            tell(obj)
