/* test_post_ends.c — what becomes of posts when the mailbox closes, the map goes, or the process forks. */
#include "posters.h"

#include <sys/wait.h>

struct inside {
	struct world *w;
	struct rec *r;
	int count, seen;
	void (*end)(struct ac_map *map);
};

static int run_passes(void *arg)
{
	struct inside *i = arg;

	passes(i->w, 5);
	i->seen = i->count;
	return 0;
}

/* The mailbox's handler is on the stack: it hears nothing meanwhile, others do. */
static void pass_inside_a_post_runs_no_others(void **state)
{
	struct inside i = { .w = *state, .seen = -1 };
	int fd;

	i.r = rec_pair(i.w, &fd);
	assert_int_equal(ac_set_terminator(&i.r->c, "\n", 1), 0);
	put(fd, "line\n");
	assert_int_equal(ac_open_posts(i.w->map), 0);
	assert_int_equal(ac_post(i.w->map, run_passes, &i), 0);
	assert_int_equal(ac_post(i.w->map, count_up, &i.count), 0);
	UNTIL(i.w, i.count == 1);
	assert_int_equal(i.seen, 0);
	assert_string_equal(i.r->trace, "C(line)F");
	close(fd);
}

static int end_map(void *arg)
{
	struct inside *i = arg;

	i->end(i->w->map);
	assert_int_equal(ac_post(i->w->map, count_up, &i->count), -ENOENT);
	i->seen = i->count;
	return 0;
}

static void close_all(struct ac_map *map)
{
	ac_close_all(map, false);
}

/* Whatever ends it, and from inside: those that wait are run, before any channel is closed. */
static void end_in_a_post_runs_the_rest_once(void **state)
{
	static void (*const ends[])(struct ac_map *) = { ac_close_posts, close_all, ac_map_free };
	struct world *w = *state;
	struct ac_map *before = w->map;

	for (int k = 0; k < 3; k++) {
		struct inside i = { .w = w, .end = ends[k], .seen = -1 };

		w->map = ac_map_new(&(struct ac_map_opts){ .poller = w->poller, .log = quiet });
		assert_int_equal(ac_open_posts(w->map), 0);
		assert_int_equal(ac_post(w->map, count_up, &i.count), 0);
		assert_int_equal(ac_post(w->map, end_map, &i), 0);
		for (int n = 0; n < 1000; n++)
			assert_int_equal(ac_post(w->map, count_up, &i.count), 0);
		while (i.seen < 0)
			ac_poll(w->map, 1);
		assert_int_equal(i.seen, 1001);
		assert_int_equal(i.count, 1001);
		if (ends[k] != ac_map_free)
			ac_map_free(w->map);
	}
	w->map = before;
}

static int channel_is_open(void *arg)
{
	struct inside *i = arg;

	i->seen = ac_connected(&i->r->c.d) && i->r->closes == 0;
	return 0;
}

static void posts_that_wait_run_before_channels_close(void **state)
{
	struct inside i = { .w = *state };
	int fd;

	i.r = rec_pair(i.w, &fd);
	assert_int_equal(ac_open_posts(i.w->map), 0);
	assert_int_equal(ac_post(i.w->map, channel_is_open, &i), 0);
	ac_close_all(i.w->map, false);
	assert_int_equal(i.seen, 1);
	close(fd);
}

/* Each post is run or refused, and nobody looks into the map that is gone. */
static void map_is_freed_while_eight_threads_post(void **state)
{
	struct world *w = *state;
	struct poster *posters[8];

	for (int round = 0; round < 10; round++) {
		struct ac_map *map =
			ac_map_new(&(struct ac_map_opts){ .poller = w->poller, .log = quiet });

		assert_int_equal(ac_open_posts(map), 0);
		for (int i = 0; i < 8; i++)
			go(posters[i] = poster_new(map, run_number, 1000000 / 8));
		for (int i = 0; i < 20; i++)
			ac_poll(map, 1);
		ac_map_free(map);
		for (int i = 0; i < 8; i++)
			finish(posters[i]);
		assert_int_equal(ac_post(map, leave, NULL), -ENOENT);
	}
}

/* A child that says what it found by its status. */
static void child_finds(struct world *w, int (*look)(struct world *w, int *count), int *count)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(look(w, count));
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static int child_frees(struct world *w, int *count)
{
	ac_map_free(w->map);
	return *count != 0 || ac_post(w->map, count_up, count) != -ENOENT;
}

/* It has what waited at the fork, and what it posts itself. */
static int child_serves(struct world *w, int *count)
{
	double until = ac_now(w->map) + 5;

	if (ac_post(w->map, count_up, count) < 0)
		return 1;
	while (*count < 2 && ac_now(w->map) < until)
		ac_poll(w->map, 1);
	return *count != 2;
}

static void child_and_parent_do_not_wake_each_other(void **state)
{
	struct world *w = *state;
	int count = 0;

	assert_int_equal(ac_open_posts(w->map), 0);
	passes(w, 2);
	assert_int_equal(ac_post(w->map, count_up, &count), 0);
	child_finds(w, child_frees, &count);
	child_finds(w, child_serves, &count); /* it reads its own descriptor, not the parent's */
	assert_int_equal(count, 0);
	UNTIL(w, count == 1);
	assert_in_range(waits_in(w, 0.3), 1, 12);
	assert_int_equal(count, 1);
}

/* Row E13: forks under load, and the child frees its map. */
static int child_frees_under_load(struct world *w, int *count)
{
	ac_map_free(w->map);
	return ac_post(w->map, count_up, count) != -ENOENT;
}

static void child_frees_its_map_while_threads_post(void **state)
{
	struct world *w = *state;
	struct poster *posters[THREADS];
	int count = 0;

	assert_int_equal(ac_open_posts(w->map), 0);
	for (int i = 0; i < THREADS; i++)
		go(posters[i] = poster_new(w->map, run_number, MANY));
	for (int i = 0; i < 20; i++) {
		ac_poll(w->map, 1);
		child_finds(w, child_frees_under_load, &count);
	}
	while (all_run(posters) < THREADS * MANY)
		assert_int_equal(ac_poll(w->map, 5), 0);
	for (int i = 0; i < THREADS; i++)
		finish(posters[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(pass_inside_a_post_runs_no_others),
		EACH(end_in_a_post_runs_the_rest_once),
		EACH(posts_that_wait_run_before_channels_close),
		EACH(map_is_freed_while_eight_threads_post),
		EACH(child_and_parent_do_not_wake_each_other),
		EACH(child_frees_its_map_while_threads_post),
	};

	return RUN(tests);
}
