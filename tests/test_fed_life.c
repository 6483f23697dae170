/* test_fed_life.c — where a poller that reads for its chats lives: pauses, passes inside, maps, forks, threads. */
#include "feeds.h"

#include "../src/map/map.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { IN_FLIGHT = AC_RING_BUFFERS * AC_RING_BUFFER_SIZE };

/* ---- input stops ---- */
static int pause_at_first(struct fed *f)
{
	if (f->lines == 1)
		ac_pause(&f->c.d);
	return 0;
}

static void settle(struct world *w, int fd, size_t *wrote, size_t most)
{
	for (int i = 0; i < 50; i++) {
		write_lines(fd, wrote, most);
		ac_poll(w->map, 0.001);
	}
}

static void paused_chat_leaves_its_input_in_the_kernel(void **state)
{
	enum { MOST = 1000000 };
	struct world *w = *state;
	size_t wrote = 0, before;
	struct fed *f;
	int fds[2];

	tcp_pair(fds);
	f = adopt(w->map, fds[0], pause_at_first);
	passes(w, 2);
	write_lines(fds[1], &wrote, LINE);
	UNTIL(w, f->lines == 1);
	before = allocated_bytes();
	settle(w, fds[1], &wrote, MOST);
	assert_int_equal(wrote, MOST);
	assert_int_equal(in_kernel(fds[0], fds[1]), MOST - LINE); /* all of it */
	assert_int_equal(f->lines, 1);
	assert_int_equal(allocated_bytes(), before);
	ac_resume(&f->c.d);
	UNTIL(w, f->lines == MOST / LINE);
	assert_false(f->differs);
	close(fds[1]);
	passes(w, 10);
}

static void pause_amid_input_takes_no_more_than_is_in_flight(void **state)
{
	enum { MOST = 3000000 };
	struct world *w = *state;
	size_t wrote = 0, before = allocated_bytes(), left;
	struct fed *f;
	int fds[2];

	tcp_pair(fds);
	f = adopt(w->map, fds[0], pause_at_first);
	passes(w, 2);
	write_lines(fds[1], &wrote, MOST);
	UNTIL(w, f->lines == 1);
	settle(w, fds[1], &wrote, MOST);
	left = in_kernel(fds[0], fds[1]);
	assert_true(wrote > 2000000 && wrote - left <= IN_FLIGHT);
	assert_true(allocated_bytes() - before < 2 * IN_FLIGHT + 200000);
	settle(w, fds[1], &wrote, MOST);
	assert_true(in_kernel(fds[0], fds[1]) >= left); /* not a byte since */
	assert_int_equal(f->lines, 1);
	ac_resume(&f->c.d);
	for (int i = 0; i < 40; i++)
		settle(w, fds[1], &wrote, f->lines < MOST / LINE ? MOST : 0);
	assert_int_equal(f->lines, MOST / LINE);
	assert_false(f->differs);
	close(fds[1]);
	passes(w, 10);
}

static void chat_that_is_choked_leaves_its_input_in_the_kernel(void **state)
{
	enum { MOST = 3000000 };
	struct world *w = *state;
	size_t wrote = 0, got = 0, left;
	static char text[65536];
	bool differs = false;
	struct fed *f;
	int fds[2], size = 1;
	ssize_t n;

	tcp_pair(fds);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	f = adopt(w->map, fds[0], echo);
	ac_set_limit(&f->c.d, AC_HIGH_WATER, 20000);
	ac_set_limit(&f->c.d, AC_LOW_WATER, 5000);
	settle(w, fds[1], &wrote, MOST);
	settle(w, fds[1], &wrote, MOST);
	left = in_kernel(fds[0], fds[1]);
	assert_true(left > 0 && wrote - left <= IN_FLIGHT + 100000);
	assert_in_range(ac_pending(&f->c), 20000, 20000 + 2 * LINE);
	for (int i = 0; i < 60000 && got < MOST; i++) {
		write_lines(fds[1], &wrote, MOST);
		while ((n = recv(fds[1], text, sizeof(text), 0)) > 0)
			for (ssize_t j = 0; j < n; j++, got++)
				differs |=
					got % LINE == 8 && text[j] != (char)('0' + got / LINE % 10);
		ac_poll(w->map, 0.001);
	}
	assert_int_equal(got, MOST);
	assert_false(differs || f->differs);
	close(fds[1]);
	passes(w, 10);
}

/* ---- passes inside ---- */
static size_t most_held;

static int poll_inside(struct fed *f)
{
	struct world *w = f->arg;

	if (w->map->depth < 8 && f->lines % 7 == 0)
		ac_poll(w->map, 0);
	if (allocated_bytes() > most_held)
		most_held = allocated_bytes();
	return 0;
}

