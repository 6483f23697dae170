/* test_relay.c — relays: every byte in order, both ways, through pauses; nothing held for nothing. */
#include "relays.h"

#include <asyncore/overload.h>
#include <sys/wait.h>

#include "../src/map/map.h"

static void run_both(struct world *w, struct line *l, size_t up, size_t down, unsigned seed)
{
	struct stream s[2] = { { 1, l->client, l->target, up, .random = seed },
		               { 2, l->target, l->client, down, .random = seed + 1 } };

	for (int i = 0; i < 100000 && !(s[0].ended && s[1].ended); i++) {
		step(&s[0]);
		step(&s[1]);
		ac_poll(w->map, 0);
	}
	for (int i = 0; i < 2; i++) {
		assert_true(s[i].ended);
		assert_int_equal(s[i].read, s[i].size);
		assert_false(s[i].differs);
	}
	UNTIL(w, ac_map_channels(w->map) == 0);
	hang_up(l);
}

static void both_directions_with_pauses(void **state)
{
	struct world *w = *state;
	struct line l;

	for (unsigned seed = 1; seed <= 4; seed++) {
		join(w, &l, tcp_pair);
		run_both(w, &l, 3000000, 400000 * seed, seed);
		join(w, &l, unix_pair);
		run_both(w, &l, 200000 * seed, 2000000, seed);
	}
}

static void copies_where_no_pipe_is_left(void **state)
{
	struct world *w = *state;
	struct line l;

	w->map->pipes_out = AC_PIPES_MOST;
	join(w, &l, tcp_pair);
	run_both(w, &l, 3000000, 1000000, 7);
	assert_null(w->map->pipes);
	w->map->pipes_out = 0;
}

static void slow_reader_makes_its_writer_wait(void **state)
{
	struct world *w = *state;
	struct line l;
	struct stream s = { 3, .size = 64 << 20 };

	join_and_stuff(w, &l, &s);
	assert_true(s.wrote < s.size);
	assert_true(ac_relay_pending(l.b) > 0 && ac_relay_pending(l.b) <= 1 << 20);
	assert_true(allocated_bytes() < 1 << 20);
	assert_true(falls_silent(w)); /* nobody is asked meanwhile */
	s.size = s.wrote + 1000000;
	drain(w, &s);
	assert_int_equal(l.b->sent, s.size);
	assert_int_equal(l.a->received, s.size);
	hang_up(&l);
	UNTIL(w, ac_map_channels(w->map) == 0);
}

/* Nor the pipe of a burst that is over. */
static void idle_relay_holds_nothing(void **state)
{
	struct world *w = *state;
	struct line l;
	struct stream s = { 4, .size = 4000000 };
	size_t before;

	join_stream(w, &l, &s);
	drain(w, &s);
	passes(w, 3);
	before = allocated_bytes();
	assert_int_equal(w->map->pipes_out, 0);
	assert_non_null(w->map->pipes); /* one was used */
	assert_null(l.b->out);
	assert_true(falls_silent(w));
	assert_int_equal(allocated_bytes(), before);
	hang_up(&l);
	UNTIL(w, ac_map_channels(w->map) == 0);
}

static void many_that_do_not_read_share_few_pipes(void **state)
{
	enum { LINES = AC_PIPES_MOST + 20 };
	struct world *w = *state;
	static struct line l[LINES];
	static struct stream s[LINES];

	for (int i = 0; i < LINES; i++) {
		join(w, &l[i], tcp_pair);
		small_buffers(l[i].b->d.fd);
		s[i] = (struct stream){ i, l[i].client, l[i].target, 64 << 20 };
	}
	for (int round = 0; round < 3000 && w->map->pipes_out < AC_PIPES_MOST; round++) {
		for (int i = 0; i < LINES; i++)
			write_some(&s[i], PIECE);
		passes(w, 2);
	}
	assert_int_equal(w->map->pipes_out, AC_PIPES_MOST);
	for (int i = 0; i < LINES; i++) {
		s[i].size = s[i].wrote;
		drain(w, &s[i]);
		hang_up(&l[i]);
	}
	UNTIL(w, ac_map_channels(w->map) == 0);
	assert_int_equal(w->map->pipes_out, 0);
}

