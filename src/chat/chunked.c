/*
 * chunked.c — the chunked transfer coding of HTTP/1.1 around what another producer gives.
 *
 * Design: a short piece is copied between its frame, so that one slice holds the whole chunk; of a long one
 * frame and data are given one after the other, without a copy.
 */
#include "producer.h"

#include <stdio.h>
#include <string.h>

#define COPY_MOST 4096
#define HEAD_MOST 20 /* 16 digits, CRLF and the NUL of snprintf */

enum step { HEAD, DATA, TAIL, END };

struct chunked {
	struct ac_producer p;
	struct ac_producer *inner;
	enum step step;
	struct ac_slice piece;
	char buffer[HEAD_MOST + COPY_MOST + 2];
};

static struct ac_slice text(const char *s, size_t len)
{
	return (struct ac_slice){ s, len };
}

static int begin_chunk(struct chunked *c, struct ac_slice *ret_slice)
{
	int r = ac_producer_more_(c->inner, &c->piece);
	size_t len;

	if (r < 0)
		return r;
	if (c->piece.len == 0) {
		c->step = END;
		*ret_slice = text("0\r\n\r\n", 5);
		return 0;
	}
	len = (size_t)snprintf(c->buffer, HEAD_MOST, "%zx\r\n", c->piece.len);
	if (c->piece.len <= COPY_MOST) {
		memcpy(c->buffer + len, c->piece.data, c->piece.len);
		memcpy(c->buffer + len + c->piece.len, "\r\n", 2);
		len += c->piece.len + 2;
	} else {
		c->step = DATA;
	}
	*ret_slice = text(c->buffer, len);
	return 0;
}

static int chunked_more(struct ac_producer *p, struct ac_slice *ret_slice)
{
	struct chunked *c = (struct chunked *)p;

	switch (c->step) {
	case HEAD:
		return begin_chunk(c, ret_slice);
	case DATA:
		c->step = TAIL;
		*ret_slice = c->piece;
		return 0;
	case TAIL:
		c->step = HEAD;
		*ret_slice = text("\r\n", 2);
		return 0;
	default:
		*ret_slice = text(NULL, 0);
		return 0;
	}
}

static void chunked_free(struct ac_producer *p)
{
	ac_producer_free(((struct chunked *)p)->inner);
	ac_free_(p);
}

static const struct ac_producer_class chunked_class = { "chunked_producer", chunked_more,
	                                                chunked_free };

struct ac_producer *ac_chunked_producer(struct ac_producer *inner)
{
	struct chunked *c = inner ? ac_producer_new_(sizeof(*c), &chunked_class, inner) : NULL;

	if (!c)
		return NULL;
	c->inner = inner;
	return &c->p;
}
