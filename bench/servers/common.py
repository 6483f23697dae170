"""What the servers in Python share: the command line and the listener. As common.h for those in C."""
import os
import resource
import socket
import sys

BACKLOG = 4096
READ_SIZE = 65536
LINE_LIMIT = 65536
OUTPUT_LIMIT = 16 << 20
HIGH_WATER = 256 * 1024
NO_SUCH_WORK = 64
WORKS = ("echo", "hangup", "source", "file", "sink", "broadcast")
BLOCK = (bytes(range(251)) * 1045)[: 256 * 1024]


def start_service():
    """WORK, ADDRESS and ARG from the command line; the process is ready for many connections."""
    if len(sys.argv) < 3:
        sys.exit(f"usage: {sys.argv[0]} WORK ADDRESS [ARG]")
    work, address, arg = sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None
    if work not in WORKS:
        print(f"there is no work {work} here", file=sys.stderr)
        sys.exit(NO_SUCH_WORK)
    if work in ("source", "file") and arg is None:
        sys.exit(f"{work}: its ARG is missing")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return work, address, int(arg) if work == "source" else arg


def listen_on(address):
    """A non-blocking listener, announced."""
    if address.startswith("unix:"):
        path = address[len("unix:"):]
        if os.path.exists(path):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
    else:
        host, port = address.rsplit(":", 1)
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, int(port)))
        address = "%s:%d" % listener.getsockname()
    listener.listen(BACKLOG)
    listener.setblocking(False)
    print(f"listening on {address}", flush=True)
    return listener
