/* test_guest.c — the loop inside another one, which knows of it only the descriptor and the next timeout. */
#include "harness.h"

#include <asyncore/threads.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>

/* The other loop: waits as it was told, and calls ac_poll when it was told; true: it had a reason to. */
static bool host_once(struct world *w, int most_ms)
{
	struct pollfd p = { .fd = ac_fd(w->map), .events = POLLIN };
	double seconds = ac_next_timeout(w->map);
	int own = seconds < 0 || seconds * 1000 > most_ms ? most_ms : (int)ceil(seconds * 1000);
	int n = poll(&p, 1, own);

	if (n == 0 && own == most_ms && seconds != 0)
		return false;
	ac_poll(w->map, 0);
	return true;
}

#define HOST_UNTIL(w, condition)                                                                   \
	do {                                                                                       \
		for (int n_ = 0; n_ < 2000 && !(condition) && host_once(w, 2000); n_++)            \
			;                                                                          \
		assert_true(condition);                                                            \
	} while (0)

#define NEEDS_FD(w)                                                                                \
	do {                                                                                       \
		if (ac_fd((w)->map) == -ENOTSUP)                                                   \
			return;                                                                    \
	} while (0)

static int echo_found(struct ac_chat *c)
{
	struct ac_slice s = ac_incoming(c);

	AC_TRY(c, ac_push(c, s.data, s.len));
	return ac_push(c, "\n", 1);
}

static const struct ac_chat_class line_class = {
	.d = { .super = AC_CHAT, .name = "line" },
	.found_terminator = echo_found,
};

static struct ac_chat *line_pair(struct world *w, int *ret_fd)
{
	struct ac_chat *c;
	int fds[2];

	unix_pair(fds);
	c = ac_chat_adopt(w->map, &line_class, fds[0], NULL);
	assert_non_null(c);
	assert_int_equal(ac_set_terminator(c, "\n", 1), 0);
	*ret_fd = fds[1];
	return c;
}

/* What has come by now is the text so far: true once that is all that was wanted. */
static bool has(int fd, char *text, const char *wanted)
{
	size_t len = strlen(text);

	get(fd, text + len, 64 - len);
	return strcmp(text, wanted) == 0;
}

static void host_that_only_waits_serves_everybody(void **state)
{
	struct world *w = *state;
	int fds[20];

	NEEDS_FD(w);
	for (int i = 0; i < 20; i++)
		line_pair(w, &fds[i]);
	for (int n = 0; n < 20; n++) {
		for (int i = 0; i < 20; i++)
			put(fds[i], "a line\n");
		for (int i = 0; i < 20; i++) {
			char text[64] = "";

			HOST_UNTIL(w, has(fds[i], text, "a line\n"));
		}
	}
	for (int i = 0; i < 20; i++)
		close(fds[i]);
	HOST_UNTIL(w, ac_map_channels(w->map) == 0);
}

/* Answers are on their way when ac_poll has returned: the host may then wait for something else. */
static void answer_has_left_when_the_pass_is_over(void **state)
{
	struct world *w = *state;
	char text[64];
	int fd;

	NEEDS_FD(w);
	line_pair(w, &fd);
	for (int n = 0; n < 5; n++) {
		struct pollfd p = { .fd = ac_fd(w->map), .events = POLLIN },
			      peer = { fd, POLLIN, 0 };

		put(fd, "x\n");
		while (poll(&p, 1, 0) > 0 || ac_next_timeout(w->map) == 0)
			ac_poll(w->map, 0);
		assert_int_equal(poll(&peer, 1, 2000), 1);
		assert_int_equal(get(fd, text, sizeof(text)), 2);
	}
	close(fd);
}

/* The host's own callbacks push, right behind an answer that the poller still has, and then ask how long to wait. */
static void push_from_a_callback_of_the_host_goes_out(void **state)
{
	struct world *w = *state;
	struct ac_chat *c;
	int fd;

	NEEDS_FD(w);
	c = line_pair(w, &fd);
	for (int n = 0; n < 5; n++) {
		char text[64] = "";

		put(fd, "x\n");
		HOST_UNTIL(w, has(fd, text, "x\n"));
		assert_int_equal(ac_push(c, "from outside", 12), 0);
		assert_int_equal(ac_push(c, " and more\n", 10), 0);
		HOST_UNTIL(w, has(fd, text, "x\nfrom outside and more\n"));
	}
	close(fd);
}

/* A paused chat keeps input in memory, of which no descriptor tells. */
static void input_in_memory_is_no_secret(void **state)
{
	struct world *w = *state;
	char text[64] = "";
	struct ac_chat *c;
	int fd;

	NEEDS_FD(w);
	c = line_pair(w, &fd);
	passes(w, 2);
	for (int n = 0; n < 3; n++) {
		text[0] = '\0';
		ac_pause(&c->d);
		put(fd, "one\ntwo\n");
		for (int i = 0; i < 5; i++)
			host_once(w, 10);
		assert_int_equal(get(fd, text, sizeof(text)), 0);
		ac_resume(&c->d);
		HOST_UNTIL(w, has(fd, text, "one\ntwo\n"));
	}
	close(fd);
}

