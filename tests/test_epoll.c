/* test_epoll.c — epoll.c: what is asked of every poller, and that changes are told once and never lost. */
#include "poller_cases.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

static void every_change_is_told_once(void **state)
{
	int fds[2];

	(void)state;
	unix_pair(fds);
	assert_int_equal(watch(fds[0], 1, 0, AC_IN), 0);
	for (int i = 0; i < 3; i++) {
		put(fds[1], "x"); /* though what came before is still unread */
		assert_int_equal(look(), 1);
		assert_true(events_of(1) & AC_IN);
		assert_int_equal(look(), 0);
	}
	close_both(fds);
}

/* The caller keeps what is ready: a change of interest costs no call, so nothing may be held back for it. */
static void everything_is_told_whatever_was_asked_for(void **state)
{
	int fds[2];

	(void)state;
	tcp_pair(fds);
	assert_int_equal(watch(fds[0], 1, 0, AC_WATCH), 0);
	assert_int_equal(look(), 1);
	assert_int_equal(events_of(1), AC_OUT);
	put(fds[1], "x");
	assert_true(seen(1) & AC_IN);
	assert_int_equal(watch(fds[0], 1, AC_WATCH, AC_IN), 0);
	assert_int_equal(look(), 0); /* it was told already */
	assert_int_equal(send(fds[1], "!", 1, MSG_OOB), 1);
	assert_true(seen(1) & AC_PRI);
	shutdown(fds[1], SHUT_WR);
	assert_true(seen(1) & AC_RDHUP);
	reset(fds[1]);
	while (!(events_of(1) & AC_HUP))
		assert_true(seen(1));
	close(fds[0]);
}

static void error_is_told(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(watch(fds[1], 1, 0, AC_OUT), 0);
	look();
	close(fds[0]); /* nobody reads */
	assert_int_equal(look(), 1);
	assert_true(events_of(1) & AC_ERR);
	close(fds[1]);
}

static void more_than_a_batch_is_told_by_and_by(void **state)
{
	enum { COUNT = 1200 };
	static int fds[COUNT];
	static bool came[COUNT];
	int left = COUNT, batches = 0;

	(void)state;
	let_high_descriptors();
	memset(came, 0, sizeof(came));
	for (int i = 0; i < COUNT; i++) {
		fds[i] = eventfd(1, EFD_NONBLOCK);
		assert_true(fds[i] >= 0);
		assert_int_equal(watch(fds[i], (uint64_t)i, 0, AC_IN), 0);
	}
	for (int n; left > 0 && (n = look()) > 0; batches++)
		for (int i = 0; i < n; i++, left--) {
			assert_false(came[made->found[i].token]);
			came[made->found[i].token] = true;
		}
	assert_int_equal(left, 0);
	assert_true(batches > 1);
	assert_int_equal(look(), 0);
	for (int i = 0; i < COUNT; i++)
		close(fds[i]);
}

/* What is always ready cannot be watched: the caller serves it without being told. */
static void regular_file_and_folder_are_refused(void **state)
{
	int file = open("/proc/self/exe", O_RDONLY), folder = open("/", O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_int_equal(watch(file, 1, 0, AC_IN), -EPERM);
	assert_int_equal(watch(folder, 2, 0, AC_IN), -EPERM);
	assert_int_equal(look(), 0);
	close(file);
	close(folder);
}

static void failures_are_told(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(watch(-1, 1, 0, AC_IN), -EBADF);
	unix_pair(fds);
	close(fds[1]);
	assert_int_equal(watch(fds[1], 1, 0, AC_IN), -EBADF);
	assert_int_equal(watch(fds[0], 1, 0, AC_IN), 0);
	assert_int_equal(watch(fds[0], 2, 0, AC_IN), -EEXIST);
	close(made->cls->fd(made)); /* the poller's own is gone */
	assert_int_equal(look(), -EBADF);
	assert_int_equal(dup2(fds[0], made->cls->fd(made)), made->cls->fd(made)); /* to be closed */
	assert_int_equal(look(), -EINVAL);
	close(fds[0]);
}

/* A child that was forked holds the same open file; it must not speak for the parent's channel. */
static void forgotten_one_that_another_process_holds_is_silent(void **state)
{
	int fds[2], hold[2];
	char byte;
	pid_t child;

	(void)state;
	unix_pair(fds);
	assert_int_equal(pipe(hold), 0);
	assert_int_equal(watch(fds[0], 1, 0, AC_IN), 0);
	look();
	child = fork();
	if (child == 0) {
		close(hold[1]);
		_exit(read(hold[0], &byte, 1) != 0);
	}
	assert_true(child > 0);
	assert_int_equal(watch(fds[0], 1, AC_IN, 0), 0);
	close(fds[0]);
	put(fds[1], "x");
	assert_int_equal(look(), 0);
	close(hold[0]);
	close(hold[1]);
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(fds[1]);
}

/* For a loop inside another one. */
static void own_descriptor_is_readable_when_something_is(void **state)
{
	struct pollfd own = { .fd = made->cls->fd(made), .events = POLLIN };
	int fds[2];

	(void)state;
	assert_int_equal(fcntl(own.fd, F_GETFD), FD_CLOEXEC);
	unix_pair(fds);
	assert_int_equal(watch(fds[0], 1, 0, AC_IN), 0);
	look();
	assert_int_equal(poll(&own, 1, 0), 0);
	put(fds[1], "x");
	assert_int_equal(poll(&own, 1, 0), 1);
	assert_int_equal(look(), 1);
	assert_int_equal(poll(&own, 1, 0), 0);
	close_both(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		POLLER_CASES(epoll),
		ON_POLLER(every_change_is_told_once, epoll),
		ON_POLLER(everything_is_told_whatever_was_asked_for, epoll),
		ON_POLLER(error_is_told, epoll),
		ON_POLLER(more_than_a_batch_is_told_by_and_by, epoll),
		ON_POLLER(regular_file_and_folder_are_refused, epoll),
		ON_POLLER(failures_are_told, epoll),
		ON_POLLER(forgotten_one_that_another_process_holds_is_silent, epoll),
		ON_POLLER(own_descriptor_is_readable_when_something_is, epoll),
	};

	return RUN(tests);
}
