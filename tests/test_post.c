/* test_post.c — what other threads ask of a map: order, wake-ups, turns, refusals. */
#include "posters.h"

#include <stdatomic.h>

static void order_is_kept_from_each_thread(void **state)
{
	struct world *w = *state;
	struct poster *posters[THREADS];

	assert_int_equal(ac_open_posts(w->map), 0);
	for (int i = 0; i < THREADS; i++)
		go(posters[i] = poster_new(w->map, run_number, MANY));
	while (all_run(posters) < THREADS * MANY)
		assert_int_equal(ac_poll(w->map, 5), 0);
	for (int i = 0; i < THREADS; i++)
		finish(posters[i]);
}

/* Row E7: a channel that another thread wants closed is closed by the loop, which lives on. */
static int victim_closed(struct rec *r)
{
	*(struct rec **)r->arg = NULL;
	return 0;
}

static void new_victim(struct poster *p)
{
	int fd;
	struct rec *r = rec_pair(p->w, &fd);

	put(fd, "some input\n");
	close(fd);
	r->on_close = victim_closed;
	r->arg = p->victim;
	*p->victim = r;
}

static int close_channel(void *arg)
{
	const struct number *n = arg;
	struct poster *p = n->poster;

	run_number(arg);
	if (n->number % 25 == 0) {
		if (*p->victim)
			ac_close(&(*p->victim)->c.d);
		new_victim(p);
	}
	return 0;
}

static void closing_from_another_thread_leaves_the_loop_alive(void **state)
{
	struct world *w = *state;
	struct poster *posters[THREADS];
	struct rec *victim = NULL;
	int lives = 0;

	assert_int_equal(ac_open_posts(w->map), 0);
	for (int i = 0; i < THREADS; i++) {
		posters[i] = poster_new(w->map, close_channel, MANY);
		posters[i]->victim = &victim;
		posters[i]->w = w;
		go(posters[i]);
	}
	while (all_run(posters) < THREADS * MANY)
		assert_int_equal(ac_poll(w->map, 5), 0);
	for (int i = 0; i < THREADS; i++)
		finish(posters[i]);
	assert_int_equal(ac_post(w->map, count_up, &lives), 0);
	UNTIL(w, lives == 1);
	if (victim)
		ac_close(&victim->c.d);
}

/* One at a time, each when the one before has run: the loop is always just about to wait. */
struct ping {
	struct ac_map *map;
	atomic_int run;
};

static int pong(void *arg)
{
	((struct ping *)arg)->run++;
	return 0;
}

static void *ping_often(void *arg)
{
	struct ping *p = arg;

	for (int i = 0; i < 20000; i++) {
		if (ac_post(p->map, pong, p) < 0)
			break;
		while (p->run == i)
			;
	}
	return NULL;
}

static void wake_up_is_not_lost_before_a_wait(void **state)
{
	struct world *w = *state;
	struct ping p = { .map = w->map };
	pthread_t thread;

	assert_int_equal(ac_open_posts(w->map), 0);
	assert_int_equal(pthread_create(&thread, NULL, ping_often, &p), 0);
	while (p.run < 20000) {
		double before = ac_now(w->map);

		ac_poll(w->map, 30);
		assert_true(ac_now(w->map) - before < 25); /* slept through it */
	}
	pthread_join(thread, NULL);
}

struct again {
	struct ac_map *map;
	int count, limit, result;
};

static int post_again(void *arg)
{
	struct again *a = arg;

	if (++a->count < a->limit)
		a->result = ac_post(a->map, post_again, a);
	return 0;
}

/* What a post posts waits for the next pass, or it could keep the loop from everything else. */
static void post_that_posts_itself_shares_the_loop(void **state)
{
	struct world *w = *state;
	static struct again a; /* the last post runs when the map is freed */
	int fd;
	struct rec *r = rec_pair(w, &fd);

	a = (struct again){ .map = w->map, .limit = 1000000 };
	assert_int_equal(ac_set_terminator(&r->c, "\n", 1), 0);
	assert_int_equal(ac_open_posts(w->map), 0);
	assert_int_equal(ac_post(w->map, post_again, &a), 0);
	put(fd, "line\n");
	for (int i = 0; i < 10 && !strchr(r->trace, 'F'); i++)
		ac_poll(w->map, 1);
	assert_string_equal(r->trace, "C(line)F");
	assert_in_range(a.count, 1, 20);
	a.limit = 0;
	close(fd);
}

/* Two thousand at once take several passes, in which a channel is heard, and none waits for the next event. */
static void many_at_once_take_turns_with_channels(void **state)
{
	struct world *w = *state;
	struct poster *p = poster_new(w->map, run_number, 2000);
	int fd;
	struct rec *r = rec_pair(w, &fd);

	assert_int_equal(ac_set_terminator(&r->c, "\n", 1), 0);
	assert_int_equal(ac_open_posts(w->map), 0);
	go(p);
	pthread_join(p->thread, NULL);
	put(fd, "line\n");
	ac_poll(w->map, 1);
	assert_in_range(p->next, 1, 600);
	for (int i = 0; i < 8; i++) {
		double wait = ac_next_timeout(w->map);

		assert_true(p->next == 2000 || wait == 0);
		ac_poll(w->map, p->next < 2000 ? 30 : 0);
		if (i == 1)
			assert_string_equal(r->trace, "C(line)F");
	}
	assert_int_equal(p->next, 2000);
	assert_false(p->out_of_order);
	free(p);
	close(fd);
}

