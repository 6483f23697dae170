"""The table of works, and what is wanted of this library in each: the goals.

A goal is a ratio of CPU time within one round, so that it holds on any machine.
"""
from dataclasses import dataclass, field
from typing import Dict, Optional

from .peers import RAW

MEGA = 1000000


@dataclass(frozen=True)
class Work:
    """One thing that servers do, and how the load asks for it."""
    name: str
    title: str
    short: str                          # below the bars of a plot
    work: str                           # what server and load call it
    unit: str = "line"
    scale: float = 1                    # of the counted things one unit is
    load: Dict[str, float] = field(default_factory=dict)
    unix: bool = False
    tls: bool = False
    group: Optional[str] = None         # works of a group are measured in the same rounds
    quick: bool = False
    kind: str = "cpu"                   # or memory, latency

    @property
    def descriptors(self):
        """That the server needs, and the load."""
        return self.load.get("connections", 1) + self.load.get("idle", 0)


def echo(name, title, short, **more):
    """An echo of lines, with the load's options."""
    load = {k: more.pop(k) for k in ("connections", "idle", "depth") if k in more}
    return Work(name, "echo, " + title, short, "echo", load=load, **more)


def bulk(name, title, short, work=None, **more):
    """A gigabyte on one connection."""
    return Work(name, title, short, work or name, "MB", MEGA, {"connections": 1}, **more)


WORKS = (
    echo("echo-1", "1 connection", "1 connection", connections=1),
    echo("echo-50", "50 connections", "50 connections", connections=50, quick=True),
    echo("echo-500", "500 connections", "500 connections", connections=500, quick=True),
    echo("echo-5000", "5,000 connections", "5,000 connections", connections=5000),
    echo("unix-50", "50 connections on a Unix socket", "Unix socket, 50", connections=50, unix=True),
    echo("depth-16", "50 connections, 16 lines a batch", "16 lines a batch", connections=50, depth=16,
         quick=True),
    echo("depth-128", "50 connections, 128 lines a batch", "128 lines a batch", connections=50, depth=128),
    echo("echo-100", "100 connections", "100 connections", connections=100, group="idle"),
    echo("idle-10000", "100 connections, 10,000 idle ones beside them", "10,000 idle beside 100",
         connections=100, idle=10000, group="idle"),
    echo("idle-18000", "100 connections, 18,000 idle ones beside them", "18,000 idle beside 100",
         connections=100, idle=18000, group="idle"),
    Work("hangup", "connect, one line, close", "connect, line, close", "hangup", "connection",
         load={"connections": 16}, quick=True),
    bulk("source", "bulk: memory to one connection", "from memory", quick=True),
    bulk("file", "bulk: a file to one connection", "from a file"),
    bulk("sink", "bulk: reading from one connection", "reading a connection"),
    echo("tls-echo-50", "50 connections under TLS 1.3", "TLS, 50 connections", connections=50, tls=True,
         quick=True),
    echo("tls-depth-16", "50 connections under TLS 1.3, 16 lines a batch", "TLS, 16 lines a batch",
         connections=50, depth=16, tls=True),
    Work("tls-hangup", "TLS handshake, one line, close", "TLS handshake", "hangup", "connection",
         load={"connections": 16}, tls=True),
    bulk("tls-source", "bulk under TLS 1.3: memory to one connection", "TLS, from memory", work="source",
         tls=True),
    bulk("tls-sink", "bulk under TLS 1.3: reading from one connection", "TLS, reading", work="sink",
         tls=True),
    Work("broadcast", "a line to each of 1,000 chats", "line to 1,000 chats", "broadcast", "line delivered",
         load={"connections": 1000}),
    Work("latency", "latency at half of the lines raw epoll can do, 50 connections", "latency",
         "echo", load={"connections": 50}, kind="latency"),
    Work("memory", "memory an idle connection", "memory", "memory", "connection",
         load={"connections": 5000}, quick=True, kind="memory"),
)
BY_NAME = {work.name: work for work in WORKS}


@dataclass(frozen=True)
class Goal:
    """`ours` ÷ `against` (another peer, or "work:NAME" for ours in another work) ≤ `limit`."""
    work: str
    ours: str
    limit: float
    against: str = RAW


def both(work, epoll, uring, against=RAW):
    """The goals of the two pollers that matter for speed."""
    return (Goal(work, "ours-epoll", epoll, against), Goal(work, "ours-io_uring", uring, against))


GOALS = (
    both("echo-50", 0.97, 0.92) + both("echo-500", 0.97, 0.95) + both("echo-5000", 1.02, 0.95)
    + both("echo-50", 0.86, 0.82, "libuv") + both("echo-500", 0.86, 0.82, "libuv")
    + both("echo-5000", 0.86, 0.82, "libuv") + both("echo-50", 0.66, 0.62, "libevent")
    + both("echo-500", 0.60, 0.58, "libevent") + both("echo-5000", 0.45, 0.40, "libevent")
    + both("depth-16", 1.00, 0.87) + both("depth-16", 0.10, 0.10, "libuv")
    + both("depth-16", 0.57, 0.57, "libevent") + both("depth-128", 1.06, 0.92)
    + both("depth-128", 0.25, 0.25, "libevent") + both("unix-50", 1.02, 0.88)
    + both("idle-10000", 1.03, 1.03, "work:echo-100")
    + both("idle-18000", 1.03, 1.03, "work:echo-100") + both("hangup", 1.02, 0.96)
    + both("tls-echo-50", 1.05, 1.05) + both("tls-depth-16", 1.05, 1.05)
    + both("tls-hangup", 1.05, 1.05) + both("tls-source", 1.05, 1.05) + both("tls-sink", 1.05, 1.05)
    + both("source", 1.03, 1.03) + both("file", 1.03, 1.03) + both("sink", 1.03, 1.03)
)

MEMORY_GOAL = 128  # bytes, fresh and after traffic, whatever the poller

# (group, name, n) of micro's lines: the limit and whether more is better
MICRO_GOALS = {
    ("framing", "64-byte CRLF lines", 1024): (8, False),
    ("search", "CRLF, no match", 0): (100, True),
    ("search", "CRLFCRLF in lines", 0): (35, True),
    ("tasks", "insert", MEGA): (8, False),
    ("tasks", "cancel", MEGA): (10, False),
    ("tasks", "expire", MEGA): (100, False),
}


def choose(names, quick):
    """The works of a list with commas; without one, all of them or the quick ones."""
    if not names:
        return [work for work in WORKS if work.quick or not quick]
    unknown = set(names.split(",")) - set(BY_NAME) - {"micro", "serve"}
    if unknown:
        raise ValueError("no work is called %s; there are %s, micro, serve" % (
            ", ".join(sorted(unknown)), ", ".join(BY_NAME)))
    return [work for work in WORKS if work.name in names.split(",")]


def groups(works):
    """Works that share their rounds, in the order of the table."""
    found = {}
    for work in works:
        found.setdefault(work.group or work.name, []).append(work)
    return list(found.values())
