/*
 * deliver.c — what the poller has found goes to its channel: readiness into its bits, input into its hands.
 *
 * Design: input that the poller has read is lent to the channel for one turn. Whoever cannot have it then,
 * because a handler is on the stack or it is paused, keeps a copy that is cut when its turn comes. A nested
 * pass goes on with the batch of the outer one, so that input keeps its order.
 */
#include "map.h"

#include <errno.h>

static void answer(struct ac_dispatcher *d, const struct ac_found *f)
{
	int r = d->cls->answered(d, f);

	if (r < 0)
		ac_doom_(d, -r, true);
	if (!(d->flags & AC_IS_BUSY))
		ac_update_(d);
}

static bool hears(const struct ac_dispatcher *d)
{
	return d && !(d->flags & (AC_IS_BUSY | AC_IS_HOLDING)) && (d->interest & AC_IN);
}

/* The end of input and errors that nobody hears are found again when it listens again. */
static void feed(struct ac_map *m, struct ac_dispatcher *d, const struct ac_found *f)
{
	const struct ac_found *outer = m->lent;
	struct ac_name name = ac_name_of_(d);

	if (f->events & AC_LAPSED)
		ac_lapsed_(d, true);
	m->lent = NULL;
	if ((d->flags & AC_IS_HOLDING) && !(d->flags & AC_IS_BUSY)) {
		ac_turn_(d, 0); /* what came before comes first */
		d = ac_find_channel_(m, name);
	}
	m->lent = f;
	if (hears(d) && f->len != -EAGAIN) {
		d->ready |= AC_IN;
		ac_turn_(d, 0);
		d = ac_find_channel_(m, name);
	}
	if (d && m->lent == f) {
		answer(d, f);
		ac_tell_poller_(d); /* it holds input now: no more of it */
	}
	m->lent = outer;
	if (d && (f->events & AC_FULL))
		ac_feed_no_more_(d);
}

static struct ac_dispatcher *channel_of(struct ac_map *m, const struct ac_found *f)
{
	return ac_find_channel_(m,
	                        (struct ac_name){ (uint32_t)f->token, (uint32_t)(f->token >> 32) });
}

static void take_over(struct ac_map *m, const struct ac_found *f)
{
	struct ac_dispatcher *d = channel_of(m, f);
	unsigned events = f->events;

	if (!d)
		return;
	if (events & AC_SENT) {
		answer(d, f);
		return;
	}
	if ((events & AC_PRI) && m->poller->cls->vague)
		events &= ~(unsigned)AC_PRI | (ac_sys_poll1_(d->fd, AC_PRI) & AC_PRI);
	d->ready |= (uint8_t)(events & (AC_ERR | AC_HUP) ? events | AC_IN | AC_OUT : events);
	if (events & AC_LAPSED)
		ac_lapsed_(d, false);
	if (d->ready & (d->interest | AC_ERR | AC_HUP))
		ac_queue_(d);
}

void ac_take_over_(struct ac_map *m, int count)
{
	m->batch_at = 0;
	m->batch_end = m->poller->cls->feeds ? count : 0;
	for (int i = 0; i < count; i++)
		if (!(m->poller->found[i].events & AC_DATA))
			take_over(m, &m->poller->found[i]);
}

void ac_deliver_(struct ac_map *m)
{
	while (m->batch_at < m->batch_end) {
		struct ac_poller *p = m->poller; /* a handler may have it made anew */
		const struct ac_found *f = &p->found[m->batch_at++];
		struct ac_dispatcher *d;

		if (!(f->events & AC_DATA))
			continue;
		d = channel_of(m, f);
		if (d)
			feed(m, d, f);
		if (!ac_poller_is_stale_(p))
			p->cls->give_back(p, f);
	}
}

/* What was found of it in this pass already, and what the poller still has. */
void ac_take_left_over_(struct ac_dispatcher *d)
{
	struct ac_map *m = d->map;
	struct ac_poller *p = m->poller;
	struct ac_found f;

	for (int i = m->batch_at; i < m->batch_end; i++) {
		if (p->found[i].token != ac_token_(d) || !(p->found[i].events & AC_DATA))
			continue;
		d->cls->answered(d, &p->found[i]);
		p->found[i].token = UINT64_MAX; /* nobody's; the buffer is given back in its turn */
	}
	while (p->cls->left_over(p, ac_token_(d), &f)) {
		d->cls->answered(d, &f);
		if (f.events & AC_DATA)
			p->cls->give_back(p, &f);
	}
}
