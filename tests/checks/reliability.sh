# Every case that doc/reliability.md names is there.
. tests/checks/common
awk -F'|' '/^\| [ES][0-9]+ / && NF == 6 { print $5 }' doc/reliability.md |
	grep -o '`[^`]*`' | tr -d '`' | tr / ' ' | sort -u >"$tmp/named"
[ "$(wc -l <"$tmp/named")" -gt 40 ] && echo "ok cases are named" || echo "not ok no cases are named"
while read -r file name; do
	source=tests/test_$file.c
	if [ ! -f "$source" ]; then
		echo "not ok $file: no such file"
	elif [ -n "$name" ] && ! grep -qE "\b(EACH|cmocka_unit_test)\($name\)" "$source"; then
		echo "not ok $file/$name is not there"
	else
		echo "ok $file/$name"
	fi
done <"$tmp/named"
