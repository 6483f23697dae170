/*
 * compress.c — a producer that compresses what another one gives, by zlib.
 *
 * Design: input is taken a piece at a time and deflated into one buffer; a piece that yields nothing yet asks
 * for the next, because an empty slice would mean the end.
 */
#include <asyncore/compress.h>

#include "../base/base.h"

#include <errno.h>
#include <limits.h>
#include <zlib.h>

#define OUT_SIZE 16384

struct compressed {
	struct ac_producer p;
	struct ac_producer *inner;
	z_stream z;
	struct ac_slice piece; /* not deflated yet */
	bool ended, finished;
	unsigned char out[OUT_SIZE];
};

static voidpf zlib_alloc(voidpf ctx, uInt items, uInt size)
{
	(void)ctx;
	return ac_alloc_((size_t)items * size);
}

static void zlib_free(voidpf ctx, voidpf p)
{
	(void)ctx;
	ac_free_(p);
}

/* zlib counts in unsigned int: a huge piece goes in parts. */
static void give_input(struct compressed *c)
{
	size_t n = c->piece.len < UINT_MAX ? c->piece.len : UINT_MAX;

	if (c->z.avail_in || !n)
		return;
	c->z.next_in = (Bytef *)(uintptr_t)c->piece.data;
	c->z.avail_in = (uInt)n;
	c->piece.data = (const char *)c->piece.data + n;
	c->piece.len -= n;
}

static int take_piece(struct compressed *c)
{
	int r;

	if (c->z.avail_in || c->piece.len || c->ended)
		return 0;
	r = c->inner->cls->more(c->inner, &c->piece);
	if (r < 0)
		c->piece.len = 0;
	else
		c->ended = c->piece.len == 0;
	return r;
}

static int compressed_more(struct ac_producer *p, struct ac_slice *ret_slice)
{
	struct compressed *c = (struct compressed *)p;
	int r = 0;

	c->z.next_out = c->out;
	c->z.avail_out = OUT_SIZE;
	while (!c->finished && c->z.avail_out == OUT_SIZE) {
		r = take_piece(c);
		if (r < 0)
			return r;
		give_input(c);
		r = deflate(&c->z, c->ended ? Z_FINISH : Z_NO_FLUSH);
		if (r == Z_STREAM_ERROR)
			return -EIO;
		c->finished = r == Z_STREAM_END;
	}
	*ret_slice = (struct ac_slice){ c->out, OUT_SIZE - c->z.avail_out };
	return 0;
}

static void compressed_free(struct ac_producer *p)
{
	struct compressed *c = (struct compressed *)p;

	deflateEnd(&c->z);
	ac_producer_free(c->inner);
	ac_free_(c);
}

static const struct ac_producer_class compressed_class = { "compressed_producer", compressed_more,
	                                                   compressed_free };

struct ac_producer *ac_compressed_producer(struct ac_producer *inner, enum ac_compression format,
                                           int level)
{
	static const int window_bits[] = {
		[AC_GZIP] = 15 + 16, [AC_ZLIB] = 15, [AC_DEFLATE] = -15
	};
	bool good = inner && level >= 0 && level <= 9 && (unsigned)format <= AC_DEFLATE;
	struct compressed *c = good ? ac_alloc_(sizeof(*c)) : NULL;

	if (!c) {
		ac_producer_free(inner);
		return NULL;
	}
	c->p.cls = &compressed_class;
	c->inner = inner;
	c->z.zalloc = zlib_alloc;
	c->z.zfree = zlib_free;
	if (deflateInit2(&c->z, level ? level : Z_DEFAULT_COMPRESSION, Z_DEFLATED,
	                 window_bits[format], 8, Z_DEFAULT_STRATEGY) != Z_OK) {
		ac_producer_free(inner);
		ac_free_(c);
		return NULL;
	}
	return &c->p;
}
