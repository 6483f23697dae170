# What the headers call public, the export list and the library agree.
. tests/checks/common
# the headers of libasyncore itself: the others belong to libraries of their own
headers=$(ls include/*.h include/asyncore/*.h | grep -vE '/(compress|tls|resolve)\.h$')
# shellcheck disable=SC2086
cat $headers | python3 -c '
import re, sys
text = re.sub(r"/\*.*?\*/|^#[^\n]*$", "", sys.stdin.read(), flags=re.S | re.M)
for part in re.findall(r"AC_API\s+([^;]*);", text):
    print(re.search(r"(ac_\w+)\s*(?:\(|$)", part).group(1))' | sort >"$tmp/headers"
sed -n '/^ASYNCORE_0/,/^local/s/^\t\(ac_[a-z_0-9]*\);/\1/p' asyncore.map | sort >"$tmp/list"
sed -n 's/^\t\(ac_[a-z_0-9]*\);/\1/p' asyncore.map | sort >"$tmp/all"
nm -D --defined-only "$build/src/libasyncore.so" | awk '$2 ~ /[TRDB]/ { sub(/@.*/, "", $3); print $3 }' |
	sort >"$tmp/library"
try "headers and list" diff "$tmp/headers" "$tmp/list"
try "list and library" diff "$tmp/all" "$tmp/library"
