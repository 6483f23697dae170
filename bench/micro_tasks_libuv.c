/* micro_tasks_libuv.c — libuv's timers: a heap of linked nodes. */
#include "micro_tasks.h"
#include "micro.h"

#include <uv.h>

static uv_loop_t loop;
static uv_timer_t *all, now;
static void (*to_run)(void);

static void expired(uv_timer_t *timer)
{
	(void)timer;
	fired++;
}

static void run(uv_timer_t *timer)
{
	(void)timer;
	to_run();
}

static void init(size_t count)
{
	all = calloc(count, sizeof(*all));
	if (!all || uv_loop_init(&loop) < 0)
		micro_die("no memory");
	uv_timer_init(&loop, &now);
	for (size_t i = 0; i < count; i++)
		uv_timer_init(&loop, &all[i]);
}

static void close_one(uv_handle_t *handle, void *arg)
{
	(void)arg;
	uv_close(handle, NULL);
}

static void done(void)
{
	uv_walk(&loop, close_one, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	free(all);
}

static void pass(void)
{
	uv_run(&loop, UV_RUN_NOWAIT);
}

static void inside(void (*fn)(void))
{
	to_run = fn;
	uv_timer_start(&now, run, 0, 0);
	pass();
}

static void insert(const struct delay *delays, size_t count)
{
	for (size_t i = 0; i < count; i++)
		uv_timer_start(&all[i], expired, delays[i].ms, 0);
}

static void cancel(size_t count)
{
	for (size_t i = 0; i < count; i++)
		uv_timer_stop(&all[i]);
}

static void churn(const uint32_t *order, const struct delay *delays, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uv_timer_stop(&all[order[i]]);
		uv_timer_start(&all[order[i]], expired, delays[i].ms, 0);
	}
}

static const struct timers timers = {
	.peer = "libuv",
	.init = init,
	.insert = insert,
	.cancel = cancel,
	.churn = churn,
	.inside = inside,
	.pass = pass,
	.done = done,
};

const struct timers *const all_timers[] = { &timers, NULL };
