/*
 * test_limits.c — every limit at n-1, n and n+1, and what memory costs when peers try to have more.
 */
#include "harness.h"

#include <asyncore/overload.h>
#include <stdlib.h>

static int kept_records;
static size_t kept_bytes;

static int keep_record(struct ac_chat *c)
{
	kept_records++;
	kept_bytes += ac_incoming(c).len;
	return 0;
}

static const struct ac_chat_class keeper_class = {
	.d = { .super = AC_CHAT, .name = "keeper" },
	.found_terminator = keep_record,
};

enum way { BY_STRING, BY_LIST, BY_COUNT, BY_NOTHING };

static int set_way(struct ac_chat *c, enum way way, size_t len)
{
	static const struct ac_slice list[] = { { "\r\n", 2 }, { "\n", 1 } };

	switch (way) {
	case BY_STRING:
		return ac_set_terminator(c, "\r\n", 2);
	case BY_LIST:
		return ac_set_terminator_any(c, list, 2);
	case BY_COUNT:
		return ac_set_terminator_count(c, (int64_t)len);
	default:
		return ac_set_terminator_none(c);
	}
}

/* A record of `len` bytes under a limit of 100, sent at once or cut in pieces. */
static void send_record(struct world *w, enum way way, size_t len, size_t piece)
{
	char text[200];
	struct ac_chat *c;
	uint64_t before;
	size_t total = way < BY_COUNT ? len + 2 : len;
	int fds[2];

	memset(text, 'x', sizeof(text));
	memcpy(text + len, "\r\n", 2);
	kept_records = 0;
	kept_bytes = 0;
	before = ac_map_counter(w->map, AC_COUNT_RECORD_TOO_LONG);
	unix_pair(fds);
	c = ac_chat_adopt(w->map, &keeper_class, fds[0], NULL);
	assert_int_equal(ac_set_limit(&c->d, AC_MAX_RECORD, 100), 0);
	if (way == BY_COUNT && len > 100) {
		assert_int_equal(set_way(c, way, len), -EMSGSIZE);
		way = BY_NOTHING;
	}
	assert_int_equal(set_way(c, way, len), 0);
	for (size_t at = 0; at < total; at += piece) {
		send(fds[1], text + at, total - at < piece ? total - at : piece, MSG_NOSIGNAL);
		passes(w, 1);
	}
	passes(w, 1);
	assert_int_equal(ac_map_channels(w->map), len <= 100);
	assert_int_equal(kept_records, len <= 100 && way != BY_NOTHING);
	assert_int_equal(kept_bytes, kept_records ? len : 0);
	assert_int_equal(ac_map_counter(w->map, AC_COUNT_RECORD_TOO_LONG) > before, len > 100);
	close(fds[1]);
	passes(w, 2);
	assert_int_equal(ac_map_channels(w->map), 0);
}

static void record_limit_is_exact_however_it_is_cut(void **state)
{
	static const size_t pieces[] = { 1, 7, 99, 100, 101, 200 };

	for (enum way way = BY_STRING; way <= BY_NOTHING; way++)
		for (size_t len = 99; len <= 101; len++)
			for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
				send_record(*state, way, len, pieces[i]);
}

/* Chats that are not connected yet keep all they are given: what is queued is known to the byte. */
static struct rec *unconnected(struct world *w)
{
	struct rec *r = (struct rec *)ac_chat_new(w->map, &rec_class);

	r->trace = new_trace(w);
	return r;
}

static void output_cap_is_exact_for_every_push(void **state)
{
	static const char text[1001];
	struct world *w = *state;

	for (size_t len = 399; len <= 401; len++) {
		struct rec *r = unconnected(w);
		int want = len > 400 ? -ENOBUFS : 0;

		assert_int_equal(ac_set_limit(&r->c.d, AC_MAX_OUTPUT, 1000), 0);
		assert_int_equal(ac_push(&r->c, text, 600), 0);
		assert_int_equal(ac_push(&r->c, text, len), want);
		assert_int_equal(ac_pending(&r->c), 600 + (want ? 0 : len));
		ac_discard_output(&r->c);
		assert_int_equal(ac_push_static(&r->c, text, 600), 0);
		assert_int_equal(ac_push_static(&r->c, text, len), want);
		ac_discard_output(&r->c);
		assert_int_equal(ac_pushf(&r->c, "%0600d", 1), 0);
		assert_int_equal(ac_pushf(&r->c, "%0*d", (int)len, 1), want);
		assert_int_equal(ac_pending(&r->c), 600 + (want ? 0 : len));
		ac_close(&r->c.d);
	}
}

/* What waits in the channel, not in the kernel: a peer that reads nothing and a kernel that takes nothing. */
static struct rec *choked_by(struct world *w, size_t high, size_t queued, int *ret_fd)
{
	static char fill[65536];
	struct rec *r = rec_pair(w, ret_fd);

