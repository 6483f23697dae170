/*
 * test_http_framing.c — how long a body is: one statement only, and no other way to read it.
 */
#include "../programs/http/http.h"
#include "harness.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Further fields, each with CRLF before it. */
static int body_of(const char *version, const char *fields, struct http_body *b)
{
	char text[512];
	struct http_head h;

	snprintf(text, sizeof(text), "POST / %s\r\nHost: x%s", version, fields);
	assert_int_equal(http_head_read(text, strlen(text), &h), 0);
	return http_body_read(&h, b);
}

static int status_of(const char *fields)
{
	struct http_body b;

	return body_of("HTTP/1.1", fields, &b);
}

static void no_statement_is_no_body(void **state)
{
	struct http_body b = { true, 7, true };

	(void)state;
	assert_int_equal(body_of("HTTP/1.1", "", &b), 0);
	assert_false(b.chunked || b.length || b.expects_continue);
}

static void two_framings_hide_a_request(void **state)
{
	static const char *const bad[] = {
		"\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
		"\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
		"\r\nContent-Length: 5\r\nContent-Length: 6",
		"\r\nContent-Length: 5\r\nCONTENT-LENGTH: 5",
		"\r\nTransfer-Encoding: chunked, identity",
		"\r\nTransfer-Encoding: identity, chunked",
		"\r\nTransfer-Encoding: gzip",
		"\r\nTransfer-Encoding: xchunked",
		"\r\nTransfer-Encoding: chunked;q=1",
		"\r\nTransfer-Encoding: \"chunked\"",
		"\r\nTransfer-Encoding:",
		"\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
	};
	struct http_body b;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (status_of(bad[i]) != 400)
			fail_msg("%s", bad[i]);
	assert_int_equal(body_of("HTTP/1.0", "\r\nTransfer-Encoding: chunked", &b), 400);
	assert_int_equal(body_of("HTTP/1.1", "\r\nTransfer-Encoding: \t Chunked ", &b), 0);
	assert_true(b.chunked);
}

static void lengths_that_are_no_plain_number(void **state)
{
	static const char *const bad[] = { "-48",
		                           "+10",
		                           "0x10",
		                           "1Z",
		                           "",
		                           "9223372036854775808",
		                           "18446744073709551621",
		                           "10,10",
		                           "10, 10",
		                           "1 0",
		                           "1e3",
		                           "1.0",
		                           "\"1\"" };
	char text[64];

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(text, sizeof(text), "\r\nContent-Length: %s", bad[i]);
		if (status_of(text) != 400)
			fail_msg("%s", bad[i]);
	}
}

static void length_at_its_limit(void **state)
{
	struct http_body b;

	(void)state;
	assert_int_equal(body_of("HTTP/1.1", "\r\nContent-Length: 1048575", &b), 0);
	assert_int_equal(b.length, HTTP_BODY_MOST - 1);
	assert_int_equal(body_of("HTTP/1.1", "\r\nContent-Length: 1048576", &b), 0);
	assert_int_equal(b.length, HTTP_BODY_MOST);
	assert_int_equal(status_of("\r\nContent-Length: 1048577"), 413);
	assert_int_equal(status_of("\r\nContent-Length: 999999999999999999"), 413);
}

static void expectations(void **state)
{
	struct http_body b;

	(void)state;
	assert_int_equal(body_of("HTTP/1.1", "\r\nExpect: 100-Continue\r\nContent-Length: 1", &b),
	                 0);
	assert_true(b.expects_continue);
	assert_int_equal(body_of("HTTP/1.0", "\r\nExpect: 100-continue\r\nContent-Length: 1", &b),
	                 0);
	assert_false(b.expects_continue);
	assert_int_equal(status_of("\r\nExpect: 100-continue, tea"), 417);
	assert_int_equal(status_of("\r\nExpect: tea\r\nContent-Length: x"), 400);
}

static int chunk(const char *line, size_t len, uint64_t *ret_size)
{
	char *exact = malloc(len ? len : 1);
	int status;

	assert_non_null(exact);
	memcpy(exact, line, len);
	status = http_chunk_read((struct ac_slice){ exact, len }, ret_size);
	free(exact);
	return status;
}

static void sizes_of_chunks(void **state)
{
	static const struct {
		const char *line;
		uint64_t size;
	} good[] = {
		{ "0", 0 },     { "5", 5 },         { "1a", 26 },
		{ "FF", 255 },  { "00005", 5 },     { "fffffffffffffff", 0xfffffffffffffff },
		{ "5;a=b", 5 }, { "5;\t\"x\"", 5 }, { "000;x", 0 },
	};
	uint64_t size;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		size = 99;
		assert_int_equal(chunk(good[i].line, strlen(good[i].line), &size), 0);
		assert_int_equal(size, good[i].size);
	}
}

static void bad_sizes_of_chunks(void **state)
{
	static const char *const bad[] = { "",    "-1",   "+5",     "0x5",    "g",
		                           " 5",  "5 ",   "5 ;a",   "5,",     "fffffffffffffffff",
		                           "5\n", "5;\n", "5;a\rX", "5;\x7f", "0000000000000005" };
	uint64_t size = 7;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (chunk(bad[i], strlen(bad[i]), &size) != 400)
			fail_msg("%s", bad[i]);
	assert_int_equal(chunk("5;\0", 3, &size), 400);
	assert_int_equal(size, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_statement_is_no_body),
		cmocka_unit_test(two_framings_hide_a_request),
		cmocka_unit_test(lengths_that_are_no_plain_number),
		cmocka_unit_test(length_at_its_limit),
		cmocka_unit_test(expectations),
		cmocka_unit_test(sizes_of_chunks),
		cmocka_unit_test(bad_sizes_of_chunks),
	};

	return RUN(tests);
}
