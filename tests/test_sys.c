/* test_sys.c — sys.c: signals neither interrupt a call nor reach the program through us; nothing leaks. */
#include "harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "../src/base/base.h"

static volatile sig_atomic_t alarms, broken_pipes;

static void count_alarm(int signo)
{
	(void)signo;
	alarms++;
}

static void count_pipe(int signo)
{
	(void)signo;
	broken_pipes++;
}

/* Every case counts broken pipes, and leaves neither descriptors nor a changed signal mask. */
static int setup(void **state)
{
	static int before;
	struct sigaction action = { .sa_handler = count_pipe };

	broken_pipes = 0;
	before = count_fds();
	*state = &before;
	return sigaction(SIGPIPE, &action, NULL);
}

static int teardown(void **state)
{
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	return sigismember(&mask, SIGPIPE) || count_fds() != *(int *)*state;
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

static void close_both(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static void blocking_pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
}

/* ---- interrupted calls: the timer rings every 5 ms, and somebody else ends the wait after 50 ---- */

struct rescue {
	int fd;
	size_t take; /* 0: gives a byte, else reads so many */
};

static void *come_later(void *arg)
{
	struct rescue *r = arg;
	char text[4096];

	usleep(50000);
	if (r->take == 0)
		assert_int_equal(write(r->fd, "x", 1), 1);
	for (ssize_t n = 1; r->take > 0 && n > 0; r->take -= n > 0 ? (size_t)n : 0)
		n = read(r->fd, text, r->take < sizeof(text) ? r->take : sizeof(text));
	return NULL;
}

static void ring(bool on)
{
	struct itimerval often = { { 0, on ? 5000 : 0 }, { 0, on ? 5000 : 0 } };

	setitimer(ITIMER_REAL, &often, NULL);
}

/* Only this thread is interrupted. */
static pthread_t begin_interrupting(struct rescue *r)
{
	struct sigaction action = { .sa_handler = count_alarm }; /* no SA_RESTART */
	pthread_t thread;
	sigset_t set;

	alarms = 0;
	sigaction(SIGALRM, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	assert_int_equal(pthread_create(&thread, NULL, come_later, r), 0);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	ring(true);
	return thread;
}

static void end_interrupting(pthread_t thread)
{
	ring(false);
	pthread_join(thread, NULL);
	assert_true(alarms > 0);
}

static void interrupted_read_goes_on(void **state)
{
	struct ac_addr from;
	char byte;
	bool cut;

	(void)state;
	for (int how = 0; how < 4; how++) {
		struct rescue r = { .take = 0 };
		pthread_t thread;
		int fds[2];
		ssize_t n;

		blocking_pair(fds);
		r.fd = fds[1];
		thread = begin_interrupting(&r);
		n = how == 0   ? ac_sys_read_(fds[0], &byte, 1)
		    : how == 1 ? ac_sys_recv_(fds[0], &byte, 1, 0, NULL)
		    : how == 2 ? ac_sys_recv_(fds[0], &byte, 1, 0, &cut)
		               : ac_sys_recvfrom_(fds[0], &byte, 1, &from);
		end_interrupting(thread);
		assert_int_equal(n, 1);
		close_both(fds);
	}
}

static size_t fill(int fd)
{
	static const char text[4096];
	size_t all = 0;
	ssize_t n;

	assert_int_equal(ac_sys_nonblock_(fd), 0);
	while ((n = write(fd, text, sizeof(text))) > 0)
		all += (size_t)n;
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	return all;
}

static void interrupted_write_goes_on(void **state)
{
	struct iovec iov[2] = { { (void *)"x", 1 }, { (void *)"y", 1 } };
	int file = open("/proc/self/exe", O_RDONLY);

	(void)state;
	for (int how = 0; how < 4; how++) {
		struct rescue r;
		pthread_t thread;
		int64_t offset = 0;
		int fds[2];
		ssize_t n;

		if (how == 0)
			assert_int_equal(pipe(fds), 0);
		else
			blocking_pair(fds);
		r = (struct rescue){ .fd = fds[0], .take = fill(fds[1]) };
		thread = begin_interrupting(&r);
		n = how == 0   ? ac_sys_write_(fds[1], iov, 1)
		    : how == 1 ? ac_sys_send_(fds[1], iov, 1, false)
		    : how == 2 ? ac_sys_send_(fds[1], iov, 2, true) - 1
		               : ac_sys_sendfile_(fds[1], file, &offset, 1);
		end_interrupting(thread);
		assert_int_equal(n, 1);
		close_both(fds);
	}
	close(file);
}

/* It goes on by itself: trying again would say EALREADY, or connect twice. */
static void interrupted_connect_is_in_progress(void **state)
{
	struct rescue r = { .take = 0 };
	struct ac_addr a;
	char name[64];
	int fds[64], count = 0, pair[2], waits, listener = ac_sys_socket_(AF_UNIX, SOCK_STREAM);
	pthread_t thread;

	(void)state;
	snprintf(name, sizeof(name), "unix:@asyncore-test-sys-%d", (int)getpid());
	assert_int_equal(ac_addr_parse(name, &a), 0);
	assert_int_equal(ac_sys_bind_(listener, &a), 0);
	assert_int_equal(ac_sys_listen_(listener, 1), 0);
	do
		fds[count] = ac_sys_socket_(AF_UNIX, SOCK_STREAM);
	while (ac_sys_connect_(fds[count++], &a) == 0 && count < 64);
	assert_in_range(count, 2, 63); /* the last found the queue full */
	waits = socket(AF_UNIX, SOCK_STREAM, 0);
	blocking_pair(pair);
	r.fd = pair[1];
	thread = begin_interrupting(&r);
	assert_int_equal(ac_sys_connect_(waits, &a), -EINPROGRESS);
	while (alarms == 0)
		usleep(1000);
	end_interrupting(thread);
	close_both(pair);
	close(waits);
	close(listener);
	while (count > 0)
		close(fds[--count]);
}

/* ---- SIGPIPE ---- */

static int pipe_without_reader(void)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	return fds[1];
}

static int socket_without_peer(void)
{
	int fds[2];

	unix_pair(fds);
	close(fds[0]);
	return fds[1];
}

static void broken_pipe_is_an_error_and_no_signal(void **state)
{
	struct iovec iov[2] = { { (void *)"x", 1 }, { (void *)"y", 1 } };
	int fds[2] = { pipe_without_reader(), socket_without_peer() };

	(void)state;
	for (int count = 1; count <= 2; count++) {
		assert_int_equal(ac_sys_write_(fds[0], iov, count), -EPIPE);
		assert_int_equal(ac_sys_write_(fds[1], iov, count), -EPIPE);
		assert_int_equal(ac_sys_send_(fds[1], iov, count, count > 1), -EPIPE);
	}
	assert_int_equal(broken_pipes, 0);
	close_both(fds);
}

/* sendfile(2) has no MSG_NOSIGNAL. */
static void file_to_a_gone_peer_is_no_signal(void **state)
{
	int fds[2], file = open("/proc/self/exe", O_RDONLY);
	int64_t offset = 0;

	(void)state;
	fds[0] = socket_without_peer();
	assert_int_equal(ac_sys_sendfile_(fds[0], file, &offset, 100), -EPIPE);
	close(fds[0]);
	tcp_pair(fds);
	close(fds[0]);
	for (int i = 0; i < 200 && ac_sys_sendfile_(fds[1], file, &offset, 100) > 0; i++)
		usleep(1000); /* until the reset has come */
	assert_int_equal(ac_sys_sendfile_(fds[1], file, &offset, 100), -EPIPE);
	assert_int_equal(broken_pipes, 0);
	close(fds[1]);
	close(file);
}

static void *take_a_little_and_leave(void *arg)
{
	char text[100];

	usleep(50000);
	assert_int_equal(read(*(int *)arg, text, sizeof(text)), sizeof(text));
	close(*(int *)arg);
	return NULL;
}

/* The kernel sends the signal also where it has taken a part, and returns that part. */
static void reader_leaving_in_mid_write_is_no_signal(void **state)
{
	static char text[1 << 20];
	struct iovec iov = { text, sizeof(text) };
	pthread_t thread;
	int fds[2];
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pthread_create(&thread, NULL, take_a_little_and_leave, &fds[0]), 0);
	n = ac_sys_write_(fds[1], &iov, 1);
	pthread_join(thread, NULL);
	assert_in_range(n, 1, sizeof(text) - 1);
	assert_int_equal(broken_pipes, 0);
	close(fds[1]);
}

