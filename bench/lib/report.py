"""Tables for the terminal. What is behind is printed like what is ahead."""
import json

from .peers import RAW

WIDTH = 22


def number(value, form="%.2f"):
    """A dash for nothing."""
    return "-" if value is None else form % value


def quartiles(spread):
    """The first and the third."""
    return "%.2f - %.2f" % (spread[0], spread[2]) if spread else ""


def verdict(goal, form="%g"):
    """The goal, and whether it is met."""
    return ("≤ " + form + "  %s") % (goal["limit"], "met" if goal["met"] else "not met")


def head(document):
    """What was measured, where, with what."""
    machine, built, settings = (document[k] for k in ("machine", "build", "settings"))
    print("%s, %d cores; Linux %s; %s" % (machine["cpu"], machine["cores"], machine["kernel"],
                                          machine["system"]))
    print("library %s: %s; servers, load and small measurements: %s; %s" % (
        document["versions"]["asyncore"], " ".join(built["library_flags"]) or "flags unknown",
        " ".join(built["bench_flags"]), built["compiler"]))
    if not any(flag in ("-O2", "-O3") for flag in built["library_flags"]):
        print("the library is not optimised: its figures say nothing about its speed")
    print("; ".join("%s %s" % item for item in document["versions"].items()
                    if item[0] != "asyncore"))
    print("%d round%s of %g s; %s%s; server on core %d, load on core %d; %s" % (
        settings["rounds"], "s"[settings["rounds"] == 1:], settings["seconds"],
        document["network"]["congestion_control"],
        "" if document["network"]["own_namespace"] else ", the machine's own network",
        settings["cores"][0], settings["cores"][-1], document["date"]))
    if machine["load_average"] > machine["cores"] / 4:
        print("this machine has other things to do (load average %.1f): expect noise" %
              machine["load_average"])
    absent_rows(document["absent"], "")
    print(end="", flush=True)


def cpu_rows(work):
    """Server CPU beside raw epoll's."""
    goals = {g["peer"]: g for g in work["goals"] if g["against"] == RAW}
    print("  %-*s %10s %7s   %-13s %s" % (WIDTH, "", "ns", "÷ raw", "quartiles", "goal"))
    for r in work["rows"]:
        goal = goals.get(r["peer"])
        print(("  %-*s %10s %7s   %-13s %s" % (
            WIDTH, r["label"], number(r["ns"], "%.0f"), number(r["ratio"] and r["ratio"][1]),
            quartiles(r["ratio"]), verdict(goal, "%.2f") if goal else "")).rstrip())
    for goal in work["goals"]:
        if goal["against"] != RAW:
            print("  %-*s %7.2f   %-13s %s" % (WIDTH + 11, goal["text"], goal["ratio"][1],
                                               quartiles(goal["ratio"]), verdict(goal, "%.2f")))


def latency_rows(work):
    """Microseconds, and the CPU it took."""
    print("  %-*s %10s %9s %9s %9s %7s" % (WIDTH, "", "p50 µs", "p99", "p99.9", "CPU ns", "÷ raw"))
    for r in work["rows"]:
        print("  %-*s %10s %9s %9s %9s %7s" % (
            WIDTH, r["label"], number(r["p50_us"], "%.1f"), number(r["p99_us"], "%.1f"),
            number(r["p999_us"], "%.1f"), number(r["ns"], "%.0f"),
            number(r["ratio"] and r["ratio"][1])))


def memory_rows(work):
    """Bytes of a connection's user memory."""
    goals = {(g["peer"], g["against"]): g for g in work["goals"]}
    print("  %-*s %10s %10s   %s" % (WIDTH, "", "fresh", "used", "goal"))
    for r in work["rows"]:
        mine = [goals[r["peer"], s] for s in ("fresh", "used") if (r["peer"], s) in goals]
        met = dict(mine[0], met=all(g["met"] for g in mine)) if mine else None
        print(("  %-*s %10s %10s   %s" % (
            WIDTH, r["label"], number(r["fresh"], "%.0f"), number(r["used"], "%.0f"),
            verdict(met) if met else "")).rstrip())


