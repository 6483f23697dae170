/* test_task.c — task.c: in order, never early, and whatever a task does to itself. */
#include "harness.h"

#include <math.h>

static char order[64];

static int note(void *arg)
{
	strcat(order, arg);
	return 0;
}

static void run_for(struct world *w, double seconds)
{
	double end = ac_now(w->map) + seconds;

	while (ac_now(w->map) < end)
		ac_poll(w->map, 0.005);
}

static void equal_deadlines_run_in_the_order_they_were_set(void **state)
{
	struct world *w = *state;
	double when = ac_now(w->map) + 0.02;

	order[0] = '\0';
	ac_call_at(w->map, when, note, "a");
	ac_call_at(w->map, when - 0.0003, note, "0");
	ac_call_at(w->map, when, note, "b");
	ac_call_at(w->map, when + 0.03, note, "d");
	ac_call_at(w->map, when, note, "c");
	run_for(w, 0.08);
	assert_string_equal(order, "0abcd");
	assert_int_equal(ac_map_tasks(w->map), 0);
}

static void resetting_the_earliest_does_not_delay_the_next(void **state)
{
	struct world *w = *state;
	struct ac_task *first = ac_call_later(w->map, 0.01, note, "1");

	order[0] = '\0';
	ac_call_later(w->map, 0.02, note, "2");
	assert_int_equal(ac_task_reset(first, 0.06), 0);
	run_for(w, 0.04);
	assert_string_equal(order, "2");
	run_for(w, 0.06);
	assert_string_equal(order, "21");
}

static struct ac_task *self;
static int calls;

static int cancel_self(void *arg)
{
	(void)arg;
	calls++;
	ac_task_cancel(self);
	return 0;
}

static int reset_self_once(void *arg)
{
	(void)arg;
	if (++calls == 1)
		ac_task_reset(self, 0.01);
	return 0;
}

static void cancel_and_reset_in_its_own_call(void **state)
{
	struct world *w = *state;

	calls = 0;
	self = ac_call_every(w->map, 0.005, cancel_self, NULL);
	run_for(w, 0.04);
	assert_int_equal(calls, 1);
	calls = 0;
	self = ac_call_later(w->map, 0.005, cancel_self, NULL);
	run_for(w, 0.02);
	assert_int_equal(calls, 1);
	calls = 0;
	self = ac_call_later(w->map, 0.005, reset_self_once, NULL);
	run_for(w, 0.05);
	assert_int_equal(calls, 2);
	assert_int_equal(ac_map_tasks(w->map), 0);
}

static int count(void *arg)
{
	++*(int *)arg;
	return 0;
}

static void every_keeps_its_grid(void **state)
{
	struct world *w = *state;
	int n = 0;
	struct ac_task *t = ac_call_every(w->map, 0.02, count, &n);
	int64_t due = t->due;

	run_for(w, 0.07);
	assert_int_equal(n, 3);
	usleep(100000); /* five are missed: one call makes up for them */
	ac_poll(w->map, 0);
	assert_int_equal(n, 4);
	assert_int_equal((t->due - due) % 20000000, 0);
	assert_true(ac_task_timeout(t) > 0);
	assert_true(ac_task_timeout(t) <= 0.02);
	ac_task_cancel(t);
}

static int set_another(void *arg)
{
	struct world *w = arg;

	if (++calls < 5)
		ac_call_later(w->map, 0, set_another, w);
	return 0;
}

static void task_set_by_a_task_waits_for_the_next_pass(void **state)
{
	struct world *w = *state;

	calls = 0;
	ac_call_later(w->map, 0, set_another, w);
	for (int i = 1; i <= 5; i++) {
		ac_poll(w->map, 0.01);
		assert_int_equal(calls, i);
	}
}

static int nested(void *arg)
{
	struct world *w = arg;

	calls++;
	ac_poll(w->map, 0);
	return 0;
}

static void nested_pass_runs_the_others(void **state)
{
	struct world *w = *state;
	int n = 0;

	calls = 0;
	ac_call_later(w->map, 0, nested, w);
	ac_call_later(w->map, 0, count, &n);
	ac_poll(w->map, 0.01);
	assert_int_equal(calls, 1);
	assert_int_equal(n, 1);
}

static void embedded_task_may_be_started_anew(void **state)
{
	struct world *w = *state;
	struct ac_task t;
	int n = 0;

	memset(&t, 0, sizeof(t));
	assert_false(ac_task_pending(&t));
	assert_int_equal(ac_task_start(&t, w->map, 10, count, &n), 0);
	assert_int_equal(ac_task_start(&t, w->map, 0.005, count, &n), 0);
	assert_int_equal(ac_map_tasks(w->map), 1);
	run_for(w, 0.03);
	assert_int_equal(n, 1);
	assert_false(ac_task_pending(&t));
	assert_int_equal(ac_task_reset(&t, 0.005), 0);
	assert_int_equal(ac_task_delay(&t, 10), 0);
	run_for(w, 0.03);
	assert_int_equal(n, 1);
	assert_int_equal(ac_task_delay(&t, -10), 0);
	run_for(w, 0.02);
	assert_int_equal(n, 2);
	assert_int_equal(ac_task_call(&t), 0);
	assert_int_equal(n, 3);
	ac_task_cancel(&t);
	ac_task_cancel(NULL);
}

