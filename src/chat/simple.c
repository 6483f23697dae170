/* simple.c — a copy of some data, given in pieces. */
#include "producer.h"

#include <string.h>

#define DEFAULT_PIECE 512

struct simple {
	struct ac_producer p;
	size_t pos, len, piece;
	char data[];
};

static int simple_more(struct ac_producer *p, struct ac_slice *ret_slice)
{
	struct simple *s = (struct simple *)p;
	size_t left = s->len - s->pos, n = left < s->piece ? left : s->piece;

	*ret_slice = (struct ac_slice){ s->data + s->pos, n };
	s->pos += n;
	return 0;
}

static void simple_free(struct ac_producer *p)
{
	ac_free_(p);
}

static const struct ac_producer_class simple_class = { "simple_producer", simple_more,
	                                               simple_free };

struct ac_producer *ac_simple_producer(const void *data, size_t len, size_t piece)
{
	struct simple *s;

	if (len > SIZE_MAX - sizeof(*s))
		return NULL;
	s = ac_producer_new_(sizeof(*s) + len, &simple_class, NULL);
	if (!s)
		return NULL;
	s->len = len;
	s->piece = piece ? piece : DEFAULT_PIECE;
	if (len)
		memcpy(s->data, data, len);
	return &s->p;
}
