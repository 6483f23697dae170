/*
 * test_deadline.c — peers who take their time: with a record, with output, at a pace; and a map that is nearly full.
 *
 * Design: what has to happen is waited for as long as it takes, within two seconds; what must not happen yet is
 * far from its time.
 */
#include "harness.h"

#include <asyncore/overload.h>
#include <math.h>

static int late_errors;
static enum ac_timeout late_kind;
static bool lets_go_on;

static int hear_late(struct ac_dispatcher *d, const struct ac_error *e)
{
	assert_int_equal(e->code, ETIMEDOUT);
	late_errors++;
	late_kind = ac_timed_out(d);
	return lets_go_on ? 0 : AC_DISPATCHER->handle_error(d, e);
}

static int nothing(struct ac_chat *c)
{
	(void)c;
	return 0;
}

static const struct ac_chat_class patient_class = {
	.d = { .super = AC_CHAT, .name = "patient", .handle_error = hear_late },
	.found_terminator = nothing,
};

static struct ac_chat *chat_pair(struct world *w, const struct ac_chat_class *cls, int *ret_fd)
{
	struct ac_chat *c;
	int fds[2];

	late_errors = 0;
	late_kind = AC_IN_TIME;
	lets_go_on = false;
	unix_pair(fds);
	c = ac_chat_adopt(w->map, cls, fds[0], NULL);
	assert_int_equal(ac_set_terminator(c, "\n", 1), 0);
	*ret_fd = fds[1];
	return c;
}

static uint64_t count_of(struct world *w, enum ac_counter which)
{
	return ac_map_counter(w->map, which);
}

static void wait_for(struct world *w, double seconds)
{
	for (double end = ac_now(w->map) + seconds; ac_now(w->map) < end;)
		ac_poll(w->map, end - ac_now(w->map));
}

/* ---- records ---- */
static void record_that_drips_is_late_although_it_is_never_idle(void **state)
{
	struct world *w = *state;
	double begin;
	int fd;
	struct ac_chat *c = chat_pair(w, &patient_class, &fd);

	assert_int_equal(ac_set_timeout(&c->d, 0.5), 0);
	assert_int_equal(ac_set_limit(&c->d, AC_MAX_RECORD_TIME, 200), 0);
	wait_for(w, 0.3); /* without a byte there is no record */
	assert_int_equal(late_errors, 0);
	begin = ac_now(w->map);
	for (int i = 0; i < 200 && !late_errors; i++) {
		put(fd, "x");
		wait_for(w, 0.01);
	}
	assert_true(ac_now(w->map) - begin >= 0.2);
	assert_int_equal(late_kind, AC_RECORD_LATE);
	assert_int_equal(count_of(w, AC_COUNT_RECORD_LATE), 1);
	assert_int_equal(count_of(w, AC_COUNT_IDLE), 0);
	assert_int_equal(ac_map_channels(w->map), 0);
	assert_non_null(strstr(w->log, "ETIMEDOUT"));
	close(fd);
}

static void each_record_has_its_own_time(void **state)
{
	struct world *w = *state;
	int fd;
	struct ac_chat *c = chat_pair(w, &patient_class, &fd);

	ac_map_set_limit(w->map, AC_MAX_RECORD_TIME, 400);
	put(fd, "be");
	for (int i = 0; i < 6; i++) { /* each ends the one before and begins the next */
		wait_for(w, 0.1);
		put(fd, "gun\nbe");
	}
	wait_for(w, 0.02);
	put(fd, "gun\n");
	wait_for(w, 0.6);
	assert_int_equal(late_errors, 0);
	put(fd, "no end");
	UNTIL(w, late_errors == 1);
	assert_int_equal(late_kind, AC_RECORD_LATE);
	(void)c;
	close(fd);
}