static bool pipe_signal_is_pending(void)
{
	sigset_t pending;

	sigpending(&pending);
	return sigismember(&pending, SIGPIPE);
}

static void pending_signal_of_the_program_survives(void **state)
{
	struct iovec iov = { (void *)"x", 1 };
	int fds[2] = { pipe_without_reader(), socket_without_peer() };
	int file = open("/proc/self/exe", O_RDONLY);
	int64_t offset = 0;
	sigset_t set;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (int of_process = 0; of_process < 2; of_process++) {
		broken_pipes = 0;
		if (of_process)
			kill(getpid(), SIGPIPE);
		else
			pthread_kill(pthread_self(), SIGPIPE);
		assert_int_equal(ac_sys_write_(fds[0], &iov, 1), -EPIPE);
		assert_int_equal(ac_sys_sendfile_(fds[1], file, &offset, 1), -EPIPE);
		assert_true(pipe_signal_is_pending());
		pthread_sigmask(SIG_UNBLOCK, &set, NULL);
		assert_true(broken_pipes > 0);
		pthread_sigmask(SIG_BLOCK, &set, NULL);
	}
	assert_int_equal(ac_sys_write_(fds[0], &iov, 1), -EPIPE);
	assert_false(pipe_signal_is_pending()); /* where there was none, none is left */
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	close_both(fds);
	close(file);
}

