/*
 * test_get_response.c — response heads and chunk lines of `asyncore get`: what is read, what is
 * refused because two readers could understand it differently.
 */
#include "../programs/get_response.h"
#include "harness.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The head in memory of exactly its size, so that a sanitizer sees each byte too far. */
static int read_head(const char *head, size_t len, bool to_head, struct response *r)
{
	char *copy = malloc(len ? len : 1);
	const char *why = NULL;
	int e;

	assert_non_null(copy);
	memcpy(copy, head, len);
	e = response_read(copy, len, to_head, r, &why);
	free(copy);
	if (e < 0)
		assert_non_null(why);
	return e;
}

static struct response good(const char *head)
{
	struct response r;

	if (read_head(head, strlen(head), false, &r) < 0)
		fail_msg("refused: %s", head);
	return r;
}

static void refused(const char *head)
{
	struct response r;

	if (read_head(head, strlen(head), false, &r) == 0)
		fail_msg("accepted: %s", head);
}

#define OK_LINE "HTTP/1.1 200 OK\r\n"

static void refused_each(const char *before, const char *const *bad, size_t count,
                         const char *after)
{
	char head[128];

	for (size_t i = 0; i < count; i++) {
		snprintf(head, sizeof(head), OK_LINE "%s%s%s", before, bad[i], after);
		refused(head);
	}
}

static void status_lines(void **state)
{
	struct response r = good("HTTP/1.1 404 Not Found");

	(void)state;
	assert_int_equal(r.status, 404);
	assert_string_equal(r.line, "404 Not Found");
	assert_string_equal(good("HTTP/1.0 200").line, "200");
	assert_string_equal(good("HTTP/1.1 200 ").line, "200 ");
	assert_string_equal(good("HTTP/1.1 200 a\tb\xff").line, "200 a?b?");
}

static void long_reason_is_cut(void **state)
{
	char head[1000];

	(void)state;
	memset(head, 'x', sizeof(head));
	memcpy(head, "HTTP/1.1 200 ", 13);
	head[sizeof(head) - 1] = '\0';
	assert_int_equal(strlen(good(head).line), sizeof(good(head).line) - 1);
}

static void bad_status_lines(void **state)
{
	static const char *const bad[] = {
		"",
		"HTTP/1.1",
		"HTTP/1.1 ",
		"HTTP/1.1 20",
		"HTTP/1.1 2000",
		"HTTP/1.1 20x",
		"HTTP/1.1 099 X",
		"HTTP/1.1 200OK",
		"HTTP/1.1  200 OK",
		"HTTP/1.1\t200 OK",
		"HTTP/2.0 200 OK",
		"HTTP/1.x 200 OK",
		"HTTP/1.10 200 OK",
		"http/1.1 200 OK",
		" HTTP/1.1 200 OK",
		"\r\nHTTP/1.1 200 OK",
		"HTTP/1.1 200 O\rK",
		"HTTP/1.1 200 O\nK",
		"HTTP/1.1 200 O\x1bK",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++)
		refused(bad[i]);
}

static void how_the_body_ends(void **state)
{
	struct response r = good(OK_LINE "content-LENGTH:\t 10 \t\r\nX:");

	(void)state;
	assert_int_equal(r.body, RESPONSE_LENGTH);
	assert_int_equal(r.length, 10);
	assert_int_equal(good(OK_LINE "Transfer-Encoding: CHUNKED").body, RESPONSE_CHUNKED);
	assert_int_equal(good("HTTP/1.1 200 OK").body, RESPONSE_TO_END);
	assert_int_equal(good("HTTP/1.1 204 X\r\nContent-Length: 5").body, RESPONSE_EMPTY);
	assert_int_equal(good("HTTP/1.1 304 X\r\nContent-Length: 5").body, RESPONSE_EMPTY);
	assert_int_equal(good("HTTP/1.1 199 X\r\nContent-Length: 5").body, RESPONSE_EMPTY);
	assert_int_equal(read_head(OK_LINE "Content-Length: 5", 34, true, &r), 0);
	assert_int_equal(r.body, RESPONSE_EMPTY);
	r = good(OK_LINE "Content-Length: 999999999999999999");
	assert_true(r.length == 999999999999999999);
}

static void lengths_that_could_be_read_in_two_ways(void **state)
{
	static const char *const bad[] = {
		"-1",
		"+10",
		"0x10",
		"1Z",
		"",
		"\"\"",
		"10,10",
		"10 10",
		"1 0",
		"9223372036854775808",
		"18446744073709551621",
		"99999999999999999999999",
	};

	(void)state;
	refused_each("Content-Length: ", bad, COUNT(bad), "");
	refused(OK_LINE "Content-Length: 10\r\nContent-Length: 11");
	refused(OK_LINE "Content-Length: 10\r\nTransfer-Encoding: chunked");
	refused(OK_LINE "Transfer-Encoding: chunked\r\nContent-Length: 10");
	assert_int_equal(good(OK_LINE "Content-Length: 10\r\nContent-Length: 10").length, 10);
}

static void codings_other_than_chunked(void **state)
{
	(void)state;
	refused(OK_LINE "Transfer-Encoding: gzip, chunked");
	refused(OK_LINE "Transfer-Encoding: chunked, identity");
	refused(OK_LINE "Transfer-Encoding: \x0b"
	                "chunked");
	refused(OK_LINE "Transfer-Encoding: identity");
	refused(OK_LINE "Transfer-Encoding:");
	refused(OK_LINE "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked");
}

