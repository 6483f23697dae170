/*
 * test_hazards.c — what peers, the kernel and careless handlers do to a loop: E1 to E14 of the reliability goals.
 *
 * The calls below stand in for libc's and fail on one descriptor as told: the library is linked into the test.
 */
#undef _FORTIFY_SOURCE
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>

static struct {
	int fd, code;
	int times;   /* so often a call on fd fails with code */
	size_t most; /* bytes one send takes, if not 0 */
} kernel;

static bool fails(int fd)
{
	if (fd != kernel.fd || kernel.times == 0)
		return false;
	kernel.times--;
	errno = kernel.code;
	return true;
}

int accept4(int fd, __SOCKADDR_ARG addr, socklen_t *restrict len, int flags)
{
	return fails(fd) ? -1 : (int)syscall(SYS_accept4, fd, addr.__sockaddr__, len, flags);
}

ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
	return fails(fd) ? -1 : syscall(SYS_recvfrom, fd, buffer, size, flags, NULL, NULL);
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
	if (fd == kernel.fd && kernel.most && len > kernel.most)
		len = kernel.most;
	return fails(fd) ? -1 : syscall(SYS_sendto, fd, data, len, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	if (fd == kernel.fd && kernel.most)
		return send(fd, msg->msg_iov[0].iov_base, msg->msg_iov[0].iov_len, flags);
	return fails(fd) ? -1 : syscall(SYS_sendmsg, fd, msg, flags);
}

static void kernel_fails(int fd, int code, int times)
{
	kernel.fd = fd;
	kernel.code = code;
	kernel.times = times;
	kernel.most = 0;
}

static int waits_in(struct world *w, double seconds)
{
	int n = 0;

	for (double end = ac_now(w->map) + seconds; ac_now(w->map) < end; n++)
		ac_poll(w->map, 0.05);
	return n;
}

/* ---- listeners ---- */
static int accepted;

static int accept_rec(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct ac_chat *c = ac_chat_adopt(d->map, &rec_class, fd, peer);

	accepted++;
	if (!c)
		return ac_raise(d, errno);
	AC_TRY(c, ac_set_limit(&c->d, AC_MAX_RECORD, 64));
	return ac_set_terminator(c, "\n", 1);
}

static const struct ac_class listener_class = {
	.super = AC_DISPATCHER,
	.name = "listener",
	.handle_accepted = accept_rec,
};

static struct ac_dispatcher *serve(struct world *w)
{
	struct ac_dispatcher *d = ac_new(w->map, &listener_class);

	accepted = 0;
	assert_int_equal(ac_serve(d, "127.0.0.1:0"), 0);
	return d;
}

static void listener_outlives_every_error_of_accept(void **state)
{
	static const struct {
		int code;
		bool sheds;
	} errors[] = {
		{ ECONNABORTED, false }, { EPROTO, false },    { EINTR, false },
		{ ENETDOWN, false },     { EPERM, false },     { EHOSTUNREACH, false },
		{ ENOTCONN, false },     { ETIMEDOUT, false }, { ECONNRESET, false },
		{ EMFILE, true },        { ENFILE, true },     { ENOBUFS, true },
		{ ENOMEM, true },
	};
	struct world *w = *state;
	struct ac_dispatcher *d = serve(w);

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		int seen = accepted, client;

		kernel_fails(d->fd, errors[i].code, 1);
		client = connect_to(d);
		if (errors[i].sheds)
			UNTIL(w, ended(client));
		else
			UNTIL(w, accepted == seen + 1);
		assert_int_equal(kernel.times, 0);
		assert_true(ac_accepting(d));
		close(client);
	}
	kernel_fails(-1, 0, 0);
}

static void connections_reset_at_once_leave_nothing_behind(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d = serve(w);
	int client;

	for (int i = 0; i < 300; i++) {
		reset(connect_to(d));
		if (i % 7 == 0)
			passes(w, 1);
	}
	UNTIL(w, ac_map_channels(w->map) == 1);
	assert_true(waits_in(w, 0.1) < 10);
	client = connect_to(d);
	UNTIL(w, ac_map_channels(w->map) == 2);
	close(client);
}

static void bad_input_from_many_leaks_nothing(void **state)
{
	static const char noise[101] = "a record that does not end; a record that does not end; "
				       "a record that does not end; and so on.";
	struct world *w = *state;
	struct ac_dispatcher *d = serve(w);
	int before = count_fds();

	for (int i = 0; i < 100; i++) {
		int client = connect_to(d);

		put(client, noise);
		UNTIL(w, ended(client));
		close(client);
	}
	UNTIL(w, ac_map_channels(w->map) == 1);
	assert_int_equal(accepted, 100);
	assert_int_equal(count_fds(), before);
}