/* It may be slow to connect: what comes meanwhile waits in the kernel, then none of it is missing. */
static void nothing_is_read_before_the_target_is_connected(void **state)
{
	struct world *w = *state;
	struct ac_addr addr;
	int listener = listen_tcp(&addr), fds[2];
	struct ac_relay *a, *b;
	struct stream s = { 8, .size = 500000 };

	tcp_pair(fds);
	a = (struct ac_relay *)ac_adopt(w->map, AC_RELAY, fds[1], NULL);
	b = (struct ac_relay *)ac_new(w->map, AC_RELAY);
	assert_int_equal(ac_relay_join(a, b), 0);
	s.from = fds[0];
	write_some(&s, 1000);
	passes(w, 5);
	assert_int_equal(a->received, 0);
	assert_true(falls_silent(w));
	assert_int_equal(ac_create_socket(&b->d, AF_INET, SOCK_STREAM), 0);
	assert_int_equal(ac_connect(&b->d, &addr), 0);
	s.to = accept(listener, NULL, NULL);
	drain(w, &s);
	close(fds[0]);
	close(s.to);
	close(listener);
	UNTIL(w, ac_map_channels(w->map) == 0);
}

/* splice stops at the mark, and says "nothing" or even "the end" there. */
static void out_of_band_byte_in_the_middle(void **state)
{
	struct world *w = *state;
	struct line l;
	struct stream s = { 9, .size = 1000000 };

	join_stream(w, &l, &s);
	for (int i = 0; i < 4; i++) {
		drain(w, &s);
		while (s.wrote < s.size + 400000) {
			size_t size = s.size;

			s.size = size + 400000;
			write_some(&s, PIECE);
			s.size = size;
			read_some(&s, PIECE);
			if (s.wrote < s.size + 400000)
				ac_poll(w->map, 0);
		}
		assert_int_equal(send(l.client, "!", 1, MSG_OOB), 1);
		s.size += 900000;
	}
	drain(w, &s);
	shutdown(l.client, SHUT_WR);
	UNTIL(w, ended(l.target));
	hang_up(&l);
	UNTIL(w, ac_map_channels(w->map) == 0);
}

static void joins_that_cannot_be(void **state)
{
	struct world *w = *state;
	struct ac_map *other = ac_map_new(NULL);
	struct ac_relay *a = (struct ac_relay *)ac_new(w->map, AC_RELAY);
	struct ac_relay *b = (struct ac_relay *)ac_new(w->map, AC_RELAY);
	struct ac_relay *c = (struct ac_relay *)ac_new(w->map, AC_RELAY);
	struct ac_relay *far = (struct ac_relay *)ac_new(other, AC_RELAY);

	assert_int_equal(ac_relay_join(a, a), -EINVAL);
	assert_int_equal(ac_relay_join(a, far), -EINVAL);
	assert_int_equal(ac_relay_join(a, b), 0);
	assert_int_equal(ac_relay_join(b, c), -EISCONN);
	assert_int_equal(ac_relay_join(c, a), -EISCONN);
	ac_readwrite(&c->d, AC_IN | AC_OUT);
	ac_close(&a->d);
	assert_int_equal(ac_relay_join(c, a), -ENOTCONN);
	assert_null(b->other);
	passes(w, 2);
	ac_close(&c->d);
	ac_map_free(other);
}

/* Each touches the other: on two maps two threads would. */
static void joined_ones_stay_on_their_map(void **state)
{
	struct world *w = *state;
	struct ac_map_opts opts = { .poller = w->poller };
	struct ac_map *other = ac_map_new(&opts);
	struct stream s = { .number = 1, .size = PIECE };
	struct line l;
	struct ac_relay *alone = (struct ac_relay *)ac_new(w->map, AC_RELAY);

	join(w, &l, tcp_pair);
	assert_int_equal(ac_add_channel(&l.a->d, other), -EBUSY);
	assert_int_equal(ac_add_channel(&l.b->d, other), -EBUSY);
	assert_non_null(strstr(ac_last_error(w->map)->detail, "joined"));
	assert_int_equal(ac_map_channels(other), 0);
	ac_del_channel(&l.a->d);
	assert_int_equal(ac_add_channel(&l.a->d, other), -EBUSY);
	assert_int_equal(ac_add_channel(&l.a->d, w->map), 0);
	s.from = l.client;
	s.to = l.target;
	drain(w, &s);
	hang_up(&l);
	assert_int_equal(ac_add_channel(&alone->d, other), 0);
	ac_map_free(other);
}

