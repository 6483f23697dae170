/*
 * task.c — calls to be made later.
 *
 * Design: a pass runs what was due when it began to run tasks; each task carries the round in which it was
 * set, and those of the present round or later wait. A periodic task is set again before it is called, so
 * that it may cancel or reset itself.
 * Invariant: an embedded task is not touched after its function was called, because that may have freed
 * it. An allocated one counts its calls on the stack and is freed when the last returns and it is idle.
 */
#include "map.h"

#include <errno.h>
#include <math.h>

#define HEAP 1u
#define CALL 4u /* the calls on the stack are counted in steps of this */

#define HELD_WAIT_NS                                                                               \
	100000000 /* under AC_TASKS_HOLD the library's own tasks are looked at so often */

static void add(struct ac_task *t)
{
	t->round = t->map->round;
	t->map->inner_tasks += (t->flags & AC_TASK_INNER) != 0;
	ac_wheel_add_(&t->map->wheel, t);
}

static void take_out(struct ac_task *t)
{
	t->map->inner_tasks -= (t->flags & AC_TASK_INNER) != 0;
	ac_wheel_remove_(&t->map->wheel, t);
}

/* Delays add up: they stop at half of what fits, so that sums cannot overflow. */
static int64_t later(int64_t from, double seconds)
{
	int64_t ns = ac_ns_(seconds), most = INT64_MAX / 2;

	if (ns > 0)
		return from > most - ns ? most : from + ns;
	return from < -most - ns ? -most : from + ns;
}

/* No time at all means the next time tasks run, not the next tick. */
static int64_t after(int64_t from, double seconds)
{
	return seconds == 0 ? from - from % 1000000 : later(from, seconds);
}

static struct ac_task *task_new(struct ac_map *map, ac_task_fn *fn, void *arg, bool bad)
{
	struct ac_task *t;

	if (bad || !fn) {
		errno = EINVAL;
		return NULL;
	}
	map = ac_map_of_(map);
	t = map ? ac_alloc_(sizeof(*t)) : NULL;
	if (!t) {
		errno = ENOMEM;
		return NULL;
	}
	t->map = map;
	t->fn = fn;
	t->arg = arg;
	t->flags = HEAP;
	return t;
}

struct ac_task *ac_call_later(struct ac_map *map, double seconds, ac_task_fn *fn, void *arg)
{
	struct ac_task *t = task_new(map, fn, arg, !ac_is_time_(seconds));

	if (t) {
		t->due = after(ac_map_time_(t->map), seconds);
		add(t);
	}
	return t;
}

struct ac_task *ac_call_at(struct ac_map *map, double when, ac_task_fn *fn, void *arg)
{
	struct ac_task *t = task_new(map, fn, arg, !ac_is_time_(when));

	if (t) {
		t->due = ac_ns_(when);
		add(t);
	}
	return t;
}

struct ac_task *ac_call_every(struct ac_map *map, double seconds, ac_task_fn *fn, void *arg)
{
	struct ac_task *t = task_new(map, fn, arg, isnan(seconds) || seconds <= 0);

	if (t) {
		t->interval = ac_ns_(seconds);
		t->due = after(ac_map_time_(t->map), seconds);
		add(t);
	}
	return t;
}

int ac_task_start(struct ac_task *t, struct ac_map *map, double seconds, ac_task_fn *fn, void *arg)
{
	if (!ac_is_time_(seconds) || !fn)
		return -EINVAL;
	map = ac_map_of_(map);
	if (!map)
		return -ENOMEM;
	if (t->link)
		take_out(t);
	t->map = map;
	t->fn = fn;
	t->arg = arg;
	t->interval = 0;
	t->flags &= ~AC_TASK_INNER;
	t->due = after(ac_map_time_(map), seconds);
	add(t);
	return 0;
}

void ac_task_start_inner_(struct ac_task *t, struct ac_map *m, int64_t due, ac_task_fn *fn,
                          void *arg)
{
	if (t->link)
		take_out(t);
	*t = (struct ac_task){ .map = m, .fn = fn, .arg = arg, .due = due, .flags = AC_TASK_INNER };
	add(t);
}

