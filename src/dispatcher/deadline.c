/*
 * deadline.c — how long a channel may take: idle, with a record, with its output, and at which pace.
 *
 * Design: bytes that come and go only store the time. One task for each channel looks when the first of its
 * deadlines has passed, finds that it has moved meanwhile, and waits on. What the peer is not to blame for
 * does not count: while its input is not read, or we wait for our own rates, a deadline begins anew. The
 * kernel may hold megabytes that a slow peer takes in minutes while nothing of ours moves: what it has
 * acknowledged is asked before a peer is found guilty.
 * Under stress all of them are shorter.
 */
#include "rate.h"

#include <errno.h>

#define SECOND INT64_C(1000000000)
#define NEVER INT64_MAX

static int look(void *arg);

int64_t ac_patience_(const struct ac_map *m, int64_t time)
{
	int64_t least = time < SECOND ? time : SECOND, less;

	if (!m->stressed)
		return time;
	less = (int64_t)((double)time * m->stress_factor);
	return less > least ? less : least;
}

static int64_t limit_time(const struct ac_dispatcher *d, enum ac_limit which)
{
	size_t ms = ac_limit_(d, which);

	return ms > (size_t)(NEVER / 4000000) ? NEVER : ac_patience_(d->map, (int64_t)ms * 1000000);
}

/* What `bytes` allow at the lowest pace, beyond the grace. */
static int64_t pace_time(const struct ac_dispatcher *d, uint64_t bytes)
{
	const struct ac_extra *e = d->extra;
	double seconds = (double)bytes / (double)e->pace;

	return ac_patience_(d->map, ac_ns_(e->grace)) + ac_ns_(seconds);
}

/* Bytes of ours that its kernel has not acknowledged. */
static size_t held_by_kernel(const struct ac_dispatcher *d)
{
	int n = ac_sys_unsent_(d->fd);

	return n > 0 ? (size_t)n : 0;
}

static uint64_t taken(const struct ac_dispatcher *d, size_t held)
{
	const struct ac_extra *e = d->extra;
	uint64_t out = ac_metered_out_(d) - e->out_before + e->held_before;

	return out > held ? out - held : 0;
}

static int64_t first_of(int64_t a, int64_t from, int64_t time)
{
	return time == NEVER || from > NEVER - time || a < from + time ? a : from + time;
}

/* When to look again. Whether output stalls is seen by two looks. */
static int64_t next_look(const struct ac_dispatcher *d)
{
	const struct ac_extra *e = d->extra;
	int64_t due = NEVER, stall = limit_time(d, AC_MAX_STALL);

	if (e->timeout > 0)
		due = first_of(due, e->active, ac_patience_(d->map, ac_ns_(e->timeout)));
	if (e->record)
		due = first_of(due, e->record, limit_time(d, AC_MAX_RECORD_TIME));
	if (e->waits)
		due = first_of(due, e->gave, e->looked || stall == NEVER ? stall : stall / 2);
	if (e->record && e->pace)
		due = first_of(due, e->record, pace_time(d, ac_metered_in_(d) - e->in_before));
	if (e->waits && e->pace)
		due = first_of(due, e->waits, pace_time(d, taken(d, e->held)));
	return due;
}

/* Those that are due later than the task are found when it looks. */
void ac_look_later_(struct ac_dispatcher *d)
{
	struct ac_task *t = &d->extra->deadline;
	int64_t due = next_look(d);

	if (due == NEVER || (d->flags & AC_IS_CLOSING))
		ac_task_cancel(t);
	else if (!t->link || t->due > due)
		ac_task_start_inner_(t, d->map, due, look, d);
}

static void begin_record(struct ac_extra *e, const struct ac_dispatcher *d)
{
	e->record = ac_map_time_(d->map);
	e->in_before = ac_metered_in_(d);
}

static void begin_wait(struct ac_extra *e, const struct ac_dispatcher *d)
{
	e->waits = e->gave = ac_map_time_(d->map);
	e->looked = false;
	if (!e->pace)
		return;
	e->out_before = ac_metered_out_(d);
	e->held = e->held_before = held_by_kernel(d);
}

static bool is_not_read(const struct ac_dispatcher *d)
{
	return (d->flags & (AC_IS_PAUSED | AC_IS_CHOKED | AC_IS_HOLDING | AC_IS_DETACHED)) ||
	       ac_metered_waits_(d, AC_IN);
}

static enum ac_timeout judge_record(struct ac_dispatcher *d, int64_t now)
{
	struct ac_extra *e = d->extra;
	int64_t most = limit_time(d, AC_MAX_RECORD_TIME);

	if (!e->record)
		return AC_IN_TIME;
	if (is_not_read(d)) {
		begin_record(e, d);
		return AC_IN_TIME;
	}
	if (most != NEVER && now - e->record >= most)
		return AC_RECORD_LATE;
	if (e->pace && now - e->record >= pace_time(d, ac_metered_in_(d) - e->in_before))
		return AC_TOO_SLOW;
	return AC_IN_TIME;
}

