/* test_tls.c — TLS under chats and dispatchers: that it is there, that nothing else is seen of it. */
#include "tls_peer.h"

static void lines_go_both_ways(void **state)
{
	struct world *w = *state;
	struct end e[2];

	end_pair(w, e);
	assert_true(ac_connecting(&e[0].c->d));
	assert_null(ac_tls_version(&e[0].c->d));
	assert_int_equal(ac_push(e[0].c, "hello\n", 6), 0);
	UNTIL(w, strstr(e[1].trace, "C(hello)F"));
	assert_true(ac_connected(&e[0].c->d));
	assert_string_equal(ac_tls_version(&e[0].c->d), "TLSv1.3");
	assert_non_null(ac_tls_cipher(&e[0].c->d));
	assert_null(ac_tls_alpn(&e[0].c->d));
	assert_int_equal(ac_push(e[1].c, "good day\n", 9), 0);
	UNTIL(w, strstr(e[0].trace, "C(good day)F"));
	ac_close(&e[0].c->d);
	UNTIL(w, e[1].closes);
	assert_int_equal(e[1].reason, AC_PEER);
	assert_int_equal(e[1].errors, 0);
	assert_int_equal(e[0].connects + e[1].connects, 0); /* they had been connected before */
	assert_int_equal(e[0].secures + e[1].secures, 2);
}

/* A listener whose connections are TLS, and a client that dials it. */
struct service {
	struct ac_dispatcher d;
	struct world *w;
	struct ac_tls *tls;
	struct end *end;
};

static int service_accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct service *s = (struct service *)d;

	(void)peer;
	end_adopt(s->w, s->end, fd);
	return ac_start_tls(&s->end->c->d, s->tls, NULL);
}

static const struct ac_class service_class = {
	.super = AC_DISPATCHER,
	.name = "service",
	.size = sizeof(struct service),
	.handle_accepted = service_accepted,
};

static int greet(struct end *e)
{
	return ac_push(e->c, "220 welcome\n", 12);
}

static void dialed_and_accepted(void **state)
{
	struct world *w = *state;
	struct service *s = (struct service *)ac_new(w->map, &service_class);
	struct ac_tls *client = tls_client(),
		      *server = tls_server(cert_file("IP:127.0.0.1", CERT_GOOD));
	struct end a, b = { .closes = 0 };
	struct ac_addr addr;

	assert_int_equal(ac_serve(&s->d, "127.0.0.1:0"), 0);
	s->w = w;
	s->tls = server;
	s->end = &b;
	assert_int_equal(ac_local_addr(&s->d, &addr), 0);
	end_dial(w, &a, &addr, client, "127.0.0.1");
	a.on_secure = greet;
	UNTIL(w, b.trace && strstr(b.trace, "SC(220 welcome)F"));
	assert_string_equal(a.trace, "SOD"); /* secured, connected, all sent */
	assert_int_equal(a.connects, 1);
	assert_int_equal(b.connects, 0);
	ac_tls_free(client);
	ac_tls_free(server);
}

/* The connection failed before there was a handshake: the same error as without. */
static void dialed_in_vain(void **state)
{
	struct world *w = *state;
	struct ac_tls *client = tls_client();
	struct ac_addr addr;
	struct end e;

	close(listen_tcp(&addr));
	end_dial(w, &e, &addr, client, "a.test");
	UNTIL(w, e.closes);
	assert_int_equal(e.reason, ECONNREFUSED);
	assert_string_equal(e.trace, "E(ECONNREFUSED)X");
	ac_tls_free(client);
}

/* A connection that comes from elsewhere: the handshake follows, then handle_connect. */
static void socket_set_after_start(void **state)
{
	struct world *w = *state;
	struct ac_tls *client = tls_client();
	struct ac_addr addr;
	struct peer p;
	struct end e;
	int listener = listen_tcp(&addr), fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, &addr.sa, addr.len), 0);
	end_new(w, &e);
	assert_int_equal(ac_start_tls(&e.c->d, client, "a.test"), 0);
	assert_int_equal(ac_set_socket(&e.c->d, fd), 0);
	assert_true(ac_connecting(&e.c->d));
	peer_server(&p, accept(listener, NULL, NULL), cert_file(A_TEST, CERT_GOOD));
	peer_nonblock(&p);
	UNTIL(w, peer_shake(&p) && e.connects);
	assert_true(p.done);
	peer_close(&p);
	close(listener);
	ac_tls_free(client);
}

static void over_unix_sockets(void **state)
{
	struct world *w = *state;
	struct ac_tls *tls = tls_server(cert_file(A_TEST, CERT_GOOD));
	struct peer p;
	struct end e;
	int fds[2];

	unix_pair(fds);
	end_adopt(w, &e, fds[0]);
	assert_int_equal(ac_start_tls(&e.c->d, tls, NULL), 0);
	peer_client(&p, fds[1], "a.test");
	UNTIL(w, peer_shake(&p) && e.secures);
	assert_true(peer_put(&p, "hello\n"));
	UNTIL(w, strstr(e.trace, "C(hello)F"));
	peer_close(&p);
	ac_tls_free(tls);
}

