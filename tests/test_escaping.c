/* test_escaping.c — a replacement for each occurrence, wherever pieces cut it. */
#include "harness.h"
#include "strict.h"

#include <stdlib.h>

#define MEGABYTE 1000000

static char *joined;
static size_t joined_len, slices;

/* Asks until it is empty or fails, and joins what it gave; -EAGAIN is counted and asked again. */
static int drain(struct ac_producer *p, int *ret_waits)
{
	struct ac_slice s = { NULL, 0 };
	size_t cap = 0;
	int r;

	assert_non_null(p);
	joined_len = slices = 0;
	*ret_waits = 0;
	while ((r = p->cls->more(p, &s)) == -EAGAIN || (r == 0 && s.len)) {
		if (r == -EAGAIN) {
			++*ret_waits;
			continue;
		}
		if (joined_len + s.len > cap) {
			cap = 2 * (joined_len + s.len);
			joined = realloc(joined, cap);
		}
		memcpy(joined + joined_len, s.data, s.len);
		joined_len += s.len;
		slices++;
	}
	return r;
}

/* The model: from left to right, one place at a time. The result is the caller's to free. */
static char *replace(const char *data, size_t len, const char *from, const char *to,
                     size_t *ret_len)
{
	size_t from_len = strlen(from), to_len = strlen(to), n = 0;
	char *result = malloc(len * (to_len + 1) + 1);

	for (size_t i = 0; i < len;) {
		if (len - i >= from_len && memcmp(data + i, from, from_len) == 0) {
			memcpy(result + n, to, to_len);
			n += to_len;
			i += from_len;
		} else {
			result[n++] = data[i++];
		}
	}
	*ret_len = n;
	return result;
}

static void as_the_model(const char *data, size_t len, const char *from, const char *to,
                         size_t most, unsigned seed)
{
	size_t n;
	char *expected = replace(data, len, from, to, &n);
	struct ac_producer *p;
	struct ac_slice s;
	int waited;

	made = freed = waits = 0;
	p = ac_escaping_producer(strict(data, len, most, seed, 0), from, to);
	assert_int_equal(drain(p, &waited), 0);
	assert_int_equal(joined_len, n);
	if (n)
		assert_memory_equal(joined, expected, n);
	assert_int_equal(waited, waits);
	assert_int_equal(p->cls->more(p, &s), 0); /* exhausted stays exhausted */
	assert_int_equal(s.len, 0);
	ac_producer_free(p);
	assert_int_equal(freed, made);
	free(expected);
}

static void dots_are_stuffed_wherever_pieces_cut(void **state)
{
	static const char *const texts[] = {
		"\r\n.",   "\r\n.\r\n", "a\r\n.b\r\n..c\r\n", "\r\n\r\n.\r", "", "\r\n.\r\n.",
		"\r\r\n.", "...\r\n",   "no line ends here",  "\r",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (unsigned seed = 0; seed < 100; seed++)
			as_the_model(texts[i], strlen(texts[i]), "\r\n.", "\r\n..", 1 + seed % 5,
			             seed);
}

static void overlaps_are_taken_from_the_left(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 50; seed++) {
		as_the_model("aaaaa", 5, "aa", "b", 1 + seed % 4, seed);
		as_the_model("ababababa", 9, "aba", "-", 1 + seed % 4, seed);
		as_the_model("aabaabaaab", 10, "aab", "aabaab", 1 + seed % 4, seed);
	}
}

static void what_was_put_in_is_not_looked_at_again(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 50; seed++) {
		as_the_model("xaxa", 4, "a", "aa", 1 + seed % 3, seed);
		as_the_model("aabb", 4, "ab", "", 1 + seed % 3, seed); /* what is left is "ab" */
		as_the_model("aab", 3, "ab", "b", 1 + seed % 3, seed);
	}
}

static void any_text_of_two_letters_any_string_any_pieces(void **state)
{
	unsigned seed = 9;

	(void)state;
	for (int i = 0; i < 6000; i++) {
		char data[40], from[8], to[6];
		size_t len = (size_t)rand_r(&seed) % sizeof(data);
		size_t from_len = 1 + (size_t)rand_r(&seed) % (sizeof(from) - 1);
		size_t to_len = (size_t)rand_r(&seed) % sizeof(to);

		for (size_t k = 0; k < len; k++)
			data[k] = "ab"[rand_r(&seed) % 2];
		for (size_t k = 0; k < from_len; k++)
			from[k] = "ab"[rand_r(&seed) % 2];
		for (size_t k = 0; k < to_len; k++)
			to[k] = "abc"[rand_r(&seed) % 3];
		from[from_len] = to[to_len] = '\0';
		as_the_model(data, len, from, to, 1 + (size_t)i % 9, seed);
	}
}

static void zeros_in_the_stream_are_bytes_like_others(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 20; seed++)
		as_the_model("\0.\0\0.", 5, ".", "..", 1 + seed % 3, seed);
}

