/* test_process_end.c — net/process.c, waiter.c: how children end, whoever ends them. */
#include "kids.h"

#include <signal.h>
#include <sys/wait.h>

static void closing_kills_and_reaps(void **state)
{
	struct world *w = *state;
	struct kid *k = sh(w, "trap '' TERM; echo ready; sleep 60");
	const char *trace = k->trace;

	UNTIL(w, strstr(trace, "ready"));
	ac_close(&k->p.d);
	assert_string_equal(trace, "o(ready)X");
	UNTIL(w, no_children());
	assert_int_equal(ac_loop(w->map, NULL), 0);
}

static void map_that_goes_takes_its_children_along(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 3; i++)
		sh(w, "exec sleep 60");
	passes(w, 1);
	ac_close_all(w->map, false);
	assert_true(no_children());
}

static int close_all_of_it(struct kid *k)
{
	ac_close(&k->p.d);
	return 0;
}

static void closed_in_its_own_handlers_it_is_closed_once(void **state)
{
	struct world *w = *state;
	struct kid *k = sh(w, "echo one; echo two; exec sleep 60"), *l = sh(w, "exit 1");
	const char *trace = k->trace, *other = l->trace;

	k->on_line = close_all_of_it;
	l->on_exit = close_all_of_it;
	UNTIL(w, strchr(trace, 'X') && strchr(other, 'X'));
	UNTIL(w, no_children());
	assert_string_equal(trace, "o(one)X");
	assert_string_equal(other, "x1X");
}

static void exit_before_any_pass_is_told_with_all_output(void **state)
{
	struct world *w = *state;
	struct kid *k = sh(w, "i=0; while [ $i -lt 100 ]; do echo $i; i=$((i+1)); done");
	const char *trace = k->trace;

	usleep(200000);
	UNTIL(w, strchr(trace, 'X'));
	assert_non_null(strstr(trace, "o(99)x0X"));
}

static void output_closed_early_is_not_the_exit(void **state)
{
	struct world *w = *state;
	struct kid *k = sh(w, "echo bye; exec >&- 2>&-; read line; exit 7");
	const char *trace = k->trace;

	UNTIL(w, !k->p.out && !k->p.err);
	assert_true(waits_in(w, 0.1) < 10);
	assert_string_equal(trace, "o(bye)");
	assert_int_equal(ac_push(k->p.in, "go\n", 3), 0);
	UNTIL(w, strchr(trace, 'X'));
	assert_string_equal(trace, "o(bye)dx7X");
}

static void grandchild_that_keeps_the_output_is_waited_for_no_longer_than_said(void **state)
{
	struct world *w = *state;
	struct kid *k = start(w, "sleep 30 & echo here",
	                      (struct ac_spawn_opts){ .output_wait = 0.1, .new_group = true });
	struct kid *l = start(w, "sleep 30 & echo there; exit 2",
	                      (struct ac_spawn_opts){ .output_wait = -1, .new_group = true });
	const char *trace = k->trace, *other = l->trace;
	pid_t one = k->p.pid, two = l->p.pid;

	UNTIL(w, strchr(trace, 'X') && strchr(other, 'X'));
	assert_string_equal(trace, "o(here)x0X");
	assert_non_null(strstr(other, "x2X"));
	kill(-one, SIGKILL);
	kill(-two, SIGKILL);
	UNTIL(w, no_children());
}

static int wakes;

static int resume_later(void *arg)
{
	struct kid *k = arg;

	wakes++;
	ac_resume(&k->p.out->d);
	return 0;
}

static int pause_it(struct kid *k)
{
	ac_pause(&k->p.out->d);
	k->on_line = NULL;
	ac_call_later(k->p.d.map, 0.2, resume_later, k);
	return 0;
}

