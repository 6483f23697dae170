/*
 * test_contract_input.c — how input is cut into records: scenarios 1 to 10 of the contract.
 *
 * Each PLAY is run as written and then again byte by byte and cut in two at every place: what is found must not
 * depend on how the bytes came. Only how many pieces are collected may differ, so that is not compared.
 */
#include "harness.h"

#include <stdlib.h>

struct play {
	char *trace;
	struct rec *r;
	int fd;
};

static void begin(struct play *p, struct world *w, const char *terminator)
{
	p->r = rec_pair(w, &p->fd);
	p->trace = p->r->trace;
	if (terminator)
		assert_int_equal(ac_set_terminator(&p->r->c, terminator, strlen(terminator)), 0);
}

/* Each piece is one read: a pass comes after it. */
static void feed(struct play *p, struct world *w, const char *piece)
{
	put(p->fd, piece);
	passes(w, 2);
}

/* The trace with what was collected in a row put together: "C(ab)C(c)F" is "C(abc)F". */
static const char *joined(const char *trace, char *out)
{
	char *to = out;

	while (*trace) {
		if (strncmp(trace, ")C(", 3) == 0)
			trace += 3;
		else
			*to++ = *trace++;
	}
	*to = '\0';
	return out;
}

/* `cut` bytes first, then the rest; 0: each byte by itself. */
static void feed_cut(struct play *p, struct world *w, const char *text, size_t len, size_t cut)
{
	char piece[256];

	for (size_t at = 0, n; at < len; at += n) {
		n = cut == 0 ? 1 : at ? len - at : cut;
		memcpy(piece, text + at, n);
		piece[n] = '\0';
		feed(p, w, piece);
	}
}

static void play_every_cut(struct world *w, const char *terminator, const char *expected,
                           const char *const *pieces, size_t count)
{
	char text[256] = "", want[TRACE_SIZE], got[TRACE_SIZE];
	struct play p;

	for (size_t i = 0; i < count; i++)
		strcat(text, pieces[i]);
	joined(expected, want);
	for (size_t cut = 0; cut <= strlen(text); cut++) {
		begin(&p, w, terminator);
		feed_cut(&p, w, text, strlen(text), cut);
		assert_string_equal(joined(p.trace, got), want);
		close(p.fd);
		passes(w, 2);
	}
}

#define PLAY(terminator, expected, ...)                                                            \
	do {                                                                                       \
		static const char *const pieces_[] = { __VA_ARGS__ };                              \
		struct play p_;                                                                    \
		begin(&p_, *state, terminator);                                                    \
		for (size_t i_ = 0; i_ < sizeof(pieces_) / sizeof(pieces_[0]); i_++)               \
			feed(&p_, *state, pieces_[i_]);                                            \
		assert_string_equal(p_.trace, expected);                                           \
		close(p_.fd);                                                                      \
		play_every_cut(*state, terminator, expected, pieces_,                              \
		               sizeof(pieces_) / sizeof(pieces_[0]));                              \
	} while (0)

static void terminator_split_over_reads(void **state)
{
	PLAY("\r\n", "C(ab)FC(cd)F", "ab\r", "\ncd\r\n");
}

static void false_start_of_terminator_is_data(void **state)
{
	PLAY("\r\n", "C(ab)C(\rx)F", "ab\r", "x\r\n");
	PLAY("\r\n", "C(\r)F", "\r", "\r", "\n");
}

static void empty_records_collect_nothing(void **state)
{
	PLAY("\r\n", "FF", "\r\n\r\n");
}

static void long_terminator_in_four_reads(void **state)
{
	PLAY("\r\n.\r\n", "C(a)FC(tail)", "a\r", "\n", ".", "\r\n", "tail");
}

static void terminator_longer_than_the_chat_holds_itself(void **state)
{
	PLAY("--end-of-record--", "C(abc)FC(d)", "abc--end-of-", "record--d-");
	PLAY("--end-of-record--", "C(a)C(--end-x)F", "a--end-", "x--end-of-record--");
}

