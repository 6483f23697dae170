/* test_lines.c — strings with CRLF behind each. */
#include "harness.h"

#include <stdlib.h>

#define MEGABYTE 1000000

static void gives(const char *const *lines, size_t count, const char *expected)
{
	struct ac_producer *p = ac_lines_producer(lines, count);
	size_t len = strlen(expected), n = 0;
	struct ac_slice s;

	assert_non_null(p);
	while (p->cls->more(p, &s) == 0 && s.len) {
		assert_true(s.len <= len - n);
		assert_memory_equal(s.data, expected + n, s.len);
		n += s.len;
	}
	assert_int_equal(n, len);
	assert_int_equal(p->cls->more(p, &s), 0); /* exhausted stays exhausted */
	assert_int_equal(s.len, 0);
	ac_producer_free(p);
}

static void crlf_behind_every_string_the_empty_ones_too(void **state)
{
	static const char *const lines[] = { "HTTP/1.1 200 OK", "Host: a", "", "" };

	(void)state;
	gives(lines, 1, "HTTP/1.1 200 OK\r\n");
	gives(lines, 4, "HTTP/1.1 200 OK\r\nHost: a\r\n\r\n\r\n");
	gives(lines + 2, 1, "\r\n");
	gives(lines + 2, 2, "\r\n\r\n");
}

static void no_lines_no_output(void **state)
{
	static const char *const lines[] = { "not counted" };

	(void)state;
	gives(NULL, 0, "");
	gives(lines, 0, "");
}

static void ends_inside_a_string_are_not_special(void **state)
{
	static const char *const lines[] = { "a\r\nb", "\r", "\n" };

	(void)state;
	gives(lines, 3, "a\r\nb\r\n\r\r\n\n\r\n");
}

static void strings_and_their_array_may_change_once_they_were_copied(void **state)
{
	char text[] = "first";
	const char *lines[] = { text, "second" };
	struct ac_producer *p = ac_lines_producer(lines, 2);
	struct ac_slice s;

	(void)state;
	memcpy(text, "other", 5);
	lines[0] = lines[1] = NULL;
	assert_int_equal(p->cls->more(p, &s), 0);
	assert_int_equal(s.len, 15);
	assert_memory_equal(s.data, "first\r\nsecond\r\n", 15);
	ac_producer_free(p);
}

static void megabyte_of_lines_of_any_length(void **state)
{
	char *texts = malloc(MEGABYTE), *expected = malloc(2 * MEGABYTE), *end = expected;
	const char **lines = malloc(MEGABYTE * sizeof(*lines));
	size_t count = 0, at = 0;
	unsigned seed = 5;

	(void)state;
	while (MEGABYTE - at > 200) {
		size_t len = (size_t)rand_r(&seed) % 199;

		memset(texts + at, 'a' + (int)(len % 26), len);
		texts[at + len] = '\0';
		lines[count++] = texts + at;
		memcpy(end, texts + at, len);
		memcpy(end + len, "\r\n", 2);
		end += len + 2;
		at += len + 1;
	}
	*end = '\0';
	gives(lines, count, expected);
	free(lines);
	free(expected);
	free(texts);
}

static void no_memory_no_producer(void **state)
{
	static const char *const lines[] = { "a", "b" };
	long before = allocations();

	(void)state;
	fail_allocation(1, false);
	assert_null(ac_lines_producer(lines, 2));
	assert_true(allocation_failed());
	assert_int_equal(allocations(), before);
}

static void freed_without_being_asked(void **state)
{
	static const char *const lines[] = { "a", "b" };

	(void)state;
	ac_producer_free(ac_lines_producer(lines, 2)); /* the end of the case counts allocations */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(crlf_behind_every_string_the_empty_ones_too, epoll),
		ON(no_lines_no_output, epoll),
		ON(ends_inside_a_string_are_not_special, epoll),
		ON(strings_and_their_array_may_change_once_they_were_copied, epoll),
		ON(megabyte_of_lines_of_any_length, epoll),
		ON(no_memory_no_producer, epoll),
		ON(freed_without_being_asked, epoll),
	};

	return RUN(tests);
}
