/* test_dispatcher.c — open.c, serve.c, accept.c, events.c, state.c, limit.c, interest.c. */
#include "harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/select.h>

struct ear {
	struct ac_dispatcher d;
	char *heard;
	int *expts, *timeouts, *closes;
	int *reason;
};

static int ear_read(struct ac_dispatcher *d)
{
	struct ear *e = (struct ear *)d;
	char text[256];
	ssize_t n = ac_recv(d, text, sizeof(text) - 1);

	if (n > 0 && e->heard)
		strncat(e->heard, text, (size_t)n);
	return n < 0 ? (int)n : 0;
}

static int ear_close(struct ac_dispatcher *d)
{
	struct ear *e = (struct ear *)d;

	if (e->closes)
		++*e->closes;
	if (e->reason)
		*e->reason = ac_close_reason(d);
	return 0;
}

static int ear_expt(struct ac_dispatcher *d)
{
	++*((struct ear *)d)->expts;
	return 0;
}

static const struct ac_class ear_class = {
	.super = AC_DISPATCHER,
	.name = "ear",
	.size = sizeof(struct ear),
	.handle_read = ear_read,
	.handle_close = ear_close,
};

static const struct ac_class expt_class = {
	.super = &ear_class,
	.name = "expt-ear",
	.handle_expt = ear_expt,
};

static struct ear *ear_on(struct world *w, int fd, const struct ac_class *cls)
{
	struct ear *e = (struct ear *)ac_adopt(w->map, cls, fd, NULL);

	assert_non_null(e);
	e->heard = new_trace(w);
	return e;
}

static int accepted;

static int accept_one(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	accepted++;
	return ac_adopt(d->map, &ear_class, fd, peer) ? 0 : ac_raise(d, errno);
}

static const struct ac_class listener_class = {
	.super = AC_DISPATCHER,
	.name = "listener",
	.handle_accepted = accept_one,
};

static void serve_and_dial_over_every_family(void **state)
{
	struct world *w = *state;
	static const char *const addresses[] = { "127.0.0.1:0", "[::1]:0",
		                                 "unix:@asyncore-test-%d" };

	for (int i = 0; i < 3; i++) {
		struct ac_dispatcher *l = ac_new(w->map, &listener_class);
		struct rec *r = (struct rec *)ac_chat_new(w->map, &rec_class);
		struct ac_addr addr;
		char where[AC_ADDR_TEXT], text[AC_REPR_TEXT];

		r->trace = new_trace(w);
		accepted = 0;
		snprintf(where, sizeof(where), addresses[i], (int)getpid());
		assert_int_equal(ac_serve(l, where), 0);
		assert_int_equal(ac_local_addr(l, &addr), 0);
		ac_addr_format(&addr, where, sizeof(where));
		assert_int_equal(ac_dial(&r->c.d, where), 0);
		assert_true(ac_connecting(&r->c.d));
		UNTIL(w, accepted == 1 && strcmp(r->trace, "O") == 0);
		assert_true(ac_connected(&r->c.d));
		ac_repr(&r->c.d, text, sizeof(text));
		assert_non_null(strstr(text, "<rec connected "));
		assert_non_null(strstr(text, where));
		ac_repr(l, text, sizeof(text));
		assert_non_null(strstr(text, "<listener listening "));
		ac_close(l);
		ac_close(&r->c.d);
	}
}

static void verbs_out_of_turn_are_errors(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d = ac_new(w->map, &ear_class);
	struct ac_addr addr;

	assert_int_equal(ac_addr_parse("127.0.0.1:0", &addr), 0);
	assert_int_equal(ac_bind(d, &addr), -EBADF);
	assert_int_equal(ac_listen(d, 1), -EBADF);
	assert_int_equal(ac_connect(d, &addr), -EBADF);
	assert_int_equal(ac_set_reuse_addr(d), -EBADF);
	assert_int_equal(ac_serve(d, "nowhere"), -EINVAL);
	assert_non_null(strstr(ac_last_error(w->map)->detail, "nowhere"));
	assert_int_equal(ac_serve(NULL, "127.0.0.1:0"), -ENOMEM);
	assert_int_equal(ac_create_socket(d, AF_INET, SOCK_STREAM), 0);
	assert_int_equal(ac_create_socket(d, AF_INET, SOCK_STREAM), -EISCONN);
	assert_int_equal(ac_map_channels(w->map),
	                 0); /* not watched before it connects or listens */
	passes(w, 2);
	assert_int_equal(ac_accept(d, NULL), -EINVAL);
	ac_close(d);
	assert_int_equal(ac_recv(d, &addr, 1), 0);
	assert_int_equal(ac_send(d, &addr, 1), 0);
	assert_int_equal(ac_bind(d, &addr), 0);
	assert_int_equal(ac_listen(d, 1), 0);
	assert_int_equal(ac_shutdown(d, SHUT_WR), 0);
	ac_close(d);
	ac_close(NULL);
}

