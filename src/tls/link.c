/*
 * link.c — one channel's TLS from the first byte to the last: handshake, what it waits for, its end.
 *
 *	dialing ── the kernel has connected ──▶ shaking ── done ──▶ open ── ac_close_ ──▶ gone
 *	                ac_start_tls on a connected channel ──▲ │ late, failed ──▶ doomed
 *
 * Design: dialing and the rest are two tables, for while the kernel connects there is nothing to hear but that.
 * What is wrong with the stream cannot be put right: it is raised once, and the channel is doomed.
 */
#include "tls.h"

#include <asyncore/relay.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>

static bool is_server(const struct ac_tls_link *l)
{
	return l->tls->opts.server;
}

static const char *whom(const struct ac_tls_link *l)
{
	return l->name ? l->name : is_server(l) ? "a client" : "a server";
}

/* Why OpenSSL failed. Its queue of errors is empty when the kernel was to blame. */
void ac_tls_explain_(struct ac_tls_link *l, const char *what)
{
	unsigned long e = ERR_peek_error();
	const char *reason = e ? ERR_reason_error_string(e) : NULL;

	snprintf(l->detail, sizeof(l->detail), "%s: %s", what, reason ? reason : "no reason given");
	ERR_clear_error();
}

int ac_tls_broken_(struct ac_tls_link *l, int code, const char *what)
{
	l->failed = code;
	if (what)
		snprintf(l->detail, sizeof(l->detail), "%s", what);
	ac_doom_(l->d, code, false);
	return ac_raisef(l->d, code, "%s", l->detail);
}

static int late(void *arg)
{
	struct ac_tls_link *l = arg;
	struct ac_dispatcher *d = l->d;
	int r;

	if (!ac_enter_(d)) { /* a handler of it has been on the stack that long */
		ac_tls_await_(l);
		return 0;
	}
	snprintf(l->detail, sizeof(l->detail), "TLS handshake with %.64s", whom(l));
	r = ac_tls_broken_(l, ETIMEDOUT, NULL);
	ac_failed_(d, r, "handshake");
	ac_leave_(d);
	return 0;
}

static int64_t due(const struct ac_tls_link *l)
{
	struct ac_map *m = l->d->map;

	return ac_map_time_(m) + ac_patience_(m, ac_ns_(l->tls->opts.handshake_timeout));
}

void ac_tls_await_(struct ac_tls_link *l)
{
	ac_task_cancel(&l->deadline);
	ac_task_start_inner_(&l->deadline, l->d->map, due(l), late, l);
}

/* A certificate is not believed: OpenSSL's text, and whose it was to be. */
static int not_verified(struct ac_tls_link *l, long verdict)
{
	snprintf(l->detail, sizeof(l->detail), "certificate of %.48s: %s", whom(l),
	         X509_verify_cert_error_string(verdict));
	return ac_tls_broken_(l, EACCES, NULL);
}

/* Lost in the middle: a failed connect for whoever connects, one connection less for a server. */
static int lost(struct ac_tls_link *l, int code)
{
	snprintf(l->detail, sizeof(l->detail), "TLS handshake with %.64s", whom(l));
	if (!is_server(l))
		return ac_tls_broken_(l, code, NULL);
	l->failed = code;
	ac_doom_(l->d, code, false);
	return -EAGAIN;
}

static int not_shaken(struct ac_tls_link *l)
{
	long verdict = SSL_get_verify_result(l->ssl);

	if (verdict != X509_V_OK && !l->tls->opts.no_verify)
		return not_verified(l, verdict);
	if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
		return ac_tls_broken_(l, EACCES, "the peer gave no certificate");
	if (l->read_error || l->write_error == ENOMEM)
		return lost(l, l->read_error ? l->read_error : ENOMEM);
	if (l->eof)
		return ac_tls_broken_(l, EPROTO, "TLS handshake: the peer ended the connection");
	ac_tls_explain_(l, "TLS handshake");
	return ac_tls_broken_(l, EPROTO, NULL);
}

static int shake(struct ac_dispatcher *d)
{
	struct ac_tls_link *l = ac_tls_link_(d);
	int r;

	if (l->failed)
		return -EAGAIN;
	l->begun = true;
	d->flags |= AC_HAS_READ | AC_HAS_WRITTEN;
	ac_tls_begin_(l);
	ac_tls_gather_(l);
	r = SSL_do_handshake(l->ssl);
	ac_tls_scatter_(l, true);
	if (r != 1)
		return SSL_get_error(l->ssl, r) == SSL_ERROR_WANT_READ ? -EAGAIN : not_shaken(l);
	ac_task_cancel(&l->deadline);
	l->open = true;
	l->more = SSL_has_pending(l->ssl) || l->early.end;
	return l->dialed;
}

static int secured(struct ac_dispatcher *d)
{
	const struct ac_tls_link *l = ac_tls_link_(d);

	return l->tls->opts.handle_secure ? l->tls->opts.handle_secure(d) : 0;
}

/* The kernel has connected: from here on the deadline counts. */
static int first_shake(struct ac_dispatcher *d)
{
	ac_set_transport_(d, &ac_transport_tls_);
	ac_tls_await_(ac_tls_link_(d));
	return shake(d);
}