static void socket_reset_before_it_was_adopted_is_refused(void **state)
{
	struct world *w = *state;
	struct ac_addr addr;
	struct rec *r;
	int fds[2], listener = listen_tcp(&addr);

	tcp_pair(fds);
	reset(fds[1]);
	assert_null(ac_adopt(w->map, &rec_class.d, fds[0], NULL));
	assert_int_equal(errno, ECONNRESET);
	/* A fresh one is another matter: it may connect yet. */
	r = (struct rec *)ac_adopt(w->map, &rec_class.d, socket(AF_INET, SOCK_STREAM, 0), NULL);
	r->trace = new_trace(w);
	assert_int_equal(ac_connect(&r->c.d, &addr), 0);
	UNTIL(w, strcmp(r->trace, "O") == 0);
	close(listener);
}

/* ---- errors of connections ---- */
static struct rec *rec_tcp(struct world *w, int *ret_fd)
{
	struct rec *r;
	int fds[2];

	tcp_pair(fds);
	r = (struct rec *)ac_chat_adopt(w->map, &rec_class, fds[0], NULL);
	r->trace = new_trace(w);
	passes(w, 1);
	*ret_fd = fds[1];
	return r;
}

static const int lost[] = { ECONNRESET, ECONNABORTED, ENOTCONN, ESHUTDOWN, EPIPE, EBADF };
static const int raised[] = { ETIMEDOUT, EHOSTUNREACH, EIO, ENOMEM };

static void check_failure(struct world *w, int code, bool is_lost, bool sends)
{
	char expected[64] = "X";
	const char *trace;
	struct rec *r;
	int fd;

	r = rec_tcp(w, &fd);
	trace = r->trace;
	kernel_fails(r->c.d.fd, code, 1);
	if (sends)
		assert_int_equal(ac_push(&r->c, "x", 1), 0);
	else
		put(fd, "x");
	UNTIL(w, strchr(trace, 'X'));
	if (!is_lost)
		snprintf(expected, sizeof(expected), "E(%s)X", ac_error_name(code));
	assert_string_equal(trace, expected);
	assert_int_equal(kernel.times, 0);
	kernel_fails(-1, 0, 0);
	close(fd);
}

static void errors_of_the_kernel_close_once(void **state)
{
	for (int sends = 0; sends < 2; sends++) {
		for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
			check_failure(*state, lost[i], true, sends);
		for (size_t i = 0; i < sizeof(raised) / sizeof(raised[0]); i++)
			check_failure(*state, raised[i], false, sends);
	}
}

static void interrupted_calls_lose_nothing(void **state)
{
	struct world *w = *state;
	char text[16] = "";
	int fd;
	struct rec *r = rec_tcp(w, &fd);

	kernel_fails(r->c.d.fd, EINTR, 3);
	put(fd, "in");
	UNTIL(w, strcmp(r->trace, "C(in)") == 0);
	kernel_fails(r->c.d.fd, EINTR, 3);
	assert_int_equal(ac_push(&r->c, "out", 3), 0);
	UNTIL(w, text[0] || get(fd, text, sizeof(text)));
	assert_string_equal(text, "out");
	kernel_fails(-1, 0, 0);
	close(fd);
}

/* After a send that was cut the kernel would tell an edge poller when there is room: ac_write does. */
static void two_bytes_a_send_arrive_and_then_it_closes(void **state)
{
	struct world *w = *state;
	const char *trace;
	char text[16] = "";
	int fd;
	struct rec *r = rec_tcp(w, &fd);

	trace = r->trace;
	kernel_fails(r->c.d.fd, EAGAIN, 0);
	kernel.most = 2;
	assert_int_equal(ac_push(&r->c, "abcdef", 6), 0);
	assert_int_equal(ac_close_when_done(&r->c), 0);
	for (int i = 0; i < 8 && !strchr(trace, 'X'); i++) {
		assert_int_equal(ac_pending(&r->c), 4 - i / 2 * 2);
		kernel.times = i % 2 == 0; /* refused every other time */
		ac_write(&r->c.d);
	}
	passes(w, 2);
	kernel_fails(-1, 0, 0);
	assert_string_equal(trace, "X");
	get(fd, text, sizeof(text));
	assert_string_equal(text, "abcdef");
	assert_true(ended(fd));
	close(fd);
}

static volatile sig_atomic_t broken_pipes;

static void count_pipe(int signo)
{
	(void)signo;
	broken_pipes++;
}

static const struct ac_class sender_class = { .super = AC_DISPATCHER_WITH_SEND, .name = "sender" };
static const struct ac_chat_class writer_class = { .d = { .super = AC_CHAT, .name = "writer" } };

