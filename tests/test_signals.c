/* test_signals.c — net/signals.c: signals that are read, and a mask that is left as it was found. */
#include "harness.h"

#include <asyncore/signals.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

struct hearer {
	struct ac_signals s;
	int count, numbers[64], values[64];
	pid_t from;
	int result;
	void (*act)(struct hearer *h);
};

static int heard(struct ac_signals *s, const struct ac_signal *signal)
{
	struct hearer *h = (struct hearer *)s;

	if (h->count < 64) {
		h->numbers[h->count] = signal->number;
		h->values[h->count] = signal->value;
	}
	h->count++;
	h->from = signal->pid;
	if (h->act)
		h->act(h);
	return h->result;
}

static const struct ac_signals_class hearer_class = {
	.d = { .super = AC_SIGNALS, .name = "hearer", .size = sizeof(struct hearer) },
	.handle_signal = heard,
};

static struct hearer *hear(struct world *w, int one, int other)
{
	int numbers[] = { one, other };
	struct hearer *h =
		(struct hearer *)ac_signals_new(w->map, &hearer_class, numbers, other ? 2 : 1);

	assert_non_null(h);
	return h;
}

static bool is_blocked(int number)
{
	sigset_t set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	return sigismember(&set, number);
}

static void signal_is_told_with_its_sender(void **state)
{
	struct world *w = *state;
	struct hearer *h = hear(w, SIGUSR1, SIGUSR2);

	kill(getpid(), SIGUSR2);
	UNTIL(w, h->count == 1);
	assert_int_equal(h->numbers[0], SIGUSR2);
	assert_int_equal(h->from, getpid());
	kill(getpid(), SIGUSR1);
	UNTIL(w, h->count == 2);
	assert_int_equal(h->numbers[1], SIGUSR1);
	assert_true(waits_in(w, 0.1) < 10);
	assert_int_equal(h->count, 2);
}

static void coalesced_signals_are_one_and_queued_ones_are_all(void **state)
{
	struct world *w = *state;
	struct hearer *h = hear(w, SIGUSR1, SIGRTMIN + 1);

	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR1);
	for (int i = 0; i < 50; i++)
		assert_int_equal(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = i }),
		                 0);
	UNTIL(w, h->count == 51);
	passes(w, 3);
	assert_int_equal(h->count, 51);
	assert_int_equal(h->numbers[0], SIGUSR1);
	for (int i = 0; i < 50; i++)
		assert_int_equal(h->values[i + 1], i);
}

static void mask_is_left_as_it_was_found(void **state)
{
	struct world *w = *state;
	struct hearer *one, *two;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL); /* by the program: stays so */
	one = hear(w, SIGUSR1, SIGUSR2);
	two = hear(w, SIGUSR1, SIGUSR1);
	assert_true(is_blocked(SIGUSR1));
	ac_close(&one->s.d);
	assert_true(is_blocked(SIGUSR1)); /* the other one needs it */
	kill(getpid(), SIGUSR1);
	UNTIL(w, two->count == 1);
	ac_close(&two->s.d);
	assert_false(is_blocked(SIGUSR1));
	assert_true(is_blocked(SIGUSR2));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int closes;

static int own_close(struct ac_dispatcher *d)
{
	(void)d;
	closes++;
	return 0;
}

static const struct ac_signals_class rude_class = {
	.d = { .super = AC_SIGNALS, .name = "rude", .handle_close = own_close },
};

static void class_with_a_close_of_its_own_unblocks_too(void **state)
{
	struct world *w = *state;
	const int number = SIGUSR1;
	struct ac_signals *s = ac_signals_new(w->map, &rude_class, &number, 1);

	closes = 0;
	kill(getpid(), SIGUSR1);
	UNTIL(w, strstr(w->log, "unhandled signal"));
	ac_close(&s->d);
	passes(w, 1);
	assert_int_equal(closes, 1);
	assert_false(is_blocked(SIGUSR1));
}

static void what_is_no_signal_is_refused_and_blocks_nothing(void **state)
{
	static const int bad[] = { 0, -1, 65, SIGKILL, SIGSTOP, 32 };
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int numbers[] = { SIGUSR1, bad[i] };

		assert_null(ac_signals_new(w->map, &hearer_class, numbers, 2));
		assert_int_equal(errno, EINVAL);
		assert_int_equal(ac_last_error(w->map)->code, EINVAL);
		assert_false(is_blocked(SIGUSR1));
	}
	assert_null(ac_signals_new(w->map, &hearer_class, NULL, 0));
	assert_int_equal(errno, EINVAL);
}

