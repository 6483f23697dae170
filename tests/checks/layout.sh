# Layout by clang-format, no file over 500 lines, no function over 60.
. tests/checks/common
files=$(git ls-files '*.c' '*.h')
try "clang-format" clang-format --dry-run -Werror $files
long=$(wc -l $files | awk '$2 != "total" && $1 > 500 { print $2 }')
[ -z "$long" ] && echo "ok files of at most 500 lines" || echo "not ok too long: $long"
long=$(ctags -x --c-kinds=f --_xformat='%N %F %n %e' $files | awk '$4 - $3 > 60 { print $2 ":" $1 }')
[ -z "$long" ] && echo "ok functions of at most 60 lines" || echo "not ok too long: $long"