/* The peer is silent: the loop waits, before, in the middle of and after the handshake. */
static void silence_does_not_spin(void **state)
{
	struct world *w = *state;
	struct ac_tls *tls = tls_server(cert_file(A_TEST, CERT_GOOD)), *client = tls_client();
	struct end e, other;
	struct peer p;
	int fds[2];

	tcp_pair(fds);
	end_adopt(w, &e, fds[0]);
	assert_int_equal(ac_start_tls(&e.c->d, tls, NULL), 0);
	assert_in_range(waits_in(w, 0.3), 1, 12);
	put(fds[1], "\x16\x03\x01"); /* the beginning of a record */
	assert_in_range(waits_in(w, 0.3), 1, 12);
	close(fds[1]);
	tcp_pair(fds);
	end_adopt(w, &other, fds[0]);
	assert_int_equal(ac_start_tls(&other.c->d, client, "a.test"), 0);
	assert_in_range(waits_in(w, 0.3), 1, 16);
	close(fds[1]);
	meet_client(w, &e, &p);
	waits_in(w, 0.1);
	assert_in_range(waits_in(w, 0.3), 1, 12);
	assert_true(peer_put(&p, "hello\n"));
	UNTIL(w, strstr(e.trace, "C(hello)F"));
	assert_in_range(waits_in(w, 0.3), 1, 12);
	peer_close(&p);
	ac_tls_free(tls);
	ac_tls_free(client);
}

static void peer_hears_close_notify(void **state)
{
	struct world *w = *state;
	struct end e;
	struct peer p;

	meet_client(w, &e, &p);
	assert_int_equal(ac_push(e.c, "last\n", 5), 0);
	assert_int_equal(ac_close_when_done(e.c), 0);
	UNTIL(w, peer_hears(&p, "last\n") && (peer_hears(&p, "") && p.ended));
	assert_false(p.truncated || p.failed);
	UNTIL(w, e.closes);
	assert_int_equal(e.reason, 0);
	peer_close(&p);
}

/* The peer says no more, and still hears us; then the other way round. */
static int leave_open(struct ac_dispatcher *d)
{
	struct end *e = ((struct rec *)d)->arg;

	strcat(e->trace, "Z");
	return 0;
}

static void half_closed_by_the_peer(void **state)
{
	struct world *w = *state;
	struct end e;
	struct peer p;

	end_on_eof = leave_open;
	meet_client(w, &e, &p);
	SSL_shutdown(p.ssl);
	UNTIL(w, strchr(e.trace, 'Z'));
	assert_int_equal(ac_push(e.c, "still here\n", 11), 0);
	UNTIL(w, peer_hears(&p, "still here\n"));
	assert_in_range(waits_in(w, 0.2), 1, 8);
	ac_close(&e.c->d);
	assert_true(peer_hears(&p, "") && p.ended);
	assert_string_equal(e.trace + strlen(e.trace) - 3, "ZDX");
	assert_int_equal(e.errors, 0);
	end_on_eof = NULL;
	peer_close(&p);
}

static void half_closed_by_us(void **state)
{
	struct world *w = *state;
	struct end e;
	struct peer p;

	meet_client(w, &e, &p);
	assert_int_equal(ac_shutdown(&e.c->d, SHUT_WR), 0);
	UNTIL(w, peer_hears(&p, "") && p.ended);
	assert_false(p.failed);
	assert_true(peer_put(&p, "and another thing\n"));
	UNTIL(w, strstr(e.trace, "C(and another thing)F"));
	assert_int_equal(ac_push(e.c, "x", 1), 0); /* as after shutdown(2) */
	UNTIL(w, e.closes);
	assert_int_equal(e.reason, EPIPE);
	assert_int_equal(e.errors, 0);
	peer_close(&p);
}

/* What was decrypted comes first, then the error; it is not the end of input. */
static void truncation_is_no_end(void **state)
{
	struct world *w = *state;
	struct end e;
	struct peer p;

	end_on_eof = leave_open;
	meet_client(w, &e, &p);
	assert_true(peer_put(&p, "one\ntwo"));
	shutdown(p.fd, SHUT_WR);
	UNTIL(w, e.closes);
	assert_non_null(strstr(e.trace, "C(one)FC(two)E(EBADMSG)X"));
	assert_null(strchr(e.trace, 'Z'));
	assert_non_null(strstr(e.detail, "truncated"));
	assert_int_equal(e.reason, EBADMSG);
	end_on_eof = NULL;
	peer_close(&p);
}

