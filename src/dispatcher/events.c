/*
 * events.c — the base class: readiness turned into the events of the protocol, and what happens to those
 * that nobody handles.
 *
 *	state        read event                         write event
 *	accepting    handle_accept                      nothing
 *	connecting   handle_connect_event, handle_read  handle_connect_event, handle_write
 *	otherwise    handle_read                        handle_write
 */
#include "dispatcher.h"

#include <errno.h>

#define DISCARD_SIZE 4096

bool ac_base_readable_(struct ac_dispatcher *d)
{
	(void)d;
	return true;
}

int ac_base_handle_write_(struct ac_dispatcher *d)
{
	ac_log_info(d, AC_LOG_WARNING, "unhandled write event");
	return 0;
}

/* A class without handle_write has nothing that could be called. */
bool ac_base_writable_(struct ac_dispatcher *d)
{
	return d->cls->handle_write != ac_base_handle_write_;
}

int ac_base_handle_read_(struct ac_dispatcher *d)
{
	char unwanted[DISCARD_SIZE];
	ssize_t n;

	ac_log_info(d, AC_LOG_WARNING, "unhandled read event");
	n = ac_recv(d, unwanted, sizeof(unwanted));
	return n < 0 ? (int)n : 0;
}

int ac_base_handle_expt_(struct ac_dispatcher *d)
{
	ac_log_info(d, AC_LOG_WARNING, "unhandled incoming priority event");
	return 0;
}

int ac_base_nothing_(struct ac_dispatcher *d)
{
	(void)d;
	return 0;
}

int ac_base_handle_eof_(struct ac_dispatcher *d)
{
	ac_close_(d, AC_PEER);
	return 0;
}

int ac_base_handle_timeout_(struct ac_dispatcher *d)
{
	ac_close_(d, ETIMEDOUT);
	return 0;
}

static void close_for_limit(struct ac_dispatcher *d, const struct ac_error *e,
                            enum ac_counter which)
{
	char trace[512], repr[AC_REPR_TEXT];

	if (ac_may_say_(d->map, which)) {
		ac_compact_traceback(e, trace, sizeof(trace));
		ac_say_(d, which, AC_LOG_ERROR, "uncaptured error, closing channel %s %s",
		        ac_repr(d, repr, sizeof(repr)), trace);
	}
	ac_close_(d, e->code);
}

/* A listener goes on: closing it would be the end of the service for one bad moment. */
int ac_base_handle_error_(struct ac_dispatcher *d, const struct ac_error *e)
{
	bool listens = d->flags & AC_IS_ACCEPTING;
	char trace[512], repr[AC_REPR_TEXT];

	if (e->code == ETIMEDOUT && ac_timed_out(d) != AC_IN_TIME) {
		close_for_limit(d, e, ac_counter_of_(ac_timed_out(d)));
		return 0;
	}
	if (e->code == EMSGSIZE && !listens) { /* a peer's doing, who may do it often */
		close_for_limit(d, e, AC_COUNT_RECORD_TOO_LONG);
		return 0;
	}
	ac_compact_traceback(e, trace, sizeof(trace));
	ac_log_info(d, AC_LOG_ERROR, "uncaptured error, %s %s %s",
	            listens ? "resting listener" : "closing channel",
	            ac_repr(d, repr, sizeof(repr)), trace);
	if (listens)
		ac_rest_(d);
	else
		ac_close_(d, e->code);
	return 0;
}

/* SO_ERROR is read once: reading clears it. A failed connect ends closed whatever handle_error does. */
static int kernel_connected(struct ac_dispatcher *d)
{
	struct ac_addr peer;
	char text[AC_ADDR_TEXT] = "";
	int code = 0, r = ac_sys_getopt_(d->fd, SOL_SOCKET, SO_ERROR, &code);

	if (r < 0)
		code = -r;
	if (code == 0)
		return 0;
	d->flags &= ~(uint32_t)AC_IS_CONNECTING;
	ac_doom_(d, code, false);
	if (ac_addr(d, &peer) == 0)
		ac_addr_format(&peer, text, sizeof(text));
	return ac_raisef(d, code, "connect %s", text);
}

/* The kernel connects, then the transport, if it has anything to agree on with the peer. */
int ac_base_handle_connect_event_(struct ac_dispatcher *d)
{
	const struct ac_transport *t = d->transport;
	int owed = 1;

	if (!t->handshake || !t->wants) /* a rate has wants too */
		AC_TRY(d, kernel_connected(d));
	if (t->handshake)
		owed = t->handshake(d);
	if (owed < 0)
		return owed;
	d->flags = (d->flags & ~(uint32_t)AC_IS_CONNECTING) | AC_IS_CONNECTED;
	ac_moved_(d);
	if (d->transport->secured)
		AC_TRY(d, d->transport->secured(d));
	return owed && !(d->flags & AC_IS_CLOSING) ? d->cls->handle_connect(d) : 0;
}

static int connect_first(struct ac_dispatcher *d)
{
	if (d->flags & AC_IS_CONNECTING)
		AC_TRY(d, d->cls->handle_connect_event(d));
	return 0;
}

int ac_base_handle_read_event_(struct ac_dispatcher *d)
{
	bool connecting = d->flags & AC_IS_CONNECTING;

	if (d->flags & AC_IS_ACCEPTING)
		return d->cls->handle_accept(d);
	AC_TRY(d, connect_first(d));
	if (connecting && !(ac_wants_(d) & AC_IN)) /* closed, or paused, by who heard of it */
		return 0;
	return d->cls->handle_read(d);
}

int ac_base_handle_write_event_(struct ac_dispatcher *d)
{
	if (d->flags & AC_IS_ACCEPTING)
		return 0;
	AC_TRY(d, connect_first(d));
	if ((d->flags & AC_IS_CLOSING) || !d->cls->writable(d))
		return 0;
	return d->cls->handle_write(d);
}

int ac_base_handle_expt_event_(struct ac_dispatcher *d)
{
	int code = 0;

	ac_sys_getopt_(d->fd, SOL_SOCKET, SO_ERROR, &code);
	if (code) {
		ac_close_(d, code);
		return 0;
	}
	return d->cls->handle_expt(d);
}

void ac_base_finalize_(struct ac_dispatcher *d)
{
	(void)d;
}

const struct ac_class ac_dispatcher_class = {
	.name = "dispatcher",
	.size = sizeof(struct ac_dispatcher),
	.class_size = sizeof(struct ac_class),
	.flags = AC_OURS,
	.readable = ac_base_readable_,
	.writable = ac_base_writable_,
	.handle_read = ac_base_handle_read_,
	.handle_write = ac_base_handle_write_,
	.handle_eof = ac_base_handle_eof_,
	.settle = ac_base_nothing_,
	AC_BASE_METHODS,
};
