/* test_chunked.c — chunks around what an inner producer gives: sizes, slices, the end. */
#include "harness.h"
#include "strict.h"

#include <stdlib.h>

#define MEGABYTE 1000000
#define COPIED 4096 /* the longest piece that goes out with its frame in one slice */

static char *joined;
static size_t joined_len;

/* Asks until it is empty or fails, and joins what it gave; -EAGAIN is counted and asked again. */
static int drain(struct ac_producer *p, int *ret_waits)
{
	struct ac_slice s = { NULL, 0 };
	int r;

	assert_non_null(p);
	joined_len = 0;
	*ret_waits = 0;
	while ((r = p->cls->more(p, &s)) == -EAGAIN || (r == 0 && s.len)) {
		if (r == -EAGAIN) {
			++*ret_waits;
			continue;
		}
		joined = realloc(joined, joined_len + s.len);
		memcpy(joined + joined_len, s.data, s.len);
		joined_len += s.len;
	}
	return r;
}

/* Reads the chunks as a peer would, strict about every byte. True if the last one was there. */
static bool unchunk(const char *data, size_t len)
{
	size_t at = 0, n = 0;

	while (at < joined_len) {
		char *line_end = memmem(joined + at, joined_len - at, "\r\n", 2), *digits_end;
		size_t size;

		assert_non_null(line_end);
		assert_true(joined[at] != '0' || joined[at + 1] == '\r'); /* no leading zeros */
		size = strtoul(joined + at, &digits_end, 16);
		assert_ptr_equal(digits_end, line_end);
		at = (size_t)(line_end - joined) + 2;
		assert_true(size <= len - n && size + 2 <= joined_len - at);
		assert_memory_equal(joined + at, data + n, size);
		assert_memory_equal(joined + at + size, "\r\n", 2);
		at += size + 2;
		n += size;
		if (size == 0) {
			assert_int_equal(at, joined_len); /* nothing behind the end */
			assert_int_equal(n, len);
			return true;
		}
	}
	assert_int_equal(n, len);
	return false;
}

static void exact_bytes(void **state)
{
	static const char expected[] = "5\r\nhello\r\n5\r\n, wor\r\n2\r\nld\r\n0\r\n\r\n";
	struct ac_producer *p = ac_chunked_producer(ac_simple_producer("hello, world", 12, 5));
	struct ac_slice s;
	int none;

	(void)state;
	assert_int_equal(drain(p, &none), 0);
	assert_int_equal(joined_len, strlen(expected));
	assert_memory_equal(joined, expected, joined_len);
	for (int i = 0; i < 3; i++) { /* one last chunk, however often it is asked */
		assert_int_equal(p->cls->more(p, &s), 0);
		assert_int_equal(s.len, 0);
	}
	ac_producer_free(p);
}

static void nothing_is_the_last_chunk_alone(void **state)
{
	struct ac_producer *p = ac_chunked_producer(ac_simple_producer(NULL, 0, 0));
	int none;

	(void)state;
	assert_int_equal(drain(p, &none), 0);
	assert_int_equal(joined_len, 5);
	assert_memory_equal(joined, "0\r\n\r\n", 5);
	ac_producer_free(p);
}

static void size_is_hex_at_each_new_digit(void **state)
{
	static const size_t sizes[] = {
		1, 9, 10, 15, 16, 255, 256, 4095, 4096, 4097, 65535, 65536
	};
	char *data = calloc(1, 65536), head[16];
	int none;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct ac_producer *inner = ac_simple_producer(data, sizes[i], sizes[i]);
		struct ac_producer *p = ac_chunked_producer(inner);
		size_t len = (size_t)snprintf(head, sizeof(head), "%zx\r\n", sizes[i]);

		assert_int_equal(drain(p, &none), 0);
		assert_true(unchunk(data, sizes[i]));
		assert_memory_equal(joined, head, len);
		assert_int_equal(joined_len, len + sizes[i] + 2 + 5);
		ac_producer_free(p);
	}
	free(data);
}

/* The slices of the first chunk when the piece is so long; where the data lay in *ret_data. */
static int slices_of(size_t len, const void *data)
{
	struct ac_producer *inner = ac_simple_producer(data, len, len);
	struct ac_producer *p = ac_chunked_producer(inner);
	int slices = 0;
	size_t n = 0;
	struct ac_slice s;

	for (;;) {
		assert_int_equal(p->cls->more(p, &s), 0);
		if (s.len == 5 && memcmp(s.data, "0\r\n\r\n", 5) == 0)
			break;
		slices++;
		n += s.len;
		assert_true(slices != 2 || s.len == len); /* the data by itself */
	}
	assert_true(n > len + 4);
	ac_producer_free(p);
	return slices;
}

