# A program built against an installed tree, by pkg-config and by CMake; and nothing left after uninstall.
. tests/checks/common
work=$tmp/build root=$tmp/root
cat >"$tmp/main.c" <<'END'
#include <asynchat.h>
#include <stdio.h>
int main(void)
{
	struct ac_map *map = ac_map_new(NULL);
	printf("%s %s\n", ac_version(), ac_map_poller(map));
	ac_map_free(map);
	return 0;
}
END
cat >"$tmp/zip.c" <<'END'
#include <asyncore/compress.h>
int main(void)
{
	struct ac_producer *p = ac_compressed_producer(ac_simple_producer("x", 1, 0), AC_GZIP, 0);
	ac_producer_free(p);
	return p == NULL;
}
END
cat >"$tmp/names.c" <<'END'
#include <asyncore/resolve.h>
int main(void)
{
	return ac_use_resolver(NULL, NULL) < 0;
}
END
cat >"$tmp/tls.c" <<'END'
#include <asyncore/tls.h>
int main(void)
{
	struct ac_tls *tls;
	int r = ac_tls_new(NULL, &tls);
	ac_tls_free(r < 0 ? NULL : tls);
	return r < 0;
}
END
make BUILD="$work" PREFIX=/usr DESTDIR="$root" install >"$tmp/make.out" 2>&1
pc=$(dirname "$(find "$root" -name asyncore.pc)")
lib=$(dirname "$(find "$root" -name libasyncore.so)")
export PKG_CONFIG_PATH=$pc PKG_CONFIG_SYSROOT_DIR=$root LD_LIBRARY_PATH=$lib
try "program and pages are installed" test -x "$root/usr/bin/asyncore"
try "pkg-config builds" sh -c "gcc $tmp/main.c -o $tmp/main \$(pkg-config --cflags --libs asyncore)"
try "pkg-config runs" "$tmp/main"
try "compress builds" sh -c \
	"gcc $tmp/zip.c -o $tmp/zip \$(pkg-config --cflags --libs asyncore-compress) -Wl,-rpath-link,$lib"
try "compress runs" "$tmp/zip"
try "resolve builds" sh -c \
	"gcc $tmp/names.c -o $tmp/names \$(pkg-config --cflags --libs asyncore-resolve) -Wl,-rpath-link,$lib"
try "resolve runs" "$tmp/names"
try "tls builds" sh -c \
	"gcc $tmp/tls.c -o $tmp/tls \$(pkg-config --cflags --libs asyncore-tls) -Wl,-rpath-link,$lib"
try "tls runs" "$tmp/tls"
# In front of the shared ones: who links the static ones needs what these were linked with, too.
mkdir "$tmp/archives" && cp "$lib"/*.a "$tmp/archives"
for part in "zip compress" "names resolve" "tls tls"; do
	program=${part% *} name=asyncore-${part#* }
	try "$name builds from archives" sh -c "gcc -L$tmp/archives $tmp/$program.c -o $tmp/$program-static \
		\$(pkg-config --static --cflags --libs $name)"
	try "$name runs from archives" "$tmp/$program-static"
	try "$name is in the program" sh -c "! readelf -d $tmp/$program-static | grep -q libasyncore"
done
try "soname" sh -c "readelf -d $lib/libasyncore.so | grep -q 'SONAME.*libasyncore.so.0'"
cat >"$tmp/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.13)
project(try C)
find_package(asyncore 0.1 REQUIRED)
add_executable(try main.c)
target_link_libraries(try asyncore::asyncore)
add_executable(names names.c)
target_link_libraries(names asyncore::resolve)
add_executable(tls tls.c)
target_link_libraries(tls asyncore::tls)
END
try "cmake configures" cmake -S "$tmp" -B "$tmp/cmake" -Dasyncore_DIR="$lib/cmake/asyncore"
try "cmake builds" cmake --build "$tmp/cmake"
try "cmake runs" "$tmp/cmake/try"
make BUILD="$work" PREFIX=/usr DESTDIR="$root" uninstall >"$tmp/make.out" 2>&1
left=$(find "$root" ! -type d)
[ -z "$left" ] && echo "ok uninstall leaves nothing" || echo "not ok left: $left"