static void output_that_is_held_back_is_not_lost_to_the_wait(void **state)
{
	struct world *w = *state;
	struct kid *k = start(w, "echo one; echo two; sleep 0.02; echo three",
	                      (struct ac_spawn_opts){ .output_wait = 0.03 });
	const char *trace = k->trace;

	wakes = 0;
	k->on_line = pause_it;
	UNTIL(w, strchr(trace, 'X'));
	assert_int_equal(wakes, 1);
	assert_string_equal(trace, "o(one)o(two)o(three)x0X");
}

static void stopped_child_is_no_dead_one(void **state)
{
	struct world *w = *state;
	struct kid *k = sh(w, "echo up; read line; echo $line");
	const char *trace = k->trace;

	UNTIL(w, strstr(trace, "up"));
	assert_int_equal(ac_kill(&k->p, SIGSTOP), 0);
	assert_int_equal(ac_push(k->p.in, "again\n", 6), 0);
	assert_true(waits_in(w, 0.15) < 12);
	assert_int_equal(k->exits, 0);
	assert_int_equal(ac_kill(&k->p, SIGCONT), 0);
	UNTIL(w, strchr(trace, 'X'));
	assert_non_null(strstr(trace, "o(again)x0X"));
}

static int kill_again(struct kid *k)
{
	assert_int_equal(ac_kill(&k->p, SIGTERM), -ESRCH);
	ac_close(&k->p.d);
	assert_int_equal(ac_kill(&k->p, SIGTERM), 0); /* closed: nothing */
	return 0;
}

static void signal_that_ended_it_is_told_and_nobody_is_killed_after(void **state)
{
	struct world *w = *state;
	struct kid *k = sh(w, "echo up; exec sleep 60");
	const char *trace = k->trace;

	k->on_exit = kill_again;
	UNTIL(w, strstr(trace, "up"));
	assert_int_equal(ac_kill(&k->p, 9999), -EINVAL);
	assert_int_equal(ac_kill(&k->p, SIGUSR1), 0);
	UNTIL(w, strchr(trace, 'X'));
	assert_string_equal(trace, SIGUSR1 == 10 ? "o(up)s10X" : trace);
}

static void deaf_to_sigterm_it_is_killed_when_its_time_is_over(void **state)
{
	struct world *w = *state;
	struct kid *k = sh(w, "trap '' TERM; echo up; while :; do sleep 0.05; done");
	struct kid *l = sh(w, "trap 'exit 5' TERM; echo up; while :; do sleep 0.05; done");
	const char *trace = k->trace, *other = l->trace;

	UNTIL(w, strstr(trace, "up") && strstr(other, "up"));
	assert_int_equal(ac_terminate(&k->p, -1), -EINVAL);
	assert_int_equal(ac_terminate(&k->p, 0.3), 0);
	assert_int_equal(ac_terminate(&l->p, 60), 0);
	UNTIL(w, strchr(trace, 'X') && strchr(other, 'X'));
	assert_string_equal(trace, "o(up)s9X");
	assert_string_equal(other, "o(up)x5X");
}

static void left_child_lives_on_and_is_reaped_when_it_ends(void **state)
{
	struct world *w = *state;
	struct kid *k = start(w, "read line; sleep 0.1", (struct ac_spawn_opts){ .leave = true });
	pid_t pid = k->p.pid;

	ac_close(&k->p.d);
	passes(w, 2);
	assert_int_equal(kill(pid, 0), 0);
	UNTIL(w, no_children());
}

static void group_is_killed_as_a_whole(void **state)
{
	struct world *w = *state;
	struct kid *k =
		start(w, "sleep 60 & echo up; wait", (struct ac_spawn_opts){ .new_session = true });
	const char *trace = k->trace;

	UNTIL(w, strstr(trace, "up"));
	assert_int_equal(getsid(k->p.pid), k->p.pid);
	assert_int_equal(ac_kill(&k->p, SIGKILL), 0);
	UNTIL(w, strchr(trace, 'X')); /* the sleeper had the output open */
	assert_string_equal(trace, "o(up)s9X");
}