static int set_due(struct ac_task *t, int64_t due)
{
	if (t->link)
		take_out(t);
	t->due = due;
	add(t);
	return 0;
}

int ac_task_reset(struct ac_task *t, double seconds)
{
	if (!ac_is_time_(seconds) || !t || !t->map)
		return -EINVAL;
	return set_due(t, after(ac_map_time_(t->map), seconds));
}

int ac_task_delay(struct ac_task *t, double seconds)
{
	if (isnan(seconds) || !t || !t->map)
		return -EINVAL;
	return set_due(t, later(t->due, seconds));
}

void ac_task_cancel(struct ac_task *t)
{
	if (!t || !t->link)
		return;
	take_out(t);
	if (t->flags == HEAP)
		ac_free_(t);
}

bool ac_task_pending(const struct ac_task *t)
{
	return t && t->link;
}

double ac_task_timeout(const struct ac_task *t)
{
	return t->map ? (double)(t->due - ac_map_time_(t->map)) / 1e9 : 0;
}

int ac_task_call(struct ac_task *t)
{
	bool heap = t->flags & HEAP;
	int r;

	if (!heap)
		return t->fn(t->arg);
	t->flags += CALL;
	r = t->fn(t->arg);
	t->flags -= CALL;
	if (!t->link && t->flags == HEAP)
		ac_free_(t);
	return r;
}

/* The next deadline on the task's own grid; those that have passed meanwhile are left out. */
static void set_next(struct ac_task *t, int64_t now)
{
	int64_t late = now > t->due ? (now - t->due) / t->interval : 0;

	t->due += (late + 1) * t->interval;
	add(t);
}

void ac_called_(struct ac_map *m, int r, const char *what)
{
	char text[512];

	if (r == AC_EXIT)
		m->exit = true;
	if (r >= 0 || r == AC_EXIT || r == -EAGAIN)
		return;
	ac_error_settle_(m, -r, what, "call");
	ac_compact_traceback(&m->error, text, sizeof(text));
	ac_map_log(m, AC_LOG_ERROR, "a %s failed %s", what, text);
}

static void fire(struct ac_map *m, struct ac_task *t)
{
	take_out(t);
	if (t->interval)
		set_next(t, ac_map_time_(m));
	m->error.code = 0;
	ac_called_(m, ac_task_call(t), "task");
}

/* The first task that is due and was set before this round. */
static struct ac_task *first_due(struct ac_map *m, uint32_t round, bool held)
{
	struct ac_task *t = m->wheel.due.head;

	while (t && held && !(t->flags & AC_TASK_INNER))
		t = t->next;
	return t && (int32_t)(t->round - round) < 0 ? t : NULL;
}

void ac_tasks_run_(struct ac_map *m, bool held)
{
	uint32_t round;
	struct ac_task *t;

	if (m->wheel.count == 0)
		return;
	round = ++m->round;
	ac_wheel_advance_(&m->wheel, ac_map_time_(m));
	while ((t = first_due(m, round, held)) != NULL)
		fire(m, t);
}

static void drop_list(struct ac_wheel_list *list)
{
	while (list->head)
		ac_task_cancel(list->head);
}

void ac_tasks_drop_(struct ac_map *m)
{
	drop_list(&m->wheel.due);
	for (int level = 0; m->wheel.count && level < AC_WHEEL_LEVELS; level++)
		for (int slot = 0; slot < AC_WHEEL_SLOTS; slot++)
			drop_list(&m->wheel.slots[level][slot]);
}

int64_t ac_tasks_wait_(struct ac_map *m, bool held, int64_t timeout)
{
	int64_t wait = -1;

	if (held && m->inner_tasks)
		wait = HELD_WAIT_NS;
	else if (!held && m->wheel.count)
		wait = ac_wheel_next_(&m->wheel) - ac_clock_();
	else
		return timeout;
	if (wait < 0)
		wait = 0;
	return timeout < 0 || wait < timeout ? wait : timeout;
}
