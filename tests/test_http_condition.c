/*
 * test_http_condition.c — ranges and conditions: the part that is meant, or the whole, or nothing.
 */
#include "../programs/http/http.h"
#include "harness.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SIZE 1000
#define THEN "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"

static const struct http_file file = { SIZE, 784111777, "\"tag\"" };

/* `fields` each with CRLF before it; a long one is cut. */
static struct http_part wanted(const struct http_file *f, const char *method, const char *fields)
{
	static char text[HTTP_HEAD_MOST];
	struct http_head h;

	snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: x%s", method, fields);
	assert_int_equal(http_head_read(text, strlen(text), &h), 0);
	return http_part_wanted(&h, f);
}

static void is_part(const char *range, int status, int64_t first, int64_t len)
{
	char field[256];
	struct http_part p;

	snprintf(field, sizeof(field), "\r\nRange: %s", range);
	p = wanted(&file, "GET", field);
	if (p.status != status || (status < 400 && (p.first != first || p.len != len)))
		fail_msg("%s: %d, %lld from %lld", range, p.status, (long long)p.len,
		         (long long)p.first);
}

static void is_status(const char *fields, int status)
{
	struct http_part p = wanted(&file, "GET", fields);

	if (p.status != status)
		fail_msg("%s: %d", fields, p.status);
}

static void single_ranges(void **state)
{
	(void)state;
	is_part("bytes=0-0", 206, 0, 1);
	is_part("bytes=0-999", 206, 0, 1000);
	is_part("bytes=1-998", 206, 1, 998);
	is_part("bytes=999-999", 206, 999, 1);
	is_part("bytes=500-", 206, 500, 500);
	is_part("bytes=-1", 206, 999, 1);
	is_part("bytes=-1000", 206, 0, 1000);
	is_part("BYTES=0-0", 206, 0, 1);
}

static void ranges_that_reach_beyond_the_end(void **state)
{
	(void)state;
	is_part("bytes=999-1000", 206, 999, 1);
	is_part("bytes=0-999999999999999999", 206, 0, 1000);
	is_part("bytes=-1001", 206, 0, 1000);
	is_part("bytes=-999999999999999999", 206, 0, 1000);
}

static void ranges_behind_the_end(void **state)
{
	(void)state;
	is_part("bytes=1000-", 416, 0, 0);
	is_part("bytes=1000-1000", 416, 0, 0);
	is_part("bytes=999999999999999999-", 416, 0, 0);
	is_part("bytes=-0", 416, 0, 0);
}

static void ranges_that_are_ignored(void **state)
{
	static const char *const odd[] = {
		"bytes=",
		"bytes=-",
		"bytes=5-2",
		"bytes=a-b",
		"bytes=1-b",
		"bytes=+1-2",
		"bytes=1--2",
		"bytes=--1",
		"bytes= 1-2",
		"bytes=1 -2",
		"bytes=1-2,4-5",
		"bytes=,",
		"bytes 1-2",
		"lines=1-2",
		"1-2",
		"",
		"bytes=9223372036854775808-",
		"bytes=-18446744073709551617",
		"bytes=18446744073709551616-18446744073709551617",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(odd); i++)
		is_part(odd[i], 200, 0, SIZE);
}

static void thousand_ranges_are_one_whole(void **state)
{
	char fields[8192] = "\r\nRange: bytes=0-0";
	size_t n = strlen(fields);

	(void)state;
	for (int i = 1; i < 1000; i++)
		n += (size_t)snprintf(fields + n, sizeof(fields) - n, ",%d-%d", i, i);
	is_status(fields, 200);
}

static void empty_file_has_no_part(void **state)
{
	struct http_file empty = file;

	(void)state;
	empty.size = 0;
	assert_int_equal(wanted(&empty, "GET", "\r\nRange: bytes=0-").status, 416);
	assert_int_equal(wanted(&empty, "GET", "\r\nRange: bytes=-5").status, 416);
	assert_int_equal(wanted(&empty, "GET", "").status, 200);
}

