/* test_select.c — select.c: what is asked of every poller, the limit of its sets, and the quiet ones. */
#include "poller_cases.h"

#include <fcntl.h>
#include <sys/select.h>

static void descriptor_too_high_is_refused(void **state)
{
	int fds[2], high = FD_SETSIZE;

	(void)state;
	let_high_descriptors();
	unix_pair(fds);
	assert_int_equal(dup2(fds[0], high), high);
	assert_int_equal(watch(high, 1, 0, AC_IN), -EMFILE);
	assert_int_equal(watch(high, 1, 0, AC_WATCH), -EMFILE);
	assert_int_equal(watch(high, 1, 0, 0), 0); /* forgetting it is fine */
	assert_int_equal(dup2(fds[0], high - 1), high - 1);
	assert_int_equal(watch(high - 1, 2, 0, AC_IN), 0); /* the last that fits */
	put(fds[1], "x");
	assert_int_equal(look(), 1);
	assert_true(events_of(2) & AC_IN);
	close(high);
	close(high - 1);
	close_both(fds);
}

/* select has no word for it, so a long wait is cut to look after them. */
static void quiet_one_that_dies_ends_a_wait_for_ever(void **state)
{
	int64_t begin = ac_clock_();
	int fds[2], waits = 0;

	(void)state;
	unix_pair(fds);
	assert_int_equal(watch(fds[0], 1, 0, AC_WATCH), 0);
	assert_int_equal(wait_for(-1), 0);
	assert_in_range(ac_clock_() - begin, 200 * MS, 2000 * MS);
	close(fds[1]);
	while (wait_for(-1) == 0)
		assert_true(++waits < 3);
	assert_true(events_of(1) & AC_HUP);
	close(fds[0]);
}

/* A count of quiet ones that is too high cuts every wait for ever after. */
static void wait_is_whole_again_when_no_quiet_one_is_left(void **state)
{
	int fds[2];
	int64_t begin;

	(void)state;
	unix_pair(fds);
	assert_int_equal(watch(fds[0], 1, 0, AC_WATCH), 0);
	assert_int_equal(watch(fds[0], 1, AC_WATCH, AC_WATCH), 0);
	assert_int_equal(watch(fds[0], 1, AC_WATCH, AC_IN), 0);
	assert_int_equal(watch(fds[0], 1, AC_IN, AC_WATCH), 0);
	assert_int_equal(watch(fds[1], 2, 0, AC_PRI), 0);
	assert_int_equal(watch(fds[1], 2, AC_PRI, AC_IN), 0);
	assert_int_equal(watch(fds[0], 1, AC_WATCH, 0), 0);
	assert_int_equal(watch(fds[0], 1, 0, 0), 0);
	begin = ac_clock_();
	assert_int_equal(wait_for(300 * MS), 0);
	assert_true(ac_clock_() - begin >= 300 * MS);
	close_both(fds);
}

static void dead_quiet_one_does_not_hide_who_is_ready(void **state)
{
	int quiet[2], ready[2];

	(void)state;
	unix_pair(quiet);
	unix_pair(ready);
	assert_int_equal(watch(quiet[0], 1, 0, AC_WATCH), 0);
	assert_int_equal(watch(ready[0], 2, 0, AC_IN | AC_OUT), 0);
	put(ready[1], "x");
	close(quiet[1]);
	assert_int_equal(wait_for(-1), 2);
	assert_int_equal(events_of(1), AC_HUP);
	assert_int_equal(events_of(2), AC_IN | AC_OUT);
	close(quiet[0]);
	close_both(ready);
}

/* A quiet one with an urgent byte that dies is one report, not two. */
static void urgent_byte_of_a_dead_one_is_one_report(void **state)
{
	int fds[2];

	(void)state;
	tcp_pair(fds);
	assert_int_equal(watch(fds[0], 1, 0, AC_PRI), 0);
	assert_int_equal(send(fds[1], "!", 1, MSG_OOB), 1);
	assert_int_equal(seen(1), AC_PRI);
	shutdown(fds[0], SHUT_WR);
	shutdown(fds[1], SHUT_WR); /* both directions are down: a hang-up, with the byte unread */
	for (int i = 0; i < 1000 && !(events_of(1) & AC_HUP); i++)
		wait_for(MS);
	assert_int_equal(events_of(1), AC_HUP | AC_PRI);
	close_both(fds);
}

/* select counts microseconds: what is less must not become none. */
static void part_of_a_microsecond_does_not_spin(void **state)
{
	int64_t begin = ac_clock_();

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(wait_for(999), 0);
	assert_true(ac_clock_() - begin >= 1000 * 1000);
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

static void has_no_descriptor_of_its_own(void **state)
{
	(void)state;
	assert_null(made->cls->fd);
	assert_false(is_edge());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		POLLER_CASES(select),
		ON_POLLER(descriptor_too_high_is_refused, select),
		ON_POLLER(quiet_one_that_dies_ends_a_wait_for_ever, select),
		ON_POLLER(wait_is_whole_again_when_no_quiet_one_is_left, select),
		ON_POLLER(dead_quiet_one_does_not_hide_who_is_ready, select),
		ON_POLLER(urgent_byte_of_a_dead_one_is_one_report, select),
		ON_POLLER(part_of_a_microsecond_does_not_spin, select),
		ON_POLLER(regular_file_is_always_ready, select),
		ON_POLLER(has_no_descriptor_of_its_own, select),
	};

	return RUN(tests);
}
