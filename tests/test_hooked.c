/* test_hooked.c — the hook runs exactly once, however it ends: with the total, else with -1. */
#include "harness.h"
#include "strict.h"

#include <stdlib.h>

#define MEGABYTE 1000000

struct heard {
	int calls, freed_before;
	int64_t total;
};

static void hook(void *arg, int64_t total)
{
	struct heard *h = arg;

	h->calls++;
	h->total = total;
	h->freed_before = freed;
}

/* Asks until it is empty or fails; the bytes in *ret_total. */
static int drain(struct ac_producer *p, int64_t *ret_total)
{
	struct ac_slice s = { NULL, 0 };
	int r;

	assert_non_null(p);
	*ret_total = 0;
	while ((r = p->cls->more(p, &s)) == -EAGAIN || (r == 0 && s.len))
		if (r == 0)
			*ret_total += (int64_t)s.len;
	return r;
}

static void told_the_total_when_exhausted_and_not_before(void **state)
{
	struct heard h = { 0 };
	struct ac_producer *p = ac_hooked_producer(ac_simple_producer("hello", 5, 2), hook, &h);
	struct ac_slice s;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(p->cls->more(p, &s), 0);
		assert_int_equal(s.len, i < 2 ? 2 : 1);
		assert_memory_equal(s.data, &"hello"[2 * i], s.len);
		assert_int_equal(h.calls, 0);
	}
	assert_int_equal(p->cls->more(p, &s), 0);
	assert_int_equal(s.len, 0);
	assert_int_equal(h.calls, 1);
	assert_int_equal(h.total, 5);
	assert_int_equal(p->cls->more(p, &s), 0); /* once, though it is asked again */
	ac_producer_free(p);
	assert_int_equal(h.calls, 1);
	assert_int_equal(h.total, 5);
}

static void nothing_at_all_is_a_total_of_zero(void **state)
{
	struct heard h = { 0, 0, 7 };
	struct ac_producer *p = ac_hooked_producer(ac_simple_producer(NULL, 0, 0), hook, &h);
	int64_t n;

	(void)state;
	assert_int_equal(drain(p, &n), 0);
	assert_int_equal(h.total, 0);
	ac_producer_free(p);
	assert_int_equal(h.calls, 1);
}

static void waits_and_pieces_of_any_length_do_not_count(void **state)
{
	char *data = calloc(1, MEGABYTE);

	(void)state;
	for (unsigned seed = 0; seed < 20; seed++) {
		struct heard h = { 0 };
		struct ac_producer *p;
		int64_t n;

		made = freed = 0;
		p = ac_hooked_producer(strict(data, MEGABYTE, 1000 + 5000 * seed, seed, 0), hook,
		                       &h);
		assert_int_equal(drain(p, &n), 0);
		assert_int_equal(n, MEGABYTE);
		assert_int_equal(h.calls, 1);
		assert_int_equal(h.total, MEGABYTE);
		ac_producer_free(p);
		assert_int_equal(h.calls, 1);
		assert_int_equal(freed, made);
	}
	free(data);
}

static void freed_before_the_end_is_minus_one(void **state)
{
	(void)state;
	for (int steps = 0; steps < 5;
	     steps++) { /* of five pieces: the last is not known to be so */
		struct heard h = { 0 };
		struct ac_producer *p =
			ac_hooked_producer(ac_simple_producer("hello", 5, 1), hook, &h);
		struct ac_slice s;

		for (int i = 0; i < steps; i++)
			p->cls->more(p, &s);
		assert_int_equal(h.calls, 0);
		ac_producer_free(p);
		assert_int_equal(h.calls, 1);
		assert_int_equal(h.total, -1);
	}
}

static void error_is_passed_on_and_ends_in_minus_one(void **state)
{
	struct heard h = { 0 };
	struct ac_producer *p;
	int64_t n;

	(void)state;
	made = freed = 0;
	p = ac_hooked_producer(strict("hello", 5, 2, 3, -EDOM), hook, &h);
	assert_int_equal(drain(p, &n), -EDOM);
	assert_int_equal(n, 5);
	assert_int_equal(h.calls, 0);
	ac_producer_free(p);
	assert_int_equal(h.calls, 1);
	assert_int_equal(h.total, -1);
	assert_int_equal(freed, 1);
}