/* The peer has ended the stream while nobody listened: it is told at the resume. */
static void truncation_while_paused(void **state)
{
	struct world *w = *state;
	struct end e;
	struct peer p;

	meet_client(w, &e, &p);
	UNTIL(w, peer_hears(&p, "") && !SSL_has_pending(p.ssl)); /* or it would be a reset */
	ac_pause(&e.c->d);
	passes(w, 3);
	peer_close(&p);
	waits_in(w, 0.1);
	if (!e.closes)
		ac_resume(&e.c->d);
	UNTIL(w, e.closes);
	assert_int_equal(e.reason, EBADMSG);
}

static int push_pieces(struct end *e)
{
	assert_int_equal(ac_push_static(e->c, "a", 1), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(ac_push_static(e->c, "bc", 2), 0);
	return ac_push_with_producer(e->c, ac_simple_producer("d", 1, 1));
}

/* Many small pieces that are queued at once are one record, so nothing waits for an acknowledgement. */
static void queued_pieces_are_one_record(void **state)
{
	struct world *w = *state;
	struct end e;
	struct peer p;
	int before;

	meet_client(w, &e, &p);
	e.on_found = push_pieces;
	UNTIL(w, peer_hears(&p, "") && !SSL_has_pending(p.ssl)); /* tickets */
	before = peer_records(&p);
	assert_true(peer_put(&p, "go\n"));
	UNTIL(w, peer_hears(&p, "abcbcbcbcbcbcbcbcbcbcd"));
	assert_int_equal(peer_records(&p), before + 1);
	assert_int_equal(ac_pending(e.c), 0);
	peer_close(&p);
}

static void two_protocols(void **state)
{
	static const char *const ours[] = { "h2", "http/1.1", NULL }, *const theirs[] = {
		"http/1.1", NULL
	};
	static const char *const others[] = { "imap", NULL };
	const char *cert = cert_file(A_TEST, CERT_GOOD);
	struct world *w = *state;
	struct end e[2];

	end_pair_with(
		w, e, tls_with((struct ac_tls_opts){ .ca_file = cert_ca(), .alpn = theirs }, NULL),
		tls_with((struct ac_tls_opts){ .server = true, .alpn = ours }, cert), "a.test");
	UNTIL(w, e[0].secures && e[1].secures);
	assert_string_equal(ac_tls_alpn(&e[0].c->d), "http/1.1");
	assert_string_equal(ac_tls_alpn(&e[1].c->d), "http/1.1");
	ac_close(&e[0].c->d);
	end_pair_with(
		w, e, tls_with((struct ac_tls_opts){ .ca_file = cert_ca(), .alpn = others }, NULL),
		tls_with((struct ac_tls_opts){ .server = true, .alpn = ours }, cert), "a.test");
	UNTIL(w, e[0].closes && e[1].closes);
	assert_int_equal(e[0].reason, EPROTO);
	assert_int_equal(e[1].reason, EPROTO);
}

/* The second connection of a context to the same server is resumed, and not to another name. */
static void second_dial_resumes(void **state)
{
	struct ac_tls *server = tls_server(cert_file("DNS:a.test,DNS:b.test", CERT_GOOD));
	static const char *const names[] = { "a.test", "a.test", "b.test", "a.test" };
	static const bool resumed[] = { false, true, false, true };
	struct ac_tls *client = tls_client();
	struct world *w = *state;
	struct end e[2];
	int fds[2];

	for (int i = 0; i < 4; i++) {
		tcp_pair(fds);
		end_adopt(w, &e[0], fds[0]);
		end_adopt(w, &e[1], fds[1]);
		assert_int_equal(ac_start_tls(&e[0].c->d, client, names[i]), 0);
		assert_int_equal(ac_start_tls(&e[1].c->d, server, NULL), 0);
		assert_int_equal(ac_push(e[1].c, "hello\n", 6), 0);
		UNTIL(w, strstr(e[0].trace, "C(hello)F"));
		assert_int_equal(ac_tls_resumed(&e[0].c->d), resumed[i]);
		assert_int_equal(ac_tls_resumed(&e[1].c->d), resumed[i]);
		ac_close(&e[i & 1].c->d);
		UNTIL(w, e[0].closes && e[1].closes);
	}
	ac_tls_free(client);
	ac_tls_free(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(lines_go_both_ways),      EACH(dialed_and_accepted),
		EACH(dialed_in_vain),          EACH(socket_set_after_start),
		EACH(over_unix_sockets),       EACH(silence_does_not_spin),
		EACH(peer_hears_close_notify), EACH(half_closed_by_the_peer),
		EACH(half_closed_by_us),       EACH(truncation_is_no_end),
		EACH(truncation_while_paused), EACH(queued_pieces_are_one_record),
		EACH(two_protocols),           EACH(second_dial_resumes),
	};

	return RUN(tests);
}
