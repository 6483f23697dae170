/* edge_cases.c — what is asked of the pollers that report changes. */
#include "edge_cases.h"

#include <fcntl.h>
#include <poll.h>

void every_change_is_told_once(void **state)
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
void everything_is_told_whatever_was_asked_for(void **state)
{
	int fds[2];

	(void)state;
	tcp_pair(fds);
	assert_int_equal(watch(fds[0], 1, 0, AC_WATCH | AC_PRI), 0);
	assert_int_equal(look(), 1);
	assert_int_equal(events_of(1), AC_OUT);
	put(fds[1], "x");
	assert_true(seen(1) & AC_IN);
	assert_int_equal(watch(fds[0], 1, AC_WATCH | AC_PRI, AC_IN | AC_PRI), 0);
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

void error_is_told(void **state)
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

/* For a loop inside another one, which waits for the descriptor and never for us. */
void own_descriptor_is_readable_when_something_is(void **state)
{
	struct pollfd own = { .fd = made->cls->fd(made), .events = POLLIN };
	int fds[2];

	(void)state;
	assert_int_equal(fcntl(own.fd, F_GETFD), FD_CLOEXEC);
	for (int waits = !made->cls->feeds; waits < 2; waits++) {
		unix_pair(fds);
		assert_int_equal(watch(fds[0], 1, 0, waits ? AC_IN : AC_FEED), 0);
		if (waits)
			look();
		assert_int_equal(poll(&own, 1, 0), 0);
		put(fds[1], "x");
		assert_int_equal(poll(&own, 1, 0), 1);
		assert_int_equal(look(), 1);
		if (made->cls->feeds)
			made->cls->give_back(made, &made->found[0]);
		assert_int_equal(poll(&own, 1, 0), 0);
		watch(fds[0], 1, waits ? AC_IN : AC_FEED, 0);
		close_both(fds);
	}
}
