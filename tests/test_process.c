/* test_process.c — net/spawn.c, ends.c: children, how they begin and what they say. */
#include "kids.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int pidfd_fails, pidfd_error; /* which call from now fails, and how */

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
	va_list args;
	long a[4];

	va_start(args, number);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_pidfd_open && pidfd_fails && --pidfd_fails == 0) {
		errno = pidfd_error;
		return -1;
	}
	return __real_syscall(number, a[0], a[1], a[2], a[3]);
}

static void output_is_cut_and_the_exit_comes_last(void **state)
{
	struct world *w = *state;
	struct kid *k = sh(w, "echo one; echo two >&2; sleep 0.05; printf rest; exit 3");
	const char *trace = k->trace;

	UNTIL(w, strchr(trace, 'X'));
	assert_true(strcmp(trace, "o(one)e(two)o(rest)x3X") == 0 ||
	            strcmp(trace, "e(two)o(one)o(rest)x3X") == 0);
	passes(w, 2);
	assert_true(no_children());
	assert_int_equal(ac_map_channels(w->map), 0);
}

static void loop_ends_when_the_last_child_has(void **state)
{
	struct world *w = *state;
	struct kid *k = sh(w, "echo done");
	const char *trace = k->trace;

	assert_int_equal(ac_loop(w->map, NULL), 0);
	assert_string_equal(trace, "o(done)x0X");
	assert_true(no_children());
}

static void input_goes_through_and_back(void **state)
{
	struct world *w = *state;
	struct kid *k = sh(w, "exec cat");
	char *big = malloc(1000000);
	size_t sum = 0;
	int ended = 0;

	memset(big, 'x', 1000000);
	assert_int_equal(ac_set_terminator_none(k->p.out), 0);
	k->trace = NULL;
	k->sum = &sum;
	k->total = &ended;
	assert_int_equal(ac_push(k->p.in, big, 1000000), 0);
	assert_int_equal(ac_close_when_done(k->p.in), 0);
	UNTIL(w, ended);
	assert_int_equal(sum, 1000000);
	free(big);
}

static void program_that_is_not_there_is_the_error_of_exec(void **state)
{
	static const char *const nothing[] = { NULL };
	struct world *w = *state;
	const char *argv[] = { "/no/such/program", NULL };
	struct ac_spawn_opts o = { .argv = argv };

	assert_null(ac_spawn(w->map, &kid_class, &o));
	assert_int_equal(errno, ENOENT);
	assert_int_equal(ac_last_error(w->map)->code, ENOENT);
	assert_string_equal(ac_last_error(w->map)->detail, argv[0]);
	argv[0] = "/etc/passwd";
	assert_null(ac_spawn(w->map, &kid_class, &o));
	assert_int_equal(errno, EACCES);
	argv[0] = "true";
	o.cwd = "/no/such/folder";
	assert_null(ac_spawn(w->map, &kid_class, &o));
	assert_int_equal(errno, ENOENT);
	o = (struct ac_spawn_opts){ .argv = nothing };
	assert_null(ac_spawn(w->map, &kid_class, &o));
	assert_int_equal(errno, EINVAL);
	o = (struct ac_spawn_opts){ .argv = argv, .out = AC_SPAWN_OUTPUT };
	assert_null(ac_spawn(w->map, &kid_class, &o));
	assert_int_equal(errno, EINVAL);
	o = (struct ac_spawn_opts){ .argv = argv, .in = 9999 };
	assert_null(ac_spawn(w->map, &kid_class, &o));
	assert_int_equal(errno, EBADF);
	assert_int_equal(ac_map_channels(w->map), 0);
	assert_true(no_children());
}

static void every_failed_allocation_leaves_no_child(void **state)
{
	const char *argv[] = { "sleep", "60", NULL };
	const struct ac_spawn_opts o = { .argv = argv };
	struct world *w = *state;
	struct ac_process *p = NULL;

	for (long n = 1; !p && n < 60; n++) {
		fail_allocation(n, false);
		p = ac_spawn(w->map, &kid_class, &o);
		if (p && !allocation_failed())
			break;
		if (p) { /* one that was not needed */
			ac_close(&p->d);
			p = NULL;
		} else {
			assert_int_equal(errno, ENOMEM);
		}
		fail_allocation(0, false);
		UNTIL(w, no_children());
	}
	fail_allocation(0, false);
	assert_non_null(p);
}

