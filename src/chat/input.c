/*
 * input.c — how a byte that was read becomes part of a record.
 *
 *	kernel ─▶ map's buffer, behind what was held back ─▶ cut ─▶ collect_incoming_data, found_terminator
 *	                                                   └─▶ what is not cut yet waits in c->in
 *
 * Design: a cursor moves through the data; the record is lent where it lies while it is in one piece there,
 * and copied only if it is unfinished when the data ends. Cutting stops when the channel was closed,
 * paused or choked, or a handler failed; the rest is kept and cut later.
 */
#include "chat.h"

#include <errno.h>
#include <string.h>

#define STOPS                                                                                      \
	(AC_IS_CLOSING | AC_IS_DOOMED | AC_IS_PAUSED | AC_IS_CHOKED | AC_IS_LEAVING |              \
	 AC_IS_DETACHED)

static struct ac_feed *feed_of(const struct ac_chat *c)
{
	struct ac_feed *f = c->d.map->feed;

	while (f && f->chat != c)
		f = f->outer;
	return f;
}

static int make_room(struct ac_chat *c, size_t more)
{
	size_t used = c->in ? c->in->len + c->in->rest : 0, cap = c->in ? c->in->cap : 0;
	struct ac_inbuf *in;

	if (more <= cap - used)
		return 0;
	if (more > SIZE_MAX / 4 - used)
		return ac_raise(c, EMSGSIZE);
	cap = cap ? cap : 64;
	while (cap < used + more)
		cap *= 2;
	in = ac_realloc_(c->in, sizeof(*in) + cap);
	if (!in)
		return ac_raise(c, ENOMEM);
	if (!c->in)
		in->len = in->rest = 0;
	in->cap = cap;
	c->in = in;
	return 0;
}

static int keep(struct ac_chat *c, const char *data, size_t len)
{
	char *end;

	if (len == 0)
		return 0;
	AC_TRY(c, make_room(c, len));
	end = c->in->data + c->in->len;
	memmove(end + len, end, c->in->rest);
	memcpy(end, data, len);
	c->in->len += len;
	return 0;
}

static int keep_rest(struct ac_chat *c, const char *data, size_t len)
{
	if (len == 0)
		return 0;
	AC_TRY(c, make_room(c, len));
	memcpy(c->in->data + c->in->len, data, len);
	c->in->rest = len;
	return 0;
}

static void free_if_empty(struct ac_chat *c)
{
	if (c->in && c->in->len + c->in->rest == 0) {
		ac_free_(c->in);
		c->in = NULL;
	}
}

int ac_pull(struct ac_chat *c, const void *data, size_t len)
{
	struct ac_feed *f = feed_of(c);
	const char *p = data;

	if (f && !(c->in && c->in->len) && p >= f->data && p + len <= f->data + f->len) {
		if (!f->lent_len)
			f->lent = p;
		if (f->lent + f->lent_len == p) {
			f->lent_len += len;
			return 0;
		}
	}
	if (f && f->lent_len) {
		size_t lent_len = f->lent_len;

		f->lent_len = 0;
		AC_TRY(c, keep(c, f->lent, lent_len));
	}
	return keep(c, p, len);
}

struct ac_slice ac_incoming(const struct ac_chat *c)
{
	const struct ac_feed *f = feed_of(c);

	if (f && f->lent_len)
		return (struct ac_slice){ f->lent, f->lent_len };
	if (c->in)
		return (struct ac_slice){ c->in->data, c->in->len };
	return (struct ac_slice){ "", 0 };
}

static void drop_record(struct ac_chat *c, struct ac_feed *f)
{
	if (f)
		f->lent_len = 0;
	if (!c->in)
		return;
	memmove(c->in->data, c->in->data + c->in->len, c->in->rest);
	c->in->len = 0;
	free_if_empty(c);
}