static enum ac_timeout judge_output(struct ac_dispatcher *d, int64_t now)
{
	struct ac_extra *e = d->extra;
	int64_t most = limit_time(d, AC_MAX_STALL);
	size_t held;

	if (!e->waits)
		return AC_IN_TIME;
	if ((d->flags & AC_IS_DETACHED) || ac_metered_waits_(d, AC_OUT)) {
		begin_wait(e, d);
		return AC_IN_TIME;
	}
	held = held_by_kernel(d);
	if (e->looked && held < e->held)
		e->gave = now; /* of what it has been given the peer has taken some */
	e->held = held;
	if (now - e->gave >= most / 2)
		e->looked = true;
	if (most != NEVER && now - e->gave >= most)
		return AC_STALLED;
	return e->pace && now - e->waits >= pace_time(d, taken(d, held)) ? AC_TOO_SLOW : AC_IN_TIME;
}

static const struct {
	enum ac_counter counter;
	const char *text;
} late[] = {
	[AC_RECORD_LATE] = { AC_COUNT_RECORD_LATE, "a record does not come to its end" },
	[AC_STALLED] = { AC_COUNT_STALLED, "output is not taken" },
	[AC_TOO_SLOW] = { AC_COUNT_TOO_SLOW, "slower than it may be" },
};

enum ac_counter ac_counter_of_(enum ac_timeout what)
{
	return late[what].counter;
}

/* What was late has as long again, for a handler that lets it go on. */
static void raise_late(struct ac_dispatcher *d, enum ac_timeout what)
{
	struct ac_extra *e = d->extra;

	if (e->record)
		begin_record(e, d);
	if (e->waits)
		begin_wait(e, d);
	if (!ac_enter_(d))
		return;
	ac_count_(d->map, ac_counter_of_(what));
	e->late = (uint8_t)what;
	ac_failed_(d, ac_raisef(d, ETIMEDOUT, "%s", late[what].text), "deadline");
	e->late = AC_IN_TIME;
	ac_leave_(d);
}

static void be_idle(struct ac_dispatcher *d)
{
	d->extra->active = ac_map_time_(d->map);
	ac_count_(d->map, AC_COUNT_IDLE);
	if (ac_enter_(d)) {
		ac_call_(d, d->cls->handle_timeout, "handle_timeout");
		ac_leave_(d);
	}
}

static int look(void *arg)
{
	struct ac_dispatcher *d = arg;
	struct ac_extra *e = d->extra;
	int64_t now = ac_map_time_(d->map), idle = ac_patience_(d->map, ac_ns_(e->timeout));
	enum ac_timeout what = judge_output(d, now);

	if (what == AC_IN_TIME)
		what = judge_record(d, now);
	if (what != AC_IN_TIME)
		raise_late(d, what);
	else if (e->timeout > 0 && now - e->active >= idle)
		be_idle(d);
	if (!(d->flags & AC_IS_CLOSING))
		ac_look_later_(d);
	return 0;
}

/* ---- what begins and ends ---------------------------------------------------------------- */

void ac_record_begins_(struct ac_dispatcher *d)
{
	bool bounded = ac_limit_(d, AC_MAX_RECORD_TIME) != SIZE_MAX || (d->extra && d->extra->pace);

	if (!bounded)
		ac_record_ends_(d);
	if (!bounded || !ac_extra_(d)) /* without memory nobody can look after it */
		return;
	begin_record(d->extra, d);
	ac_look_later_(d);
}

void ac_output_waits_(struct ac_dispatcher *d)
{
	bool bounded = ac_limit_(d, AC_MAX_STALL) != SIZE_MAX || (d->extra && d->extra->pace);

	if (!bounded || !ac_extra_(d))
		return;
	begin_wait(d->extra, d);
	ac_look_later_(d);
}

enum ac_timeout ac_timed_out(const struct ac_dispatcher *d)
{
	return d->extra ? (enum ac_timeout)d->extra->late : AC_IN_TIME;
}

int ac_set_timeout(struct ac_dispatcher *d, double seconds)
{
	if (d->flags & AC_IS_CLOSING)
		return 0;
	if (!ac_is_time_(seconds))
		return ac_raise(d, EINVAL);
	if (!ac_extra_(d))
		return ac_raise(d, ENOMEM);
	d->extra->timeout = seconds;
	d->extra->active = ac_map_time_(d->map);
	ac_look_later_(d);
	return 0;
}

int ac_set_min_rate(struct ac_dispatcher *d, uint64_t bytes_per_second, double grace)
{
	int r;

	if (d->flags & AC_IS_CLOSING)
		return 0;
	if (!ac_is_time_(grace))
		return ac_raise(d, EINVAL);
	r = bytes_per_second ? ac_need_meter_(d) : ac_extra_(d) ? 0 : -ENOMEM;
	if (r < 0)
		return ac_raise(d, -r);
	d->extra->pace = bytes_per_second;
	d->extra->grace = grace;
	if (d->extra->record)
		begin_record(d->extra, d);
	if (d->extra->waits)
		begin_wait(d->extra, d);
	ac_look_later_(d);
	return 0;
}
