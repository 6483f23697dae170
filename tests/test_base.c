/* test_base.c — addr.c, error.c, version.c. */
#include "harness.h"

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
		cmocka_unit_test(addresses_there_and_back),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(trace_is_cut_to_the_buffer_and_never_behind_it),
		cmocka_unit_test(version_and_features),
	};

	return RUN(tests);
}