static void passes_inside_keep_order_and_lose_nothing(void **state)
{
	enum { CHATS = 4, MOST = 400000 };
	struct world *w = *state;
	size_t wrote[CHATS] = { 0 }, before = allocated_bytes(), lines = 0;
	struct fed *chats[CHATS];
	int fds[CHATS][2];

	most_held = 0;
	for (int i = 0; i < CHATS; i++) {
		tcp_pair(fds[i]);
		chats[i] = adopt(w->map, fds[i][0], poll_inside);
		chats[i]->arg = w;
	}
	for (int pass = 0; pass < 5000 && lines < CHATS * MOST / LINE; pass++) {
		lines = 0;
		for (int i = 0; i < CHATS; i++) {
			write_lines(fds[i][1], &wrote[i], MOST);
			lines += chats[i]->lines;
		}
		ac_poll(w->map, 0.001);
	}
	assert_int_equal(lines, CHATS * MOST / LINE);
	for (int i = 0; i < CHATS; i++) {
		assert_false(chats[i]->differs);
		close(fds[i][1]);
	}
	assert_true(most_held - before < 4 * IN_FLIGHT);
	passes(w, 10);
}

/* ---- another map, and none ---- */
static void chat_that_changes_maps_in_mid_stream_loses_nothing(void **state)
{
	enum { MOST = 2000000 };
	struct world *w = *state;
	struct ac_map_opts opts = { .poller = w->poller };
	struct ac_map *maps[3] = { w->map, ac_map_new(&opts), NULL };
	size_t wrote = 0;
	struct fed *f;
	int fds[2];

	opts.poller = "poll";
	maps[2] = ac_map_new(&opts);
	tcp_pair(fds);
	f = adopt(w->map, fds[0], NULL);
	for (int i = 0; i < 20000 && f->lines < MOST / LINE; i++) {
		write_lines(fds[1], &wrote, wrote + 30000 < MOST ? wrote + 30000 : MOST);
		for (int m = 0; m < 3; m++)
			ac_poll(maps[m], m == i / 2 % 3 ? 0.0001 : 0);
		write_lines(fds[1], &wrote, wrote + 30000 < MOST ? wrote + 30000 : MOST);
		if (i % 2)
			assert_int_equal(ac_add_channel(&f->c.d, maps[(i / 2 + 1) % 3]), 0);
	}
	assert_int_equal(f->lines, MOST / LINE);
	assert_false(f->differs);
	ac_close(&f->c.d);
	assert_true(ended(fds[1]));
	ac_map_free(maps[1]);
	ac_map_free(maps[2]);
	close(fds[1]);
}

static int take_off(struct fed *f)
{
	ac_del_channel(&((struct fed *)f->arg)->c.d);
	return 0;
}

/* Bytes by hand, of which the first is known only when the chat has cut what it had. */
static size_t check_rest(struct world *w, struct fed *f, const char *text, size_t len)
{
	size_t at;

	assert_int_equal(ac_add_channel(&f->c.d, w->map), 0);
	passes(w, 3);
	assert_false(f->differs);
	at = f->lines * LINE + ac_incoming(&f->c).len;
	for (size_t i = 0; i < len; i++, at++) {
		char line[24];

		snprintf(line, sizeof(line), "%09zu\n", at / LINE);
		assert_int_equal(text[i], line[at % LINE]);
	}
	return at;
}

static void chat_that_is_taken_off_in_mid_stream_loses_nothing(void **state)
{
	static char text[300000];
	struct world *w = *state;

	for (int round = 0; round < 48; round++) {
		size_t wrote = 0, one = 0, len;
		int fds[2], other[2];
		struct fed *f, *taker;

		unix_pair(fds);
		unix_pair(other);
		taker = adopt(w->map, other[0], round & 1 ? take_off : NULL);
		f = adopt(w->map, fds[0], NULL);
		taker->arg = f;
		passes(w, round & 2 ? 2 : 0);
		write_lines(other[1], &one, LINE); /* heard first, in the same pass */
		write_lines(fds[1], &wrote, 100000);
		passes(w, round / 4 % 3);
		ac_del_channel(&f->c.d);
		passes(w, 2);
		len = get(fds[0], text, sizeof(text));
		assert_int_equal(check_rest(w, f, text, len), wrote);
		ac_close_all(w->map, false);
		assert_true(ended(fds[1]));
		close(fds[1]);
		close(other[1]);
		passes(w, 1);
	}
}

