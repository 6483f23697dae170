/* test_uring.c — uring.c: what is asked of every poller, changes told once, input lent and output carried. */
#include "edge_cases.h"
#include "feeds.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

/* What is always ready cannot be watched: the caller serves it without being told. */
static void always_ready_ones_are_refused(void **state)
{
	static const char *const names[] = { "/proc/self/exe", "/", "/dev/null" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int fd = open(names[i], O_RDONLY);

		assert_int_equal(watch(fd, i, 0, AC_IN), -EPERM);
		assert_int_equal(look(), 0);
		close(fd);
	}
}

static void failures_are_told(void **state)
{
	int fds[2];

	(void)state;
	if (!has_ring(made))
		skip();
	assert_int_equal(watch(-1, 1, 0, AC_IN), -EBADF);
	unix_pair(fds);
	close(fds[1]);
	assert_int_equal(watch(fds[1], 1, 0, AC_IN), -EBADF);
	assert_int_equal(watch(fds[1], 2, 0, AC_FEED), 0); /* that is found out with the wait */
	assert_int_equal(look(), 1);
	assert_true(events_of(2) == (AC_DATA | AC_LAPSED));
	assert_int_equal(made->found[0].len, -EBADF);
	close(made->cls->fd(made)); /* the poller's own is gone */
	assert_int_equal(look(), -EBADF);
	close(fds[0]);
}

/* A child that was forked holds the same open file; it must not speak for the parent's channel. */
static void forgotten_one_that_another_process_holds_is_silent(void **state)
{
	static const unsigned sets[] = { AC_IN, AC_FEED };
	int fds[2], hold[2];
	char byte;
	pid_t child;

	(void)state;
	if (!has_ring(made))
		skip();
	for (size_t i = 0; i < 2; i++) {
		unix_pair(fds);
		assert_int_equal(pipe(hold), 0);
		assert_int_equal(watch(fds[0], 1, 0, sets[i]), 0);
		look();
		child = fork();
		if (child == 0) {
			close(hold[1]);
			_exit(read(hold[0], &byte, 1) != 0);
		}
		assert_true(child > 0);
		assert_int_equal(watch(fds[0], 1, sets[i], 0), 0);
		close(fds[0]);
		put(fds[1], "x");
		assert_int_equal(look(), 0);
		close(hold[0]);
		close(hold[1]);
		assert_int_equal(waitpid(child, NULL, 0), child);
		close(fds[1]);
	}
}

/* ---- more than fits ---- */
enum { MANY = 3000 }; /* answers; the ring holds 2048, a batch 512 */

static int many[MANY];
static bool armed[MANY], came[MANY];

static void arm_many(int count)
{
	for (int i = 0; i < count; i++) {
		if (!armed[i])
			assert_int_equal(watch(many[i], (uint64_t)i, 0, AC_IN), 0);
		armed[i] = true;
	}
}

static void open_many(int count)
{
	let_high_descriptors();
	memset(armed, 0, sizeof(armed));
	for (int i = 0; i < count; i++) {
		many[i] = eventfd(1, EFD_NONBLOCK);
		assert_true(many[i] >= 0);
	}
	arm_many(count);
}

/* Everyone comes at least once; returns the batches. Output that is sent is counted apart. */
static int expect_many(int count, int *ret_sent)
{
	int left = count, batches = 0;

	memset(came, 0, sizeof(came));
	for (int n; (n = look()) > 0; batches++) {
		for (int i = 0; i < n; i++) {
			const struct ac_found *f = &made->found[i];

			if (f->events & AC_SENT) {
				++*ret_sent;
				assert_int_equal(f->len, -EPIPE);
				continue;
			}
			assert_in_range(f->token, 0, count - 1);
			assert_true(f->events & AC_IN);
			left -= !came[f->token];
			came[f->token] = true;
			armed[f->token] &= !(f->events & AC_LAPSED);
		}
		arm_many(count);
		assert_true(batches < 2000);
	}
	assert_int_equal(left, 0);
	return batches;
}

static void more_answers_than_the_ring_holds_are_told_by_and_by(void **state)
{
	int fds[2], sent = 0;

	(void)state;
	open_many(MANY);
	unix_pair(fds);
	close(fds[1]);
	if (has_ring(made)) /* its answer is somewhere behind them */
		assert_true(made->cls->send(made, fds[0], 9999, (struct ac_slice){ "x", 1 }));
	assert_true(expect_many(MANY, &sent) > 1);
	assert_int_equal(sent, has_ring(made));
	for (int round = 0; round < 3; round++) { /* and they are all watched on */
		for (int i = 0; i < MANY; i++)
			assert_int_equal(eventfd_write(many[i], 1), 0);
		expect_many(MANY, &sent);
	}
	assert_int_equal(look(), 0);
	for (int i = 0; i < MANY; i++)
		close(many[i]);
	close(fds[0]);
}

/* Nothing more may come for hours: what is known is told. */
static void sent_is_told_at_once_behind_a_full_batch(void **state)
{
	enum { BATCH = 512 };
	int fds[2];
	int64_t begin;

	(void)state;
	if (!has_ring(made))
		skip();
	open_many(BATCH);
	unix_pair(fds);
	assert_true(made->cls->send(made, fds[0], 9999, (struct ac_slice){ "x", 1 }));
	for (int i = 0; i < 100; i++) /* the kernel answers a few with each call */
		made->cls->flush(made);
	assert_in_range(look(), BATCH, BATCH + 1);
	begin = ac_clock_();
	if (!events_of(9999))
		assert_int_equal(wait_for(500 * MS), 1);
	assert_true(events_of(9999) & AC_SENT);
	assert_true(ac_clock_() - begin < 250 * MS);
	for (int i = 0; i < BATCH; i++)
		close(many[i]);
	close_both(fds);
}

