/*
 * wire.c — sockets for c-ares, which are channels of the map.
 *
 * Design: c-ares gets no descriptor. What it takes for one is the number of a wire; behind it is a channel
 * that we opened and that we close. So a channel that somebody else closes leaves a wire that is dead, and never
 * a descriptor that has become another's.
 */
#include "wire.h"

#include <errno.h>
#include <string.h>

struct endpoint {
	struct ac_dispatcher d;
	struct ac_wire *wire; /* NULL: c-ares has closed it */
	bool writes;
};

/* ---- the channel behind a wire ---- */

static bool endpoint_writable(struct ac_dispatcher *d)
{
	return ((struct endpoint *)d)->writes;
}

static int endpoint_read(struct ac_dispatcher *d)
{
	const struct ac_wire *w = ((struct endpoint *)d)->wire;

	if (w)
		ac_backend_process_(w->b, w->number, ARES_SOCKET_BAD);
	return 0;
}

static int endpoint_write(struct ac_dispatcher *d)
{
	const struct ac_wire *w = ((struct endpoint *)d)->wire;

	if (w)
		ac_backend_process_(w->b, ARES_SOCKET_BAD, w->number);
	return 0;
}

static int endpoint_error(struct ac_dispatcher *d, const struct ac_error *e)
{
	(void)e;
	ac_close(d);
	return 0;
}

static int endpoint_close(struct ac_dispatcher *d)
{
	struct ac_wire *w = ((struct endpoint *)d)->wire;

	if (w) {
		w->end = NULL;
		ac_in_(&w->b->timer, d->map, 0, ac_backend_wake_, w->b);
	}
	return 0;
}

static const struct ac_class endpoint_class = {
	.super = AC_DISPATCHER,
	.name = "name-server",
	.size = sizeof(struct endpoint),
	.flags = AC_STEADY,
	.writable = endpoint_writable,
	.handle_read = endpoint_read,
	.handle_write = endpoint_write,
	.handle_error = endpoint_error,
	.handle_close = endpoint_close,
};

/* ---- what c-ares calls in place of the kernel; errno is its way of hearing of errors ---- */

static int fail(int code)
{
	errno = code;
	return -1;
}

static struct ac_wire *find(const struct ac_backend *b, ares_socket_t number)
{
	struct ac_wire *w = b->wires;

	while (w && w->number != number)
		w = w->next;
	return w;
}

static ares_socket_t open_wire(int family, int type, int protocol, void *arg)
{
	struct ac_backend *b = arg;
	struct ac_wire *w = ac_alloc_(sizeof(*w));
	struct endpoint *e = NULL;
	int r = -ENOMEM;

	(void)protocol;
	if (w)
		e = (struct endpoint *)ac_new(b->r->map, &endpoint_class);
	if (e)
		r = ac_create_socket(&e->d, family, type);
	if (r < 0) {
		if (e)
			ac_close(&e->d);
		ac_free_(w);
		return fail(-r);
	}
	e->wire = w;
	*w = (struct ac_wire){ b->wires, e, b, { 0 }, b->numbers, false };
	b->numbers = (b->numbers + 1) & 0x3fffffff;
	b->wires = w;
	return w->number;
}

static int close_wire(ares_socket_t number, void *arg)
{
	struct ac_backend *b = arg;
	struct ac_wire *w = find(b, number), **link = &b->wires;

	if (!w)
		return fail(EBADF);
	while (*link != w)
		link = &(*link)->next;
	*link = w->next;
	if (w->end) {
		w->end->wire = NULL;
		ac_close(&w->end->d);
	}
	ac_free_(w);
	return 0;
}

static int connect_wire(ares_socket_t number, const struct sockaddr *sa, ares_socklen_t len,
                        void *arg)
{
	struct ac_wire *w = find(arg, number);
	int r;

	if (!w || !w->end || (size_t)len > sizeof(w->peer.un))
		return fail(EBADF);
	w->peer.len = (socklen_t)len;
	memcpy(&w->peer.sa, sa, (size_t)len);
	r = ac_connect(&w->end->d, &w->peer);
	return r < 0 ? fail(-r) : 0;
}

static struct ac_dispatcher *open_end(const struct ac_wire *w)
{
	return w && w->end && w->end->d.fd >= 0 ? &w->end->d : NULL;
}

/* It is connected: whatever comes is from there. */
static ares_ssize_t recv_wire(ares_socket_t number, void *data, size_t size, int flags,
                              struct sockaddr *from, ares_socklen_t *from_len, void *arg)
{
	const struct ac_wire *w = find(arg, number);
	struct ac_dispatcher *d = open_end(w);
	ssize_t n = d ? d->transport->recv(d, data, size) : -ECONNRESET;

	(void)flags;
	if (n < 0)
		return fail((int)-n);
	if (from && from_len && (size_t)*from_len >= w->peer.len) {
		memcpy(from, &w->peer.sa, w->peer.len);
		*from_len = w->peer.len;
	}
	return n;
}

static ares_ssize_t send_wire(ares_socket_t number, const struct iovec *iov, int count, void *arg)
{
	struct ac_dispatcher *d = open_end(find(arg, number));
	ssize_t n = d ? d->transport->send(d, iov, count, false) : -ECONNRESET;

	return n < 0 ? fail((int)-n) : n;
}

const struct ares_socket_functions ac_wire_functions_ = {
	open_wire, close_wire, connect_wire, recv_wire, send_wire,
};

void ac_wire_state_(void *arg, ares_socket_t number, int readable, int writable)
{
	const struct ac_wire *w = find(arg, number);

	(void)readable;
	if (!w || !w->end)
		return;
	w->end->writes = writable;
	ac_touch(&w->end->d);
}