/* ---- processes and threads ---- */
static void expect_exit(pid_t child)
{
	int status;

	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* In one process the map is freed, with an answer on its way and input unread; the other goes on. */
static void child_that_frees_its_map_harms_nobody(void **state)
{
	struct world *w = *state;
	int fds[3][2];
	struct fed *f = NULL;

	for (int i = 0; i < 3; i++) {
		tcp_pair(fds[i]);
		f = adopt(w->map, fds[i][0], echo);
		talk(w, fds[i][1], 0);
	}
	assert_int_equal(ac_push(&f->c, "pushed\n", 7), 0);
	put(fds[0][1], "000000001\n");
	for (int i = 0; i < 2; i++) {
		pid_t child = fork();

		if (child == 0) {
			ac_map_free(w->map);
			_exit(0);
		}
		expect_exit(child);
	}
	UNTIL(w, unread(fds[0][1]) == LINE);
	assert_int_equal(unread(fds[2][1]), 7);
	assert_int_equal(get(fds[2][1], (char[16]){ 0 }, 16), 7);
	assert_int_equal(get(fds[0][1], (char[16]){ 0 }, 16), LINE);
	for (size_t line = 2; line < 20; line++)
		for (int i = 0; i < 3; i++)
			talk(w, fds[i][1], line);
	for (int i = 0; i < 3; i++)
		close(fds[i][1]);
	passes(w, 5);
}

static void child_serves_while_its_parent_has_stopped(void **state)
{
	struct world *w = *state;
	int fds[3][2];

	for (int i = 0; i < 3; i++) {
		tcp_pair(fds[i]);
		adopt(w->map, fds[i][0], echo);
		talk(w, fds[i][1], 0);
	}
	for (size_t round = 0; round < 2; round++) {
		pid_t child = fork();

		if (child == 0) {
			for (size_t line = 1; line < 20; line++)
				for (int i = 0; i < 3; i++)
					talk(w, fds[i][1], line);
			ac_map_free(w->map);
			_exit(0);
		}
		expect_exit(child);
	}
	for (int i = 0; i < 3; i++) { /* the child's closes were of its own descriptors */
		talk(w, fds[i][1], 20);
		close(fds[i][1]);
	}
	passes(w, 5);
}

struct talk {
	struct world *w;
	int fd;
	size_t line;
};

static void *talk_there(void *arg)
{
	struct talk *t = arg;

	for (int i = 0; i < 5; i++)
		talk(t->w, t->fd, t->line++);
	return NULL;
}

static void *two_passes(void *arg)
{
	passes(arg, 2);
	return NULL;
}

static void map_runs_in_one_thread_after_another(void **state)
{
	struct world *w = *state;
	struct talk t = { .w = w };
	pthread_t thread;
	int fds[2];

	tcp_pair(fds);
	t.fd = fds[1];
	adopt(w->map, fds[0], echo); /* made here, and has not run here yet */
	for (int i = 0; i < 20; i++) {
		assert_int_equal(pthread_create(&thread, NULL, talk_there, &t), 0);
		pthread_join(thread, NULL);
		if (i % 2)
			talk_there(&t);
	}
	put(fds[1],
	    "000000000\n"); /* is there, and its answer on its way, when the thread changes */
	passes(w, 1);
	put(fds[1], "000000000\n");
	assert_int_equal(pthread_create(&thread, NULL, two_passes, w), 0);
	pthread_join(thread, NULL);
	UNTIL(w, unread(fds[1]) == 2 * LINE);
	close(fds[1]);
	passes(w, 5);
}

/* ---- a kernel that has none ---- */
static bool forbid_rings(unsigned error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static char said[512];
static int said_count;

static void say(void *arg, enum ac_log_level level, const char *text)
{
	(void)arg, (void)level;
	said_count++;
	snprintf(said, sizeof(said), "%s", text);
}

static int map_without_rings(unsigned error)
{
	struct ac_map_opts opts = { .poller = "io_uring", .log = say };
	struct world w = { 0 };
	int fds[2];

	if (!forbid_rings(error))
		return 77;
	w.map = ac_map_new(&opts);
	if (!w.map || strcmp(ac_map_poller(w.map), "epoll") != 0 || said_count != 1)
		return 1;
	if (!strstr(said, "io_uring") || !strstr(said, ac_error_name((int)error)) ||
	    !strstr(said, "epoll"))
		return 2;
	tcp_pair(fds);
	adopt(w.map, fds[0], echo);
	for (size_t line = 0; line < 5; line++)
		talk(&w, fds[1], line);
	ac_map_free(w.map);
	return said_count == 1 ? 0 : 3;
}

static void refused_ring_is_said_once_and_epoll_serves(void **state)
{
	static const unsigned errors[] = { EPERM, ENOSYS };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		pid_t child = fork();
		int status;

		if (child == 0)
			_exit(map_without_rings(errors[i]));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 77)
			skip();
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(paused_chat_leaves_its_input_in_the_kernel),
		EACH(pause_amid_input_takes_no_more_than_is_in_flight),
		EACH(chat_that_is_choked_leaves_its_input_in_the_kernel),
		EACH(passes_inside_keep_order_and_lose_nothing),
		EACH(chat_that_changes_maps_in_mid_stream_loses_nothing),
		EACH(chat_that_is_taken_off_in_mid_stream_loses_nothing),
		EACH(child_that_frees_its_map_harms_nobody),
		EACH(child_serves_while_its_parent_has_stopped),
		EACH(map_runs_in_one_thread_after_another),
		ON(refused_ring_is_said_once_and_epoll_serves, epoll),
	};

	return RUN(tests);
}