static void every_buffer_in_use_delays_and_loses_nothing(void **state)
{
	struct streams s;

	(void)state;
	if (!has_ring(made))
		skip();
	streams_open(&s, made);
	streams_arm(&s);
	streams_write(&s);
	for (int i = 0; i < 20; i++) {
		streams_read(&s, true);
		streams_write(&s);
	}
	assert_int_equal(s.lent_count, AC_RING_BUFFERS);
	assert_true(s.short_of > 0);
	for (int i = 0; i < 3; i++) { /* one buffer goes round among all */
		made->cls->give_back(made, &s.lent[--s.lent_count]);
		streams_arm(&s);
		while (streams_read(&s, true) > 0)
			;
		assert_int_equal(s.lent_count, AC_RING_BUFFERS);
	}
	streams_give_back(&s);
	for (int i = 0; i < 1000; i++) {
		streams_arm(&s);
		streams_write(&s);
		streams_read(&s, false);
	}
	for (int i = 0; i < STREAMS; i++)
		assert_int_equal(s.at[i].read, STREAM_SIZE);
	streams_close(&s);
	assert_int_equal(usable_buffers(made), AC_RING_BUFFERS);
}

/* ---- forgetting ---- */
/* A request holds the open file: until it is cancelled a close would not reach the peer. */
static void close_of_a_forgotten_one_reaches_the_peer_at_once(void **state)
{
	static const unsigned sets[] = { AC_FEED, AC_IN, AC_FEED | AC_WATCH, AC_WATCH };
	int fds[2];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		unsigned events = has_ring(made) ? sets[i % 4] : AC_IN;

		if (i & 8)
			tcp_pair(fds);
		else
			unix_pair(fds);
		assert_int_equal(watch(fds[0], 1, 0, events), 0);
		if (i & 4) /* the kernel has it already, or not */
			look();
		assert_int_equal(watch(fds[0], 1, events, 0), 0);
		close(fds[0]);
		assert_true(ended(fds[1]));
		close(fds[1]);
		assert_int_equal(look(), 0);
	}
}

/* Input arrives before, while and after it is asked for; then its channel is closed. */
static void begin_race(const int fds[2], uint64_t token, int how)
{
	if (how == 3)
		put(fds[1], "xx");
	assert_int_equal(watch(fds[0], token, 0, AC_FEED), 0);
	if (how == 1)
		made->cls->flush(made);
	put(fds[1], "xx");
	if (how >= 2)
		made->cls->flush(made);
	if (how == 3)
		put(fds[1], "xx");
	assert_int_equal(watch(fds[0], token, AC_FEED, 0), 0);
}

static void end_race(uint64_t token, bool drain)
{
	struct ac_found f;

	while (drain && made->cls->left_over(made, token, &f)) {
		assert_true((f.events & AC_DATA) && f.token == token);
		if (f.len > 0)
			assert_memory_equal(f.data, "xx", 2);
		made->cls->give_back(made, &f);
	}
	for (int n = look(); n-- > 0;) {
		assert_false(drain); /* it was told already */
		assert_true(made->found[n].token == token);
		made->cls->give_back(made, &made->found[n]);
	}
}

static void buffers_of_those_closed_meanwhile_come_back(void **state)
{
	int fds[2];

	(void)state;
	if (!has_ring(made))
		skip();
	for (int i = 0; i < 10000; i++) {
		uint64_t token = (uint64_t)i + 100;

		unix_pair(fds);
		begin_race(fds, token, i % 4);
		close(fds[0]);
		assert_true(ended(fds[1]));
		end_race(token, i & 4);
		close(fds[1]);
	}
	assert_int_equal(usable_buffers(made), AC_RING_BUFFERS);
}

/* ---- threads ---- */
static void *wait_elsewhere(void *arg)
{
	*(int *)arg = made->cls->wait(made, 0);
	return NULL;
}

static void another_thread_is_told_to_make_its_own(void **state)
{
	pthread_t thread;
	int r = 1;

	(void)state;
	if (!has_ring(made))
		skip();
	look(); /* now it is ours */
	assert_int_equal(pthread_create(&thread, NULL, wait_elsewhere, &r), 0);
	pthread_join(thread, NULL);
	assert_int_equal(r, -EEXIST);
	assert_int_equal(look(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_POLLER(always_ready_ones_are_refused, io_uring),
		ON_POLLER(failures_are_told, io_uring),
		ON_POLLER(more_answers_than_the_ring_holds_are_told_by_and_by, io_uring),
		ON_POLLER(every_buffer_in_use_delays_and_loses_nothing, io_uring),
		ON_POLLER(another_thread_is_told_to_make_its_own, io_uring),
		POLLER_CASES(io_uring),
		EDGE_CASES(io_uring),
		ON_POLLER(forgotten_one_that_another_process_holds_is_silent, io_uring),
		ON_POLLER(sent_is_told_at_once_behind_a_full_batch, io_uring),
		ON_POLLER(close_of_a_forgotten_one_reaches_the_peer_at_once, io_uring),
		ON_POLLER(buffers_of_those_closed_meanwhile_come_back, io_uring),
	};

	return RUN(tests);
}