void ac_discard_input(struct ac_chat *c)
{
	struct ac_feed *f = feed_of(c);

	if (f) {
		f->pos = f->len;
		f->lent_len = 0;
		f->discarded = true;
	}
	ac_input_done_(c);
	ac_record_ends_(&c->d);
	c->d.flags &= ~(uint32_t)AC_IS_HOLDING;
	c->record_len = 0;
}

void ac_input_done_(struct ac_chat *c)
{
	ac_free_(c->in);
	c->in = NULL;
}

/* A record that grows too long is dropped, so that a handler that goes on does not meet it again. */
static int too_long(struct ac_chat *c, struct ac_feed *f)
{
	drop_record(c, f);
	c->record_len = 0;
	ac_count_(c->d.map, AC_COUNT_RECORD_TOO_LONG);
	return ac_raisef(c, EMSGSIZE, "a record of more than %zu bytes",
	                 ac_limit_(&c->d, AC_MAX_RECORD));
}

static bool is_bounded(const struct ac_chat *c)
{
	return c->term_kind == AC_TERM_STRING || c->term_kind == AC_TERM_ANY ||
	       ac_chat_cls_(c)->collect_incoming_data == ac_pull;
}

/* `counted` bytes of the `len` belong to the record; the others are its terminator. */
static int collect(struct ac_chat *c, struct ac_feed *f, size_t len, size_t counted)
{
	const char *data = f->data + f->pos;

	f->pos += len;
	if (len == 0)
		return 0;
	if (is_bounded(c) && c->record_len + counted > ac_limit_(&c->d, AC_MAX_RECORD))
		return too_long(c, f);
	if (is_bounded(c))
		c->record_len += (uint32_t)counted;
	return ac_chat_cls_(c)->collect_incoming_data(c, data, len);
}

static int found(struct ac_chat *c, struct ac_feed *f, size_t index)
{
	int r;

	if (c->d.flags & AC_IS_CLOSING)
		return 0;
	c->record_len = 0;
	f->ended = f->pos;
	c->term_found = (uint8_t)index;
	r = ac_chat_cls_(c)->found_terminator(c);
	drop_record(c, f);
	return r;
}

static int cut_count(struct ac_chat *c, struct ac_feed *f)
{
	size_t here = f->len - f->pos;
	int r;

	if (here > c->term.left)
		here = (size_t)c->term.left;
	c->term.left -= here;
	if (c->term.left)
		return collect(c, f, here, here);
	ac_terminator_done_(c);
	r = collect(c, f, here, here);
	return r < 0 || f->discarded ? r : found(c, f, 0);
}

/* The whole record lies here in one piece, and the default collector is to have it: it is lent. */
static bool may_lend(const struct ac_chat *c, const struct ac_feed *f)
{
	return ac_chat_cls_(c)->collect_incoming_data == ac_pull && !f->lent_len &&
	       !(c->in && c->in->len);
}

static int lend(struct ac_chat *c, struct ac_feed *f, size_t len, const struct ac_cut *cut)
{
	bool keeps = c->chat_flags & AC_CHAT_KEEPS_TERMINATOR;

	if (c->record_len + len > ac_limit_(&c->d, AC_MAX_RECORD)) {
		f->pos = cut->at + cut->len;
		return too_long(c, f);
	}
	f->lent = f->data + f->pos;
	f->lent_len = len + (keeps ? cut->len : 0);
	f->pos = cut->at + cut->len;
	return found(c, f, cut->index);
}

static void find_terminator(struct ac_chat *c, const struct ac_feed *f, bool last,
                            struct ac_cut *ret)
{
	const char *data = f->data + f->pos;
	size_t len = f->len - f->pos, at;
	struct ac_slice s;

	if (c->term_kind == AC_TERM_ANY) {
		ac_find_any_(c, f, last, ret);
		return;
	}
	s = ac_string_(c);
	at = ac_find_(data, len, s.data, s.len);
	ret->at = at == AC_NOT_FOUND ? at : f->pos + at;
	ret->len = s.len;
	ret->index = ret->held = 0;
	if (at == AC_NOT_FOUND && !last)
		ret->held = ac_find_prefix_at_end(data, len, s.data, s.len);
}

