/* test_pollers.c — pick.c, epoll.c, poll.c, select.c: three of one shape. */
#include "harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/select.h>

#include "../src/poller/poller.h"

static struct ac_poller *made;

static int setup(void **state)
{
	return ac_poller_new_(*state, &made);
}

static int teardown(void **state)
{
	(void)state;
	ac_poller_free_(made);
	return 0;
}

#define POLLER(fn, name)                                                                           \
	{                                                                                          \
#fn "/" #name, fn, setup, teardown, (void *)#name                                  \
	}
#define ALL(fn) POLLER(fn, select), POLLER(fn, poll), POLLER(fn, epoll)

static int set(int fd, uint64_t token, unsigned old, unsigned events)
{
	return made->cls->set(made, fd, token, old, events);
}

static int look(void)
{
	return made->cls->wait(made, 0);
}

static void readiness_comes_with_its_token(void **state)
{
	int fds[2];

	(void)state;
	unix_pair(fds);
	assert_int_equal(set(fds[0], 0xABCDEF0123456789u, 0, AC_IN), 0);
	look();
	if (!made->cls->edge)
		assert_int_equal(look(), 0);
	put(fds[1], "x");
	assert_int_equal(look(), 1);
	assert_true(made->found[0].token == 0xABCDEF0123456789u);
	assert_true(made->found[0].events & AC_IN);
	assert_int_equal(look(), made->cls->edge ? 0 : 1); /* a change, or a state */
	close(fds[0]);
	close(fds[1]);
}

static void what_is_forgotten_is_not_reported(void **state)
{
	int fds[2];

	(void)state;
	unix_pair(fds);
	assert_int_equal(set(fds[0], 1, 0, AC_IN | AC_OUT), 0);
	assert_int_equal(look(), 1);
	assert_int_equal(set(fds[0], 1, AC_IN | AC_OUT, 0), 0);
	put(fds[1], "x");
	assert_int_equal(look(), 0);
	close(fds[0]);
	close(fds[1]);
}

static void watched_for_nothing_still_learns_of_the_end(void **state)
{
	int fds[2];

	(void)state;
	unix_pair(fds);
	assert_int_equal(set(fds[0], 1, 0, AC_WATCH), 0);
	look();
	assert_int_equal(look(), 0);
	close(fds[1]);
	assert_int_equal(look(), 1);
	assert_true(made->found[0].events & AC_HUP);
	close(fds[0]);
}

static void waits_no_shorter_than_asked(void **state)
{
	int64_t begin = ac_clock_();
	int fds[2];

	(void)state;
	unix_pair(fds);
	assert_int_equal(set(fds[0], 1, 0, AC_IN), 0);
	look();
	for (int i = 0; i < 20; i++)
		made->cls->wait(made, 500000);
	assert_true(ac_clock_() - begin >= 20 * 500000);
	close(fds[0]);
	close(fds[1]);
}

static void hundreds_of_descriptors(void **state)
{
	enum { COUNT = 400 };
	static int fds[COUNT][2];
	size_t seen = 0;

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		unix_pair(fds[i]);
		assert_int_equal(set(fds[i][0], (uint64_t)i, 0, AC_IN), 0);
	}
	while (look() > 0 && made->cls->edge)
		;
	for (int i = 0; i < COUNT; i += 3)
		put(fds[i][1], "x");
	for (int n; seen < (COUNT + 2) / 3 && (n = look()) > 0;)
		for (int i = 0; i < n; i++)
			seen += made->found[i].token % 3 == 0 && (made->found[i].events & AC_IN);
	assert_int_equal(seen, (COUNT + 2) / 3);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(set(fds[i][0], (uint64_t)i, AC_IN, 0), 0);
		close(fds[i][0]);
		close(fds[i][1]);
	}
	assert_int_equal(look(), 0);
}

static void regular_file_is_always_ready_or_refused(void **state)
{
	int fd = open("/etc/passwd", O_RDONLY), r = set(fd, 1, 0, AC_IN);

	(void)state;
	if (made->cls->edge)
		assert_int_equal(r, -EPERM);
	else
		assert_int_equal(look(), 1);
	close(fd);
}

static void descriptor_too_high_for_select_is_refused(void **state)
{
	struct rlimit files;
	int fds[2], high = FD_SETSIZE + 10;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur <= (rlim_t)high)
		return; /* this machine allows no such descriptor */
	unix_pair(fds);
	assert_int_equal(dup2(fds[0], high), high);
	assert_int_equal(set(high, 1, 0, AC_IN), strcmp(*state, "select") == 0 ? -EMFILE : 0);
	close(high);
	close(fds[0]);
	close(fds[1]);
}

static void names(void **state)
{
	struct ac_poller *p = NULL;

	(void)state;
	assert_int_equal(ac_poller_new_("kqueue", &p), -EINVAL);
	assert_null(p);
	assert_int_equal(ac_poller_new_(NULL, &p), 0);
	assert_string_equal(p->cls->name, "epoll");
	ac_poller_free_(p);
	ac_poller_free_(NULL);
	assert_int_equal(ac_poller_ms_(-1), -1);
	assert_int_equal(ac_poller_ms_(0), 0);
	assert_int_equal(ac_poller_ms_(1), 1);
	assert_int_equal(ac_poller_ms_(1000001), 2);
	assert_int_equal(ac_poller_ms_(INT64_MAX / 4), INT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALL(readiness_comes_with_its_token),
		ALL(what_is_forgotten_is_not_reported),
		ALL(watched_for_nothing_still_learns_of_the_end),
		ALL(waits_no_shorter_than_asked),
		ALL(hundreds_of_descriptors),
		ALL(regular_file_is_always_ready_or_refused),
		ALL(descriptor_too_high_for_select_is_refused),
		cmocka_unit_test(names),
	};

	return RUN(tests);
}