static void adopt_takes_the_descriptor_also_when_it_fails(void **state)
{
	static const struct ac_class bad = { .super = AC_DISPATCHER, .size = 1 };
	struct world *w = *state;
	int fds[2], before = count_fds();

	unix_pair(fds);
	assert_null(ac_adopt(w->map, &bad, fds[0], NULL));
	assert_true(ended(fds[1]));
	close(fds[1]);
	assert_int_equal(count_fds(), before);
	assert_null(ac_adopt(w->map, &ear_class, -1, NULL));
	assert_int_equal(errno, EBADF);
	if (strcmp(w->poller, "select") == 0 && sysconf(_SC_OPEN_MAX) > FD_SETSIZE + 5) {
		unix_pair(fds);
		assert_int_equal(dup2(fds[0], FD_SETSIZE + 4), FD_SETSIZE + 4);
		assert_null(ac_adopt(w->map, &ear_class, FD_SETSIZE + 4, NULL));
		assert_int_equal(ac_last_error(w->map)->code, EMFILE);
		close(fds[0]);
		close(fds[1]);
	}
}

static void paused_channel_learns_that_its_peer_died(void **state)
{
	struct world *w = *state;
	int fds[2], closes = 0, reason = 0, waits = 0;
	struct ear *e;
	char *heard;

	unix_pair(fds);
	e = ear_on(w, fds[0], &ear_class);
	e->closes = &closes;
	e->reason = &reason;
	ac_pause(&e->d);
	passes(w, 2);
	close(fds[1]);
	UNTIL(w, closes == 1);
	assert_int_equal(reason, AC_PEER);
	/* With input unread it is left alone until it is resumed: nothing is lost, nothing spins. */
	closes = 0;
	unix_pair(fds);
	e = ear_on(w, fds[0], &ear_class);
	e->closes = &closes;
	heard = e->heard;
	ac_pause(&e->d);
	put(fds[1], "last words");
	close(fds[1]);
	for (double end = ac_now(w->map) + 0.3; ac_now(w->map) < end; waits++)
		ac_poll(w->map, 0.1);
	assert_true(waits < 12);
	assert_int_equal(closes, 0);
	ac_resume(&e->d);
	UNTIL(w, closes == 1);
	assert_string_equal(heard, "last words");
}

static void out_of_band_byte_does_not_spin(void **state)
{
	struct world *w = *state;
	int fds[2], calls = 0, expts = 0;
	struct ear *deaf, *hears;

	tcp_pair(fds);
	deaf = ear_on(w, fds[0], &ear_class);
	assert_int_equal(send(fds[1], "!", 1, MSG_OOB), 1);
	put(fds[1], "data");
	UNTIL(w, strcmp(deaf->heard, "data") == 0);
	for (double end = ac_now(w->map) + 0.1; ac_now(w->map) < end; calls++)
		ac_poll(w->map, 0.05);
	assert_true(calls < 10);
	close(fds[1]);
	tcp_pair(fds);
	hears = ear_on(w, fds[0], &expt_class);
	hears->expts = &expts;
	assert_int_equal(send(fds[1], "!", 1, MSG_OOB), 1);
	UNTIL(w, expts == 1);
	for (calls = 0; calls < 5; calls++)
		ac_poll(w->map, 0.01);
	assert_int_equal(expts, 1); /* it was not read: called once all the same */
	assert_int_equal(send(fds[1], "?", 1, MSG_OOB), 1);
	UNTIL(w, expts == 2);
	close(fds[1]);
}

