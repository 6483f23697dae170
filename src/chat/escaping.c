/*
 * escaping.c — puts a replacement for each occurrence of a string in the stream: dot-stuffing and the like.
 *
 * Design: what another producer gives is appended to what was held back; occurrences are replaced from left
 * to right, without overlap, and the longest end that may become one waits for the next piece.
 */
#include "producer.h"

#include <string.h>

struct escaping {
	struct ac_producer p;
	struct ac_producer *inner;
	struct ac_buf in, out; /* in: held back and not looked at yet; out: given last */
	bool ended;
	size_t from_len, replacement_len;
	char text[]; /* from, then the replacement */
};

static int replace_all(struct escaping *e)
{
	const char *from = e->text, *replacement = e->text + e->from_len;
	size_t held, at;
	int r = 0;

	while (r >= 0) {
		struct ac_slice s = ac_buf_all_(&e->in);

		at = ac_find_(s.data, s.len, from, e->from_len);
		if (at == AC_NOT_FOUND) {
			held = e->ended ? 0
			                : ac_find_prefix_at_end(s.data, s.len, from, e->from_len);
			r = ac_buf_append_(&e->out, s.data, s.len - held);
			if (r >= 0)
				ac_buf_drop_(&e->in, s.len - held);
			return r;
		}
		r = ac_buf_append_(&e->out, s.data, at);
		if (r >= 0)
			r = ac_buf_append_(&e->out, replacement, e->replacement_len);
		if (r >= 0)
			ac_buf_drop_(&e->in, at + e->from_len);
	}
	return r;
}

static int escaping_more(struct ac_producer *p, struct ac_slice *ret_slice)
{
	struct escaping *e = (struct escaping *)p;

	ac_buf_done_(&e->out);
	while (e->out.end == e->out.start && !e->ended) {
		struct ac_slice piece;
		int r = ac_producer_more_(e->inner, &piece);

		if (r >= 0) {
			e->ended = piece.len == 0;
			r = ac_buf_append_(&e->in, piece.data, piece.len);
		}
		if (r >= 0)
			r = replace_all(e);
		if (r < 0)
			return r;
	}
	*ret_slice = ac_buf_all_(&e->out);
	return 0;
}

static void escaping_free(struct ac_producer *p)
{
	struct escaping *e = (struct escaping *)p;

	ac_buf_done_(&e->in);
	ac_buf_done_(&e->out);
	ac_producer_free(e->inner);
	ac_free_(e);
}

static const struct ac_producer_class escaping_class = { "escaping_producer", escaping_more,
	                                                 escaping_free };

struct ac_producer *ac_escaping_producer(struct ac_producer *inner, const char *from,
                                         const char *replacement)
{
	size_t from_len = strlen(from), replacement_len = strlen(replacement);
	struct escaping *e;

	if (!inner || from_len == 0) {
		ac_producer_free(inner);
		return NULL;
	}
	e = ac_producer_new_(sizeof(*e) + from_len + replacement_len, &escaping_class, inner);
	if (!e)
		return NULL;
	e->inner = inner;
	e->from_len = from_len;
	e->replacement_len = replacement_len;
	memcpy(e->text, from, from_len);
	memcpy(e->text + from_len, replacement, replacement_len);
	return &e->p;
}