static void short_pieces_go_in_one_slice_long_ones_uncopied(void **state)
{
	char *data = calloc(1, MEGABYTE);

	(void)state;
	assert_int_equal(slices_of(1, data), 1);
	assert_int_equal(slices_of(COPIED - 1, data), 1);
	assert_int_equal(slices_of(COPIED, data), 1);
	assert_int_equal(slices_of(COPIED + 1, data), 3);
	assert_int_equal(slices_of(MEGABYTE, data), 3);
	free(data);
}

static void long_piece_is_lent_from_where_it_lies(void **state)
{
	char *data = calloc(1, 10000);
	struct strict *inner = (struct strict *)strict(data, 10000, 1, 0, 0);
	struct ac_producer *p = ac_chunked_producer(&inner->p);
	struct ac_slice s;

	(void)state;
	inner->most = 1;
	while (p->cls->more(p, &s) == -EAGAIN)
		;
	assert_int_equal(s.len, 6); /* 1 CRLF x CRLF */
	inner->most = SIZE_MAX;
	inner->at = 0;
	while (p->cls->more(p, &s) == -EAGAIN)
		;
	assert_memory_equal(s.data, "2710\r\n", 6);
	assert_int_equal(p->cls->more(p, &s), 0);
	assert_ptr_equal(s.data, inner->lent);
	assert_int_equal(p->cls->more(p, &s), 0);
	assert_memory_equal(s.data, "\r\n", 2);
	ac_producer_free(p);
	free(data);
}

static void pieces_of_any_length_and_waits_between(void **state)
{
	static const size_t most[] = { 1, 7, 5000, 9000, 100000 };
	char *data = malloc(MEGABYTE);
	unsigned seed = 7;
	int waited;

	(void)state;
	for (size_t i = 0; i < MEGABYTE; i++)
		data[i] = (char)rand_r(&seed);
	for (unsigned i = 0; i < 60; i++) {
		size_t len = i < 55 ? i * 300 : MEGABYTE;
		size_t longest = i < 55 ? most[i % 5] : most[2 + i % 3];
		struct ac_producer *p;

		made = freed = waits = 0;
		p = ac_chunked_producer(strict(data, len, longest, i, 0));
		assert_int_equal(drain(p, &waited), 0);
		assert_true(unchunk(data, len));
		assert_int_equal(waited, waits); /* each was passed on, none made up */
		ac_producer_free(p);
		assert_int_equal(freed, made);
	}
	free(data);
}

static void error_ends_without_a_last_chunk(void **state)
{
	char data[5000] = "data";
	struct ac_producer *p;
	int waited;

	(void)state;
	for (unsigned seed = 0; seed < 20; seed++) {
		made = freed = 0;
		p = ac_chunked_producer(strict(data, sizeof(data), 1 + seed * 300, seed, -EDOM));
		assert_int_equal(drain(p, &waited), -EDOM);
		assert_false(unchunk(data, sizeof(data)));
		ac_producer_free(p);
		assert_int_equal(freed, made);
	}
}

static void freed_after_each_step(void **state)
{
	static char data[10000];

	(void)state;
	for (int steps = 0; steps < 5; steps++) {
		struct ac_producer *p;
		struct ac_slice s;

		made = freed = 0;
		p = ac_chunked_producer(strict(data, sizeof(data), sizeof(data), 1, 0));
		for (int i = 0; i < steps;)
			i += p->cls->more(p, &s) == 0;
		ac_producer_free(p);
		assert_int_equal(freed, 1);
	}
}

static void inner_one_is_freed_when_it_cannot_be_made(void **state)
{
	long before = allocations();

	(void)state;
	made = freed = 0;
	fail_allocation(1, false);
	assert_null(ac_chunked_producer(strict("x", 1, 1, 1, 0)));
	assert_true(allocation_failed());
	assert_int_equal(freed, 1);
	assert_int_equal(allocations(), before);
	assert_null(ac_chunked_producer(NULL));
	assert_null(ac_chunked_producer(ac_chunked_producer(NULL)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(exact_bytes, epoll),
		ON(nothing_is_the_last_chunk_alone, epoll),
		ON(size_is_hex_at_each_new_digit, epoll),
		ON(short_pieces_go_in_one_slice_long_ones_uncopied, epoll),
		ON(long_piece_is_lent_from_where_it_lies, epoll),
		ON(pieces_of_any_length_and_waits_between, epoll),
		ON(error_ends_without_a_last_chunk, epoll),
		ON(freed_after_each_step, epoll),
		ON(inner_one_is_freed_when_it_cannot_be_made, epoll),
	};
	int r = RUN(tests);

	free(joined);
	return r;
}
