"""Draws the document with gnuplot, each plot as SVG and as PNG: ours in blue, the others muted."""
import os
import shutil
import subprocess

from .peers import RAW

COLOURS = {
    "ours-epoll": "#0b4f9c", "ours-io_uring": "#4f9be8", "ours": "#0b4f9c",
    "ours, embedded": "#4f9be8", "raw_uring": "#8a8a8a", "libev": "#8fa650", "libuv": "#d2913f",
    "libuv-joined": "#e9c48d", "libevent": "#bf6b6b", "asynchat": "#b7a6d0", "asyncio": "#8871ad",
}
CPU_PEERS = ("ours-epoll", "ours-io_uring", "raw_uring", "libev", "libuv", "libuv-joined",
             "libevent", "asynchat", "asyncio")
CLIP = 2.5
CPU_WIDTH = 1500
ROW = 7      # works in one row of bars
GRID = """set grid ytics lt 1 lc rgb "#dddddd" lw 1
set border 3 lc rgb "#666666"
set tics nomirror scale 0.5 textcolor rgb "#333333"
"""


def quoted(text):
    """A string of gnuplot's."""
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


def terminal(kind, width, height, path):
    """SVG or PNG, in the same proportions."""
    how = {"svg": 'svg size %d,%d font "Arial,13" background rgb "white"',
           "png": 'pngcairo size %d,%d font "Sans,11" background rgb "white"'}[kind]
    return "set terminal " + how % (width, height) + "\nset output " + quoted(path) + "\n"


def gnuplot(script, folder, name, width, height):
    """Both files of one plot, or a text that says what is wrong."""
    for kind in ("svg", "png"):
        path = os.path.join(folder, "%s.%s" % (name, kind))
        done = subprocess.run(["gnuplot"], input=(terminal(kind, width, height, path)
                                                  + script).encode(),
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60,
                              check=False)
        if done.returncode != 0:
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            return "gnuplot: " + (lines[-1] if lines else "failed")
    return None


def footing(document):
    """What the reader has to know of the machine."""
    return "%s, Linux %s, %s; %s" % (document["machine"]["cpu"], document["machine"]["kernel"],
                                     document["network"]["congestion_control"],
                                     document["date"][:10])


def legend(entries, width, y, symbol):
    """Names beside their colours, in one line across the whole picture; gnuplot's own key keeps to
    one of several plots. `entries`: (name, colour)."""
    sizes = [36 + 7.7 * len(name) for name, _ in entries]
    x, lines = (width - sum(sizes)) / 2, []
    for (name, colour), size in zip(entries, sizes):
        lines.append('set label %s at screen %.4f,%.4f left point pt %d ps 1.6 lc rgb "%s" '
                     'offset 1.2,0 font ",11" noenhanced'
                     % (quoted(name), x / width, y, symbol, colour))
        x += size
    return "\n".join(lines) + "\n"


# ---- CPU beside raw epoll ----

def cpu_works(document):
    """Those with bars: every work that was measured beside raw epoll."""
    return [w for w in document["works"]
            if w["kind"] == "cpu" and any(r["peer"] != RAW and r["ratio"] for r in w["rows"])]


def cpu_bars(works, peers):
    """(x, height, peer, true value) of each bar of one row; a place stays free where one is absent."""
    width = 0.84 / len(peers)
    for group, work in enumerate(works):
        ratios = {r["peer"]: r["ratio"][1] for r in work["rows"] if r["ratio"]}
        for i, peer in enumerate(peers):
            if peer in ratios:
                yield (group - 0.42 + width * (i + 0.5), min(ratios[peer], CLIP), peer,
                       ratios[peer])


def cpu_data(bars, peers):
    """A block of data for each peer: x and height."""
    lines = []
    for number, peer in enumerate(peers):
        lines.append("$bars%d << EOD" % number)
        lines += ["%.4f %.4f" % (x, height) for x, height, name, _ in bars if name == peer]
        lines += ["NaN NaN", "EOD"]  # never empty
    return "\n".join(lines) + "\n"


def cpu_label(x, height, value, ours):
    """The value: in the foot of a bar of ours, above one that is cut off."""
    inside = ours and height > 0.4
    return ('set label "%s" at %.4f,%.4f left rotate by 90 font ",9" tc rgb "%s" noenhanced front'
            % ("%.0f" % value if value >= 10 else "%.2f" % value, x,
               0.06 if inside else height + 0.06, "white" if inside else "#444444"))


