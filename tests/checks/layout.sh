# Layout by clang-format, no file over 500 lines, no function over 60; in Python no line over 110, and no tab.
. tests/checks/common
none() { # WHAT-IS-WRONG WHAT-IS-RIGHT PLACES
	[ -z "$3" ] && echo "ok $2" || echo "not ok $1:" $3
}
files=$(git ls-files '*.c' '*.h')
python_files=$(git ls-files '*.py' '*.pyi')
functions() { # NAME FILE FIRST-LINE LAST-LINE
	ctags -x --c-kinds=f --_xformat='%N %F %n %e' $files
	ctags -x --language-force=Python --kinds-Python=fm --_xformat='%N %F %n %e' $python_files
}
try "clang-format" clang-format --dry-run -Werror $files
long=$(wc -l $files $python_files | awk '$2 != "total" && $1 > 500 { print $2 }')
none "too long" "files of at most 500 lines" "$long"
long=$(functions | awk '$4 - $3 > 60 { print $2 ":" $1 }')
none "too long" "functions of at most 60 lines" "$long"
wide=$(LC_ALL=C.UTF-8 grep -noE '^.{111}' $python_files | cut -d: -f1,2)
none "too wide" "lines of Python of at most 110 columns" "$wide"
none "tabs" "no tabs in Python" "$(grep -lP '\t' $python_files)"