static void no_way_of_sending_raises_a_signal(void **state)
{
	struct sigaction ours = { .sa_handler = count_pipe }, old, now;
	struct world *w = *state;
	int fds[2], fd, file = open("/proc/self/exe", O_RDONLY);

	sigaction(SIGPIPE, &ours, &old);
	broken_pipes = 0;
	for (int way = 0; way < 5; way++) {
		struct rec *r = rec_pair(w, &fd);
		struct ac_dispatcher *s;

		close(fd);
		unix_pair(fds);
		s = ac_adopt(w->map, &sender_class, fds[0], NULL);
		close(fds[1]);
		if (way == 0)
			assert_int_equal(ac_send(&r->c.d, "x", 1), 0);
		else if (way == 1)
			assert_int_equal(ac_push(&r->c, "x", 1), 0);
		else if (way == 2)
			assert_int_equal(ac_push_file(&r->c, dup(file), 0, 4096), 0);
		else if (way == 3)
			assert_int_equal(ac_sender_send((struct ac_sender *)s, "x", 1), 1);
		assert_int_equal(pipe(fds), 0);
		r = (struct rec *)ac_file_dispatcher(w->map, &writer_class.d, fds[1]);
		close(fds[0]);
		close(fds[1]);
		assert_int_equal(ac_push((struct ac_chat *)r, "x", 1), 0);
		UNTIL(w, ac_map_channels(w->map) == 0);
	}
	assert_int_equal(broken_pipes, 0);
	sigaction(SIGPIPE, &old, &now);
	assert_ptr_equal(now.sa_handler, count_pipe); /* and the library has not put in its own */
	close(file);
}

static void descriptor_closed_behind_our_back_is_its_channels_own_error(void **state)
{
	struct world *w = *state;
	int fd, other, stays;
	struct rec *bad = rec_pair(w, &fd), *good = rec_pair(w, &other);
	int number = bad->c.d.fd;

	passes(w, 1);
	stays = dup(number);
	close(number);
	put(other, "hello");
	for (int i = 0; i < 5; i++)
		assert_int_equal(ac_poll(w->map, 0.005), 0);
	assert_string_equal(good->trace, "C(hello)");
	assert_true(waits_in(w, 0.1) < 10);
	close(stays);
	close(fd);
	close(other);
}

/* ---- memory ---- */
static void peers_who_never_read_cost_no_more_than_their_caps(void **state)
{
	enum { PEERS = 30, CAP = 65536 };
	static char text[1000];
	struct world *w = *state;
	size_t before = allocated_bytes();
	int fds[PEERS];

	ac_map_set_limit(w->map, AC_MAX_OUTPUT, CAP);
	for (int i = 0; i < PEERS; i++) {
		struct rec *r = rec_pair(w, &fds[i]);
		int n = 0;

		while (ac_push(&r->c, text, sizeof(text)) == 0)
			assert_true(++n < 100000);
		assert_int_equal(ac_push(&r->c, text, sizeof(text)), -ENOBUFS);
		assert_in_range(ac_pending(&r->c), CAP - sizeof(text), CAP);
	}
	passes(w, 3);
	assert_true(allocated_bytes() - before < PEERS * CAP / 10 * 11 + PEERS * 16384);
	for (int i = 0; i < PEERS; i++)
		close(fds[i]);
}

static void record_that_comes_byte_by_byte_holds_what_it_has(void **state)
{
	struct world *w = *state;
	int fds[2];
	struct ac_chat *c;
	size_t before;

	unix_pair(fds);
	c = ac_chat_adopt(w->map, &writer_class, fds[0], NULL);
	assert_int_equal(ac_set_terminator(c, "\n", 1), 0);
	assert_int_equal(ac_set_limit(&c->d, AC_MAX_RECORD, 1500), 0);
	put(fds[1], "x");
	passes(w, 2);
	before = allocated_bytes();
	for (int i = 1; i < 1500; i++) {
		put(fds[1], "x");
		passes(w, 1);
	}
	assert_int_equal(ac_incoming(c).len, 1500);
	assert_true(allocated_bytes() - before < 2 * 1500);
	assert_int_equal(ac_map_channels(w->map), 1);
	put(fds[1], "x");
	passes(w, 2);
	assert_int_equal(ac_map_channels(w->map), 0);
	assert_non_null(strstr(w->log, "EMSGSIZE"));
	close(fds[1]);
}

static int freed;

static void count_free(void *arg)
{
	(void)arg;
	freed++;
}

