/*
 * test_hazards.c — what peers and the kernel do to channels: failing calls, resets, signals, bad descriptors.
 *
 * Design: the linker puts __wrap_X in the place of libc's X (meson.build says which): it fails on one
 * descriptor as told, else it is the real one.
 */
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/select.h>

static struct {
	int fd, code;
	int times;   /* so often a call on fd fails with code */
	size_t most; /* bytes one send takes, if not 0 */
} kernel = { .fd = -1 };

int __real_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);
ssize_t __real_recv(int fd, void *buffer, size_t size, int flags);
ssize_t __real_send(int fd, const void *data, size_t len, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *msg, int flags);
int __wrap_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);
ssize_t __wrap_recv(int fd, void *buffer, size_t size, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t len, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);

static bool fails(int fd)
{
	if (fd != kernel.fd || kernel.times == 0)
		return false;
	kernel.times--;
	errno = kernel.code;
	return true;
}

int __wrap_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	return fails(fd) ? -1 : __real_accept4(fd, addr, len, flags);
}

ssize_t __wrap_recv(int fd, void *buffer, size_t size, int flags)
{
	return fails(fd) ? -1 : __real_recv(fd, buffer, size, flags);
}

ssize_t __wrap_send(int fd, const void *data, size_t len, int flags)
{
	if (fd == kernel.fd && kernel.most && len > kernel.most)
		len = kernel.most;
	return fails(fd) ? -1 : __real_send(fd, data, len, flags);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	if (fd == kernel.fd && kernel.most)
		return __wrap_send(fd, msg->msg_iov[0].iov_base, msg->msg_iov[0].iov_len, flags);
	return fails(fd) ? -1 : __real_sendmsg(fd, msg, flags);
}

static void kernel_fails(int fd, int code, int times)
{
	kernel.fd = fd;
	kernel.code = code;
	kernel.times = times;
	kernel.most = 0;
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
		enum { QUIET, SAID, SHEDS } how;
	} errors[] = {
		{ ECONNABORTED, QUIET }, { EPROTO, QUIET },   { EINTR, QUIET },
		{ ENETDOWN, QUIET },     { EPERM, QUIET },    { EHOSTUNREACH, QUIET },
		{ ENOTCONN, SAID },      { ETIMEDOUT, SAID }, { ECONNRESET, SAID },
		{ EMFILE, SHEDS },       { ENFILE, SHEDS },   { ENOBUFS, SHEDS },
		{ ENOMEM, SHEDS },
	};
	struct world *w = *state;
	struct ac_dispatcher *d = serve(w);

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		int seen = accepted, client;
		size_t log_len = w->log_len;

		kernel_fails(d->fd, errors[i].code, 1);
		client = connect_to(d);
		if (errors[i].how == SHEDS)
			UNTIL(w, ended(client));
		else
			UNTIL(w, accepted == seen + 1);
		assert_int_equal(kernel.times, 0);
		assert_true(ac_accepting(d));
		if (errors[i].how != SHEDS) /* that is not said each time */
			assert_int_equal(w->log_len > log_len, errors[i].how == SAID);
		close(client);
		UNTIL(w, ac_map_channels(w->map) == 1);
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

static int nothing(struct ac_dispatcher *d)
{
	(void)d;
	return 0;
}

static const struct ac_chat_class urgent_class = {
	.d = { .super = &rec_class.d, .name = "urgent", .handle_expt = nothing },
};

static void paused_channel_that_hears_urgent_data_learns_that_its_peer_died(void **state)
{
	struct world *w = *state;
	const char *trace;
	struct rec *r;
	int fds[2];

	unix_pair(fds);
	r = (struct rec *)ac_chat_adopt(w->map, &urgent_class, fds[0], NULL);
	trace = r->trace = new_trace(w);
	ac_pause(&r->c.d);
	passes(w, 2);
	close(fds[1]);
	UNTIL(w, strcmp(trace, "X") == 0);
}

/* Takes all descriptors below FD_SETSIZE, and the first above; how many that were. */
static int take_low_descriptors(int *taken)
{
	int count = 0;

	do {
		taken[count] = dup(0);
		assert_true(taken[count] >= 0);
	} while (taken[count++] < FD_SETSIZE);
	return count;
}

static void descriptor_too_high_for_select_is_refused_at_its_channel(void **state)
{
	static int taken[FD_SETSIZE + 1];
	struct world *w = *state;
	struct ac_dispatcher *d, *dialled;
	struct rlimit old, more;
	char where[AC_ADDR_TEXT];
	struct ac_addr addr;
	int client, count;

	getrlimit(RLIMIT_NOFILE, &old);
	more = (struct rlimit){ FD_SETSIZE + 64, old.rlim_max };
	if (setrlimit(RLIMIT_NOFILE, &more) < 0)
		skip();
	d = serve(w);
	dialled = ac_new(w->map, &rec_class.d);
	assert_int_equal(ac_local_addr(d, &addr), 0);
	client = connect_to(d);
	count = take_low_descriptors(taken);
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
		/* io_uring reads for chats: there is no call of ours that could fail */
		ON(errors_of_the_kernel_close_once, select),
		ON(errors_of_the_kernel_close_once, poll),
		ON(errors_of_the_kernel_close_once, epoll),
		EACH(interrupted_calls_lose_nothing),
		EACH(two_bytes_a_send_arrive_and_then_it_closes),
		EACH(no_way_of_sending_raises_a_signal),
		EACH(descriptor_closed_behind_our_back_is_its_channels_own_error),
		EACH(paused_channel_that_hears_urgent_data_learns_that_its_peer_died),
		ON(descriptor_too_high_for_select_is_refused_at_its_channel, select),
	};

	return RUN(tests);
}
