/* micro_tasks_ours.c — this library's tasks, allocated by ac_call_later and embedded in a struct of ours. */
#include "micro_tasks.h"
#include "micro.h"

#include "../include/asyncore.h"

static struct ac_map *map;
static struct ac_task **called, *embedded;

static int expired(void *arg)
{
	(void)arg;
	fired++;
	return 0;
}

static void init(size_t count)
{
	map = ac_map_new(NULL);
	called = calloc(count, sizeof(struct ac_task *));
	embedded = calloc(count, sizeof(struct ac_task));
	if (!map || !called || !embedded)
		micro_die("no memory");
}

static void done(void)
{
	ac_map_free(map);
	free(called);
	free(embedded);
}

static int run(void *arg)
{
	(*(void (**)(void))arg)();
	return 0;
}

static void pass(void)
{
	if (ac_poll(map, 0) < 0)
		micro_die("a pass failed");
}

static void inside(void (*fn)(void))
{
	if (!ac_call_later(map, 0, run, &fn))
		micro_die("no memory");
	pass();
}

static void call_all(const struct delay *delays, size_t count)
{
	for (size_t i = 0; i < count; i++)
		called[i] = ac_call_later(map, delays[i].seconds, expired, NULL);
}

static void cancel_calls(size_t count)
{
	for (size_t i = 0; i < count; i++)
		ac_task_cancel(called[i]);
}

static void churn_calls(const uint32_t *order, const struct delay *delays, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		ac_task_cancel(called[order[i]]);
		called[order[i]] = ac_call_later(map, delays[i].seconds, expired, NULL);
	}
}

static void start_all(const struct delay *delays, size_t count)
{
	for (size_t i = 0; i < count; i++)
		ac_task_start(&embedded[i], map, delays[i].seconds, expired, NULL);
}

static void cancel_embedded(size_t count)
{
	for (size_t i = 0; i < count; i++)
		ac_task_cancel(&embedded[i]);
}

static void churn_embedded(const uint32_t *order, const struct delay *delays, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct ac_task *task = &embedded[order[i]];

		ac_task_cancel(task);
		ac_task_start(task, map, delays[i].seconds, expired, NULL);
	}
}

static const struct timers calls = {
	.peer = "ours",
	.init = init,
	.insert = call_all,
	.cancel = cancel_calls,
	.churn = churn_calls,
	.inside = inside,
	.pass = pass,
	.done = done,
};

static const struct timers starts = {
	.peer = "ours, embedded",
	.init = init,
	.insert = start_all,
	.cancel = cancel_embedded,
	.churn = churn_embedded,
	.inside = inside,
	.pass = pass,
	.done = done,
};

const struct timers *const all_timers[] = { &calls, &starts, NULL };
