/* test_composite.c — one producer after the other: order, empty parts, errors, who frees what. */
#include "harness.h"
#include "strict.h"

#include <stdlib.h>

#define MEGABYTE 1000000

/* Compares with what is expected while asking; the first error, else 0. */
static int compare(struct ac_producer *p, const char *expected, size_t len, int *ret_waits)
{
	struct ac_slice s = { "", 0 };
	const void *last = s.data;
	size_t n = 0;
	int r;

	assert_non_null(p);
	*ret_waits = 0;
	while ((r = p->cls->more(p, &s)) == -EAGAIN || (r == 0 && s.len)) {
		if (r == -EAGAIN) {
			assert_ptr_equal(s.data, last); /* untouched */
			++*ret_waits;
			continue;
		}
		last = s.data;
		assert_true(s.len <= len - n);
		assert_memory_equal(s.data, expected + n, s.len);
		n += s.len;
	}
	assert_int_equal(n, len);
	return r;
}

static void empty_parts_anywhere_do_not_end_it(void **state)
{
	static const char digits[] = "012345";

	(void)state;
	for (unsigned set = 0; set < 64; set++) { /* which of six parts are empty */
		struct ac_producer *parts[6], *p;
		char expected[7] = "";
		struct ac_slice s;
		int waited;

		made = freed = waits = 0;
		for (unsigned i = 0; i < 6; i++) {
			bool empty = set >> i & 1;

			parts[i] = strict(&digits[i], !empty, 1, set + i, 0);
			strncat(expected, &digits[i], !empty);
		}
		p = ac_composite_producer(parts, 6);
		assert_int_equal(compare(p, expected, strlen(expected), &waited), 0);
		assert_int_equal(waited, waits);
		assert_int_equal(freed, 6); /* each as soon as it was exhausted */
		assert_int_equal(p->cls->more(p, &s), 0);
		assert_int_equal(s.len, 0);
		ac_producer_free(p);
		assert_int_equal(freed, 6);
	}
}

static void no_parts_no_output(void **state)
{
	struct ac_producer *p = ac_composite_producer(NULL, 0);
	int none;

	(void)state;
	assert_int_equal(compare(p, "", 0, &none), 0);
	ac_producer_free(p);
}

static void array_may_change_once_it_was_copied(void **state)
{
	struct ac_producer *parts[] = { ac_simple_producer("ab", 2, 1),
		                        ac_simple_producer("c", 1, 0) };
	struct ac_producer *p = ac_composite_producer(parts, 2);
	int none;

	(void)state;
	parts[0] = parts[1] = NULL;
	assert_int_equal(compare(p, "abc", 3, &none), 0);
	ac_producer_free(p);
}

static void megabyte_of_parts_in_parts(void **state)
{
	char *data = malloc(MEGABYTE);
	unsigned seed = 8;

	(void)state;
	for (size_t i = 0; i < MEGABYTE; i++)
		data[i] = (char)rand_r(&seed);
	for (int round = 0; round < 5; round++) {
		struct ac_producer *outer[8], *inner[8], *p;
		size_t at = 0;
		int waited;

		made = freed = waits = 0;
		for (int i = 0; i < 64; i++) {
			size_t left = MEGABYTE - at, len = (size_t)rand_r(&seed) % 30000;

			len = i == 63 || len > left ? left : len;
			inner[i % 8] = strict(data + at, len, 20000, seed, 0);
			at += len;
			if (i % 8 == 7)
				outer[i / 8] = ac_composite_producer(inner, 8);
		}
		p = ac_composite_producer(outer, 8);
		assert_int_equal(compare(p, data, MEGABYTE, &waited), 0);
		assert_int_equal(waited, waits);
		ac_producer_free(p);
		assert_int_equal(made, 64);
		assert_int_equal(freed, 64);
	}
	free(data);
}

