# The front door: meson and ninja do the work.
#
#   make            build/asyncore and the libraries
#   make run        install what is missing, build, serve a folder (DIR=doc LISTEN=127.0.0.1:8000)
#   make test       install what is missing, build, run all tests
#   make install    PREFIX=/usr/local DESTDIR=
#   make bench      beside a bare epoll server, libuv, libevent, libev, nginx … (QUICK=1, BENCH="--only echo-50")
#   make python     wheels of asyncore, asynchat and smtpd for every Python found; make test-python runs their tests
#   make asan CC=clang, make tsan, make valgrind, make lint, make format, make clean

PREFIX = /usr/local
DESTDIR =
BUILD = build
DIR = doc
LISTEN = 127.0.0.1:8000
CC = cc

export CC

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) $(NINJA_FLAGS)

# Tests need cmocka; without it everything else is built all the same.
$(BUILD)/build.ninja:
	@if pkg-config --exists cmocka; then tests=true; else tests=false; fi; \
	meson setup $(BUILD) --prefix $(PREFIX) -Dtests=$$tests $(MESON_FLAGS) >/dev/null

run:
	@tools/packages build
	@$(MAKE) --no-print-directory all NINJA_FLAGS=--quiet
	@exec $(BUILD)/asyncore serve $(DIR) --listen $(LISTEN)

test:
	@tools/packages test
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	@meson configure $(BUILD) -Dtests=true
	@BUILD=$(BUILD) tests/run

asan:
	@BUILD=build-asan-$(notdir $(CC)) tests/run asan

tsan:
	@BUILD=build-tsan-$(notdir $(CC)) tests/run tsan

valgrind: all
	@BUILD=$(BUILD) tests/run valgrind

# What is missing of the other libraries and programs is left out, with a line that says so.
bench: all
	@tools/packages bench || true
	@BUILD=$(BUILD) bench/run $(if $(QUICK),--quick) $(BENCH)

# For every interpreter from 3.8 to 3.13 that is found; VERSIONS="3.11 3.13" for some.
python:
	@python3 python/make.py build $(VERSIONS)

test-python:
	@python3 python/make.py test $(VERSIONS)

lint: all
	@tests/checks/lint

format:
	@clang-format -i $$(git ls-files '*.c' '*.h')

install: all
	@meson configure $(BUILD) --prefix $(PREFIX)
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --quiet
	@sed 's|^$(DESTDIR)||' $(BUILD)/meson-logs/install-log.txt | grep -v '^#' \
		> $(BUILD)/installed-files

uninstall:
	@test -f $(BUILD)/installed-files || { echo "nothing was installed from here" >&2; exit 1; }
	@while read -r file; do rm -f "$(DESTDIR)$$file"; done < $(BUILD)/installed-files
	@rmdir "$(DESTDIR)$(PREFIX)/include/asyncore" 2>/dev/null || true

clean:
	@rm -rf $(BUILD) build-asan-* build-tsan-*

.PHONY: all run test python test-python asan tsan valgrind bench lint format install uninstall clean
