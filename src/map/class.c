/*
 * class.c — what a class leaves out is taken from its super, once for each map.
 *
 * Design: a class table is a row of machine words. Resolving copies the row and fills every zero word behind
 * `super` and `name` from the super's resolved row. Only a pointer to a function or a number ever stands
 * there, so a word is the right unit.
 */
#include "map.h"

#include <errno.h>
#include <string.h>

#define WORD sizeof(uintptr_t)
#define FIRST_WORD (offsetof(struct ac_class, size) / WORD)

_Static_assert(sizeof(size_t) == WORD && sizeof(void (*)(void)) == WORD, "a row of machine words");
_Static_assert(sizeof(struct ac_class) % WORD == 0, "a row of machine words");

static size_t table_size(const struct ac_class *cls)
{
	while (cls && !cls->class_size)
		cls = cls->super;
	return cls ? cls->class_size : sizeof(struct ac_class);
}

static bool fits(const struct ac_class *cls)
{
	const struct ac_class *super = cls->super;

	if (!super)
		return cls->size >= sizeof(struct ac_dispatcher);
	if (cls->class_size && (cls->class_size < table_size(super) || cls->class_size % WORD))
		return false;
	for (; super && cls->size; super = super->super)
		if (super->size)
			return cls->size >= super->size && fits(super);
	return fits(cls->super);
}

/* Whether the user's own classes say when it is readable or writable, or hear out-of-band data. */
static uint32_t first_flags(const struct ac_class *cls, size_t class_flags)
{
	uint32_t flags = 0;

	for (; cls && !(cls->flags & AC_OURS); cls = cls->super) {
		if ((cls->readable || cls->writable) && !(class_flags & AC_STEADY))
			flags |= AC_IS_ASKED;
		if (cls->handle_expt || cls->handle_expt_event)
			flags |= AC_IS_URGENT;
	}
	return flags;
}

/* Nobody but the library says when it is read, how, and how much at once. */
static bool feeds(const struct ac_class *cls, const struct ac_class *full)
{
	for (; cls && !(cls->flags & AC_OURS); cls = cls->super)
		if (cls->readable || cls->handle_read || cls->handle_read_event ||
		    cls->handle_expt || cls->handle_expt_event || cls->answered)
			return false;
	return cls && (cls->flags & AC_FEEDS) && full->in_buffer_size >= AC_READ_SIZE;
}

static void fill(uintptr_t *row, const struct ac_class *cls)
{
	const uintptr_t *from = (const uintptr_t *)(const void *)cls;
	size_t words;

	if (!cls)
		return;
	words = table_size(cls) / WORD;
	for (size_t i = FIRST_WORD; i < words; i++)
		if (!row[i])
			row[i] = from[i];
	/* A table that says no class_size has the length of its super's: never read behind it. */
	fill(row, cls->super);
}

static const struct ac_resolved *resolved_of(const struct ac_class *resolved)
{
	const char *table = (const char *)resolved;

	return (const void *)(table - offsetof(struct ac_resolved, table));
}

const struct ac_class *ac_class_key_(const struct ac_class *resolved)
{
	return resolved_of(resolved)->key;
}

bool ac_is_a_(const struct ac_dispatcher *d, const struct ac_class *cls)
{
	const struct ac_class *c = ac_class_key_(d->cls);

	while (c && c != cls)
		c = c->super;
	return c != NULL;
}

bool ac_class_feeds_(const struct ac_class *resolved)
{
	return resolved_of(resolved)->feeds;
}

struct ac_resolved *ac_resolve_(struct ac_map *m, const struct ac_class *cls, int *ret_error)
{
	struct ac_resolved *r;
	size_t size;

	for (r = m->classes; r; r = r->next)
		if (r->key == cls)
			return r;
	*ret_error = EINVAL;
	if (!cls || !fits(cls))
		return NULL;
	size = table_size(cls);
	r = ac_alloc_(sizeof(*r) + size);
	*ret_error = ENOMEM;
	if (!r)
		return NULL;
	r->key = cls;
	memcpy(r->table, cls, size);
	fill(r->table, cls->super);
	r->flags = first_flags(cls, ((struct ac_class *)(void *)r->table)->flags);
	r->feeds = feeds(cls, (struct ac_class *)(void *)r->table);
	r->next = m->classes;
	m->classes = r;
	return r;
}