static void time_that_we_do_not_read_is_not_the_peers(void **state)
{
	struct world *w = *state;
	int fd;
	struct ac_chat *c = chat_pair(w, &patient_class, &fd);

	assert_int_equal(ac_set_limit(&c->d, AC_MAX_RECORD_TIME, 100), 0);
	put(fd, "begun");
	passes(w, 2);
	ac_pause(&c->d);
	wait_for(w, 0.5);
	assert_int_equal(late_errors, 0);
	ac_resume(&c->d);
	UNTIL(w, late_errors == 1);
	close(fd);
}

static void who_is_let_go_on_has_as_long_again(void **state)
{
	struct world *w = *state;
	double begin = ac_now(w->map);
	int fd;
	struct ac_chat *c = chat_pair(w, &patient_class, &fd);

	lets_go_on = true;
	assert_int_equal(ac_set_limit(&c->d, AC_MAX_RECORD_TIME, 100), 0);
	put(fd, "begun");
	UNTIL(w, late_errors == 3);
	assert_true(ac_now(w->map) - begin >= 0.3);
	assert_int_equal(ac_timed_out(&c->d), AC_IN_TIME);
	put(fd, "\n");
	wait_for(w, 0.3);
	assert_int_equal(late_errors, 3);
	assert_int_equal(ac_map_channels(w->map), 1);
	close(fd);
}

/* ---- output ---- */
static char blob[1 << 20];

static void output_that_nobody_takes_ends(void **state)
{
	struct world *w = *state;
	double begin = ac_now(w->map);
	struct ac_sender *s;
	int fd, fds[2];
	struct ac_chat *c = chat_pair(w, &patient_class, &fd);

	assert_int_equal(ac_limit(&c->d, AC_MAX_STALL), 30000); /* unless told otherwise */
	ac_map_set_limit(w->map, AC_MAX_STALL, 200);
	assert_int_equal(ac_push(c, blob, sizeof(blob)), 0);
	assert_int_equal(ac_close_when_done(c), 0); /* leaving is no excuse */
	UNTIL(w, late_errors == 1);
	assert_true(ac_now(w->map) - begin >= 0.2);
	assert_int_equal(late_kind, AC_STALLED);
	close(fd);
	unix_pair(fds);
	s = (struct ac_sender *)ac_adopt(w->map, AC_DISPATCHER_WITH_SEND, fds[0], NULL);
	assert_int_equal(ac_sender_send(s, blob, sizeof(blob)), sizeof(blob));
	UNTIL(w, ac_map_channels(w->map) == 0);
	assert_int_equal(count_of(w, AC_COUNT_STALLED), 2);
	close(fds[1]);
}

static void output_that_is_taken_slowly_goes_on(void **state)
{
	struct world *w = *state;
	char byte[512];
	int fds[2], big = 1 << 20;
	struct ac_chat *c;

	late_errors = 0;
	tcp_pair(fds); /* the kernel holds megabytes: nothing of ours moves meanwhile */
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	c = ac_chat_adopt(w->map, &patient_class, fds[0], NULL);
	assert_int_equal(ac_set_limit(&c->d, AC_MAX_OUTPUT, SIZE_MAX), 0);
	assert_int_equal(ac_set_limit(&c->d, AC_MAX_STALL, 400), 0);
	for (int i = 0; i < 40; i++)
		assert_int_equal(ac_push_static(c, blob, sizeof(blob)), 0);
	passes(w, 4);
	assert_true(ac_pending(c) > 0);
	for (int i = 0; i < 100; i++) {
		for (int n = 0; n < 300; n++) /* 150 KB: windows open in large steps */
			recv(fds[1], byte, sizeof(byte), MSG_DONTWAIT);
		wait_for(w, 0.01);
	}
	assert_int_equal(late_errors, 0);
	UNTIL(w, late_errors == 1);
	assert_int_equal(late_kind, AC_STALLED);
	close(fds[1]);
}

static void stall_that_is_off_never_ends(void **state)
{
	struct world *w = *state;
	int fd;
	struct ac_chat *c = chat_pair(w, &patient_class, &fd);

	ac_map_set_limit(w->map, AC_MAX_STALL, 50);
	assert_int_equal(ac_set_limit(&c->d, AC_MAX_STALL, SIZE_MAX), 0);
	assert_int_equal(ac_push(c, blob, sizeof(blob)), 0);
	wait_for(w, 0.4);
	assert_int_equal(late_errors, 0);
	assert_true(ac_pending(c) > 0);
	close(fd);
}

