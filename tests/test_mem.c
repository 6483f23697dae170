/*
 * test_mem.c — mem.c: one hook for everything, and no change of it under a living map.
 *
 * The hook here puts a mark in front of each block and hands out what lies behind it: memory that went to
 * libc's free, or came from elsewhere, is noticed at once.
 */
#include "harness.h"

#include <pthread.h>
#include <stdlib.h>

#include "../src/base/base.h"

#define MARK 0x6d61726b6d61726bu

struct head {
	uint64_t mark, size;
};

struct hook {
	long alive, calls;
	long fails_after; /* so many allocations succeed; negative: all */
};

static void *marked_realloc(void *ctx, void *ptr, size_t size)
{
	struct hook *hook = ctx;
	struct head *old = ptr ? (struct head *)ptr - 1 : NULL, *fresh = NULL;

	hook->calls++;
	if (old)
		assert_true(old->mark == MARK);
	if (size) {
		if (hook->fails_after == 0)
			return NULL;
		hook->fails_after -= hook->fails_after > 0;
		fresh = malloc(sizeof(*fresh) + size);
		memset(fresh, 0xA5, sizeof(*fresh) + size);
		*fresh = (struct head){ MARK, size };
		hook->alive++;
	}
	if (old && fresh)
		memcpy(fresh + 1, old + 1, old->size < size ? old->size : size);
	if (old) {
		memset(old, 0x5A, sizeof(*old) + old->size);
		free(old);
		hook->alive--;
	}
	return fresh ? fresh + 1 : NULL;
}

static struct hook hook;
static const struct ac_allocator marked = { marked_realloc, &hook };

static int setup(void **state)
{
	(void)state;
	hook = (struct hook){ .fails_after = -1 };
	return ac_set_allocator(&marked);
}

static int teardown(void **state)
{
	(void)state;
	return hook.alive != 0 || ac_set_allocator(NULL) != 0;
}

#define HOOKED(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

static void the_three_doors_lead_to_the_hook(void **state)
{
	char *p = ac_alloc_(40);

	(void)state;
	assert_int_equal(hook.alive, 1);
	for (int i = 0; i < 40; i++)
		assert_int_equal(p[i], 0); /* though the hook gives dirty memory */
	memset(p, 'x', 40);
	p = ac_realloc_(p, 4000);
	assert_int_equal(p[39], 'x');
	assert_int_equal(hook.alive, 1);
	ac_free_(p);
	assert_int_equal(hook.alive, 0);
	assert_int_equal(hook.calls, 3);
}

static void nothing_is_freed_without_the_hook(void **state)
{
	(void)state;
	ac_free_(NULL);
	assert_int_equal(hook.calls, 0);
}

static void zero_bytes_are_no_memory(void **state)
{
	void *p;

	(void)state;
	assert_null(ac_alloc_(0));
	p = ac_alloc_(1);
	assert_null(ac_realloc_(p, 0));
	assert_int_equal(hook.alive, 0);
	assert_int_equal(ac_set_allocator(NULL), 0);
	assert_null(ac_alloc_(0)); /* libc's own may give one */
	p = ac_alloc_(1);
	assert_null(ac_realloc_(p, 0));
}

static void no_memory_is_null_and_the_old_block_stays(void **state)
{
	char *p = ac_alloc_(8);

	(void)state;
	hook.fails_after = 0;
	assert_null(ac_alloc_(8));
	p[7] = 'x';
	assert_null(ac_realloc_(p, 80));
	assert_int_equal(p[7], 'x');
	ac_free_(p);
}

static int no_call(void *arg)
{
	(void)arg;
	return 0;
}

/* A bit of everything that holds memory: a chat with queued output and a record begun, tasks, a poller. */
static void use_the_library(const char *poller)
{
	struct ac_map_opts opts = { .poller = poller };
	struct ac_map *m = ac_map_new(&opts);
	struct rec *r;
	int fds[2];

	assert_non_null(m);
	unix_pair(fds);
	r = (struct rec *)ac_chat_adopt(m, &rec_class, fds[0], NULL);
	assert_non_null(r);
	assert_int_equal(ac_set_terminator(&r->c, "\r\n", 2), 0);
	assert_true(ac_push(&r->c, "text", 4) >= 0);
	assert_int_equal(ac_set_timeout(&r->c.d, 10), 0);
	put(fds[1], "half a record");
	assert_non_null(ac_call_later(m, 10, no_call, NULL));
	for (int i = 0; i < 4; i++)
		ac_poll(m, 0);
	assert_true(ac_map_memory(m) > 0);
	assert_true(hook.alive > 4);
	ac_map_free(m);
	close(fds[1]);
}

static void whole_library_allocates_through_the_hook(void **state)
{
	(void)state;
	use_the_library("epoll");
	use_the_library("poll");
	use_the_library("select");
	assert_int_equal(hook.alive, 0);
}

static void hook_stays_while_any_map_lives(void **state)
{
	struct ac_map *first = ac_map_new(NULL), *second = ac_map_new(NULL);
	long calls;

	(void)state;
	ac_map_free(first);
	assert_int_equal(ac_set_allocator(NULL), -EBUSY);
	assert_int_equal(ac_set_allocator(&marked), -EBUSY);
	calls = hook.calls;
	ac_free_(ac_alloc_(1));
	assert_int_equal(hook.calls, calls + 2); /* refused means unchanged */
	ac_map_free(second);
	assert_int_equal(ac_set_allocator(NULL), 0);
	calls = hook.calls;
	ac_free_(ac_alloc_(1));
	assert_int_equal(hook.calls, calls);
}

static void *own_map(void *arg)
{
	pthread_barrier_t *steps = arg;

	assert_non_null(ac_map_default());
	pthread_barrier_wait(steps);
	pthread_barrier_wait(steps);
	return NULL; /* the thread's end frees its map */
}

static void map_of_another_thread_counts(void **state)
{
	pthread_barrier_t steps;
	pthread_t thread;

	(void)state;
	pthread_barrier_init(&steps, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, own_map, &steps), 0);
	pthread_barrier_wait(&steps);
	assert_int_equal(ac_set_allocator(NULL), -EBUSY);
	pthread_barrier_wait(&steps);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&steps);
	assert_int_equal(ac_set_allocator(&marked), 0);
}

static void drop_line(void *arg, enum ac_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	(void)text;
}

/* A map that could not be made must not forbid the hook for ever. */
static void map_that_failed_does_not_count(void **state)
{
	struct ac_map_opts unknown = { .poller = "nosuch", .log = drop_line };
	struct ac_map *m = NULL;
	int failures = 0;

	(void)state;
	assert_null(ac_map_new(&unknown));
	assert_int_equal(ac_set_allocator(&marked), 0);
	for (long n = 0; !m; n++) {
		hook.fails_after = n;
		m = ac_map_new(NULL);
		if (m)
			break;
		failures++;
		assert_int_equal(hook.alive, 0);
		assert_int_equal(ac_set_allocator(&marked), 0);
	}
	assert_true(failures > 1);
	hook.fails_after = -1;
	ac_map_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOOKED(the_three_doors_lead_to_the_hook),
		HOOKED(nothing_is_freed_without_the_hook),
		HOOKED(zero_bytes_are_no_memory),
		HOOKED(no_memory_is_null_and_the_old_block_stays),
		HOOKED(whole_library_allocates_through_the_hook),
		HOOKED(hook_stays_while_any_map_lives),
		HOOKED(map_of_another_thread_counts),
		HOOKED(map_that_failed_does_not_count),
	};

	return RUN(tests);
}
