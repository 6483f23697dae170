/*
 * stress.c — a map that is nearly full has less patience with those it has.
 *
 * Design: it begins where a connection is let in, and ends, ten percent of the limit lower, where one goes. Tasks
 * that look after deadlines are brought forward once, when it begins; when it is over they find out by themselves.
 */
#include "dispatcher.h"

#include <errno.h>
#include <math.h>

static void bring_forward(struct ac_map *m)
{
	for (size_t i = 0; i < m->slot_used; i++) {
		struct ac_dispatcher *d = m->slots[i].d;

		if (d && d->extra && d->extra->deadline.link)
			ac_look_later_(d);
		if (d && d->transport->hurried)
			d->transport->hurried(d);
		if (d)
			ac_linger_hurry_(d);
	}
}

static size_t part_of(size_t whole, unsigned percent)
{
	return whole / 100 * percent + whole % 100 * percent / 100;
}

void ac_weigh_stress_(struct ac_dispatcher *listener)
{
	struct ac_map *m = listener->map;
	size_t most = ac_limit_(listener, AC_MAX_CONNECTIONS);

	if (m->stressed || m->admitted <= part_of(most, m->stress_percent))
		return;
	m->stressed = true;
	m->stress_ends = part_of(most, m->stress_percent - 10);
	ac_count_(m, AC_COUNT_STRESS);
	m->stress_said = ac_may_say_(m, AC_COUNT_STRESS);
	if (m->stress_said)
		ac_say_(listener, AC_COUNT_STRESS, AC_LOG_WARNING,
		        "stress: %zu of %zu connections: timeouts are shorter", m->admitted, most);
	bring_forward(m);
}

int ac_map_set_stress(struct ac_map *map, unsigned percent, double factor)
{
	struct ac_map *m = ac_map_of_(map);

	if (!m)
		return -ENOMEM;
	if (percent < 10 || percent > 100 || isnan(factor) || factor <= 0 || factor > 1)
		return -EINVAL;
	m->stress_percent = percent;
	m->stress_factor = factor;
	return 0;
}

bool ac_map_stressed(const struct ac_map *map)
{
	const struct ac_map *m = ac_map_of_((struct ac_map *)map);

	return m && m->stressed;
}