static void our_own_rate_stalls_nobody(void **state)
{
	struct world *w = *state;
	int fd;
	struct ac_chat *c = chat_pair(w, &patient_class, &fd);

	assert_int_equal(ac_set_rate(&c->d, 10, 10), 0);
	assert_int_equal(ac_set_limit(&c->d, AC_MAX_STALL, 50), 0);
	assert_int_equal(ac_set_limit(&c->d, AC_MAX_RECORD_TIME, 50), 0);
	assert_int_equal(ac_push(c, blob, 1000), 0);
	put(fd, "a record of more than ten bytes");
	wait_for(w, 0.4);
	assert_int_equal(late_errors, 0);
	close(fd);
}

/* ---- pace ---- */
static void peer_that_sends_too_slowly_ends_and_a_faster_one_does_not(void **state)
{
	struct world *w = *state;

	for (int fast = 0; fast < 2; fast++) {
		int fd;
		struct ac_chat *c = chat_pair(w, &patient_class, &fd);

		assert_int_equal(ac_set_min_rate(&c->d, 1000, 0.2), 0);
		for (int i = 0; i < 60 && !late_errors; i++) {
			put(fd, fast ? "0123456789012345678901234567890123456789" : "x");
			wait_for(w, 0.01);
		}
		assert_int_equal(late_errors, !fast);
		assert_int_equal(late_kind, fast ? AC_IN_TIME : AC_TOO_SLOW);
		if (fast) {
			put(fd, "\n");
			wait_for(w, 0.5); /* between records nobody is slow */
			assert_int_equal(late_errors, 0);
		}
		close(fd);
		UNTIL(w, ac_map_channels(w->map) == 0);
	}
	assert_int_equal(count_of(w, AC_COUNT_TOO_SLOW), 1);
}

static void peer_that_takes_too_slowly_ends_and_a_faster_one_does_not(void **state)
{
	struct world *w = *state;
	static char buffer[65536];

	for (int fast = 0; fast < 2; fast++) {
		int fd;
		struct ac_chat *c = chat_pair(w, &patient_class, &fd);

		assert_int_equal(ac_set_min_rate(&c->d, 100000, 0.2), 0);
		for (int i = 0; i < 10; i++)
			assert_int_equal(ac_push_static(c, blob, sizeof(blob)), 0);
		for (int i = 0; i < 60 && !late_errors; i++) {
			recv(fd, buffer, fast ? sizeof(buffer) : 10, MSG_DONTWAIT);
			wait_for(w, 0.01);
		}
		assert_int_equal(late_errors, !fast);
		assert_int_equal(late_kind, fast ? AC_IN_TIME : AC_TOO_SLOW);
		ac_close_all(w->map, false);
		close(fd);
	}
}

static void deadlines_go_along_to_another_map(void **state)
{
	struct world *w = *state;
	struct ac_map *other = ac_map_new(&(struct ac_map_opts){ .poller = w->poller });
	int fd;
	struct ac_chat *c = chat_pair(w, &patient_class, &fd);

	assert_int_equal(ac_set_limit(&c->d, AC_MAX_STALL, 100), 0);
	assert_int_equal(ac_push(c, blob, sizeof(blob)), 0);
	passes(w, 2);
	assert_int_equal(ac_add_channel(&c->d, other), 0);
	for (double end = ac_now(other) + 2; ac_now(other) < end && !late_errors;)
		ac_poll(other, 0.01);
	assert_int_equal(late_errors, 1);
	ac_map_free(other);
	close(fd);
}

