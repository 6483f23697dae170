/*
 * test_tls_hazards.c — what a lost or lying peer does to TLS, and what a great many handshakes leave behind.
 *
 * Limits: two thousand handshakes; HANDSHAKES in the environment for more.
 */
#include "tls_peer.h"

#include "../src/tls/tls.h"

#include <malloc.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>

static int many(void)
{
	const char *many = getenv("HANDSHAKES");

	return many ? atoi(many) : 2000;
}

static struct {
	struct ac_tls *tls;
	int accepted, secured, closed;
} server;

static int server_secure(struct ac_dispatcher *d)
{
	server.secured += strcmp(d->cls->name, "served") == 0;
	return 0;
}

static int served_error(struct ac_dispatcher *d, const struct ac_error *error)
{
	(void)error;
	ac_close(d);
	return 0;
}

static int served_close(struct ac_dispatcher *d)
{
	(void)d;
	server.closed++;
	return 0;
}

static const struct ac_chat_class served_class = {
	.d = { .super = AC_CHAT,
	       .name = "served",
	       .handle_error = served_error,
	       .handle_close = served_close },
};

static int accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct ac_chat *c = ac_chat_adopt(d->map, &served_class, fd, peer);

	server.accepted++;
	return c ? ac_start_tls(&c->d, server.tls, NULL)
	         : 0; /* NULL: reset already, and the descriptor is gone */
}

static const struct ac_class listener_class = {
	.super = AC_DISPATCHER,
	.name = "listener",
	.handle_accepted = accepted,
};

static struct ac_dispatcher *serve_tls(struct world *w)
{
	struct ac_dispatcher *d = ac_new(w->map, &listener_class);
	struct ac_tls_opts opts = { .server = true, .handle_secure = server_secure };

	memset(&server, 0, sizeof(server));
	assert_int_equal(ac_tls_new(&opts, &server.tls), 0);
	assert_int_equal(ac_tls_add_certificate(server.tls, cert_file(A_TEST, CERT_GOOD), NULL), 0);
	assert_int_equal(ac_serve(d, "127.0.0.1:0"), 0);
	return d;
}

/* We have one end of the pair; the other is OpenSSL by hand. */
static void meet_on(struct world *w, struct end *e, struct peer *p, const int fds[2], bool we_serve,
                    int version)
{
	struct ac_tls *tls = we_serve ? tls_server(cert_file(A_TEST, CERT_GOOD)) : tls_client();

	end_adopt(w, e, fds[0]);
	assert_int_equal(ac_start_tls(&e->c->d, tls, we_serve ? NULL : "a.test"), 0);
	ac_tls_free(tls);
	if (we_serve)
		peer_client(p, fds[1], "a.test");
	else
		peer_server(p, fds[1], cert_file(A_TEST, CERT_GOOD));
	SSL_set_max_proto_version(p->ssl, version);
	UNTIL(w, peer_shake(p) && e->secures);
	assert_true(p->done);
}

static volatile sig_atomic_t broken_pipes;

static void count_pipe(int signo)
{
	(void)signo;
	broken_pipes++;
}

static void send_to_nobody(struct end *e, int way)
{
	if (way == 0)
		assert_int_equal(ac_push(e->c, "x", 1), 0);
	else if (way == 1)
		ac_close(&e->c->d); /* which says close_notify */
	else if (way == 2)
		ac_shutdown(&e->c->d, SHUT_WR);
	else
		ac_send(&e->c->d, "x", 1);
}

/* RELIABILITY E14, over TLS: the peer is gone, and nothing that is sent raises a signal. */
static void no_way_of_sending_raises_a_signal_over_tls(void **state)
{
	struct sigaction ours = { .sa_handler = count_pipe }, old, now;
	struct world *w = *state;

	broken_pipes = 0;
	for (int way = 0; way < 4; way++) {
		struct end e;
		struct peer p;
		int fds[2];

		unix_pair(fds);
		meet_on(w, &e, &p, fds, way % 2, TLS1_3_VERSION);
		sigaction(SIGPIPE, &ours, &old);
		peer_close(&p);
		send_to_nobody(&e, way);
		UNTIL(w, e.closes || way == 2);
		if (!e.closes)
			ac_close(&e.c->d);
		assert_int_equal(e.closes, 1);
		sigaction(SIGPIPE, &old, &now);
		assert_ptr_equal(now.sa_handler,
		                 count_pipe); /* the library has not put in its own */
		peer_close(&p);
	}
	assert_int_equal(broken_pipes, 0);
}

/* A server that talks in clear to a client of TLS. RELIABILITY S2. */
static void plaintext_for_a_server_hello_is_fatal(void **state)
{
	static const char clear[] = "220 mail.example at your service\r\n250 fine\n";
	struct world *w = *state;

	for (size_t cut = 0; cut < 8; cut++) {
		struct ac_tls *tls = tls_client();
		struct end e;
		int fds[2];

		tcp_pair(fds);
		end_adopt(w, &e, fds[0]);
		assert_int_equal(ac_start_tls(&e.c->d, tls, "a.test"), 0);
		assert_int_equal(send(fds[1], clear, cut, MSG_NOSIGNAL), (ssize_t)cut);
		passes(w, 2);
		send(fds[1], clear + cut, sizeof(clear) - 1 - cut, MSG_NOSIGNAL);
		UNTIL(w, e.closes);
		assert_null(strchr(e.trace, 'C'));
		assert_int_equal(e.secures + e.connects, 0);
		assert_int_equal(e.errors, 1);
		assert_int_equal(e.reason, EPROTO);
		close(fds[1]);
		ac_tls_free(tls);
	}
}

