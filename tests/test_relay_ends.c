/* test_relay_ends.c — relays: ends and losses of one side, and what the other hears of them. */
#include "relays.h"

#include "../src/map/map.h"

#include <fcntl.h>

/* A client who resets just when the kernel is asked to splice what came from it. */
static int resets_in_splice = -1;

ssize_t __real_splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t len, unsigned flags);
ssize_t __wrap_splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t len, unsigned flags);

ssize_t __wrap_splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t len, unsigned flags)
{
	static char text[65536];
	int type;
	bool from_socket =
		getsockopt(in, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){ sizeof(type) }) == 0;

	if (resets_in_splice >= 0 && from_socket) {
		while (recv(in, text, sizeof(text), MSG_DONTWAIT) > 0)
			;
		reset(resets_in_splice);
		resets_in_splice = -1;
	}
	return __real_splice(in, in_at, out, out_at, len, flags);
}

static void half_close(struct world *w, bool by_client)
{
	struct line l;
	int first, second;
	char text[16];

	join(w, &l, tcp_pair);
	first = by_client ? l.client : l.target;
	second = by_client ? l.target : l.client;
	put(first, "question");
	shutdown(first, SHUT_WR);
	UNTIL(w, recv(second, text, sizeof(text), MSG_PEEK | MSG_DONTWAIT) == 8);
	get(second, text, sizeof(text));
	UNTIL(w, ended(second));
	assert_int_equal(ac_map_channels(w->map), 2);
	assert_true(waits_in(w, 0.3) <= 10);
	put(second, "answer");
	UNTIL(w, recv(first, text, sizeof(text), MSG_PEEK | MSG_DONTWAIT) == 6);
	get(first, text, sizeof(text));
	assert_string_equal(text, "answer");
	close(second);
	UNTIL(w, ended(first));
	close(first);
	UNTIL(w, ac_map_channels(w->map) == 0);
}

static void half_close_is_kept_each_way(void **state)
{
	half_close(*state, true);
	half_close(*state, false);
}

static void reset_of_one_resets_the_other(void **state)
{
	struct world *w = *state;
	struct line l;

	join(w, &l, tcp_pair);
	passes(w, 2);
	reset(l.client);
	assert_int_equal(outcome(w, l.target), -ECONNRESET);
	close(l.target);
	join(w, &l, tcp_pair);
	passes(w, 2);
	reset(l.target);
	assert_int_equal(outcome(w, l.client), -ECONNRESET);
	close(l.client);
	UNTIL(w, ac_map_channels(w->map) == 0);
}

/* With much under way to it, and the one that is reset not even read. */
static void reset_while_the_other_does_not_read(void **state)
{
	struct world *w = *state;
	struct line l;
	struct stream s = { 5, .size = 64 << 20 };
	ssize_t r;

	join_and_stuff(w, &l, &s);
	reset(l.client);
	for (int i = 0; i < 2000 && ac_map_channels(w->map); i++) {
		read_some(&s, PIECE);
		ac_poll(w->map, 0.001);
	}
	assert_int_equal(ac_map_channels(w->map), 0);
	assert_false(s.differs);
	r = s.error ? -s.error : 1; /* it may have been read already */
	while (r > 0)
		r = outcome(w, l.target);
	assert_int_equal(r, -ECONNRESET);
	close(l.target);
}

/* The kernel says it once, to splice; asked again it would call it an end. */
static void reset_that_splice_is_told_of_is_no_end(void **state)
{
	struct world *w = *state;
	struct line l;
	struct stream s = { 6, .size = 64 << 20 };
	ssize_t r = 1;

	join_stream(w, &l, &s);
	resets_in_splice = l.client;
	for (int i = 0; i < 2000 && resets_in_splice >= 0; i++) {
		write_some(&s, PIECE);
		read_some(&s, PIECE);
		ac_poll(w->map, 0.001);
	}
	assert_int_equal(resets_in_splice, -1);
	while (r > 0)
		r = outcome(w, l.target);
	assert_int_equal(r, -ECONNRESET);
	close(l.target);
	UNTIL(w, ac_map_channels(w->map) == 0);
}

