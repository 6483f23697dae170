/*
 * test_tls_life.c — what else happens to channels: pauses with decrypted bytes, nested passes, closes in handlers,
 * other maps.
 */
#include "tls_peer.h"

/* A dispatcher reads and sends by itself, a byte at a time: what is decrypted already is not forgotten. */
struct raw {
	struct ac_dispatcher d;
	char got[256];
	size_t len;
	bool eof;
};

static int raw_read(struct ac_dispatcher *d)
{
	struct raw *r = (struct raw *)d;
	ssize_t n = ac_recv(d, r->got + r->len, 1);

	if (n > 0)
		r->len += (size_t)n;
	return n < 0 ? (int)n : 0;
}

static int raw_eof(struct ac_dispatcher *d)
{
	((struct raw *)d)->eof = true;
	return 0;
}

static bool never(struct ac_dispatcher *d)
{
	(void)d;
	return false;
}

static const struct ac_class raw_class = {
	.super = AC_DISPATCHER,
	.name = "raw",
	.size = sizeof(struct raw),
	.flags = AC_STEADY,
	.writable = never,
	.handle_read = raw_read,
	.handle_eof = raw_eof,
};

static struct raw *raw_facing(struct world *w, struct peer *p)
{
	struct ac_tls *tls = tls_server(cert_file(A_TEST, CERT_GOOD));
	struct raw *r;
	int fds[2];

	tcp_pair(fds);
	r = (struct raw *)ac_adopt(w->map, &raw_class, fds[0], NULL);
	assert_int_equal(ac_start_tls(&r->d, tls, NULL), 0);
	ac_tls_free(tls);
	peer_client(p, fds[1], "a.test");
	return r;
}

static void read_byte_by_byte(void **state)
{
	struct world *w = *state;
	struct peer p;
	struct raw *r = raw_facing(w, &p);

	assert_int_equal(ac_send(&r->d, "x", 1), 0); /* not yet */
	assert_int_equal(ac_sendto(&r->d, "x", 1, NULL), -EOPNOTSUPP);
	assert_int_equal(ac_recvfrom(&r->d, r->got, 1, NULL), -EOPNOTSUPP);
	assert_int_equal(ac_shutdown(&r->d, SHUT_WR), -ENOTCONN);
	assert_int_equal(ac_recv(&r->d, r->got, 1), -EAGAIN);
	UNTIL(w, peer_shake(&p) && ac_connected(&r->d));
	assert_true(peer_put(&p, "a record of some bytes"));
	SSL_shutdown(p.ssl);
	UNTIL(w, r->eof);
	assert_int_equal(r->len, 22);
	assert_memory_equal(r->got, "a record of some bytes", 22);
	assert_int_equal(ac_send(&r->d, "reply", 5), 5);
	UNTIL(w, peer_hears(&p, "reply"));
	peer_close(&p);
	ac_close(&r->d);
}

/* Decrypted and not read: heard again after the pause, though the kernel has nothing more. */
static int pause_once(struct end *e)
{
	if (!strstr(e->trace, "C(two)"))
		ac_pause(&e->c->d);
	return 0;
}

static void resumed_with_decrypted_bytes(void **state)
{
	struct world *w = *state;
	struct end e;
	struct peer p;

	meet_client(w, &e, &p);
	e.on_found = pause_once;
	assert_true(peer_put(&p, "one\n"));
	assert_true(peer_put(&p, "two\n"));
	assert_true(peer_put(&p, "three\n"));
	UNTIL(w, strstr(e.trace, "C(one)F"));
	assert_in_range(waits_in(w, 0.2), 1, 8);
	assert_null(strstr(e.trace, "C(two)"));
	ac_resume(&e.c->d);
	UNTIL(w, strstr(e.trace, "C(one)FC(two)FC(three)F"));
	peer_close(&p);
}

static void paused_dispatcher_keeps_decrypted(void **state)
{
	struct world *w = *state;
	struct peer p;
	struct raw *r = raw_facing(w, &p);

	UNTIL(w, peer_shake(&p) && ac_connected(&r->d));
	assert_true(peer_put(&p, "abc"));
	UNTIL(w, r->len);
	ac_pause(&r->d);
	passes(w, 3);
	{
		size_t before = r->len;

		assert_in_range(waits_in(w, 0.2), 1, 8);
		assert_int_equal(r->len, before);
	}
	ac_resume(&r->d);
	UNTIL(w, r->len == 3);
	assert_in_range(waits_in(w, 0.2), 1, 8);
	peer_close(&p);
	ac_close(&r->d);
}