static void class_without_handle_write_is_not_asked_to_write(void **state)
{
	struct world *w = *state;
	int fds[2], calls = 0;
	struct ear *e;

	unix_pair(fds);
	e = ear_on(w, fds[0], &ear_class);
	assert_false(ac_writable(&e->d));
	assert_true(ac_readable(&e->d));
	for (double end = ac_now(w->map) + 0.1; ac_now(w->map) < end; calls++)
		ac_poll(w->map, 0.05);
	assert_true(calls < 10);
	close(fds[1]);
}

static int reads_by_hand;

static int read_by_hand(struct ac_dispatcher *d)
{
	char byte;

	reads_by_hand++;
	return read(d->fd, &byte, 1) == 1 ? 0 : -EAGAIN;
}

static const struct ac_class hand_class = {
	.super = AC_DISPATCHER,
	.name = "by-hand",
	.handle_read = read_by_hand,
};

/* A handler that reads for itself, one byte at a time, is called until nothing is left, and no more. */
static void handler_that_bypasses_the_verbs_is_called_until_empty(void **state)
{
	struct world *w = *state;
	int fds[2];

	unix_pair(fds);
	reads_by_hand = 0;
	assert_non_null(ac_adopt(w->map, &hand_class, fds[0], NULL));
	put(fds[1], "abc");
	passes(w, 10);
	assert_int_equal(reads_by_hand, 3);
	close(fds[1]);
}

static int on_silence(struct ac_dispatcher *d)
{
	++*((struct ear *)d)->timeouts;
	return *((struct ear *)d)->timeouts == 2 ? AC_DISPATCHER->handle_timeout(d) : 0;
}

static const struct ac_class silent_class = {
	.super = &ear_class,
	.name = "silent",
	.handle_timeout = on_silence,
};

static void idle_timeout_counts_from_the_last_byte(void **state)
{
	struct world *w = *state;
	int fds[2], closes = 0, reason = 0, timeouts = 0;
	struct ear *e;
	double begin;

	unix_pair(fds);
	e = ear_on(w, fds[0], &silent_class);
	e->closes = &closes;
	e->reason = &reason;
	e->timeouts = &timeouts;
	assert_int_equal(ac_set_timeout(&e->d, -1), -EINVAL);
	assert_int_equal(ac_set_timeout(&e->d, 0.06), 0);
	begin = ac_now(w->map);
	for (int i = 0; i < 5; i++) {
		ac_poll(w->map, 0.02);
		put(fds[1], "x");
		ac_poll(w->map, 0.02);
	}
	assert_int_equal(timeouts, 0);
	assert_true(ac_now(w->map) - begin > 0.06);
	UNTIL(w, closes == 1);
	assert_int_equal(timeouts, 2);
	assert_int_equal(reason, ETIMEDOUT);
	assert_int_equal(ac_map_tasks(w->map), 0);
	close(fds[1]);
}

static void limits_of_channel_class_and_map(void **state)
{
	struct world *w = *state;
	int fd;
	struct rec *r = rec_pair(w, &fd);
	const char *trace = r->trace;

	assert_int_equal(ac_limit(&r->c.d, AC_MAX_RECORD), 65536);
	ac_map_set_limit(w->map, AC_MAX_RECORD, 10);
	assert_int_equal(ac_limit(&r->c.d, AC_MAX_RECORD), 10);
	assert_int_equal(ac_set_limit(&r->c.d, AC_MAX_RECORD, 3), 0);
	assert_int_equal(ac_limit(&r->c.d, AC_MAX_RECORD), 3);
	assert_int_equal(ac_set_limit(&r->c.d, AC_LIMITS, 3), -EINVAL);
	ac_set_terminator(&r->c, "\n", 1);
	put(fd, "ab\nabc\n");
	passes(w, 2);
	assert_string_equal(r->trace, "C(ab)FC(abc)F");
	put(fd, "ab");
	passes(w, 2);
	put(fd, "cd\n");
	passes(w, 2);
	assert_string_equal(trace, "C(ab)FC(abc)FC(ab)E(EMSGSIZE)X");
	close(fd);
}

