"""What the figures were taken on and with."""
import datetime
import os
import platform
import re
import subprocess

from .build import TOP

MACROS = (  # name, header, macros whose values make the version, name for pkg-config
    ("libev", "ev.h", ("EV_VERSION_MAJOR", "EV_VERSION_MINOR"), "libev"),
    ("libuv", "uv.h", ("UV_VERSION_MAJOR", "UV_VERSION_MINOR", "UV_VERSION_PATCH"), "libuv"),
    ("libevent", "event2/event-config.h", ("EVENT__VERSION",), "libevent"),
    ("liburing", "liburing.h", ("IO_URING_VERSION_MAJOR", "IO_URING_VERSION_MINOR"), "liburing"),
)


def said(argv, **more):
    """What a command prints on either stream; "" if it cannot."""
    try:
        return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20,
                              check=False, **more).stdout.decode(errors="replace").strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def first_match(pattern, text):
    """The first group, or None."""
    found = re.search(pattern, text, re.M)
    return found.group(1) if found else None


def read(path):
    """A whole file, "" if there is none."""
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def machine():
    """The parts of it that bear on figures."""
    cpu = first_match(r"^model name\s*: (.*)$", read("/proc/cpuinfo")) or platform.processor()
    system = first_match(r'^PRETTY_NAME="?([^"\n]*)', read("/etc/os-release")) or platform.system()
    return {"cpu": cpu or "unknown processor", "cores": os.cpu_count(), "load_average": os.getloadavg()[0],
            "kernel": platform.release(), "system": system}


def by_macros(compiler, header, names):
    """A version that a header defines, or None."""
    text = said(compiler + ["-E", "-dM", "-include", header, "-x", "c", "/dev/null"])
    values = [first_match(r'^#define %s "?([^"\n]+)"?$' % name, text) for name in names]
    return ".".join(values) if all(values) else None


def of_library():
    """Its number, and the commit where there is one."""
    number = first_match(r'define AC_VERSION "(.*)"', read(os.path.join(TOP, "include/asyncore.h")))
    commit = said(["git", "-C", TOP, "rev-parse", "--short", "HEAD"])
    return number + (" (%s)" % commit if re.match(r"^[0-9a-f]{6,}$", commit) else "")


def peers(compiler, python):
    """Of everything that is measured beside us, where it is there."""
    found = {"asyncore": of_library()}
    for name, header, macros, package in MACROS:
        version = by_macros(compiler, header, macros)
        if not version:
            text = said(["pkg-config", "--modversion", package])
            version = text if re.match(r"^[0-9][\w.]*$", text) else None
        if version:
            found[name] = version
    found["python"] = python[1]
    found["nginx"] = first_match(r"nginx/(\S+)", said(["nginx", "-v"])
                                 or said(["/usr/sbin/nginx", "-v"]))
    found["wrk"] = first_match(r"^wrk (\S+)", said(["wrk", "-v"]))
    return {name: version for name, version in found.items() if version}


def now():
    """With the zone."""
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")
