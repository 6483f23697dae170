/* test_fifo.c — the queue of producers by itself: order, count, the tail, and who frees what. */
#include "harness.h"

#include <stdlib.h>

#define MANY 64

/* Counts when it is freed; its place in the order tells which one it was. */
struct numbered {
	struct ac_producer p;
	int number;
};

static int freed, last_freed;

static int numbered_more(struct ac_producer *p, struct ac_slice *ret_slice)
{
	(void)p;
	*ret_slice = (struct ac_slice){ NULL, 0 };
	return 0;
}

static void numbered_free(struct ac_producer *p)
{
	freed++;
	last_freed = ((struct numbered *)p)->number;
	free(p);
}

static struct ac_producer *numbered(int number)
{
	static const struct ac_producer_class cls = { "numbered", numbered_more, numbered_free };
	struct numbered *n = calloc(1, sizeof(*n));

	n->p.cls = &cls;
	n->p.next = &n->p; /* what a pop left behind must not be followed */
	n->number = number;
	return &n->p;
}

static int number_of(const struct ac_producer *p)
{
	return ((const struct numbered *)p)->number;
}

static void is_sound(const struct ac_fifo *f, size_t count)
{
	struct ac_producer *const *at = &f->head;
	size_t n = 0;

	for (; *at; at = &(*at)->next)
		n++;
	assert_int_equal(n, count);
	assert_int_equal(f->count, count);
	assert_ptr_equal(f->tail, at);
	assert_int_equal(ac_fifo_is_empty(f), count == 0);
	assert_ptr_equal(ac_fifo_first(f), f->head);
}

static void empty_gives_nothing_however_often(void **state)
{
	struct ac_fifo f;

	(void)state;
	memset(&f, 0xff, sizeof(f));
	ac_fifo_init(&f);
	is_sound(&f, 0);
	for (int i = 0; i < 3; i++) {
		assert_null(ac_fifo_pop(&f));
		assert_null(ac_fifo_first(&f));
		is_sound(&f, 0);
	}
	ac_fifo_done(&f);
	is_sound(&f, 0);
}

static void tail_is_reset_by_the_pop_of_the_last(void **state)
{
	struct ac_fifo f;

	(void)state;
	ac_fifo_init(&f);
	for (int round = 0; round < 3; round++) {
		struct ac_producer *p = numbered(round);

		ac_fifo_push(&f, p);
		is_sound(&f, 1);
		assert_ptr_equal(ac_fifo_pop(&f), p);
		assert_null(p->next);
		is_sound(&f, 0);
		ac_producer_free(p); /* the next push would write into it */
	}
}

static void order_is_that_of_a_plain_queue(void **state)
{
	int model[MANY], first = 0, end = 0;
	unsigned seed = 1;
	struct ac_fifo f;

	(void)state;
	ac_fifo_init(&f);
	for (int i = 0; i < 4000; i++) {
		if (end - first < MANY && rand_r(&seed) % 2) {
			model[end % MANY] = i;
			end++;
			ac_fifo_push(&f, numbered(i));
		} else if (end > first) {
			struct ac_producer *p = ac_fifo_pop(&f);

			assert_int_equal(number_of(p), model[first % MANY]);
			assert_null(p->next); /* though others stood behind it */
			first++;
			ac_producer_free(p);
		}
		is_sound(&f, (size_t)(end - first));
	}
	ac_fifo_done(&f);
}

static void done_frees_what_is_left_and_no_more(void **state)
{
	struct ac_producer *popped;
	struct ac_fifo f;

	(void)state;
	freed = 0;
	ac_fifo_init(&f);
	for (int i = 0; i < 5; i++)
		ac_fifo_push(&f, numbered(i));
	popped = ac_fifo_pop(&f);
	ac_fifo_done(&f);
	assert_int_equal(freed, 4);
	assert_int_equal(last_freed, 4);
	is_sound(&f, 0);
	ac_fifo_push(&f, popped); /* it may be used again */
	is_sound(&f, 1);
	ac_fifo_done(&f);
	assert_int_equal(freed, 5);
}

static void free_of_no_producer_is_fine(void **state)
{
	(void)state;
	freed = 0;
	ac_producer_free(NULL);
	assert_int_equal(freed, 0);
	ac_producer_free(numbered(7));
	assert_int_equal(freed, 1);
	assert_int_equal(last_freed, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(empty_gives_nothing_however_often, epoll),
		ON(tail_is_reset_by_the_pop_of_the_last, epoll),
		ON(order_is_that_of_a_plain_queue, epoll),
		ON(done_frees_what_is_left_and_no_more, epoll),
		ON(free_of_no_producer_is_fine, epoll),
	};

	return RUN(tests);
}
