/* micro_tasks_libev.c — libev's timers: a heap of four children a node. */
#include "micro_tasks.h"
#include "micro.h"

#include <ev.h>

static struct ev_loop *loop;
static ev_timer *all;
static void (*to_run)(void);

static void expired(struct ev_loop *l, ev_timer *w, int events)
{
	(void)l;
	(void)w;
	(void)events;
	fired++;
}

static void run(struct ev_loop *l, ev_timer *w, int events)
{
	(void)l;
	(void)w;
	(void)events;
	to_run();
}

static void init(size_t count)
{
	loop = ev_loop_new(EVFLAG_AUTO);
	all = calloc(count, sizeof(*all));
	if (!loop || !all)
		micro_die("no memory");
	for (size_t i = 0; i < count; i++)
		ev_init(&all[i], expired);
}

static void done(void)
{
	ev_loop_destroy(loop);
	free(all);
}

static void pass(void)
{
	ev_run(loop, EVRUN_NOWAIT);
}

static void inside(void (*fn)(void))
{
	ev_timer now;

	to_run = fn;
	ev_timer_init(&now, run, 0, 0);
	ev_timer_start(loop, &now);
	pass();
}

static void insert(const struct delay *delays, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		ev_timer_set(&all[i], delays[i].seconds, 0);
		ev_timer_start(loop, &all[i]);
	}
}

static void cancel(size_t count)
{
	for (size_t i = 0; i < count; i++)
		ev_timer_stop(loop, &all[i]);
}

static void churn(const uint32_t *order, const struct delay *delays, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		ev_timer *w = &all[order[i]];

		ev_timer_stop(loop, w);
		ev_timer_set(w, delays[i].seconds, 0);
		ev_timer_start(loop, w);
	}
}

static const struct timers timers = {
	.peer = "libev",
	.init = init,
	.insert = insert,
	.cancel = cancel,
	.churn = churn,
	.inside = inside,
	.pass = pass,
	.done = done,
};

const struct timers *const all_timers[] = { &timers, NULL };
