/* interest.c — whether a channel is heard: pausing, touching, leaving a map, firing by hand. */
#include "dispatcher.h"

#include <errno.h>

bool ac_readable(struct ac_dispatcher *d)
{
	return ac_wants_(d) & AC_IN;
}

bool ac_writable(struct ac_dispatcher *d)
{
	return ac_wants_(d) & AC_OUT;
}

/* Inside its own handlers the frame brings all up to date when they have returned. */
void ac_touch(struct ac_dispatcher *d)
{
	if (!(d->flags & AC_IS_BUSY))
		ac_update_(d);
}

void ac_pause(struct ac_dispatcher *d)
{
	d->flags |= AC_IS_PAUSED;
	ac_touch(d);
}

void ac_resume(struct ac_dispatcher *d)
{
	d->flags &= ~(uint32_t)AC_IS_PAUSED;
	ac_touch(d);
}

void ac_del_channel(struct ac_dispatcher *d)
{
	if (d->flags & AC_IS_CLOSING)
		return;
	ac_end_dialing_(d, true);
	ac_unwatch_(d);
	d->flags |= AC_IS_DETACHED;
}

/* It is one of the connections of the map it is on. */
static void move_count(struct ac_dispatcher *d, struct ac_map *from)
{
	struct ac_map *to = d->map;

	if (!(d->flags & AC_IS_ADMITTED))
		return;
	d->map = from;
	ac_discharge_(d);
	d->map = to;
	ac_admit_(d);
}

/* Its class, its place in the table and its tasks belong to the map: they are made anew on the other. */
static int change_map(struct ac_dispatcher *d, struct ac_map *m)
{
	struct ac_map *old = d->map;
	uint32_t old_slot = d->slot;
	int code = ENOMEM, r;
	struct ac_resolved *resolved = ac_resolve_(m, ac_class_key_(d->cls), &code);

	if (!resolved)
		return ac_raise(d, code);
	ac_unqueue_(d);
	r = ac_own_(m, d);
	if (r < 0)
		return ac_raise(d, -r);
	r = d->flags & AC_IS_ASKED ? ac_names_add_(&m->asked, ac_name_of_(d)) : 0;
	if (r < 0) {
		ac_free_slot_(m, d->slot);
		d->map = old;
		d->slot = old_slot;
		return ac_raise(d, -r);
	}
	d->cls = (const struct ac_class *)(const void *)resolved->table;
	ac_free_slot_(old, old_slot);
	move_count(d, old);
	d->flags &= ~(uint32_t)AC_IS_RESTING;
	if (d->extra) {
		ac_task_cancel(&d->extra->rest);
		ac_task_cancel(&d->extra->deadline);
		ac_look_later_(d);
	}
	if (d->transport->moved)
		d->transport->moved(d);
	return 0;
}

int ac_add_channel(struct ac_dispatcher *d, struct ac_map *map)
{
	struct ac_map *m = ac_map_of_(map);
	int r = 0;

	if (d->flags & AC_IS_CLOSING)
		return 0;
	if (!m)
		return ac_raise(d, ENOMEM);
	if (m != d->map && ((d->flags & AC_IS_BUSY) || ac_is_dialing_(d)))
		return ac_raise(d, EBUSY);
	if (m != d->map && d->extra && d->extra->stays)
		return ac_raisef(d, EBUSY, "it is joined to others of its map");
	if (m != d->map) {
		ac_unwatch_(d);
		r = change_map(d, m);
	}
	if (r < 0)
		return r;
	d->flags &= ~(uint32_t)AC_IS_DETACHED;
	r = ac_watch_open_(d);
	return r < 0 ? ac_raise(d, -r) : 0;
}

/* As the loop would, whatever the channel is interested in. */
void ac_readwrite(struct ac_dispatcher *d, unsigned events)
{
	if (d->fd < 0 || (d->flags & AC_IS_CLOSING))
		return;
	ac_turn_(d, events);
}

void ac_read(struct ac_dispatcher *d)
{
	ac_readwrite(d, AC_IN);
}

void ac_write(struct ac_dispatcher *d)
{
	ac_readwrite(d, AC_OUT);
}

void ac_exception(struct ac_dispatcher *d)
{
	ac_readwrite(d, AC_PRI);
}
