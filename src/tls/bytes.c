/*
 * bytes.c — plaintext in and out, once the handshake is done.
 *
 * Design: what is queued in small pieces is put together into one record, and several records of bulk go to the
 * kernel together. send() tells what the kernel took: while ciphertext is left over, the last byte of
 * plaintext counts as not taken and stays in the caller's queue, so that whoever waits for an empty queue waits
 * for the kernel too. It is in the ciphertext already and is passed over when it comes again.
 * Limits: SEND_MOST bytes a call.
 */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

#define RECORD SSL3_RT_MAX_PLAIN_LENGTH
#define SEND_MOST ((size_t)1048576)

/* What SSL_read says when it gives nothing: 0, -EAGAIN or -errno, kept if there are bytes to hand out first. */
static int read_result(struct ac_tls_link *l, int r)
{
	int e = SSL_get_error(l->ssl, r);

	if (e == SSL_ERROR_WANT_READ)
		return -EAGAIN;
	if (e == SSL_ERROR_ZERO_RETURN || (l->eof && l->deaf))
		return 0;
	if (l->read_error)
		return -l->read_error;
	l->failed = EPROTO;
	ac_tls_explain_(l, "TLS");
	if (l->eof) {
		l->failed = EBADMSG;
		snprintf(l->detail, sizeof(l->detail), "truncated: TLS ended without close_notify");
	}
	return -l->failed;
}

static int fill(struct ac_tls_link *l, char *at, size_t size, size_t *got)
{
	while (*got < size) {
		size_t n = 0;
		int r = SSL_read_ex(l->ssl, at + *got, size - *got, &n);

		if (r != 1)
			return read_result(l, r);
		*got += n;
	}
	l->more = SSL_has_pending(l->ssl);
	return 1;
}

ssize_t ac_tls_recv_(struct ac_dispatcher *d, void *buffer, size_t size)
{
	struct ac_tls_link *l = ac_tls_link_(d);
	size_t got = 0;
	int r = l->failed ? -l->failed : l->read_error ? -l->read_error : l->open ? 1 : -EAGAIN;

	d->flags |= AC_HAS_READ;
	if (r > 0) {
		ac_tls_begin_(l);
		r = fill(l, buffer, size, &got);
	}
	if (r <= 0)
		l->more = got && r != -EAGAIN; /* the end is told of in the next call */
	if (got)
		return (ssize_t)got;
	return l->failed && r < 0 ? ac_tls_broken_(l, l->failed, NULL) : r;
}

/* Where in the caller's pieces it is. */
struct cursor {
	const struct iovec *iov;
	int count;
	size_t at;
};

static void skip(struct cursor *c, size_t len)
{
	c->at += len;
	while (c->count && c->at >= c->iov->iov_len) {
		c->at -= c->iov->iov_len;
		c->iov++;
		c->count--;
	}
}

static size_t copy(struct cursor *c, char *to, size_t room)
{
	size_t len = 0;

	while (c->count && len < room) {
		size_t n = c->iov->iov_len - c->at;

		n = n < room - len ? n : room - len;
		memcpy(to + len, (const char *)c->iov->iov_base + c->at, n);
		len += n;
		skip(c, n);
	}
	return len;
}

static int write_failed(struct ac_tls_link *l)
{
	if (l->write_error)
		return -l->write_error;
	ac_tls_explain_(l, "TLS");
	return ac_tls_broken_(l, EPROTO, NULL);
}

/* One record, of as many pieces as fit. Returns its length. */
static ssize_t write_record(struct ac_tls_link *l, struct cursor *c)
{
	size_t here = c->iov->iov_len - c->at, len = here < RECORD ? here : RECORD, n;
	const char *data = (const char *)c->iov->iov_base + c->at;
	char *chunk = NULL;
	int r;

	if (here < RECORD && c->count > 1)
		chunk = ac_chunk_take_(l->d->map);
	if (chunk) {
		len = copy(c, chunk, RECORD);
		data = chunk;
	} else {
		skip(c, len);
	}
	r = SSL_write_ex(l->ssl, data, len, &n);
	if (chunk)
		ac_chunk_give_(l->d->map, chunk);
	return r == 1 ? (ssize_t)len : write_failed(l);
}

static ssize_t write_records(struct ac_tls_link *l, struct cursor *c)
{
	size_t taken = 0;
	ssize_t n = 0;

	while (c->count && taken < SEND_MOST && n >= 0 && !ac_tls_left_(l) && !l->write_error) {
		n = write_record(l, c);
		if (n > 0)
			taken += (size_t)n;
	}
	return n < 0 ? n : (ssize_t)taken;
}

/* More than a record is put together, so that the kernel gets it in few large pieces. */
static ssize_t encrypt(struct ac_tls_link *l, struct cursor *c)
{
	ssize_t n;

	if (SSL_get_shutdown(l->ssl) & SSL_SENT_SHUTDOWN)
		return -EPIPE;
	ac_tls_begin_(l);
	if (ac_iov_len_(c->iov, c->count) - c->at > RECORD)
		ac_tls_gather_(l);
	n = write_records(l, c);
	ac_tls_scatter_(l, true);
	return l->write_error ? -l->write_error : n;
}

static ssize_t flush_first(struct ac_tls_link *l)
{
	ac_tls_flush_(l);
	if (l->write_error)
		return -l->write_error;
	return ac_tls_left_(l) ? -EAGAIN : 0;
}

ssize_t ac_tls_send_(struct ac_dispatcher *d, const struct iovec *iov, int count, bool more)
{
	struct ac_tls_link *l = ac_tls_link_(d);
	struct cursor c = { iov, count, 0 };
	ssize_t passed, n;

	d->flags |= AC_HAS_WRITTEN;
	if (!l->open)
		return -EAGAIN;
	l->more_follows = more;
	n = flush_first(l);
	if (n < 0)
		return n;
	passed = l->held;
	l->held = false;
	skip(&c, (size_t)passed);
	n = c.count ? encrypt(l, &c) : 0;
	if (n < 0)
		return n;
	l->held = ac_tls_left_(l) > 0;
	return n + passed - l->held;
}
