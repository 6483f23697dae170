/* test_contract_output.c — how what is pushed gets to the peer: scenarios 11 to 17 of the contract. */
#include "harness.h"

#include <stdlib.h>

static void idle_chat_closes_when_done_in_one_pass(void **state)
{
	struct world *w = *state;
	int fd;
	struct rec *r = rec_pair(w, &fd);
	const char *trace = r->trace;

	passes(w, 1);
	assert_int_equal(ac_close_when_done(&r->c), 0);
	passes(w, 1);
	assert_string_equal(trace, "X");
	assert_true(ended(fd));
	close(fd);
}

static void empty_producers_are_skipped(void **state)
{
	struct world *w = *state;
	char text[64];
	int fd;
	struct rec *r = rec_pair(w, &fd);

	assert_int_equal(ac_push_with_producer(&r->c, ac_simple_producer("", 0, 0)), 0);
	assert_int_equal(ac_push_with_producer(&r->c, ac_simple_producer("x", 1, 0)), 0);
	assert_int_equal(ac_push(&r->c, "y", 1), 0);
	passes(w, 1);
	assert_int_equal(get(fd, text, sizeof(text)), 2);
	assert_string_equal(text, "xy");
	assert_int_equal(ac_pending(&r->c), 0);
	close(fd);
}

static char *big_text(size_t len)
{
	char *text = malloc(len);

	for (size_t i = 0; i < len; i++)
		text[i] = (char)('a' + i % 23 + i / 4096 % 3);
	return text;
}

/* Reads what comes, `step` bytes at most between two passes. */
static void receive(struct world *w, int fd, char *text, size_t len, size_t step)
{
	double until = ac_now(w->map) + 5;
	size_t n = 0;

	while (n < len && ac_now(w->map) < until) {
		ssize_t r = recv(fd, text + n, len - n < step ? len - n : step, MSG_DONTWAIT);

		if (r > 0)
			n += (size_t)r;
		else
			ac_poll(w->map, 0.005);
	}
	assert_int_equal(n, len);
}

#define BIG 200000

