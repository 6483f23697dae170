/*
 * relay.c — two channels joined: what comes from one goes to the other.
 *
 *	a's input ─▶ the map's buffer ─▶ b                       little at a time
 *	          └▶ a pipe of the map's ─▶ b                    much, between plain sockets
 *	                │ what b does not take: b->out, until it is writable; a is not read meanwhile
 *
 * Design: a read that fills the buffer says that there is much: the kernel moves what follows through a pipe
 * until there is no more. What ends that is asked of recv, because splice cannot tell "nothing yet" from an
 * out-of-band mark, nor the mark from the end. What goes to a side is that side's, so that it outlives
 * the other.
 *
 * Invariants:
 *  - a->other == b <==> b->other == a; neither is freed before it has parted from the other.
 *  - r->out is NULL or has a pipe or bytes; one of pipe and `buf` is empty.
 *  - a is read only while nothing is under way to b.
 *  - while they are joined, or a pipe may be out, both stay on their map: extra->stays.
 *
 * Limits: TURN bytes are read from one side in one turn; AC_READ_SIZE bytes or one pipe are under way.
 */
#include <asyncore/relay.h>

#include "../dispatcher/dispatcher.h"

#include <errno.h>

#define TURN ((size_t)1 << 20)

enum relay_state {
	IS_SHUT = 1, /* its output: all was delivered that the other will ever send */
	IS_LEFT = 2, /* the other is gone, with the reason `end` */
	IS_BULK = 4  /* its input comes in large pieces */
};

struct ac_flow {
	struct ac_pipe *pipe;
	size_t piped;
	struct ac_buf buf;
};

size_t ac_relay_pending(const struct ac_relay *r)
{
	return r->out ? r->out->piped + (r->out->buf.end - r->out->buf.start) : 0;
}

static bool is_up(const struct ac_relay *r)
{
	return (r->d.flags & AC_IS_CONNECTED) && !(r->d.flags & (AC_IS_CLOSING | AC_IS_DOOMED));
}

static bool has_ended(const struct ac_relay *r)
{
	return r->d.flags & AC_IS_ENDED;
}

static void drop_flow(struct ac_relay *r)
{
	if (!r->out)
		return;
	if (r->out->pipe)
		ac_pipe_give_(r->d.map, r->out->pipe, r->out->piped == 0);
	ac_buf_done_(&r->out->buf);
	ac_free_(r->out);
	r->out = NULL;
	r->d.extra->stays = r->other;
}

static void account(struct ac_relay *to, size_t n)
{
	to->sent += n;
	ac_moved_(&to->d);
	if (to->other)
		ac_moved_(&to->other->d);
}

/* ---- to one side ------------------------------------------------------------------------- */

/* The transport was changed meanwhile: what the pipe has is sent as everything else. */
static ssize_t empty_pipe(struct ac_relay *r, struct ac_flow *f)
{
	char *buffer = ac_buffer_take_(r->d.map);
	size_t most = f->piped < AC_READ_SIZE ? f->piped : AC_READ_SIZE;
	ssize_t n = buffer ? ac_sys_read_(f->pipe->fds[0], buffer, most) : -ENOMEM;
	int kept = n > 0 ? ac_buf_append_(&f->buf, buffer, (size_t)n) : 0;

	if (buffer)
		ac_buffer_give_(r->d.map, buffer);
	if (n > 0)
		f->piped -= (size_t)n;
	if (kept < 0)
		return kept;
	return n ? n : -EIO;
}

static ssize_t splice_some(struct ac_relay *r, struct ac_flow *f)
{
	ssize_t n = r->d.transport->splice_out(&r->d, f->pipe->fds[0], f->piped);

	f->piped -= n > 0 ? (size_t)n : 0;
	return n ? n : -EIO;
}

static ssize_t send_some(struct ac_relay *r, struct ac_flow *f)
{
	struct iovec iov = { f->buf.data + f->buf.start, f->buf.end - f->buf.start };
	ssize_t n;

	n = r->d.transport->send(&r->d, &iov, 1, false);
	if (n > 0)
		ac_buf_drop_(&f->buf, (size_t)n);
	return n ? n : -EAGAIN;
}

