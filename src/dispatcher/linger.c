/*
 * linger.c — what a channel's transport still has to send when the channel closes.
 *
 * Design: the channel is gone at once, as after any close. Its descriptor goes to another one that nobody is shown,
 * which sends the rest, drops what comes in, for a close with unread input would reset what is on its way, and
 * closes. It counts as the connection it was, and keeps the loop going. The rest is sent by the process that closed:
 * a child forked since then only closes what it has of it, at the first event.
 * Limits: LINGER_NS in all, less under stress; the bytes given. Not while all channels are closed.
 */
#include "dispatcher.h"

#include <errno.h>

#define LINGER_NS INT64_C(5000000000)
#define DROP_SIZE 4096

struct lingerer {
	struct ac_sender s;
	struct ac_task end;
	unsigned forks; /* when it began */
};

/* Closes it in a process that has not begun it. */
static bool leaves(struct lingerer *l)
{
	if (l->forks != ac_forks_)
		ac_close_(&l->s.d, 0);
	return l->forks != ac_forks_;
}

static int give_up(void *arg)
{
	struct lingerer *l = arg;
	struct ac_dispatcher *d = &l->s.d;
	char repr[AC_REPR_TEXT];

	if (leaves(l))
		return 0;
	ac_count_(d->map, AC_COUNT_STALLED);
	if (ac_may_say_(d->map, AC_COUNT_STALLED))
		ac_say_(d, AC_COUNT_STALLED, AC_LOG_WARNING, "closed with %zu bytes unsent: %s",
		        ac_sender_pending(&l->s), ac_repr(d, repr, sizeof(repr)));
	ac_close_(d, ETIMEDOUT);
	return 0;
}

static int drop_input(struct ac_dispatcher *d)
{
	char unwanted[DROP_SIZE];
	ssize_t n = leaves((struct lingerer *)d) ? 0 : ac_recv(d, unwanted, sizeof(unwanted));

	return n < 0 ? (int)n : 0;
}

static int send_more(struct ac_dispatcher *d)
{
	return leaves((struct lingerer *)d) ? 0 : ac_sender_class.handle_write(d);
}

static int closed(struct ac_dispatcher *d)
{
	ac_task_cancel(&((struct lingerer *)d)->end);
	return 0;
}

static const struct ac_class lingerer_class = {
	.super = AC_DISPATCHER_WITH_SEND,
	.name = "closed, sending",
	.size = sizeof(struct lingerer),
	.flags = AC_OURS | AC_INNER,
	.limits = { [AC_MAX_OUTPUT] = SIZE_MAX, [AC_MAX_STALL] = SIZE_MAX },
	.handle_read = drop_input,
	.handle_write = send_more,
	.handle_close = closed,
};

/* A poller that forgets what is closed has to be told: this one stays open. */
static int release_fd(struct ac_dispatcher *d)
{
	int fd = d->fd;

	d->flags &= ~(uint32_t)AC_IS_CLOSING;
	ac_unwatch_(d);
	d->flags |= AC_IS_CLOSING;
	d->fd = -1;
	return fd;
}

static void send_rest(struct lingerer *l, const void *data, size_t len)
{
	struct ac_dispatcher *d = &l->s.d;
	struct ac_map *m = d->map;

	if (ac_sender_send(&l->s, data, len) < 0) {
		ac_close_(d, ENOMEM);
		return;
	}
	l->forks = ac_forks_;
	d->flags |= AC_IS_LEAVING;
	ac_sender_flush_(&l->s);
	ac_task_start_inner_(&l->end, m, ac_map_time_(m) + ac_patience_(m, LINGER_NS), give_up, l);
}

void ac_linger_hurry_(struct ac_dispatcher *d)
{
	struct lingerer *l = (struct lingerer *)d;
	int64_t due = ac_map_time_(d->map) + ac_patience_(d->map, LINGER_NS);

	if (!ac_is_a_(d, &lingerer_class) || !ac_task_pending(&l->end) || l->end.due <= due)
		return;
	ac_task_cancel(&l->end);
	ac_task_start_inner_(&l->end, d->map, due, give_up, l);
}

void ac_linger_(struct ac_dispatcher *d, const void *data, size_t len)
{
	struct ac_map *m = d->map;
	struct ac_error pending = m->error;
	struct ac_dispatcher *l;
	struct ac_addr peer;
	bool known = ac_addr(d, &peer) == 0;

	if (m->closing_all)
		return;
	l = ac_adopt(m, &lingerer_class, release_fd(d), known ? &peer : NULL);
	if (l && (d->flags & AC_IS_ADMITTED))
		ac_admit_(l);
	if (l)
		send_rest((struct lingerer *)l, data, len);
	m->error = pending;
}