/* 1: the rest cannot be cut yet. */
static int cut_string(struct ac_chat *c, struct ac_feed *f, bool last)
{
	bool keeps = c->chat_flags & AC_CHAT_KEEPS_TERMINATOR;
	struct ac_cut cut;
	size_t len;
	int r;

	find_terminator(c, f, last, &cut);
	if (cut.at == AC_NOT_FOUND) {
		len = f->len - f->pos - cut.held;
		r = collect(c, f, len, len);
		return r < 0 ? r : 1;
	}
	len = cut.at - f->pos;
	if (may_lend(c, f))
		return lend(c, f, len, &cut);
	r = collect(c, f, len + (keeps ? cut.len : 0), len);
	if (f->discarded)
		return r;
	f->pos = cut.at + cut.len;
	return r < 0 ? r : found(c, f, cut.index);
}

static int cut(struct ac_chat *c, struct ac_feed *f, bool last)
{
	size_t len = f->len - f->pos;

	f->discarded = false;
	switch (c->term_kind) {
	case AC_TERM_NONE:
		return collect(c, f, len, len);
	case AC_TERM_COUNT:
		return cut_count(c, f);
	default:
		return cut_string(c, f, last);
	}
}

/* An unfinished record is timed from its first byte. */
static void time_record(struct ac_chat *c, const struct ac_feed *f)
{
	struct ac_dispatcher *d = &c->d;

	if (f->len == f->ended || c->term_kind == AC_TERM_NONE || f->discarded ||
	    (d->flags & (AC_IS_CLOSING | AC_IS_LEAVING)))
		ac_record_ends_(d);
	else if (f->ended || !d->extra || !d->extra->record)
		ac_record_begins_(d);
}

/* Keeps what is unfinished: the record so far, then what is not cut yet. */
static int put_away(struct ac_chat *c, struct ac_feed *f, int r)
{
	size_t left = f->len - f->pos, lent_len = f->lent_len;
	bool stopped = r < 0 || (c->d.flags & STOPS);

	f->lent_len = 0;
	time_record(c, f);
	if (c->d.flags & (AC_IS_CLOSING | AC_IS_LEAVING))
		return r;
	if (keep(c, f->lent, lent_len) < 0 || keep_rest(c, f->data + f->pos, left) < 0)
		return r < 0 ? r : -ENOMEM;
	if (left && stopped)
		c->d.flags |= AC_IS_HOLDING;
	return r;
}

static int feed(struct ac_chat *c, const char *data, size_t len, bool last)
{
	struct ac_map *m = c->d.map;
	struct ac_feed f = { .outer = m->feed, .chat = c, .data = data, .len = len };
	int r = 0;

	m->feed = &f;
	if (c->term_kind == AC_TERM_ANY)
		ac_forget_places_(c);
	while (r == 0 && f.pos < f.len && !(c->d.flags & STOPS))
		r = cut(c, &f, last);
	m->feed = f.outer;
	r = put_away(c, &f, r);
	return r < 0 ? r : 0;
}

/* Takes the rest out of c->in and puts it in front of `at`; returns its length. */
static size_t take_rest(struct ac_chat *c, char *at)
{
	size_t rest = c->in ? c->in->rest : 0;

	if (rest) {
		memcpy(at - rest, c->in->data + c->in->len, rest);
		c->in->rest = 0;
		free_if_empty(c);
	}
	c->d.flags &= ~(uint32_t)AC_IS_HOLDING;
	return rest;
}

/* n bytes that lie at `at`, with room for the rest in front of them, or -errno, as recv says it. */
static int got(struct ac_chat *c, char *at, ssize_t n)
{
	struct ac_dispatcher *d = &c->d;
	size_t rest;
	int r = 0;

	if (n < 0)
		return (int)ac_received_(d, n);
	if (d->flags & AC_IS_LEAVING)
		return n == 0 ? (int)ac_received_(d, 0) : 0;
	rest = take_rest(c, at);
	if (n > 0)
		ac_moved_(d);
	if (rest + (size_t)n)
		r = feed(c, at - rest, rest + (size_t)n, n == 0);
	if (r < 0 || n > 0 || (d->flags & (AC_IS_HOLDING | AC_IS_CLOSING)))
		return r;
	return (int)ac_received_(d, 0);
}

