/* test_base.c — the rest of the base room: mem.c, clock.c, buf.c, addr.c, error.c, version.c. */
#include "harness.h"

#include <math.h>
#include <stdlib.h>

#include "../src/base/base.h"

static void allocator_cannot_change_under_a_map(void **state)
{
	struct world *w = *state;
	struct ac_map *m;

	assert_non_null(w->map);
	assert_int_equal(ac_set_allocator(NULL), -EBUSY);
	m = ac_map_new(NULL);
	assert_true(allocations() > 0); /* the hook is asked */
	ac_map_free(m);
	assert_int_equal(ac_set_allocator(NULL), -EBUSY);
}

static void seconds_become_nanoseconds_rounded_up(void **state)
{
	(void)state;
	assert_int_equal(ac_ns_(0), 0);
	assert_int_equal(ac_ns_(1e-10), 1);
	assert_int_equal(ac_ns_(0.0005), 500000);
	assert_int_equal(ac_ns_(1.5), 1500000000);
	assert_int_equal(ac_ns_(NAN), -1);
	assert_int_equal(ac_ns_(INFINITY), INT64_MAX / 4);
	assert_int_equal(ac_ns_(-INFINITY), -(INT64_MAX / 4));
	assert_true(ac_clock_() > 0);
	assert_true(ac_clock_() <= ac_clock_());
}

static void buffer_keeps_order_and_frees_when_empty(void **state)
{
	struct ac_buf b = { NULL, 0, 0, 0 };
	char expected = 0, next = 0;
	unsigned seed = 3;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char piece[300];
		size_t n = (size_t)rand_r(&seed) % sizeof(piece), used;

		for (size_t i = 0; i < n; i++)
			piece[i] = next++;
		assert_int_equal(ac_buf_append_(&b, piece, n), 0);
		used = b.end - b.start;
		n = used ? (size_t)rand_r(&seed) % (used + 1) : 0;
		for (size_t i = 0; i < n; i++)
			assert_int_equal(b.data[b.start + i], expected++);
		ac_buf_drop_(&b, n);
	}
	ac_buf_drop_(&b, b.end - b.start);
	assert_null(b.data);
	assert_int_equal(b.cap, 0);
}

static void buffer_refuses_to_overflow(void **state)
{
	struct ac_buf b = { NULL, 0, 0, 0 };

	(void)state;
	assert_int_equal(ac_buf_append_(&b, "x", SIZE_MAX), -EOVERFLOW);
	assert_int_equal(ac_buf_append_(&b, "x", SIZE_MAX - 1), -EOVERFLOW);
	assert_int_equal(ac_buf_append_(&b, "x", 1), 0);
	assert_int_equal(ac_buf_append_(&b, "x", SIZE_MAX / 2), -EOVERFLOW);
	assert_int_equal(b.end, 1);
	ac_buf_done_(&b);
}

static void addresses_there_and_back(void **state)
{
	static const char *const good[] = { "127.0.0.1:0",    "0.0.0.0:65535", "[::1]:80",
		                            "[fe80::1%lo]:1", "unix:/tmp/x",   "unix:@abstract" };
	struct ac_addr a;
	char text[AC_ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(ac_addr_parse(good[i], &a), 0);
		assert_string_equal(ac_addr_format(&a, text, sizeof(text)), good[i]);
	}
	assert_int_equal(ac_addr_parse("localhost:80", &a), 0);
	assert_string_equal(ac_addr_format(&a, text, sizeof(text)), "127.0.0.1:80");
	assert_int_equal(ac_addr_parse("*:80", &a), 0);
	assert_string_equal(ac_addr_format(&a, text, sizeof(text)), "0.0.0.0:80");
	assert_string_equal(ac_addr_format(&a, text, 6), "0.0.0");
	a.len = 0;
	assert_string_equal(ac_addr_format(&a, text, sizeof(text)), "");
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const bad[] = { "",
		                           "127.0.0.1",
		                           "127.0.0.1:",
		                           "127.0.0.1:65536",
		                           "x:80",
		                           "127.0.0.1:-1",
		                           "127.0.0.1:80x",
		                           "127.0.0.1: 80",
		                           "1.2.3:80",
		                           "[::1]",
		                           "[::1:80",
		                           "[::1]80",
		                           "[]:80",
		                           "[::1%nowhere]:80",
		                           "unix:",
		                           "unix:@",
		                           "[127.0.0.1]:80",
		                           "127.0.0.1:000080",
		                           " 127.0.0.1:80",
		                           "example.org:80" };
	char path[256] = "unix:";
	struct ac_addr a = { .len = 77 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ac_addr_parse(bad[i], &a), -EINVAL);
	assert_int_equal(ac_addr_parse(NULL, &a), -EINVAL);
	memset(path + 5, 'p', 107);
	assert_int_equal(ac_addr_parse(path, &a), 0);
	a.len = 77;
	path[5 + 107] = 'p';
	assert_int_equal(ac_addr_parse(path, &a), -EINVAL);
	memset(path, '[', 250);
	assert_int_equal(ac_addr_parse(path, &a), -EINVAL);
	assert_int_equal(a.len, 77); /* untouched */
}

static void trace_is_cut_to_the_buffer_and_never_behind_it(void **state)
{
	struct ac_error e = { .code = EPROTO, .frame_count = 2, .detail = "why" };
	const char *whole = "(EPROTO: Protocol error: why [a.c|f|1] [b.c|g|22])";
	char text[80];

	(void)state;
	e.frames[0] = (struct ac_frame){ "a.c", "f", 1 };
	e.frames[1] = (struct ac_frame){ "b.c", "g", 22 };
	assert_int_equal(ac_compact_traceback(&e, text, sizeof(text)), strlen(whole));
	assert_string_equal(text, whole);
	for (size_t size = 1; size < strlen(whole); size++) {
		memset(text, '#', sizeof(text));
		assert_int_equal(ac_compact_traceback(&e, text, size), strlen(whole));
		assert_int_equal(strlen(text), size - 1);
		assert_memory_equal(text, whole, size - 1);
		assert_int_equal(text[size], '#');
	}
	assert_int_equal(ac_compact_traceback(&e, NULL, 0), strlen(whole));
	assert_string_equal(ac_error_name(ECONNRESET), "ECONNRESET");
	assert_string_equal(ac_error_name(99999), "E?");
}

static void version_and_features(void **state)
{
	(void)state;
	assert_string_equal(ac_version(), AC_VERSION);
	assert_true(ac_has("epoll") && ac_has("poll") && ac_has("select") && ac_has("sendfile"));
	assert_false(ac_has("kqueue"));
	assert_false(ac_has(""));
	assert_false(ac_has(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(allocator_cannot_change_under_a_map, epoll),
		cmocka_unit_test(seconds_become_nanoseconds_rounded_up),
		cmocka_unit_test(buffer_keeps_order_and_frees_when_empty),
		cmocka_unit_test(buffer_refuses_to_overflow),
		cmocka_unit_test(addresses_there_and_back),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(trace_is_cut_to_the_buffer_and_never_behind_it),
		cmocka_unit_test(version_and_features),
	};

	return RUN(tests);
}