static void told_also_when_it_could_not_be_made(void **state)
{
	struct heard h = { 0 };
	long before = allocations();

	(void)state;
	made = freed = 0;
	fail_allocation(1, false);
	assert_null(ac_hooked_producer(strict("x", 1, 1, 1, 0), hook, &h));
	assert_true(allocation_failed());
	assert_int_equal(allocations(), before);
	assert_int_equal(freed, 1);
	assert_int_equal(h.calls, 1);
	assert_int_equal(h.total, -1);
	assert_int_equal(h.freed_before, 0); /* the inner one was still there */
	assert_null(ac_hooked_producer(NULL, hook, &h));
	assert_int_equal(h.calls, 2);
	assert_int_equal(h.total, -1);
}

static void no_hook_is_nobody_to_tell(void **state)
{
	struct ac_producer *p = ac_hooked_producer(ac_simple_producer("hello", 5, 2), NULL, NULL);
	int64_t n;

	(void)state;
	assert_int_equal(drain(p, &n), 0);
	assert_int_equal(n, 5);
	ac_producer_free(p);
	ac_producer_free(ac_hooked_producer(ac_simple_producer("x", 1, 0), NULL, NULL));
	assert_null(ac_hooked_producer(NULL, NULL, NULL));
}

static void hooks_around_hooks_each_once(void **state)
{
	struct heard inner = { 0 }, outer = { 0 };
	struct ac_producer *p = ac_hooked_producer(ac_simple_producer("hello", 5, 2), hook, &inner);
	int64_t n;

	(void)state;
	p = ac_hooked_producer(ac_chunked_producer(p), hook, &outer);
	assert_int_equal(drain(p, &n), 0);
	assert_int_equal(inner.total, 5);
	assert_int_equal(outer.total, n);
	assert_true(n > 5);
	ac_producer_free(p);
	assert_int_equal(inner.calls, 1);
	assert_int_equal(outer.calls, 1);
}

static void parts_that_were_not_reached_are_minus_one(void **state)
{
	struct heard h[3] = { { 0 } };
	struct ac_producer *parts[3], *p;
	struct ac_slice s;

	(void)state;
	for (int i = 0; i < 3; i++)
		parts[i] = ac_hooked_producer(ac_simple_producer("ab", 2, 2), hook, &h[i]);
	p = ac_composite_producer(parts, 3);
	assert_int_equal(p->cls->more(p, &s), 0);
	assert_int_equal(p->cls->more(p, &s), 0); /* the first is over, the second begun */
	assert_int_equal(h[0].total, 2);
	ac_producer_free(p);
	for (int i = 0; i < 3; i++)
		assert_int_equal(h[i].calls, 1);
	assert_int_equal(h[1].total, -1);
	assert_int_equal(h[2].total, -1);
}

/* What the hook's argument holds may be what the inner producer reads from. */
static void inner_one_is_alive_while_the_hook_runs(void **state)
{
	struct heard h = { 0 };
	struct ac_producer *p;
	int64_t n;

	(void)state;
	made = freed = 0;
	ac_producer_free(ac_hooked_producer(strict("x", 1, 1, 1, 0), hook, &h));
	assert_int_equal(h.freed_before, 0);
	assert_int_equal(freed, 1);
	p = ac_hooked_producer(strict("x", 1, 1, 1, 0), hook, &h);
	assert_int_equal(drain(p, &n), 0);
	assert_int_equal(h.freed_before, 1); /* only the other one */
	ac_producer_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(told_the_total_when_exhausted_and_not_before, epoll),
		ON(nothing_at_all_is_a_total_of_zero, epoll),
		ON(waits_and_pieces_of_any_length_do_not_count, epoll),
		ON(freed_before_the_end_is_minus_one, epoll),
		ON(error_is_passed_on_and_ends_in_minus_one, epoll),
		ON(told_also_when_it_could_not_be_made, epoll),
		ON(no_hook_is_nobody_to_tell, epoll),
		ON(hooks_around_hooks_each_once, epoll),
		ON(parts_that_were_not_reached_are_minus_one, epoll),
		ON(inner_one_is_alive_while_the_hook_runs, epoll),
	};

	return RUN(tests);
}
