"""`asyncore serve` beside nginx: small files and a large one, in clear and under TLS, one worker and two."""
import glob
import os
import re
import shutil
import signal
import socket
import sys
import time
from dataclasses import dataclass
from typing import Tuple

from . import children, rounds, stats
from .children import Failed

SMALL = 1024
CONNECTIONS = 50
GIGA = 1000000000
NGINX_CONF = """daemon off;
worker_processes {workers};
error_log stderr crit;
pid {folder}/nginx.pid;
{user}
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 100000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    ssl_protocols TLSv1.3;
    ssl_certificate {certificate};
    ssl_certificate_key {certificate};
    server {{ listen 127.0.0.1:{port}{ssl}; root {root}; }}
}}
"""
WORKS = (("keep-alive", "1 KB file, keep-alive", "requests/s", "CPU µs/request"),
         ("close", "1 KB file, Connection: close", "requests/s", "CPU µs/request"),
         ("large", "large file", "MB/s", "CPU ms/GB"),
         ("tls", "1 KB file, TLS 1.3, keep-alive", "requests/s", "CPU µs/request"),
         ("tls-close", "1 KB file, TLS 1.3, a handshake each", "requests/s", "CPU µs/request"),
         ("cores", "1 KB file, keep-alive, load and servers on all cores", "requests/s",
          "CPU µs/request"),
         ("tls-cores", "the same, a TLS handshake each", "requests/s", "CPU µs/request"))


@dataclass(frozen=True)
class Server:
    """One of those compared: in each work beside nginx with one worker."""
    name: str
    label: str
    workers: int = 1


@dataclass(frozen=True)
class Setting:
    """A server is started once for each of these, and does its works in turn."""
    works: Tuple[str, ...]
    tls: bool = False
    pinned: bool = True                # server and load have a core each


ONE = (Server("ours", "asyncore serve"), Server("nginx", "nginx"))
TWO = (Server("ours", "asyncore serve, 2 workers", 2), Server("nginx", "nginx, 2 workers", 2))
SETTINGS = (Setting(("keep-alive", "close", "large")),
            Setting(("tls", "tls-close"), tls=True),
            Setting(("cores",), pinned=False),
            Setting(("tls-cores",), tls=True, pinned=False))


def free_port():
    """One that nobody has at this moment."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu_ns(pids):
    """Time on a processor, of all threads."""
    total = 0
    for pid in pids:
        for path in glob.glob("/proc/%d/task/*/schedstat" % pid):
            with open(path) as f:
                total += int(f.read().split()[0])
    return total


def wait_for_port(child, port, patience=10):
    """Until it accepts."""
    end = time.monotonic() + patience
    while time.monotonic() < end and child.poll() is None:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise Failed("does not listen: " + (children.complaint(child) if child.poll() is not None
                                        else "nothing for %d s" % patience))


def make_large(path, size):
    """A file of holes, read once: it lies in memory before anybody is timed."""
    with open(path, "wb") as f:
        f.truncate(size)
    with open(path, "rb", buffering=0) as f:
        while f.read(1 << 20):
            pass


class Site:
    """The folder that is served, and the two servers of it."""

    def __init__(self, bench, size):
        self.bench, self.size = bench, size
        self.folder = bench.build.path("serve")
        self.root = os.path.join(self.folder, "www")
        self.nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
        os.makedirs(self.root, exist_ok=True)
        with open(os.path.join(self.root, "small.txt"), "wb") as f:
            f.write(b"x" * (SMALL - 1) + b"\n")
        make_large(os.path.join(self.root, "large"), size)

    def command(self, server, setting, port):
        """How one of them is started."""
        certificate = self.bench.certificate()
        if server.name == "ours":
            return ([self.bench.build.asyncore, "serve", self.root, "--quiet", "--listen",
                     "127.0.0.1:%d" % port]
                    + (["--workers", str(server.workers)] if server.workers > 1 else [])
                    + (["--tls", certificate, certificate] if setting.tls else []))
        conf = os.path.join(self.folder, "nginx.conf")
        with open(conf, "w") as f:
            f.write(NGINX_CONF.format(folder=self.folder, root=self.root, port=port,
                                      workers=server.workers, certificate=certificate,
                                      ssl=" ssl" if setting.tls else "",
                                      user="user root;" if os.geteuid() == 0 else ""))
        return [self.nginx, "-c", conf, "-p", self.folder, "-e", "stderr"]

    def why_not(self, name, work):
        """A reason not to try, or None."""
        if name == "nginx" and not self.nginx:
            return "nginx is missing (package nginx-light)"
        if name == "ours" and not os.path.exists(self.bench.build.asyncore):
            return "%s is not there" % self.bench.build.asyncore
        if work != "large" and not shutil.which("wrk"):
            return "wrk is missing"
        return None


def workers(child, server):
    """The processes whose time counts: nginx's workers, not their master."""
    if server.name == "ours":
        return [child.pid]
    for _ in range(100):
        with open("/proc/%d/task/%d/children" % (child.pid, child.pid)) as f:
            pids = [int(pid) for pid in f.read().split()]
        if len(pids) >= server.workers:
            return pids
        time.sleep(0.02)
    raise Failed("nginx has no worker")


