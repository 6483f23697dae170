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

int main(void)
{
	const struct CMUnitTest tests[] = { EACH(lines_go_both_ways), EACH(dialed_and_accepted) };

	return RUN(tests);
}
