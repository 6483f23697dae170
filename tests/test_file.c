/* test_file.c — dispatcher/file.c and transport/plain.c: descriptors that are no sockets. */
#include "harness.h"

#include <fcntl.h>
#include <pty.h>
#include <stdlib.h>

struct reader {
	struct ac_dispatcher d;
	size_t *bytes;
	int *closes, *reason;
};

static int reader_read(struct ac_dispatcher *d)
{
	char text[4096];
	ssize_t n = ac_recv(d, text, sizeof(text));

	if (n > 0)
		*((struct reader *)d)->bytes += (size_t)n;
	return n < 0 ? (int)n : 0;
}

static int reader_close(struct ac_dispatcher *d)
{
	struct reader *r = (struct reader *)d;

	++*r->closes;
	*r->reason = ac_close_reason(d);
	return 0;
}

static const struct ac_class reader_class = {
	.super = AC_DISPATCHER,
	.name = "reader",
	.size = sizeof(struct reader),
	.handle_read = reader_read,
	.handle_close = reader_close,
};

static size_t bytes;
static int closes, reason;

static struct reader *reader_on(struct world *w, int fd)
{
	struct reader *r = (struct reader *)ac_file_dispatcher(w->map, &reader_class, fd);

	assert_non_null(r);
	bytes = 0;
	closes = reason = 0;
	r->bytes = &bytes;
	r->closes = &closes;
	r->reason = &reason;
	return r;
}