/* Whether nothing is under way any more. A lost connection is closed at its next turn. */
static bool flush(struct ac_relay *r)
{
	while (r->out && r->out->piped && !r->d.transport->splice_out) {
		ssize_t n = empty_pipe(r, r->out);

		if (n < 0) {
			ac_unsent_(&r->d, (int)n);
			return false;
		}
	}
	while (ac_relay_pending(r)) {
		struct ac_flow *f = r->out;
		ssize_t n = f->piped ? splice_some(r, f) : send_some(r, f);

		if (n > 0) {
			account(r, (size_t)n);
			continue;
		}
		if (n != -EAGAIN)
			ac_unsent_(&r->d, (int)n);
		return false;
	}
	return true;
}

static struct ac_flow *flow_of(struct ac_relay *r)
{
	if (!r->out)
		r->out = ac_alloc_(sizeof(*r->out));
	return r->out;
}

/* What the kernel does not take is kept. */
static int deliver(struct ac_relay *to, const char *data, size_t len)
{
	struct iovec iov = { (void *)data, len };
	ssize_t n = to->d.transport->send(&to->d, &iov, 1, false);

	if (n < 0 && n != -EAGAIN) {
		ac_unsent_(&to->d, (int)n);
		return 0;
	}
	if (n > 0)
		account(to, (size_t)n);
	else
		n = 0;
	if ((size_t)n == len)
		return 0;
	n = flow_of(to) ? ac_buf_append_(&to->out->buf, data + n, len - (size_t)n) : -ENOMEM;
	if (n < 0) /* there would be a hole in what it gets */
		ac_doom_(&to->d, (int)-n, false);
	return (int)n;
}

/* ---- from one side ----------------------------------------------------------------------- */

/* Until the buffer is full or there is no more: what ended it is told when this is delivered. */
static size_t gather(struct ac_relay *r, char *buffer, ssize_t *ret_last)
{
	struct ac_dispatcher *d = &r->d;
	size_t have = 0;
	ssize_t n;

	do {
		n = d->transport->recv(d, buffer + have, AC_READ_SIZE - have);
		if (n > 0)
			have += (size_t)n;
	} while (n > 0 && have < AC_READ_SIZE && (d->ready & AC_IN));
	*ret_last = n;
	return have;
}

/* Bytes moved, or what the last read said if that is no number of bytes. */
static ssize_t copy(struct ac_relay *r, struct ac_relay *to)
{
	char *buffer = ac_buffer_take_(r->d.map);
	ssize_t last;
	size_t have;
	int failed;

	if (!buffer)
		return ac_raise(r, ENOMEM);
	have = gather(r, buffer, &last);
	failed = have ? deliver(to, buffer, have) : 0;
	ac_buffer_give_(r->d.map, buffer);
	r->received += have;
	if (have == AC_READ_SIZE && (r->d.ready & AC_IN))
		r->state |= IS_BULK;
	if (failed < 0)
		return ac_raise(r, -failed);
	return last > 0 ? (ssize_t)have : ac_received_(&r->d, last);
}

static bool has_pipe(struct ac_relay *r, struct ac_relay *to)
{
	bool can = r->d.transport->splice_in && to->d.transport->splice_out &&
	           (r->d.flags & to->d.flags & AC_IS_STREAM);

	if (!can || !flow_of(to))
		return false;
	if (!to->out->pipe)
		to->out->pipe = ac_pipe_take_(r->d.map);
	return to->out->pipe;
}

/* Nothing for it yet, or it cannot be done like this: recv knows. All else is an error of the connection. */
static bool asks_recv(ssize_t n)
{
	return n == 0 || n == -EAGAIN || n == -EINVAL || n == -ENOMEM || n == -ENOSYS ||
	       n == -EPERM;
}

/* Bytes moved; 0: recv is to say what there is. The kernel tells an error once: recv would call it an end. */
static ssize_t splice_over(struct ac_relay *r, struct ac_relay *to)
{
	ssize_t n = 0;

	if (has_pipe(r, to))
		n = r->d.transport->splice_in(&r->d, to->out->pipe->fds[1], to->out->pipe->size);
	if (n <= 0) {
		r->state &= (uint16_t)~IS_BULK;
		drop_flow(to);
		return asks_recv(n) ? 0 : n;
	}
	r->received += (uint64_t)n;
	to->out->piped = (size_t)n;
	flush(to);
	return n;
}

static bool may_read(const struct ac_relay *r)
{
	return r->other && is_up(r->other) && !ac_relay_pending(r->other);
}

