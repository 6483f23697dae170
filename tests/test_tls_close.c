/* test_tls_close.c — the last record of a stream, close_notify, where the socket has no room for it at the close. */
#include "tls_peer.h"

#include "../src/map/map.h"
#include <asyncore/overload.h>
#include <sys/wait.h>

static void meet_at(struct world *w, struct end *e, struct peer *p, int fds[2])
{
	struct ac_tls *tls = tls_server(cert_file(A_TEST, CERT_GOOD));

	end_adopt(w, e, fds[1]);
	assert_int_equal(ac_start_tls(&e->c->d, tls, NULL), 0);
	ac_tls_free(tls);
	peer_client(p, fds[0], "a.test");
	UNTIL(w, peer_shake(p) && e->secures);
	assert_true(p->done);
	peer_nonblock(p);
}

static void push_one(struct world *w, struct end *e)
{
	assert_int_equal(ac_push(e->c, "x", 1), 0);
	passes(w, 2);
}

/* A Unix socket takes a small record or takes nothing of it, and the same number each time. */
static int records_that_fit(struct world *w)
{
	struct end e;
	struct peer p;
	int fds[2], count = 0;

	unix_pair(fds);
	meet_at(w, &e, &p, fds);
	while (push_one(w, &e), ac_pending(e.c) == 0)
		count++;
	peer_close(&p);
	UNTIL(w, e.closes);
	return count;
}

/* All of it is with the kernel, which has room for nothing more. */
static int fill(struct world *w, struct end *e, struct peer *p)
{
	int fds[2], count = records_that_fit(w);

	unix_pair(fds);
	meet_at(w, e, p, fds);
	for (int i = 0; i < count; i++)
		push_one(w, e);
	assert_int_equal(ac_pending(e->c), 0);
	return count;
}

static void reads_all(struct world *w, struct peer *p, size_t count)
{
	char text[4096];

	UNTIL(w, (peer_read(p, text, sizeof(text)), p->ended || p->failed));
	assert_true(p->ended);
	assert_false(p->truncated || p->failed);
	assert_int_equal(p->got, count);
}

static void close_notify_goes_out_when_there_is_room_again(void **state)
{
	struct world *w = *state;

	for (int way = 0; way < 2; way++) {
		struct end e;
		struct peer p;
		int count = fill(w, &e, &p);

		if (way == 0)
			assert_int_equal(ac_close_when_done(e.c), 0);
		else
			ac_close(&e.c->d);
		UNTIL(w, e.closes);
		assert_int_equal(e.reason, 0);
		assert_int_equal(ac_map_channels(w->map), 1); /* keeps the loop going */
		assert_in_range(waits_in(w, 0.2), 1, 8);
		reads_all(w, &p, (size_t)count);
		UNTIL(w, ac_map_channels(w->map) == 0);
		peer_close(&p);
	}
	assert_int_equal(ac_map_counter(w->map, AC_COUNT_STALLED), 0);
}

/* The peer reads nothing: the time is bounded. */
static void end_that_is_not_read_is_given_up(void **state)
{
	struct world *w = *state;
	struct end e;
	struct peer p;

	fill(w, &e, &p);
	w->map->stressed = true; /* one second */
	w->map->stress_factor = 0.01;
	ac_close(&e.c->d);
	assert_int_equal(ac_map_channels(w->map), 1);
	UNTIL(w, ac_map_channels(w->map) == 0);
	w->map->stressed = false;
	assert_int_equal(ac_map_counter(w->map, AC_COUNT_STALLED), 1);
	assert_non_null(strstr(w->log, "bytes unsent"));
	peer_close(&p);
}

static int accept_one(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	return ac_chat_adopt(d->map, &ac_chat_class, fd, peer) ? 0 : -ENOMEM;
}

static const struct ac_class listener_class = {
	.super = AC_DISPATCHER,
	.name = "listener",
	.size = sizeof(struct ac_dispatcher),
	.limits = { [AC_MAX_CONNECTIONS] = 1 },
	.handle_accepted = accept_one,
};

/* One second, also for what has begun to wait for five. */
static void stress_that_begins_later_gives_it_up_earlier(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *listener = ac_new(w->map, &listener_class);
	double begun = ac_now(w->map);
	struct end e;
	struct peer p;
	int fd;

	fill(w, &e, &p);
	ac_close(&e.c->d);
	assert_int_equal(ac_map_set_stress(w->map, 10, 0.01), 0);
	assert_int_equal(ac_serve(listener, "127.0.0.1:0"), 0);
	fd = connect_to(listener);
	UNTIL(w, ac_map_counter(w->map, AC_COUNT_STALLED) == 1);
	assert_int_equal(ac_map_counter(w->map, AC_COUNT_STRESS), 1);
	assert_true(ac_now(w->map) - begun < 4.5);
	close(fd);
	peer_close(&p);
}

static void lost_peer_ends_it(void **state)
{
	struct world *w = *state;
	struct end e;
	struct peer p;

	fill(w, &e, &p);
	ac_close(&e.c->d);
	assert_int_equal(ac_map_channels(w->map), 1);
	peer_close(&p);
	UNTIL(w, ac_map_channels(w->map) == 0);
	assert_int_equal(ac_map_counter(w->map, AC_COUNT_STALLED), 0);
}

static int shown(struct ac_dispatcher *d, void *arg)
{
	(void)d;
	(void)arg;
	return 1;
}

