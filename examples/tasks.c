/*
 * tasks.c — calls made later: once, at an interval, put off, called off, without an allocation.
 *
 * There is no channel here: the loop ends when the last task is gone.
 */
#include <asyncore.h>

struct countdown {
	struct ac_task task; /* embedded: nothing is allocated, and it may be started anew */
	struct ac_map *map;
	int left;
};

static int say(void *arg)
{
	puts(arg);
	return 0;
}

static int count_down(void *arg)
{
	struct countdown *c = arg;

	printf("%d\n", c->left--);
	return c->left ? ac_task_start(&c->task, c->map, 0.02, count_down, c) : 0;
}

struct ticker {
	struct ac_task *task;
	int ticks;
};

static int tick(void *arg)
{
	struct ticker *t = arg;

	printf("tick %d\n", ++t->ticks);
	if (t->ticks == 3)
		ac_task_cancel(t->task); /* in its own call, too */
	return 0;
}

int main(void)
{
	struct ac_map *map = ac_map_new(NULL);
	struct countdown countdown = { .map = map, .left = 3 };
	struct ticker ticker = { .ticks = 0 };
	struct ac_task *early, *late, *never;

	if (!map)
		return 1;
	early = ac_call_later(map, 5, say, "was to be late, and was brought forward");
	late = ac_call_later(map, 0, say, "was to be first, and was put off");
	never = ac_call_later(map, 0.1, say, "was called off");
	ticker.task = ac_call_every(map, 0.1, tick, &ticker);
	if (!early || !late || !never || !ticker.task)
		return 1;
	ac_task_reset(early, 0);
	ac_task_delay(late, 0.5);
	ac_task_cancel(never);
	ac_task_start(&countdown.task, map, 0.01, count_down, &countdown);
	ac_loop(map, NULL);
	ac_map_free(map);
	return 0;
}
