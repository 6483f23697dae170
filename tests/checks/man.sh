# The pages are without fault, and every public function stands in exactly one NAME section.
. tests/checks/common
mkdir -p "$tmp/man/man1" "$tmp/man/man3"
cp doc/man/*.1 "$tmp/man/man1" && cp doc/man/*.3 "$tmp/man/man3"
for page in doc/man/*.[13]; do
	MANPATH=$tmp/man mandoc -T lint "$page" >"$tmp/lint" 2>&1
	grep -v 'referenced manual not found' "$tmp/lint" >"$tmp/faults"
	sed -n 's/.*referenced manual not found: Xr \([a-z_]*\) \([0-9]\).*/\1.\2/p' "$tmp/lint" |
		while read -r other; do [ -f "doc/man/$other" ] || echo "no page $other"; done >>"$tmp/faults"
	[ -s "$tmp/faults" ] && { cat "$tmp/faults"; echo "not ok $page"; } || echo "ok $page"
done
for page in doc/man/ac*.3 doc/man/asynchat.3; do
	name=$(basename "$page" .3)
	grep -q "^\.It Xr $name 3\$" doc/man/asyncore.3 || echo "$name"
done >"$tmp/unlisted"
[ -s "$tmp/unlisted" ] && echo "not ok asyncore(3) does not list $(tr '\n' ' ' <"$tmp/unlisted")" ||
	echo "ok asyncore(3) lists every page"
for section in ERRORS EXAMPLES BUGS; do
	without=$(grep -L "^\.Sh $section" doc/man/*.3)
	[ -z "$without" ] && echo "ok $section" || echo "not ok no $section in $without"
done
for page in doc/man/*.3; do
	awk '/^\.Sh NAME/ { on = 1; next } /^\.Sh/ { on = 0 } on && /^\.Nm ac_/ { print $2 }' "$page"
done | sort >"$tmp/named"
{ sed -n '/^ASYNCORE_0/,/^local/s/^\t\(ac_[a-z_0-9]*\);/\1/p' asyncore.map |
	sed 's/^\(ac_raisef*\)_$/\1/; /^ac_frame_$/d'; 
	sed -n 's/^AC_API.*\b\(ac_[a-z_0-9]*\)(.*/\1/p' include/asyncore/compress.h include/asyncore/tls.h \
		include/asyncore/resolve.h; } | sort >"$tmp/public"
try "every function has its page" diff "$tmp/public" "$tmp/named"