/* By hand, and without anybody to pass it on to. */
static void fired_alone(void **state)
{
	struct world *w = *state;
	struct ac_relay *r;
	int fds[2];

	tcp_pair(fds);
	r = (struct ac_relay *)ac_adopt(w->map, AC_RELAY, fds[1], NULL);
	put(fds[0], "x");
	passes(w, 3);
	ac_readwrite(&r->d, AC_IN | AC_OUT);
	assert_int_equal(r->received, 0);
	assert_false(ac_closing(&r->d));
	ac_close(&r->d);
	close(fds[0]);
}

/* The bytes are in a pipe, and the transport that is now the channel's knows none. */
static void rate_set_with_much_under_way(void **state)
{
	struct world *w = *state;
	struct line l;
	struct stream s = { 11, .size = 64 << 20 };

	join_and_stuff(w, &l, &s);
	assert_int_equal(w->map->pipes_out, 1);
	assert_int_equal(ac_set_rate(&l.b->d, 0, 1000000000), 0);
	s.size = s.wrote + 1000000;
	drain(w, &s);
	assert_int_equal(w->map->pipes_out, 0);
	hang_up(&l);
	UNTIL(w, ac_map_channels(w->map) == 0);
}

/* A child that goes on with its map has pipes of its own. */
static void pipe_from_before_a_fork_is_not_used(void **state)
{
	struct world *w = *state;
	struct ac_pipe *p = ac_pipe_take_(w->map);
	int status = 0;
	pid_t child;

	assert_non_null(p);
	ac_pipe_give_(w->map, p, true);
	assert_ptr_equal(w->map->pipes, p);
	child = fork();
	if (child == 0) {
		struct ac_pipe *q = ac_pipe_take_(w->map);
		bool is_own = q && q->forks == ac_forks_ && w->map->pipes == NULL;

		if (q)
			ac_pipe_give_(w->map, q, true); /* to valgrind it would be lost */
		_exit(is_own ? 0 : 1);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
}

/* Whichever allocation fails, the stream is whole or both are closed. */
static void memory_runs_out(void **state)
{
	struct world *w = *state;

	for (long nth = 1; nth <= 12; nth++) {
		struct line l;
		struct stream s = { 10, .size = 3000000 };

		join_stream(w, &l, &s);
		small_buffers(l.b->d.fd);
		fail_allocation(nth, nth % 2);
		for (int i = 0; i < 3000 && s.read < s.size && ac_map_channels(w->map); i++) {
			write_some(&s, PIECE);
			ac_poll(w->map, 0);
			if (i % 3 == 0)
				read_some(&s, 100000);
		}
		assert_false(s.differs);
		assert_true(s.read == s.size || ac_map_channels(w->map) == 0);
		fail_allocation(0, false);
		hang_up(&l);
		UNTIL(w, ac_map_channels(w->map) == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(both_directions_with_pauses),
		EACH(copies_where_no_pipe_is_left),
		EACH(slow_reader_makes_its_writer_wait),
		EACH(idle_relay_holds_nothing),
		EACH(many_that_do_not_read_share_few_pipes),
		EACH(nothing_is_read_before_the_target_is_connected),
		EACH(out_of_band_byte_in_the_middle),
		EACH(joins_that_cannot_be),
		EACH(joined_ones_stay_on_their_map),
		EACH(fired_alone),
		EACH(rate_set_with_much_under_way),
		EACH(pipe_from_before_a_fork_is_not_used),
		EACH(memory_runs_out),
	};

	return RUN(tests);
}