def small_files(site, port, setting, work, seconds):
    """(requests, seconds) of wrk."""
    argv = ["wrk", "-t%d" % (1 if setting.pinned else 2), "-c%d" % CONNECTIONS,
            "-d%ds" % max(1, round(seconds))]
    if work.endswith("close") or work == "tls-cores":
        argv += ["-H", "Connection: close"]
    url = "%s://127.0.0.1:%d/small.txt" % ("https" if setting.tls else "http", port)
    out = children.output(argv + [url], site.bench.cores[-1] if setting.pinned else None,
                          seconds + 30)
    found = re.search(r"(\d+) requests in ([\d.]+)(m?s)", out)
    bad = re.search(r"Non-2xx.*", out)
    if not found or bad or found.group(1) == "0":
        raise Failed("wrk: " + (bad.group() if bad else "no requests were counted"))
    return int(found.group(1)), float(found.group(2)) * (1 if found.group(3) == "s" else 1e-3)


def large_file(site, port):
    """(gigabytes, seconds) of a client that only receives."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "download.py")
    start = time.monotonic()
    out = children.output([sys.executable, script, str(port), "/large", str(site.size)],
                          site.bench.cores[-1], 120)
    return int(out) / GIGA, time.monotonic() - start


def measure(site, server, setting, seconds):
    """Each work in turn on one fresh server: {work: (rate, CPU a unit) or Failed}."""
    port, found = free_port(), {}
    child = children.start(site.command(server, setting, port),
                           site.bench.cores[0] if setting.pinned else None)
    try:
        wait_for_port(child, port)
        pids = workers(child, server)
        for work in setting.works:
            try:
                found[work] = one_work(site, port, setting, work, pids, seconds)
            except Failed as e:
                found[work] = e
    finally:
        children.stop(child, signal.SIGTERM)
    return found


def one_work(site, port, setting, work, pids, seconds):
    """(rate, CPU a unit): requests/s and µs, or MB/s and ms for a GB."""
    reason = site.why_not("", work)
    if reason:
        raise Failed(reason)
    before = cpu_ns(pids)
    if work == "large":
        count, took = large_file(site, port)
        return count * 1000 / took, (cpu_ns(pids) - before) / 1e6 / count
    count, took = small_files(site, port, setting, work, seconds)
    return count / took, (cpu_ns(pids) - before) / 1e3 / count


def rows_of(values):
    """One work's: medians, and ratios to nginx with one worker."""
    good = {server: [v if isinstance(v, tuple) else (None, None) for v in results]
            for server, results in values.items()}
    reference = [v[1] for v in good.get(ONE[1], [])]
    return [{"server": server.name, "label": server.label,
             "rate": stats.median([v[0] for v in results]),
             "cpu": stats.median([v[1] for v in results]),
             "ratio": stats.spread(stats.ratios([v[1] for v in results], reference))}
            for server, results in good.items() if any(v[0] for v in results)]


def summary(found, size):
    """For the document."""
    works = []
    for name, title, rate_unit, cpu_unit in WORKS:
        values = {server: [r[name] for r in results if name in r]
                  for server, results in found.items()}
        values = {server: results for server, results in values.items() if results}
        absent = [{"label": server.label,
                   "reason": str(next((v for v in results if isinstance(v, Failed)), "not measured"))}
                  for server, results in values.items()
                  if not any(isinstance(v, tuple) for v in results)]
        title = "%d MiB file" % (size >> 20) if name == "large" else title
        works.append({"name": name, "title": title, "rate_unit": rate_unit, "cpu_unit": cpu_unit,
                      "rows": rows_of(values), "absent": absent})
    return works


def one_round(site, server, seconds):
    """All its works, each setting on a fresh server."""
    found = {}
    for setting in SETTINGS:
        if server.workers > 1 and setting.pinned:
            continue
        try:
            found.update(measure(site, server, setting, seconds))
        except Failed as e:
            found.update({work: e for work in setting.works})
    return found


def run(bench, round_count, quick):
    """All rounds, the servers in turn first."""
    site = Site(bench, 256 * 1024 * 1024 if quick else 1 << 30)
    absent = [{"label": s.label, "reason": site.why_not(s.name, "large")} for s in ONE
              if site.why_not(s.name, "large")]
    servers = [s for s in ONE + TWO if not site.why_not(s.name, "large")]
    found = {s: [] for s in servers}
    for i in range(round_count):
        for server in rounds.rotated(servers, i, round_count) if servers else ():
            rounds.note("serve: round %d of %d: %s" % (i + 1, round_count, server.label))
            found[server].append(one_round(site, server, 1 if quick else bench.seconds * 2))
    rounds.note("")
    return {"works": summary(found, site.size), "absent": absent}
