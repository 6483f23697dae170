/* test_sender.c — sender.c: a dispatcher that queues what it sends, in order, bounded, and never lost. */
#include "harness.h"

#include <stdlib.h>

struct out {
	struct ac_sender s;
	char *heard;
	int (*on_read)(struct out *o);
};

static int closes, reason;

static int out_read(struct ac_dispatcher *d)
{
	struct out *o = (struct out *)d;
	char text[256];
	ssize_t n = ac_recv(d, text, sizeof(text));

	if (n <= 0)
		return (int)n;
	strncat(o->heard, text, (size_t)n);
	return o->on_read ? o->on_read(o) : 0;
}

static int out_close(struct ac_dispatcher *d)
{
	closes++;
	reason = ac_close_reason(d);
	return 0;
}

static const struct ac_class out_class = {
	.super = AC_DISPATCHER_WITH_SEND,
	.name = "out",
	.size = sizeof(struct out),
	.handle_read = out_read,
	.handle_close = out_close,
};

static struct out *out_on(struct world *w, int fd)
{
	struct out *o = (struct out *)ac_adopt(w->map, &out_class, fd, NULL);

	assert_non_null(o);
	o->heard = new_trace(w);
	closes = reason = 0;
	return o;
}

static struct out *out_pair(struct world *w, int *ret_fd)
{
	int fds[2], small = 4096;

	unix_pair(fds);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	*ret_fd = fds[1];
	return out_on(w, fds[0]);
}

#define BIG 200000

static char *numbered(void)
{
	char *text = malloc(BIG + 1);

	for (int i = 0; i < BIG; i += 8)
		snprintf(text + i, 9, "%07d ", i);
	return text;
}

static void receive(struct world *w, int fd, const char *expected, size_t step)
{
	double until = ac_now(w->map) + 5;
	char *came = malloc(BIG);
	size_t n = 0;

	while (n < BIG && ac_now(w->map) < until) {
		ssize_t r = recv(fd, came + n, BIG - n < step ? BIG - n : step, MSG_DONTWAIT);

		if (r > 0)
			n += (size_t)r;
		else
			ac_poll(w->map, 0.005);
	}
	assert_int_equal(n, BIG);
	assert_memory_equal(came, expected, BIG);
	free(came);
}

static void big_sends_arrive_in_order_through_short_writes(void **state)
{
	static const size_t steps[] = { 999, 8192, 100000 };
	struct world *w = *state;
	char *text = numbered();

	for (int i = 0; i < 3; i++) {
		int fd;
		struct out *o = out_pair(w, &fd);

		for (int at = 0; at < BIG; at += 50000)
			assert_int_equal(ac_sender_send(&o->s, text + at, 50000), 50000);
		assert_true(ac_sender_pending(&o->s) > 0);
		receive(w, fd, text, steps[i]);
		assert_int_equal(ac_sender_pending(&o->s), 0);
		close(fd);
		UNTIL(w, closes == 1);
	}
	free(text);
}

static int answer_thrice(struct out *o)
{
	for (int i = 0; i < 3; i++)
		AC_TRY(o, (int)ac_sender_send(&o->s, "ab", 2));
	/* what the handler sends goes out when it has returned */
	return ac_sender_pending(&o->s) == 6 ? 0 : -EDOM;
}

static void sends_of_a_handler_go_out_together(void **state)
{
	struct world *w = *state;
	char text[16] = "";
	int fd;
	struct out *o = out_pair(w, &fd);

	o->on_read = answer_thrice;
	put(fd, "go");
	UNTIL(w, text[0] || get(fd, text, sizeof(text)));
	assert_string_equal(text, "ababab");
	assert_int_equal(closes, 0);
	close(fd);
}

static void send_before_connect_is_queued_and_goes_out_once(void **state)
{
	struct world *w = *state;
	struct out *o = (struct out *)ac_new(w->map, &out_class);
	struct ac_addr addr;
	char where[AC_ADDR_TEXT], text[64] = "";
	int listener = listen_tcp(&addr), fd;

	o->heard = new_trace(w);
	assert_int_equal(ac_sender_send(&o->s, "early ", 6), 6);
	assert_int_equal(ac_dial(&o->s.d, ac_addr_format(&addr, where, sizeof(where))), 0);
	assert_int_equal(ac_sender_send(&o->s, "later", 5), 5);
	assert_int_equal(ac_sender_pending(&o->s), 11);
	fd = accept(listener, NULL, NULL);
	UNTIL(w, text[0] || get(fd, text, sizeof(text)));
	assert_string_equal(text, "early later");
	passes(w, 3);
	assert_int_equal(get(fd, text, sizeof(text)), 0);
	close(fd);
	close(listener);
}

