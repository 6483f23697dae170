/*
 * pipe.c — what OpenSSL takes for a network: input from the kernel, output to it, by the plain transport.
 *
 * Design: there is no descriptor inside OpenSSL, so that it goes with every poller. Writing never asks to be
 * tried again: what the kernel does not take is kept, and the caller encrypts nothing more until it is gone. So
 * no call of OpenSSL is ever half done for want of room, and a record is never encrypted twice.
 * Limits: what is kept is at most a batch or a flight; input whose answers would add to it is left unread.
 */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

#define BATCH_SIZE (AC_READ_HEADROOM + AC_READ_SIZE) /* the map's buffer */
#define BUDGET ((size_t)262144)                      /* input for one call: others get their turn */

static int take_early(struct ac_tls_link *l, char *data, size_t len)
{
	size_t left = l->early.end - l->early.start;

	len = len < left ? len : left;
	memcpy(data, l->early.data + l->early.start, len);
	ac_buf_drop_(&l->early, len);
	return (int)len;
}

/* The kernel is asked once a call at least, and again only while it may have more. */
static bool is_dry(const struct ac_tls_link *l)
{
	return (l->asked && !(l->d->ready & AC_IN)) || l->budget == 0 || ac_tls_is_clogged_(l);
}

static int pipe_read(BIO *b, char *data, int len)
{
	struct ac_tls_link *l = BIO_get_data(b);
	ssize_t n = -EAGAIN;

	BIO_clear_retry_flags(b);
	if (l->early.end > l->early.start)
		return take_early(l, data, (size_t)len);
	if (!is_dry(l)) {
		n = ac_transport_socket_.recv(l->d, data, (size_t)len);
		l->asked = true;
	}
	if (n > 0) {
		l->budget -= (size_t)n < l->budget ? (size_t)n : l->budget;
		return (int)n;
	}
	l->eof = n == 0;
	if (n == -EAGAIN)
		BIO_set_retry_read(b);
	else if (n < 0)
		l->read_error = (int)-n;
	return n == 0 ? 0 : -1;
}

static int keep(struct ac_tls_link *l, const char *data, size_t len)
{
	return len ? ac_buf_append_(&l->out, data, len) : 0;
}

/* A lost connection is heard of when it is read from or sent to, not inside OpenSSL. */
static int put_out(struct ac_tls_link *l, const char *data, size_t len)
{
	struct iovec iov = { (void *)data, len };
	ssize_t n = -EAGAIN;

	if (l->write_error)
		return 0;
	if (ac_tls_left_(l) == 0)
		n = ac_transport_socket_.send(l->d, &iov, 1, l->more_follows);
	if (n < 0 && n != -EAGAIN) {
		l->write_error = (int)-n;
		return 0;
	}
	n = n < 0 ? 0 : n;
	return keep(l, data + n, len - (size_t)n);
}

void ac_tls_gather_(struct ac_tls_link *l)
{
	l->batch = ac_buffer_take_(l->d->map);
	l->batch_len = 0;
}

/* Without memory for a batch, or with no room in it, each piece goes by itself. */
void ac_tls_scatter_(struct ac_tls_link *l, bool last)
{
	char *batch = l->batch;

	if (!batch)
		return;
	if (l->batch_len && put_out(l, batch, l->batch_len) < 0)
		l->write_error = ENOMEM;
	l->batch_len = 0;
	if (last) {
		ac_buffer_give_(l->d->map, batch);
		l->batch = NULL;
	}
}

static int pipe_write(BIO *b, const char *data, int len)
{
	struct ac_tls_link *l = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	if (l->batch && (size_t)len > BATCH_SIZE - l->batch_len)
		ac_tls_scatter_(l, false);
	if (l->batch && (size_t)len <= BATCH_SIZE) {
		memcpy(l->batch + l->batch_len, data, (size_t)len);
		l->batch_len += (size_t)len;
		return len;
	}
	if (put_out(l, data, (size_t)len) == 0)
		return len;
	l->write_error = ENOMEM;
	return -1;
}

static long pipe_ctrl(BIO *b, int what, long number, void *pointer)
{
	const struct ac_tls_link *l = BIO_get_data(b);

	(void)number;
	(void)pointer;
	if (what == BIO_CTRL_EOF)
		return l->eof;
	return what == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;

static void make_method(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "channel");
	if (method && BIO_meth_set_read(method, pipe_read) &&
	    BIO_meth_set_write(method, pipe_write) && BIO_meth_set_ctrl(method, pipe_ctrl))
		return;
	BIO_meth_free(method);
	method = NULL;
}

/* It lives as long as the process, as OpenSSL's own do. */
BIO *ac_tls_bio_(struct ac_tls_link *l)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *b;

	pthread_once(&once, make_method);
	b = method ? BIO_new(method) : NULL;
	if (b) {
		BIO_set_data(b, l);
		BIO_set_init(b, 1);
	}
	return b;
}

void ac_tls_begin_(struct ac_tls_link *l)
{
	l->asked = false;
	l->budget = BUDGET;
	l->forks = ac_forks_;
	if (ERR_peek_error()) /* clearing costs more than looking */
		ERR_clear_error();
}

static void end_output(struct ac_tls_link *l)
{
	l->fin = false;
	ac_sys_shutdown_(l->d->fd, SHUT_WR);
}

void ac_tls_flush_(struct ac_tls_link *l)
{
	ssize_t n = 0;

	if (ac_tls_left_(l) && !l->write_error) {
		struct iovec iov = { l->out.data + l->out.start, ac_tls_left_(l) };

		n = ac_transport_socket_.send(l->d, &iov, 1, l->more_follows);
	}
	if (n > 0)
		ac_buf_drop_(&l->out, (size_t)n);
	if (n < 0 && n != -EAGAIN)
		l->write_error = (int)-n;
	if (l->fin && ac_tls_left_(l) == 0)
		end_output(l);
}
