/*
 * watch.c — what the poller is told of a channel's descriptor, and the poller made anew.
 *
 * Design: epoll and io_uring keep what they were told in the kernel, where a forked child shares it with its
 * parent and where a ring belongs to one thread. In another process or thread the map gets a poller of its
 * own, which is told of every channel again; the old one is never spoken to.
 */
#include "map.h"

#include <errno.h>

/* A class may have been refused meanwhile: what comes instead has the same way of telling. */
int ac_renew_poller_(struct ac_map *m)
{
	struct ac_poller *p;
	int r = ac_poller_new_(m->poller->cls->name, &p);

	if (r < 0)
		return r;
	ac_poller_free_(m->poller);
	m->poller = p;
	for (size_t i = 0; i < m->slot_used; i++) {
		struct ac_dispatcher *d = m->slots[i].d;

		if (!d || !(d->flags & AC_IS_COUNTED) || (d->flags & AC_IS_ALWAYS))
			continue;
		r = p->cls->set(p, d->fd, ac_token_(d), 0, d->watched);
		if (r < 0)
			ac_doom_(d, -r, true);
	}
	return 0;
}

static int tell(struct ac_dispatcher *d, unsigned events)
{
	struct ac_poller *p = d->map->poller;
	int r = p->cls->set(p, d->fd, ac_token_(d), d->watched, events);

	if (r == 0)
		d->watched = (uint8_t)events;
	return r;
}

/* Descriptors that the poller was told of before cannot fail to be told of again. */
void ac_tell_poller_(struct ac_dispatcher *d)
{
	unsigned events = d->interest ? d->interest : AC_WATCH;

	if (d->map->edge || (d->flags & AC_IS_ALWAYS))
		return;
	if (d->flags & AC_IS_NUMB)
		events = 0;
	if (events != d->watched)
		tell(d, events);
}

/* Inside a nested pass a level poller would report a busy channel again and again: it is not told of. */
void ac_mute_(struct ac_dispatcher *d)
{
	if (d->map->edge || !d->watched || (d->flags & AC_IS_ALWAYS))
		return;
	tell(d, 0);
	d->ready = 0;
}

static int begin(struct ac_dispatcher *d)
{
	struct ac_map *m = d->map;
	unsigned events = d->interest && !m->edge ? d->interest : AC_WATCH;
	int r = ac_poller_is_stale_(m->poller) ? ac_renew_poller_(m) : 0;

	if (r == 0)
		r = tell(d, events);
	if (r == -EEXIST && (r = ac_renew_poller_(m)) == 0)
		r = tell(d, events);
	if (r != -EPERM)
		return r;
	d->flags |= AC_IS_ALWAYS;
	d->ready = AC_IN | AC_OUT;
	return 0;
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
	if (!(d->flags & AC_IS_COUNTED))
		return;
	if (d->watched && !ac_poller_is_stale_(d->map->poller))
		tell(d, 0);
	d->watched = d->ready = d->interest = 0;
	d->flags &= ~(uint32_t)(AC_IS_COUNTED | AC_IS_ALWAYS | AC_IS_NUMB);
	d->map->live--;
}