static void count_counts_down_over_reads(void **state)
{
	struct world *w = *state;
	struct play p;
	uint64_t left = 1;

	begin(&p, w, NULL);
	assert_int_equal(ac_set_terminator_count(&p.r->c, 5), 0);
	feed(&p, w, "ab");
	ac_get_terminator(&p.r->c, 0, NULL, &left);
	assert_int_equal(left, 3);
	feed(&p, w, "cd");
	feed(&p, w, "efgh");
	assert_string_equal(p.trace, "C(ab)C(cd)C(e)FC(fgh)");
	assert_int_equal(ac_get_terminator(&p.r->c, 0, NULL, NULL), AC_TERM_NONE);
	close(p.fd);
}

static int toggle(struct rec *r)
{
	return r->number++ % 2 == 0 ? ac_set_terminator_count(&r->c, 4)
	                            : ac_set_terminator(&r->c, "\n", 1);
}

static void terminator_changed_in_found(void **state)
{
	static const char text[] = "len\nABCDnext\nWX";
	struct world *w = *state;

	/* Byte by byte, at every split, and in one piece. */
	for (size_t cut = 0; cut <= strlen(text); cut++) {
		struct play p;
		char plain[TRACE_SIZE];
		uint64_t left = 0;

		begin(&p, w, "\n");
		p.r->on_found = toggle;
		feed_cut(&p, w, text, strlen(text), cut);
		assert_string_equal(joined(p.trace, plain), "C(len)FC(ABCD)FC(next)FC(WX)");
		ac_get_terminator(&p.r->c, 0, NULL, &left);
		assert_int_equal(left, 2);
		close(p.fd);
		passes(w, 2);
	}
}

static int close_self(struct rec *r)
{
	ac_close(&r->c.d);
	return 0;
}

static void close_in_found_stops_delivery(void **state)
{
	static const char text[] = "one\ntwo\nthree\n";
	struct world *w = *state;
	struct play p;

	for (size_t cut = 4; cut <= strlen(text); cut++) { /* what comes later finds it gone */
		char got[TRACE_SIZE], first[32] = "";

		begin(&p, w, "\n");
		p.r->on_found = close_self;
		memcpy(first, text, cut);
		feed(&p, w, first);
		assert_string_equal(joined(p.trace, got), "C(one)FX");
		assert_true(ended(p.fd));
		close(p.fd);
	}
}

static void tail_is_collected_before_the_close(void **state)
{
	struct world *w = *state;
	struct play p;
	char got[TRACE_SIZE];

	begin(&p, w, "\r\n");
	feed(&p, w, "a\r");
	close(p.fd);
	passes(w, 3);
	assert_string_equal(p.trace, "C(a)C(\r)X");
	begin(&p, w, "\r\n");
	put(p.fd, "b\r\na\r"); /* the end is there before anything was read */
	close(p.fd);
	passes(w, 3);
	assert_string_equal(joined(p.trace, got), "C(b)FC(a\r)X");
}

static int raise_it(struct rec *r)
{
	return ac_raise(&r->c, EPROTO);
}

static void found_that_fails_closes(void **state)
{
	struct world *w = *state;
	struct play p;

	begin(&p, w, "\n");
	p.r->on_found = raise_it;
	feed(&p, w, "a\nb\n");
	assert_string_equal(p.trace, "C(a)FE(EPROTO)X");
	assert_true(ended(p.fd));
	close(p.fd);
}

static void no_terminator_collects_for_ever(void **state)
{
	struct world *w = *state;
	struct play p;

	PLAY(NULL, "C(a\r\n)C(b\n)", "a\r\n", "b\n");
	PLAY("", "C(a\n)", "a\n");
	begin(&p, w, "\n");
	assert_int_equal(ac_set_terminator_count(&p.r->c, -1), -EINVAL);
	assert_int_equal(ac_set_terminator(&p.r->c, NULL, 3), -EINVAL);
	assert_int_equal(ac_set_terminator_count(&p.r->c, 0), 0);
	feed(&p, w, "a\n");
	assert_string_equal(p.trace, "C(a\n)");
	close(p.fd);
}