/* Nobody is shown it, and what closes all closes it too, at once; nor does closing all leave any behind. */
static void closing_all_waits_for_no_end(void **state)
{
	struct world *w = *state;
	struct end e[2];
	struct peer p[2];

	fill(w, &e[0], &p[0]);
	ac_close(&e[0].c->d);
	assert_int_equal(ac_map_each(w->map, shown, NULL), 0);
	fill(w, &e[1], &p[1]);
	assert_int_equal(ac_map_channels(w->map), 2);
	ac_close_all(w->map, false);
	assert_int_equal(ac_map_channels(w->map), 0);
	assert_int_equal(ac_map_connections(w->map), 0);
	peer_close(&p[0]);
	peer_close(&p[1]);
}

/* Only what the program has said to the end is called whole. */
static void output_thrown_away_is_a_truncation(void **state)
{
	struct world *w = *state;
	char text[4096];
	struct end e;
	struct peer p;

	fill(w, &e, &p);
	push_one(w, &e);
	push_one(w, &e);
	assert_int_equal(ac_pending(e.c), 2);
	ac_close(&e.c->d);
	UNTIL(w, (peer_read(&p, text, sizeof(text)), p.ended || p.failed));
	assert_false(p.ended);
	peer_close(&p);
}

static bool never(struct ac_dispatcher *d)
{
	(void)d;
	return false;
}

static const struct ac_class sender_class = {
	.super = AC_DISPATCHER,
	.name = "sender",
	.size = sizeof(struct ac_dispatcher),
	.writable = never,
};

/* A dispatcher sends bytes by themselves, `most` or until one is not taken; the peer reads none. How many were. */
static size_t send_bytes(struct world *w, struct ac_dispatcher **ret_d, struct peer *p, size_t most)
{
	struct ac_tls *tls = tls_server(cert_file(A_TEST, CERT_GOOD));
	struct ac_dispatcher *d;
	size_t sent = 0;
	int fds[2];

	unix_pair(fds);
	d = *ret_d = ac_adopt(w->map, &sender_class, fds[1], NULL);
	assert_int_equal(ac_start_tls(d, tls, NULL), 0);
	ac_tls_free(tls);
	peer_client(p, fds[0], "a.test");
	UNTIL(w, peer_shake(p) && ac_connected(d));
	peer_nonblock(p);
	passes(w, 2);
	ac_pause(d);
	while (sent < most && ac_send(d, "x", 1) == 1)
		sent++;
	return sent;
}

static void ends(struct world *w, struct peer *p, bool whole, size_t got)
{
	char text[4096];

	assert_int_equal(ac_map_channels(w->map), 1);
	assert_true(peer_put(p, "unread"));
	passes(w, 2);
	UNTIL(w, (peer_read(p, text, sizeof(text)), p->ended || p->truncated || p->failed));
	assert_int_equal(p->ended, whole);
	assert_int_equal(p->truncated, !whole);
	assert_int_equal(p->got, got);
	UNTIL(w, ac_map_channels(w->map) == 0);
	peer_close(p);
}

/* What ac_send took is read to the last byte, though the peer has sent what nobody will read: no reset. But where
 * the caller still has a byte that was not taken it was not all, and the peer knows. */
static void dispatcher_closes_behind_what_it_sent(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d;
	struct peer p;
	size_t room = send_bytes(w, &d, &p, SIZE_MAX);

	assert_true(peer_put(&p, "unread"));
	ac_close(d);
	ends(w, &p, false, room + 1); /* the byte that is held is in a record already */
	assert_int_equal(send_bytes(w, &d, &p, room), room);
	assert_true(peer_put(&p, "unread"));
	ac_close(d);
	ends(w, &p, true, room);
}

/* There is room again, and the channel goes: has anything been sent? */
static bool child_sends(struct world *w, int peer)
{
	double until = ac_now(w->map) + 20;
	char text[4096];

	while (recv(peer, text, sizeof(text), 0) > 0)
		;
	while (ac_map_channels(w->map) && ac_now(w->map) < until)
		ac_poll(w->map, 0.01);
	return ac_map_channels(w->map) || recv(peer, text, sizeof(text), 0) >= 0;
}

/* Both have the descriptor and the rest: only who closed the channel sends it. */
static void forked_child_does_not_send_the_end_too(void **state)
{
	struct world *w = *state;
	char text[4096];
	struct end e;
	struct peer p;
	pid_t child;
	int status;

	fill(w, &e, &p);
	ac_close(&e.c->d);
	assert_int_equal(ac_map_channels(w->map), 1);
	child = fork();
	if (child == 0)
		_exit(child_sends(w, p.fd));
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	UNTIL(w, ac_map_channels(w->map) == 0);
	assert_in_range(recv(p.fd, text, sizeof(text), 0), 1, 100);
	assert_int_equal(recv(p.fd, text, sizeof(text), 0), 0);
	peer_close(&p);
}

/* Without memory it is dropped, as if nobody had waited. */
static void no_memory_for_it(void **state)
{
	struct world *w = *state;

	for (long nth = 1; nth < 6; nth++) {
		struct end e;
		struct peer p;

		fill(w, &e, &p);
		fail_allocation(nth, true);
		ac_close(&e.c->d);
		fail_allocation(0, false);
		peer_close(&p);
		UNTIL(w, ac_map_channels(w->map) == 0);
		assert_int_equal(e.closes, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(close_notify_goes_out_when_there_is_room_again),
		EACH(end_that_is_not_read_is_given_up),
		EACH(stress_that_begins_later_gives_it_up_earlier),
		EACH(lost_peer_ends_it),
		EACH(closing_all_waits_for_no_end),
		EACH(output_thrown_away_is_a_truncation),
		EACH(dispatcher_closes_behind_what_it_sent),
		EACH(forked_child_does_not_send_the_end_too),
		EACH(no_memory_for_it),
	};

	return RUN(tests);
}
