/*
 * test_accept_storm.c — more than a listener can bear: connections that are gone when they are looked at, that
 * fail to be accepted, that find no descriptor, or that hang half closed.
 *
 * Design: the linker puts __wrap_accept4 in the place of libc's (meson.build says so): it fails as told.
 */
#include "harness.h"

#include <asyncore/overload.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct {
	int every;  /* so many calls, one fails; 0: none does */
	int number; /* of calls so far */
	int failed; /* of those that found no descriptor */
} accepts;

int __real_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);

int __wrap_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	static const int codes[] = { ECONNABORTED, EPROTO, EINTR, EHOSTUNREACH };
	int r;

	if (accepts.every && ++accepts.number % accepts.every == 0) {
		errno = codes[accepts.number / accepts.every % 4];
		if (accepts.number % 1400 == 0) /* what it does not know lets it rest a moment */
			errno = ENOTCONN;
		return -1;
	}
	r = __real_accept4(fd, addr, len, flags);
	accepts.failed += r < 0 && errno == EMFILE;
	return r;
}

static int accepted;

static int accept_chat(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct ac_chat *c = ac_chat_adopt(d->map, &rec_class, fd, peer);

	accepted++;
	return c ? ac_set_terminator(c, "\n", 1) : ac_raise(d, errno);
}

static const struct ac_class listener_class = {
	.super = AC_DISPATCHER,
	.name = "listener",
	.handle_accepted = accept_chat,
};

static struct ac_dispatcher *serve(struct world *w)
{
	struct ac_dispatcher *d = ac_new(w->map, &listener_class);

	accepted = 0;
	memset(&accepts, 0, sizeof(accepts));
	assert_int_equal(ac_serve(d, "127.0.0.1:0"), 0);
	return d;
}

static int lines_with(const struct world *w, const char *text)
{
	int n = 0;

	for (const char *at = w->log; (at = strstr(at, text)) != NULL; at++)
		n++;
	return n;
}

static double cpu_seconds(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
	       (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

/* Nothing spins when all is over: 50 ms of a second would be ten times what it takes. */
static void assert_idle(struct world *w)
{
	double before = cpu_seconds();

	assert_true(waits_in(w, 1) < 60);
	assert_true(cpu_seconds() - before < 0.05);
}

static void still_serves(struct world *w, struct ac_dispatcher *d)
{
	int seen = accepted, client = connect_to(d);

	UNTIL(w, accepted == seen + 1);
	close(client);
	UNTIL(w, ac_map_connections(w->map) == 0);
	assert_int_equal(ac_map_channels(w->map), 1);
}

/* RELIABILITY E1: races of accept. */
static void connect_and_reset_with_failing_accepts_leave_the_listener_alive(void **state)
{
	enum { TIMES = 10000 };
	struct world *w = *state;
	struct ac_dispatcher *d = serve(w);

	accepts.every = 7;
	for (int i = 0; i < TIMES; i++) {
		reset(connect_to(d));
		if (i % 11 == 0)
			passes(w, 1);
		if (i % 100 == 0) /* more than the backlog, and a connect would wait for us */
			UNTIL(w, accepted > i - 500);
		assert_true(ac_accepting(d));
	}
	accepts.every = 0;
	/* a reset that overtakes its handshake on another processor leaves nothing to accept */
	UNTIL(w, ac_map_connections(w->map) == 0 && accepted > TIMES - 100);
	waits_in(w, 0.2);
	still_serves(w, d);
	assert_idle(w);
}

/* RELIABILITY E2: half open, and nobody there to be asked who it is. */
static void reset_before_anybody_asks_for_the_peer_costs_nothing_when_idle(void **state)
{
	enum { TIMES = 10000 };
	struct world *w = *state;
	struct ac_addr addr;
	int listener = listen_tcp(&addr);

	serve(w); /* with nothing open, nothing would wait */
	for (int i = 0; i < TIMES; i++) {
		int client = socket(AF_INET, SOCK_STREAM, 0), fd;

		assert_int_equal(connect(client, &addr.sa, addr.len), 0);
		fd = accept(listener, NULL, NULL);
		assert_true(fd >= 0);
		reset(client);
		ac_chat_adopt(w->map, &rec_class, fd, NULL); /* or not: both may be */
		if (i % 13 == 0)
			passes(w, 1);
	}
	close(listener);
	UNTIL(w, ac_map_channels(w->map) == 1);
	assert_idle(w);
}

static pid_t hold_connections(struct ac_dispatcher *d, int count, int *ret_pipe)
{
	struct ac_addr addr;
	int ends[2], fds[100];
	char byte = 0;
	pid_t pid;

	assert_int_equal(ac_local_addr(d, &addr), 0);
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < count; i++) {
			fds[i] = socket(AF_INET, SOCK_STREAM, 0);
			if (connect(fds[i], &addr.sa, addr.len) < 0)
				_exit(1);
		}
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) < 0); /* until the other end goes */
	}
	close(ends[0]);
	*ret_pipe = ends[1];
	return pid;
}