static int read_more(struct ac_chat *c, char *buffer)
{
	struct ac_dispatcher *d = &c->d;
	size_t size = d->cls->in_buffer_size < AC_READ_SIZE ? d->cls->in_buffer_size : AC_READ_SIZE;
	char *at = buffer + AC_READ_HEADROOM;

	return got(c, at, d->transport->recv(d, at, size));
}

/* What the poller has read for it, or NULL. */
static const struct ac_found *lent_to(const struct ac_chat *c)
{
	const struct ac_found *f = c->d.map->lent;

	return f && f->token == ac_token_(&c->d) ? f : NULL;
}

/* It is cut where it lies, unless there is a rest to put in front of it. */
static int take_lent(struct ac_chat *c, const struct ac_found *f, char *buffer)
{
	char *at = buffer + AC_READ_HEADROOM;

	c->d.flags |= AC_HAS_READ;
	c->d.map->lent = NULL;
	if (f->len > 0 && c->in && c->in->rest)
		memcpy(at, f->data, (size_t)f->len);
	else if (f->len > 0)
		at = (char *)f->data;
	return got(c, at, f->len);
}

static int feed_held(struct ac_chat *c, char *buffer)
{
	const size_t size = AC_READ_HEADROOM + AC_READ_SIZE;
	size_t rest = c->in ? c->in->rest : 0;
	char *end = buffer + size, *more = NULL;
	int r;

	if (rest > size) { /* a poller had read that far before it was stopped */
		more = ac_realloc_(NULL, rest);
		if (!more)
			return ac_raise(c, ENOMEM);
		end = more + rest;
	}
	take_rest(c, end);
	r = feed(c, end - rest, rest, false);
	ac_free_(more);
	return r;
}

/* A chat that is fed has nothing to read by itself. */
static int read_some(struct ac_chat *c, char *buffer)
{
	const struct ac_found *f = lent_to(c);

	if (c->d.flags & AC_IS_HOLDING)
		return feed_held(c, buffer);
	if (c->d.flags & AC_IS_FED)
		c->d.ready &= (uint8_t)~AC_IN;
	if (f)
		return take_lent(c, f, buffer);
	return c->d.flags & AC_IS_FED ? 0 : read_more(c, buffer);
}

int ac_chat_read_(struct ac_dispatcher *d)
{
	struct ac_map *m = d->map;
	char *buffer = ac_buffer_take_(m);
	int r;

	if (!buffer)
		return ac_raise(d, ENOMEM);
	r = read_some((struct ac_chat *)d, buffer);
	ac_buffer_give_(m, buffer);
	return r;
}

/* Inside found_terminator the record has been handed out. */
bool ac_chat_has_uncut_(const struct ac_chat *c)
{
	const struct ac_feed *f = feed_of(c);

	if (c->record_len || (c->in && c->in->rest))
		return true;
	return f ? f->pos < f->len : c->in && c->in->len;
}

int ac_chat_give_uncut_(struct ac_chat *c, struct ac_buf *to)
{
	if (!c->in || !c->in->rest)
		return 0;
	AC_TRY(c, ac_buf_append_(to, c->in->data + c->in->len, c->in->rest));
	c->in->rest = 0;
	free_if_empty(c);
	c->d.flags &= ~(uint32_t)AC_IS_HOLDING;
	return 0;
}

/* Behind what waits to be cut already. */
int ac_chat_keep_(struct ac_chat *c, const void *data, size_t len)
{
	AC_TRY(c, make_room(c, len));
	memcpy(c->in->data + c->in->len + c->in->rest, data, len);
	c->in->rest += len;
	c->d.flags |= AC_IS_HOLDING;
	ac_moved_(&c->d);
	return 0;
}