static void pipe_is_read_to_its_end_and_stays_blocking(void **state)
{
	struct world *w = *state;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	reader_on(w, fds[0]);
	assert_int_equal(write(fds[1], "hello", 5), 5);
	UNTIL(w, bytes == 5);
	passes(w, 3);
	assert_false(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(write(fds[1], "more", 4), 4);
	close(fds[1]);
	UNTIL(w, closes == 1);
	assert_int_equal(bytes, 9);
	assert_int_equal(reason, AC_PEER);
	close(fds[0]);
}

static void regular_file_is_read_to_its_end(void **state)
{
	struct world *w = *state;
	char name[] = "/tmp/asyncore-test-XXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	for (int i = 0; i < 100; i++)
		assert_int_equal(write(fd, "0123456789", 10), 10);
	lseek(fd, 0, SEEK_SET);
	reader_on(w, fd);
	UNTIL(w, closes == 1);
	assert_int_equal(bytes, 1000);
	close(fd);
}

static void terminal_is_read_line_by_line(void **state)
{
	struct world *w = *state;
	int leader, follower;
	struct reader *r;

	assert_int_equal(openpty(&leader, &follower, NULL, NULL, NULL), 0);
	r = reader_on(w, follower);
	assert_int_equal(write(leader, "typed\n", 6), 6);
	UNTIL(w, bytes == 6);
	ac_close(&r->d);
	close(leader);
	close(follower);
}

/* ---- writing ---- */
static const struct ac_chat_class writer_class = {
	.d = { .super = AC_CHAT, .name = "writer" },
};

static int closed_with;

static int note_reason(struct ac_dispatcher *d)
{
	closed_with = ac_close_reason(d);
	return 0;
}

static const struct ac_chat_class noting_writer_class = {
	.d = { .super = AC_CHAT, .name = "noting-writer", .handle_close = note_reason },
};

#define LONG 500000

static void full_pipe_never_blocks_the_loop(void **state)
{
	struct world *w = *state;
	char *text = malloc(LONG), *came = malloc(LONG);
	struct ac_chat *c;
	size_t n = 0;
	int fds[2];

	for (size_t i = 0; i < LONG; i++)
		text[i] = (char)('a' + i % 26 + i / 5000 % 3);
	assert_int_equal(pipe(fds), 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	c = (struct ac_chat *)ac_file_dispatcher(w->map, &writer_class.d, fds[1]);
	assert_int_equal(ac_push(c, text, LONG), 0);
	passes(w, 3);
	assert_true(ac_pending(c) > 0);
	for (int i = 0; i < 100000 && n < LONG; i++) {
		ssize_t r = read(fds[0], came + n, LONG - n);

		n += r > 0 ? (size_t)r : 0;
		ac_poll(w->map, 0);
	}
	assert_int_equal(n, LONG);
	assert_memory_equal(text, came, LONG);
	close(fds[0]);
	close(fds[1]);
	free(text);
	free(came);
}

static void reader_that_goes_is_a_broken_pipe_and_no_signal(void **state)
{
	struct world *w = *state;
	struct ac_chat *c;
	int fds[2];

	closed_with = 0;
	assert_int_equal(pipe(fds), 0);
	c = (struct ac_chat *)ac_file_dispatcher(w->map, &noting_writer_class.d, fds[1]);
	passes(w, 2);
	close(fds[0]);
	assert_int_equal(ac_push(c, "x", 1), 0);
	UNTIL(w, closed_with != 0);
	assert_int_equal(closed_with, EPIPE);
	close(fds[1]);
}

static void file_is_pushed_into_a_pipe_without_sendfile(void **state)
{
	struct world *w = *state;
	char name[] = "/tmp/asyncore-test-XXXXXX", came[64];
	int fd = mkstemp(name), fds[2];
	struct ac_chat *c;

	unlink(name);
	assert_int_equal(write(fd, "0123456789", 10), 10);
	assert_int_equal(pipe(fds), 0);
	c = (struct ac_chat *)ac_file_dispatcher(w->map, &writer_class.d, fds[1]);
	assert_int_equal(ac_push(c, "<", 1), 0);
	assert_int_equal(ac_push_file(c, fd, 2, 5), 0);
	assert_int_equal(ac_push(c, ">", 1), 0);
	passes(w, 5);
	assert_int_equal(read(fds[0], came, sizeof(came)), 7);
	assert_memory_equal(came, "<23456>", 7);
	close(fds[0]);
	close(fds[1]);
}

/* FIONREAD tells the writing end what nobody will read any more: that is no input to wait for. */
static void reader_that_goes_and_left_bytes_is_noticed_by_an_idle_writer(void **state)
{
	struct world *w = *state;
	struct ac_chat *c;
	int fds[2];

	closed_with = 0;
	assert_int_equal(pipe(fds), 0);
	c = (struct ac_chat *)ac_file_dispatcher(w->map, &noting_writer_class.d, fds[1]);
	assert_int_equal(ac_push(c, "x", 1), 0);
	passes(w, 3);
	close(fds[0]);
	UNTIL(w, closed_with != 0);
	assert_int_equal(ac_map_channels(w->map), 0);
	close(fds[1]);
}

static void shared_socket_keeps_its_blocking_flag_both_ways(void **state)
{
	struct world *w = *state;
	char text[64] = "";
	struct reader *r;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	r = reader_on(w, fds[0]);
	put(fds[1], "hello");
	UNTIL(w, bytes == 5);
	assert_int_equal(ac_send(&r->d, "answer", 6), 6);
	assert_int_equal(get(fds[1], text, sizeof(text)), 6);
	assert_false(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	ac_close(&r->d);
	assert_false(ended(fds[1])); /* ours is open yet: the channel had a duplicate */
	put(fds[0], "still");
	assert_int_equal(get(fds[1], text, sizeof(text)), 5);
	close(fds[0]);
	close(fds[1]);
}

static void regular_file_is_written_and_is_no_reason_to_spin_when_idle(void **state)
{
	struct world *w = *state;
	char name[] = "/tmp/asyncore-test-XXXXXX", came[16] = "";
	int fd = mkstemp(name), calls = 0;
	struct ac_chat *c = (struct ac_chat *)ac_file_dispatcher(w->map, &writer_class.d, fd);

	unlink(name);
	ac_pause(&c->d);
	assert_int_equal(ac_push(c, "written", 7), 0);
	passes(w, 3);
	assert_int_equal(ac_pending(c), 0);
	assert_int_equal(pread(fd, came, sizeof(came), 0), 7);
	assert_string_equal(came, "written");
	for (double end = ac_now(w->map) + 0.1; ac_now(w->map) < end; calls++)
		ac_poll(w->map, 0.05);
	assert_true(calls < 10);
	close(fd);
}

static void terminal_that_is_hung_up_closes(void **state)
{
	struct world *w = *state;
	int leader, follower;

	assert_int_equal(openpty(&leader, &follower, NULL, NULL, NULL), 0);
	reader_on(w, leader);
	passes(w, 2);
	assert_int_equal(write(follower, "last\n", 5), 5);
	close(follower);
	close(leader);
	UNTIL(w, closes == 1);
	assert_int_equal(bytes, 6); /* \r\n by the line discipline */
}

static void bad_descriptor_is_refused(void **state)
{
	struct world *w = *state;

	assert_null(ac_file_dispatcher(w->map, &reader_class, -1));
	assert_int_equal(errno, EBADF);
	assert_int_equal(ac_map_channels(w->map), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(pipe_is_read_to_its_end_and_stays_blocking),
		EACH(regular_file_is_read_to_its_end),
		EACH(terminal_is_read_line_by_line),
		EACH(full_pipe_never_blocks_the_loop),
		EACH(reader_that_goes_is_a_broken_pipe_and_no_signal),
		EACH(file_is_pushed_into_a_pipe_without_sendfile),
		EACH(reader_that_goes_and_left_bytes_is_noticed_by_an_idle_writer),
		EACH(shared_socket_keeps_its_blocking_flag_both_ways),
		EACH(regular_file_is_written_and_is_no_reason_to_spin_when_idle),
		EACH(terminal_that_is_hung_up_closes),
		EACH(bad_descriptor_is_refused),
	};

	return RUN(tests);
}
