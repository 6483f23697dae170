/* test_post.c — what other threads ask of a map: order, wake-ups, refusals, its end, forks. */
#include "harness.h"

#include <asyncore/threads.h>
#include <pthread.h>
#include <sys/wait.h>

#define THREADS 4

/* What a post leaves behind, in the map's thread alone. */
struct notes {
	struct ac_map *map;
	int count;
	int last[THREADS]; /* the number that thread posted last */
	bool in_order;
};

/* A thread that posts its numbers. */
struct poster {
	struct notes *notes;
	pthread_t thread;
	int index, next, count; /* next: to be run; count: to be posted */
	int posted, refused;
};

static int note(void *arg)
{
	struct poster *p = arg;

	p->next++;
	p->notes->count++;
	return 0;
}

static int count_up(void *arg)
{
	++*(int *)arg;
	return 0;
}

static void *post_all(void *arg)
{
	struct poster *p = arg;

	for (int i = 0; i < p->count; i++) {
		int r = ac_post(p->notes->map, note, p);

		p->posted += r == 0;
		p->refused += r == -ENOENT;
		if (r == -ENOBUFS) {
			sched_yield();
			i--;
		}
	}
	return NULL;
}

static void start(struct poster *p, struct notes *n, int index, int count)
{
	*p = (struct poster){ .notes = n, .index = index, .count = count };
	assert_int_equal(pthread_create(&p->thread, NULL, post_all, p), 0);
}

static int leave(void *arg)
{
	(void)arg;
	return AC_EXIT;
}

/* Nothing but posts keeps the loop going, and each of them is run. */
static void posts_from_threads_all_run(void **state)
{
	struct world *w = *state;
	struct notes n = { .map = w->map };
	struct poster posters[THREADS];

	assert_int_equal(ac_open_posts(w->map), 0);
	for (int i = 0; i < THREADS; i++)
		start(&posters[i], &n, i, 25000);
	while (n.count < THREADS * 25000)
		ac_poll(w->map, 1);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(posters[i].thread, NULL);
		assert_int_equal(posters[i].posted, 25000);
		assert_int_equal(posters[i].next, 25000);
	}
}

static void post_runs_and_exit_leaves_the_loop(void **state)
{
	struct world *w = *state;
	int count = 0;

	assert_int_equal(ac_post(w->map, count_up, &count), -ENOENT);
	assert_int_equal(ac_open_posts(w->map), 0);
	assert_int_equal(ac_post(w->map, NULL, &count), -EINVAL);
	assert_int_equal(ac_post(w->map, count_up, &count), 0);
	assert_int_equal(ac_post(w->map, leave, NULL), 0);
	assert_int_equal(count, 0);
	assert_int_equal(ac_loop(w->map, NULL), 1);
	assert_int_equal(count, 1);
	ac_close_posts(w->map);
	assert_int_equal(ac_post(w->map, count_up, &count), -ENOENT);
	assert_int_equal(ac_loop(w->map, NULL), 0);
	assert_int_equal(ac_map_channels(w->map), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(posts_from_threads_all_run),
		EACH(post_runs_and_exit_leaves_the_loop),
	};

	return RUN(tests);
}