	while (send(r->c.d.fd, fill, sizeof(fill), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	while (send(r->c.d.fd, fill, 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	assert_int_equal(ac_set_limit(&r->c.d, AC_HIGH_WATER, high), 0);
	assert_int_equal(ac_set_limit(&r->c.d, AC_LOW_WATER, high / 2), 0);
	assert_int_equal(ac_push(&r->c, fill, queued), 0);
	assert_int_equal(ac_pending(&r->c), queued);
	put(*ret_fd, "in");
	passes(w, 3);
	return r;
}

static void input_is_read_below_the_high_water_mark_and_not_at_it(void **state)
{
	struct world *w = *state;

	for (size_t queued = 999; queued <= 1001; queued++) {
		int fd;
		struct rec *r = choked_by(w, 1000, queued, &fd);

		assert_string_equal(r->trace, queued < 1000 ? "C(in)" : "");
		ac_close(&r->c.d);
		close(fd);
	}
}

static void input_is_read_again_at_the_low_water_mark_and_not_above_it(void **state)
{
	struct world *w = *state;

	/* A file counts for what is left of it, so that the rest can be set to the byte. */
	for (size_t low = 499; low <= 501; low++) {
		char name[] = "/tmp/asyncore-test-XXXXXX";
		int fd, file = mkstemp(name);
		struct rec *r = choked_by(w, 1000, 1000, &fd);

		unlink(name);
		assert_int_equal(ftruncate(file, 501), 0);
		assert_string_equal(r->trace, "");
		ac_discard_output(&r->c);
		passes(w, 2);
		assert_string_equal(r->trace, "DC(in)");
		assert_int_equal(ac_set_limit(&r->c.d, AC_HIGH_WATER, 501), 0);
		assert_int_equal(ac_push_file(&r->c, file, 0, 501), 0);
		assert_int_equal(ac_set_limit(&r->c.d, AC_LOW_WATER, low), 0);
		put(fd, "more");
		passes(w, 3);
		assert_string_equal(r->trace, "DC(in)");
		/* Nothing moves, but what it may hold is weighed anew. */
		ac_flush(&r->c);
		assert_int_equal(ac_set_limit(&r->c.d, AC_HIGH_WATER, 10000), 0);
		ac_flush(&r->c);
		passes(w, 3);
		assert_string_equal(r->trace, low < 501 ? "DC(in)" : "DC(in)DC(more)");
		ac_close(&r->c.d);
		close(fd);
	}
}

static int accepted;

static int count_accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	accepted++;
	return ac_chat_adopt(d->map, &keeper_class, fd, peer) ? 0 : ac_raise(d, errno);
}

static const struct ac_class listener_class = {
	.super = AC_DISPATCHER,
	.name = "listener",
	.handle_accepted = count_accepted,
};

static void accepts_of_one_pass_are_bounded_and_none_is_forgotten(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d = ac_new(w->map, &listener_class);
	int fds[5];

	assert_int_equal(ac_serve(d, "127.0.0.1:0"), 0);
	assert_int_equal(ac_set_limit(d, AC_MAX_ACCEPTS, 4), 0);
	for (int most = 3; most <= 5; most++) {
		accepted = 0;
		for (int i = 0; i < most; i++)
			fds[i] = connect_to(d);
		ac_poll(w->map, 0.05);
		assert_int_equal(accepted, most < 4 ? most : 4);
		ac_poll(w->map, 0.05);
		assert_int_equal(accepted, most);
		for (int i = 0; i < most; i++)
			close(fds[i]);
		UNTIL(w, ac_map_channels(w->map) == 1);
	}
}

static void limits_that_are_off_bound_nothing(void **state)
{
	static char text[300000];
	struct world *w = *state;
	struct rec *r = unconnected(w);

	for (int i = 0; i < AC_LIMITS; i++) {
		ac_map_set_limit(w->map, (enum ac_limit)i, SIZE_MAX);
		assert_true(ac_limit(&r->c.d, (enum ac_limit)i) == SIZE_MAX);
	}
	for (int i = 0; i < 60; i++)
		assert_int_equal(ac_push(&r->c, text, sizeof(text)), 0);
	assert_int_equal(ac_pending(&r->c), 60 * sizeof(text)); /* over the default of 16 MiB */
	for (int i = 0; i < AC_LIMITS; i++)
		ac_map_set_limit(w->map, (enum ac_limit)i, 0); /* the default again */
	assert_int_equal(ac_push(&r->c, text, 1), -ENOBUFS);
}

/* ---- memory ---- */
static void peers_who_never_read_cost_no_more_than_their_caps(void **state)
{
	enum { PEERS = 30, CAP = 65536 };
	static char text[1000];
	struct world *w = *state;
	size_t before = allocated_bytes();
	int fds[PEERS];

	ac_map_set_limit(w->map, AC_MAX_OUTPUT, CAP);
	for (int i = 0; i < PEERS; i++) {
		struct rec *r = rec_pair(w, &fds[i]);
		int n = 0;

		while (ac_push(&r->c, text, sizeof(text)) == 0)
			assert_true(++n < 100000);
		assert_int_equal(ac_push(&r->c, text, sizeof(text)), -ENOBUFS);
		assert_in_range(ac_pending(&r->c), CAP - sizeof(text), CAP);
	}
	passes(w, 3);
	assert_true(allocated_bytes() - before < PEERS * CAP / 10 * 11 + PEERS * 16384);
	for (int i = 0; i < PEERS; i++)
		close(fds[i]);
}

static void record_that_comes_byte_by_byte_holds_what_it_has(void **state)
{
	struct world *w = *state;
	int fds[2];
	struct ac_chat *c;
	size_t before;

	unix_pair(fds);
	c = ac_chat_adopt(w->map, &keeper_class, fds[0], NULL);
	assert_int_equal(ac_set_terminator(c, "\n", 1), 0);
	assert_int_equal(ac_set_limit(&c->d, AC_MAX_RECORD, 1500), 0);
	put(fds[1], "x");
	passes(w, 2);
	before = allocated_bytes();
	for (int i = 1; i < 1500; i++) {
		put(fds[1], "x");
		passes(w, 1);
	}
	assert_int_equal(ac_incoming(c).len, 1500);
	assert_true(allocated_bytes() - before < 2 * 1500);
	assert_int_equal(ac_map_channels(w->map), 1);
	put(fds[1], "x");
	passes(w, 2);
	assert_int_equal(ac_map_channels(w->map), 0);
	assert_non_null(strstr(w->log, "EMSGSIZE"));
	close(fds[1]);
}

static int freed;

static void count_free(void *arg)
{
	(void)arg;
	freed++;
}

static void lengths_that_wrap_around_are_errors(void **state)
{
	static const size_t lens[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 64, SIZE_MAX / 2 + 1 };
	struct world *w = *state;
	int fd;
	struct rec *r = rec_pair(w, &fd);

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		assert_int_equal(ac_set_limit(&r->c.d, AC_MAX_OUTPUT, 0), 0);
		assert_int_equal(ac_push(&r->c, "x", lens[i]), -ENOBUFS);
		freed = 0;
		assert_int_equal(ac_push_owned(&r->c, "x", lens[i], count_free, NULL), -ENOBUFS);
		assert_int_equal(freed, 1);
		assert_int_equal(ac_set_limit(&r->c.d, AC_MAX_OUTPUT, SIZE_MAX), 0);
		assert_int_equal(ac_push(&r->c, "x", lens[i]), -ENOMEM);
		assert_int_equal(ac_pending(&r->c), 0);
		assert_null(ac_simple_producer("x", lens[i], 0));
		assert_int_equal(ac_set_terminator(&r->c, "x", lens[i]), -EINVAL);
		assert_int_equal(
			ac_set_terminator_any(&r->c, &(struct ac_slice){ "x", lens[i] }, 1),
			-EINVAL);
	}
	assert_int_equal(ac_push_file(&r->c, -1, 0, 1), -EINVAL);
	assert_int_equal(ac_push_file(&r->c, dup(0), -1, 1), -EINVAL);
	assert_int_equal(ac_push_file(&r->c, dup(0), 0, -1), -EINVAL);
	assert_int_equal(ac_set_terminator_count(&r->c, INT64_MAX), 0);
	put(fd, "abc");
	UNTIL(w, strstr(r->trace, "C(abc)"));
	close(fd);
}

/* Arrays that grow when the 65th channel comes: whichever allocation fails, none may be believed to have grown. */
static void channel_that_found_no_memory_leaves_room_for_the_next(void **state)
{
	enum { MOST = 130 };
	struct world *w = *state;
	int fds[MOST], pair[2], count = 0;
	long nth = 0;
	bool failed;

	while (count < 64)
		rec_pair(w, &fds[count++]);
	do {
		unix_pair(pair);
		fail_allocation(++nth, false);
		failed = !ac_chat_adopt(w->map, &rec_class, pair[0], NULL);
		fail_allocation(0, false);
		if (failed)
			close(pair[1]);
		else
			fds[count++] = pair[1];
	} while (failed);
	while (count < MOST)
		rec_pair(w, &fds[count++]);
	for (int i = 0; i < MOST; i++)
		close(fds[i]);
	UNTIL(w, ac_map_channels(w->map) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(record_limit_is_exact_however_it_is_cut),
		EACH(output_cap_is_exact_for_every_push),
		EACH(input_is_read_below_the_high_water_mark_and_not_at_it),
		EACH(input_is_read_again_at_the_low_water_mark_and_not_above_it),
		EACH(accepts_of_one_pass_are_bounded_and_none_is_forgotten),
		EACH(limits_that_are_off_bound_nothing),
		EACH(peers_who_never_read_cost_no_more_than_their_caps),
		EACH(record_that_comes_byte_by_byte_holds_what_it_has),
		EACH(lengths_that_wrap_around_are_errors),
		EACH(channel_that_found_no_memory_leaves_room_for_the_next),
	};

	return RUN(tests);
}
