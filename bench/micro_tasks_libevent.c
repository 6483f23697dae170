/* micro_tasks_libevent.c — libevent's timers: a binary heap. Its events lie in memory of ours. */
#include "micro_tasks.h"
#include "micro.h"

#include <event2/event.h>
#include <event2/event_struct.h>

static struct event_base *base;
static struct event *all;
static void (*to_run)(void);

static void expired(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	(void)arg;
	fired++;
}

static void run(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	(void)arg;
	to_run();
}

static void init(size_t count)
{
	base = event_base_new();
	all = calloc(count, sizeof(*all));
	if (!base || !all)
		micro_die("no memory");
	for (size_t i = 0; i < count; i++)
		evtimer_assign(&all[i], base, expired, NULL);
}

static void done(void)
{
	event_base_free(base);
	free(all);
}

/* ONCE as well, or it would go on for as long as anything becomes due. */
static void pass(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
}

static void inside(void (*fn)(void))
{
	struct timeval none = { 0, 0 };
	struct event now;

	to_run = fn;
	evtimer_assign(&now, base, run, NULL);
	evtimer_add(&now, &none);
	pass();
}

static void insert(const struct delay *delays, size_t count)
{
	for (size_t i = 0; i < count; i++)
		evtimer_add(&all[i], &delays[i].tv);
}

static void cancel(size_t count)
{
	for (size_t i = 0; i < count; i++)
		evtimer_del(&all[i]);
}

static void churn(const uint32_t *order, const struct delay *delays, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		evtimer_del(&all[order[i]]);
		evtimer_add(&all[order[i]], &delays[i].tv);
	}
}

static const struct timers timers = {
	.peer = "libevent",
	.init = init,
	.insert = insert,
	.cancel = cancel,
	.churn = churn,
	.inside = inside,
	.pass = pass,
	.done = done,
};

const struct timers *const all_timers[] = { &timers, NULL };
