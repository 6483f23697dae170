/*
 * test_http_head.c — request lines and fields: what is read, what is refused, whatever stands where.
 */
#include "../programs/http/http.h"
#include "harness.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define REQUEST "GET /a?b HTTP/1.1\r\nHost: x"

static int read_bytes(const char *data, size_t len, struct http_head *h)
{
	char *exact = malloc(len ? len : 1); /* so that a byte behind its end is found out */
	int status;

	assert_non_null(exact);
	memcpy(exact, data, len);
	status = http_head_read(exact, len, h);
	free(exact);
	return status;
}

static int status_of(const char *text)
{
	struct http_head h;

	return read_bytes(text, strlen(text), &h);
}

static void is_text(struct ac_slice s, const char *text)
{
	assert_int_equal(s.len, strlen(text));
	assert_memory_equal(s.data, text, s.len);
}

static void pieces_lie_in_the_bytes_they_came_in(void **state)
{
	const char *text = "GET /a?b HTTP/1.1\r\nHost: x:80\r\nEmpty:\r\nTwo: \t a  b\t \r\ntwo: c";
	struct http_head h;

	(void)state;
	assert_int_equal(http_head_read(text, strlen(text), &h), 0);
	is_text(h.line, "GET /a?b HTTP/1.1");
	is_text(h.method, "GET");
	is_text(h.target, "/a?b");
	assert_int_equal(h.minor, 1);
	assert_int_equal(h.count, 4);
	is_text(*http_field(&h, "HOST"), "x:80");
	is_text(*http_field(&h, "empty"), "");
	is_text(*http_field(&h, "two"), "a  b");
	assert_null(http_field(&h, "three"));
	assert_ptr_equal(h.method.data, text);
}

static void bad_request_lines(void **state)
{
	static const char *const lines[] = {
		"",
		"GET",
		"GET /",
		"GET  / HTTP/1.1",
		"GET /  HTTP/1.1",
		" GET / HTTP/1.1",
		"GET / HTTP/1.1 ",
		"GET / a HTTP/1.1",
		"GET /\tHTTP/1.1",
		"G(T / HTTP/1.1",
		"GET / http/1.1",
		"GET / HTTP/1.10",
		"GET / HTTP/11",
		"GET / HTTP/x.1",
		"GET / HTTP/1.x",
		"\n\r\nGET / HTTP/1.1",
		"\r\n\r\nGET / HTTP/1.1",
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		snprintf(text, sizeof(text), "%s\r\nHost: x", lines[i]);
		if (status_of(text) != 400)
			fail_msg("line %zu: %d", i, status_of(text));
	}
	assert_int_equal(status_of("GET / HTTP/2.0\r\nHost: x"), 505);
	assert_int_equal(status_of("GET / HTTP/0.9\r\nHost: x"), 505);
}

static void one_empty_line_before_the_request_is_forgiven(void **state)
{
	(void)state;
	assert_int_equal(status_of("\r\n" REQUEST), 0);
	assert_int_equal(status_of("\r\n"), 400);
}

static void bad_fields(void **state)
{
	static const char *const fields[] = {
		"Name : v", ": v",          "Name",     " Name: v",    "\tName: v",
		"Na me: v", "N\xc3\xa4: v", "N\x7f: v", "Name: a\x01", "Name: a\x7f",
		"a/b: c",   "\"a\": b",     "",
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < COUNT(fields); i++) {
		snprintf(text, sizeof(text), REQUEST "\r\n%s\r\nLast: v", fields[i]);
		if (status_of(text) != 400)
			fail_msg("field %zu: %d", i, status_of(text));
	}
	assert_int_equal(status_of(REQUEST "\r\nName: v\r\n folded"), 400);
	assert_int_equal(status_of(REQUEST "\r\nName: caf\xc3\xa9"), 0);
	assert_int_equal(status_of(REQUEST "\r\n!#$%&'*+-.^_`|~09az: v"), 0);
}

/* Wherever one is put in, except where it makes the empty line in front of the request. */
static void control_bytes_alone_are_refused_anywhere(void **state)
{
	static const char bytes[] = { '\r', '\n', '\0', '\v', '\x7f' };
	const char *whole = REQUEST "\r\nName: value";
	size_t len = strlen(whole);
	struct http_head h;
	char bad[128];

	(void)state;
	for (size_t b = 0; b < COUNT(bytes); b++)
		for (size_t at = 0; at <= len; at++) {
			memcpy(bad, whole, at);
			bad[at] = bytes[b];
			memcpy(bad + at + 1, whole + at, len - at);
			if (read_bytes(bad, len + 1, &h) != 400)
				fail_msg("byte %d at %zu", bytes[b], at);
		}
}