static void ranges_are_for_get(void **state)
{
	struct http_part p = wanted(&file, "HEAD", "\r\nRange: bytes=0-0");

	(void)state;
	assert_int_equal(p.status, 200);
	assert_int_equal(p.len, SIZE);
}

static void part_only_of_the_same_version(void **state)
{
	(void)state;
	is_status("\r\nRange: bytes=0-0\r\nIf-Range: \"tag\"", 206);
	is_status("\r\nRange: bytes=0-0\r\nIf-Range: " THEN, 206);
	is_status("\r\nRange: bytes=0-0\r\nIf-Range: \"other\"", 200);
	is_status("\r\nRange: bytes=0-0\r\nIf-Range: W/\"tag\"", 200);
	is_status("\r\nRange: bytes=0-0\r\nIf-Range: " AFTER, 200);
	is_status("\r\nRange: bytes=0-0\r\nIf-Range: " BEFORE, 200);
	is_status("\r\nRange: bytes=0-0\r\nIf-Range:", 200);
	is_status("\r\nRange: bytes=2000-\r\nIf-Range: \"other\"", 200);
}

static void unchanged_is_not_sent_again(void **state)
{
	(void)state;
	is_status("\r\nIf-None-Match: \"tag\"", 304);
	is_status("\r\nIf-None-Match: W/\"tag\"", 304);
	is_status("\r\nIf-None-Match: *", 304);
	is_status("\r\nIf-None-Match: \"a\", \"b\" ,\"tag\"", 304);
	is_status("\r\nIf-None-Match: \"a\",,\"tag\"", 304);
	is_status("\r\nIf-None-Match: \"a\"\r\nIf-None-Match: \"tag\"", 304);
	is_status("\r\nIf-None-Match: \"a\",,", 200);
	is_status("\r\nIf-None-Match: tag", 200);
	is_status("\r\nIf-None-Match:", 200);
	is_status("\r\nIf-Modified-Since: " THEN, 304);
	is_status("\r\nIf-Modified-Since: " AFTER, 304);
	is_status("\r\nIf-Modified-Since: " BEFORE, 200);
	is_status("\r\nIf-Modified-Since: never", 200);
	is_status("\r\nIf-None-Match: \"a\"\r\nIf-Modified-Since: " THEN, 200);
	is_status("\r\nIf-None-Match: \"tag\"\r\nRange: bytes=0-0", 304);
	assert_int_equal(wanted(&file, "HEAD", "\r\nIf-None-Match: \"tag\"").status, 304);
}

static void another_version_than_asked_for(void **state)
{
	(void)state;
	is_status("\r\nIf-Match: \"tag\"", 200);
	is_status("\r\nIf-Match: *", 200);
	is_status("\r\nIf-Match: \"other\"\r\nIf-Match: \"tag\"", 200);
	is_status("\r\nIf-Match: \"other\"", 412);
	is_status("\r\nIf-Match:", 412);
	is_status("\r\nIf-Match: W/\"tag\"", 412);
	is_status("\r\nIf-Match: \"other\"\r\nIf-None-Match: \"tag\"", 412);
	is_status("\r\nIf-Unmodified-Since: " THEN, 200);
	is_status("\r\nIf-Unmodified-Since: " BEFORE, 412);
	is_status("\r\nIf-Unmodified-Since: never", 200);
	is_status("\r\nIf-Match: \"tag\"\r\nIf-Unmodified-Since: " BEFORE, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_ranges),
		cmocka_unit_test(ranges_that_reach_beyond_the_end),
		cmocka_unit_test(ranges_behind_the_end),
		cmocka_unit_test(ranges_that_are_ignored),
		cmocka_unit_test(thousand_ranges_are_one_whole),
		cmocka_unit_test(empty_file_has_no_part),
		cmocka_unit_test(ranges_are_for_get),
		cmocka_unit_test(part_only_of_the_same_version),
		cmocka_unit_test(unchanged_is_not_sent_again),
		cmocka_unit_test(another_version_than_asked_for),
	};

	return RUN(tests);
}
