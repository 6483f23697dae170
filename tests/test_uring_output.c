/* test_uring_output.c — uring.c: output that goes with the next wait. */
#include "feeds.h"
#include "poller_cases.h"

#include <stdio.h>

static bool carry(int fd, uint64_t token, const char *text)
{
	return made->cls->send(made, fd, token, (struct ac_slice){ text, strlen(text) });
}

static void output_goes_with_the_next_wait_and_is_told(void **state)
{
	char text[64];
	int fds[2];

	(void)state;
	if (!has_ring(made))
		skip();
	unix_pair(fds);
	for (int i = 0; i < 200; i++) { /* more than there are places for requests */
		snprintf(text, sizeof(text), "%d", i);
		assert_true(carry(fds[0], (uint64_t)i, text));
	}
	assert_int_equal(look(), 200);
	for (int i = 0; i < 200; i++) {
		const struct ac_found *f = &made->found[i];

		snprintf(text, sizeof(text), "%d", i);
		assert_true(f->token == (uint64_t)i && f->events == AC_SENT);
		assert_true(f->len == (int)strlen(text) && f->buffer == strlen(text));
		assert_memory_equal(f->data, text, strlen(text));
		assert_int_equal(recv(fds[1], text + 32, strlen(text), 0), f->len);
		assert_memory_equal(text + 32, text, strlen(text));
	}
	assert_int_equal(look(), 0);
	close_both(fds);
}

static void output_that_cannot_go_is_told(void **state)
{
	static char text[2001];
	char rest[65536];
	int fds[2], told = 0;

	(void)state;
	if (!has_ring(made))
		skip();
	memset(text, 'x', sizeof(text) - 1);
	tcp_pair(fds);
	for (int i = 0; i < 100000 && !told; i++) {
		assert_true(carry(fds[0], 1, text));
		assert_int_equal(look(), 1);
		assert_true(events_of(1) & AC_SENT);
		told = made->found[0].len == 2000 ? 0 : made->found[0].len;
		assert_int_equal(made->found[0].buffer, 2000);
	}
	assert_true(told == -EAGAIN || (told > 0 && told < 2000));
	while (recv(fds[1], rest, sizeof(rest), 0) > 0)
		;
	reset(fds[1]);
	assert_true(carry(fds[0], 2, "x")); /* and no SIGPIPE */
	assert_true(carry(fds[0], 3, "x"));
	assert_int_equal(look(), 2);
	assert_true(made->found[0].len == -ECONNRESET || made->found[0].len == -EPIPE);
	assert_int_equal(made->found[1].len, -EPIPE);
	close(fds[0]);
}

static void no_room_for_output_is_said(void **state)
{
	static char text[2050];
	int fds[2], count = 0;

	(void)state;
	if (!has_ring(made))
		skip();
	unix_pair(fds);
	memset(text, 'x', 2049);
	assert_false(carry(fds[0], 1, text)); /* as dear as a call */
	text[2048] = '\0';
	while (carry(fds[0], 1, text))
		assert_in_range(++count, 1, 512);
	assert_int_equal(look(), count);
	for (count = 0; carry(fds[0], 1, "x");)
		assert_in_range(++count, 1, 512);
	assert_int_equal(look(), count);
	assert_true(carry(fds[0], 1, "x"));
	assert_int_equal(look(), 1);
	close_both(fds);
}

static void output_goes_before_the_close_and_is_told_once(void **state)
{
	struct ac_found f;
	char text[8];
	int fds[2];

	(void)state;
	if (!has_ring(made))
		skip();
	unix_pair(fds);
	assert_int_equal(watch(fds[0], 1, 0, AC_FEED), 0);
	look();
	assert_true(carry(fds[0], 1, "last"));
	assert_int_equal(watch(fds[0], 1, AC_FEED, 0), 0);
	close(fds[0]);
	assert_int_equal(get(fds[1], text, sizeof(text)), 4);
	assert_true(ended(fds[1]));
	assert_true(made->cls->left_over(made, 1, &f));
	assert_true(f.events == AC_SENT && f.len == 4);
	assert_false(made->cls->left_over(made, 1, &f));
	assert_int_equal(look(), 0);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_POLLER(output_goes_with_the_next_wait_and_is_told, io_uring),
		ON_POLLER(output_that_cannot_go_is_told, io_uring),
		ON_POLLER(no_room_for_output_is_said, io_uring),
		ON_POLLER(output_goes_before_the_close_and_is_told_once, io_uring),
	};

	return RUN(tests);
}