static void exit_that_the_program_took_itself_is_one_that_nobody_knows(void **state)
{
	struct world *w = *state;
	struct kid *k = sh(w, "echo up");
	const char *trace = k->trace;

	assert_int_equal(waitpid(k->p.pid, NULL, 0), k->p.pid);
	UNTIL(w, strchr(trace, 'X'));
	assert_string_equal(trace, "o(up)s-1X");
}

/* Once the program has reaped it the id, and that of its group, may be another's. */
static void nobody_is_signalled_for_a_child_that_the_program_reaped(void **state)
{
	struct world *w = *state;
	struct kid *k = start(w, "read x; sleep 60 >&2 & echo $!",
	                      (struct ac_spawn_opts){ .new_group = true, .output_wait = 60 });
	const char *trace = k->trace;
	pid_t sleeper;

	assert_int_equal(ac_kill(&k->p, 0), 0);
	assert_int_equal(ac_push(k->p.in, "go\n", 3), 0);
	UNTIL(w, strchr(trace, ')'));
	sleeper = atoi(strchr(trace, '(') + 1);
	assert_int_equal(waitpid(k->p.pid, NULL, 0), k->p.pid);
	assert_int_equal(ac_kill(&k->p, SIGKILL), -ESRCH);
	assert_int_equal(ac_terminate(&k->p, 0), -ESRCH);
	passes(w, 3);
	assert_null(strchr(trace, 'X')); /* the sleeper has its stderr */
	assert_int_equal(ac_kill(&k->p, SIGKILL), -ESRCH);
	ac_close(&k->p.d);
	assert_int_equal(kill(sleeper, SIGKILL), 0);
}

