/* test_poll.c — poll.c: what is asked of every poller, its dense table, and poll1, which asks the same kernel. */
#include "poller_cases.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/select.h>

static void hang_up_and_error_are_told_apart(void **state)
{
	int fds[2];

	(void)state;
	unix_pair(fds);
	assert_int_equal(watch(fds[0], 1, 0, AC_IN), 0);
	close(fds[1]);
	assert_int_equal(look(), 1);
	assert_int_equal(events_of(1), AC_IN | AC_HUP);
	assert_int_equal(watch(fds[0], 1, AC_IN, 0), 0);
	close(fds[0]);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(watch(fds[1], 2, 0, AC_WATCH), 0);
	assert_int_equal(look(), 0);
	close(fds[0]);
	assert_int_equal(look(), 1);
	assert_int_equal(events_of(2), AC_ERR);
	close(fds[1]);
}

/* Watched, changed and forgotten in any order; a model says who should be heard. */
static void holes_are_filled_by_the_right_one(void **state)
{
	enum { COUNT = 40 };
	uint64_t token[COUNT], last = 0;
	unsigned watched[COUNT] = { 0 }, seed = 5;
	int fds[COUNT][2];

	(void)state;
	for (int i = 0; i < COUNT; i++)
		unix_pair(fds[i]);
	for (int round = 0; round < 5000; round++) {
		int i = rand_r(&seed) % COUNT, expected = 0;
		unsigned events = watched[i] && rand_r(&seed) % 2 ? 0
		                  : rand_r(&seed) % 3             ? AC_OUT
		                                                  : AC_WATCH;

		token[i] = ++last;
		assert_int_equal(watch(fds[i][0], token[i], watched[i], events), 0);
		watched[i] = events;
		for (int k = 0; k < COUNT; k++)
			expected += watched[k] == AC_OUT;
		assert_int_equal(look(), expected);
		for (int k = 0; k < COUNT; k++)
			if (watched[k] == AC_OUT)
				assert_int_equal(events_of(token[k]), AC_OUT);
	}
	for (int i = 0; i < COUNT; i++)
		close_both(fds[i]);
}

static void regular_file_is_always_ready(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY);

	(void)state;
	assert_int_equal(watch(fd, 1, 0, AC_IN | AC_OUT), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(look(), 1);
		assert_int_equal(events_of(1), AC_IN | AC_OUT);
	}
	close(fd);
}

static void high_descriptor_is_as_good_as_any(void **state)
{
	int fds[2], high = FD_SETSIZE + 5;

	(void)state;
	let_high_descriptors();
	unix_pair(fds);
	assert_int_equal(dup2(fds[0], high), high);
	assert_int_equal(watch(high, 1, 0, AC_IN), 0);
	put(fds[1], "x");
	assert_int_equal(look(), 1);
	assert_int_equal(watch(high, 1, AC_IN, 0), 0);
	assert_int_equal(look(), 0);
	close(high);
	close_both(fds);
}

/* poll(2) refuses more descriptors than the process may have open; valgrind does not let it come to that. */
static void failure_of_the_kernel_is_told(void **state)
{
	struct rlimit old, low;
	int fds[2], r, kernel;

	(void)state;
	unix_pair(fds);
	assert_int_equal(watch(fds[0], 1, 0, AC_IN), 0);
	getrlimit(RLIMIT_NOFILE, &old);
	low = (struct rlimit){ 0, old.rlim_max };
	setrlimit(RLIMIT_NOFILE, &low);
	r = look();
	kernel = poll(&(struct pollfd){ .fd = fds[0] }, 1, 0) < 0 ? -errno : 0;
	setrlimit(RLIMIT_NOFILE, &old);
	assert_int_equal(r, kernel);
	assert_int_equal(look(), 0);
	close_both(fds);
}

static void has_no_descriptor_of_its_own(void **state)
{
	(void)state;
	assert_null(made->cls->fd);
	assert_false(is_edge());
}

static void poll1_tells_what_is_ready(void **state)
{
	int fds[2];

	(void)state;
	unix_pair(fds);
	assert_int_equal(ac_sys_poll1_(fds[0], AC_IN | AC_OUT | AC_PRI), AC_OUT);
	put(fds[1], "x");
	assert_int_equal(ac_sys_unread_(fds[0]), 1);
	assert_int_equal(ac_sys_poll1_(fds[0], AC_IN), AC_IN);
	assert_int_equal(ac_sys_poll1_(fds[0], 0), 0); /* not asked for */
	close(fds[1]);
	assert_int_equal(ac_sys_poll1_(fds[0], 0), AC_HUP);
	close(fds[0]);
	assert_int_equal(ac_sys_poll1_(fds[0], 0), AC_ERR);
	tcp_pair(fds);
	assert_int_equal(send(fds[1], "!", 1, MSG_OOB), 1);
	for (int i = 0; i < 100 && !ac_sys_poll1_(fds[0], AC_PRI); i++)
		usleep(1000);
	assert_int_equal(ac_sys_poll1_(fds[0], AC_PRI), AC_PRI);
	close(fds[0]);
	reset(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		POLLER_CASES(poll),
		ON_POLLER(hang_up_and_error_are_told_apart, poll),
		ON_POLLER(holes_are_filled_by_the_right_one, poll),
		ON_POLLER(regular_file_is_always_ready, poll),
		ON_POLLER(high_descriptor_is_as_good_as_any, poll),
		ON_POLLER(failure_of_the_kernel_is_told, poll),
		ON_POLLER(has_no_descriptor_of_its_own, poll),
		ON_POLLER(poll1_tells_what_is_ready, poll),
	};

	return RUN(tests);
}
