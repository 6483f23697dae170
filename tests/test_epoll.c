/* test_epoll.c — epoll.c: what is asked of every poller, and that changes are told once and never lost. */
#include "edge_cases.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		POLLER_CASES(epoll),
		EDGE_CASES(epoll),
		ON_POLLER(more_than_a_batch_is_told_by_and_by, epoll),
		ON_POLLER(regular_file_and_folder_are_refused, epoll),
		ON_POLLER(failures_are_told, epoll),
		ON_POLLER(forgotten_one_that_another_process_holds_is_silent, epoll),
	};

	return RUN(tests);
}