/* It cannot be told how, and does not ask again and again either. */
static void forked_child_is_done_when_its_parents_child_ends(void **state)
{
	struct world *w = *state;
	struct kid *k = sh(w, "sleep 0.1");
	const char *trace = k->trace;
	pid_t pid = fork();
	int status, n = 0;

	if (pid == 0) {
		for (; n < 40 && ac_map_channels(w->map); n++)
			ac_poll(w->map, 0.05);
		_exit(ac_map_channels(w->map) || strstr(trace, "x0"));
	}
	UNTIL(w, strchr(trace, 'X'));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int nested(struct kid *k)
{
	for (int i = 0; i < 20; i++)
		ac_poll(k->p.d.map, 0.01);
	assert_int_equal(k->exits, 0);
	return 0;
}

static void nested_pass_does_not_tell_the_exit_in_mid_line(void **state)
{
	struct world *w = *state;
	struct kid *k = sh(w, "echo one; echo two");
	const char *trace = k->trace;

	k->on_line = nested;
	UNTIL(w, strchr(trace, 'X'));
	assert_string_equal(trace, "o(one)o(two)x0X");
}

static void forked_child_that_frees_the_map_kills_nobody(void **state)
{
	struct world *w = *state;
	struct kid *k = sh(w, "read line; echo $line");
	const char *trace = k->trace;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		ac_close(&k->p.d);
		ac_map_free(w->map);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(ac_push(k->p.in, "alive\n", 6), 0);
	UNTIL(w, strchr(trace, 'X'));
	assert_non_null(strstr(trace, "o(alive)x0X"));
}

static void start_one_more(struct world *w, int *started, int *ended)
{
	struct kid *k = start(w, "echo hello", (struct ac_spawn_opts){ 0 });

	k->total = ended;
	++*started;
}

static int free_the_map(struct kid *k)
{
	struct ac_map *map = k->p.d.map;

	((struct world *)k->arg)->map = NULL;
	ac_map_free(map);
	return 0;
}

static void map_may_go_in_any_handler_of_a_process(void **state)
{
	struct world *w = *state;
	struct ac_map_opts opts = { .poller = w->poller };

	for (int i = 0; i < 2; i++) {
		struct ac_map *map = w->map;
		struct kid *k = sh(w, i ? "echo line; exec sleep 60" : "exit 0");

		sh(w, "exec sleep 60"); /* another goes with it */
		k->arg = w;
		k->on_line = free_the_map;
		k->on_exit = free_the_map;
		for (int n = 0; n < 200 && w->map; n++)
			ac_poll(map, 0.05);
		assert_null(w->map);
		assert_true(no_children());
		w->map = ac_map_new(&opts);
	}
}

static int close_the_ends(struct kid *k)
{
	if (k->p.in)
		ac_close(&k->p.in->d);
	if (k->p.err)
		ac_close(&k->p.err->d);
	ac_close(&k->p.out->d);
	return 0;
}

static void ends_closed_in_a_handler_leave_the_exit_to_be_told(void **state)
{
	struct world *w = *state;
	struct kid *k = sh(w, "echo line; sleep 0.05; exit 4");
	const char *trace = k->trace;

	k->on_line = close_the_ends;
	UNTIL(w, strchr(trace, 'X'));
	assert_string_equal(trace, "o(line)x4X");
}

static int restart(struct kid *k)
{
	struct world *w = k->arg;
	struct kid *next = sh(w, "exit 6");

	next->trace = k->trace;
	for (int i = 0; i < 3; i++)
		ac_poll(w->map, 0.01);
	return 0;
}

static void child_started_in_the_exit_of_another(void **state)
{
	struct world *w = *state;
	struct kid *k = sh(w, "exit 5");
	const char *trace = k->trace;

	k->arg = w;
	k->on_exit = restart;
	UNTIL(w, strstr(trace, "x6X"));
	assert_int_equal(strncmp(trace, "x5", 2), 0);
	assert_int_equal(ac_loop(w->map, NULL), 0);
	assert_true(no_children());
}

static void thousand_children_leave_nothing_behind(void **state)
{
	struct world *w = *state;
	int started = 0, ended = 0, fds = count_fds();
	double end = ac_now(w->map) + 60;

	while (ended < 1000 && ac_now(w->map) < end) {
		while (started < 1000 && started - ended < 25)
			start_one_more(w, &started, &ended);
		ac_poll(w->map, 0.05);
	}
	assert_int_equal(ended, 1000);
	passes(w, 3);
	assert_int_equal(count_fds(), fds);
	assert_true(no_children());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(closing_kills_and_reaps),
		EACH(map_that_goes_takes_its_children_along),
		EACH(closed_in_its_own_handlers_it_is_closed_once),
		EACH(exit_before_any_pass_is_told_with_all_output),
		EACH(output_closed_early_is_not_the_exit),
		EACH(grandchild_that_keeps_the_output_is_waited_for_no_longer_than_said),
		EACH(output_that_is_held_back_is_not_lost_to_the_wait),
		EACH(stopped_child_is_no_dead_one),
		EACH(signal_that_ended_it_is_told_and_nobody_is_killed_after),
		EACH(deaf_to_sigterm_it_is_killed_when_its_time_is_over),
		EACH(left_child_lives_on_and_is_reaped_when_it_ends),
		EACH(group_is_killed_as_a_whole),
		EACH(exit_that_the_program_took_itself_is_one_that_nobody_knows),
		EACH(nobody_is_signalled_for_a_child_that_the_program_reaped),
		EACH(forked_child_is_done_when_its_parents_child_ends),
		EACH(nested_pass_does_not_tell_the_exit_in_mid_line),
		EACH(forked_child_that_frees_the_map_kills_nobody),
		EACH(map_may_go_in_any_handler_of_a_process),
		EACH(ends_closed_in_a_handler_leave_the_exit_to_be_told),
		EACH(child_started_in_the_exit_of_another),
		EACH(thousand_children_leave_nothing_behind),
	};

	return RUN(tests);
}
