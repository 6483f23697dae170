"""`asyncore serve` beside nginx: small files and a large one, requests a second and CPU for each."""
import glob
import os
import re
import shutil
import signal
import socket
import sys
import time

from . import children, rounds, stats
from .children import Failed

SMALL = 1024
CONNECTIONS = 50
GIGA = 1000000000
NGINX_CONF = """daemon off;
worker_processes 1;
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
    server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""
WORKS = (("keep-alive", "1 KB file, keep-alive", "requests/s", "CPU µs/request"),
         ("close", "1 KB file, Connection: close", "requests/s", "CPU µs/request"),
         ("large", "large file", "MB/s", "CPU ms/GB"))
LABELS = {"ours": "asyncore serve", "nginx": "nginx"}


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

    def command(self, name, port):
        """How one of them is started."""
        if name == "ours":
            return [self.bench.build.asyncore, "serve", self.root, "--quiet", "--listen",
                    "127.0.0.1:%d" % port]
        conf = os.path.join(self.folder, "nginx.conf")
        with open(conf, "w") as f:
            f.write(NGINX_CONF.format(folder=self.folder, root=self.root, port=port,
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


def workers(child, name):
    """The processes whose time counts: nginx's worker, not its master."""
    if name == "ours":
        return [child.pid]
    for _ in range(100):
        with open("/proc/%d/task/%d/children" % (child.pid, child.pid)) as f:
            pids = [int(pid) for pid in f.read().split()]
        if pids:
            return pids
        time.sleep(0.02)
    raise Failed("nginx has no worker")


def small_files(site, port, how, seconds):
    """(requests, seconds) of wrk."""
    argv = ["wrk", "-t1", "-c%d" % CONNECTIONS, "-d%ds" % max(1, round(seconds))]
    if how == "close":
        argv += ["-H", "Connection: close"]
    out = children.output(argv + ["http://127.0.0.1:%d/small.txt" % port], site.bench.cores[-1],
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


def measure(site, name, seconds):
    """Each work in turn on one fresh server: {work: (rate, CPU a unit) or Failed}."""
    port, found = free_port(), {}
    child = children.start(site.command(name, port), site.bench.cores[0])
    try:
        wait_for_port(child, port)
        pids = workers(child, name)
        for work, *_ in WORKS:
            try:
                found[work] = one_work(site, port, work, pids, seconds)
            except Failed as e:
                found[work] = e
    finally:
        children.stop(child, signal.SIGTERM)
    return found


def one_work(site, port, work, pids, seconds):
    """(rate, CPU a unit): requests/s and µs, or MB/s and ms for a GB."""
    reason = site.why_not("", work)
    if reason:
        raise Failed(reason)
    before = cpu_ns(pids)
    if work == "large":
        count, took = large_file(site, port)
        return count * 1000 / took, (cpu_ns(pids) - before) / 1e6 / count
    count, took = small_files(site, port, work, seconds)
    return count / took, (cpu_ns(pids) - before) / 1e3 / count


def summary(found, size):
    """For the document: medians of the rounds, ratios within them."""
    works = []
    for name, title, rate_unit, cpu_unit in WORKS:
        values = {server: [r.get(name) for r in results] for server, results in found.items()}
        good = {server: [v if isinstance(v, tuple) else (None, None) for v in results]
                for server, results in values.items()}
        rows = [{"server": server, "label": LABELS[server],
                 "rate": stats.median([v[0] for v in results]),
                 "cpu": stats.median([v[1] for v in results]),
                 "ratio": stats.spread(stats.ratios([v[1] for v in results],
                                                    [v[1] for v in good.get("nginx", [])]))}
                for server, results in good.items() if any(v[0] for v in results)]
        absent = [{"label": LABELS[server], "reason": str(next(
            (v for v in results if isinstance(v, Failed)), "not measured"))}
                  for server, results in values.items()
                  if not any(isinstance(v, tuple) for v in results)]
        title = "%d MiB file" % (size >> 20) if name == "large" else title
        works.append({"name": name, "title": title, "rate_unit": rate_unit, "cpu_unit": cpu_unit,
                      "rows": rows, "absent": absent})
    return works


def run(bench, round_count, quick):
    """All rounds, the servers in turn first."""
    site = Site(bench, 256 * 1024 * 1024 if quick else 1 << 30)
    absent = [{"label": LABELS[n], "reason": site.why_not(n, "large")} for n in LABELS
              if site.why_not(n, "large")]
    servers = [n for n in LABELS if not site.why_not(n, "large")]
    found = {n: [] for n in servers}
    for i in range(round_count):
        for name in rounds.rotated(servers, i, round_count) if servers else ():
            rounds.note("serve: round %d of %d: %s" % (i + 1, round_count, LABELS[name]))
            try:
                found[name].append(measure(site, name, 1 if quick else bench.seconds * 2))
            except Failed as e:
                found[name].append({work[0]: e for work in WORKS})
    rounds.note("")
    return {"works": summary(found, site.size), "absent": absent}