static void big_push_arrives_in_order_through_short_writes(void **state)
{
	static const size_t steps[] = { 1000, 4097, 70000 };
	struct world *w = *state;
	char *text = big_text(BIG), *came = malloc(BIG);

	for (size_t i = 0; i < 3; i++) {
		int fd, small = 4096;
		struct rec *r = rec_pair(w, &fd);

		setsockopt(r->c.d.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
		assert_int_equal(ac_push(&r->c, text, BIG), 0);
		receive(w, fd, came, BIG, steps[i]);
		assert_memory_equal(text, came, BIG);
		close(fd);
	}
	free(text);
	free(came);
}

static void many_small_pushes_arrive_in_order(void **state)
{
	struct world *w = *state;
	char *text = big_text(BIG), *came = malloc(BIG);
	int fd;
	struct rec *r = rec_pair(w, &fd);

	for (size_t n = 0; n < BIG; n += 250)
		assert_int_equal(ac_push(&r->c, text + n, 250), 0);
	receive(w, fd, came, BIG, 5000);
	assert_memory_equal(text, came, BIG);
	close(fd);
	free(text);
	free(came);
}

static int push_in_connect(struct rec *r)
{
	return ac_push(&r->c, "second", 6);
}

static void push_before_and_in_connect_goes_out_once(void **state)
{
	struct world *w = *state;
	struct ac_addr addr;
	char text[64] = "", where[AC_ADDR_TEXT];
	int listener = listen_tcp(&addr), fd;
	struct rec *r = (struct rec *)ac_chat_new(w->map, &rec_class);

	r->trace = new_trace(w);
	r->on_connect = push_in_connect;
	assert_int_equal(ac_dial(&r->c.d, ac_addr_format(&addr, where, sizeof(where))), 0);
	assert_int_equal(ac_push(&r->c, "first ", 6), 0);
	assert_string_equal(r->trace, "");
	fd = accept(listener, NULL, NULL);
	UNTIL(w, get(fd, text + strlen(text), sizeof(text) - strlen(text)) || text[0]);
	passes(w, 3);
	get(fd, text + strlen(text), sizeof(text) - strlen(text));
	assert_string_equal(text, "first second");
	assert_string_equal(r->trace, "OD");
	close(fd);
	close(listener);
}

static ssize_t give_ab(void *arg, void *buffer, size_t size)
{
	int *calls = arg;

	assert_true(size > 1);
	*(char *)buffer = (char)('a' + *calls);
	return ++*calls <= 2;
}

static void producer_is_asked_until_it_is_empty(void **state)
{
	struct world *w = *state;
	char text[64];
	int fd, calls = 0;
	struct rec *r = rec_pair(w, &fd);

	assert_int_equal(ac_push_with_producer(&r->c, ac_function_producer(give_ab, &calls)), 0);
	assert_int_equal(ac_push(&r->c, "x", 1), 0);
	passes(w, 1);
	get(fd, text, sizeof(text));
	assert_string_equal(text, "abx");
	assert_int_equal(calls, 3);
	close(fd);
}

static int push_close_push(struct rec *r)
{
	assert_int_equal(ac_push(&r->c, "sent", 4), 0);
	assert_int_equal(ac_close_when_done(&r->c), 0);
	return ac_push(&r->c, "unsent", 6);
}

static void what_is_pushed_behind_the_close_is_dropped(void **state)
{
	struct world *w = *state;
	char text[64];
	int fd;
	struct rec *r = rec_pair(w, &fd);
	const char *trace = r->trace;

	ac_set_terminator(&r->c, "\n", 1);
	r->on_found = push_close_push;
	put(fd, "go\nagain\n");
	passes(w, 2);
	get(fd, text, sizeof(text));
	assert_string_equal(text, "sent");
	assert_string_equal(trace, "C(go)FX");
	close(fd);
}

/* All of it arrives, then the end. */
static void much_then_close(struct world *w, bool by_peer)
{
	char *text = big_text(BIG), *came = malloc(BIG);
	int fd, small = 4096;
	struct rec *r = rec_pair(w, &fd);
	const char *trace = r->trace;

	setsockopt(r->c.d.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	assert_int_equal(ac_push(&r->c, text, BIG), 0);
	if (by_peer)
		shutdown(fd, SHUT_WR);
	else
		assert_int_equal(ac_close_when_done(&r->c), 0);
	receive(w, fd, came, BIG, by_peer ? 9000 : 3000);
	UNTIL(w, ended(fd));
	assert_memory_equal(text, came, BIG);
	assert_non_null(strchr(trace, 'X'));
	close(fd);
	free(text);
	free(came);
}

static void close_when_done_sends_everything_first(void **state)
{
	much_then_close(*state, false);
}

static void peer_reset_during_push_closes_once(void **state)
{
	struct world *w = *state;
	int fds[2];
	struct rec *r;
	const char *trace;
	char *text = big_text(BIG);

	tcp_pair(fds);
	r = (struct rec *)ac_chat_adopt(w->map, &rec_class, fds[0], NULL);
	trace = r->trace = new_trace(w);
	passes(w, 1);
	reset(fds[1]);
	assert_int_equal(ac_push(&r->c, text, BIG), 0);
	assert_int_equal(ac_push(&r->c, text, BIG), 0);
	assert_string_equal(trace, ""); /* a push calls no handler */
	passes(w, 2);
	assert_string_equal(trace, "X");
	free(text);
}

static void half_closed_peer_gets_all_output(void **state)
{
	much_then_close(*state, true);
}

static int producer_error(struct ac_producer *p, struct ac_slice *ret_slice)
{
	(void)p;
	(void)ret_slice;
	return -EDOM;
}

static void producer_free(struct ac_producer *p)
{
	p->slice.len = 0;
	p->cls = NULL;
}

static const struct ac_producer_class failing_class = { "failing", producer_error, producer_free };

static void failing_producer_is_raised_on_the_chat(void **state)
{
	struct world *w = *state;
	struct ac_producer p = { .cls = &failing_class };
	char text[16];
	int fd;
	struct rec *r = rec_pair(w, &fd);
	const char *trace = r->trace;

	assert_int_equal(ac_push(&r->c, "x", 1), 0);
	assert_int_equal(ac_push_with_producer(&r->c, &p), 0);
	assert_null(p.cls); /* freed */
	passes(w, 1);
	assert_string_equal(trace, "E(EDOM)X");
	get(fd, text, sizeof(text));
	assert_string_equal(text, "x");
	close(fd);
}

static int asked;

static ssize_t nothing_yet(void *arg, void *buffer, size_t size)
{
	int *ready = arg;

	(void)size;
	asked++;
	if (*ready == 0)
		return -EAGAIN;
	memcpy(buffer, "now", 3);
	return (*ready)-- == 1 ? 3 : 0;
}

static void producer_with_nothing_yet_is_not_spun_on(void **state)
{
	struct world *w = *state;
	int fd, ready = 0;
	char text[16];
	struct rec *r = rec_pair(w, &fd);

	asked = 0;
	assert_int_equal(ac_push_with_producer(&r->c, ac_function_producer(nothing_yet, &ready)),
	                 0);
	assert_int_equal(ac_push(&r->c, "!", 1), 0);
	for (int i = 0; i < 20; i++)
		ac_poll(w->map, 0.001);
	assert_true(asked <= 2);
	ready = 1;
	ac_flush(&r->c);
	ready = -1;
	passes(w, 2);
	get(fd, text, sizeof(text));
	assert_memory_equal(text, "now", 3);
	close(fd);
}

static void output_cap_refuses_and_queues_nothing(void **state)
{
	struct world *w = *state;
	char *text = big_text(1 << 20);
	int fd, small = 4096;
	struct rec *r = rec_pair(w, &fd);
	size_t before;

	setsockopt(r->c.d.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	assert_int_equal(ac_set_limit(&r->c.d, AC_MAX_OUTPUT, 500000), 0);
	assert_int_equal(ac_push(&r->c, text, 500000), 0);
	before = ac_pending(&r->c);
	assert_int_equal(ac_push(&r->c, text, 500001 - before), -ENOBUFS);
	assert_int_equal(ac_pending(&r->c), before);
	assert_int_equal(ac_push(&r->c, text, 500000 - before), 0);
	close(fd);
	free(text);
}

static void high_water_stops_input_and_low_water_starts_it(void **state)
{
	struct world *w = *state;
	char *text = big_text(400000), *came = malloc(400000);
	int fd, small = 4096;
	struct rec *r = rec_pair(w, &fd);

	setsockopt(r->c.d.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	ac_set_terminator(&r->c, "\n", 1);
	assert_int_equal(ac_push(&r->c, text, 400000), 0);
	put(fd, "late\n");
	passes(w, 5);
	assert_string_equal(r->trace, "");
	receive(w, fd, came, 100000, 10000);
	assert_string_equal(r->trace, "");
	receive(w, fd, came, 300000, 10000);
	UNTIL(w, strstr(r->trace, "C(late)F"));
	assert_true(strchr(r->trace, 'D') != NULL);
	assert_true(strchr(r->trace, 'D') < strchr(r->trace, 'C'));
	close(fd);
	free(text);
	free(came);
}

static int push_again(struct ac_chat *c)
{
	return ac_push(c, "tick", 4);
}

static int count_found(struct ac_chat *c)
{
	(void)c;
	asked++;
	return 0;
}

static const struct ac_chat_class streaming_class = {
	.d = { .super = AC_CHAT, .name = "streaming" },
	.found_terminator = count_found,
	.handle_drain = push_again,
};

static void drain_that_pushes_again_leaves_input_its_turn(void **state)
{
	struct world *w = *state;
	struct ac_chat *c;
	char drop[4096];
	int fds[2];

	asked = 0;
	unix_pair(fds);
	c = ac_chat_adopt(w->map, &streaming_class, fds[0], NULL);
	ac_set_terminator(c, "\n", 1);
	assert_int_equal(ac_push(c, "tick", 4), 0);
	put(fds[1], "stop\n");
	for (int i = 0; i < 10; i++) {
		passes(w, 1);
		assert_true(get(fds[1], drop, sizeof(drop)) >= 4); /* and it streams on */
	}
	assert_int_equal(asked, 1);
	ac_close(&c->d);
	close(fds[1]);
}

static ssize_t close_and_give(void *arg, void *buffer, size_t size)
{
	(void)size;
	asked++;
	ac_close(&((struct rec *)arg)->c.d);
	memcpy(buffer, "x", 1);
	return 1;
}

static void producer_that_closes_is_not_asked_again(void **state)
{
	struct world *w = *state;
	int fd, calls = 0;
	struct rec *r = rec_pair(w, &fd);
	char text[16];

	asked = 0;
	assert_int_equal(ac_push_with_producer(&r->c, ac_function_producer(close_and_give, r)), 0);
	assert_int_equal(ac_push_with_producer(&r->c, ac_function_producer(give_ab, &calls)), 0);
	passes(w, 2);
	assert_int_equal(asked, 1);
	assert_int_equal(calls, 0);
	assert_int_equal(get(fd, text, sizeof(text)), 0);
	close(fd);
}

static int stay(struct ac_dispatcher *d)
{
	(void)d;
	return 0;
}

static const struct ac_chat_class staying_class = {
	.d = { .super = &rec_class.d, .name = "staying", .handle_eof = stay },
};

static void chat_that_outlives_its_input_still_sends(void **state)
{
	struct world *w = *state;
	char text[16];
	int fds[2];
	struct rec *r;
	const char *trace;

	tcp_pair(fds);
	r = (struct rec *)ac_chat_adopt(w->map, &staying_class, fds[0], NULL);
	trace = r->trace = new_trace(w);
	put(fds[1], "ask");
	shutdown(fds[1], SHUT_WR);
	for (int i = 0; i < 5; i++)
		ac_poll(w->map, 0.01);
	assert_string_equal(trace, "C(ask)");
	assert_int_equal(ac_push(&r->c, "answer", 6), 0);
	passes(w, 2);
	get(fds[1], text, sizeof(text));
	assert_string_equal(text, "answer");
	reset(fds[1]);
	UNTIL(w, strchr(trace, 'X'));
	assert_string_equal(trace, "C(ask)DX");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(idle_chat_closes_when_done_in_one_pass),
		EACH(empty_producers_are_skipped),
		EACH(big_push_arrives_in_order_through_short_writes),
		EACH(many_small_pushes_arrive_in_order),
		EACH(push_before_and_in_connect_goes_out_once),
		EACH(producer_is_asked_until_it_is_empty),
		EACH(what_is_pushed_behind_the_close_is_dropped),
		EACH(close_when_done_sends_everything_first),
		EACH(peer_reset_during_push_closes_once),
		EACH(half_closed_peer_gets_all_output),
		EACH(failing_producer_is_raised_on_the_chat),
		EACH(producer_with_nothing_yet_is_not_spun_on),
		EACH(output_cap_refuses_and_queues_nothing),
		EACH(high_water_stops_input_and_low_water_starts_it),
		EACH(drain_that_pushes_again_leaves_input_its_turn),
		EACH(producer_that_closes_is_not_asked_again),
		EACH(chat_that_outlives_its_input_still_sends),
	};

	return RUN(tests);
}
