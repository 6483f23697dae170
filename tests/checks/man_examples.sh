# What the pages promise is so: each public function of the headers stands in one NAME section, each SYNOPSIS has
# the header's prototypes, and each whole program compiles. One behind a line '.\" run' is run, for ten seconds at
# most; the block behind '.\" prints' is what it has to print.
. tests/checks/common
cat >"$tmp/read.py" <<'END'
import collections, glob, os, re, sys
out = sys.argv[1]


def plain(text):
    """A declaration without what spaces and lines mean to people only."""
    return re.sub(r"\s*([*(),])\s*", r"\1", re.sub(r"\s+", " ", text)).strip()


def public():
    for path in ["include/asyncore.h", "include/asynchat.h"] + glob.glob("include/asyncore/*.h"):
        text = re.sub(r"/\*.*?\*/", "", open(path).read(), flags=re.S)
        text = re.sub(r"(?m)^#(?:[^\n]*\\\n)*[^\n]*$", "", text)
        for part in re.findall(r"AC_API\s+([^;{]*);", text):
            part = re.sub(r"\s*AC_PRINTF\(.*?\)\s*$", "", part)
            name = re.search(r"\b(ac_\w+?)\s*(?:\(|$)", part).group(1)
            yield name, plain(part)


def section(lines, name):
    on = False
    for line in lines:
        if line.startswith(".Sh "):
            on = line == ".Sh " + name
        elif on:
            yield line


def words(line):
    return [a or b for a, b in re.findall(r'"([^"]*)"|(\S+)', line)][1:]


def prototypes(lines):
    kind, name, args = "", None, []
    for line in section(lines, "SYNOPSIS"):
        if line.startswith(".Ft "):
            kind = " ".join(words(line))
        elif line.startswith((".Fo ", ".Fn ")):
            name, args = words(line)[0], words(line)[1:]
        elif line.startswith(".Fa "):
            args += words(line)
        if name and line.startswith((".Fc", ".Fn ")):
            yield name, plain("%s %s(%s)" % (kind, name, ", ".join(args)))
            kind, name, args = "", None, []


def shown(line):
    return re.sub(r"^\\&", "", line.replace("\\e", "\\"))


def blocks(lines):
    """(mark, text) of each literal block; the mark is the comment in front of it."""
    mark, text, before = "", None, ""
    for line in section(lines, "EXAMPLES"):
        if line.startswith(".Bd -literal"):
            mark, text = before[3:].strip() if before.startswith('.\\"') else "", []
        elif line == ".Ed":
            yield mark, "\n".join(map(shown, text)) + "\n"
            text = None
        elif text is not None:
            text.append(line)
        before = line


def check_names(functions, named):
    for name in functions:
        asked = re.sub(r"^(ac_raisef?)_$", r"\1", name)
        if asked != "ac_frame_" and named[asked] != 1:
            print("not ok %s stands in %d NAME sections" % (name, named[asked]))
            return
    print("ok %d names, each in one NAME section" % len(functions))


def main():
    functions, named, bad = dict(public()), collections.Counter(), 0
    for path in sorted(glob.glob("doc/man/*.[13]")):
        page = os.path.basename(path)
        lines = open(path).read().split("\n")
        named.update(words(line)[0] for line in section(lines, "NAME") if line.startswith(".Nm "))
        for name, prototype in prototypes(lines):
            if functions.get(name, prototype) != prototype:
                print("%s: %s\n   header: %s" % (page, prototype, functions[name]))
                bad += 1
        program = ""
        for i, (mark, text) in enumerate(blocks(lines)):
            if "main(" in text:
                program = "%s/%s-%d" % (out, page, i)
                open(program + ".c", "w").write(text)
                if mark == "run":
                    open(program + ".run", "w").close()
            elif mark == "prints":
                open(program + ".prints", "w").write(text)
    print("ok prototypes" if not bad else "not ok %d prototypes" % bad)
    check_names(functions, named)


main()
END
python3 "$tmp/read.py" "$tmp"
for file in "$tmp"/*.c; do
	[ -f "$file" ] || continue
	program=${file%.c}
	name=$(basename "$program")
	libraries=$(libraries_of "$file") || continue
	# shellcheck disable=SC2086
	try "$name compiles" gcc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -Iinclude "$file" -o "$program" \
		$libraries
	[ -f "$program.run" ] || continue
	try "$name runs" sh -c "timeout 10 $program >$program.got"
	[ -f "$program.prints" ] && try "$name prints what it says" diff "$program.prints" "$program.got"
done
for command in serve get echo chat talk run proxy; do
	"$build/asyncore" "$command" --help | grep -oE -- '--[a-z][a-z-]+' | grep -vx -- --help | sort -u >"$tmp/help"
	sed -n "/^\.Ss $command\$/,/^\.S[sh] /{s/.*Fl -\([a-z][a-z-]*\).*/--\1/p}" doc/man/asyncore.1 | sort -u >"$tmp/page"
	try "options of $command" diff "$tmp/help" "$tmp/page"
done
