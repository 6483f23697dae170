/* test_sys.c — sys.c: signals neither interrupt a call nor reach the program through us. */
#include "harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
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

static void *write_later(void *arg)
{
	usleep(100000);
	assert_int_equal(write(*(int *)arg, "x", 1), 1);
	return NULL;
}

static void interrupted_read_goes_on(void **state)
{
	struct sigaction action = { .sa_handler = count_alarm };
	struct itimerval often = { { 0, 5000 }, { 0, 5000 } }, never = { { 0, 0 }, { 0, 0 } };
	pthread_t thread;
	sigset_t set;
	int fds[2];
	char byte;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	sigaction(SIGALRM, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_create(&thread, NULL, write_later, &fds[1]);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	assert_int_equal(ac_sys_read_(fds[0], &byte, 1), 1);
	setitimer(ITIMER_REAL, &never, NULL);
	pthread_join(thread, NULL);
	assert_true(alarms > 0);
	close(fds[0]);
	close(fds[1]);
}

static void broken_pipe_is_an_error_and_no_signal(void **state)
{
	struct sigaction action = { .sa_handler = count_pipe };
	struct iovec iov = { (void *)"x", 1 };
	int fds[2];

	(void)state;
	sigaction(SIGPIPE, &action, NULL);
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	assert_int_equal(ac_sys_write_(fds[1], &iov, 1), -EPIPE);
	close(fds[1]);
	unix_pair(fds);
	close(fds[0]);
	assert_int_equal(ac_sys_send_(fds[1], &iov, 1, false), -EPIPE);
	close(fds[1]);
	assert_int_equal(broken_pipes, 0);
}

static void pending_signal_of_the_program_survives(void **state)
{
	struct iovec iov = { (void *)"x", 1 };
	sigset_t set, pending;
	int fds[2];

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_kill(pthread_self(), SIGPIPE);
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	assert_int_equal(ac_sys_write_(fds[1], &iov, 1), -EPIPE);
	sigpending(&pending);
	assert_true(sigismember(&pending, SIGPIPE));
	broken_pipes = 0;
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	assert_int_equal(broken_pipes, 1);
	close(fds[1]);
}

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
	assert_int_equal(sendmsg(fds[1], &msg, 0), 2);
	assert_int_equal(ac_sys_recv_(fds[0], text, sizeof(text), 0, &cut), 2);
	assert_true(cut);
	assert_int_equal(count_fds(), before);
	put(fds[1], "c");
	assert_int_equal(ac_sys_recv_(fds[0], text, sizeof(text), 0, &cut), 1);
	assert_false(cut);
	assert_int_equal(ac_sys_recv_(fds[0], text, sizeof(text), 0, &cut), -EAGAIN);
	close(fds[0]);
	close(fds[1]);
}

static void poll1_tells_what_is_ready(void **state)
{
	int fds[2];

	(void)state;
	unix_pair(fds);
	assert_int_equal(ac_sys_poll1_(fds[0], AC_IN | AC_OUT), AC_OUT);
	put(fds[1], "x");
	assert_int_equal(ac_sys_unread_(fds[0]), 1);
	assert_int_equal(ac_sys_poll1_(fds[0], AC_IN), AC_IN);
	close(fds[1]);
	assert_true(ac_sys_poll1_(fds[0], 0) & AC_HUP);
	close(fds[0]);
	assert_true(ac_sys_poll1_(fds[0], 0) & AC_ERR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interrupted_read_goes_on),
		cmocka_unit_test(broken_pipe_is_an_error_and_no_signal),
		cmocka_unit_test(pending_signal_of_the_program_survives),
		cmocka_unit_test(read_cut_by_ancillary_data_is_told),
		cmocka_unit_test(poll1_tells_what_is_ready),
	};

	return RUN(tests);
}
