/*
 * channel.c — what a channel is interested in, the frame around its handlers, and its end.
 *
 *	            ac_watch_                    ac_close_
 *	  no fd ───────────────▶ watched ───────────────────────▶ closing ──▶ grave ──▶ freed
 *	                        │      ▲        handle_close, once;     the outermost pass
 *	               ac_enter_│      │ac_leave_   then the fd is gone    has ended
 *	                        ▼      │
 *	                         busy ──┘ settle, then: doomed? close. interest, poller, queue
 */
#include "map.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define NO_INPUT (AC_IS_PAUSED | AC_IS_CHOKED | AC_IS_ENDED | AC_IS_MUTE)
#define UNUSUAL                                                                                    \
	(NO_INPUT | AC_IS_CLOSING | AC_IS_DETACHED | AC_IS_CONNECTING | AC_IS_ACCEPTING |          \
	 AC_IS_URGENT)

unsigned ac_wants_(struct ac_dispatcher *d)
{
	unsigned wants = 0;

	if (!(d->flags & UNUSUAL) && d->fd >= 0)
		return (d->cls->readable(d) ? AC_IN : 0u) | (d->cls->writable(d) ? AC_OUT : 0u);
	if (d->fd < 0 || (d->flags & (AC_IS_CLOSING | AC_IS_DETACHED)))
		return 0;
	if (d->flags & AC_IS_CONNECTING)
		return AC_OUT;
	if (d->flags & AC_IS_ACCEPTING) {
		bool rests = d->flags & (AC_IS_RESTING | AC_IS_PAUSED);

		return !rests && d->cls->readable(d) ? AC_IN : 0;
	}
	if (!(d->flags & NO_INPUT) && d->cls->readable(d))
		wants |= AC_IN;
	if (d->cls->writable(d))
		wants |= AC_OUT;
	if (d->flags & AC_IS_URGENT)
		wants |= AC_PRI;
	return wants;
}

/* A predicate may close the channel. */
bool ac_ask_(struct ac_dispatcher *d)
{
	unsigned wants = ac_wants_(d);

	if (d->flags & AC_IS_CLOSING)
		return false;
	if (d->transport->wants && !(d->flags & AC_IS_DETACHED))
		wants = d->transport->wants(d, wants);
	d->interest = (uint8_t)wants;
	return true;
}

/* Something for its next turn: an event it wants, input in memory, a debt, or its peer's death. */
static bool has_work(const struct ac_dispatcher *d)
{
	bool heard = d->interest & (AC_IN | AC_OUT);

	if (((d->ready | ac_holds_(d)) & d->interest) ||
	    (d->flags & (AC_IS_DOOMED | AC_IS_DRAINED)))
		return true;
	if (!heard && (d->ready & (AC_HUP | AC_ERR)))
		return !(d->flags & (AC_IS_NUMB | AC_IS_ACCEPTING));
	return (d->flags & AC_IS_HOLDING) && (d->interest & AC_IN);
}

void ac_update_(struct ac_dispatcher *d)
{
	if (!(d->flags & AC_IS_COUNTED))
		return;
	if (!ac_ask_(d))
		return;
	if (d->interest & (AC_IN | AC_OUT))
		d->flags &= ~(uint32_t)AC_IS_NUMB;
	ac_tell_poller_(d);
	if (has_work(d))
		ac_queue_(d);
}

void ac_debug_(struct ac_dispatcher *d, const char *what)
{
	char repr[AC_REPR_TEXT];

	if (d->flags & AC_IS_DEBUGGED)
		ac_log_info(d, AC_LOG_DEBUG, "%s %s", what, ac_repr(d, repr, sizeof(repr)));
}

bool ac_enter_(struct ac_dispatcher *d)
{
	if (d->flags & (AC_IS_BUSY | AC_IS_CLOSING))
		return false;
	d->flags |= AC_IS_BUSY;
	d->map->depth++;
	return true;
}

static void close_doomed(struct ac_dispatcher *d)
{
	int reason = d->reason;

	d->flags &= ~(uint32_t)AC_IS_DOOMED;
	d->reason = 0;
	if (d->flags & AC_IS_RAISING) {
		d->flags &= ~(uint32_t)AC_IS_RAISING;
		ac_failed_(d, -reason, "settle");
	} else {
		ac_close_(d, reason);
	}
}

