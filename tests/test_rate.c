/*
 * test_rate.c — so many bytes a second: never more than a rate and its burst allow, not much less, shared evenly,
 * without a spin, and without losing a byte.
 *
 * Design: what may not be exceeded is exact; what has to be reached is a quarter, for machines are busy.
 */
#include "harness.h"

#include <asyncore/overload.h>
#include <fcntl.h>

#define RATE 200000
#define BURST (RATE / 4)
#define SECONDS 0.4

static size_t received;

/* ---- those who read ---- */
static int count_bytes(struct ac_chat *c, const void *data, size_t len)
{
	(void)c;
	(void)data;
	received += len;
	return 0;
}

static const struct ac_chat_class reader_class = {
	.d = { .super = AC_CHAT, .name = "reader" },
	.collect_incoming_data = count_bytes,
};

static int recv_raw(struct ac_dispatcher *d)
{
	char buffer[4096];
	ssize_t n = ac_recv(d, buffer, sizeof(buffer));

	if (n > 0)
		received += (size_t)n;
	return n < 0 ? (int)n : 0;
}

static const struct ac_class raw_reader_class = {
	.super = AC_DISPATCHER,
	.name = "raw-reader",
	.handle_read = recv_raw,
};

/* ---- those who write ---- */
static char blob[1 << 20];

static int send_raw(struct ac_dispatcher *d)
{
	ssize_t n = ac_send(d, blob, sizeof(blob));

	return n < 0 ? (int)n : 0;
}

static const struct ac_class raw_writer_class = {
	.super = AC_DISPATCHER,
	.name = "raw-writer",
	.handle_write = send_raw,
};

static void make_pair(int fds[2])
{
	int small = 65536;

	tcp_pair(fds);
	for (int i = 0; i < 2; i++) {
		setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
		setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	}
}