static void ignored_signal_stays_ignored(void **state)
{
	struct iovec iov = { (void *)"x", 1 };
	struct sigaction now;
	int fd = pipe_without_reader();

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(ac_sys_write_(fd, &iov, 1), -EPIPE);
	assert_false(pipe_signal_is_pending());
	sigaction(SIGPIPE, NULL, &now);
	assert_true(now.sa_handler == SIG_IGN);
	close(fd);
}

/* ---- input ---- */

static void read_cut_by_ancillary_data_is_told(void **state)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct cmsghdr *head = (struct cmsghdr *)control;
	struct iovec iov = { (void *)"ab", 2 };
	struct msghdr msg = { .msg_iov = &iov,
		              .msg_iovlen = 1,
		              .msg_control = control,
		              .msg_controllen = sizeof(control) };
	int fds[2], before;
	char text[16];
	bool cut = false;

	(void)state;
	*head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
		                  .cmsg_level = SOL_SOCKET,
		                  .cmsg_type = SCM_RIGHTS }; /* carries descriptor 0 */
	unix_pair(fds);
	before = count_fds();
	put(fds[1], "z");
	assert_int_equal(sendmsg(fds[1], &msg, 0), 2);
	put(fds[1], "c");
	assert_int_equal(ac_sys_recv_(fds[0], text, sizeof(text), 0, &cut), 3);
	assert_true(cut);                      /* less than was asked for, and yet there is more */
	assert_int_equal(count_fds(), before); /* nobody wanted the descriptor */
	assert_int_equal(ac_sys_recv_(fds[0], text, sizeof(text), 0, &cut), 1);
	assert_false(cut);
	cut = true;
	assert_int_equal(ac_sys_recv_(fds[0], text, sizeof(text), 0, &cut), -EAGAIN);
	assert_false(cut);
	close_both(fds);
}

/* ---- descriptors ---- */

static void every_failure_is_minus_errno(void **state)
{
	bool blocking = true, write_only = true;
	int value = 77;
	struct ac_addr a = { .len = sizeof(a.in) };
	struct iovec iov[2] = { { (void *)"x", 1 }, { (void *)"y", 1 } };
	char byte;

	(void)state;
	assert_int_equal(ac_sys_read_(-1, &byte, 1), -EBADF);
	assert_int_equal(ac_sys_pread_(-1, &byte, 1, 0), -EBADF);
	assert_int_equal(ac_sys_write_(-1, iov, 2), -EBADF);
	assert_int_equal(ac_sys_send_(-1, iov, 2, false), -EBADF);
	assert_int_equal(ac_sys_socket_(-1, SOCK_STREAM), -EAFNOSUPPORT);
	assert_int_equal(ac_sys_bind_(-1, &a), -EBADF);
	assert_int_equal(ac_sys_listen_(-1, 1), -EBADF);
	assert_int_equal(ac_sys_connect_(-1, &a), -EBADF);
	assert_int_equal(ac_sys_shutdown_(-1, SHUT_WR), -EBADF);
	assert_int_equal(ac_sys_dup_(-1), -EBADF);
	assert_int_equal(ac_sys_nonblock_(-1), -EBADF);
	assert_int_equal(ac_sys_setopt_(-1, SOL_SOCKET, SO_REUSEADDR, 1), -EBADF);
	assert_int_equal(ac_sys_unread_(-1), -EBADF);
	assert_int_equal(ac_sys_close_(-1), -EBADF);
	assert_int_equal(ac_sys_getopt_(-1, SOL_SOCKET, SO_TYPE, &value), -EBADF);
	assert_int_equal(ac_sys_mode_(-1, &blocking, &write_only), -EBADF);
	assert_true(value == 77 && blocking && write_only); /* outputs untouched */
}

