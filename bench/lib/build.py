"""Compiles servers, load and the small measurements with the compiler and the flags of the library."""
import concurrent.futures
import glob
import json
import os
import re
import shlex
import subprocess
import sys

from .peers import SERVERS

BENCH = os.path.dirname(SERVERS)
TOP = os.path.dirname(BENCH)
TIMERS = (("libev", "-lev", "libev-dev"), ("libevent", "-levent_core", "libevent-dev"),
          ("libuv", "-luv", "libuv1-dev"))
TLS = ["-lssl", "-lcrypto"]


class Build:
    """Where the programs are, and why some are not."""

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        self.out = os.path.join(self.folder, "bench")
        self.archive = os.path.join(self.folder, "src", "libasyncore.a")
        self.tls_archive = os.path.join(self.folder, "src", "libasyncore-tls.a")
        self.asyncore = os.path.join(self.folder, "asyncore")
        self.absent = {}
        if not os.path.exists(self.archive):
            sys.exit("bench: %s is not there; run make first" % self.archive)
        os.makedirs(self.out, exist_ok=True)
        self.compiler, self.library_flags = library_compiler(self.folder)
        self.flags = own_flags(self.library_flags)

    def path(self, program):
        """Of a compiled program."""
        return os.path.join(self.out, program)

    def describe(self):
        """For the report."""
        return {"compiler": version_of(self.compiler), "library_flags": self.library_flags,
                "bench_flags": self.flags, "archive": os.path.relpath(self.archive, TOP)}

    def compile(self, program, sources, libs=(), package=""):
        """One program; what is wrong with it goes to `absent`."""
        command = (self.compiler + ["-std=c11", "-D_GNU_SOURCE"] + self.flags
                   + ["-I" + os.path.join(TOP, "include"), "-pthread", "-o", self.path(program)]
                   + list(sources) + list(libs))
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=120, check=False)
        except (OSError, subprocess.TimeoutExpired) as e:
            self.absent[program] = str(e)
            return
        if done.returncode != 0:
            self.absent[program] = why(done.stdout.decode(errors="replace"), package)

    def compile_all(self, peers, with_load, with_micro):
        """All programs that are wanted, as many at a time as there are processors."""
        jobs = {}
        ours = [self.archive] + private_libs(self.folder)
        tls = ["-DWITH_TLS"] + TLS if has_tls() else []
        for peer in peers if with_load else ():
            if peer.source.endswith(".c"):
                libs = ours if peer.ours else list(peer.libs)
                jobs[peer.program] = ([os.path.join(SERVERS, peer.source)], libs, peer.package)
                if peer.tls and tls:
                    beside = [self.tls_archive] if peer.ours else []
                    jobs[peer.tls_program] = (jobs[peer.program][0], beside + libs + tls, "libssl-dev")
        if with_load:
            jobs["load"] = (sorted(glob.glob(os.path.join(BENCH, "load*.c"))), tls, "")
        if with_micro:
            jobs.update(micro_jobs(ours))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            for name, job in jobs.items():
                pool.submit(self.compile, name, *job)
        if "load" in self.absent:
            sys.exit("bench: the load does not compile: " + self.absent["load"])


def has_tls():
    """Whether OpenSSL's headers are there."""
    return os.path.exists("/usr/include/openssl/ssl.h")


def micro_jobs(ours):
    """The programs of the small measurements: the library's, and a program for each peer's timers."""
    driver = os.path.join(BENCH, "micro_tasks.c")
    jobs = {"micro": ([os.path.join(BENCH, "micro.c")], ours, ""),
            "micro_tasks_ours": ([driver, os.path.join(BENCH, "micro_tasks_ours.c")], ours, "")}
    for name, lib, package in TIMERS:
        source = os.path.join(BENCH, "micro_tasks_%s.c" % name)
        jobs["micro_tasks_" + name] = ([driver, source], [lib], package)
    return jobs


def library_compiler(folder):
    """([compiler], [flags that bear on speed]) as the library was compiled."""
    try:
        with open(os.path.join(folder, "compile_commands.json")) as f:
            words = next(shlex.split(c["command"]) for c in json.load(f)
                         if c["file"].endswith("base/find.c"))
    except (OSError, ValueError, StopIteration, KeyError):
        return shlex.split(os.environ.get("CC", "cc")), []
    first_flag = next((i for i, w in enumerate(words) if w.startswith("-")), len(words))
    speed = re.compile(r"-(O.*|g\d?|m(arch|tune)=.*|flto.*|fsanitize=.*|DNDEBUG)$")
    return words[:first_flag], [w for w in words if speed.match(w)]


def own_flags(library_flags):
    """Ours and the peers' servers: as the library, but never without optimisation."""
    if any(flag in ("-O2", "-O3") for flag in library_flags):
        return list(library_flags)
    return ["-O2"] + [flag for flag in library_flags if not flag.startswith("-O")]


def private_libs(folder):
    """What the static library needs."""
    try:
        with open(os.path.join(folder, "meson-private", "asyncore.pc")) as f:
            found = re.search(r"^Libs\.private:(.*)$", f.read(), re.M)
    except OSError:
        found = None
    return (found.group(1).split() if found else ["-pthread"]) + ["-lm"]


def why(errors, package):
    """One line about what a compiler said."""
    missing = re.search(r"fatal error: '?([^':]+)'?( file not found|: No such file)", errors)
    library = re.search(r"cannot find -l(\S+)|unable to find library -l(\S+)", errors)
    if missing or library:
        what = missing.group(1) if missing else "lib" + (library.group(1) or library.group(2))
        return "%s is missing%s" % (what, " (package %s)" % package if package else "")
    lines = errors.splitlines()
    telling = [line for line in lines if re.search(r"error: |undefined reference", line)]
    return "does not compile: " + (telling or lines or ["no message"])[0]


def version_of(compiler):
    """The first line of its --version."""
    try:
        said = subprocess.run(compiler + ["--version"], stdout=subprocess.PIPE, timeout=20,
                              stderr=subprocess.DEVNULL, check=True).stdout.decode()
        return said.splitlines()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return " ".join(compiler)