static void much_output_flows_under_a_host(void **state)
{
	static char block[100000], text[65536];
	struct world *w = *state;
	struct ac_chat *c;
	size_t got = 0;
	int fd;

	NEEDS_FD(w);
	c = line_pair(w, &fd);
	passes(w, 2);
	for (int i = 0; i < 50; i++)
		assert_int_equal(ac_push(c, block, sizeof(block)), 0);
	for (int n = 0; n < 20000 && got < 50 * sizeof(block); n++) {
		got += get(fd, text, sizeof(text));
		host_once(w, 1);
	}
	assert_int_equal(got, 50 * sizeof(block));
	close(fd);
}

static int count_up(void *arg)
{
	++*(int *)arg;
	return 0;
}

static void tasks_are_on_time_under_a_host(void **state)
{
	struct world *w = *state;
	struct ac_task *often;
	int late = 0, many = 0;
	double start = ac_now(w->map);

	NEEDS_FD(w);
	assert_true(ac_next_timeout(w->map) < 0);
	often = ac_call_every(w->map, 0.01, count_up, &many);
	assert_non_null(ac_call_later(w->map, 0.1, count_up, &late));
	HOST_UNTIL(w, late == 1);
	assert_true(ac_now(w->map) - start >= 0.1);
	assert_true(many >= 2);
	ac_task_cancel(often);
	assert_true(ac_next_timeout(w->map) < 0);
}

struct other {
	struct ac_map *map;
	int count;
};

static void *post_some(void *arg)
{
	struct other *o = arg;

	for (int i = 0; i < 100; i++) {
		ac_post(o->map, count_up, &o->count);
		usleep(500);
	}
	return NULL;
}

static void posts_wake_a_host(void **state)
{
	struct world *w = *state;
	struct other o = { .map = w->map };
	pthread_t thread;

	NEEDS_FD(w);
	assert_int_equal(ac_open_posts(w->map), 0);
	assert_int_equal(pthread_create(&thread, NULL, post_some, &o), 0);
	HOST_UNTIL(w, o.count == 100);
	pthread_join(thread, NULL);
}

/* What connects, listens and closes outside a pass is known to the kernel when the host waits. */
static void opened_by_the_host_is_watched_at_once(void **state)
{
	struct world *w = *state;
	struct rec *r;
	char text[32] = "";
	struct ac_addr addr;
	int listener, fd;

	NEEDS_FD(w);
	ac_fd(w->map);
	listener = listen_tcp(&addr);
	r = (struct rec *)ac_chat_new(w->map, &rec_class);
	assert_non_null(r);
	r->trace = new_trace(w);
	assert_int_equal(ac_set_terminator(&r->c, "\n", 1), 0);
	assert_int_equal(
		ac_dial(&r->c.d, ac_addr_format(&addr, (char[AC_ADDR_TEXT]){ 0 }, AC_ADDR_TEXT)),
		0);
	HOST_UNTIL(w, strcmp(r->trace, "O") == 0);
	fd = accept(listener, NULL, NULL);
	put(fd, "hello\n");
	HOST_UNTIL(w, strcmp(r->trace, "OC(hello)F") == 0);
	ac_close(&r->c.d);
	for (int i = 0; i < 200 && !ended(fd); i++)
		usleep(1000);
	assert_true(ended(fd));
	assert_int_equal(get(fd, text, sizeof(text)), 0);
	close(fd);
	close(listener);
}

static int serve_in_child(struct world *w, int fd)
{
	char text[64] = "";

	put(fd, "child\n");
	for (int n = 0; n < 200 && !has(fd, text, "child\n"); n++)
		host_once(w, 2000);
	return strcmp(text, "child\n") != 0;
}

/* The descriptor is another one then, and has to be asked for anew, as host_once does. */
static void forked_child_is_a_guest_of_its_own(void **state)
{
	struct world *w = *state;
	int before, fds[2], status;
	char text[64] = "";
	pid_t child;

	NEEDS_FD(w);
	before = ac_fd(w->map);
	line_pair(w, &fds[0]);
	passes(w, 1);
	child = fork();
	if (child == 0) {
		struct ac_map *m = w->map;
		int r;

		ac_close_all(m, true);
		line_pair(w, &fds[1]);
		r = ac_fd(m) < 0 || serve_in_child(w, fds[1]);
		_exit(r);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(ac_fd(w->map), before);
	put(fds[0], "parent\n");
	HOST_UNTIL(w, has(fds[0], text, "parent\n"));
	close(fds[0]);
}

static void idle_guest_wakes_nobody(void **state)
{
	struct world *w = *state;
	int fd, woken = 0;
	char text[64] = "";

	NEEDS_FD(w);
	line_pair(w, &fd);
	put(fd, "x\n");
	HOST_UNTIL(w, has(fd, text, "x\n"));
	for (int i = 0; i < 20; i++)
		woken += host_once(w, 5);
	assert_in_range(woken, 0, 4);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(host_that_only_waits_serves_everybody),
		EACH(answer_has_left_when_the_pass_is_over),
		EACH(push_from_a_callback_of_the_host_goes_out),
		EACH(input_in_memory_is_no_secret),
		EACH(much_output_flows_under_a_host),
		EACH(tasks_are_on_time_under_a_host),
		EACH(posts_wake_a_host),
		EACH(opened_by_the_host_is_watched_at_once),
		EACH(forked_child_is_a_guest_of_its_own),
		EACH(idle_guest_wakes_nobody),
	};

	return RUN(tests);
}