void ac_leave_(struct ac_dispatcher *d)
{
	struct ac_map *m = d->map;

	if (!(d->flags & (AC_IS_CLOSING | AC_IS_DOOMED)))
		ac_call_(d, d->cls->settle, "settle");
	if ((d->flags & AC_IS_DOOMED) && !(d->flags & AC_IS_CLOSING))
		close_doomed(d);
	d->flags &= ~(uint32_t)AC_IS_BUSY;
	ac_update_(d);
	ac_map_release_(m);
}

static void log_failure(struct ac_dispatcher *d, const char *what, const struct ac_error *e)
{
	char trace[512];

	ac_compact_traceback(e, trace, sizeof(trace));
	ac_log_info(d, AC_LOG_ERROR, "%s %s", what, trace);
}

void ac_failed_(struct ac_dispatcher *d, int r, const char *name)
{
	struct ac_map *m = d->map;
	struct ac_error e;

	if (r == AC_EXIT)
		m->exit = true;
	if (r == AC_EXIT || r == -EAGAIN)
		return;
	ac_error_settle_(m, -r, d->cls->name, name);
	e = m->error;
	if (d->flags & AC_IS_CLOSING) {
		log_failure(d, "error in a closed channel", &e);
		return;
	}
	r = d->cls->handle_error(d, &e);
	if (r == AC_EXIT) {
		m->exit = true;
	} else if (r < 0 && r != -EAGAIN) {
		log_failure(d, "handle_error failed, closing channel", &e);
		ac_close_(d, e.code);
	}
}

bool ac_lost_(int code)
{
	switch (code) {
	case ECONNRESET:
	case ECONNABORTED:
	case ENOTCONN:
	case ESHUTDOWN:
	case EPIPE:
	case EBADF:
		return true;
	default:
		return false;
	}
}

void ac_doom_(struct ac_dispatcher *d, int reason, bool raise)
{
	if (d->flags & (AC_IS_DOOMED | AC_IS_CLOSING))
		return;
	d->flags |= AC_IS_DOOMED | (raise ? AC_IS_RAISING : 0u);
	d->reason = (int16_t)reason;
	if (!(d->flags & AC_IS_BUSY))
		ac_queue_(d);
}

static void cancel_own_tasks(struct ac_dispatcher *d)
{
	if (!d->extra)
		return;
	ac_task_cancel(&d->extra->deadline);
	ac_task_cancel(&d->extra->rest);
}

/* Off the channel, which is as if it had never been opened. It keeps the loop going no more. */
void ac_end_dialing_(struct ac_dispatcher *d, bool cancel)
{
	struct ac_dialing *g = d->extra ? d->extra->dialing : NULL;

	if (!g)
		return;
	d->extra->dialing = NULL;
	d->flags &= ~(uint32_t)AC_IS_CONNECTING;
	d->map->live--;
	if (cancel)
		g->cancel(g);
}

void ac_close(struct ac_dispatcher *d)
{
	if (d)
		ac_close_(d, 0);
}

int ac_close_reason(const struct ac_dispatcher *d)
{
	return d->reason;
}

void ac_close_(struct ac_dispatcher *d, int reason)
{
	struct ac_map *m = d->map;
	struct ac_error pending = m->error;

	if (d->flags & AC_IS_CLOSING)
		return;
	if (d->flags & AC_IS_DOOMED && reason == 0)
		reason = d->reason;
	ac_debug_(d, "closing");
	d->flags |= AC_IS_CLOSING;
	d->reason = (int16_t)reason;
	m->depth++;
	ac_call_(d, d->cls->handle_close, "handle_close");
	m->error = pending;
	cancel_own_tasks(d);
	if (d->transport->finish)
		d->transport->finish(d);
	ac_discharge_(d);
	ac_end_dialing_(d, true);
	ac_unwatch_(d);
	if (d->fd >= 0)
		ac_sys_close_(d->fd);
	d->fd = -1;
	ac_bury_(d);
	ac_map_release_(m);
}