static void lines_that_are_no_fields(void **state)
{
	static const char *const bad[] = { "X : y",   ": y",     "X",       " X: y",   "\tX: y", "",
		                           "X\ry: z", "X: y\rz", "X: y\nz", "X: \x7f", "X(: y" };

	(void)state;
	refused_each("A: b\r\n", bad, COUNT(bad), "\r\nC: d");
}

static void zero_byte_anywhere(void **state)
{
	static const char head[] = OK_LINE "Content-Length: 10\r\nX: y";
	char copy[sizeof(head)];
	struct response r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(head) - 1; i++) {
		memcpy(copy, head, sizeof(head));
		copy[i] = '\0';
		if (read_head(copy, sizeof(head) - 1, false, &r) == 0)
			fail_msg("accepted with a zero byte at %zu", i);
	}
}

static void ranges(void **state)
{
	struct response r = good(OK_LINE "Content-Range: bytes 10-19/100");

	(void)state;
	assert_true(r.first == 10 && r.last == 19 && r.complete == 100);
	r = good(OK_LINE "Content-Range: bytes */100");
	assert_true(r.first == -1 && r.last == -1 && r.complete == 100);
	r = good(OK_LINE "Content-Range: bytes 0-0/*");
	assert_true(r.first == 0 && r.last == 0 && r.complete == -1);
	r = good("HTTP/1.1 200 OK");
	assert_true(r.first == -1 && r.last == -1 && r.complete == -1);
}

static void bad_ranges(void **state)
{
	static const char *const bad[] = {
		"bytes 10-9/100",
		"bytes 10-100/100",
		"bytes 10-19",
		"bytes 10/100",
		"bytes -19/100",
		"bytes 10-/100",
		"bytes=10-19/100",
		"items 10-19/100",
		"bytes 10-19/100 ,",
		"bytes 10-19/-1",
		"bytes 0-9223372036854775807/*",
		"bytes 0-1/9223372036854775808",
		"",
		"bytes ",
		"bytes *-9/100",
		"bytes 0-*/100",
		"bytes *",
		"bytes",
		"*/100",
		"bytes  0-9/100",
		"bytes 10-19/100, bytes 20-29/100",
	};

	(void)state;
	refused_each("Content-Range: ", bad, COUNT(bad), "");
	refused(OK_LINE "Content-Range: bytes 0-1/2\r\nContent-Range: bytes 0-1/2");
}

static void dates(void **state)
{
	static const char *const bad[] = { "",
		                           "yesterday",
		                           "Sun, 06 Nov 1994 08:49:37 EST",
		                           "Sun, 06 Xxx 1994 08:49:37 GMT",
		                           "Sun, 06 anF 1994 08:49:37 GMT",
		                           "Sun, 06 Nov 1994 08:49:37 GMT and more" };
	char head[128];
	size_t i;

	(void)state;
	assert_true(good(OK_LINE "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT").modified ==
	            784111777);
	assert_true(good("HTTP/1.1 200 OK").modified == -1);
	for (i = 0; i < COUNT(bad); i++) {
		snprintf(head, sizeof(head), OK_LINE "Last-Modified: %s", bad[i]);
		assert_true(good(head).modified == -1);
	}
}

static void location_longer_than_its_room(void **state)
{
	static char head[2 * URL_MAX];
	size_t start = strlen(OK_LINE "Location: ");

	(void)state;
	memset(head, 'x', sizeof(head));
	memcpy(head, OK_LINE "Location: ", start);
	head[start + URL_MAX] = '\0';
	refused(head);
	head[start + URL_MAX - 1] = '\0';
	assert_int_equal(strlen(good(head).location), URL_MAX - 1);
	assert_string_equal(good(OK_LINE "location:  /a b ").location, "/a b");
}

static int64_t chunk(const char *line)
{
	int64_t size = -2;
	int e = response_chunk_size(line, strlen(line), &size);

	return e < 0 ? -1 : size;
}

static void chunk_sizes(void **state)
{
	static const char *const bad[] = { "",
		                           " ",
		                           "-1",
		                           "+5",
		                           "0x5",
		                           "g",
		                           ";a",
		                           " 5",
		                           "5 x",
		                           "5\n",
		                           "5\r;a",
		                           "5;\r",
		                           "5;a\nb",
		                           "8000000000000000",
		                           "fffffffffffffffff" };
	size_t i;

	(void)state;
	assert_true(chunk("0") == 0);
	assert_true(chunk("1aF") == 0x1af);
	assert_true(chunk("000000000000005") == 5);
	assert_true(chunk("5;a=\"b\"") == 5);
	assert_true(chunk("5  ") == 5);
	assert_true(chunk("fffffffffffffff") == 0xfffffffffffffff);
	for (i = 0; i < COUNT(bad); i++)
		if (chunk(bad[i]) != -1)
			fail_msg("accepted: %s", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_lines),
		cmocka_unit_test(long_reason_is_cut),
		cmocka_unit_test(bad_status_lines),
		cmocka_unit_test(how_the_body_ends),
		cmocka_unit_test(lengths_that_could_be_read_in_two_ways),
		cmocka_unit_test(codings_other_than_chunked),
		cmocka_unit_test(lines_that_are_no_fields),
		cmocka_unit_test(zero_byte_anywhere),
		cmocka_unit_test(ranges),
		cmocka_unit_test(bad_ranges),
		cmocka_unit_test(dates),
		cmocka_unit_test(location_longer_than_its_room),
		cmocka_unit_test(chunk_sizes),
	};

	return RUN(tests);
}