static void reader_lost_with_much_under_way(void **state)
{
	struct world *w = *state;
	struct line l;
	struct stream s = { 6, .size = 64 << 20 };

	join_and_stuff(w, &l, &s);
	assert_true(ac_relay_pending(l.b) > 0);
	reset(l.target);
	UNTIL(w, ac_map_channels(w->map) == 0);
	assert_int_equal(w->map->pipes_out, 0);
	close(l.client);
}

static void closed_by_the_program_delivers_what_is_under_way(void **state)
{
	struct world *w = *state;
	struct line l;
	struct stream s = { 7, .size = 64 << 20 };

	join_and_stuff(w, &l, &s);
	s.size = l.a->received;
	assert_true(ac_relay_pending(l.b) > 0);
	ac_close(&l.a->d);
	for (int i = 0; i < 10000 && !s.ended; i++) {
		ac_poll(w->map, 0);
		read_some(&s, PIECE);
	}
	assert_int_equal(s.read, s.size);
	assert_false(s.differs);
	assert_int_equal(ac_map_channels(w->map), 0);
	hang_up(&l);
}

/* The pipe that holds it is the map's. */
static void last_one_stays_while_something_is_under_way(void **state)
{
	struct world *w = *state;
	struct ac_map *other = ac_map_new(NULL);
	struct stream s = { 8, .size = 64 << 20 };
	struct line l;

	join_and_stuff(w, &l, &s);
	s.size = l.a->received;
	assert_true(w->map->pipes_out > 0);
	ac_close(&l.a->d);
	assert_true(ac_relay_pending(l.b) > 0);
	assert_int_equal(ac_add_channel(&l.b->d, other), -EBUSY);
	drain(w, &s);
	UNTIL(w, ac_map_channels(w->map) == 0);
	assert_int_equal(w->map->pipes_out, 0);
	hang_up(&l);
	ac_map_free(other);
}

static void refused_target_resets_the_client(void **state)
{
	struct world *w = *state;
	struct ac_addr addr;
	struct ac_relay *a, *b;
	int fds[2], r;

	close(listen_tcp(&addr));
	tcp_pair(fds);
	put(fds[0], "early");
	a = (struct ac_relay *)ac_adopt(w->map, AC_RELAY, fds[1], NULL);
	b = (struct ac_relay *)ac_new(w->map, AC_RELAY);
	assert_int_equal(ac_relay_join(a, b), 0);
	r = ac_create_socket(&b->d, AF_INET, SOCK_STREAM);
	if (r == 0)
		r = ac_connect(&b->d, &addr);
	assert_true(r == 0 || r == -ECONNREFUSED);
	if (r < 0)
		ac_close(&b->d);
	assert_true(outcome(w, fds[0]) <= 0);
	close(fds[0]);
	UNTIL(w, ac_map_channels(w->map) == 0);
}

static void silent_one_is_reset_on_both_sides(void **state)
{
	struct world *w = *state;
	struct line l;

	join(w, &l, tcp_pair);
	assert_int_equal(ac_set_timeout(&l.a->d, 0.05), 0);
	assert_int_equal(ac_set_timeout(&l.b->d, 100), 0);
	assert_int_equal(outcome(w, l.target), -ECONNRESET);
	assert_int_equal(outcome(w, l.client), -ECONNRESET);
	hang_up(&l);
	UNTIL(w, ac_map_channels(w->map) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(half_close_is_kept_each_way),
		EACH(reset_of_one_resets_the_other),
		EACH(reset_while_the_other_does_not_read),
		EACH(reset_that_splice_is_told_of_is_no_end),
		EACH(reader_lost_with_much_under_way),
		EACH(closed_by_the_program_delivers_what_is_under_way),
		EACH(last_one_stays_while_something_is_under_way),
		EACH(refused_target_resets_the_client),
		EACH(silent_one_is_reset_on_both_sides),
	};

	return RUN(tests);
}
