/* test_level.c — level.c: what is asked of every poller, and that what is ready is told again and again. */
#include "poller_cases.h"

#include <fcntl.h>
#include <sys/eventfd.h>

static void what_was_not_read_is_told_again(void **state)
{
	int fds[2];

	(void)state;
	unix_pair(fds);
	assert_int_equal(watch(fds[0], 1, 0, AC_IN), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(seen(1), AC_IN);
	close_both(fds);
}

/* More than a batch of the others: who is served in the order of a map needs them all at once. */
static void all_that_is_ready_comes_in_one_wait(void **state)
{
	enum { COUNT = 1200 };
	static int fds[COUNT];

	(void)state;
	let_high_descriptors();
	for (int i = 0; i < COUNT; i++) {
		fds[i] = eventfd(1, EFD_NONBLOCK);
		assert_true(fds[i] >= 0);
		assert_int_equal(watch(fds[i], (uint64_t)i, 0, AC_IN), 0);
	}
	assert_int_equal(look(), COUNT);
	assert_int_equal(look(), COUNT);
	for (int i = 0; i < COUNT; i++)
		close(fds[i]);
}

static void failures_are_told(void **state)
{
	int fds[2], file = open("/proc/self/exe", O_RDONLY);

	(void)state;
	assert_int_equal(watch(-1, 1, 0, AC_IN), -EBADF);
	assert_int_equal(watch(file, 1, 0, AC_IN), -EPERM);
	unix_pair(fds);
	assert_int_equal(watch(fds[0], 2, AC_IN, AC_OUT), -ENOENT);
	assert_int_equal(watch(fds[0], 2, 0, AC_IN), 0);
	assert_int_equal(watch(fds[0], 3, 0, AC_IN), -EEXIST);
	close_both(fds);
	close(file);
}

static void hang_up_alone_wakes_a_writer(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(watch(fds[0], 1, 0, AC_OUT), 0);
	assert_int_equal(look(), 0);
	close(fds[1]);
	assert_int_equal(look(), 1);
	assert_int_equal(events_of(1), AC_HUP);
	close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		POLLER_CASES(level),
		ON_POLLER(what_was_not_read_is_told_again, level),
		ON_POLLER(all_that_is_ready_comes_in_one_wait, level),
		ON_POLLER(failures_are_told, level),
		ON_POLLER(hang_up_alone_wakes_a_writer, level),
	};

	return RUN(tests);
}
