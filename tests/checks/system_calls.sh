# The library asks of libc only what is on the list.
. tests/checks/common
sed 's/^#.*//' tests/checks/system_calls.txt | tr -s ' ' '\n' | sort -u >"$tmp/allowed"
nm -D -u "$build/src/libasyncore.so" | awk '{ sub(/@.*/, "", $2); print $2 }' | sort -u >"$tmp/used"
[ -s "$tmp/used" ] || echo "not ok no symbols found"
extra=$(comm -23 "$tmp/used" "$tmp/allowed" | tr '\n' ' ')
[ -z "$extra" ] && echo "ok calls" || echo "not ok not on the list: $extra"