/* RELIABILITY E3: no descriptors. */
static void out_of_descriptors_is_shed_slowly_said_once_and_over_at_once(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d = serve(w);
	struct rlimit before, few;
	int held, seen, client;
	pid_t pid;

	ac_map_set_limit(w->map, AC_MAX_CONNECTIONS, SIZE_MAX);
	pid = hold_connections(d, 100, &held);
	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	few.rlim_cur = 32;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	UNTIL(w, accepts.failed > 0);
	seen = accepts.failed;
	waits_in(w, 1);
	assert_in_range(accepts.failed - seen, 2, 20);
	assert_in_range(lines_with(w, "EMFILE"), 1, 2);
	assert_true(ac_map_counter(w->map, AC_COUNT_NO_DESCRIPTOR) >= (uint64_t)accepts.failed);
	setrlimit(RLIMIT_NOFILE, &before);
	seen = accepted;
	client = connect_to(d); /* behind those that wait: with descriptors all are accepted */
	UNTIL(w, accepted > seen + 20);
	close(client);
	close(held);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	UNTIL(w, ac_map_connections(w->map) == 0);
	still_serves(w, d);
}

/* RELIABILITY E16: places that half-closed connections would keep. */
static void half_closed_in_mid_record_gives_its_place_back(void **state)
{
	enum { TIMES = 10000, KEPT = 50 };
	struct world *w = *state;
	struct ac_dispatcher *d = serve(w);
	int kept[KEPT];
	size_t bytes;

	ac_map_set_limit(w->map, AC_MAX_CONNECTIONS, KEPT);
	still_serves(w, d);
	bytes = allocated_bytes();
	for (int i = 0; i < TIMES; i++) {
		int fd = connect_to(d);

		put(fd, "no end");
		shutdown(fd, SHUT_WR);
		if (i >= KEPT)
			close(kept[i % KEPT]);
		kept[i % KEPT] = fd; /* it stays open on the other side */
		if (i % 10 == 9)
			UNTIL(w, ac_map_connections(w->map) == 0 && accepted == i + 2);
	}
	for (int i = 0; i < KEPT; i++)
		close(kept[i]);
	assert_int_equal(ac_map_counter(w->map, AC_COUNT_OVER_TOTAL), 0);
	assert_int_equal(ac_map_channels(w->map), 1);
	assert_true(allocated_bytes() < bytes + 65536);
}

/* RELIABILITY E8: output that nobody reads. */
static void gigabyte_for_peers_who_never_read_holds_their_caps_and_no_more(void **state)
{
	enum { PEERS = 200, CAP = 1 << 18, PIECE = 1 << 16, EACH_ONE = 5 << 20 };
	static char text[PIECE];
	struct world *w = *state;
	size_t before = allocated_bytes(), most = 0;
	uint64_t refused = 0;
	int fds[PEERS];

	ac_map_set_limit(w->map, AC_MAX_OUTPUT, CAP);
	for (int i = 0; i < PEERS; i++) {
		struct rec *r = rec_pair(w, &fds[i]);

		r->trace = NULL;
		for (size_t sent = 0; sent < EACH_ONE; sent += PIECE)
			refused += ac_push(&r->c, text, PIECE) == -ENOBUFS;
		passes(w, 1);
		if (allocated_bytes() - before > most)
			most = allocated_bytes() - before;
	}
	assert_true(refused > PEERS * (EACH_ONE / PIECE) * 3 / 4);
	assert_int_equal(ac_map_counter(w->map, AC_COUNT_OUTPUT_REFUSED), refused);
	assert_true(most <= (size_t)PEERS * CAP / 10 * 11);
	assert_true(lines_with(w, "output refused") < 10);
	for (int i = 0; i < PEERS; i++)
		close(fds[i]);
}

/* RELIABILITY E9: memory for a byte. */
static void byte_at_a_time_holds_no_more_than_the_record_limit(void **state)
{
	enum { MOST = 1000, LIMIT = 128 };
	struct world *w = *state;
	struct rlimit files;
	struct rec *recs[MOST];
	int fds[MOST], count = strcmp(w->poller, "select") == 0 ? 400 : MOST;
	size_t before;

	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur < 2 * MOST + 100)
		count = 400;
	for (int i = 0; i < count; i++) {
		recs[i] = rec_pair(w, &fds[i]);
		recs[i]->trace = NULL;
		assert_int_equal(ac_set_terminator(&recs[i]->c, "\n", 1), 0);
		assert_int_equal(ac_set_limit(&recs[i]->c.d, AC_MAX_RECORD, LIMIT), 0);
	}
	passes(w, 2);
	before = allocated_bytes();
	for (int n = 0; n < LIMIT; n++) {
		for (int i = 0; i < count; i++)
			put(fds[i], "x");
		passes(w, 2);
	}
	assert_true(allocated_bytes() - before <= (size_t)count * (LIMIT + 64) + 131072);
	assert_int_equal(ac_map_channels(w->map), count);
	for (int i = 0; i < count; i++)
		put(fds[i], "x");
	UNTIL(w, ac_map_channels(w->map) == 0);
	assert_int_equal(ac_map_counter(w->map, AC_COUNT_RECORD_TOO_LONG), count);
	for (int i = 0; i < count; i++)
		close(fds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(connect_and_reset_with_failing_accepts_leave_the_listener_alive),
		EACH(reset_before_anybody_asks_for_the_peer_costs_nothing_when_idle),
		EACH(out_of_descriptors_is_shed_slowly_said_once_and_over_at_once),
		EACH(half_closed_in_mid_record_gives_its_place_back),
		EACH(gigabyte_for_peers_who_never_read_holds_their_caps_and_no_more),
		EACH(byte_at_a_time_holds_no_more_than_the_record_limit),
	};

	return RUN(tests);
}