static void detached_channel_hears_nothing_and_keeps_no_loop_going(void **state)
{
	struct world *w = *state;
	struct ac_map_opts opts = { .poller = w->poller };
	struct ac_map *other = ac_map_new(&opts);
	int fds[2];
	struct ear *e;

	unix_pair(fds);
	e = ear_on(w, fds[0], &ear_class);
	passes(w, 1);
	ac_del_channel(&e->d);
	put(fds[1], "one ");
	assert_int_equal(ac_loop(w->map, NULL), 0);
	assert_string_equal(e->heard, "");
	assert_int_equal(ac_add_channel(&e->d, w->map), 0);
	UNTIL(w, strcmp(e->heard, "one ") == 0);
	assert_int_equal(ac_set_timeout(&e->d, 5), 0);
	assert_int_equal(ac_add_channel(&e->d, other), 0); /* moves, with its timeout */
	assert_int_equal(ac_map_channels(w->map), 0);
	assert_int_equal(ac_map_channels(other), 1);
	put(fds[1], "two");
	passes(w, 2);
	assert_string_equal(e->heard, "one ");
	for (int i = 0; i < 3; i++)
		ac_poll(other, 0.01);
	assert_string_equal(e->heard, "one two");
	ac_map_free(other);
	assert_true(ended(fds[1]));
	close(fds[1]);
}

static void fired_by_hand_as_the_loop_would(void **state)
{
	struct world *w = *state;
	int fds[2];
	struct ear *e;

	unix_pair(fds);
	e = ear_on(w, fds[0], &ear_class);
	ac_read(&e->d); /* nothing there: -EAGAIN is no error */
	put(fds[1], "x");
	ac_read(&e->d);
	assert_string_equal(e->heard, "x");
	ac_write(&e->d);
	assert_string_equal(w->log, ""); /* it does not want to write: nothing is called */
	ac_exception(&e->d);
	assert_non_null(strstr(w->log, "unhandled incoming priority event"));
	close(fds[1]);
}

static void unix_socket_left_behind_is_replaced_but_a_living_one_is_not(void **state)
{
	struct world *w = *state;
	char path[64], where[80];
	struct ac_dispatcher *d = ac_new(w->map, &listener_class);
	struct ac_addr addr;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(path, sizeof(path), "/tmp/asyncore-test-%d", (int)getpid());
	snprintf(where, sizeof(where), "unix:%s", path);
	assert_int_equal(ac_addr_parse(where, &addr), 0);
	assert_int_equal(bind(fd, &addr.sa, addr.len), 0);
	close(fd);
	assert_int_equal(ac_serve(d, where), 0);
	assert_int_equal(ac_serve(ac_new(w->map, &listener_class), where), -EADDRINUSE);
	ac_close(d);
	unlink(path);
}

static void debugging_tells_of_opening_and_closing(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d = ac_new(w->map, &listener_class);

	ac_set_debug(d, true);
	assert_int_equal(ac_serve(d, "127.0.0.1:0"), 0);
	assert_non_null(strstr(w->log, "watching <listener listening 127.0.0.1:"));
	ac_close(d);
	assert_non_null(strstr(w->log, "closing <listener listening 127.0.0.1:"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(serve_and_dial_over_every_family),
		EACH(verbs_out_of_turn_are_errors),
		EACH(adopt_takes_the_descriptor_also_when_it_fails),
		EACH(paused_channel_learns_that_its_peer_died),
		EACH(out_of_band_byte_does_not_spin),
		EACH(class_without_handle_write_is_not_asked_to_write),
		EACH(handler_that_bypasses_the_verbs_is_called_until_empty),
		EACH(idle_timeout_counts_from_the_last_byte),
		EACH(limits_of_channel_class_and_map),
		EACH(detached_channel_hears_nothing_and_keeps_no_loop_going),
		EACH(fired_by_hand_as_the_loop_would),
		EACH(unix_socket_left_behind_is_replaced_but_a_living_one_is_not),
		EACH(debugging_tells_of_opening_and_closing),
	};

	return RUN(tests);
}
