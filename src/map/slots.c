/*
 * slots.c — which channels there are, whose turn it is, and who waits to be freed.
 *
 * Design: a slot's `next` is a link of the one list it stands in: the free slots, the run queue, or the graves.
 * So queueing and burying never allocate. A channel that is closed while it is queued goes to the graves
 * when its turn would come, or at the latest when the graves are emptied.
 */
#include "map.h"

#include <errno.h>

static int slots_grow(struct ac_map *m)
{
	size_t cap = m->slot_cap ? m->slot_cap * 2 : 16;
	struct ac_slot *slots;

	if (cap > UINT32_MAX / 4)
		return -EMFILE;
	slots = ac_realloc_(m->slots, cap * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	m->slots = slots;
	m->slot_cap = cap;
	return 0;
}

/* Free slots hang on slot_free, which is the first one's number + 1. */
int ac_own_(struct ac_map *m, struct ac_dispatcher *d)
{
	uint32_t slot;

	if (m->doomed)
		return -ECANCELED;
	if (!m->slot_free && m->slot_used == m->slot_cap && slots_grow(m) < 0)
		return -ENOMEM;
	if (m->slot_free) {
		slot = m->slot_free - 1;
		m->slot_free = m->slots[slot].next;
	} else {
		slot = (uint32_t)m->slot_used++;
		m->slots[slot] = (struct ac_slot){ NULL, 0, 0 };
	}
	m->slots[slot].d = d;
	d->map = m;
	d->slot = slot;
	return 0;
}

void ac_free_slot_(struct ac_map *m, uint32_t slot)
{
	struct ac_slot *s = &m->slots[slot];

	s->d = NULL;
	s->generation++;
	s->next = m->slot_free;
	m->slot_free = slot + 1;
}

void ac_disown_(struct ac_dispatcher *d)
{
	ac_unqueue_(d);
	ac_free_slot_(d->map, d->slot);
}

struct ac_name ac_name_of_(const struct ac_dispatcher *d)
{
	return (struct ac_name){ d->slot, d->map->slots[d->slot].generation };
}

uint64_t ac_token_(const struct ac_dispatcher *d)
{
	return (uint64_t)d->map->slots[d->slot].generation << 32 | d->slot;
}

static void hang(struct ac_map *m, uint32_t slot, uint32_t *first, uint32_t *last)
{
	m->slots[slot].next = 0;
	if (*last)
		m->slots[*last - 1].next = slot + 1;
	else
		*first = slot + 1;
	*last = slot + 1;
}

void ac_queue_(struct ac_dispatcher *d)
{
	struct ac_map *m = d->map;

	if (d->flags & (AC_IS_QUEUED | AC_IS_CLOSING))
		return;
	d->flags |= AC_IS_QUEUED;
	m->queued++;
	hang(m, d->slot, &m->queue_first, &m->queue_last);
}

/* Takes out the one that `link` names; before is the slot + 1 that has the link, 0 for the first. */
static uint32_t take_out(struct ac_map *m, uint32_t *link, uint32_t before)
{
	uint32_t slot = *link - 1;

	*link = m->slots[slot].next;
	if (m->queue_last == slot + 1)
		m->queue_last = before;
	m->slots[slot].d->flags &= ~(uint32_t)AC_IS_QUEUED;
	m->ran++;
	return slot;
}

static void to_the_graves(struct ac_map *m, uint32_t slot)
{
	m->slots[slot].next = m->grave;
	m->grave = slot + 1;
}

struct ac_dispatcher *ac_dequeue_(struct ac_map *m)
{
	uint32_t slot = take_out(m, &m->queue_first, 0);
	struct ac_dispatcher *d = m->slots[slot].d;

	if (d->flags & AC_IS_BURIED) {
		m->queued_dead--;
		to_the_graves(m, slot);
	}
	return d->flags & AC_IS_CLOSING ? NULL : d;
}

void ac_unqueue_(struct ac_dispatcher *d)
{
	struct ac_map *m = d->map;
	uint32_t *link = &m->queue_first, before = 0;

	if (!(d->flags & AC_IS_QUEUED))
		return;
	while (*link != d->slot + 1) {
		before = *link;
		link = &m->slots[before - 1].next;
	}
	take_out(m, link, before);
}

int ac_names_add_(struct ac_names *n, struct ac_name name)
{
	size_t cap = n->cap ? n->cap * 2 : 8;
	struct ac_name *at;

	if (n->count == n->cap) {
		at = ac_realloc_(n->at, cap * sizeof(*at));
		if (!at)
			return -ENOMEM;
		n->at = at;
		n->cap = cap;
	}
	n->at[n->count++] = name;
	return 0;
}

/* The slot stays taken, so that it can hang on the list; its name means nobody from now on. */
void ac_bury_(struct ac_dispatcher *d)
{
	struct ac_map *m = d->map;

	m->slots[d->slot].generation++;
	d->flags |= AC_IS_BURIED;
	if (d->flags & AC_IS_QUEUED)
		m->queued_dead++;
	else
		to_the_graves(m, d->slot);
}

static void bury_queued(struct ac_map *m)
{
	uint32_t *link = &m->queue_first, before = 0;

	while (m->queued_dead && *link) {
		if (m->slots[*link - 1].d->flags & AC_IS_BURIED) {
			to_the_graves(m, take_out(m, link, before));
			m->queued_dead--;
		} else {
			before = *link;
			link = &m->slots[before - 1].next;
		}
	}
}

static void release(struct ac_dispatcher *d)
{
	d->cls->settle(d);
	d->cls->finalize(d);
	ac_disown_(d);
	if (d->flags & AC_IS_UNIX)
		ac_free_(d->peer.path);
	ac_free_(d->extra);
	ac_free_(d);
}

/* What finalize closes joins the list; a pass it runs is not the outermost one. */
void ac_graves_empty_(struct ac_map *m)
{
	m->depth++;
	bury_queued(m);
	while (m->grave) {
		struct ac_slot *s = &m->slots[m->grave - 1];

		m->grave = s->next;
		release(s->d);
		bury_queued(m);
	}
	m->depth--;
}