static void begin_list(struct play *p, struct world *w, const struct ac_slice *list, size_t count)
{
	begin(p, w, NULL);
	assert_int_equal(ac_set_terminator_any(&p->r->c, list, count), 0);
}

static void earliest_of_a_list_wins_and_then_the_longest(void **state)
{
	static const struct ac_slice list[] = {
		{ "\n", 1 }, { "\r\n", 2 }, { "abc", 3 }, { "b", 1 }
	};
	struct world *w = *state;
	struct play p;

	begin_list(&p, w, list, 4);
	feed(&p, w, "x\r\ny\nzab");
	assert_string_equal(p.trace, "C(x)FC(y)FC(z)");
	assert_int_equal(ac_found_index(&p.r->c), 0);
	feed(&p, w, "cabd\r");
	assert_string_equal(p.trace, "C(x)FC(y)FC(z)FC(a)FC(d)");
	assert_int_equal(ac_found_index(&p.r->c), 3);
	feed(&p, w, "\n");
	assert_string_equal(p.trace, "C(x)FC(y)FC(z)FC(a)FC(d)F");
	assert_int_equal(ac_found_index(&p.r->c), 1);
	close(p.fd);
}

static void end_of_input_decides_a_held_match(void **state)
{
	static const struct ac_slice list[] = { { "ab", 2 }, { "abcd", 4 } };
	struct world *w = *state;
	struct play p;

	begin_list(&p, w, list, 2);
	feed(&p, w, "xabc");
	assert_string_equal(p.trace, "C(x)");
	close(p.fd);
	passes(w, 3);
	assert_string_equal(p.trace, "C(x)FC(c)X");
}

/* ---- a naive model: all of the input at hand, the earliest match, the longest there ---- */
static void model(const char *text, size_t len, const struct ac_slice *list, size_t count,
                  char *out)
{
	size_t from = 0;

	for (size_t at = 0; at <= len; at++) {
		size_t best = 0;

		for (size_t i = 0; i < count; i++)
			if (list[i].len <= len - at && list[i].len > best &&
			    memcmp(text + at, list[i].data, list[i].len) == 0)
				best = list[i].len;
		if (at > from && (best || at == len))
			out += sprintf(out, "C(%.*s)", (int)(at - from), text + from);
		if (!best)
			continue;
		out += sprintf(out, "F");
		from = at + best;
		at = from - 1;
	}
	strcpy(out, "X");
}

static size_t random_text(unsigned *seed, char *text, size_t most)
{
	size_t len = 1 + (size_t)rand_r(seed) % most;

	for (size_t i = 0; i < len; i++)
		text[i] = (char)('a' + rand_r(seed) % 3);
	return len;
}

/* Few letters, so that terminators overlap, begin alike and hold each other up. */
static void lists_at_random_cut_as_the_model_says(void **state)
{
	struct world *w = *state;
	unsigned seed = 4711;

	for (int round = 0; round < 300; round++) {
		char text[41] = "", words[4][7], want[512], got[TRACE_SIZE];
		struct ac_slice list[4];
		size_t len = random_text(&seed, text, 40), count = 1 + (size_t)rand_r(&seed) % 4;
		struct play p;

		for (size_t i = 0; i < count; i++)
			list[i] = (struct ac_slice){ words[i], random_text(&seed, words[i], 6) };
		model(text, len, list, count, want);
		begin(&p, w, NULL);
		assert_int_equal(ac_set_terminator_any(&p.r->c, list, count), 0);
		feed_cut(&p, w, text, len, (size_t)rand_r(&seed) % len);
		close(p.fd);
		passes(w, 3);
		assert_string_equal(joined(p.trace, got), want);
	}
}