static void failed_allocation_blocks_nothing(void **state)
{
	struct world *w = *state;
	const int number = SIGUSR1;
	struct ac_signals *s = NULL;

	for (long n = 1; !s && n < 20; n++) {
		fail_allocation(n, false);
		s = ac_signals_new(w->map, &hearer_class, &number, 1);
		if (s)
			break;
		assert_int_equal(errno, ENOMEM);
		assert_false(is_blocked(SIGUSR1));
	}
	fail_allocation(0, false);
	assert_non_null(s);
}

static void close_it(struct hearer *h)
{
	ac_close(&h->s.d);
}

static void closed_in_its_handler_leaves_the_others_pending(void **state)
{
	struct world *w = *state;
	struct hearer *other = hear(w, SIGUSR1, SIGUSR2), *h;

	ac_pause(&other->s.d);
	h = hear(w, SIGUSR1, SIGUSR2);
	h->act = close_it;
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR2);
	UNTIL(w, ac_map_channels(w->map) == 1);
	passes(w, 3);
	assert_int_equal(other->count, 0);
	ac_resume(&other->s.d);
	UNTIL(w, other->count == 1);
	assert_int_equal(other->numbers[0], SIGUSR2);
}

static void pass_within(struct hearer *h)
{
	int before = h->count;

	if (h->count == 1)
		kill(getpid(), SIGUSR2);
	ac_poll(h->s.d.map, 0);
	assert_int_equal(h->count, before);
}

static void nested_pass_hears_no_second_signal_meanwhile(void **state)
{
	struct world *w = *state;
	struct hearer *h = hear(w, SIGUSR1, SIGUSR2);

	h->act = pass_within;
	kill(getpid(), SIGUSR1);
	UNTIL(w, h->count == 2);
	assert_int_equal(h->numbers[1], SIGUSR2);
}

static void paused_it_neither_hears_nor_spins(void **state)
{
	struct world *w = *state;
	struct hearer *h = hear(w, SIGUSR1, 0);

	ac_pause(&h->s.d);
	kill(getpid(), SIGUSR1);
	assert_true(waits_in(w, 0.1) < 10);
	assert_int_equal(h->count, 0);
	ac_resume(&h->s.d);
	UNTIL(w, h->count == 1);
}

static void exit_from_its_handler_leaves_the_loop(void **state)
{
	struct world *w = *state;
	struct hearer *h = hear(w, SIGTERM, 0);

	h->result = AC_EXIT;
	kill(getpid(), SIGTERM);
	assert_int_equal(ac_loop(w->map, NULL), 1);
	assert_int_equal(h->count, 1);
}

/* The descriptor it inherits reads what is sent to the child. */
static void forked_child_hears_its_own_signals(void **state)
{
	struct world *w = *state;
	struct hearer *h = hear(w, SIGUSR1, 0);
	int status;
	pid_t pid;

	passes(w, 2);
	pid = fork();
	if (pid == 0) {
		kill(getpid(), SIGUSR1);
		for (int i = 0; i < 200 && h->count == 0; i++)
			ac_poll(w->map, 0.01);
		_exit(h->count == 1 && h->from == getpid() ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	passes(w, 3);
	assert_int_equal(h->count, 0);
	kill(getpid(), SIGUSR1);
	UNTIL(w, h->count == 1);
}

static void *send_one(void *arg)
{
	(void)arg;
	kill(getpid(), SIGUSR1);
	return (void *)(uintptr_t)is_blocked(SIGUSR1);
}

static void thread_started_later_has_it_blocked_too(void **state)
{
	struct world *w = *state;
	struct hearer *h = hear(w, SIGUSR1, 0);
	pthread_t thread;
	void *blocked;

	assert_int_equal(pthread_create(&thread, NULL, send_one, NULL), 0);
	pthread_join(thread, &blocked);
	assert_non_null(blocked);
	UNTIL(w, h->count == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(signal_is_told_with_its_sender),
		EACH(coalesced_signals_are_one_and_queued_ones_are_all),
		EACH(mask_is_left_as_it_was_found),
		EACH(class_with_a_close_of_its_own_unblocks_too),
		EACH(what_is_no_signal_is_refused_and_blocks_nothing),
		EACH(failed_allocation_blocks_nothing),
		EACH(closed_in_its_handler_leaves_the_others_pending),
		EACH(nested_pass_hears_no_second_signal_meanwhile),
		EACH(paused_it_neither_hears_nor_spins),
		EACH(exit_from_its_handler_leaves_the_loop),
		EACH(forked_child_hears_its_own_signals),
		EACH(thread_started_later_has_it_blocked_too),
	};

	return RUN(tests);
}
