/*
 * push.c — what goes into the queue, and whether it still fits.
 *
 * Design: a push either queues all or nothing. What the chat's own handlers left is sent by the frame around
 * them, what others pushed during a pass, but for the first, at its end; at once from the high-water mark on, and outside
 * of passes. Failures doom the channel, which then closes in its next turn: a push never calls a handler.
 */
#include "chat.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static bool is_closed(const struct ac_chat *c)
{
	return c->d.flags & (AC_IS_CLOSING | AC_IS_LEAVING | AC_IS_DOOMED);
}

static bool has_room(const struct ac_chat *c, size_t len)
{
	size_t most = ac_limit_(&c->d, AC_MAX_OUTPUT), used = c->out ? c->out->memory : 0;

	return used <= most && len <= most - used;
}

/* There is a queue, and room in it for so many bytes of memory. */
static int need_room(struct ac_chat *c, size_t len)
{
	if (!has_room(c, len)) {
		size_t queued = c->out ? c->out->memory : 0;

		ac_refuse_output_(&c->d, queued, len);
		return ac_raisef(c, ENOBUFS, "%zu bytes queued, %zu more", queued, len);
	}
	return ac_output_(c) ? 0 : ac_raise(c, ENOMEM);
}

/* The first goes at once. Others may push many times during a pass: what follows goes out when it ends. */
AC_APART static int pushed_by_others(struct ac_chat *c)
{
	struct ac_map *m = c->d.map;
	bool much = c->out->total >= ac_limit_(&c->d, AC_HIGH_WATER);

	if (!much && (c->chat_flags & AC_CHAT_IS_LISTED))
		return 0;
	ac_flush_(c);
	ac_touch(&c->d);
	if (m->now && !much && ac_names_add_(&m->pushed, ac_name_of_(&c->d)) == 0)
		c->chat_flags |= AC_CHAT_IS_LISTED;
	return 0;
}

static int pushed(struct ac_chat *c)
{
	bool waits = (c->d.flags & AC_IS_BUSY) && c->out->total < ac_limit_(&c->d, AC_HIGH_WATER);

	return waits ? 0 : pushed_by_others(c);
}

/* Small pushes share the chunk at the end of the queue. */
static bool add_to_last(struct ac_chat *c, const void *data, size_t len)
{
	struct ac_output *out = c->out;

	if (!out || !out->last || !has_room(c, len) || !ac_chunk_add_(out->last, data, len))
		return false;
	out->memory += len;
	out->total += len;
	return true;
}

AC_APART static int push_chunk(struct ac_chat *c, const void *data, size_t len)
{
	struct ac_chunk_producer *k;
	struct ac_producer *p;

	AC_TRY(c, need_room(c, len));
	k = ac_chunk_new_(c->d.map);
	p = k ? &k->p : NULL;
	if (k && !ac_chunk_add_(k, data, len)) {
		ac_producer_free(p);
		p = ac_copy_new_(data, len);
	}
	if (!p)
		return ac_raise(c, ENOMEM);
	ac_queue_producer_(c, p);
	return pushed(c);
}

int ac_push(struct ac_chat *c, const void *data, size_t len)
{
	if (is_closed(c) || len == 0)
		return 0;
	return add_to_last(c, data, len) ? pushed(c) : push_chunk(c, data, len);
}

/* A producer made for the push, or NULL; it is freed if it cannot be queued. */
static int push_made(struct ac_chat *c, struct ac_producer *p)
{
	int r = p ? need_room(c, ac_charge_(c, p)) : ac_raise(c, ENOMEM);

	if (r < 0) {
		ac_producer_free(p);
		return r;
	}
	ac_queue_producer_(c, p);
	return pushed(c);
}

int ac_push_owned(struct ac_chat *c, const void *data, size_t len, void (*free_fn)(void *),
                  void *arg)
{
	struct ac_producer *p =
		is_closed(c) || len == 0 ? NULL : ac_lent_new_(data, len, free_fn, arg);

	if (p)
		return push_made(c, p);
	if (free_fn)
		free_fn(arg);
	return is_closed(c) || len == 0 ? 0 : ac_raise(c, ENOMEM);
}

int ac_push_static(struct ac_chat *c, const void *data, size_t len)
{
	return ac_push_owned(c, data, len, NULL, NULL);
}

int ac_pushf(struct ac_chat *c, const char *format, ...)
{
	char small[512], *text = small;
	va_list args, again;
	int len, r;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(small, sizeof(small), format, args);
	if (len >= (int)sizeof(small)) {
		text = ac_realloc_(NULL, (size_t)len + 1);
		if (text)
			vsnprintf(text, (size_t)len + 1, format, again);
	}
	va_end(again);
	va_end(args);
	if (len < 0 || !text)
		return ac_raise(c, len < 0 ? EINVAL : ENOMEM);
	r = ac_push(c, text, (size_t)len);
	if (text != small)
		ac_free_(text);
	return r;
}

int ac_push_file(struct ac_chat *c, int fd, int64_t offset, int64_t len)
{
	bool bad = fd < 0 || offset < 0 || len < 0;
	struct ac_producer *p = NULL;

	if (!bad && !is_closed(c) && len)
		p = ac_whole_file_new_(fd, offset, len);
	if (p)
		return push_made(c, p);
	if (fd >= 0)
		ac_sys_close_(fd);
	if (bad)
		return ac_raise(c, EINVAL);
	return is_closed(c) || len == 0 ? 0 : ac_raise(c, ENOMEM);
}

int ac_push_with_producer(struct ac_chat *c, struct ac_producer *p)
{
	if (p && is_closed(c)) {
		ac_producer_free(p);
		return 0;
	}
	return push_made(c, p);
}

int ac_flush(struct ac_chat *c)
{
	if (c->out)
		c->out->dry = false;
	ac_flush_(c);
	ac_touch(&c->d);
	return 0;
}
