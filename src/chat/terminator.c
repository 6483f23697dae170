/*
 * terminator.c — what ends a record, and where it stands in the data.
 *
 * Design: a string of up to eight bytes lies in the chat itself, anything longer on the heap. Of a list the
 * match that begins first wins, the longest at the same place; what might still become one that begins
 * earlier or grows longer is held until more input, or its end, decides.
 * Each member remembers where it comes next, so that one that is rare is not looked for again at each record.
 */
#include "chat.h"

#include <errno.h>
#include <string.h>

void ac_terminator_done_(struct ac_chat *c)
{
	if (c->term_kind == AC_TERM_ANY || (c->term_kind == AC_TERM_STRING && !c->term_len))
		ac_free_(c->term.heap);
	c->term_kind = AC_TERM_NONE;
	c->term_len = 0;
	c->term.left = 0;
}

static struct ac_terminator *heap_new(const struct ac_slice *list, size_t count)
{
	size_t total = 0, at = 0;
	struct ac_terminator *t;

	for (size_t i = 0; i < count; i++)
		total += list[i].len;
	t = ac_alloc_(sizeof(*t) + count * sizeof(t->members[0]) + total);
	if (!t)
		return NULL;
	t->count = count;
	for (size_t i = 0; i < count; i++) {
		t->members[i].at = (uint16_t)at;
		t->members[i].len = (uint16_t)list[i].len;
		memcpy((char *)(t->members + count) + at, list[i].data, list[i].len);
		at += list[i].len;
	}
	return t;
}

static int set_heap(struct ac_chat *c, enum ac_terminator_kind kind, const struct ac_slice *list,
                    size_t count)
{
	struct ac_terminator *t = heap_new(list, count);

	if (!t)
		return ac_raise(c, ENOMEM);
	ac_terminator_done_(c);
	c->term_kind = (uint8_t)kind;
	c->term.heap = t;
	return 0;
}

int ac_set_terminator(struct ac_chat *c, const void *bytes, size_t len)
{
	uint8_t copy[sizeof(c->term.bytes)];

	if (c->d.flags & AC_IS_CLOSING)
		return 0;
	if (!bytes && len)
		return ac_raisef(c, EINVAL, "no terminator");
	if (len > AC_TERMINATOR_MAX)
		return ac_raisef(c, EINVAL, "a terminator of %zu bytes", len);
	if (len == 0)
		return ac_set_terminator_none(c);
	if (len > sizeof(copy))
		return set_heap(c, AC_TERM_STRING, &(struct ac_slice){ bytes, len }, 1);
	memcpy(copy, bytes, len); /* `bytes` may be what ac_get_terminator lent */
	ac_terminator_done_(c);
	memcpy(c->term.bytes, copy, len);
	c->term_kind = AC_TERM_STRING;
	c->term_len = (uint8_t)len;
	return 0;
}

int ac_set_terminator_count(struct ac_chat *c, int64_t count)
{
	bool ours = ac_chat_cls_(c)->collect_incoming_data == ac_pull;

	if (c->d.flags & AC_IS_CLOSING)
		return 0;
	if (count < 0)
		return ac_raisef(c, EINVAL, "a record of %lld bytes", (long long)count);
	if (ours && (uint64_t)count > ac_limit_(&c->d, AC_MAX_RECORD)) {
		ac_count_(c->d.map, AC_COUNT_RECORD_TOO_LONG);
		return ac_raisef(c, EMSGSIZE, "a record of %lld bytes", (long long)count);
	}
	ac_terminator_done_(c);
	if (count) {
		c->term_kind = AC_TERM_COUNT;
		c->term.left = (uint64_t)count;
	}
	return 0;
}

int ac_set_terminator_none(struct ac_chat *c)
{
	if (!(c->d.flags & AC_IS_CLOSING))
		ac_terminator_done_(c);
	return 0;
}

int ac_set_terminator_any(struct ac_chat *c, const struct ac_slice *list, size_t count)
{
	size_t total = 0;

	if (c->d.flags & AC_IS_CLOSING)
		return 0;
	if (count == 0)
		return ac_set_terminator_none(c);
	if (!list || count > 255)
		return ac_raisef(c, EINVAL, "%zu terminators", count);
	for (size_t i = 0; i < count; i++) {
		if (!list[i].data || !list[i].len || list[i].len > AC_TERMINATOR_MAX)
			return ac_raisef(c, EINVAL, "terminator %zu has %zu bytes", i, list[i].len);
		total += list[i].len;
	}
	if (total > AC_TERMINATOR_MAX)
		return ac_raisef(c, EINVAL, "terminators of %zu bytes", total);
	return set_heap(c, AC_TERM_ANY, list, count);
}

enum ac_terminator_kind ac_get_terminator(const struct ac_chat *c, size_t index,
                                          struct ac_slice *ret_string, uint64_t *ret_left)
{
	struct ac_slice s = { NULL, 0 };

	if (c->term_kind == AC_TERM_STRING && index == 0)
		s = ac_string_(c);
	else if (c->term_kind == AC_TERM_ANY && index < c->term.heap->count)
		s = (struct ac_slice){ ac_member_(c->term.heap, index),
			               c->term.heap->members[index].len };
	if (ret_string)
		*ret_string = s;
	if (ret_left)
		*ret_left = c->term_kind == AC_TERM_COUNT ? c->term.left : 0;
	return (enum ac_terminator_kind)c->term_kind;
}

size_t ac_found_index(const struct ac_chat *c)
{
	return c->term_found;
}

void ac_set_strip_terminator(struct ac_chat *c, bool strip)
{
	if (strip)
		c->chat_flags &= (uint8_t)~AC_CHAT_KEEPS_TERMINATOR;
	else
		c->chat_flags |= AC_CHAT_KEEPS_TERMINATOR;
}

void ac_forget_places_(struct ac_chat *c)
{
	for (size_t i = 0; i < c->term.heap->count; i++)
		c->term.heap->members[i].known = false;
}

static size_t place_of(struct ac_terminator *t, size_t i, const struct ac_feed *f)
{
	struct ac_member *m = &t->members[i];

	if (!m->known || (m->next != AC_NOT_FOUND && m->next < f->pos)) {
		size_t at = ac_find_(f->data + f->pos, f->len - f->pos, ac_member_(t, i), m->len);

		m->next = at == AC_NOT_FOUND ? at : f->pos + at;
		m->known = true;
	}
	return m->next;
}

/* The earliest match and the longest there; what is held may begin before it, and then decides. */
void ac_find_any_(struct ac_chat *c, const struct ac_feed *f, bool last, struct ac_cut *ret)
{
	struct ac_terminator *t = c->term.heap;

	*ret = (struct ac_cut){ .at = AC_NOT_FOUND };
	for (size_t i = 0; i < t->count; i++) {
		size_t at = place_of(t, i, f), len = t->members[i].len, held;

		if (at < ret->at || (at == ret->at && at != AC_NOT_FOUND && len > ret->len)) {
			ret->at = at;
			ret->len = len;
			ret->index = i;
		}
		held = last ? 0
		            : ac_find_prefix_at_end(f->data + f->pos, f->len - f->pos,
		                                    ac_member_(t, i), len);
		if (held > ret->held)
			ret->held = held;
	}
	if (ret->held && ret->at != AC_NOT_FOUND && f->len - ret->held <= ret->at)
		ret->at = AC_NOT_FOUND;
}