static void descriptors_are_not_inherited_and_sockets_never_block(void **state)
{
	int listener = ac_sys_socket_(AF_INET, SOCK_STREAM), client, fd, copy, spare, pipe_fds[2];
	bool blocking, write_only;
	struct ac_addr a, peer;

	(void)state;
	assert_int_equal(ac_addr_parse("127.0.0.1:0", &a), 0);
	assert_int_equal(ac_sys_bind_(listener, &a), 0);
	assert_int_equal(ac_sys_listen_(listener, 4), 0);
	assert_int_equal(ac_sys_accept_(listener, &peer), -EAGAIN);
	assert_int_equal(ac_sys_sockname_(listener, &a), 0);
	client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(ac_sys_connect_(client, &a), 0);
	fd = ac_sys_accept_(listener, &peer);
	assert_int_equal(ac_sys_sockname_(client, &a), 0);
	assert_int_equal(peer.in.sin_port, a.in.sin_port);
	copy = ac_sys_dup_(client);
	spare = ac_sys_spare_();
	for (int i = 0, made[] = { listener, fd, copy, spare }; i < 4; i++)
		assert_int_equal(fcntl(made[i], F_GETFD), FD_CLOEXEC);
	assert_int_equal(ac_sys_mode_(fd, &blocking, &write_only), 0);
	assert_false(blocking || write_only);
	assert_int_equal(ac_sys_mode_(client, &blocking, &write_only), 0);
	assert_true(blocking);
	assert_int_equal(ac_sys_nonblock_(client), 0);
	assert_int_equal(ac_sys_nonblock_(client), 0); /* already */
	assert_int_equal(ac_sys_mode_(copy, &blocking, &write_only), 0);
	assert_false(blocking); /* the mode belongs to the open file */
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(ac_sys_mode_(pipe_fds[1], &blocking, &write_only), 0);
	assert_true(blocking && write_only);
	close_both(pipe_fds);
	assert_int_equal(ac_sys_shutdown_(client, SHUT_WR), 0);
	for (int i = 0; i < 100 && !ended(fd); i++)
		usleep(1000);
	assert_true(ended(fd));
	close(spare);
	close(copy);
	close(fd);
	close(client);
	assert_int_equal(ac_sys_close_(listener), 0);
}

static void spare_makes_room_when_descriptors_run_out(void **state)
{
	int spare = ac_sys_spare_(), fd;
	struct rlimit old, low;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &old);
	low = (struct rlimit){ (rlim_t)spare + 1, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(ac_sys_spare_(), -EMFILE);
	assert_int_equal(ac_sys_socket_(AF_INET, SOCK_STREAM), -EMFILE);
	close(spare);
	fd = ac_sys_socket_(AF_INET, SOCK_STREAM);
	setrlimit(RLIMIT_NOFILE, &old);
	assert_int_equal(fd, spare);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(interrupted_read_goes_on),
		CASE(interrupted_write_goes_on),
		CASE(interrupted_connect_is_in_progress),
		CASE(broken_pipe_is_an_error_and_no_signal),
		CASE(file_to_a_gone_peer_is_no_signal),
		CASE(reader_leaving_in_mid_write_is_no_signal),
		CASE(pending_signal_of_the_program_survives),
		CASE(ignored_signal_stays_ignored),
		CASE(read_cut_by_ancillary_data_is_told),
		CASE(every_failure_is_minus_errno),
		CASE(descriptors_are_not_inherited_and_sockets_never_block),
		CASE(spare_makes_room_when_descriptors_run_out),
	};

	return RUN(tests);
}