/* What both sides have signed: another handshake changes it. */
static size_t finished(const struct ac_dispatcher *d, unsigned char text[64])
{
	return SSL_get_finished(ac_tls_ssl(d), text, 64);
}

static int heard_no;

static void hear_no(const SSL *ssl, int where, int what)
{
	(void)ssl;
	heard_no += where == SSL_CB_READ_ALERT && (what & 0xff) == SSL_AD_NO_RENEGOTIATION;
}

/* RELIABILITY S6: whoever asks for a second handshake, as client or as server, does not get it. */
static void second_handshake_is_refused_in_both_roles(void **state)
{
	struct world *w = *state;

	for (int we_serve = 0; we_serve < 2; we_serve++) {
		unsigned char before[64], after[64];
		struct end e;
		struct peer p;
		size_t len;
		int fds[2];

		unix_pair(fds);
		meet_on(w, &e, &p, fds, we_serve, TLS1_2_VERSION);
		assert_string_equal(ac_tls_version(&e.c->d), "TLSv1.2");
		len = finished(&e.c->d, before);
		heard_no = 0;
		SSL_set_info_callback(p.ssl, hear_no);
		assert_int_equal(SSL_renegotiate(p.ssl), 1);
		for (int i = 0; i < 20 && !p.failed && !e.closes; i++) {
			p.done = false;
			peer_shake(&p);
			peer_hears(&p, ""); /* where a server goes on with it */
			passes(w, 2);
		}
		if (!e.closes) {
			assert_int_equal(finished(&e.c->d, after), len);
			assert_memory_equal(before, after, len);
		}
		assert_int_equal(e.secures, 1);
		assert_int_equal(heard_no, 1);
		peer_close(&p);
		UNTIL(w, e.closes);
	}
}

static int client_connect(struct ac_dispatcher *d)
{
	ac_close(d);
	return 0;
}

static const struct ac_chat_class client_class = {
	.d = { .super = AC_CHAT, .name = "client", .handle_connect = client_connect },
};

/* A few at a time: half of them resumed, for their context remembers a name, half of them whole. */
static void handshakes(struct world *w, const struct ac_addr *to, struct ac_tls *tls[2], int count)
{
	int goal = server.closed + count;

	for (int i = 0; i < count; i++) {
		struct ac_chat *c = ac_chat_new(w->map, &client_class);

		assert_non_null(c);
		assert_int_equal(ac_start_tls(&c->d, tls[i % 2], i % 2 ? "a.test" : NULL), 0);
		assert_int_equal(ac_create_socket(&c->d, AF_INET, SOCK_STREAM), 0);
		assert_int_equal(ac_connect(&c->d, to), 0);
		if (i % 8 == 7)
			UNTIL(w, ac_map_channels(w->map) == 1);
	}
	UNTIL(w, server.closed == goal && ac_map_channels(w->map) == 1);
}

/* RELIABILITY S8: memory that handshakes would keep, OpenSSL's included. */
static void handshakes_leave_no_memory(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d = serve_tls(w);
	struct ac_tls *tls[2] = { tls_with((struct ac_tls_opts){ .no_verify = true }, NULL),
		                  tls_client() };
	struct ac_addr to;
	size_t before, ours;

	assert_int_equal(ac_local_addr(d, &to), 0);
	handshakes(w, &to, tls, 200);
	before = mallinfo2().uordblks;
	ours = allocated_bytes();
	handshakes(w, &to, tls, many());
	assert_true(allocated_bytes() < ours + 65536);
	assert_true(mallinfo2().uordblks < before + 1048576);
	assert_int_equal(server.secured, server.accepted);
	ac_tls_free(tls[0]);
	ac_tls_free(tls[1]);
	ac_tls_free(server.tls);
}

/* RELIABILITY S9: where nobody says how long, a handshake has ten seconds. */
static void handshake_has_ten_seconds_by_default(void **state)
{
	struct world *w = *state;
	struct ac_tls *tls = tls_server(cert_file(A_TEST, CERT_GOOD));
	struct end e;
	int fds[2];

	unix_pair(fds);
	end_adopt(w, &e, fds[0]);
	assert_true(ac_next_timeout(w->map) < 0);
	assert_int_equal(ac_start_tls(&e.c->d, tls, NULL), 0);
	ac_tls_free(tls);
	assert_true(fabs(ac_task_timeout(&ac_tls_link_(&e.c->d)->deadline) - 10) < 1);
	close(fds[1]);
	UNTIL(w, e.closes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(no_way_of_sending_raises_a_signal_over_tls),
		EACH(plaintext_for_a_server_hello_is_fatal),
		EACH(second_handshake_is_refused_in_both_roles),
		EACH(handshakes_leave_no_memory),
		EACH(handshake_has_ten_seconds_by_default),
	};

	return RUN(tests);
}