static void one_host_and_a_sane_one(void **state)
{
	static const char *const good[] = { "x", "", "127.0.0.1:80", "[::1]:8000", "a-b.c_d" };
	static const char *const bad[] = {
		"a b", "a/b", "x@y", "a?b", "a#b", "a\\b", "<a>", "\xff"
	};
	char text[128];

	(void)state;
	assert_int_equal(status_of("GET / HTTP/1.1"), 400);
	assert_int_equal(status_of("GET / HTTP/1.0"), 0);
	assert_int_equal(status_of("GET / HTTP/1.1\r\nHost: x\r\nhost: x"), 400);
	assert_int_equal(status_of("GET / HTTP/1.0\r\nHost: x\r\nhost: x"), 400);
	for (size_t i = 0; i < COUNT(good); i++) {
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s", good[i]);
		assert_int_equal(status_of(text), 0);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s", bad[i]);
		assert_int_equal(status_of(text), 400);
	}
}

static int status_of_line(size_t len)
{
	char *text = malloc(len + 16);
	int status;

	assert_non_null(text);
	memset(text, 'x', len);
	memcpy(text, "GET /", 5);
	memcpy(text + len - 9, " HTTP/1.1\r\nHost: x", 18);
	status = read_bytes(text, len + 9, &(struct http_head){ .count = 0 });
	free(text);
	return status;
}

static void request_line_at_its_limit(void **state)
{
	(void)state;
	assert_int_equal(status_of_line(HTTP_LINE_MOST - 1), 0);
	assert_int_equal(status_of_line(HTTP_LINE_MOST), 0);
	assert_int_equal(status_of_line(HTTP_LINE_MOST + 1), 414);
}

static int status_of_head(size_t len)
{
	char *text = malloc(len);
	size_t begin = strlen(REQUEST "\r\nName: ");
	int status;

	assert_non_null(text);
	memset(text, 'v', len);
	memcpy(text, REQUEST "\r\nName: ", begin);
	status = read_bytes(text, len, &(struct http_head){ .count = 0 });
	free(text);
	return status;
}

static void head_at_its_limit(void **state)
{
	(void)state;
	assert_int_equal(status_of_head(HTTP_HEAD_MOST - 1), 0);
	assert_int_equal(status_of_head(HTTP_HEAD_MOST), 0);
	assert_int_equal(status_of_head(HTTP_HEAD_MOST + 1), 431);
}

static int status_of_fields(size_t count)
{
	char text[HTTP_HEAD_MOST];
	size_t n = (size_t)snprintf(text, sizeof(text), REQUEST);

	for (size_t i = 1; i < count; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "\r\nF%zu: v", i);
	return read_bytes(text, n, &(struct http_head){ .count = 0 });
}

static void number_of_fields_at_its_limit(void **state)
{
	(void)state;
	assert_int_equal(status_of_fields(HTTP_FIELDS_MOST - 1), 0);
	assert_int_equal(status_of_fields(HTTP_FIELDS_MOST), 0);
	assert_int_equal(status_of_fields(HTTP_FIELDS_MOST + 1), 431);
}

static void tokens_in_lists_over_several_fields(void **state)
{
	const char *text = REQUEST "\r\nConnection: keep-alive , Upgrade,,\r\nConnection: Close";
	struct http_head h;

	(void)state;
	assert_int_equal(http_head_read(text, strlen(text), &h), 0);
	assert_true(http_has_token(&h, "connection", "close"));
	assert_true(http_has_token(&h, "connection", "keep-alive"));
	assert_true(http_has_token(&h, "connection", "upgrade"));
	assert_false(http_has_token(&h, "connection", "keep"));
	assert_false(http_has_token(&h, "host", "close"));
}

static void methods_are_told_apart_by_case(void **state)
{
	(void)state;
	assert_true(http_is_exactly((struct ac_slice){ "GET", 3 }, "GET"));
	assert_false(http_is_exactly((struct ac_slice){ "get", 3 }, "GET"));
	assert_false(http_is_exactly((struct ac_slice){ "GETS", 4 }, "GET"));
	assert_true(http_is((struct ac_slice){ "get", 3 }, "GET"));
}

static void numbers_are_digits_and_fit(void **state)
{
	static const char *const bad[] = { "",   "-1",  "+1",  " 1",
		                           "1 ", "0x1", "1e3", "1234567890123456789" };
	uint64_t n = 7;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(http_number((struct ac_slice){ bad[i], strlen(bad[i]) }, &n));
	assert_int_equal(n, 7);
	assert_true(http_number((struct ac_slice){ "999999999999999999", 18 }, &n));
	assert_int_equal(n, 999999999999999999);
	assert_true(http_number((struct ac_slice){ "007", 3 }, &n));
	assert_int_equal(n, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_lie_in_the_bytes_they_came_in),
		cmocka_unit_test(bad_request_lines),
		cmocka_unit_test(one_empty_line_before_the_request_is_forgiven),
		cmocka_unit_test(bad_fields),
		cmocka_unit_test(control_bytes_alone_are_refused_anywhere),
		cmocka_unit_test(one_host_and_a_sane_one),
		cmocka_unit_test(request_line_at_its_limit),
		cmocka_unit_test(head_at_its_limit),
		cmocka_unit_test(number_of_fields_at_its_limit),
		cmocka_unit_test(tokens_in_lists_over_several_fields),
		cmocka_unit_test(methods_are_told_apart_by_case),
		cmocka_unit_test(numbers_are_digits_and_fit),
	};

	return RUN(tests);
}
