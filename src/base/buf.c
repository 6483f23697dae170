/*
 * buf.c — bytes that grow at the end and are taken from the front.
 *
 * Invariants: start ≤ end ≤ cap; an empty buffer has start = end = 0, so that it is filled from its
 * beginning. Memory goes back when the last byte is dropped: an idle channel holds none.
 * Bytes are moved to the front only when at least as many were dropped since, so that a full buffer from
 * which little is taken at a time does not move all of it for every byte.
 */
#include "base.h"

#include <errno.h>
#include <string.h>

static int make_room(struct ac_buf *b, size_t len)
{
	size_t used = b->end - b->start, cap = b->cap ? b->cap : 256;
	char *data;

	if (b->cap - b->end >= len)
		return 0;
	if (len > SIZE_MAX / 4 - used)
		return -EOVERFLOW;
	if (b->start && b->start >= used) {
		memmove(b->data, b->data + b->start, used);
		b->start = 0;
		b->end = used;
	}
	while (cap < b->end + len)
		cap *= 2;
	if (cap == b->cap)
		return 0;
	data = ac_realloc_(b->data, cap);
	if (!data)
		return -ENOMEM;
	b->data = data;
	b->cap = cap;
	return 0;
}

int ac_buf_append_(struct ac_buf *b, const void *data, size_t len)
{
	int r = make_room(b, len);

	if (r < 0)
		return r;
	if (len)
		memcpy(b->data + b->end, data, len);
	b->end += len;
	return 0;
}

void ac_buf_drop_(struct ac_buf *b, size_t len)
{
	b->start += len;
	if (b->start == b->end)
		ac_buf_done_(b);
}

void ac_buf_done_(struct ac_buf *b)
{
	ac_free_(b->data);
	memset(b, 0, sizeof(*b));
}

struct ac_slice ac_buf_all_(const struct ac_buf *b)
{
	return (struct ac_slice){ b->data ? b->data + b->start : "", b->end - b->start };
}