static int pause_it(struct rec *r)
{
	ac_pause(&r->c.d);
	return 0;
}

static void pause_in_found_keeps_the_rest(void **state)
{
	struct world *w = *state;
	struct play p;

	begin(&p, w, "\n");
	p.r->on_found = pause_it;
	feed(&p, w, "one\ntwo\nthr");
	assert_string_equal(p.trace, "C(one)F");
	feed(&p, w, "ee\n");
	assert_string_equal(p.trace, "C(one)F");
	ac_resume(&p.r->c.d);
	passes(w, 3);
	assert_string_equal(p.trace, "C(one)FC(two)F");
	p.r->on_found = NULL;
	ac_resume(&p.r->c.d);
	passes(w, 3);
	assert_string_equal(p.trace, "C(one)FC(two)FC(thr)C(ee)F");
	close(p.fd);
}

/* The default collector: the record is lent whole, wherever it was cut. */
static char seen[256];

static int note_record(struct ac_chat *c)
{
	struct ac_slice s = ac_incoming(c);

	snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "[%.*s]", (int)s.len,
	         (const char *)s.data);
	return 0;
}

static const struct ac_chat_class lender_class = {
	.d = { .super = AC_CHAT, .name = "lender" },
	.found_terminator = note_record,
};

static void record_is_lent_whole_at_every_split(void **state)
{
	static const char text[] = "alpha\r\n\r\nbeta\r\ngamma\r\n";
	struct world *w = *state;

	for (size_t cut = 1; cut < strlen(text); cut++) {
		struct ac_chat *c;
		char first[64] = "";
		int fds[2];

		seen[0] = '\0';
		unix_pair(fds);
		c = ac_chat_adopt(w->map, &lender_class, fds[0], NULL);
		assert_int_equal(ac_set_terminator(c, "\r\n", 2), 0);
		memcpy(first, text, cut);
		put(fds[1], first);
		passes(w, 2);
		put(fds[1], text + cut);
		passes(w, 2);
		assert_string_equal(seen, "[alpha][][beta][gamma]");
		assert_int_equal(ac_incoming(c).len, 0);
		close(fds[1]);
		passes(w, 2);
	}
}

static void kept_terminator_is_part_of_the_record(void **state)
{
	struct world *w = *state;
	struct play p;

	begin(&p, w, "\r\n");
	ac_set_strip_terminator(&p.r->c, false);
	feed(&p, w, "a\r\n\r\n");
	assert_string_equal(p.trace, "C(a\r\n)FC(\r\n)F");
	close(p.fd);
}

static void discarded_input_is_not_delivered(void **state)
{
	struct world *w = *state;
	struct play p;

	begin(&p, w, "\n");
	p.r->on_found = pause_it;
	feed(&p, w, "one\ntwo\n");
	ac_discard_input(&p.r->c);
	p.r->on_found = NULL;
	ac_resume(&p.r->c.d);
	feed(&p, w, "three\n");
	assert_string_equal(p.trace, "C(one)FC(three)F");
	close(p.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(terminator_split_over_reads),
		EACH(false_start_of_terminator_is_data),
		EACH(empty_records_collect_nothing),
		EACH(long_terminator_in_four_reads),
		EACH(terminator_longer_than_the_chat_holds_itself),
		EACH(count_counts_down_over_reads),
		EACH(terminator_changed_in_found),
		EACH(close_in_found_stops_delivery),
		EACH(tail_is_collected_before_the_close),
		EACH(found_that_fails_closes),
		EACH(no_terminator_collects_for_ever),
		EACH(earliest_of_a_list_wins_and_then_the_longest),
		EACH(end_of_input_decides_a_held_match),
		EACH(lists_at_random_cut_as_the_model_says),
		EACH(pause_in_found_keeps_the_rest),
		EACH(record_is_lent_whole_at_every_split),
		EACH(kept_terminator_is_part_of_the_record),
		EACH(discarded_input_is_not_delivered),
	};

	return RUN(tests);
}
