/*
 * plain.c — the transports that talk to the kernel directly: sockets, and any other descriptor.
 *
 * Design: a short read on a stream means that the kernel has no more, unless the end of input, an error or
 * an out-of-band mark may have cut it short; then only EAGAIN tells. A blocking descriptor is used once
 * each time the kernel said that it is ready.
 */
#include "transport.h"

#include <errno.h>
#include <limits.h>

#define CUTS_SHORT (AC_RDHUP | AC_HUP | AC_ERR | AC_PRI)

static void drop(struct ac_dispatcher *d, unsigned event)
{
	if (!(d->flags & AC_IS_ALWAYS))
		d->ready &= (uint8_t)~event;
}

static bool is_at_mark(const struct ac_dispatcher *d)
{
	return (d->flags & AC_ASKS_MARK) && d->family != AF_UNIX && ac_sys_at_mark_(d->fd);
}

static ssize_t socket_recv(struct ac_dispatcher *d, void *buffer, size_t size)
{
	bool cut = false;
	ssize_t n = ac_sys_recv_(d->fd, buffer, size, 0, d->family == AF_UNIX ? &cut : NULL);

	d->flags |= AC_HAS_READ;
	if (n == -EAGAIN && !(d->flags & AC_IS_URGENT))
		drop(d, AC_PRI); /* read past the mark: it cuts nothing short any more */
	if (n == -EAGAIN || (n > 0 && (size_t)n < size && (d->flags & AC_IS_STREAM) &&
	                     !(d->ready & CUTS_SHORT) && !cut && !is_at_mark(d)))
		drop(d, AC_IN);
	return n;
}

static ssize_t sent(struct ac_dispatcher *d, ssize_t n, size_t wanted)
{
	d->flags |= AC_HAS_WRITTEN;
	if (n == -EAGAIN || (n >= 0 && (size_t)n < wanted))
		drop(d, AC_OUT);
	return n;
}

static ssize_t socket_send(struct ac_dispatcher *d, const struct iovec *iov, int count, bool more)
{
	return sent(d, ac_sys_send_(d->fd, iov, count, more), ac_iov_len_(iov, count));
}

static ssize_t socket_sendfile(struct ac_dispatcher *d, int fd, int64_t offset, size_t len)
{
	ssize_t n = ac_sys_sendfile_(d->fd, fd, &offset, len);

	/* Less than asked may also be the end of the file: only EAGAIN is the peer's doing. */
	return n < 0 ? sent(d, n, len) : sent(d, n, (size_t)n);
}

static ssize_t socket_splice_in(struct ac_dispatcher *d, int pipe, size_t len)
{
	d->flags |= AC_HAS_READ;
	return ac_sys_splice_in_(d->fd, pipe, len);
}

/* Less than asked is what the kernel made of it: only EAGAIN means that there is no room. */
static ssize_t socket_splice_out(struct ac_dispatcher *d, int pipe, size_t len)
{
	ssize_t n = ac_sys_splice_out_(pipe, d->fd, len);

	return n < 0 ? sent(d, n, len) : sent(d, n, (size_t)n);
}

const struct ac_transport ac_transport_socket_ = {
	.name = "socket",
	.recv = socket_recv,
	.send = socket_send,
	.splice_in = socket_splice_in,
	.splice_out = socket_splice_out,
	.sendfile = socket_sendfile,
};

/* After one use of a blocking descriptor only the kernel can say whether the next would block. */
static void ask_again(struct ac_dispatcher *d, unsigned event)
{
	if (!(ac_sys_poll1_(d->fd, event) & (event | AC_HUP | AC_ERR)))
		drop(d, event);
}

static ssize_t file_recv(struct ac_dispatcher *d, void *buffer, size_t size)
{
	ssize_t n;

	d->flags |= AC_HAS_READ;
	if ((d->flags & AC_IS_BLOCKING) &&
	    !(ac_sys_poll1_(d->fd, AC_IN) & (AC_IN | AC_HUP | AC_ERR))) {
		drop(d, AC_IN);
		return -EAGAIN;
	}
	n = ac_sys_read_(d->fd, buffer, size);
	if (n == -EIO && ac_sys_is_tty_(d->fd))
		return 0; /* nobody has the other side of it any more */
	if (n == -EAGAIN)
		drop(d, AC_IN);
	else if (d->flags & AC_IS_BLOCKING)
		ask_again(d, AC_IN);
	return n;
}

/* POSIX: a pipe that poll calls writable takes PIPE_BUF bytes without blocking. */
static ssize_t write_blocking(struct ac_dispatcher *d, const struct iovec *iov)
{
	struct iovec one = { iov->iov_base, iov->iov_len < PIPE_BUF ? iov->iov_len : PIPE_BUF };

	if (!(ac_sys_poll1_(d->fd, AC_OUT) & (AC_OUT | AC_HUP | AC_ERR)))
		return -EAGAIN;
	return ac_sys_write_(d->fd, &one, 1);
}

static ssize_t file_send(struct ac_dispatcher *d, const struct iovec *iov, int count, bool more)
{
	ssize_t n;

	(void)more;
	if (!(d->flags & AC_IS_BLOCKING))
		return sent(d, ac_sys_write_(d->fd, iov, count), ac_iov_len_(iov, count));
	d->flags |= AC_HAS_WRITTEN;
	n = write_blocking(d, iov);
	if (n == -EAGAIN)
		drop(d, AC_OUT);
	else
		ask_again(d, AC_OUT);
	return n;
}

const struct ac_transport ac_transport_file_ = {
	.name = "file",
	.recv = file_recv,
	.send = file_send,
};
