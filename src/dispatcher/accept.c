/*
 * accept.c — connections that come in, and what goes wrong with them.
 *
 * Design: a bounded batch a pass. An error of an accepted connection is its own: it goes to the channel that
 * was adopted for it, or to the log. When descriptors run out, the one kept in reserve is given up to accept
 * and close a single connection, so that its peer learns of it, and the listener rests. Those who are one too
 * many are reset: that leaves no state behind, neither here nor there, and nobody takes it for an empty answer.
 */
#include "dispatcher.h"

#include <errno.h>

#define REST_NS 100000000 /* 100 ms */

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
	struct ac_addr peer;
	int fd;

	ac_count_(m, AC_COUNT_NO_DESCRIPTOR);
	if (m->spare >= 0) {
		ac_sys_close_(m->spare);
		fd = ac_sys_accept_(d->fd, &peer);
		if (fd >= 0)
			ac_sys_close_(fd);
	}
	m->spare = ac_sys_spare_();
	if (ac_may_say_(m, AC_COUNT_NO_DESCRIPTOR))
		ac_say_(d, AC_COUNT_NO_DESCRIPTOR, AC_LOG_WARNING,
		        "accept: %s: connections are refused", ac_error_name(code));
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
static void arrival_failed(struct ac_dispatcher *d, const struct ac_arrival *a, int r)
{
	struct ac_map *m = d->map;
	char trace[512];

	if (a->fd >= 0)
		ac_sys_close_(a->fd);
	if (r == AC_EXIT || r == -EAGAIN)
		return;
	if (a->adopter && ac_enter_(a->adopter)) {
		ac_failed_(a->adopter, r, "handle_accepted");
		ac_leave_(a->adopter);
		return;
	}
	ac_error_settle_(m, -r, d->cls->name, "handle_accepted");
	ac_compact_traceback(&m->error, trace, sizeof(trace));
	ac_log_info(d, AC_LOG_ERROR, "a connection was not accepted %s", trace);
}

/* Whether there is room for it under the listener's limits, and which of them says no. */
static bool has_room(struct ac_dispatcher *d, const struct ac_addr *peer, enum ac_limit *ret_why)
{
	size_t each = ac_limit_(d, AC_MAX_PER_ADDRESS);

	*ret_why = AC_MAX_CONNECTIONS;
	if (d->map->admitted >= ac_limit_(d, AC_MAX_CONNECTIONS))
		return false;
	*ret_why = AC_MAX_PER_ADDRESS;
	return each == SIZE_MAX || ac_admitted_from_(d->map, peer) < each;
}

static int reject(struct ac_dispatcher *d, int fd, const struct ac_addr *peer, enum ac_limit why)
{
	bool each = why == AC_MAX_PER_ADDRESS;
	enum ac_counter counter = each ? AC_COUNT_OVER_ADDRESS : AC_COUNT_OVER_TOTAL;
	char text[AC_ADDR_TEXT];

	ac_count_(d->map, counter);
	if (ac_may_say_(d->map, counter))
		ac_say_(d, counter, AC_LOG_WARNING, "%s rejected: %zu connections%s",
		        ac_addr_format(peer, text, sizeof(text)), ac_limit_(d, why),
		        each ? " of that address" : "");
	return d->cls->handle_rejected(d, fd, peer, why);
}

static int hand_over(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct ac_map *m = d->map;
	struct ac_arrival a = { .outer = m->arrival, .fd = fd, .peer = peer };
	enum ac_limit why;
	int r;

	a.counts = has_room(d, peer, &why);
	m->arrival = &a;
	m->error.code = 0;
	if (a.counts)
		ac_count_(m, AC_COUNT_ACCEPTED);
	r = a.counts ? d->cls->handle_accepted(d, fd, peer) : reject(d, fd, peer, why);
	if (r < 0)
		arrival_failed(d, &a, r);
	m->arrival = a.outer;
	ac_weigh_stress_(d);
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
	ac_count_(d->map, AC_COUNT_ACCEPTS_PUT_OFF);
	return 0;
}

int ac_handle_rejected_(struct ac_dispatcher *d, int fd, const struct ac_addr *peer,
                        enum ac_limit why)
{
	(void)d;
	(void)peer;
	(void)why;
	ac_sys_reset_(fd);
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
