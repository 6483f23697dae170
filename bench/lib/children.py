"""The processes we start: each on its core, each with an end, none left behind."""
import atexit
import ctypes
import os
import select
import signal
import subprocess
import tempfile
import time

PR_SET_PDEATHSIG = 1
running = []


class Failed(Exception):
    """Something could not be measured; the text says why. `final`: and never will be."""

    def __init__(self, text, final=False):
        super().__init__(text)
        self.final = final


def prepare(core):
    """What a child does before it runs: stay on that core, and go when we go."""
    libc = ctypes.CDLL(None, use_errno=True)

    def in_child():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if core is not None:
            os.sched_setaffinity(0, {core})
    return in_child


def start(argv, core, **more):
    """A child on that core; what it writes to stderr waits in child.errors."""
    errors = tempfile.TemporaryFile()
    try:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=errors, preexec_fn=prepare(core), **more)
    except OSError as e:
        errors.close()
        raise Failed("%s: %s" % (argv[0], e.strerror), final=True) from e
    child.errors = errors
    running.append(child)
    return child


def complaint(child):
    """The last line a child wrote to stderr."""
    child.errors.seek(0)
    lines = child.errors.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "status %s, no message" % child.poll()


def stop(child, how=signal.SIGKILL, patience=5):
    """Ends a child of ours, by its own process id and no other, and forgets it."""
    if child.poll() is None:
        child.send_signal(how)
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    child.stdout.close()
    child.errors.close()
    if child in running:
        running.remove(child)


def stop_all():
    """Whatever still runs when we end, by Ctrl-C as well."""
    for child in list(running):
        stop(child)


def first_line(child, patience=20):
    """The first line of stdout; b"" if the child ends without one or says nothing for too long."""
    end = time.monotonic() + patience
    data = b""
    while not data.endswith(b"\n"):
        ready, _, _ = select.select([child.stdout], [], [], max(0, end - time.monotonic()))
        byte = os.read(child.stdout.fileno(), 1) if ready else b""
        if not byte:
            return b""
        data += byte
    return data.strip()


def output(argv, core, patience, **more):
    """All that a child writes to stdout; Failed if it fails or takes too long."""
    child = start(argv, core, **more)
    try:
        out = child.communicate(timeout=patience)[0]
        if child.returncode != 0:
            raise Failed(complaint(child))
        return out.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        raise Failed("nothing came within %d s" % patience) from e
    finally:
        stop(child)


def raise_exit(number, _frame):
    """SIGTERM as an exception, so that what stands in `finally` is done."""
    raise SystemExit(128 + number)


atexit.register(stop_all)
signal.signal(signal.SIGTERM, raise_exit)