static void error_of_a_part_comes_after_what_was_before_it(void **state)
{
	struct ac_producer *parts[3], *p;
	int waited;

	(void)state;
	made = freed = 0;
	parts[0] = strict("first", 5, 2, 1, 0);
	parts[1] = strict("second", 6, 4, 2, -EDOM);
	parts[2] = strict("never", 5, 5, 3, 0);
	p = ac_composite_producer(parts, 3);
	assert_int_equal(compare(p, "firstsecond", 11, &waited), -EDOM);
	assert_int_equal(freed, 1);
	ac_producer_free(p);
	assert_int_equal(freed, 3);
}

static void freed_before_it_was_asked(void **state)
{
	struct ac_producer *parts[] = { strict("a", 1, 1, 1, 0), strict("b", 1, 1, 2, 0) };

	(void)state;
	freed = 0;
	ac_producer_free(ac_composite_producer(parts, 2));
	assert_int_equal(freed, 2);
}

static void part_that_could_not_be_made_frees_the_others(void **state)
{
	(void)state;
	for (unsigned set = 1; set < 16; set++) { /* which of four are missing */
		struct ac_producer *parts[4];

		made = freed = 0;
		for (unsigned i = 0; i < 4; i++)
			parts[i] = set >> i & 1 ? NULL : strict("x", 1, 1, i, 0);
		assert_null(ac_composite_producer(parts, 4));
		assert_int_equal(freed, made);
	}
}

static void no_memory_frees_all_parts(void **state)
{
	long before = allocations();

	(void)state;
	for (int missing = 0; missing < 2; missing++) {
		struct ac_producer *parts[3] = { strict("a", 1, 1, 1, 0), NULL, NULL };

		parts[2] = strict("c", 1, 1, 3, 0);
		if (!missing)
			parts[1] = strict("b", 1, 1, 2, 0);
		freed = 0;
		fail_allocation(1, false);
		assert_null(ac_composite_producer(parts, 3));
		assert_true(allocation_failed());
		assert_int_equal(freed, 3 - missing);
		assert_int_equal(allocations(), before);
	}
}

/* Constructors in constructors: whichever allocation fails, nothing is left. */
static struct ac_producer *nested(void)
{
	static const char *const lines[] = { "line" };
	struct ac_producer *inner[2], *parts[2];

	inner[0] = ac_chunked_producer(ac_simple_producer("a", 1, 0));
	inner[1] = ac_escaping_producer(ac_lines_producer(lines, 1), "\r\n", "\n");
	parts[0] = ac_composite_producer(inner, 2);
	parts[1] = ac_hooked_producer(ac_simple_producer("b", 1, 0), NULL, NULL);
	return ac_composite_producer(parts, 2);
}

static void every_allocation_of_nested_ones_fails_once(void **state)
{
	static const char expected[] = "1\r\na\r\n0\r\n\r\nline\nb";
	long before = allocations(), nth = 0;
	struct ac_producer *p;
	int none;

	(void)state;
	for (;;) {
		fail_allocation(++nth, false);
		p = nested();
		if (!allocation_failed())
			break;
		assert_null(p);
		assert_int_equal(allocations(), before);
	}
	fail_allocation(0, false);
	assert_int_equal(nth, 9); /* eight had failed */
	assert_int_equal(compare(p, expected, strlen(expected), &none), 0);
	ac_producer_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(empty_parts_anywhere_do_not_end_it, epoll),
		ON(no_parts_no_output, epoll),
		ON(array_may_change_once_it_was_copied, epoll),
		ON(megabyte_of_parts_in_parts, epoll),
		ON(error_of_a_part_comes_after_what_was_before_it, epoll),
		ON(freed_before_it_was_asked, epoll),
		ON(part_that_could_not_be_made_frees_the_others, epoll),
		ON(no_memory_frees_all_parts, epoll),
		ON(every_allocation_of_nested_ones_fails_once, epoll),
	};

	return RUN(tests);
}
