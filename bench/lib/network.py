"""A network of our own: loopback alone, cubic or reno for congestion control.

Congestion control that paces, as bbr does, costs timers that have nothing to do with servers; and in a
namespace nobody else's traffic or settings are in the way.
"""
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys

INSIDE = "AC_BENCH_INSIDE"
SETTINGS = "/proc/sys/net/ipv4/"
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def enter_own_network():
    """Starts this program anew in a network namespace, if that is allowed here."""
    unshare = shutil.which("unshare")
    if INSIDE in os.environ or not unshare:
        return
    how = [unshare, "--net"] if os.geteuid() == 0 else [unshare, "--net", "--map-root-user"]
    if subprocess.run(how + ["true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
        os.environ[INSIDE] = "1"
        os.execv(unshare, how + [sys.executable, os.path.abspath(sys.argv[0])] + sys.argv[1:])


def write_setting(name, value):
    """Whether the kernel took it."""
    try:
        with open(SETTINGS + name, "w") as f:
            f.write(value)
        return True
    except OSError:
        return False


def prepare_network():
    """Raises the loopback of our own namespace; cubic, if it can be had; ports for everybody."""
    if INSIDE not in os.environ:
        return
    with socket.socket() as s:
        name = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(s, SIOCGIFFLAGS, name))[1]
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))
    write_setting("ip_local_port_range", "2048 65000")
    for control in ("cubic", "reno"):
        if write_setting("tcp_congestion_control", control):
            return


def describe():
    """What the figures were taken with."""
    with open(SETTINGS + "tcp_congestion_control") as f:
        control = f.read().strip()
    return {"congestion_control": control, "own_namespace": INSIDE in os.environ}
