/*
 * test_tls_hostile.c — peers that mean no good: bad handshakes in number, stalls, renegotiation, floods, resets; and
 * that nothing is left of them.
 */
#include "tls_peer.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

/* Many that close at once leave the harness's log full of their errors: they are counted instead. */
struct victim {
	struct ac_chat c;
	int *closed;
};

static int quiet_error(struct ac_dispatcher *d, const struct ac_error *e)
{
	(void)e;
	ac_close(d);
	return 0;
}

static int victim_close(struct ac_dispatcher *d)
{
	++*((struct victim *)d)->closed;
	return 0;
}

static const struct ac_chat_class victim_class = {
	.d = {
		.super = AC_CHAT,
		.name = "victim",
		.size = sizeof(struct victim),
		.handle_error = quiet_error,
		.handle_close = victim_close,
	},
};

static void victim(struct world *w, struct ac_tls *tls, int fd, int *closed)
{
	struct victim *v = (struct victim *)ac_chat_adopt(w->map, &victim_class, fd, NULL);

	assert_non_null(v);
	v->closed = closed;
	assert_int_equal(ac_start_tls(&v->c.d, tls, NULL), 0);
}

/* What a client of OpenSSL says first; then it is spoilt. */
static size_t hello(unsigned char *bytes, size_t size)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	int n;

	SSL_set_bio(ssl, in, out);
	SSL_set_connect_state(ssl);
	SSL_do_handshake(ssl);
	n = BIO_read(out, bytes, (int)size);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	ERR_clear_error();
	assert_true(n > 50);
	return (size_t)n;
}

/* On each poller; HELLOS in the environment for more. */
static int hellos(void)
{
	const char *many = getenv("HELLOS");

	return many ? atoi(many) : 5000;
}

/* One byte in each is another one, then the peer is gone: by an end, or by a reset. */
static void bad_hellos_leave_nothing(void **state)
{
	struct world *w = *state;
	struct ac_tls *tls = tls_server(cert_file(A_TEST, CERT_GOOD));
	unsigned char good[2048], bad[2048];
	size_t len = hello(good, sizeof(good));
	int closed = 0, before = count_fds(), all = hellos();
	unsigned seed = 7;

	for (int i = 0; i < all; i++) {
		int fds[2];

		unix_pair(fds);
		victim(w, tls, fds[0], &closed);
		memcpy(bad, good, len);
		seed = seed * 1103515245 + 12345;
		bad[(seed >> 8) % len] ^= (unsigned char)(1 + (seed >> 20) % 255);
		assert_true(write(fds[1], bad, i % 3 ? len : (seed >> 16) % len) >= 0);
		if (i % 2)
			passes(w, 2);
		close(fds[1]);
		if (i % 16 == 15)
			passes(w, 2);
	}
	UNTIL(w, closed == all);
	assert_int_equal(count_fds(), before);
	assert_int_equal(ac_map_channels(w->map), 0);
	ac_tls_free(tls);
}

/* A handshake that stalls, a byte now and then, ends when its time is up. */
static void stalled_handshake_ends(void **state)
{
	static const char start[] = "\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03";
	struct ac_tls_opts opts = { .server = true, .handshake_timeout = 0.3 };
	struct world *w = *state;
	struct ac_tls *server = tls_with(opts, cert_file(A_TEST, CERT_GOOD)), *client;
	struct end e, other;
	int fds[2], other_fds[2], n = 0;
	double begin;

	opts = (struct ac_tls_opts){ .ca_file = cert_ca(), .handshake_timeout = 0.3 };
	client = tls_with(opts, NULL);
	tcp_pair(fds);
	tcp_pair(other_fds);
	begin = ac_now(w->map);
	end_adopt(w, &e, fds[0]);
	end_adopt(w, &other, other_fds[0]);
	assert_int_equal(ac_start_tls(&e.c->d, server, NULL), 0);
	assert_int_equal(ac_start_tls(&other.c->d, client, "a.test"), 0);
	while (!(e.closes && other.closes) && n++ < 100) {
		send(fds[1], &start[n < 11 ? n - 1 : 0], n < 11, MSG_NOSIGNAL);
		ac_poll(w->map, 0.02);
	}
	assert_true(ac_now(w->map) - begin >= 0.3);
	assert_int_equal(e.reason, ETIMEDOUT);
	assert_int_equal(e.error, ETIMEDOUT);
	assert_int_equal(other.reason, ETIMEDOUT);
	assert_non_null(strstr(other.detail, "a.test"));
	close(fds[1]);
	close(other_fds[1]);
	ac_tls_free(client);
	ac_tls_free(server);
}

