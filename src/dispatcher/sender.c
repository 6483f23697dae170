/*
 * sender.c — a dispatcher with an output buffer of its own.
 *
 * Design: what is sent inside its own handlers goes out when they have returned, from elsewhere at once.
 * After a short write nothing is tried until the kernel says that there is room.
 */
#include "dispatcher.h"

#include <errno.h>

struct ac_outbuf {
	struct ac_buf buf;
	bool blocked;
};

static size_t pending(const struct ac_sender *s)
{
	return s->out ? s->out->buf.end - s->out->buf.start : 0;
}

size_t ac_sender_pending(const struct ac_sender *s)
{
	return pending(s);
}

void ac_sender_flush_(struct ac_sender *s)
{
	struct ac_dispatcher *d = &s->d;

	while (pending(s) && !s->out->blocked && !(d->flags & (AC_IS_CLOSING | AC_IS_DOOMED))) {
		struct ac_buf *b = &s->out->buf;
		struct iovec iov = { b->data + b->start, b->end - b->start };
		ssize_t n = d->transport->send(d, &iov, 1, false);

		s->out->blocked = n == -EAGAIN || (n >= 0 && (size_t)n < iov.iov_len);
		if (n >= 0) {
			ac_gave_(d);
			ac_buf_drop_(b, (size_t)n);
		} else if (n != -EAGAIN) {
			ac_unsent_(d, (int)n);
		}
	}
	if (!pending(s) || !s->out->blocked)
		ac_output_goes_(d);
	else if (!d->extra || !d->extra->waits)
		ac_output_waits_(d);
	if ((d->flags & AC_IS_LEAVING) && !pending(s))
		ac_doom_(d, ac_close_reason_when_sent_(d), false);
}

static bool may_flush(const struct ac_dispatcher *d)
{
	return (d->flags & AC_IS_CONNECTED) && d->fd >= 0;
}

static int settle(struct ac_dispatcher *d)
{
	struct ac_sender *s = (struct ac_sender *)d;

	if (d->flags & AC_IS_CLOSING) {
		if (s->out)
			ac_buf_done_(&s->out->buf);
		ac_free_(s->out);
		s->out = NULL;
	} else if (may_flush(d)) {
		ac_sender_flush_(s);
	}
	return 0;
}

ssize_t ac_sender_send(struct ac_sender *s, const void *data, size_t len)
{
	struct ac_dispatcher *d = &s->d;
	int r;

	if (d->flags & (AC_IS_CLOSING | AC_IS_LEAVING))
		return 0;
	if (len > ac_limit_(d, AC_MAX_OUTPUT) - pending(s) ||
	    pending(s) > ac_limit_(d, AC_MAX_OUTPUT)) {
		ac_refuse_output_(d, pending(s), len);
		return ac_raise(d, ENOBUFS);
	}
	if (!s->out && !(s->out = ac_alloc_(sizeof(*s->out))))
		return ac_raise(d, ENOMEM);
	r = ac_buf_append_(&s->out->buf, data, len);
	if (r < 0)
		return ac_raise(d, -r);
	if (!(d->flags & AC_IS_BUSY)) {
		if (may_flush(d))
			ac_sender_flush_(s);
		ac_update_(d);
	}
	return (ssize_t)len;
}

static bool writable(struct ac_dispatcher *d)
{
	return pending((struct ac_sender *)d) > 0;
}

static int handle_write(struct ac_dispatcher *d)
{
	struct ac_sender *s = (struct ac_sender *)d;

	if (s->out)
		s->out->blocked = false;
	ac_sender_flush_(s);
	return 0;
}

static int handle_eof(struct ac_dispatcher *d)
{
	d->flags |= AC_IS_LEAVING;
	ac_sender_flush_((struct ac_sender *)d);
	return 0;
}

const struct ac_class ac_sender_class = {
	.super = &ac_dispatcher_class,
	.name = "dispatcher_with_send",
	.size = sizeof(struct ac_sender),
	.class_size = sizeof(struct ac_class),
	.flags = AC_OURS,
	.readable = ac_base_readable_,
	.writable = writable,
	.handle_read = ac_base_handle_read_,
	.handle_write = handle_write,
	.handle_eof = handle_eof,
	.settle = settle,
	AC_BASE_METHODS,
};