def cpu_labels(bars):
    """On bars of ours, and on those that are cut off."""
    return "\n".join(cpu_label(x, height, value, peer.startswith("ours"))
                     for x, height, peer, value in bars
                     if value > CLIP or peer.startswith("ours")) + "\n"


def cpu_row(works, peers, top, bottom):
    """One row of groups."""
    bars = list(cpu_bars(works, peers))
    tics = ", ".join("%s %d" % (quoted(w["short"]), i) for i, w in enumerate(works))
    script = cpu_data(bars, peers) + cpu_labels(bars)
    script += "set tmargin at screen %g\nset bmargin at screen %g\n" % (top, bottom)
    script += "set xrange [-0.6:%g]\nset xtics (%s) scale 0\n" % (max(len(works), 1) - 0.4, tics)
    script += "set boxwidth %.4f\n" % (0.84 / len(peers) * 0.92)
    parts = ['$bars%d using 1:2 with boxes fs solid 1 noborder lc rgb "%s"' % (i, COLOURS[p])
             for i, p in enumerate(peers)]
    parts.append('1 with lines lw 1.5 lc rgb "#222222"')
    return script + "plot " + ", \\\n ".join(parts) + "\nunset label\n"


def plot_cpu(document, folder):
    """Grouped bars, in as many rows as it takes."""
    works = cpu_works(document)
    labels = {r["peer"]: r["label"] for w in works for r in w["rows"]}
    peers = [p for p in CPU_PEERS if p in labels]
    if not works or not peers:
        return "nothing was measured beside raw epoll"
    count = -(-len(works) // ROW)
    each = -(-len(works) // count)
    rows = [works[i:i + each] for i in range(0, len(works), each)]
    height = 110 + 330 * len(rows)
    script = GRID + "set multiplot\nunset key\n"
    script += ('set label "Server CPU for the same work, raw epoll = 1 (less is better)" '
               'at screen 0.5,%g center font ",15"\n' % (1 - 22 / height))
    script += 'set label %s at screen 0.5,%g center font ",9" tc rgb "#666666"\n' % (
        quoted("Median of the rounds' ratios; the line is raw epoll; bars are cut off at %g. %s" % (
            CLIP, footing(document))), 14 / height)
    script += legend([(labels[p], COLOURS[p]) for p in peers], CPU_WIDTH, 1 - 52 / height, 5)
    highest = max(r["ratio"][1] for w in works for r in w["rows"] if r["ratio"])
    script += "set yrange [0:%g]\nset ytics 0.5\nset format y '%%.1f'\n" % (
        max(1.3, min(highest * 1.08, CLIP * 1.16)))
    script += "set lmargin at screen 0.04\nset rmargin at screen 0.99\n"
    for i, row in enumerate(rows):
        top = 1 - (80 + 330 * i) / height
        script += cpu_row(row, peers, top, top - 285 / height)
    return gnuplot(script + "unset multiplot\n", folder, "cpu", CPU_WIDTH, height)


# ---- memory ----

def memory_bars(rows):
    """The data and the values above the bars: x, fresh, used, and a colour for each."""
    data, labels = "$memory << EOD\n", ""
    for i, r in enumerate(rows):
        colours = ("0x8fbdee", "0x0b4f9c") if r["ours"] else ("0xc4c4c4", "0x777777")
        data += "%d %.1f %.1f %s %s\n" % ((i, r["fresh"], r["used"]) + colours)
        for shift, value in ((-0.2, r["fresh"]), (0.2, r["used"])):
            labels += 'set label "%.0f" at %g,%g center offset 0,0.5 font ",9"\n' % (
                value, i + shift, max(value, 0))
    return data + "EOD\n" + labels


def plot_memory(document, folder):
    """Two bars for each peer, fresh and used, with their values."""
    rows = [r for w in document["works"] if w["kind"] == "memory" for r in w["rows"]]
    rows.sort(key=lambda r: max(r["used"], r["fresh"]))
    if not rows:
        return "memory was not measured"
    tics = ", ".join('"%s" %d' % (r["label"].replace(", ", ",\\n").replace("Python ", "Python\\n"), i)
                     for i, r in enumerate(rows))
    script = memory_bars(rows) + GRID
    script += ('set title "User memory an idle connection, bytes (less is better)" font ",15"\n'
               'set label %s at screen 0.5,0.03 center font ",9" tc rgb "#666666"\n'
               'set bmargin at screen 0.16\n' % quoted(footing(document)))
    script += "set xtics (%s) scale 0 font ',10' noenhanced\n" % tics
    script += "set xrange [-0.6:%g]\nset yrange [0:*]\n" % (len(rows) - 0.4)
    script += "set boxwidth 0.38\nset key top left reverse Left\n"
    parts = ["$memory using ($1-0.2):2:4 with boxes fs solid 1 noborder lc rgb variable notitle",
             "$memory using ($1+0.2):3:5 with boxes fs solid 1 noborder lc rgb variable notitle",
             'NaN with boxes fs solid 1 noborder lc rgb "#c4c4c4" title "fresh"',
             'NaN with boxes fs solid 1 noborder lc rgb "#777777" title "after one line"']
    return gnuplot(script + "plot " + ", \\\n ".join(parts) + "\n", folder, "memory", 1300, 520)


# ---- tasks ----

TASK_LABELS = {"ours": "asyncore, ac_call_later", "ours, embedded": "asyncore, embedded"}


def task_block(entries, name, peer, number):
    """Points of one line."""
    points = sorted((e["n"], e["value"]) for e in entries if (e["name"], e["peer"]) == (name, peer))
    return "$t%d << EOD\n%s\nEOD\n" % (number, "\n".join("%d %g" % p for p in points) or "NaN NaN")


def task_panel(entries, peers, name, title, position):
    """One operation: nanoseconds over how many are pending."""
    left, right, bottom, top = position
    script = "".join(task_block(entries, name, p, i) for i, p in enumerate(peers))
    script += ("set lmargin at screen %g\nset rmargin at screen %g\nset bmargin at screen %g\n"
               "set tmargin at screen %g\nset title %s font ',12' offset 0,-0.5\n"
               % (left, right, bottom, top, quoted(title)))
    parts = ['$t%d using 1:2 with linespoints pt 7 ps %g lw %g lc rgb "%s"' % (
        i, 1.0 if p.startswith("ours") else 0.7, 3 if p.startswith("ours") else 1.8, COLOURS[p])
        for i, p in enumerate(peers)]
    return script + "plot " + ", \\\n ".join(parts) + "\nunset label\n"


def plot_tasks(document, folder):
    """Three panels side by side, and the fourth for tasks that are set anew."""
    entries = [e for e in (document["micro"] or {"results": []})["results"]
               if e["group"] == "tasks"]
    peers = list(dict.fromkeys(e["peer"] for e in entries))
    if not entries:
        return "tasks were not measured"
    peers.sort(key=lambda p: p.startswith("ours"))  # ours on top of the others
    script = GRID + ('set logscale xy\nset multiplot\nunset key\n'
                     'set label "Tasks: ns for each, by the number pending (less is better)" '
                     'at screen 0.5,0.965 center font ",15"\n'
                     'set label %s at screen 0.5,0.022 center font ",9" tc rgb "#666666"\n'
                     % quoted(footing(document)))
    script += legend([(TASK_LABELS.get(p, p), COLOURS[p]) for p in peers], 1500, 0.895, 7)
    script += ('set xrange [700:1.4e6]\nset xtics ("1,000" 1e3, "10,000" 1e4, "100,000" 1e5, '
               '"1,000,000" 1e6) font ",9"\nset yrange [2:3000]\nset ytics (3, 10, 30, 100, 300, '
               '1000, 3000)\nset mytics 1\n')
    panels = (("insert", "insert"), ("cancel", "cancel"), ("churn", "cancel one and set it anew"),
              ("expire", "expire, with its callback"))
    for i, (name, title) in enumerate(panels):
        left = 0.045 + 0.243 * i
        script += task_panel(entries, peers, name, title, (left, left + 0.205, 0.125, 0.8))
    return gnuplot(script + "unset multiplot\n", folder, "tasks", 1500, 480)


def draw(document, folder):
    """All plots; lines that say which files there are, or why not."""
    if not shutil.which("gnuplot"):
        return ["no plots: gnuplot is missing (package gnuplot-nox)"]
    os.makedirs(folder, exist_ok=True)
    said = []
    for name, plot in (("cpu", plot_cpu), ("memory", plot_memory), ("tasks", plot_tasks)):
        wrong = plot(document, folder)
        said.append("no plot %s: %s" % (name, wrong) if wrong
                    else "plot: %s.svg, %s.png" % (os.path.join(folder, name), name))
    return said
