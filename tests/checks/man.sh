# The pages are without fault, and every public function stands in exactly one NAME section.
. tests/checks/common
for page in doc/man/*.[13]; do
	mandoc -T lint "$page" >"$tmp/lint" 2>&1
	[ -s "$tmp/lint" ] && { cat "$tmp/lint"; echo "not ok $page"; } || echo "ok $page"
done
for page in doc/man/*.3; do
	awk '/^\.Sh NAME/ { on = 1; next } /^\.Sh/ { on = 0 } on && /^\.Nm/ { print $2 }' "$page"
done | sort >"$tmp/named"
sed -n 's/^\t\(ac_[a-z_0-9]*\);/\1/p' asyncore.map | grep -v '_$' | sort -u >"$tmp/public"
echo ac_compressed_producer >>"$tmp/public"
sort -u -o "$tmp/public" "$tmp/public"
try "every function has its page" sh -c "grep '^ac_' $tmp/named | diff $tmp/public -"
