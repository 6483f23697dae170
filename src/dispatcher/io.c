/*
 * io.c — the verbs that move bytes.
 *
 * Design: a lost connection is no error but a close with its reason; the verb then gives 0, so that the
 * caller need not look. The end of input is not a close: handle_eof decides.
 */
#include "dispatcher.h"

#include <errno.h>

static bool ends(const struct ac_dispatcher *d)
{
	return (d->flags & AC_IS_STREAM) || ac_bare_transport_(d) != &ac_transport_socket_;
}

/* A transport of more than the kernel has raised it already, with a detail. */
static int raise(struct ac_dispatcher *d, int r)
{
	return d->transport->handshake ? ac_frame_(d, r, __FILE__, __func__, __LINE__)
	                               : ac_raise(d, -r);
}

ssize_t ac_received_(struct ac_dispatcher *d, ssize_t n)
{
	int r;

	if (n > 0 || (n == 0 && !ends(d))) {
		ac_moved_(d);
		return n;
	}
	if (n == 0) {
		d->flags |= AC_IS_ENDED;
		r = d->cls->handle_eof(d);
		return r < 0 ? r : 0;
	}
	if (n == -EAGAIN)
		return n;
	if (ac_lost_((int)-n)) {
		ac_close_(d, (int)-n);
		return 0;
	}
	return raise(d, (int)n);
}

static bool is_silent(const struct ac_dispatcher *d)
{
	return d->fd < 0 || (d->flags & AC_IS_CLOSING);
}

ssize_t ac_recv(struct ac_dispatcher *d, void *buffer, size_t size)
{
	if (is_silent(d) || size == 0 || (d->flags & AC_IS_ENDED))
		return 0;
	return ac_received_(d, d->transport->recv(d, buffer, size));
}

ssize_t ac_send(struct ac_dispatcher *d, const void *data, size_t len)
{
	struct iovec iov = { (void *)data, len };
	ssize_t n;

	if (is_silent(d) || len == 0 || (d->flags & AC_IS_CONNECTING))
		return 0;
	ac_hand_over_(d->map);
	n = d->transport->send(d, &iov, 1, false);
	if (n >= 0) {
		ac_moved_(d);
		return n;
	}
	if (n == -EAGAIN)
		return 0;
	if (!ac_lost_((int)-n))
		return raise(d, (int)n);
	ac_close_(d, (int)-n);
	return 0;
}

ssize_t ac_recvfrom(struct ac_dispatcher *d, void *buffer, size_t size, struct ac_addr *ret_from)
{
	ssize_t n;

	if (is_silent(d))
		return 0;
	if (d->transport->handshake) /* it would go past the transport */
		return ac_raise(d, EOPNOTSUPP);
	d->flags |= AC_HAS_READ;
	n = ac_sys_recvfrom_(d->fd, buffer, size, ret_from);
	if (n >= 0)
		ac_moved_(d);
	else if (n == -EAGAIN)
		d->ready &= (uint8_t)~AC_IN;
	else
		return ac_raise(d, (int)-n);
	return n;
}

ssize_t ac_sendto(struct ac_dispatcher *d, const void *data, size_t len, const struct ac_addr *to)
{
	ssize_t n;

	if (is_silent(d))
		return 0;
	if (d->transport->handshake)
		return ac_raise(d, EOPNOTSUPP);
	d->flags |= AC_HAS_WRITTEN;
	n = ac_sys_sendto_(d->fd, data, len, to);
	if (n >= 0)
		ac_moved_(d);
	else if (n == -EAGAIN)
		d->ready &= (uint8_t)~AC_OUT;
	else
		return ac_raise(d, (int)-n);
	return n;
}

/* The kernel says EINVAL when no such byte waits. */
ssize_t ac_recv_oob(struct ac_dispatcher *d, void *byte)
{
	ssize_t n;

	if (is_silent(d))
		return 0;
	n = ac_sys_recv_(d->fd, byte, 1, MSG_OOB, NULL);
	if (n == -EINVAL || n == -EAGAIN || n == 0)
		return -EAGAIN;
	return n < 0 ? ac_raise(d, (int)-n) : n;
}

int ac_shutdown(struct ac_dispatcher *d, int how)
{
	int r;

	if (is_silent(d))
		return 0;
	ac_hand_over_(d->map);
	r = d->transport->shutdown ? d->transport->shutdown(d, how) : ac_sys_shutdown_(d->fd, how);
	return r < 0 ? ac_raise(d, -r) : 0;
}

void ac_unsent_(struct ac_dispatcher *d, int r)
{
	if (ac_lost_(-r)) {
		ac_doom_(d, -r, false);
		return;
	}
	ac_error_settle_(d->map, -r, d->cls->name, "send");
	ac_doom_(d, -r, true);
}

int ac_close_reason_when_sent_(const struct ac_dispatcher *d)
{
	return d->flags & AC_IS_ENDED ? AC_PEER : 0;
}