static void bad_times_are_refused(void **state)
{
	struct world *w = *state;
	struct ac_task t;

	memset(&t, 0, sizeof(t));
	errno = 0;
	assert_null(ac_call_later(w->map, -1, count, NULL));
	assert_int_equal(errno, EINVAL);
	assert_null(ac_call_later(w->map, NAN, count, NULL));
	assert_null(ac_call_every(w->map, 0, count, NULL));
	assert_null(ac_call_later(w->map, 1, NULL, NULL));
	assert_int_equal(ac_task_start(&t, w->map, NAN, count, NULL), -EINVAL);
	assert_int_equal(ac_task_reset(&t, 1), -EINVAL);
	assert_non_null(ac_call_later(w->map, INFINITY, count, NULL));
	assert_int_equal(ac_map_tasks(w->map), 1); /* dropped with the map */
}

static void delays_add_up_without_an_overflow(void **state)
{
	struct world *w = *state;
	struct ac_task *t = ac_call_later(w->map, 1, count, NULL);

	for (int i = 0; i < 20; i++) {
		assert_int_equal(ac_task_delay(t, INFINITY), 0);
		assert_true(ac_task_timeout(t) > 1e9);
	}
	for (int i = 0; i < 40; i++)
		assert_int_equal(ac_task_delay(t, -INFINITY), 0);
	assert_true(ac_task_timeout(t) < -1e9);
	assert_int_equal(ac_task_reset(t, 1e300), 0);
	passes(w, 2);
	assert_int_equal(ac_map_tasks(w->map), 1);
	ac_task_cancel(t);
}

static void delay_of_nothing_keeps_the_deadline(void **state)
{
	struct world *w = *state;
	struct ac_task *t = ac_call_at(w->map, ac_now(w->map) + 5.0007, count, NULL);
	int64_t due = t->due;

	assert_int_equal(ac_task_delay(t, 0), 0);
	assert_int_equal(t->due, due);
	assert_int_equal(ac_task_delay(t, 0.5), 0);
	assert_int_equal(t->due, due + 500000000);
	ac_task_cancel(t);
}

static struct ac_task *prey;

static int cancel_prey(void *arg)
{
	ac_task_cancel(prey);
	return note(arg);
}

static void task_cancelled_by_one_that_is_due_with_it_does_not_run(void **state)
{
	struct world *w = *state;
	double when = ac_now(w->map) + 0.01;

	order[0] = '\0';
	ac_call_at(w->map, when, cancel_prey, "a");
	prey = ac_call_at(w->map, when, note, "x");
	ac_call_at(w->map, when, note, "b");
	run_for(w, 0.03);
	assert_string_equal(order, "ab");
	assert_int_equal(ac_map_tasks(w->map), 0);
}

static int exit_now(void *arg)
{
	(void)arg;
	return AC_EXIT;
}

static int fail_now(void *arg)
{
	(void)arg;
	return -EDOM;
}

static void tasks_leave_the_loop_or_are_logged(void **state)
{
	struct world *w = *state;

	ac_call_later(w->map, 0, fail_now, NULL);
	ac_call_later(w->map, 0.01, exit_now, NULL);
	assert_int_equal(ac_loop(w->map, NULL), 1);
	assert_non_null(strstr(w->log, "a task failed (EDOM"));
}

static void passive_tasks_keep_no_loop_going_and_held_ones_do_not_run(void **state)
{
	struct world *w = *state;
	struct ac_loop_opts passive = { .tasks = AC_TASKS_PASSIVE, .timeout = 0.01 };
	struct ac_loop_opts hold = { .tasks = AC_TASKS_HOLD, .timeout = 0.01, .count = 3 };
	int n = 0, fd;

	ac_call_later(w->map, 0.005, count, &n);
	assert_int_equal(ac_loop(w->map, &passive), 0);
	assert_int_equal(n, 0);
	rec_pair(w, &fd);
	assert_int_equal(ac_loop(w->map, &hold), 0);
	assert_int_equal(n, 0);
	passive.count = 3;
	assert_int_equal(ac_loop(w->map, &passive), 0);
	assert_int_equal(n, 1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(equal_deadlines_run_in_the_order_they_were_set),
		EACH(resetting_the_earliest_does_not_delay_the_next),
		EACH(cancel_and_reset_in_its_own_call),
		EACH(every_keeps_its_grid),
		EACH(task_set_by_a_task_waits_for_the_next_pass),
		EACH(nested_pass_runs_the_others),
		EACH(embedded_task_may_be_started_anew),
		EACH(bad_times_are_refused),
		EACH(delays_add_up_without_an_overflow),
		EACH(delay_of_nothing_keeps_the_deadline),
		EACH(task_cancelled_by_one_that_is_due_with_it_does_not_run),
		EACH(tasks_leave_the_loop_or_are_logged),
		EACH(passive_tasks_keep_no_loop_going_and_held_ones_do_not_run),
	};

	return RUN(tests);
}
