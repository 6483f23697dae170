# Each C block of the documents that is a whole program compiles and links; one behind a line
# "<!-- run: ARGUMENTS -->" is run, for ten seconds at most, in a folder with cert.pem and key.pem, which are for
# localhost and trusted by themselves. A text block right behind it, "prints:", is what it has to print.
. tests/checks/common
for page in README.md doc/*.md; do
	awk -v dir="$tmp" -v page="$(basename "$page" .md)" '
		/^<!-- run:/ { args = $0; sub(/^<!-- run: */, "", args); sub(/ *-->.*/, "", args); has = 1; next }
		/^```c$/ { in_c = 1; n++; file = dir "/" page "-" n ".c"; next }
		/^```/ && in_c { in_c = 0; close(file); ran = has
			if (has) { print args > (file ".args"); close(file ".args") } has = 0; next }
		/^```text$/ && ran { in_text = 1; next }
		/^```/ && in_text { in_text = 0; ran = 0; close(file ".prints"); next }
		/^#|^```/ { ran = 0 }
		in_text { print > (file ".prints") }
		in_c { print > file }' "$page"
done
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
	-keyout "$tmp/key.pem" -out "$tmp/cert.pem" 2>/dev/null
for file in "$tmp"/*.c; do
	grep -q 'main(' "$file" || continue
	name=$(basename "$file" .c)
	libraries=$(libraries_of "$file") || continue
	# shellcheck disable=SC2086
	try "$name compiles" gcc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -Iinclude "$file" -o "$tmp/$name" \
		$libraries
	[ -f "$file.args" ] || continue
	try "$name runs" sh -c "cd $tmp && timeout 10 ./$name $(cat "$file.args") >$name.got"
	[ -f "$file.prints" ] && try "$name prints what it says" diff "$file.prints" "$tmp/$name.got"
done