static int fails(struct kid *k)
{
	return ac_raise(k, EPROTO);
}

static void error_in_a_line_is_the_process_s_and_ends_it(void **state)
{
	struct world *w = *state;
	struct kid *k = sh(w, "echo one; echo two; exec sleep 60");
	const char *trace = k->trace;

	k->on_line = fails;
	UNTIL(w, strchr(trace, 'X'));
	assert_string_equal(trace, "o(one)X");
	assert_non_null(strstr(w->log, "EPROTO"));
	assert_non_null(strstr(w->log, "<kid"));
	UNTIL(w, no_children());
}

static void child_that_does_not_read_ends_its_input_only(void **state)
{
	struct world *w = *state;
	struct kid *k = sh(w, "exec <&-; echo deaf; sleep 0.2; echo still here");
	const char *trace = k->trace;

	UNTIL(w, strstr(trace, "deaf"));
	if (k->p.in)
		ac_push(k->p.in, "hello?\n", 7);
	UNTIL(w, strchr(trace, 'X'));
	assert_non_null(strstr(trace, "o(still here)x0X"));
}

static void ends_lead_where_they_are_told_to(void **state)
{
	struct world *w = *state;
	struct ac_spawn_opts o = { .in = AC_SPAWN_NULL, .err = AC_SPAWN_OUTPUT };
	struct kid *k = start(w, "read line || echo none >&2", o);
	const char *trace = k->trace;
	char text[16] = "";
	int fds[2];

	assert_null(k->p.in);
	assert_null(k->p.err);
	UNTIL(w, strchr(trace, 'X'));
	assert_string_equal(trace, "o(none)x0X");
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	k = start(w, "echo mine; echo x >&2",
	          (struct ac_spawn_opts){ .out = fds[1], .err = AC_SPAWN_NULL });
	trace = k->trace;
	assert_null(k->p.out);
	UNTIL(w, strchr(trace, 'X'));
	assert_int_equal(read(fds[0], text, sizeof(text)), 5);
	assert_string_equal(text, "mine\n");
	close(fds[0]);
	close(fds[1]);
}

