# Each public header compiles alone, as C11 and as C++11, with gcc and clang.
. tests/checks/common
for header in include/*.h include/asyncore/*.h; do
	echo "#include \"$PWD/$header\"" >"$tmp/alone.c"
	for cc in gcc clang; do
		try "$header $cc C11" $cc -std=c11 -x c -Wall -Wextra -Werror -pedantic -Iinclude \
			-fsyntax-only "$tmp/alone.c"
		try "$header $cc C++11" $cc -std=c++11 -x c++ -Wall -Wextra -Werror -Iinclude \
			-fsyntax-only "$tmp/alone.c"
	done
done
