"""One measurement: a fresh server on one core, the load on another, one line of JSON."""
import json
import os
import resource
import subprocess

from . import children
from .children import Failed
from .peers import SERVERS
from .works import BY_NAME

NO_SUCH_WORK = 64
BLOCK = bytes(i % 251 for i in range(256 * 1024))  # the pattern servers send and the load expects


class Bench:
    """What all measurements have in common."""

    def __init__(self, build, cores, python, seconds, warmup, bulk_bytes):
        self.build, self.cores, self.python = build, cores, python
        self.seconds, self.warmup, self.bulk_bytes = seconds, warmup, bulk_bytes
        self.socket = os.path.join("/tmp", "asyncore-bench-%d.sock" % os.getpid())
        self.files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

    def file(self):
        """The file that is sent: the same bytes as from memory, made at first use."""
        path = self.build.path("file-%d" % self.bulk_bytes)
        if not os.path.exists(path):
            with open(path + ".new", "wb") as f:
                left = self.bulk_bytes
                while left > 0:
                    left -= f.write(BLOCK[:left])
            os.rename(path + ".new", path)
        return path

    def certificate(self):
        """A certificate and its key in one file, made at first use."""
        path = self.build.path("certificate.pem")
        if not os.path.exists(path):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650", "-subj",
                            "/CN=localhost", "-keyout", path + ".new", "-out", path + ".crt"],
                           check=True, timeout=20, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            with open(path + ".new", "a") as f, open(path + ".crt") as crt:
                f.write(crt.read())
            os.rename(path + ".new", path)
        return path

    def absent(self, peer):
        """Why this peer cannot be measured here at all, or None: it is started once to see."""
        if peer.program in self.build.absent:
            return self.build.absent[peer.program]
        if peer.name == "asynchat" and not self.python[2]:
            return "no Python here has asynchat, which went with 3.12"
        try:
            server, _ = self.start(peer, BY_NAME["echo-1"])
            children.stop(server)
        except Failed as e:
            return str(e)
        return None

    def why_not(self, peer, work):
        """A reason not to try this work, or None."""
        if work.tls and not peer.tls:
            return "it has no TLS here"
        if work.tls and not os.path.exists(self.build.path(peer.tls_program)):
            return self.build.absent.get(peer.tls_program, "OpenSSL is missing (package libssl-dev)")
        if work.kind != "memory" and peer.limit and work.descriptors > peer.limit:
            return "more connections than the %d it is given" % peer.limit
        if self.connections(peer, work) + work.load.get("idle", 0) + 64 > self.files:
            return "more descriptors than the %d allowed here" % self.files
        return None

    @staticmethod
    def connections(peer, work):
        """Memory is divided by their number, so fewer will do where there may not be so many."""
        wanted = work.load.get("connections", 1)
        return min(wanted, peer.limit or wanted) if work.kind == "memory" else wanted

    def server(self, peer, work):
        """Its command line."""
        name = "echo" if work.kind == "memory" else work.work
        address = "unix:" + self.socket if work.unix else "127.0.0.1:0"
        if peer.source.endswith(".py"):
            argv = [self.python[0], "-W", "ignore", os.path.join(SERVERS, peer.source)]
        else:
            argv = [self.build.path(peer.tls_program if work.tls else peer.program)]
        argv += [name, address]
        if name == "source":
            argv.append(str(self.bulk_bytes))
        elif name == "file":
            argv.append(self.file())
        if work.tls:
            argv += ["--tls", self.certificate()]
        return argv + list(peer.options)

    def load(self, peer, work, address, pid, rate):
        """Its command line."""
        options = dict(work.load, connections=self.connections(peer, work))
        if work.unit == "MB":
            options["bytes"] = self.bulk_bytes
        elif work.kind != "memory":
            options.update(seconds=self.seconds, warmup=self.warmup)
        if work.work == "file":
            options["file"] = self.file()
        if rate:
            options["rate"] = rate
        if work.tls:
            options["tls"] = 1
        argv = [self.build.path("load"), work.work, address, str(pid)]
        for name, value in options.items():
            argv += ["--" + name, "%g" % value if isinstance(value, float) else str(value)]
        return argv

    def start(self, peer, work):
        """(server, the address on which it listens)."""
        server = children.start(self.server(peer, work), self.cores[0])
        said = children.first_line(server)
        if said.startswith(b"listening on "):
            return server, said.decode().split(" ", 2)[2]
        error = refused(server)
        children.stop(server)
        raise error

    def measure(self, peer, work, rate=0):
        """What the load printed, as a dict; Failed with a reason."""
        server, address = self.start(peer, work)
        try:
            out = children.output(self.load(peer, work, address, server.pid, rate),
                                  self.cores[-1], self.seconds + self.warmup + 90)
            if server.poll() is not None:
                raise Failed("the server ended: " + children.complaint(server))
            return understood(out)
        finally:
            children.stop(server)
            if work.unix and os.path.exists(self.socket):
                os.unlink(self.socket)


def refused(server):
    """Why a server does not listen: it has no such work or poller, and will not have it later."""
    try:
        status = server.wait(2)
    except subprocess.TimeoutExpired:
        return Failed("does not listen")
    text = children.complaint(server)
    return Failed(text if status == NO_SUCH_WORK else "does not start: " + text, final=True)


def understood(out):
    """The load's line, which has to count something."""
    try:
        result = json.loads(out)
    except ValueError as e:
        raise Failed("the load said %r" % out[:80]) from e
    if not result.get("count"):
        raise Failed("nothing was counted")
    return result