static unsigned wants(const struct ac_dispatcher *d, unsigned wants)
{
	const struct ac_tls_link *l = ac_tls_link_(d);

	if (!l->open)
		wants = l->begun || is_server(l) ? AC_IN : AC_OUT;
	if (ac_tls_is_clogged_(l))
		wants &= ~(unsigned)AC_IN;
	return wants | (ac_tls_left_(l) ? AC_OUT : 0u);
}

static unsigned holds(const struct ac_dispatcher *d)
{
	const struct ac_tls_link *l = ac_tls_link_(d);

	return l->more || l->early.end ? AC_IN : 0;
}

static void progress(struct ac_dispatcher *d)
{
	struct ac_tls_link *l = ac_tls_link_(d);

	if (!ac_tls_left_(l) || !(d->ready & AC_OUT))
		return;
	ac_tls_flush_(l);
	if (l->write_error && l->open)
		ac_unsent_(d, -l->write_error);
}

static bool may_notify(const struct ac_tls_link *l)
{
	return l->open && !l->failed && !l->read_error && !l->write_error;
}

/* The peer is to know that this is all: not where an error ends it. */
static void notify(struct ac_tls_link *l)
{
	if (!may_notify(l) || (SSL_get_shutdown(l->ssl) & SSL_SENT_SHUTDOWN))
		return;
	ac_tls_begin_(l);
	l->more_follows = false;
	SSL_shutdown(l->ssl);
	ERR_clear_error();
}

static int end(struct ac_dispatcher *d, int how)
{
	struct ac_tls_link *l = ac_tls_link_(d);
	int r = 0;

	if (!l->open)
		return -ENOTCONN;
	if (how != SHUT_WR) {
		l->deaf = true;
		r = ac_sys_shutdown_(d->fd, SHUT_RD);
	}
	if (how == SHUT_RD)
		return r;
	notify(l);
	l->fin = true;
	ac_tls_flush_(l);
	return r;
}

static void discarded(struct ac_dispatcher *d)
{
	ac_tls_link_(d)->held = false;
}

static void moved(struct ac_dispatcher *d)
{
	if (ac_task_pending(&ac_tls_link_(d)->deadline))
		ac_tls_await_(ac_tls_link_(d));
}

static void hurried(struct ac_dispatcher *d)
{
	struct ac_tls_link *l = ac_tls_link_(d);

	if (ac_task_pending(&l->deadline) && due(l) < l->deadline.due)
		ac_tls_await_(l);
}

void ac_tls_link_free_(struct ac_tls_link *l)
{
	ac_task_cancel(&l->deadline);
	SSL_free(l->ssl);
	ac_buf_done_(&l->early);
	ac_buf_done_(&l->out);
	ac_tls_set_put_(l->set);
	ac_tls_unref_(l->tls);
	ac_free_(l->name);
	ac_free_(l);
}

/* What the library still has to send for it, and throws away. */
static size_t queued(const struct ac_dispatcher *d)
{
	if (ac_is_a_(d, &ac_chat_class.d))
		return ac_pending((const struct ac_chat *)d);
	if (ac_is_a_(d, AC_DISPATCHER_WITH_SEND))
		return ac_sender_pending((const struct ac_sender *)d);
	if (ac_is_a_(d, AC_RELAY))
		return ac_relay_pending((const struct ac_relay *)d);
	return 0;
}

/* close_notify calls it all. So there is none where more is thrown away than the byte that is held, nor where
 * nobody has that byte but the caller, who has not said that it is the last one. What the kernel does not take of
 * the end goes to it when the channel is gone. */
static void say_end(struct ac_tls_link *l)
{
	size_t queue = queued(l->d);

	ac_tls_flush_(l);
	if (l->d->reason > 0 || queue > l->held)
		return;
	if (queue == l->held)
		notify(l);
	if (ac_tls_left_(l) && may_notify(l))
		ac_linger_(l->d, l->out.data + l->out.start, ac_tls_left_(l));
}

/* A session stays good for the next connection unless something was wrong with this one. What a forked child only
 * has a copy of it lets go without a word: the next record is its parent's. */
static void finish(struct ac_dispatcher *d)
{
	struct ac_tls_link *l = ac_tls_link_(d);

	if (d->transport == &ac_transport_tls_) {
		if (l->forks == ac_forks_)
			say_end(l);
		if (!l->failed)
			SSL_set_shutdown(l->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	}
	d->transport = &ac_transport_socket_;
	d->extra->secure = NULL;
	ac_tls_link_free_(l);
}

static ssize_t no_recv(struct ac_dispatcher *d, void *buffer, size_t size)
{
	(void)d;
	(void)buffer;
	(void)size;
	return -EAGAIN;
}

static ssize_t no_send(struct ac_dispatcher *d, const struct iovec *iov, int count, bool more)
{
	(void)d;
	(void)iov;
	(void)count;
	(void)more;
	return -EAGAIN;
}

const struct ac_transport ac_transport_tls_dialing_ = {
	.name = "tls",
	.recv = no_recv,
	.send = no_send,
	.handshake = first_shake,
	.secured = secured,
	.finish = finish,
};

const struct ac_transport ac_transport_tls_ = {
	.name = "tls",
	.recv = ac_tls_recv_,
	.send = ac_tls_send_,
	.handshake = shake,
	.secured = secured,
	.wants = wants,
	.holds = holds,
	.progress = progress,
	.shutdown = end,
	.discarded = discarded,
	.moved = moved,
	.hurried = hurried,
	.finish = finish,
};