/* Pipes come to lie at 0, 1 and 2, crosswise to where the child needs them. */
static void program_without_standard_descriptors_may_have_children(void **state)
{
	struct world *w = *state;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct ac_map *map;
		struct kid *k;
		struct world inner = { .poller = w->poller };
		struct ac_map_opts opts = { .poller = w->poller };

		close(0);
		close(1);
		close(2);
		map = inner.map = ac_map_new(&opts);
		k = sh(&inner, "cat; echo err >&2");
		ac_push(k->p.in, "in\n", 3);
		ac_close_when_done(k->p.in);
		ac_loop(map, NULL);
		_exit(!strstr(inner.traces[0], "o(in)") || !strstr(inner.traces[0], "e(err)") ||
		      !strstr(inner.traces[0], "x0X")); /* the ends come in any order */
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void each_end_is_told_when_it_closes(void **state)
{
	struct world *w = *state;
	struct kid *k =
		sh(w, "exec 2>&-; sleep 0.05; echo x; exec >&-; sleep 0.05; exec <&-; sleep 0.05");
	const char *trace = k->trace;

	k->ends = true;
	UNTIL(w, strchr(trace, 'X'));
	assert_string_equal(trace, "<2o(x)<1<0x0X");
}

static void child_begins_with_a_clean_slate(void **state)
{
	static const char *const env[] = { "GREETING=hello", "PATH=/usr/bin:/bin", NULL };
	struct world *w = *state;
	struct kid *k;
	const char *trace;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	k = start(w,
	          "grep -E 'SigBlk|SigIgn' /proc/self/status | sed 's,.*\\(.....\\)$,\\1,'; echo "
	          "$GREETING; pwd",
	          (struct ac_spawn_opts){ .env = env, .cwd = "/usr" });
	trace = k->trace;
	UNTIL(w, strchr(trace, 'X'));
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	assert_string_equal(trace, "o(00000)o(00000)"
	                           "o(hello)o(/usr)x0X");
}

static void ignored_sigchld_is_refused(void **state)
{
	const char *argv[] = { "true", NULL };
	const struct ac_spawn_opts o = { .argv = argv };
	struct world *w = *state;
	struct ac_process *p;

	signal(SIGCHLD, SIG_IGN);
	p = ac_spawn(w->map, &kid_class, &o);
	signal(SIGCHLD, SIG_DFL);
	assert_null(p);
	assert_int_equal(ac_last_error(w->map)->code, ECHILD);
}

/* Where seccomp or an old kernel refuses it; the second call is for the child that runs already. */
static void without_pidfds_nothing_is_left_running(void **state)
{
	const char *argv[] = { "sleep", "60", NULL };
	const struct ac_spawn_opts o = { .argv = argv };
	struct world *w = *state;

	for (int i = 0; i < 3; i++) {
		pidfd_error = i == 0 ? ENOSYS : i == 1 ? EPERM : EMFILE;
		pidfd_fails = i == 2 ? 2 : 1;
		assert_null(ac_spawn(w->map, &kid_class, &o));
		assert_int_equal(errno, i == 2 ? EMFILE : ENOTSUP);
		assert_true(no_children());
	}
}

static void line_too_long_ends_the_process_with_an_error(void **state)
{
	struct world *w = *state;
	struct kid *k = sh(w, "head -c 70000 /dev/zero | tr '\\0' x; exec sleep 60");
	const char *trace = k->trace;

	UNTIL(w, strchr(trace, 'X'));
	assert_non_null(strstr(w->log, "EMSGSIZE"));
	UNTIL(w, no_children());
}

static void default_class_logs_stderr_and_drops_output(void **state)
{
	const char *argv[] = { "sh", "-c", "echo out; echo trouble >&2", NULL };
	const struct ac_spawn_opts o = { .argv = argv };
	struct world *w = *state;

	assert_non_null(ac_spawn(w->map, &ac_process_class, &o));
	assert_int_equal(ac_loop(w->map, NULL), 0);
	assert_non_null(strstr(w->log, "] trouble\n"));
	assert_null(strstr(w->log, "out"));
}

/* Its ends and who waits for it touch it: on two maps two threads would. */
static void stays_on_its_map(void **state)
{
	struct world *w = *state;
	struct ac_map *other = ac_map_new(NULL);
	struct kid *k = sh(w, "exec cat");
	const char *trace = k->trace;

	assert_int_equal(ac_add_channel(&k->p.d, other), -EBUSY);
	assert_int_equal(ac_add_channel(&k->p.in->d, other), -EBUSY);
	assert_int_equal(ac_add_channel(&k->p.out->d, other), -EBUSY);
	assert_int_equal(ac_add_channel(&k->p.in->d, w->map), 0);
	ac_close(&k->p.in->d);
	UNTIL(w, strstr(trace, "x0X"));
	ac_map_free(other);
}

static int move(struct ac_dispatcher *d, void *arg)
{
	assert_int_equal(ac_add_channel(d, arg), -EBUSY);
	return 0;
}

/* Nor is anybody shown who waits for it: whoever moves all there is would move that one alone. */
static void nothing_of_it_can_be_moved(void **state)
{
	struct world *w = *state;
	struct ac_map *other = ac_map_new(NULL);
	struct kid *k = sh(w, "exec cat");
	const char *trace = k->trace;

	assert_int_equal(ac_map_each(w->map, move, other), 0);
	assert_int_equal(ac_map_channels(other), 0);
	ac_close(&k->p.in->d);
	UNTIL(w, strstr(trace, "x0X"));
	ac_map_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(output_is_cut_and_the_exit_comes_last),
		EACH(loop_ends_when_the_last_child_has),
		EACH(stays_on_its_map),
		EACH(nothing_of_it_can_be_moved),
		EACH(input_goes_through_and_back),
		EACH(program_that_is_not_there_is_the_error_of_exec),
		EACH(every_failed_allocation_leaves_no_child),
		EACH(error_in_a_line_is_the_process_s_and_ends_it),
		EACH(child_that_does_not_read_ends_its_input_only),
		EACH(ends_lead_where_they_are_told_to),
		EACH(program_without_standard_descriptors_may_have_children),
		EACH(each_end_is_told_when_it_closes),
		EACH(child_begins_with_a_clean_slate),
		EACH(ignored_sigchld_is_refused),
		EACH(without_pidfds_nothing_is_left_running),
		EACH(line_too_long_ends_the_process_with_an_error),
		EACH(default_class_logs_stderr_and_drops_output),
	};

	return RUN(tests);
}
