/*
 * slots.c — which channels there are, whose turn it is, and who waits to be freed.
 *
 * Invariant: queue_cap ≥ 2 × slot_cap, so that queueing never allocates: each live channel stands in the
 * queue at most once; a name left behind by one that is gone is dropped by the next run, or when the ring
 * is full.
 */
#include "map.h"

#include <errno.h>
#include <string.h>

static int queue_grow(struct ac_map *m, size_t cap)
{
	struct ac_name *queue = ac_alloc_(cap * sizeof(*queue));

	if (!queue)
		return -ENOMEM;
	for (uint64_t i = m->head; i != m->tail; i++)
		queue[i & (cap - 1)] = m->queue[i & (m->queue_cap - 1)];
	ac_free_(m->queue);
	m->queue = queue;
	m->queue_cap = cap;
	return 0;
}

static int slots_grow(struct ac_map *m)
{
	size_t cap = m->slot_cap ? m->slot_cap * 2 : 16;
	struct ac_slot *slots;

	if (cap > UINT32_MAX / 4)
		return -EMFILE;
	if (m->queue_cap < 2 * cap && queue_grow(m, 2 * cap) < 0)
		return -ENOMEM;
	slots = ac_realloc_(m->slots, cap * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	memset(slots + m->slot_cap, 0, (cap - m->slot_cap) * sizeof(*slots));
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
		m->slot_free = m->slots[slot].next_free;
	} else {
		slot = (uint32_t)m->slot_used++;
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
	s->next_free = m->slot_free;
	m->slot_free = slot + 1;
}

void ac_disown_(struct ac_dispatcher *d)
{
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

struct ac_dispatcher *ac_find_channel_(struct ac_map *m, struct ac_name name)
{
	if (name.slot >= m->slot_used || m->slots[name.slot].generation != name.generation)
		return NULL;
	return m->slots[name.slot].d;
}

/* Channels that changed their map leave names behind, any number of them between two runs. */
static void queue_purge(struct ac_map *m)
{
	uint64_t kept = m->head;

	for (uint64_t i = m->head; i != m->tail; i++) {
		struct ac_name name = m->queue[i & (m->queue_cap - 1)];

		if (ac_find_channel_(m, name))
			m->queue[kept++ & (m->queue_cap - 1)] = name;
	}
	m->tail = kept;
}

void ac_queue_(struct ac_dispatcher *d)
{
	struct ac_map *m = d->map;

	if (d->flags & (AC_IS_QUEUED | AC_IS_CLOSING))
		return;
	if (m->tail - m->head == m->queue_cap)
		queue_purge(m);
	d->flags |= AC_IS_QUEUED;
	m->queue[m->tail++ & (m->queue_cap - 1)] = ac_name_of_(d);
}

struct ac_dispatcher *ac_dequeue_(struct ac_map *m)
{
	struct ac_dispatcher *d = ac_find_channel_(m, m->queue[m->head++ & (m->queue_cap - 1)]);

	if (d)
		d->flags &= ~(uint32_t)AC_IS_QUEUED;
	return d;
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
	struct ac_slot *s = &d->map->slots[d->slot];

	s->generation++;
	s->next_free = d->map->grave;
	d->map->grave = d->slot + 1;
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
	while (m->grave) {
		struct ac_slot *s = &m->slots[m->grave - 1];

		m->grave = s->next_free;
		release(s->d);
	}
	m->depth--;
}
