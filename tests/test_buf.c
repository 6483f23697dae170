/* test_buf.c — buf.c: order, room, what is moved, what is refused, and no memory while empty. */
#include "harness.h"

#include <stdlib.h>

#include "../src/base/base.h"

static void is_sound(const struct ac_buf *b)
{
	assert_true(b->start <= b->end && b->end <= b->cap);
	assert_int_equal(b->data != NULL, b->cap != 0);
	if (b->start == b->end)
		assert_int_equal(b->start, 0);
}

static size_t used(const struct ac_buf *b)
{
	return b->end - b->start;
}

static void order_is_kept_through_growth_and_compaction(void **state)
{
	struct ac_buf b = { NULL, 0, 0, 0 };
	char expected = 0, next = 0;
	unsigned seed = 3;

	(void)state;
	for (int round = 0; round < 30000; round++) {
		char piece[300];
		size_t n = (size_t)rand_r(&seed) % sizeof(piece);

		for (size_t i = 0; i < n; i++)
			piece[i] = next++;
		assert_int_equal(ac_buf_append_(&b, piece, n), 0);
		is_sound(&b);
		n = (size_t)rand_r(&seed) % (used(&b) + 1);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(b.data[b.start + i], expected++);
		ac_buf_drop_(&b, n);
		is_sound(&b);
	}
	ac_buf_done_(&b);
}

static void empty_buffer_holds_no_memory(void **state)
{
	struct ac_buf b = { NULL, 0, 0, 0 };
	long before = allocations();

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ac_buf_append_(&b, "abc", 3), 0);
		assert_int_equal(allocations(), before + 1);
		ac_buf_drop_(&b, 2);
		assert_int_equal(allocations(), before + 1);
		ac_buf_drop_(&b, 1);
		assert_int_equal(allocations(), before);
		assert_null(b.data);
		is_sound(&b);
	}
	ac_buf_done_(&b);
	ac_buf_done_(&b); /* twice is fine */
	ac_buf_drop_(&b, 0);
	is_sound(&b);
}

static void nothing_appended_is_nothing_allocated(void **state)
{
	struct ac_buf b = { NULL, 0, 0, 0 };
	long before = allocations();

	(void)state;
	assert_int_equal(ac_buf_append_(&b, NULL, 0), 0);
	assert_int_equal(ac_buf_append_(&b, "x", 0), 0);
	assert_int_equal(allocations(), before);
	is_sound(&b);
}

static void slice_of_an_empty_one_is_no_null(void **state)
{
	struct ac_buf b = { NULL, 0, 0, 0 };
	struct ac_slice s = ac_buf_all_(&b);

	(void)state;
	assert_non_null(s.data);
	assert_int_equal(s.len, 0);
	assert_int_equal(ac_buf_append_(&b, "abcd", 4), 0);
	ac_buf_drop_(&b, 1);
	s = ac_buf_all_(&b);
	assert_int_equal(s.len, 3);
	assert_memory_equal(s.data, "bcd", 3);
	ac_buf_done_(&b);
}

static void length_that_overflows_is_refused_and_changes_nothing(void **state)
{
	static const size_t bad[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2, SIZE_MAX / 4 + 1 };
	struct ac_buf b = { NULL, 0, 0, 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ac_buf_append_(&b, "x", bad[i]), -EOVERFLOW);
	assert_null(b.data);
	assert_int_equal(ac_buf_append_(&b, "xyz", 3), 0);
	ac_buf_drop_(&b, 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ac_buf_append_(&b, "x", bad[i]), -EOVERFLOW);
	assert_int_equal(ac_buf_append_(&b, "x", SIZE_MAX - 1), -EOVERFLOW); /* used + len is 0 */
	assert_int_equal(ac_buf_append_(&b, "x", SIZE_MAX / 4 - 1), -EOVERFLOW);
	assert_memory_equal(ac_buf_all_(&b).data, "yz", 2);
	assert_int_equal(used(&b), 2);
	ac_buf_done_(&b);
}

static void no_memory_leaves_what_was_there(void **state)
{
	struct ac_buf b = { NULL, 0, 0, 0 };
	char piece[300];

	(void)state;
	memset(piece, 'p', sizeof(piece));
	fail_allocation(1, false);
	assert_int_equal(ac_buf_append_(&b, "x", 1), -ENOMEM);
	is_sound(&b);
	assert_int_equal(ac_buf_append_(&b, "abcdef", 6), 0);
	ac_buf_drop_(&b, 2);
	fail_allocation(1, false);
	assert_int_equal(ac_buf_append_(&b, piece, sizeof(piece)), -ENOMEM);
	assert_true(allocation_failed());
	is_sound(&b);
	assert_int_equal(used(&b), 4);
	assert_memory_equal(ac_buf_all_(&b).data, "cdef", 4);
	assert_int_equal(ac_buf_append_(&b, piece, sizeof(piece)), 0);
	assert_int_equal(used(&b), 304);
	ac_buf_done_(&b);
}

/* A peer that reads slowly: one byte goes, one comes, and the buffer is full all the time. */
static void full_buffer_is_not_moved_for_every_byte(void **state)
{
	enum { ROUNDS = 20000, FULL = 4096 };
	struct ac_buf b = { NULL, 0, 0, 0 };
	static char piece[FULL];
	size_t moved = 0;

	(void)state;
	assert_int_equal(ac_buf_append_(&b, piece, FULL), 0);
	for (int i = 0; i < ROUNDS; i++) {
		size_t start;

		ac_buf_drop_(&b, 1);
		start = b.start;
		assert_int_equal(ac_buf_append_(&b, "x", 1), 0);
		if (b.start < start)
			moved += used(&b);
	}
	assert_true(moved <= 2 * (ROUNDS + FULL)); /* each byte a few times, not once a round */
	assert_true(b.cap <= 4 * FULL);            /* and room is used again */
	ac_buf_done_(&b);
}

static void room_in_front_is_used_before_more_is_asked_for(void **state)
{
	struct ac_buf b = { NULL, 0, 0, 0 };
	char piece[256];
	size_t cap;

	(void)state;
	memset(piece, 'p', sizeof(piece));
	assert_int_equal(ac_buf_append_(&b, piece, 256), 0);
	cap = b.cap;
	for (int i = 0; i < 1000; i++) {
		ac_buf_drop_(&b, 200);
		assert_int_equal(ac_buf_append_(&b, piece, 200), 0);
	}
	assert_int_equal(b.cap, cap);
	ac_buf_done_(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(order_is_kept_through_growth_and_compaction, epoll),
		ON(empty_buffer_holds_no_memory, epoll),
		ON(nothing_appended_is_nothing_allocated, epoll),
		ON(slice_of_an_empty_one_is_no_null, epoll),
		ON(length_that_overflows_is_refused_and_changes_nothing, epoll),
		ON(no_memory_leaves_what_was_there, epoll),
		ON(full_buffer_is_not_moved_for_every_byte, epoll),
		ON(room_in_front_is_used_before_more_is_asked_for, epoll),
	};

	return RUN(tests);
}