static void megabyte_full_of_occurrences_and_without_any(void **state)
{
	char *data = malloc(MEGABYTE);
	unsigned seed = 10;

	(void)state;
	memset(data, '.', MEGABYTE);
	as_the_model(data, MEGABYTE, ".", "..", 100000, 1);
	as_the_model(data, MEGABYTE, "...", "", MEGABYTE, 2);
	as_the_model(data, MEGABYTE, "x", "y", 30000, 3);
	for (size_t i = 0; i < MEGABYTE; i++)
		data[i] = "\r\n.a"[rand_r(&seed) % 4];
	as_the_model(data, MEGABYTE, "\r\n.", "\r\n..", 20000, 4);
	as_the_model(data, MEGABYTE, "\r\n.", "\r\n..", 300, 5);
	free(data);
}

static void only_what_may_become_one_is_held_back(void **state)
{
	struct strict *inner = (struct strict *)strict("ab\r\n\r\nx\r\n", 9, 1, 1, 0);
	struct ac_producer *p = ac_escaping_producer(&inner->p, "\r\n.", "!");
	struct ac_slice s;

	(void)state;
	inner->len = 6; /* ab CRLF CRLF: the last two wait */
	inner->most = 1000000;
	inner->at = 0;
	do {
		int r;

		while ((r = p->cls->more(p, &s)) == -EAGAIN)
			;
		assert_int_equal(r, 0);
	} while (inner->at < 6);
	assert_int_equal(((const char *)s.data)[s.len - 1], '\n');
	inner->len = 9;
	inner->at = 6;
	while (p->cls->more(p, &s) == -EAGAIN)
		;
	assert_true(s.len >= 3);
	assert_memory_equal(s.data, "\r\nx", 3);
	ac_producer_free(p);
}

static void pieces_that_become_nothing_are_not_the_end(void **state)
{
	struct ac_producer *p;
	int waited;

	(void)state;
	p = ac_escaping_producer(ac_simple_producer("......x", 7, 1), ".", "");
	assert_int_equal(drain(p, &waited), 0);
	assert_int_equal(joined_len, 1);
	assert_int_equal(slices, 1);
	ac_producer_free(p);
	p = ac_escaping_producer(ac_simple_producer("...", 3, 1), ".", "");
	assert_int_equal(drain(p, &waited), 0);
	assert_int_equal(joined_len, 0);
	ac_producer_free(p);
}

static void error_after_what_was_before_it(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 20; seed++) {
		struct ac_producer *p;
		int waited;

		made = freed = 0;
		p = ac_escaping_producer(strict("a.b.", 4, 2, seed, -EDOM), ".", "..");
		assert_int_equal(drain(p, &waited), -EDOM);
		assert_int_equal(joined_len, 6);
		assert_memory_equal(joined, "a..b..", 6);
		ac_producer_free(p);
		assert_int_equal(freed, made);
	}
}

static void empty_string_is_refused_and_the_inner_one_freed(void **state)
{
	(void)state;
	made = freed = 0;
	assert_null(ac_escaping_producer(strict("x", 1, 1, 1, 0), "", "y"));
	assert_int_equal(freed, 1);
	assert_null(ac_escaping_producer(NULL, "x", "y"));
	assert_null(ac_escaping_producer(NULL, "", ""));
}

/* A longer life: its buffers grow at several places. -1: it could not be made. */
static int life(const char *data, size_t len)
{
	struct ac_producer *p =
		ac_escaping_producer(strict(data, len, 700, 11, 0), "\r\n.", "\r\n..");
	int r, waited;

	if (!p)
		return -1;
	r = drain(p, &waited);
	ac_producer_free(p);
	return r;
}

static void each_fails_once(const char *data, size_t len, size_t expected_len)
{
	long before = allocations(), nth = 0;
	int r;

	made = freed = 0;
	for (;;) {
		fail_allocation(++nth, false);
		r = life(data, len);
		assert_int_equal(allocations(), before);
		assert_int_equal(freed, made);
		if (!allocation_failed())
			break;
		assert_int_equal(r, nth == 1 ? -1 : -ENOMEM);
	}
	fail_allocation(0, false);
	assert_int_equal(r, 0);
	assert_int_equal(joined_len, expected_len);
	assert_true(nth > 5); /* there were some to fail */
}

/* Where memory is asked for depends on what there is: only occurrences, none, few between much. */
static void every_allocation_fails_once(void **state)
{
	char data[3000];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = "\r\n."[i % 3];
	each_fails_once(data, sizeof(data), 4000);
	memset(data, 'x', sizeof(data));
	each_fails_once(data, sizeof(data), 3000);
	for (size_t i = 300; i + 3 < sizeof(data); i += 300)
		memcpy(data + i, "\r\n.", 3);
	each_fails_once(data, sizeof(data), 3009);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(dots_are_stuffed_wherever_pieces_cut, epoll),
		ON(overlaps_are_taken_from_the_left, epoll),
		ON(what_was_put_in_is_not_looked_at_again, epoll),
		ON(any_text_of_two_letters_any_string_any_pieces, epoll),
		ON(zeros_in_the_stream_are_bytes_like_others, epoll),
		ON(megabyte_full_of_occurrences_and_without_any, epoll),
		ON(only_what_may_become_one_is_held_back, epoll),
		ON(pieces_that_become_nothing_are_not_the_end, epoll),
		ON(error_after_what_was_before_it, epoll),
		ON(empty_string_is_refused_and_the_inner_one_freed, epoll),
		ON(every_allocation_fails_once, epoll),
	};
	int r = RUN(tests);

	free(joined);
	return r;
}