static void limit_holds_at_its_edges(void **state)
{
	struct world *w = *state;
	int count = 0;
	size_t memory;

	assert_int_equal(ac_set_post_limit(w->map, 10), -ENOENT);
	assert_int_equal(ac_open_posts(w->map), 0);
	memory = ac_map_memory(w->map);
	assert_int_equal(ac_set_post_limit(w->map, 10), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(ac_post(w->map, count_up, &count), 0);
	assert_int_equal(ac_posts_refused(w->map), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ac_post(w->map, count_up, &count), -ENOBUFS);
	assert_int_equal(ac_posts_refused(w->map), 3);
	UNTIL(w, count == 10);
	assert_true(ac_map_memory(w->map) > memory);
	assert_non_null(strstr(w->log, "3 posts were refused"));
	for (int i = 0; i < 11; i++)
		ac_post(w->map, count_up, &count);
	passes(w, 3);
	assert_int_equal(count, 20);
	assert_int_equal(ac_posts_refused(w->map), 4);
	assert_null(strstr(w->log, "1 posts")); /* not within the same second */
	assert_int_equal(ac_set_post_limit(w->map, SIZE_MAX), 0);
	for (int i = 0; i < 70000; i++)
		assert_int_equal(ac_post(w->map, count_up, &count), 0);
	assert_int_equal(ac_set_post_limit(w->map, 0), 0);
	assert_int_equal(ac_post(w->map, count_up, &count), -ENOBUFS);
	UNTIL(w, count == 70020);
}

static void post_runs_and_exit_leaves_the_loop(void **state)
{
	struct world *w = *state;
	int count = 0;

	assert_int_equal(ac_post(w->map, count_up, &count), -ENOENT);
	assert_int_equal(ac_open_posts(w->map), 0);
	assert_int_equal(ac_open_posts(w->map), 0);
	assert_int_equal(ac_post(w->map, NULL, &count), -EINVAL);
	assert_int_equal(ac_post(w->map, count_up, &count), 0);
	assert_int_equal(ac_post(w->map, leave, NULL), 0);
	assert_int_equal(count, 0);
	assert_int_equal(ac_loop(w->map, NULL), 1);
	assert_int_equal(count, 1);
	ac_close_posts(w->map);
	ac_close_posts(w->map);
	assert_int_equal(ac_post(w->map, count_up, &count), -ENOENT);
	assert_int_equal(ac_loop(w->map, NULL), 0);
	assert_int_equal(ac_map_channels(w->map), 0);
	assert_int_equal(ac_open_posts(w->map), 0);
	assert_int_equal(ac_post(w->map, count_up, &count), 0);
	UNTIL(w, count == 2);
}

static int break_down(void *arg)
{
	(void)arg;
	return -EDOM;
}

static int show(struct ac_dispatcher *d, void *arg)
{
	(void)d;
	++*(int *)arg;
	return 0;
}

static void failed_post_is_logged_and_the_mailbox_stays_hidden(void **state)
{
	struct world *w = *state;
	int shown = 0, count = 0;

	assert_int_equal(ac_open_posts(w->map), 0);
	assert_int_equal(ac_map_channels(w->map), 1);
	ac_map_each(w->map, show, &shown);
	assert_int_equal(shown, 0);
	assert_int_equal(ac_post(w->map, break_down, NULL), 0);
	assert_int_equal(ac_post(w->map, count_up, &count), 0);
	UNTIL(w, count == 1);
	assert_non_null(strstr(w->log, "a post failed (EDOM"));
}

static void no_memory_is_an_error_and_nothing_else(void **state)
{
	struct world *w = *state;
	int count = 0, r;

	for (int nth = 1; nth < 100; nth++) {
		fail_allocation(nth, true);
		r = ac_open_posts(w->map);
		if (!allocation_failed())
			break;
		assert_int_equal(r, -ENOMEM);
	}
	fail_allocation(1, true);
	assert_int_equal(ac_post(w->map, count_up, &count), -ENOMEM);
	fail_allocation(0, false);
	assert_int_equal(ac_post(w->map, count_up, &count), 0);
	UNTIL(w, count == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(order_is_kept_from_each_thread),
		EACH(closing_from_another_thread_leaves_the_loop_alive),
		EACH(wake_up_is_not_lost_before_a_wait),
		EACH(post_that_posts_itself_shares_the_loop),
		EACH(many_at_once_take_turns_with_channels),
		EACH(limit_holds_at_its_edges),
		EACH(post_runs_and_exit_leaves_the_loop),
		EACH(failed_post_is_logged_and_the_mailbox_stays_hidden),
		EACH(no_memory_is_an_error_and_nothing_else),
	};

	return RUN(tests);
}