/* The deadline is the handshake's: an open connection may be silent. */
static void deadline_ends_with_the_handshake(void **state)
{
	struct world *w = *state;
	struct end e[2];

	end_pair_with(
		w, e,
		tls_with((struct ac_tls_opts){ .ca_file = cert_ca(), .handshake_timeout = 0.3 },
	                 NULL),
		tls_with((struct ac_tls_opts){ .server = true, .handshake_timeout = 0.3 },
	                 cert_file(A_TEST, CERT_GOOD)),
		"a.test");
	UNTIL(w, e[0].secures && e[1].secures);
	waits_in(w, 0.5);
	assert_int_equal(e[0].closes + e[1].closes, 0);
}

static void old_version(struct world *w, int version, const char *suites, bool accepted)
{
	struct end e;
	struct peer p;

	face_client(w, &e, &p);
	SSL_set_security_level(p.ssl, 0);
	SSL_set_min_proto_version(p.ssl, TLS1_VERSION);
	SSL_set_max_proto_version(p.ssl, version);
	if (suites)
		assert_int_equal(SSL_set_cipher_list(p.ssl, suites), 1);
	UNTIL(w, peer_shake(&p) && (e.closes || e.secures));
	assert_int_equal(e.secures, accepted);
	assert_int_equal(p.done, accepted);
	if (!accepted)
		assert_int_equal(e.reason, EPROTO);
	peer_close(&p);
	UNTIL(w, e.closes);
}

