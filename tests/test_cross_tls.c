/*
 * test_cross_tls.c — TLS where other parts meet it: rates, forked children, stress, listeners that count.
 */
#include "tls_peer.h"

#include <asyncore/overload.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINES 2000

static void line_goes(struct world *w, struct end *from, struct end *to)
{
	int found = to->found;

	assert_int_equal(ac_push(from->c, "line\n", 5), 0);
	UNTIL(w, to->found > found || to->closes);
	assert_int_equal(to->closes, 0);
}

/* A child that frees its copy of the map says nothing to the peers: close_notify is the parent's to send. */
static void forked_child_ends_no_stream_of_its_parent(void **state)
{
	struct world *w = *state;
	struct end e[2];
	pid_t child;
	int status;

	end_pair(w, e);
	UNTIL(w, e[0].secures && e[1].secures);
	line_goes(w, &e[0], &e[1]);
	line_goes(w, &e[1], &e[0]);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		ac_close(&e[0].c->d);
		ac_close(&e[1].c->d);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	line_goes(w, &e[0], &e[1]);
	line_goes(w, &e[1], &e[0]);
	ac_close(&e[0].c->d);
	UNTIL(w, e[1].closes);
	assert_int_equal(e[1].errors, 0);
}

/* Whoever goes on with the channel in the child speaks for it, and ends it as it should. */
static void forked_child_that_goes_on_says_close_notify(void **state)
{
	struct world *w = *state;
	struct end e;
	struct peer p;
	pid_t child;
	int status;

	meet_client(w, &e, &p);
	peer_nonblock(&p);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		ac_push(e.c, "of the child\n", 13);
		ac_poll(w->map, 0);
		ac_close(&e.c->d);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	UNTIL(w, peer_hears(&p, "of the child") && p.ended);
	peer_close(&p);
}

static int accept_patiently(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct ac_chat *c = ac_chat_adopt(d->map, &ac_chat_class, fd, peer);
	struct ac_tls *tls = ((struct rec *)d)->arg;

	return c ? ac_start_tls(&c->d, tls, NULL) : 0;
}

static const struct ac_class listener_class = {
	.super = AC_DISPATCHER,
	.name = "listener",
	.size = sizeof(struct rec),
	.limits = { [AC_MAX_CONNECTIONS] = 10 },
	.handle_accepted = accept_patiently,
};

/* Handshakes that stall are given up early, also those that had begun before. */
static void handshakes_are_shorter_under_stress_also_those_that_run(void **state)
{
	struct ac_tls_opts opts = { .server = true, .handshake_timeout = 1000 };
	struct world *w = *state;
	struct ac_dispatcher *d = ac_new(w->map, &listener_class);
	struct ac_tls *tls = tls_with(opts, cert_file(A_TEST, CERT_GOOD));
	int fds[10];

	((struct rec *)d)->arg = tls;
	assert_int_equal(ac_map_set_stress(w->map, 90, 0.001), 0);
	assert_int_equal(ac_serve(d, "127.0.0.1:0"), 0);
	for (size_t i = 0; i < 10; i++) {
		fds[i] = connect_to(d);
		UNTIL(w, ac_map_connections(w->map) == i + 1);
	}
	assert_true(ac_map_stressed(w->map));
	UNTIL(w, ac_map_connections(w->map) == 0);
	assert_false(ac_map_stressed(w->map));
	for (int i = 0; i < 10; i++)
		close(fds[i]);
	ac_tls_free(tls);
}

/* Before, in and after the handshake: all arrives, and the getters answer through the rate. */
static void rate_may_come_at_any_time(void **state)
{
	struct world *w = *state;

	for (int when = 0; when < 3; when++) {
		struct ac_tls *tls[2] = { tls_client(), tls_server(cert_file(A_TEST, CERT_GOOD)) };
		struct end e[2];
		int fds[2];

		tcp_pair(fds);
		for (int i = 0; i < 2; i++) {
			end_adopt(w, &e[i], fds[i]);
			if (when == 0)
				assert_int_equal(ac_set_rate(&e[i].c->d, 100000, 100000), 0);
			assert_int_equal(ac_start_tls(&e[i].c->d, tls[i], "a.test"), 0);
			ac_tls_free(tls[i]);
		}
		if (when == 1)
			passes(w, 1);
		else if (when == 2)
			UNTIL(w, e[0].secures && e[1].secures);
		for (int i = 0; when && i < 2; i++)
			assert_int_equal(ac_set_rate(&e[i].c->d, 100000, 100000), 0);
		UNTIL(w, e[0].secures && e[1].secures);
		assert_string_equal(ac_tls_version(&e[0].c->d), "TLSv1.3");
		assert_non_null(ac_tls_cipher(&e[1].c->d));
		for (int i = 0; i < LINES; i++)
			assert_int_equal(ac_push(e[0].c, "0123456789abcde\n", 16), 0);
		e[1].r->trace = NULL;
		UNTIL(w, e[1].found == LINES);
		ac_close(&e[0].c->d);
		e[1].r->trace = e[1].trace;
		UNTIL(w, e[1].closes);
		assert_int_equal(e[1].errors, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(forked_child_ends_no_stream_of_its_parent),
		EACH(forked_child_that_goes_on_says_close_notify),
		EACH(handshakes_are_shorter_under_stress_also_those_that_run),
		EACH(rate_may_come_at_any_time),
	};

	return RUN(tests);
}
