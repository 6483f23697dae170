/* test_pipes.c — FIFOs, terminals, and whatever stdin may be: writers that come and go, ends that are told once. */
#include "harness.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>

static struct rec *rec_on(struct world *w, int fd)
{
	struct rec *r = (struct rec *)ac_file_dispatcher(w->map, &rec_class.d, fd);

	assert_non_null(r);
	r->trace = new_trace(w);
	assert_int_equal(ac_set_terminator(&r->c, "\n", 1), 0);
	return r;
}

static void make_fifo(const struct world *w, char *path, size_t size)
{
	snprintf(path, size, "/tmp/asyncore-fifo-%d-%s", (int)getpid(), w->poller);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
}

static void write_to(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void fifo_without_a_writer_yet_is_no_end_and_no_spin(void **state)
{
	struct world *w = *state;
	char path[64];
	struct rec *r;
	const char *trace;
	int reader, writer;

	make_fifo(w, path, sizeof(path));
	reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	r = rec_on(w, reader);
	trace = r->trace;
	assert_true(waits_in(w, 0.1) < 10);
	assert_string_equal(trace, "");
	writer = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	write_to(writer, "one\ntw");
	UNTIL(w, strstr(trace, "C(one)F"));
	write_to(writer, "o\n");
	close(writer);
	UNTIL(w, strchr(trace, 'X'));
	assert_non_null(strstr(trace, "F"));
	assert_null(strchr(strchr(trace, 'X') + 1, 'X'));
	assert_null(strchr(trace, 'E'));
	close(reader);
	unlink(path);
}

static void fifo_opened_both_ways_outlives_its_writers(void **state)
{
	struct world *w = *state;
	char path[64];
	struct rec *r;
	int fd;

	make_fifo(w, path, sizeof(path));
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	r = rec_on(w, fd);
	for (int i = 0; i < 5; i++) {
		int writer = open(path, O_WRONLY | O_CLOEXEC);

		r->trace[0] = '\0';
		write_to(writer, "line\n");
		close(writer);
		UNTIL(w, strcmp(r->trace, "C(line)F") == 0);
		assert_true(waits_in(w, 0.06) < 10);
	}
	ac_close(&r->c.d);
	close(fd);
	unlink(path);
}

static void paused_fifo_keeps_what_its_gone_writer_left(void **state)
{
	struct world *w = *state;
	const char *trace;
	struct rec *r;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	r = rec_on(w, fds[0]);
	trace = r->trace;
	ac_pause(&r->c.d);
	write_to(fds[1], "kept\n");
	close(fds[1]);
	assert_true(waits_in(w, 0.1) < 10);
	assert_string_equal(trace, "");
	ac_resume(&r->c.d);
	UNTIL(w, strcmp(trace, "C(kept)FX") == 0);
	close(fds[0]);
}

/* Its owner's end is adopted, written only: reading it would be an error. */
static void writing_end_hears_of_a_reader_that_goes(void **state)
{
	struct world *w = *state;
	struct rec *r;
	const char *trace;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	r = (struct rec *)ac_chat_adopt(w->map, &rec_class, fds[1], NULL);
	assert_non_null(r);
	trace = r->trace = new_trace(w);
	assert_int_equal(ac_push(&r->c, "x", 1), 0);
	assert_true(waits_in(w, 0.1) < 10);
	assert_null(strchr(trace, 'X'));
	close(fds[0]);
	UNTIL(w, strchr(trace, 'X'));
	assert_null(strchr(trace, 'E'));
}

static void raw(int fd)
{
	struct termios t;

	assert_int_equal(tcgetattr(fd, &t), 0);
	cfmakeraw(&t);
	assert_int_equal(tcsetattr(fd, TCSANOW, &t), 0);
}

static void terminal_and_its_leader_talk_as_chats(void **state)
{
	struct world *w = *state;
	int leader, follower;
	struct rec *one, *two;

	assert_int_equal(openpty(&leader, &follower, NULL, NULL, NULL), 0);
	raw(follower);
	one = rec_on(w, leader);
	two = rec_on(w, follower);
	assert_int_equal(ac_push(&one->c, "down\n", 5), 0);
	assert_int_equal(ac_push(&two->c, "up\n", 3), 0);
	UNTIL(w, strstr(one->trace, "C(up)F") && strstr(two->trace, "C(down)F"));
	assert_true(waits_in(w, 0.1) < 10);
	assert_false(fcntl(follower, F_GETFL) & O_NONBLOCK);
	ac_close(&one->c.d);
	ac_close(&two->c.d);
	close(leader);
	close(follower);
}

/* The kernel says EIO to the leader when the last follower has gone: for us that is the end. */
static void leader_reads_to_the_end_when_its_follower_goes(void **state)
{
	struct world *w = *state;
	int leader, follower;
	const char *trace;
	struct rec *r;

	assert_int_equal(openpty(&leader, &follower, NULL, NULL, NULL), 0);
	raw(follower);
	r = rec_on(w, leader);
	trace = r->trace;
	passes(w, 2);
	write_to(follower, "one\nlast\n");
	close(follower);
	UNTIL(w, strchr(trace, 'X'));
	assert_string_equal(trace, "C(one)FC(last)FX");
	close(leader);
}

/* ---- what stdin may be: each read by a channel in a child, as a program finds it ---- */
static int read_stdin(const struct world *w)
{
	static char trace[TRACE_SIZE];
	struct ac_map_opts opts = { .poller = w->poller };
	struct ac_map *map = ac_map_new(&opts);
	struct rec *r = (struct rec *)ac_file_dispatcher(map, &rec_class.d, STDIN_FILENO);
	int result = r ? 0 : errno, finals = 0;

	if (r) {
		r->counter = &finals;
		r->trace = trace;
		ac_set_terminator(&r->c, "\n", 1);
	}
	if (r && ac_loop(map, NULL) < 0)
		result = 100;
	ac_map_free(map);
	return r && finals != 1 ? 101 : result;
}

static int in_child(const struct world *w, int fd)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		dup2(fd, STDIN_FILENO);
		_exit(read_stdin(w));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void stdin_that_is_a_file_a_pipe_or_nothing_comes_to_its_end(void **state)
{
	struct world *w = *state;
	char name[] = "/tmp/asyncore-stdin-XXXXXX";
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), file = mkstemp(name), fds[2];

	unlink(name);
	write_to(file, "a\nb\nc");
	lseek(file, 0, SEEK_SET);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	write_to(fds[1], "a\nb");
	close(fds[1]);
	assert_int_equal(in_child(w, null), 0);
	assert_int_equal(in_child(w, file), 0);
	assert_int_equal(in_child(w, fds[0]), 0);
	close(null);
	close(file);
	close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(fifo_without_a_writer_yet_is_no_end_and_no_spin),
		EACH(fifo_opened_both_ways_outlives_its_writers),
		EACH(paused_fifo_keeps_what_its_gone_writer_left),
		EACH(writing_end_hears_of_a_reader_that_goes),
		EACH(terminal_and_its_leader_talk_as_chats),
		EACH(leader_reads_to_the_end_when_its_follower_goes),
		EACH(stdin_that_is_a_file_a_pipe_or_nothing_comes_to_its_end),
	};

	return RUN(tests);
}