static void stuff(int fd)
{
	while (send(fd, blob, 65536, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
}

static size_t drain(int fd)
{
	static char buffer[65536];
	size_t sum = 0;
	ssize_t n;

	while ((n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0)
		sum += (size_t)n;
	return sum;
}

/* Passes for so long, while the peer gives or takes all it can; how many bytes went to it. */
static size_t run(struct world *w, int peer, bool gives, double seconds, int *ret_passes)
{
	double end = ac_now(w->map) + seconds;
	size_t sum = 0;
	int n = 0;

	for (; ac_now(w->map) < end; n++) {
		if (gives)
			stuff(peer);
		ac_poll(w->map, 0.02);
		if (!gives)
			sum += drain(peer);
	}
	*ret_passes = n;
	return sum;
}

/* What was granted between two looks at the clock. */
static void assert_rate(double bytes, double seconds, double rate, double burst)
{
	assert_true(bytes <= rate * seconds + burst + 1);
	assert_true(bytes >= rate * seconds / 4);
}

static void input_is_bounded(struct world *w, const struct ac_class *cls)
{
	struct ac_dispatcher *d;
	double begin;
	int fds[2], n;

	make_pair(fds);
	d = ac_adopt(w->map, cls, fds[0], NULL);
	received = 0;
	begin = ac_now(w->map);
	assert_int_equal(ac_set_rate(d, RATE, 0), 0);
	run(w, fds[1], true, SECONDS, &n);
	assert_rate((double)received, ac_now(w->map) - begin, RATE, BURST);
	assert_true(n < 400); /* a turn of 20 ms takes a few passes, a spin tens of thousands */
	assert_true(ac_map_counter(w->map, AC_COUNT_RATE_WAITS) > 0);
	assert_int_equal(ac_set_rate(d, 0, 0), 0);
	received = 0;
	run(w, fds[1], true, 0.1, &n);
	assert_true((double)received > 10 * RATE * 0.1);
	close(fds[1]);
}

static void chat_reads_no_faster_than_its_rate(void **state)
{
	input_is_bounded(*state, &reader_class.d);
}

static void dispatcher_reads_no_faster_than_its_rate(void **state)
{
	input_is_bounded(*state, &raw_reader_class);
}

static void dispatcher_writes_no_faster_than_its_rate(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d;
	double begin;
	size_t sum;
	int fds[2], n;

	make_pair(fds);
	d = ac_adopt(w->map, &raw_writer_class, fds[0], NULL);
	begin = ac_now(w->map);
	assert_int_equal(ac_set_rate(d, 0, RATE), 0);
	sum = run(w, fds[1], false, SECONDS, &n);
	assert_rate((double)sum, ac_now(w->map) - begin, RATE, BURST);
	assert_true(n < 4000);
	close(fds[1]);
}

static void sender_writes_no_faster_than_its_rate(void **state)
{
	struct world *w = *state;
	struct ac_sender *s;
	double begin;
	size_t sum;
	int fds[2], n;

	make_pair(fds);
	s = (struct ac_sender *)ac_adopt(w->map, AC_DISPATCHER_WITH_SEND, fds[0], NULL);
	begin = ac_now(w->map);
	assert_int_equal(ac_set_rate(&s->d, 0, RATE), 0);
	assert_int_equal(ac_sender_send(s, blob, sizeof(blob)), sizeof(blob));
	sum = run(w, fds[1], false, SECONDS, &n);
	assert_rate((double)sum, ac_now(w->map) - begin, RATE, BURST);
	assert_in_range(ac_sender_pending(s), 1, sizeof(blob) - sum); /* some is on its way */
	assert_true(n < 4000);
	close(fds[1]);
}

static int a_file(size_t size)
{
	char name[] = "/tmp/asyncore-test-XXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static void chat_writes_no_faster_than_its_rate(void **state)
{
	struct world *w = *state;

	for (int kind = 0; kind < 3; kind++) { /* a copy, a file, small pieces of a producer */
		struct ac_producer *p = ac_simple_producer(blob, sizeof(blob), 700);
		struct ac_chat *c;
		double begin;
		size_t sum;
		int fds[2], n;

		make_pair(fds);
		c = ac_chat_adopt(w->map, &ac_chat_class, fds[0], NULL);
		begin = ac_now(w->map);
		assert_int_equal(ac_set_rate(&c->d, 0, RATE), 0);
		if (kind == 0)
			assert_int_equal(ac_push(c, blob, sizeof(blob)), 0);
		else if (kind == 1)
			assert_int_equal(ac_push_file(c, a_file(sizeof(blob)), 0, sizeof(blob)), 0);
		else
			assert_int_equal(ac_push_with_producer(c, p), 0);
		if (kind != 2)
			ac_producer_free(p);
		sum = run(w, fds[1], false, SECONDS, &n);
		assert_rate((double)sum, ac_now(w->map) - begin, RATE, BURST);
		assert_true(n < 4000);
		assert_int_equal(ac_set_rate(&c->d, 0, 0), 0);
		assert_int_equal(ac_close_when_done(c), 0);
		for (int i = 0; i < 400 && ac_map_channels(w->map); i++)
			sum += run(w, fds[1], false, 0.01, &n);
		sum += drain(fds[1]);
		assert_int_equal(sum, sizeof(blob)); /* nothing was lost on the way */
		close(fds[1]);
	}
}

/* ---- shared ---- */
#define SHARERS 5

static void sharers_write_as_much_as_the_rate_in_even_parts(void **state)
{
	struct world *w = *state;
	struct ac_rate *rate = ac_rate_new(w->map, RATE, RATE / 10);
	int fds[SHARERS][2];
	size_t sums[SHARERS] = { 0 }, all = 0;
	double begin = ac_now(w->map);

	for (int i = 0; i < SHARERS; i++) {
		struct ac_chat *c;

		make_pair(fds[i]);
		c = ac_chat_adopt(w->map, &ac_chat_class, fds[i][0], NULL);
		assert_int_equal(ac_join_rate(&c->d, NULL, rate), 0);
		assert_int_equal(ac_push(c, blob, sizeof(blob)), 0);
	}
	ac_rate_free(rate); /* it lives as long as they do */
	while (ac_now(w->map) < begin + 2 * SECONDS) {
		ac_poll(w->map, 0.02);
		for (int i = 0; i < SHARERS; i++)
			sums[i] += drain(fds[i][1]);
	}
	for (int i = 0; i < SHARERS; i++)
		all += sums[i];
	assert_rate((double)all, ac_now(w->map) - begin, RATE, RATE / 10);
	for (int i = 0; i < SHARERS; i++)
		assert_true(sums[i] > all / SHARERS / 3 && sums[i] < all / SHARERS * 3);
	for (int i = 0; i < SHARERS; i++)
		close(fds[i][1]);
}

static void own_rate_holds_within_a_shared_one(void **state)
{
	struct world *w = *state;
	struct ac_rate *rate = ac_rate_new(w->map, RATE, RATE / 10);
	struct ac_chat *c[2];
	int fds[2][2];
	size_t sums[2] = { 0, 0 };
	double begin, seconds;

	begin = ac_now(w->map);
	for (int i = 0; i < 2; i++) {
		make_pair(fds[i]);
		c[i] = ac_chat_adopt(w->map, &ac_chat_class, fds[i][0], NULL);
		assert_int_equal(ac_join_rate(&c[i]->d, rate, rate), 0);
		if (i == 0)
			assert_int_equal(ac_set_rate(&c[i]->d, 0, RATE / 8), 0);
		assert_int_equal(ac_push(c[i], blob, sizeof(blob)), 0);
	}
	while (ac_now(w->map) < begin + 2 * SECONDS) {
		ac_poll(w->map, 0.02);
		for (int i = 0; i < 2; i++)
			sums[i] += drain(fds[i][1]);
	}
	seconds = ac_now(w->map) - begin;
	assert_rate((double)sums[0], seconds, RATE / 8, RATE / 32);
	assert_rate((double)(sums[0] + sums[1]), seconds, RATE, RATE / 10);
	for (int i = 0; i < 2; i++)
		close(fds[i][1]);
	ac_close_all(w->map, false);
	ac_rate_free(rate);
}

static void sharer_with_nothing_to_do_holds_nobody_up(void **state)
{
	struct world *w = *state;
	struct ac_rate *rate = ac_rate_new(w->map, RATE, RATE / 10);
	struct ac_chat *idle, *busy;
	int a[2], b[2], n;
	size_t sum;
	double begin;

	make_pair(a);
	make_pair(b);
	idle = ac_chat_adopt(w->map, &ac_chat_class, a[0], NULL);
	busy = ac_chat_adopt(w->map, &ac_chat_class, b[0], NULL);
	assert_int_equal(ac_join_rate(&idle->d, rate, rate), 0);
	assert_int_equal(ac_join_rate(&busy->d, rate, rate), 0);
	begin = ac_now(w->map);
	assert_int_equal(ac_push(busy, blob, sizeof(blob)), 0);
	sum = run(w, b[1], false, SECONDS, &n);
	assert_rate((double)sum, ac_now(w->map) - begin, RATE, RATE / 10);
	ac_rate_free(rate);
	close(a[1]);
	close(b[1]);
}

/* ---- ends ---- */
static void channels_end_while_they_wait_for_tokens(void **state)
{
	struct world *w = *state;

	for (int how = 0; how < 4; how++) {
		struct ac_rate *rate = ac_rate_new(w->map, 1000, 100);
		struct ac_chat *c[3];
		int fds[3][2];

		for (int i = 0; i < 3; i++) {
			make_pair(fds[i]);
			c[i] = ac_chat_adopt(w->map, &ac_chat_class, fds[i][0], NULL);
			assert_int_equal(ac_join_rate(&c[i]->d, NULL, rate), 0);
			assert_int_equal(ac_push(c[i], blob, 5000), 0);
		}
		passes(w, 3);
		if (how == 0)
			ac_rate_free(rate);
		for (int i = 0; i < 3; i++) {
			if (how == 1)
				ac_join_rate(&c[i]->d, NULL, NULL);
			else if (how == 2)
				reset(fds[i][1]);
			else
				ac_close(&c[i]->d);
		}
		if (how == 1) {
			UNTIL(w, ac_pending(c[0]) + ac_pending(c[1]) + ac_pending(c[2]) == 0);
			ac_close_all(w->map, false);
		}
		UNTIL(w, ac_map_channels(w->map) == 0);
		if (how != 0)
			ac_rate_free(rate);
		for (int i = 0; i < 3 && how != 2; i++)
			close(fds[i][1]);
	}
}

static void rate_goes_with_its_channel_to_another_map(void **state)
{
	struct world *w = *state;
	struct ac_map *other = ac_map_new(&(struct ac_map_opts){ .poller = w->poller });
	struct ac_rate *rate = ac_rate_new(w->map, 1000, 100);
	struct ac_chat *c;
	size_t sum = 0;
	int fds[2];
	double begin;

	make_pair(fds);
	c = ac_chat_adopt(w->map, &ac_chat_class, fds[0], NULL);
	assert_int_equal(ac_set_rate(&c->d, 0, RATE), 0);
	assert_int_equal(ac_join_rate(&c->d, NULL, rate), 0);
	assert_int_equal(ac_push(c, blob, sizeof(blob)), 0);
	passes(w, 3);
	begin = ac_now(other);
	assert_int_equal(ac_add_channel(&c->d, other), 0); /* it shares that rate no more */
	assert_int_equal(ac_join_rate(&c->d, NULL, rate), -EINVAL);
	while (ac_now(other) < begin + SECONDS) {
		ac_poll(other, 0.02);
		sum += drain(fds[1]);
	}
	assert_rate((double)sum, ac_now(other) - begin, RATE, BURST + 100);
	ac_map_free(other);
	ac_rate_free(rate);
	close(fds[1]);
}

/* On io_uring the poller reads for a chat, until there is a rate. */
static void rate_set_in_mid_stream_loses_nothing(void **state)
{
	struct world *w = *state;
	struct ac_chat *c;
	size_t sent = 0;
	int fds[2];

	make_pair(fds);
	c = ac_chat_adopt(w->map, &reader_class, fds[0], NULL);
	received = 0;
	for (int i = 0; i < 60; i++) {
		ssize_t n = send(fds[1], blob, 3000, MSG_DONTWAIT);

		sent += n > 0 ? (size_t)n : 0;
		passes(w, 1);
		if (i % 10 == 9)
			assert_int_equal(ac_set_rate(&c->d, i % 20 == 9 ? RATE * 10 : 0, 0), 0);
	}
	UNTIL(w, received == sent);
	shutdown(fds[1], SHUT_WR);
	UNTIL(w, ac_map_channels(w->map) == 0);
	close(fds[1]);
}

static void datagrams_stay_whole(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d;
	char buffer[2000];
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
	d = ac_adopt(w->map, &raw_reader_class, fds[0], NULL);
	received = 0;
	assert_int_equal(ac_set_rate(d, 1000, 1000), 0);
	assert_int_equal(send(fds[1], blob, 1500, 0), 1500);
	assert_int_equal(send(fds[1], blob, 1500, 0), 1500);
	passes(w, 4);
	assert_int_equal(received, 1500); /* the other waits until the debt is paid */
	assert_int_equal(ac_send(d, blob, 1500), 1500);
	assert_int_equal(ac_send(d, blob, 1500), 0);
	assert_int_equal(recv(fds[1], buffer, sizeof(buffer), 0), 1500);
	assert_int_equal(recv(fds[1], buffer, sizeof(buffer), 0), -1);
	UNTIL(w, received == 3000);
	close(fds[1]);
}

static void rates_that_are_none_are_refused(void **state)
{
	struct world *w = *state;
	struct ac_chat *c = ac_chat_new(w->map, &ac_chat_class);

	errno = 0;
	assert_null(ac_rate_new(w->map, 0, 0));
	assert_int_equal(errno, EINVAL);
	ac_rate_free(NULL);
	for (int i = 1; i <= 4; i++) {
		fail_allocation(i, false);
		assert_int_equal(ac_set_rate(&c->d, 1, 1), -ENOMEM);
		fail_allocation(0, false);
	}
	assert_int_equal(ac_set_rate(&c->d, 1, 1), 0);
	assert_int_equal(ac_set_rate(&c->d, UINT64_MAX, UINT64_MAX), 0);
	ac_close(&c->d);
	assert_int_equal(ac_set_rate(&c->d, 1, 1), 0);
	assert_int_equal(ac_join_rate(&c->d, NULL, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(chat_reads_no_faster_than_its_rate),
		EACH(dispatcher_reads_no_faster_than_its_rate),
		EACH(dispatcher_writes_no_faster_than_its_rate),
		EACH(sender_writes_no_faster_than_its_rate),
		EACH(chat_writes_no_faster_than_its_rate),
		EACH(sharers_write_as_much_as_the_rate_in_even_parts),
		EACH(own_rate_holds_within_a_shared_one),
		EACH(sharer_with_nothing_to_do_holds_nobody_up),
		EACH(channels_end_while_they_wait_for_tokens),
		EACH(rate_goes_with_its_channel_to_another_map),
		EACH(rate_set_in_mid_stream_loses_nothing),
		EACH(datagrams_stay_whole),
		EACH(rates_that_are_none_are_refused),
	};

	return RUN(tests);
}