static void old_versions_are_refused(void **state)
{
	old_version(*state, TLS1_VERSION, NULL, false);
	old_version(*state, TLS1_1_VERSION, NULL, false);
	old_version(*state, TLS1_2_VERSION, "AES128-SHA", false);
	old_version(*state, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA", false);
	old_version(*state, TLS1_2_VERSION, "DHE-RSA-AES128-GCM-SHA256", false);
	old_version(*state, TLS1_2_VERSION, NULL, true);
	old_version(*state, TLS1_3_VERSION, NULL, true);
}

/* Asked again and again: refused, and the connection goes on as it was. */
static void renegotiation_is_refused(void **state)
{
	struct world *w = *state;
	struct end e;
	struct peer p;

	face_client(w, &e, &p);
	SSL_set_max_proto_version(p.ssl, TLS1_2_VERSION);
	UNTIL(w, peer_shake(&p) && e.secures);
	assert_string_equal(ac_tls_version(&e.c->d), "TLSv1.2");
	assert_true(peer_put(&p, "before\n"));
	UNTIL(w, strstr(e.trace, "C(before)F"));
	assert_int_equal(SSL_renegotiate(p.ssl), 1);
	p.done = false;
	for (int i = 0; i < 20 && !peer_shake(&p); i++)
		ac_poll(w->map, 0.01);
	assert_true(p.failed);
	assert_non_null(strstr(p.reason, "no renegotiation"));
	assert_int_equal(e.secures, 1);
	peer_close(&p);
	UNTIL(w, e.closes);
}

/* Each asks for an answer that the peer does not read: what is kept for it is bounded, and nothing spins. */
static void key_update_flood_is_bounded(void **state)
{
	struct world *w = *state;
	struct end e;
	struct peer p;
	size_t held = 0, before;
	int i;

	meet_client(w, &e, &p);
	before = mallinfo2().uordblks;
	for (i = 0; i < 10000; i++) {
		if (!SSL_key_update(p.ssl, SSL_KEY_UPDATE_REQUESTED))
			break;
		SSL_do_handshake(p.ssl);
		if (i % 32 == 0) {
			ac_poll(w->map, 0);
			if (mallinfo2().uordblks > before + held)
				held = mallinfo2().uordblks - before;
		}
	}
	assert_true(held < 1 << 20);
	assert_in_range(waits_in(w, 0.3), 0, 30);
	peer_close(&p);
	UNTIL(w, e.closes);
}

/* A byte of a record is another one: nothing of that record comes through. */
static void spoilt_records_are_refused(void **state)
{
	struct world *w = *state;
	struct end e;
	struct peer p;

	meet_client(w, &e, &p);
	assert_true(peer_put(&p, "one\n"));
	UNTIL(w, strstr(e.trace, "C(one)F"));
	assert_int_equal(write(p.fd,
	                       "\x17\x03\x03\x00\x20"
	                       "0123456789abcdef0123456789abcdef",
	                       37),
	                 37);
	UNTIL(w, e.closes);
	assert_int_equal(e.reason, EPROTO);
	assert_int_equal(e.error, EPROTO);
	assert_non_null(strstr(e.detail, "bad record mac"));
	assert_non_null(strstr(e.trace, "C(one)FE(EPROTO)X"));
	peer_close(&p);
}

/* Web browsers and others that do not speak TLS at all. */
static void plain_text_is_refused(void **state)
{
	static const char *const texts[] = { "GET / HTTP/1.0\r\n\r\n", "EHLO x\r\n",
		                             "\x80\x2e\x01\x03\x01",
		                             "\x15\x03\x01\x00\x02\x02\x28" };
	struct ac_tls *tls = tls_server(cert_file(A_TEST, CERT_GOOD));
	struct world *w = *state;

	for (size_t i = 0; i < 4; i++) {
		struct end e;
		int fds[2];

		tcp_pair(fds);
		end_adopt(w, &e, fds[0]);
		assert_int_equal(ac_start_tls(&e.c->d, tls, NULL), 0);
		assert_true(write(fds[1], texts[i], i == 3 ? 7 : strlen(texts[i])) > 0);
		shutdown(fds[1], SHUT_WR);
		UNTIL(w, e.closes);
		assert_int_equal(e.reason, EPROTO);
		assert_int_equal(e.errors, 1);
		assert_true(e.detail[0]);
		close(fds[1]);
	}
	ac_tls_free(tls);
}

/* The peer resets, then we send: a reason, no signal. SIGPIPE is not ignored here. */
static void reset_then_send(void **state)
{
	struct world *w = *state;
	struct end e;
	struct peer p;
	int fd;

	for (int again = 0; again < 3; again++) {
		meet_client(w, &e, &p);
		fd = dup(p.fd);
		peer_close(&p);
		reset(fd);
		for (int i = 0; i < 100 && e.c; i++) {
			ac_push(e.c, "x\n", 2);
			if (e.c && again)
				ac_flush(e.c);
			if (again == 2)
				ac_poll(w->map, 0);
		}
		UNTIL(w, e.closes);
		assert_true(e.reason == ECONNRESET || e.reason == EPIPE);
		assert_int_equal(e.errors, 0);
	}
}

/* In the handshake: a client hears of it as of a failed connect, a server just closes. */
static void reset_in_the_handshake(void **state)
{
	struct world *w = *state;
	struct ac_tls *client = tls_client(), *server = tls_server(cert_file(A_TEST, CERT_GOOD));
	struct end e;
	int fds[2];

	tcp_pair(fds);
	end_adopt(w, &e, fds[0]);
	assert_int_equal(ac_start_tls(&e.c->d, client, "a.test"), 0);
	passes(w, 3);
	reset(fds[1]);
	UNTIL(w, e.closes);
	assert_int_equal(e.reason, ECONNRESET);
	assert_int_equal(e.error, ECONNRESET);
	tcp_pair(fds);
	end_adopt(w, &e, fds[0]);
	assert_int_equal(ac_start_tls(&e.c->d, server, NULL), 0);
	passes(w, 3);
	reset(fds[1]);
	UNTIL(w, e.closes);
	assert_int_equal(e.reason, ECONNRESET);
	assert_int_equal(e.errors, 0);
	ac_tls_free(client);
	ac_tls_free(server);
}

/* A failed handshake of an application that wants to go on: it is over all the same, and told once. */
static int go_on(struct rec *r)
{
	(void)r;
	return 0;
}

static void errors_are_told_once(void **state)
{
	struct world *w = *state;
	struct end e;
	struct peer p;

	meet_client(w, &e, &p);
	e.r->on_error = go_on;
	shutdown(p.fd, SHUT_WR);
	UNTIL(w, e.closes);
	assert_int_equal(e.errors, 1);
	assert_int_equal(e.reason, EBADMSG);
	peer_close(&p);
}

/* Each allocation fails once, from the handshake on: what was sent arrives, or the channel is closed. */
static void memory_runs_out_on_the_way(void **state)
{
	struct world *w = *state;
	char *text = malloc(300000);

	memset(text, 'x', 300000);
	text[299999] = '\n';
	for (long n = 1; n < 60; n++) {
		struct end e[2];

		w->trace_count = 0;
		end_pair(w, e);
		ac_set_terminator_count(e[1].c, 300000);
		e[1].r->trace = NULL; /* too much to write down */
		ac_push(e[0].c, text, 300000);
		fail_allocation(n, false);
		for (int i = 0; i < 400 && !(e[1].closes || e[0].closes || e[1].found); i++)
			ac_poll(w->map, 0.005);
		fail_allocation(0, false);
		assert_true(e[0].closes || e[1].closes || e[1].found);
		if (e[0].c)
			ac_close(&e[0].c->d);
		if (e[1].c)
			ac_close(&e[1].c->d);
		passes(w, 1);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(bad_hellos_leave_nothing),
		EACH(stalled_handshake_ends),
		EACH(deadline_ends_with_the_handshake),
		EACH(old_versions_are_refused),
		EACH(renegotiation_is_refused),
		EACH(key_update_flood_is_bounded),
		EACH(spoilt_records_are_refused),
		EACH(plain_text_is_refused),
		EACH(reset_then_send),
		EACH(reset_in_the_handshake),
		EACH(errors_are_told_once),
		EACH(memory_runs_out_on_the_way),
	};

	return RUN(tests);
}
