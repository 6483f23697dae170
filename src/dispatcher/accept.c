/*
 * accept.c — connections that come in, and what goes wrong with them.
 *
 * Design: a bounded batch a pass. An error of an accepted connection is its own: it goes to the channel that
 * was adopted for it, or to the log. When descriptors run out, the one kept in reserve is given up to accept
 * and close a single connection, so that its peer learns of it, and the listener rests.
 */
#include "dispatcher.h"

#include <errno.h>

#define REST_NS 100000000 /* 100 ms */
#define SAY_NS 1000000000 /* one line a second */

static int rested(void *arg)
{
	struct ac_dispatcher *d = arg;

	d->flags &= ~(uint32_t)AC_IS_RESTING;
	ac_update_(d);
	return 0;
}

void ac_rest_(struct ac_dispatcher *d)
{
	struct ac_extra *extra = d->flags & AC_IS_CLOSING ? NULL : ac_extra_(d);

	if (!extra) /* without memory for a rest it just goes on */
		return;
	d->flags |= AC_IS_RESTING;
	ac_task_start_inner_(&extra->rest, d->map, ac_map_time_(d->map) + REST_NS, rested, d);
	if (!(d->flags & AC_IS_BUSY))
		ac_update_(d);
}

static void shed_one(struct ac_dispatcher *d, int code)
{
	struct ac_map *m = d->map;
	int64_t now = ac_map_time_(m);
	struct ac_addr peer;
	int fd;

	if (m->spare >= 0) {
		ac_sys_close_(m->spare);
		fd = ac_sys_accept_(d->fd, &peer);
		if (fd >= 0)
			ac_sys_close_(fd);
	}
	m->spare = ac_sys_spare_();
	if (m->said == 0 || now - m->said >= SAY_NS) {
		m->said = now;
		ac_log_info(d, AC_LOG_WARNING, "accept: %s: connections are refused",
		            ac_error_name(code));
	}
	ac_rest_(d);
}

int ac_accept(struct ac_dispatcher *d, struct ac_addr *ret_peer)
{
	struct ac_addr peer;
	int fd;

	if (d->fd < 0 || (d->flags & AC_IS_CLOSING))
		return -EAGAIN;
	d->flags |= AC_HAS_READ;
	fd = ac_sys_accept_(d->fd, &peer);
	switch (fd) {
	case -EAGAIN:
		d->ready &= (uint8_t)~AC_IN;
		return -EAGAIN;
	case -ECONNABORTED:
	case -EPROTO:
	case -EPERM:
	case -ENETDOWN:
	case -ENETUNREACH:
	case -EHOSTDOWN:
	case -EHOSTUNREACH:
	case -ENOPROTOOPT:
		return -EAGAIN; /* that one is gone; there may be others */
	case -EMFILE:
	case -ENFILE:
	case -ENOBUFS:
	case -ENOMEM:
		shed_one(d, -fd);
		return -EAGAIN;
	default:
		break;
	}
	if (fd < 0)
		return ac_raise(d, -fd);
	if (ret_peer)
		*ret_peer = peer;
	return fd;
}

/* The handler failed with a connection that it had adopted, or had not. */
static void accepted_failed(struct ac_dispatcher *d, int fd, int r)
{
	struct ac_map *m = d->map;
	struct ac_dispatcher *adopter = m->adopter;
	char trace[512];

	if (m->accepted == fd)
		ac_sys_close_(fd);
	if (r == AC_EXIT || r == -EAGAIN)
		return;
	if (adopter && ac_enter_(adopter)) {
		ac_failed_(adopter, r, "handle_accepted");
		ac_leave_(adopter);
		return;
	}
	ac_error_settle_(m, -r, d->cls->name, "handle_accepted");
	ac_compact_traceback(&m->error, trace, sizeof(trace));
	ac_log_info(d, AC_LOG_ERROR, "a connection was not accepted %s", trace);
}

static int hand_over(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct ac_map *m = d->map;
	int outer_accepted = m->accepted, r;
	struct ac_dispatcher *outer_adopter = m->adopter;

	m->accepted = fd;
	m->adopter = NULL;
	m->error.code = 0;
	r = d->cls->handle_accepted(d, fd, peer);
	if (r < 0)
		accepted_failed(d, fd, r);
	m->accepted = outer_accepted;
	m->adopter = outer_adopter;
	return r == AC_EXIT ? r : 0;
}

int ac_handle_accept_(struct ac_dispatcher *d)
{
	size_t most = ac_limit_(d, AC_MAX_ACCEPTS);
	struct ac_addr peer;

	for (size_t i = 0; i < most; i++) {
		int fd = ac_accept(d, &peer), r;

		if (fd == -EAGAIN && (d->ready & AC_IN) && !(d->flags & AC_IS_RESTING))
			continue;
		if (fd < 0)
			return fd;
		r = hand_over(d, fd, &peer);
		if (r < 0 || (d->flags & (AC_IS_CLOSING | AC_IS_PAUSED | AC_IS_DETACHED)))
			return r;
	}
	return 0;
}

int ac_handle_accepted_(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	char text[AC_ADDR_TEXT];

	ac_sys_close_(fd);
	ac_log_info(d, AC_LOG_WARNING, "unhandled accepted connection from %s",
	            ac_addr_format(peer, text, sizeof(text)));
	return 0;
}
