/*
 * watch.c — what the poller is told of a channel's descriptor, and the poller made anew.
 *
 * Design: epoll and io_uring keep what they were told in the kernel, where a forked child shares it with its
 * parent and where a ring belongs to one thread. In another process or thread the map gets a poller of its
 * own, which is told of every channel again; the old one is never spoken to.
 */
#include "map.h"

#include <errno.h>

/* Whether the poller reads for it; what is writable it is not told then, but finds out. */
static void begin_feeding(struct ac_dispatcher *d)
{
	const struct ac_poller_class *p = d->map->poller->cls;
	bool feeds = p->feeds && ac_class_feeds_(d->cls) && (d->flags & AC_IS_STREAM) &&
	             d->transport == &ac_transport_socket_ && !(d->flags & AC_IS_ACCEPTING);

	d->flags &= ~(uint32_t)(AC_IS_FED | AC_ASKS_MARK);
	if (feeds)
		d->flags |= AC_IS_FED;
	else if (p->vague && (d->flags & AC_IS_STREAM))
		d->flags |= AC_ASKS_MARK;
	if (feeds && !(d->flags & AC_IS_CONNECTING))
		d->ready |= AC_OUT;
}

/* What the poller is to be told now. One that is fed: to read where input is wanted, else to watch it. */
static unsigned wanted(const struct ac_dispatcher *d)
{
	unsigned events = d->interest ? d->interest : AC_WATCH;
	bool hungry = (d->interest & AC_IN) && !(d->flags & AC_IS_HOLDING);

	if (d->flags & AC_IS_NUMB)
		return 0;
	if (d->flags & AC_IS_FED)
		return (hungry ? AC_FEED : 0u) | (d->interest != AC_IN ? AC_WATCH : 0u);
	if (d->map->edge)
		return AC_WATCH | (d->flags & AC_IS_URGENT ? AC_PRI : 0u);
	return events;
}

static int tell(struct ac_dispatcher *d, unsigned old, unsigned events)
{
	struct ac_poller *p = d->map->poller;
	int r;

	if (ac_poller_is_stale_(p)) /* the new one is told of all */
		return ac_renew_poller_(d->map);
	r = p->cls->set(p, d->fd, ac_token_(d), old, events);
	if (r == 0)
		d->watched = (uint8_t)events;
	return r;
}

static void tell_again(struct ac_dispatcher *d, unsigned old, unsigned events)
{
	int r = tell(d, old, events);

	if (r == -EEXIST) /* in a thread that is not the ring's */
		r = ac_renew_poller_(d->map);
	if (r < 0)
		ac_doom_(d, -r, true);
}

static int tell_first(struct ac_dispatcher *d)
{
	int r = tell(d, 0, wanted(d));

	if (r != -EPERM)
		return r;
	d->flags |= AC_IS_ALWAYS;
	d->ready = AC_IN | AC_OUT;
	d->watched = AC_WATCH;
	return 0;
}

/* The one refused before may be had now, or the other way round: either has the same way of telling. */
int ac_renew_poller_(struct ac_map *m)
{
	struct ac_poller *p;
	int r = ac_poller_new_(m->poller->cls->name, &p);

	if (r < 0)
		return r;
	for (size_t i = 0; i < m->slot_used; i++)
		if (m->slots[i].d && (m->slots[i].d->flags & AC_IS_FED))
			ac_take_left_over_(m->slots[i].d);
	m->poller->next = m->given_up;
	m->given_up = m->poller;
	m->poller = p;
	m->batch_at = m->batch_end = 0;
	for (size_t i = 0; i < m->slot_used; i++) {
		struct ac_dispatcher *d = m->slots[i].d;

		if (!d || !(d->flags & AC_IS_COUNTED) || (d->flags & AC_IS_ALWAYS))
			continue;
		begin_feeding(d);
		r = tell_first(d);
		if (r < 0)
			ac_doom_(d, -r, true);
	}
	return 0;
}

void ac_free_given_up_(struct ac_map *m)
{
	while (m->given_up) {
		struct ac_poller *p = m->given_up;

		m->given_up = p->next;
		ac_poller_free_(p);
	}
}

void ac_tell_poller_(struct ac_dispatcher *d)
{
	unsigned events;

	if ((d->map->edge && !(d->flags & AC_IS_FED)) || (d->flags & AC_IS_ALWAYS))
		return;
	events = wanted(d);
	if (events != d->watched)
		tell_again(d, d->watched, events);
}

/* What was found says that the request it came from has ended. */
void ac_lapsed_(struct ac_dispatcher *d, bool feed)
{
	unsigned left = d->watched & (feed ? ~(unsigned)AC_FEED : (unsigned)AC_FEED);

	if (feed) /* told again when its turn is over, if it is still wanted then */
		d->watched = (uint8_t)left;
	else
		tell_again(d, left, d->watched);
}

void ac_feed_no_more_(struct ac_dispatcher *d)
{
	if (!(d->flags & AC_IS_FED) || !(d->flags & AC_IS_COUNTED))
		return;
	d->flags &= ~(uint32_t)AC_IS_FED;
	d->flags |= AC_ASKS_MARK;
	if (!(d->flags & AC_IS_NUMB))
		tell_again(d, d->watched, wanted(d));
}

/* Inside a nested pass a level poller would report a busy channel again and again: it is not told of. */
void ac_mute_(struct ac_dispatcher *d)
{
	if (d->map->edge || !d->watched || (d->flags & AC_IS_ALWAYS))
		return;
	tell_again(d, d->watched, 0);
	d->ready = 0;
}

static int begin(struct ac_dispatcher *d)
{
	struct ac_map *m = d->map;
	int r = ac_poller_is_stale_(m->poller) ? ac_renew_poller_(m) : 0;

	begin_feeding(d);
	if (r == 0)
		r = tell_first(d);
	if (r == -EEXIST && (r = ac_renew_poller_(m)) == 0)
		r = tell_first(d);
	return r;
}

int ac_watch_(struct ac_dispatcher *d)
{
	int r;

	if (d->flags & (AC_IS_COUNTED | AC_IS_DETACHED))
		return 0;
	if (!ac_ask_(d))
		return -ECANCELED;
	r = begin(d);
	if (r < 0)
		return r;
	d->flags |= AC_IS_COUNTED;
	d->map->live++;
	ac_debug_(d, "watching");
	ac_update_(d);
	return 0;
}

void ac_unwatch_(struct ac_dispatcher *d)
{
	const struct ac_poller *p = d->map->poller;
	bool forgotten = p->cls->forgets && (d->flags & AC_IS_CLOSING);
	bool told = d->watched || (d->flags & AC_IS_FED); /* or output of it is with the poller */

	if (!(d->flags & AC_IS_COUNTED))
		return;
	if (told && !(d->flags & AC_IS_ALWAYS) && !forgotten && !ac_poller_is_stale_(p)) {
		tell(d, d->watched, 0);
		if ((d->flags & AC_IS_FED) && !(d->flags & AC_IS_CLOSING))
			ac_take_left_over_(d);
	}
	d->watched = d->ready = d->interest = 0;
	d->flags &= ~(uint32_t)(AC_IS_COUNTED | AC_IS_ALWAYS | AC_IS_NUMB);
	d->map->live--;
}
