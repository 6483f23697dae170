# Each C block of the documents that is a whole program compiles and links; one behind a line
# "<!-- run: ARGUMENTS -->" is run, for ten seconds at most.
. tests/checks/common
for page in README.md doc/*.md; do
	awk -v dir="$tmp" -v page="$(basename "$page" .md)" '
		/^<!-- run:/ { args = $0; sub(/^<!-- run: */, "", args); sub(/ *-->.*/, "", args); has = 1; next }
		/^```c$/ { in_c = 1; n++; file = dir "/" page "-" n ".c"; next }
		/^```/ && in_c { in_c = 0; close(file)
			if (has) { print args > (file ".args"); close(file ".args") } has = 0; next }
		in_c { print > file }' "$page"
done
for file in "$tmp"/*.c; do
	grep -q 'main(' "$file" || continue
	name=$(basename "$file" .c)
	try "$name compiles" gcc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -Iinclude "$file" -o "$tmp/$name" \
		$library
	[ -f "$file.args" ] || continue
	try "$name runs" sh -c "cd $tmp && timeout 10 ./$name $(cat "$file.args")"
done