static void cap_is_exact_and_a_refused_send_queues_nothing(void **state)
{
	struct world *w = *state;
	struct out *o = (struct out *)ac_new(w->map, &out_class); /* not connected: all is queued */
	static const char text[1001];

	o->heard = new_trace(w);
	assert_int_equal(ac_set_limit(&o->s.d, AC_MAX_OUTPUT, 1000), 0);
	assert_int_equal(ac_sender_send(&o->s, text, 1001), -ENOBUFS);
	assert_int_equal(ac_sender_pending(&o->s), 0);
	assert_int_equal(ac_sender_send(&o->s, text, 999), 999);
	assert_int_equal(ac_sender_send(&o->s, text, 2), -ENOBUFS);
	assert_int_equal(ac_sender_pending(&o->s), 999);
	assert_int_equal(ac_sender_send(&o->s, text, 1), 1);
	assert_int_equal(ac_sender_send(&o->s, text, 1), -ENOBUFS);
	assert_int_equal(ac_sender_send(&o->s, text, 0), 0);
	assert_int_equal(ac_set_limit(&o->s.d, AC_MAX_OUTPUT, 10), 0); /* below what is queued */
	assert_int_equal(ac_sender_send(&o->s, text, 1), -ENOBUFS);
	assert_int_equal(ac_sender_send(&o->s, text, SIZE_MAX), -ENOBUFS);
	assert_int_equal(ac_set_limit(&o->s.d, AC_MAX_OUTPUT, SIZE_MAX), 0);
	assert_true(ac_sender_send(&o->s, text, SIZE_MAX) < 0);
	assert_true(ac_sender_send(&o->s, text, SIZE_MAX - 1) < 0);
	assert_int_equal(ac_sender_pending(&o->s), 1000);
	ac_close(&o->s.d);
	assert_int_equal(ac_sender_send(&o->s, text, 5), 0);
	assert_int_equal(ac_sender_pending(&o->s), 1000); /* until the pass ends; teardown counts */
}

static void failed_allocation_queues_nothing(void **state)
{
	struct world *w = *state;
	struct out *o = (struct out *)ac_new(w->map, &out_class);
	static const char text[5000];

	o->heard = new_trace(w);
	for (int nth = 1; nth <= 2; nth++) {
		fail_allocation(nth, false);
		assert_int_equal(ac_sender_send(&o->s, text, 100), -ENOMEM);
		assert_true(allocation_failed());
		assert_int_equal(ac_sender_pending(&o->s), 0);
	}
	assert_int_equal(ac_sender_send(&o->s, text, 100), 100);
	fail_allocation(1, false);
	assert_int_equal(ac_sender_send(&o->s, text, sizeof(text)), -ENOMEM);
	assert_int_equal(ac_sender_pending(&o->s), 100);
	fail_allocation(0, false);
}

static void peer_reset_closes_once_and_later_sends_do_nothing(void **state)
{
	static const char text[100000];
	struct world *w = *state;
	int fds[2];
	struct out *o;

	tcp_pair(fds);
	o = out_on(w, fds[0]);
	passes(w, 1);
	reset(fds[1]);
	assert_int_equal(ac_sender_send(&o->s, text, sizeof(text)), (ssize_t)sizeof(text));
	assert_int_equal(closes, 0); /* a send calls no handler */
	assert_true(ac_sender_send(&o->s, text, sizeof(text)) >= 0);
	passes(w, 2);
	assert_int_equal(closes, 1);
	assert_true(reason == ECONNRESET || reason == EPIPE);
}

static void end_of_input_waits_for_what_is_queued_and_takes_no_more(void **state)
{
	struct world *w = *state;
	char *text = numbered();
	int fd;
	struct out *o = out_pair(w, &fd);

	assert_int_equal(ac_sender_send(&o->s, text, BIG), BIG);
	put(fd, "bye");
	shutdown(fd, SHUT_WR);
	for (int i = 0; i < 5; i++)
		ac_poll(w->map, 0.005);
	assert_string_equal(o->heard, "bye");
	assert_int_equal(closes, 0);
	assert_int_equal(ac_sender_send(&o->s, "too late", 8), 0);
	receive(w, fd, text, 5000);
	UNTIL(w, closes == 1);
	assert_int_equal(reason, AC_PEER);
	assert_true(ended(fd));
	close(fd);
	free(text);
}

static void idle_or_blocked_sender_does_not_spin(void **state)
{
	struct world *w = *state;
	char *text = numbered();
	int fd;
	struct out *o = out_pair(w, &fd);

	assert_true(waits_in(w, 0.1) < 10);
	assert_int_equal(ac_sender_send(&o->s, text, BIG), BIG);
	assert_true(waits_in(w, 0.1) < 10);
	put(fd, "x"); /* and hears meanwhile */
	UNTIL(w, o->heard[0] == 'x');
	close(fd);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(big_sends_arrive_in_order_through_short_writes),
		EACH(sends_of_a_handler_go_out_together),
		EACH(send_before_connect_is_queued_and_goes_out_once),
		EACH(cap_is_exact_and_a_refused_send_queues_nothing),
		EACH(failed_allocation_queues_nothing),
		EACH(peer_reset_closes_once_and_later_sends_do_nothing),
		EACH(end_of_input_waits_for_what_is_queued_and_takes_no_more),
		EACH(idle_or_blocked_sender_does_not_spin),
	};

	return RUN(tests);
}