static int handle_read(struct ac_dispatcher *d)
{
	struct ac_relay *r = (struct ac_relay *)d;
	size_t moved = 0;
	ssize_t n;

	if (!may_read(r)) /* fired by hand */
		return -EAGAIN;
	do {
		n = r->state & IS_BULK ? splice_over(r, r->other) : 0;
		if (n < 0)
			return (int)ac_received_(d, n);
		if (n == 0)
			n = copy(r, r->other);
		if (n <= 0)
			return (int)n;
		moved += (size_t)n;
	} while (moved < TURN && (d->ready & AC_IN) && may_read(r));
	return 0;
}

static int handle_write(struct ac_dispatcher *d)
{
	struct ac_relay *r = (struct ac_relay *)d;

	if (flush(r))
		drop_flow(r);
	return 0;
}

static bool readable(struct ac_dispatcher *d)
{
	return may_read((struct ac_relay *)d);
}

static bool writable(struct ac_dispatcher *d)
{
	return ac_relay_pending((struct ac_relay *)d) > 0;
}

/* ---- ends -------------------------------------------------------------------------------- */

/* What is due once nothing is under way to it: its own end, or the end of its output. */
static void conclude(struct ac_relay *r)
{
	int failed;

	if (!is_up(r) && !(r->state & IS_LEFT))
		return;
	if (ac_relay_pending(r) && is_up(r))
		return;
	if (r->state & IS_LEFT) {
		ac_doom_(&r->d, r->end, false);
	} else if (r->other && has_ended(r->other) && !(r->state & IS_SHUT)) {
		r->state |= IS_SHUT;
		failed = ac_shutdown(&r->d, SHUT_WR);
		if (failed < 0)
			ac_unsent_(&r->d, failed);
	}
	if (r->other && (r->state & r->other->state & IS_SHUT)) {
		ac_doom_(&r->d, AC_PEER, false);
		ac_doom_(&r->other->d, AC_PEER, false);
	}
}

static void part(struct ac_relay *r)
{
	struct ac_relay *other = r->other;
	int reason = ac_close_reason(&r->d);

	if (reason > 0 && r->d.fd >= 0)
		ac_sys_reset_on_close_(r->d.fd);
	if (!other)
		return;
	r->other = other->other = NULL;
	r->d.extra->stays = r->out;
	other->d.extra->stays = other->out;
	if (reason > 0 && other->d.fd >= 0)
		ac_sys_reset_on_close_(other->d.fd);
	other->state |= IS_LEFT;
	other->end = (int16_t)reason;
	conclude(other);
	ac_touch(&other->d);
}

/* After each turn of one side the other's interest follows. */
static int settle(struct ac_dispatcher *d)
{
	struct ac_relay *r = (struct ac_relay *)d;

	if (d->flags & AC_IS_CLOSING) {
		part(r);
		drop_flow(r);
		return 0;
	}
	conclude(r);
	if (!r->other)
		return 0;
	conclude(r->other);
	ac_touch(&r->other->d);
	return 0;
}

/* While its descriptor is open yet. */
static int handle_close(struct ac_dispatcher *d)
{
	part((struct ac_relay *)d);
	return 0;
}

/* The end is passed on when all before it is delivered. */
static int handle_eof(struct ac_dispatcher *d)
{
	(void)d;
	return 0;
}

int ac_relay_join(struct ac_relay *a, struct ac_relay *b)
{
	if (a == b || a->d.map != b->d.map)
		return ac_raise(a, EINVAL);
	if (a->other || b->other || (a->state & IS_LEFT) || (b->state & IS_LEFT))
		return ac_raise(a, EISCONN);
	if (ac_closing(&a->d) || ac_closing(&b->d))
		return ac_raise(a, ENOTCONN);
	if (!ac_extra_(&a->d) || !ac_extra_(&b->d))
		return ac_raise(a, ENOMEM);
	a->d.extra->stays = b->d.extra->stays = true;
	a->other = b;
	b->other = a;
	ac_touch(&a->d);
	ac_touch(&b->d);
	return 0;
}

const struct ac_class ac_relay_class = {
	.super = &ac_dispatcher_class,
	.name = "relay",
	.size = sizeof(struct ac_relay),
	.class_size = sizeof(struct ac_class),
	.flags = AC_OURS,
	.readable = readable,
	.writable = writable,
	.handle_read = handle_read,
	.handle_write = handle_write,
	.handle_eof = handle_eof,
	.handle_close = handle_close,
	.settle = settle,
	AC_BASE_METHODS_BUT_CLOSE,
};