static int poll_inside(struct end *e)
{
	if (!strstr(e->trace, "C(two)"))
		for (int i = 0; i < 5; i++)
			ac_poll(e->c->d.map, 0);
	return 0;
}

static void nested_passes(void **state)
{
	struct world *w = *state;
	struct end e;
	struct peer p;

	meet_client(w, &e, &p);
	e.on_found = poll_inside;
	e.on_secure = poll_inside;
	assert_true(peer_put(&p, "one\ntwo\n"));
	assert_true(peer_put(&p, "three\n"));
	UNTIL(w, strstr(e.trace, "C(one)FC(two)FC(three)F"));
	peer_close(&p);
}

static int close_now(struct end *e)
{
	ac_close(&e->c->d);
	return 0;
}

static int close_on_connect(struct rec *r)
{
	ac_close(&r->c.d);
	return 0;
}

static void closed_in_every_handler(void **state)
{
	struct world *w = *state;
	struct ac_tls *client = tls_client();
	struct ac_addr addr;
	struct end e[2];
	struct peer p;
	int listener;

	end_pair(w, e);
	e[0].on_secure = close_now;
	UNTIL(w, e[0].closes && e[1].closes);
	end_pair(w, e);
	e[1].on_found = close_now;
	assert_int_equal(ac_push(e[0].c, "x\ny\n", 4), 0);
	UNTIL(w, e[0].closes && e[1].closes);
	end_pair(w, e); /* from outside, in the middle of the handshake */
	passes(w, 1);
	ac_close(&e[0].r->c.d);
	UNTIL(w, e[1].closes);
	listener = listen_tcp(&addr);
	end_dial(w, &e[0], &addr, client, "a.test");
	e[0].r->on_connect = close_on_connect;
	peer_server(&p, accept(listener, NULL, NULL), cert_file(A_TEST, CERT_GOOD));
	peer_nonblock(&p);
	UNTIL(w, peer_shake(&p) && e[0].closes);
	assert_non_null(strstr(e[0].trace, "SOX"));
	peer_close(&p);
	close(listener);
	ac_tls_free(client);
}

static int pause_now(struct end *e)
{
	ac_pause(&e->c->d);
	return 0;
}

/* What came with the end of the handshake waits for the resume. */
static void paused_as_soon_as_secure(void **state)
{
	struct world *w = *state;
	struct end e;
	struct peer p;

	face_client(w, &e, &p);
	e.on_secure = pause_now;
	for (int i = 0; i < 100 && !peer_shake(&p); i++)
		ac_poll(w->map, 0.01);
	assert_true(peer_put(&p, "one\n"));
	UNTIL(w, e.secures);
	assert_in_range(waits_in(w, 0.2), 1, 8);
	assert_string_equal(e.trace, "S");
	ac_resume(&e.c->d);
	UNTIL(w, strstr(e.trace, "SC(one)F"));
	peer_close(&p);
}

static void moved_to_another_map(void **state)
{
	struct world *w = *state;
	struct ac_map_opts opts = { .poller = w->poller };
	struct ac_map *other = ac_map_new(&opts);
	struct end e;
	struct peer p;

	face_client(w, &e, &p);
	peer_shake(&p);
	ac_poll(w->map, 0.1); /* the handshake has begun */
	assert_int_equal(ac_add_channel(&e.c->d, other), 0);
	for (int i = 0; i < 100 && !(peer_shake(&p) && e.secures); i++)
		ac_poll(other, 0.01);
	assert_true(p.done);
	assert_true(peer_put(&p, "one\n"));
	for (int i = 0; i < 100 && !strstr(e.trace, "C(one)F"); i++)
		ac_poll(other, 0.01);
	ac_del_channel(&e.c->d);
	assert_true(peer_put(&p, "two\n"));
	passes(w, 2);
	assert_int_equal(ac_add_channel(&e.c->d, w->map), 0);
	UNTIL(w, strstr(e.trace, "C(one)FC(two)F"));
	peer_close(&p);
	UNTIL(w, e.closes);
	ac_map_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(read_byte_by_byte),
		EACH(resumed_with_decrypted_bytes),
		EACH(paused_dispatcher_keeps_decrypted),
		EACH(nested_passes),
		EACH(closed_in_every_handler),
		EACH(paused_as_soon_as_secure),
		EACH(moved_to_another_map),
	};

	return RUN(tests);
}