static void values_that_are_none_are_refused(void **state)
{
	struct world *w = *state;
	int fd;
	struct ac_chat *c = chat_pair(w, &patient_class, &fd);

	assert_int_equal(ac_set_min_rate(&c->d, 1, -1), -EINVAL);
	assert_int_equal(ac_set_min_rate(&c->d, 1, (double)NAN), -EINVAL);
	assert_int_equal(ac_set_min_rate(&c->d, 0, 0), 0);
	assert_int_equal(ac_map_set_stress(w->map, 9, 0.5), -EINVAL);
	assert_int_equal(ac_map_set_stress(w->map, 101, 0.5), -EINVAL);
	assert_int_equal(ac_map_set_stress(w->map, 90, 0), -EINVAL);
	assert_int_equal(ac_map_set_stress(w->map, 90, 1.5), -EINVAL);
	assert_int_equal(ac_map_set_stress(w->map, 100, 1), 0);
	ac_close(&c->d);
	assert_int_equal(ac_set_min_rate(&c->d, 1, 1), 0);
	close(fd);
}

/* ---- stress ---- */
static int accept_patient(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct ac_chat *c = ac_chat_adopt(d->map, &patient_class, fd, peer);

	return c ? ac_set_timeout(&c->d, 3.6) : ac_raise(d, errno);
}

static const struct ac_class listener_class = {
	.super = AC_DISPATCHER,
	.name = "listener",
	.limits = { [AC_MAX_CONNECTIONS] = 10 },
	.handle_accepted = accept_patient,
};

static void stress_begins_above_nine_tenths_and_ends_at_eight(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d = ac_new(w->map, &listener_class);
	int fds[10];

	assert_int_equal(ac_serve(d, "127.0.0.1:0"), 0);
	for (size_t i = 0; i < 10; i++) {
		fds[i] = connect_to(d);
		UNTIL(w, ac_map_connections(w->map) == i + 1);
		assert_int_equal(ac_map_stressed(w->map), i == 9);
	}
	assert_int_equal(count_of(w, AC_COUNT_STRESS), 1);
	assert_non_null(strstr(w->log, "stress: 10 of 10"));
	close(fds[9]);
	UNTIL(w, ac_map_connections(w->map) == 9);
	assert_true(ac_map_stressed(w->map));
	close(fds[8]);
	UNTIL(w, ac_map_connections(w->map) == 8);
	assert_false(ac_map_stressed(w->map));
	assert_non_null(strstr(w->log, "stress is over"));
	for (int i = 0; i < 8; i++)
		close(fds[i]);
	UNTIL(w, ac_map_connections(w->map) == 0);
}

static void timeouts_are_shorter_under_stress_also_those_that_run(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d = ac_new(w->map, &listener_class);
	double begin = ac_now(w->map);
	int fds[10];

	assert_int_equal(ac_serve(d, "127.0.0.1:0"), 0);
	for (size_t i = 0; i < 10; i++)
		fds[i] = connect_to(d);
	UNTIL(w, ac_map_connections(w->map) == 10);
	UNTIL(w, ac_map_connections(w->map) <
	                 10); /* idle for 3.6 seconds would be too long for this */
	assert_true(ac_now(w->map) - begin >= 0.9); /* a quarter is below one second */
	assert_true(count_of(w, AC_COUNT_IDLE) > 0);
	for (int i = 0; i < 10; i++)
		close(fds[i]);
	UNTIL(w, ac_map_connections(w->map) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(record_that_drips_is_late_although_it_is_never_idle),
		EACH(each_record_has_its_own_time),
		EACH(time_that_we_do_not_read_is_not_the_peers),
		EACH(who_is_let_go_on_has_as_long_again),
		EACH(output_that_nobody_takes_ends),
		EACH(output_that_is_taken_slowly_goes_on),
		EACH(stall_that_is_off_never_ends),
		EACH(our_own_rate_stalls_nobody),
		EACH(peer_that_sends_too_slowly_ends_and_a_faster_one_does_not),
		EACH(peer_that_takes_too_slowly_ends_and_a_faster_one_does_not),
		EACH(deadlines_go_along_to_another_map),
		EACH(values_that_are_none_are_refused),
		EACH(stress_begins_above_nine_tenths_and_ends_at_eight),
		EACH(timeouts_are_shorter_under_stress_also_those_that_run),
	};

	return RUN(tests);
}
