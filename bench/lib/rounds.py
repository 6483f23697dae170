"""Interleaved rounds: whatever drifts on a machine drifts for all, so ratios are taken within a round."""
import sys

from . import stats
from .children import Failed
from .peers import RAW, BY_NAME

PATIENCE = 2  # failures after which a peer is not tried again


class Results:
    """By (work, peer): one result a round, None where it failed; and why some are absent."""

    def __init__(self):
        self.values, self.absent, self.failures, self.rates = {}, {}, {}, {}

    def add(self, work, peer, result):
        """One more round of it."""
        self.values.setdefault((work.name, peer.name), []).append(result)

    def fail(self, work, peer, error):
        """A round without a result; final errors and the second one end the matter."""
        key = work.name, peer.name
        self.add(work, peer, None)
        self.failures.setdefault(key, []).append(str(error))
        if error.final or len(self.failures[key]) >= PATIENCE:
            self.absent[key] = str(error)


def note(text):
    """Progress, where somebody watches."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K" + text[:100])
        sys.stderr.flush()


def rotated(peers, round_number, rounds):
    """Each round begins elsewhere, so that no one always follows the same."""
    shift = round_number * max(1, len(peers) // rounds) % len(peers)
    return peers[shift:] + peers[:shift]


def half_rate(bench, work):
    """Lines a second: half of what raw epoll does as fast as it can; the median of three tries."""
    tries = [bench.measure(BY_NAME[RAW], work) for _ in range(3)]
    return max(1, int(stats.median([t["count"] / t["seconds"] for t in tries]) / 2))


def prepare(bench, works, peers, results):
    """Notes what cannot be measured here, and the rate of the open loop."""
    for work in works:
        for peer in peers:
            reason = bench.why_not(peer, work)
            if reason:
                results.absent[work.name, peer.name] = reason
        if work.kind == "latency":
            try:
                results.rates[work.name] = half_rate(bench, work)
            except Failed as e:
                for peer in peers:
                    results.absent[work.name, peer.name] = "no rate to measure at: %s" % e


def run_group(bench, works, peers, rounds, results):
    """All rounds of works that belong together."""
    prepare(bench, works, peers, results)
    for i in range(rounds):
        for peer in rotated(peers, i, rounds):
            for work in works:
                if (work.name, peer.name) in results.absent:
                    continue
                note("%s: round %d of %d: %s" % (work.name, i + 1, rounds, peer.label))
                try:
                    results.add(work, peer, bench.measure(peer, work,
                                                          results.rates.get(work.name, 0)))
                except Failed as e:
                    results.fail(work, peer, e)
    note("")
