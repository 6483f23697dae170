"""What the rounds gave, as plain data: what is printed, written as JSON and drawn."""
from . import stats
from .peers import BY_NAME as PEER, RAW
from .works import GOALS, MEMORY_GOAL


def cpu(work, result):
    """Nanoseconds of the server for one unit of the work."""
    return result["cpu_ns"] / result["count"] * work.scale if result else None


def bytes_each(result, state):
    """Memory for one connection, `fresh` or `used`."""
    return (result[state + "_bytes"] - result["empty_bytes"]) / result["count"] if result else None


def row(work, peer, results, reference):
    """One peer in one work."""
    found = {"peer": peer.name, "label": peer.label, "ours": peer.ours, "rounds": results,
             "measured": sum(r is not None for r in results)}
    if work.kind == "memory":
        for state in ("fresh", "used"):
            found[state] = stats.median([bytes_each(r, state) for r in results])
        return found
    values = [cpu(work, r) for r in results]
    found["ns"] = stats.median(values)
    found["ratio"] = stats.spread(stats.ratios(values, reference))
    for name in ("p50_us", "p99_us", "p999_us"):
        found[name] = stats.median([r.get(name) if r else None for r in results])
    return found


def judged(goal_text, ratio, limit):
    """A goal beside what was measured."""
    return {"text": goal_text, "ratio": ratio, "limit": limit,
            "met": bool(ratio) and round(ratio[1], 2) <= limit}


def goal_values(results, work, goal, works):
    """The rounds that a goal compares: ours, and what it is divided by; None if not measured."""
    ours = results.values.get((work.name, goal.ours))
    if goal.against.startswith("work:"):
        other = next((w for w in works if "work:" + w.name == goal.against), None)
        beside = results.values.get((other.name, goal.ours)) if other else None
        text = "itself, " + other.short if other else ""
    else:
        other, beside = work, results.values.get((work.name, goal.against))
        text = PEER[goal.against].label
    if not ours or not beside:
        return None
    return text, [cpu(work, r) for r in ours], [cpu(other, r) for r in beside]


def goals_of(results, work, works):
    """Every goal of this work that could be measured; those beside raw epoll first."""
    found = []
    for goal in GOALS:
        compared = goal_values(results, work, goal, works) if goal.work == work.name else None
        if not compared:
            continue
        text, ours, beside = compared
        ratio = stats.spread(stats.ratios(ours, beside))
        entry = judged("%s ÷ %s" % (PEER[goal.ours].label, text), ratio, goal.limit)
        entry.update(peer=goal.ours, against=goal.against)
        if ratio:
            found.append(entry)
    return found


def memory_goals(rows):
    """Bytes are no ratios: the limit itself."""
    return [{"text": "%s, %s" % (r["label"], state), "peer": r["peer"], "against": state,
             "value": r[state], "limit": MEMORY_GOAL, "met": r[state] <= MEMORY_GOAL}
            for r in rows if r["ours"] for state in ("fresh", "used") if r[state] is not None]


def of_work(work, works, peers, results):
    """All there is to say about one work."""
    values = {p.name: results.values.get((work.name, p.name), []) for p in peers}
    reference = [cpu(work, r) if work.kind != "memory" else None for r in values[RAW]]
    rows = [row(work, p, values[p.name], reference) for p in peers if any(values[p.name])]
    absent = [{"peer": p.name, "label": p.label,
               "reason": results.absent.get((work.name, p.name)) or "no round was measured"}
              for p in peers if not any(values[p.name])]
    failures = [{"peer": p.name, "label": p.label, "texts": results.failures[work.name, p.name]}
                for p in peers if any(values[p.name])
                and (work.name, p.name) in results.failures]
    goals = memory_goals(rows) if work.kind == "memory" else goals_of(results, work, works)
    return {"name": work.name, "title": work.title, "short": work.short, "unit": work.unit,
            "kind": work.kind, "load": work.load, "rate": results.rates.get(work.name),
            "rows": rows, "absent": absent, "failures": failures, "goals": goals}
