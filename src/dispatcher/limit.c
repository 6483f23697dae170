/*
 * limit.c — bounds of one channel: its limits, and how long it may be idle.
 *
 * Design: bytes that come or go only store the time; the task that looks after the timeout finds the new
 * deadline when the old one has passed, and waits on.
 */
#include "dispatcher.h"

#include <errno.h>
#include <math.h>

struct ac_extra *ac_extra_(struct ac_dispatcher *d)
{
	if (!d->extra)
		d->extra = ac_alloc_(sizeof(*d->extra));
	return d->extra;
}

int ac_set_limit(struct ac_dispatcher *d, enum ac_limit which, size_t value)
{
	if ((unsigned)which >= AC_LIMITS)
		return ac_raise(d, EINVAL);
	if (!ac_extra_(d))
		return ac_raise(d, ENOMEM);
	d->extra->limits[which] = value;
	return 0;
}

size_t ac_limit(const struct ac_dispatcher *d, enum ac_limit which)
{
	return (unsigned)which < AC_LIMITS ? ac_limit_(d, which) : 0;
}

void ac_refuse_output_(struct ac_dispatcher *d, size_t queued, size_t more)
{
	char repr[AC_REPR_TEXT];

	ac_count_(d->map, AC_COUNT_OUTPUT_REFUSED);
	if (ac_may_say_(d->map, AC_COUNT_OUTPUT_REFUSED))
		ac_say_(d, AC_COUNT_OUTPUT_REFUSED, AC_LOG_WARNING,
		        "output refused: %zu bytes queued, %zu more for %s", queued, more,
		        ac_repr(d, repr, sizeof(repr)));
}

static int look(void *arg);

static void look_again(struct ac_dispatcher *d)
{
	int64_t due = d->extra->active + ac_ns_(d->extra->timeout);

	ac_task_start_inner_(&d->extra->idle, d->map, due, look, d);
}

static int look(void *arg)
{
	struct ac_dispatcher *d = arg;
	struct ac_extra *e = d->extra;
	int64_t now = ac_map_time_(d->map);

	if (now - e->active >= ac_ns_(e->timeout)) {
		e->active = now;
		if (ac_enter_(d)) {
			ac_call_(d, d->cls->handle_timeout, "handle_timeout");
			ac_leave_(d);
		}
	}
	if (!(d->flags & AC_IS_CLOSING) && e->timeout > 0)
		look_again(d);
	return 0;
}

int ac_set_timeout(struct ac_dispatcher *d, double seconds)
{
	if (d->flags & AC_IS_CLOSING)
		return 0;
	if (isnan(seconds) || seconds < 0)
		return ac_raise(d, EINVAL);
	if (!ac_extra_(d))
		return ac_raise(d, ENOMEM);
	ac_task_cancel(&d->extra->idle);
	d->extra->timeout = seconds;
	d->extra->active = ac_map_time_(d->map);
	if (seconds > 0)
		look_again(d);
	return 0;
}
