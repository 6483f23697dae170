"""The table of servers that are compared."""
import glob
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Optional, Tuple

SERVERS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers")
RAW = "raw_epoll"
POLLERS = ("epoll", "poll", "select", "io_uring")


@dataclass(frozen=True)
class Peer:
    """One server, and what it needs."""
    name: str
    label: str
    source: str                        # in bench/servers
    libs: Tuple[str, ...] = ()
    package: str = ""                  # of Debian, which has its headers
    options: Tuple[str, ...] = ()
    limit: Optional[int] = None        # connections it can have
    ours: bool = False
    tls: bool = False                  # a second program of it speaks TLS

    @property
    def program(self):
        """The name of what is compiled; several peers may be one program with other options."""
        return os.path.splitext(self.source)[0]

    @property
    def tls_program(self):
        """The same with TLS, and OpenSSL below it."""
        return self.program + "_tls"


def our_poller(name):
    """This library on one of its pollers."""
    limit = {"select": 500, "poll": 5000}.get(name)
    return Peer("ours-" + name, "asyncore, " + name, "ours.c", options=("--poller", name),
                limit=limit, ours=True, tls=True)


PEERS = tuple(our_poller(name) for name in POLLERS) + (
    Peer(RAW, "raw epoll", "raw_epoll.c", tls=True),
    Peer("raw_epollet", "raw epoll, edge", "raw_epollet.c"),
    Peer("raw_uring", "raw io_uring", "raw_uring.c", ("-luring",), "liburing-dev"),
    Peer("libev", "libev", "libev.c", ("-lev",), "libev-dev"),
    Peer("libuv", "libuv", "libuv.c", ("-luv",), "libuv1-dev"),
    Peer("libuv-joined", "libuv, joined", "libuv.c", ("-luv",), "libuv1-dev", ("--joined",)),
    Peer("libevent", "libevent", "libevent.c", ("-levent_core",), "libevent-dev"),
    Peer("asynchat", "Python asynchat", "asynchat_server.py", limit=500),
    Peer("asyncio", "Python asyncio", "asyncio_server.py"),
)
BY_NAME = {peer.name: peer for peer in PEERS}


def choose(names):
    """The peers of a list with commas; "ours" is all of ours; raw epoll is always there."""
    wanted = set(names.split(",")) if names else {peer.name for peer in PEERS}
    unknown = wanted - set(BY_NAME) - {"ours"}
    if unknown:
        raise ValueError("no peer is called %s; there are %s" % (
            ", ".join(sorted(unknown)), ", ".join(BY_NAME)))
    return [peer for peer in PEERS
            if peer.name in wanted or peer.name == RAW or (peer.ours and "ours" in wanted)]


def find_python():
    """(interpreter, version, has_asynchat): one with asynchat, which went with 3.12; else ours."""
    candidates = sorted(glob.glob("/usr/bin/python3.*[0-9]")) + ["python3.11", "python3"]
    for candidate in candidates:
        try:
            said = subprocess.run(
                [candidate, "-W", "ignore", "-c", "import asynchat, asyncore, platform, sys;"
                 "print(sys.executable, platform.python_version())"],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20, check=True).stdout
        except (OSError, subprocess.SubprocessError):
            continue
        where, version = said.decode().split()
        return where, version, True
    return sys.executable, re.match(r"\S+", sys.version).group(), False
