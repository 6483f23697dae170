"""The measurements without sockets: runs the programs and judges what they print."""
import json

from . import build, children
from .children import Failed
from .works import MICRO_GOALS

PROGRAMS = ("micro", "micro_tasks_ours") + tuple("micro_tasks_" + t[0] for t in build.TIMERS)
LABELS = {"micro": "framing and search", "micro_tasks_ours": "tasks"}


def with_goal(entry):
    """A line of ours gets its limit: allocated tasks and embedded ones the same."""
    goal = MICRO_GOALS.get((entry["group"], entry["name"], entry["n"]))
    if goal and entry["peer"].startswith("ours"):
        limit, more_is_better = goal
        value = entry["value"]
        entry.update(limit=limit, more_is_better=more_is_better,
                     met=value >= limit if more_is_better else value <= limit)
    return entry


def run_one(bench, program, quick):
    """The lines of one program."""
    argv = [bench.build.path(program)] + (["--quick"] if quick else [])
    lines = children.output(argv, bench.cores[0], 300).splitlines()
    try:
        return [with_goal(json.loads(line)) for line in lines]
    except (ValueError, KeyError) as e:
        raise Failed("%s printed what is no JSON: %s" % (program, e)) from e


def run(bench, quick):
    """All of them, for the document."""
    found = {"results": [], "absent": []}
    for program in PROGRAMS:
        reason = bench.build.absent.get(program)
        if not reason:
            try:
                found["results"] += run_one(bench, program, quick)
                continue
            except Failed as e:
                reason = str(e)
        label = LABELS.get(program, "tasks, " + program.rsplit("_", 1)[-1])
        found["absent"].append({"peer": program, "label": label, "reason": reason})
    return found
