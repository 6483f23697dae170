/* test_workers_stop.c — one loop a core: stopping those that have ended, or whose mailbox is another by now. */
#include "harness.h"

#include <asyncore/threads.h>
#include <stdatomic.h>

#define WORKERS 2

struct team {
	struct ac_map_opts map;
	atomic_int torn_down, may_go;
};

static void quiet(void *arg, enum ac_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	(void)text;
}

static struct ac_workers *start(struct world *w, struct team *t, struct ac_workers_opts o)
{
	struct ac_workers *workers = NULL;

	t->map = (struct ac_map_opts){ .poller = w->poller, .log = quiet };
	o.count = WORKERS;
	o.map = &t->map;
	o.arg = t;
	assert_int_equal(ac_workers_start(&o, &workers), 0);
	return workers;
}

static int leave(void *arg)
{
	(void)arg;
	return AC_EXIT;
}

/* One by a task, the other because there is nothing to do. */
static int end_soon(struct ac_map *map, unsigned index, void *arg)
{
	(void)arg;
	if (index == 0)
		ac_call_later(map, 0, leave, NULL);
	else
		ac_close_posts(map);
	return 0;
}

static int never_stopped(struct ac_map *map, unsigned index, void *arg)
{
	(void)map;
	(void)index;
	(void)arg;
	abort();
}

static void wait_for_stop(struct ac_map *map, unsigned index, void *arg)
{
	struct team *t = arg;

	(void)map;
	(void)index;
	t->torn_down++;
	while (!t->may_go)
		usleep(1000);
}

/* The stop waits in a mailbox that runs it while the map is freed. */
static void stop_during_teardown_calls_nobody(void **state)
{
	struct team t = { .torn_down = 0 };
	struct ac_workers *workers = start(*state, &t,
	                                   (struct ac_workers_opts){ .setup = end_soon,
	                                                             .stop = never_stopped,
	                                                             .teardown = wait_for_stop });

	while (t.torn_down < WORKERS)
		usleep(1000);
	ac_workers_stop(workers);
	t.may_go = 1;
	assert_int_equal(ac_workers_join(workers), 0);
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int begin_anew(struct ac_map *map, unsigned index, void *arg)
{
	(void)index;
	(void)arg;
	ac_close_all(map, false);
	if (ac_open_posts(map) < 0 || !ac_call_every(map, 1, nothing, NULL))
		return -ENOMEM;
	ac_close_posts(map);
	return 0;
}

/* It takes no posts, but can be stopped as the first. */
static void mailbox_made_anew_stays_as_well(void **state)
{
	struct team t = { .torn_down = 0 };
	struct ac_workers *workers =
		start(*state, &t, (struct ac_workers_opts){ .setup = begin_anew });

	assert_int_equal(ac_post(ac_workers_map(workers, 0), nothing, NULL), -ENOENT);
	ac_workers_stop(workers);
	alarm(20); /* or whoever joins waits for ever */
	assert_int_equal(ac_workers_join(workers), 0);
	alarm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(stop_during_teardown_calls_nobody),
		EACH(mailbox_made_anew_stays_as_well),
	};

	return RUN(tests);
}