static void lengths_that_wrap_around_are_errors(void **state)
{
	static const size_t lens[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 64, SIZE_MAX / 2 + 1 };
	struct world *w = *state;
	int fd;
	struct rec *r = rec_pair(w, &fd);

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		assert_int_equal(ac_set_limit(&r->c.d, AC_MAX_OUTPUT, 0), 0);
		assert_int_equal(ac_push(&r->c, "x", lens[i]), -ENOBUFS);
		freed = 0;
		assert_int_equal(ac_push_owned(&r->c, "x", lens[i], count_free, NULL), -ENOBUFS);
		assert_int_equal(freed, 1);
		assert_int_equal(ac_set_limit(&r->c.d, AC_MAX_OUTPUT, SIZE_MAX), 0);
		assert_int_equal(ac_push(&r->c, "x", lens[i]), -ENOMEM);
		assert_int_equal(ac_pending(&r->c), 0);
		assert_null(ac_simple_producer("x", lens[i], 0));
		assert_int_equal(ac_set_terminator(&r->c, "x", lens[i]), -EINVAL);
		assert_int_equal(
			ac_set_terminator_any(&r->c, &(struct ac_slice){ "x", lens[i] }, 1),
			-EINVAL);
	}
	assert_int_equal(ac_push_file(&r->c, -1, 0, 1), -EINVAL);
	assert_int_equal(ac_push_file(&r->c, dup(0), -1, 1), -EINVAL);
	assert_int_equal(ac_push_file(&r->c, dup(0), 0, -1), -EINVAL);
	assert_int_equal(ac_set_terminator_count(&r->c, INT64_MAX), 0);
	put(fd, "abc");
	for (int i = 0; i < 5; i++)
		passes(w, 1);
	printf("TRACE %s log %s\n", r->trace, w->log);
	UNTIL(w, strcmp(r->trace, "C(abc)") == 0);
	close(fd);
}

/* Arrays that grow when the 65th channel comes: whichever allocation fails, none may be believed to have grown. */
static void channel_that_found_no_memory_leaves_room_for_the_next(void **state)
{
	enum { MOST = 130 };
	struct world *w = *state;
	int fds[MOST], pair[2], count = 0;
	long nth = 0;
	bool failed;

	while (count < 64)
		rec_pair(w, &fds[count++]);
	do {
		unix_pair(pair);
		fail_allocation(++nth, false);
		failed = !ac_chat_adopt(w->map, &rec_class, pair[0], NULL);
		fail_allocation(0, false);
		if (failed)
			close(pair[1]);
		else
			fds[count++] = pair[1];
	} while (failed);
	while (count < MOST)
		rec_pair(w, &fds[count++]);
	for (int i = 0; i < MOST; i++)
		close(fds[i]);
	passes(w, 2);
	assert_int_equal(ac_map_channels(w->map), 0);
}

static void descriptor_too_high_for_select_is_refused_at_its_channel(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d = serve(w), *dialled = ac_new(w->map, &rec_class.d);
	struct rlimit old, more;
	static int taken[FD_SETSIZE + 1];
	int count = 0, client = connect_to(d), fd;
	char where[AC_ADDR_TEXT];
	struct ac_addr addr;

	assert_int_equal(ac_local_addr(d, &addr), 0);
	getrlimit(RLIMIT_NOFILE, &old);
	more = old;
	more.rlim_cur = old.rlim_max < FD_SETSIZE + 64 ? old.rlim_max : FD_SETSIZE + 64;
	setrlimit(RLIMIT_NOFILE, &more);
	while ((fd = dup(0)) >= 0 && fd < FD_SETSIZE)
		taken[count++] = fd;
	taken[count++] = fd;
	UNTIL(w, ended(client)); /* accepted, and closed for want of room */
	assert_int_equal(ac_dial(dialled, ac_addr_format(&addr, where, sizeof(where))), -EMFILE);
	assert_int_equal(dialled->fd, -1);
	while (count > 0)
		close(taken[--count]);
	setrlimit(RLIMIT_NOFILE, &old);
	close(client);
	assert_true(ac_accepting(d));
	assert_int_equal(ac_map_channels(w->map), 1);
	client = connect_to(d);
	UNTIL(w, ac_map_channels(w->map) == 2);
	close(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(listener_outlives_every_error_of_accept),
		EACH(connections_reset_at_once_leave_nothing_behind),
		EACH(bad_input_from_many_leaks_nothing),
		EACH(socket_reset_before_it_was_adopted_is_refused),
		EACH(errors_of_the_kernel_close_once),
		EACH(interrupted_calls_lose_nothing),
		EACH(two_bytes_a_send_arrive_and_then_it_closes),
		EACH(no_way_of_sending_raises_a_signal),
		EACH(descriptor_closed_behind_our_back_is_its_channels_own_error),
		EACH(peers_who_never_read_cost_no_more_than_their_caps),
		EACH(record_that_comes_byte_by_byte_holds_what_it_has),
		EACH(lengths_that_wrap_around_are_errors),
		EACH(channel_that_found_no_memory_leaves_room_for_the_next),
		ON(descriptor_too_high_for_select_is_refused_at_its_channel, select),
	};

	kernel.fd = -1;
	return RUN(tests);
}
