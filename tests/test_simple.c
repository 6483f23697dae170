/* test_simple.c — a copy of some data, in pieces: their sizes, whose memory they are, the end. */
#include "harness.h"

#include <stdlib.h>

#define MEGABYTE 1000000

/* Every piece but the last is as long as was asked for; they lie one behind the other. */
static void gives_pieces(const char *data, size_t len, size_t piece, size_t expected)
{
	struct ac_producer *p = ac_simple_producer(data, len, piece);
	const char *next = NULL;
	struct ac_slice s;
	size_t n = 0;

	assert_non_null(p);
	do {
		assert_int_equal(p->cls->more(p, &s), 0);
		assert_int_equal(s.len, len - n < expected ? len - n : expected);
		assert_true(!next || next == s.data);
		if (s.len)
			assert_memory_equal(s.data, data + n, s.len);
		next = (const char *)s.data + s.len;
		n += s.len;
	} while (s.len);
	assert_int_equal(n, len);
	assert_int_equal(p->cls->more(p, &s), 0); /* exhausted stays exhausted */
	assert_int_equal(s.len, 0);
	ac_producer_free(p);
}

static void pieces_at_and_beside_every_border(void **state)
{
	static const size_t lens[] = { 1, 2, 511, 512, 513, 1023, 1024, 1025 };
	static char data[1025];
	unsigned seed = 2;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)rand_r(&seed); /* zeros among them */
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		gives_pieces(data, lens[i], 0, 512);
		gives_pieces(data, lens[i], 512, 512);
		gives_pieces(data, lens[i], 1, 1);
		gives_pieces(data, lens[i], lens[i], lens[i]);
		gives_pieces(data, lens[i], lens[i] + 1, lens[i]);
		gives_pieces(data, lens[i], SIZE_MAX, lens[i]);
	}
}

static void megabyte_in_pieces_of_any_size(void **state)
{
	char *data = malloc(MEGABYTE);
	unsigned seed = 3;

	(void)state;
	for (size_t i = 0; i < MEGABYTE; i++)
		data[i] = (char)rand_r(&seed);
	for (int i = 0; i < 5; i++) {
		size_t piece = 1 + (size_t)rand_r(&seed) % 100000;

		gives_pieces(data, MEGABYTE, piece, piece);
	}
	free(data);
}

static void nothing_is_exhausted_at_once(void **state)
{
	(void)state;
	gives_pieces("", 0, 0, 0);
	gives_pieces(NULL, 0, 7, 0);
}

static void data_may_change_once_it_was_copied(void **state)
{
	char data[] = "first";
	struct ac_producer *p = ac_simple_producer(data, 5, 0);
	struct ac_slice s;

	(void)state;
	memcpy(data, "other", 5);
	assert_int_equal(p->cls->more(p, &s), 0);
	assert_memory_equal(s.data, "first", 5);
	ac_producer_free(p);
}

static void length_that_fits_no_memory(void **state)
{
	(void)state;
	assert_null(ac_simple_producer("x", SIZE_MAX, 0));
	assert_null(ac_simple_producer("x", SIZE_MAX - sizeof(struct ac_producer), 0));
}

static void no_memory_no_producer(void **state)
{
	long before = allocations();

	(void)state;
	fail_allocation(1, false);
	assert_null(ac_simple_producer("x", 1, 0));
	assert_true(allocation_failed());
	assert_int_equal(allocations(), before);
}

static void freed_with_pieces_left(void **state)
{
	struct ac_producer *p = ac_simple_producer("abc", 3, 1);
	struct ac_slice s;

	(void)state;
	assert_int_equal(p->cls->more(p, &s), 0);
	assert_int_equal(s.len, 1);
	ac_producer_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(pieces_at_and_beside_every_border, epoll),
		ON(megabyte_in_pieces_of_any_size, epoll),
		ON(nothing_is_exhausted_at_once, epoll),
		ON(data_may_change_once_it_was_copied, epoll),
		ON(length_that_fits_no_memory, epoll),
		ON(no_memory_no_producer, epoll),
		ON(freed_with_pieces_left, epoll),
	};

	return RUN(tests);
}
