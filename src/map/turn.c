/*
 * turn.c — one channel's turn: which of its events are heard, in which order.
 *
 * Design: read, write, out-of-band; after each, "closed?" and the interest are asked again. What the
 * handlers did not exhaust stays in d->ready, and the frame queues the channel for the next pass.
 */
#include "map.h"

#include <errno.h>

/* A handler that did not use our verbs may have read or written by itself: only the kernel knows. */
static void ask_kernel(struct ac_dispatcher *d, unsigned event)
{
	if (d->map->edge && (d->ready & event) && !(d->flags & AC_IS_ALWAYS))
		if (!(ac_sys_poll1_(d->fd, event) & (event | AC_HUP | AC_ERR)))
			d->ready &= (uint8_t)~event;
}

static bool read_event(struct ac_dispatcher *d)
{
	d->flags &= ~(uint32_t)AC_HAS_READ;
	if (!ac_call_(d, d->cls->handle_read_event, "handle_read_event"))
		return false;
	if (!(d->flags & (AC_HAS_READ | AC_IS_HOLDING)))
		ask_kernel(d, AC_IN);
	return (d->flags & AC_IS_DOOMED) || ac_call_(d, d->cls->settle, "settle");
}

static bool write_event(struct ac_dispatcher *d)
{
	d->flags &= ~(uint32_t)AC_HAS_WRITTEN;
	if (!ac_call_(d, d->cls->handle_write_event, "handle_write_event"))
		return false;
	if (!(d->flags & AC_HAS_WRITTEN))
		ask_kernel(d, AC_OUT);
	return true;
}

/* A byte that handle_expt left is dropped, or every poller would report it for ever. */
static bool expt_event(struct ac_dispatcher *d)
{
	char byte = 0;

	if (!ac_call_(d, d->cls->handle_expt_event, "handle_expt_event"))
		return false;
	ac_sys_recv_(d->fd, &byte, 1, MSG_OOB, NULL);
	d->ready &= (uint8_t)~AC_PRI;
	return true;
}

/*
 * The peer is gone and nobody listens: with input unread the channel is left alone until it is resumed,
 * else nothing more can come. A datagram socket outlives its errors: the next use tells of them.
 */
static void peer_died(struct ac_dispatcher *d)
{
	bool datagrams = d->family && !(d->flags & AC_IS_STREAM);
	int code = 0;

	if (d->flags & (AC_IS_ACCEPTING | AC_IS_NUMB)) /* numb: an edge poller tells it again */
		return;
	if (datagrams ||
	    (!(d->flags & (AC_IS_ENDED | AC_IS_MUTE)) &&
	     ((d->flags & AC_IS_HOLDING) || ac_holds_(d) || ac_sys_unread_(d->fd) > 0))) {
		d->flags |= AC_IS_NUMB;
		return;
	}
	ac_sys_getopt_(d->fd, SOL_SOCKET, SO_ERROR, &code);
	if (!code) /* a transport that has an end of its own has not seen it */
		code = d->transport->holds && !(d->flags & AC_IS_ENDED) ? EBADMSG : AC_PEER;
	ac_close_(d, code);
}

/* What the transport has for the kernel goes first; what it has for the channel is as good as readiness. */
static bool progress(struct ac_dispatcher *d)
{
	if (!d->transport->progress)
		return true;
	d->transport->progress(d);
	d->ready |= (uint8_t)ac_holds_(d);
	return !(d->flags & AC_IS_DOOMED) && ac_ask_(d);
}

static bool hears(const struct ac_dispatcher *d, unsigned event, unsigned forced)
{
	return (d->ready & d->interest & event) || (forced & event);
}

/* handle_drain comes first. It may push and so be owed again at once: input is heard all the same. */
static bool pay(struct ac_dispatcher *d)
{
	if (!(d->flags & AC_IS_DRAINED) || (d->flags & AC_IS_DOOMED))
		return !(d->flags & AC_IS_DOOMED);
	return ac_call_(d, d->cls->settle, "settle") && !(d->flags & AC_IS_DOOMED) && ac_ask_(d);
}

static void serve(struct ac_dispatcher *d, unsigned forced)
{
	bool holding;

	if (!progress(d) || !pay(d))
		return;
	holding = (d->flags & AC_IS_HOLDING) && (d->interest & AC_IN);
	if (holding || hears(d, AC_IN, forced)) {
		if (!read_event(d) || (d->flags & AC_IS_DOOMED) || !ac_ask_(d))
			return;
	}
	if (hears(d, AC_OUT, forced)) {
		if (!write_event(d) || !ac_ask_(d))
			return;
	}
	if (hears(d, AC_PRI, forced) && !expt_event(d))
		return;
	if ((d->ready & (AC_HUP | AC_ERR)) && !(d->interest & (AC_IN | AC_OUT)))
		peer_died(d);
}

void ac_turn_(struct ac_dispatcher *d, unsigned forced)
{
	if (!ac_enter_(d)) {
		ac_mute_(d);
		return;
	}
	serve(d, forced);
	if (!d->map->edge && !(d->flags & AC_IS_ALWAYS))
		d->ready = 0;
	ac_leave_(d);
}