def absent_rows(entries, indent="  "):
    """Those that are not there, by reason."""
    reasons = {}
    for entry in entries:
        reasons.setdefault(entry["reason"], []).append(entry["label"])
    for reason, labels in reasons.items():
        print("%sabsent: %s (%s)" % (indent, "; ".join(labels), reason))


def work_table(work):
    """One work."""
    what = {"memory": "bytes", "latency": "from when a line was due"}.get(
        work["kind"], "server CPU a " + work["unit"])
    rate = ", %d lines a second" % work["rate"] if work["rate"] else ""
    print("\n%s: %s%s" % (work["title"], what, rate))
    if work["rows"]:
        {"memory": memory_rows, "latency": latency_rows}.get(work["kind"], cpu_rows)(work)
    absent_rows(work["absent"])
    for failure in work["failures"]:
        print("  %s failed in %d rounds: %s" % (failure["label"], len(failure["texts"]),
                                                failure["texts"][0]))
    print(end="", flush=True)


def micro_goal(entry):
    """The goal of one line of the small measurements."""
    if entry.get("limit") is None:
        return ""
    return "%s %g  %s" % ("≥" if entry["more_is_better"] else "≤", entry["limit"],
                          "met" if entry["met"] else "not met")


def task_table(tasks):
    """Nanoseconds by the number of tasks that were pending."""
    sizes = sorted({e["n"] for e in tasks})
    values = {(e["name"], e["peer"], e["n"]): e for e in tasks}
    print("\ntasks: ns each, by the number pending")
    print("  %-*s" % (WIDTH, "") + "".join("%11s" % format(n, ",") for n in sizes))
    for name in ("insert", "cancel", "churn", "expire"):
        for peer in dict.fromkeys(e["peer"] for e in tasks):
            found = [values.get((name, peer, n)) for n in sizes]
            print(("  %-*s" % (WIDTH, name + ", " + peer)
                   + "".join("%11s" % number(e and e["value"], "%.1f") for e in found)
                   + "   " + micro_goal(found[-1] or {})).rstrip())


def micro_table(micro):
    """Framing and search line by line, then tasks."""
    print("\nwithout the kernel")
    for entry in micro["results"]:
        if entry["group"] != "tasks":
            print(("  %-32s %-10s %8.1f %-8s %s" % (
                entry["group"] + ": " + entry["name"], entry["peer"], entry["value"],
                entry["unit"], micro_goal(entry))).rstrip())
    tasks = [e for e in micro["results"] if e["group"] == "tasks"]
    if tasks:
        task_table(tasks)
    absent_rows(micro["absent"])
    print(end="", flush=True)


def serve_table(serve):
    """Files over HTTP beside nginx."""
    print("\nfiles over HTTP: asyncore serve beside nginx, both without access log; ÷ nginx with one worker")
    for work in serve["works"]:
        print("  %-*s %12s %16s %9s   quartiles" % (WIDTH + 8, work["title"], work["rate_unit"],
                                                    work["cpu_unit"], "÷ nginx"))
        for r in work["rows"]:
            print(("    %-*s %12s %16s %9s   %s" % (
                WIDTH + 6, r["label"], number(r["rate"], "%.0f"), number(r["cpu"], "%.1f"),
                number(r["ratio"] and r["ratio"][1]), quartiles(r["ratio"]))).rstrip())
        absent_rows(work["absent"])
    absent_rows(serve["absent"])
    print(end="", flush=True)


def goals_line(document):
    """How many goals are met."""
    met = [g["met"] for work in document["works"] for g in work["goals"]]
    met += [e["met"] for e in (document["micro"] or {"results": []})["results"]
            if e.get("limit") is not None]
    if met:
        print("\ngoals: %d met, %d not met" % (sum(met), len(met) - sum(met)))


def write_json(document, path):
    """Everything, single rounds included."""
    with open(path, "w") as f:
        json.dump(document, f, indent=1)
        f.write("\n")
