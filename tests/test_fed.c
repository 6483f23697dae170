/* test_fed.c — chats that a poller reads and sends for: nothing lost, doubled or late, on every poller. */
#include "feeds.h"

#include "../src/map/map.h"

/* ---- a chat that answers each line with itself, or as told ---- */
struct teller {
	struct ac_chat c;
	int (*on_line)(struct teller *f);
	void *arg;
	size_t lines, next; /* next: the number that its next line must carry */
	int closes, errors;
	bool ordered;
};

static int fed_line(struct ac_chat *c)
{
	struct teller *f = (struct teller *)c;
	struct ac_slice s = ac_incoming(c);

	f->lines++;
	if (f->ordered) {
		char text[24] = "";

		memcpy(text, s.data, s.len < 23 ? s.len : 23);
		assert_int_equal(strtoul(text, NULL, 10), f->next);
		f->next++;
	}
	return f->on_line ? f->on_line(f) : 0;
}

static int fed_close(struct ac_dispatcher *d)
{
	((struct teller *)d)->closes++;
	return 0;
}

static int fed_error(struct ac_dispatcher *d, const struct ac_error *e)
{
	(void)e;
	((struct teller *)d)->errors++;
	ac_close(d);
	return 0;
}

static const struct ac_chat_class fed_class = {
	.d = {
		.super = AC_CHAT,
		.name = "fed",
		.size = sizeof(struct teller),
		.handle_close = fed_close,
		.handle_error = fed_error,
	},
	.found_terminator = fed_line,
};

static int echo_line(struct teller *f)
{
	struct ac_slice s = ac_incoming(&f->c);

	AC_TRY(f, ac_push(&f->c, s.data, s.len));
	return ac_push(&f->c, "\n", 1);
}

static struct teller *tell_on(struct ac_map *map, int fd, int (*on_line)(struct teller *f))
{
	struct teller *f = (struct teller *)ac_chat_adopt(map, &fed_class, fd, NULL);

	assert_non_null(f);
	f->on_line = on_line;
	assert_int_equal(ac_set_terminator(&f->c, "\n", 1), 0);
	return f;
}

/* ---- numbered lines of a peer that writes what the kernel takes ---- */
struct writer {
	int fd;
	size_t wrote, most; /* bytes */
	size_t got;         /* bytes of them that came back */
	bool differs;
};

static char text_at(size_t place)
{
	char line[24];

	snprintf(line, sizeof(line), "%09zu\n", place / LINE);
	return line[place % LINE];
}

static void write_on(struct writer *t)
{
	char text[4000];
	ssize_t n = 1;

	while (n > 0 && t->wrote < t->most) {
		size_t len = t->most - t->wrote < sizeof(text) ? t->most - t->wrote : sizeof(text);

		for (size_t i = 0; i < len; i++)
			text[i] = text_at(t->wrote + i);
		n = send(t->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		t->wrote += n > 0 ? (size_t)n : 0;
	}
}

static void read_on(struct writer *t)
{
	static char text[65536];
	ssize_t n;

	while ((n = recv(t->fd, text, sizeof(text), MSG_DONTWAIT)) > 0)
		for (ssize_t i = 0; i < n; i++)
			t->differs |= text[i] != text_at(t->got++);
}

static void every_buffer_in_use_delays_and_loses_nothing(void **state)
{
	enum { PEERS = 6 };
	struct world *w = *state;
	struct writer peers[PEERS];
	struct teller *chats[PEERS];
	size_t got = 0;

	for (int i = 0; i < PEERS; i++) {
		int fds[2];

		tcp_pair(fds);
		peers[i] = (struct writer){ .fd = fds[1], .most = 1000000 };
		chats[i] = tell_on(w->map, fds[0], echo_line);
		chats[i]->ordered = true;
	}
	for (int pass = 0; got < PEERS * 1000000 && pass < 20000;
	     pass++) { /* the last goes when Nagle lets it */
		got = 0;
		for (int i = 0; i < PEERS; i++) {
			write_on(&peers[i]);
			if (pass % 3 == 0)
				read_on(&peers[i]);
			got += peers[i].got;
		}
		ac_poll(w->map, pass > 10000 ? 0.001 : 0);
	}
	assert_int_equal(got, PEERS * 1000000);
	for (int i = 0; i < PEERS; i++) {
		assert_false(peers[i].differs);
		assert_int_equal(chats[i]->lines, 1000000 / LINE);
		close(peers[i].fd);
	}
	passes(w, 50);
	assert_int_equal(ac_map_channels(w->map), 0);
	if (has_ring(w->map->poller))
		assert_int_equal(usable_buffers(w->map->poller), AC_RING_BUFFERS);
}

/* ---- closing ---- */
static int close_in_handler(struct teller *f)
{
	if (f->arg)
		ac_push(&f->c, "bye", 3);
	ac_close(&f->c.d);
	return 0;
}

static void close_reaches_the_peer_though_the_loop_never_runs_again(void **state)
{
	struct world *w = *state;
	struct teller *f;
	int fds[2];

	for (int i = 0; i < 200; i++) {
		if (i & 1)
			tcp_pair(fds);
		else
			unix_pair(fds);
		f = tell_on(w->map, fds[0], close_in_handler);
		if (i & 2)
			passes(w, 2);
		if (i & 4)
			ac_pause(&f->c.d);
		if (i & 8)
			ac_set_limit(&f->c.d, AC_HIGH_WATER, 1), ac_push(&f->c, "x", 1);
		ac_close(&f->c.d);
		if (i & 8)
			assert_int_equal(recv(fds[1], &(char){ 0 }, 1, 0), 1);
		assert_true(ended(fds[1]));
		close(fds[1]);
	}
}

static void close_in_a_handler_reaches_the_peer_in_that_pass(void **state)
{
	struct world *w = *state;
	int fds[2];

	for (int i = 0; i < 200; i++) {
		struct teller *f;

		unix_pair(fds);
		f = tell_on(w->map, fds[0], close_in_handler);
		f->closes = 0;
		put(fds[1], "x\nmore\n");
		if (i & 1)
			shutdown(fds[1], SHUT_WR);
		for (int pass = 0; pass < 3 && ac_map_channels(w->map); pass++)
			ac_poll(w->map, 0.01);
		assert_true(ended(fds[1]));
		close(fds[1]);
	}
}

/* For a loop inside another one: ac_fd was asked for. */
static void close_reaches_the_peer_when_another_loop_waits_for_us(void **state)
{
	struct world *w = *state;
	char text[8];
	int fds[2];

	ac_fd(w->map);
	for (int i = 0; i < 3; i++) {
		struct teller *f;

		unix_pair(fds);
		f = tell_on(w->map, fds[0], echo_line);
		put(fds[1], "a\n");
		passes(w, 3);
		assert_int_equal(get(fds[1], text, sizeof(text)), 2);
		ac_pause(&f->c.d);
		ac_resume(&f->c.d);
		passes(w, 2);
		ac_close(&f->c.d);
		assert_true(ended(fds[1]));
		close(fds[1]);
	}
}

static void race_of_close_and_input_leaves_all_buffers(void **state)
{
	struct world *w = *state;
	int fds[2];

	for (int i = 0; i < 10000; i++) {
		struct teller *f;

		unix_pair(fds);
		f = tell_on(w->map, fds[0], i & 1 ? close_in_handler : echo_line);
		if (i & 2)
			passes(w, 1);
		put(fds[1], "x\ny");
		if (i & 4)
			ac_poll(w->map, 0);
		if (i & 8)
			close(fds[1]);
		if (!(i & 5)) /* nobody has run who might have closed it */
			ac_close(&f->c.d);
		passes(w, 2);
		if (ac_map_channels(w->map))
			ac_close_all(w->map, false);
		if (!(i & 8))
			close(fds[1]);
	}
	assert_int_equal(ac_map_channels(w->map), 0);
	if (has_ring(w->map->poller))
		assert_int_equal(usable_buffers(w->map->poller), AC_RING_BUFFERS);
}

/* The answer waits for the next wait; the chat closes, and its number is given to another. */
static int newcomer[2];

static int close_and_reuse(struct ac_dispatcher *d)
{
	fed_close(d);
	return 0;
}

static int open_another(void *arg)
{
	(void)arg;
	unix_pair(newcomer);
	return 0;
}

static const struct ac_chat_class reused_class = {
	.d = {
		.super = AC_CHAT,
		.name = "reused",
		.size = sizeof(struct teller),
		.handle_close = close_and_reuse,
	},
	.found_terminator = fed_line,
};

static void answer_to_one_that_is_lost_goes_to_nobody_else(void **state)
{
	struct world *w = *state;
	char text[16];
	int fds[2];

	tcp_pair(fds);
	for (int i = 0; i < 2; i++) {
		struct teller *f =
			(struct teller *)ac_chat_adopt(w->map, &reused_class, fds[0], NULL);

		f->on_line = echo_line;
		ac_set_terminator(&f->c, "\n", 1);
		passes(w, 2);
		put(fds[1], "secret\n");
		if (i == 0)
			reset(fds[1]);
		else
			shutdown(fds[1], SHUT_WR);
		ac_call_later(w->map, 0, open_another, NULL); /* runs when the turns are over */
		passes(w, 4);
		assert_int_equal(get(newcomer[0], text, sizeof(text)), 0);
		assert_int_equal(get(newcomer[1], text, sizeof(text)), 0);
		close(newcomer[0]);
		close(newcomer[1]);
		if (i == 1) {
			assert_int_equal(get(fds[1], text, sizeof(text)), 7);
			close(fds[1]);
		}
		tcp_pair(fds);
	}
	close(fds[0]);
	close(fds[1]);
}

/* ---- output that does not go at once ---- */
static int push_many(struct teller *f)
{
	for (size_t i = 0; i < 5000; i++) {
		size_t *place = f->arg;
		char line[24];

		snprintf(line, sizeof(line), "%09zu\n", *place / LINE);
		*place += LINE;
		AC_TRY(f, ac_push(&f->c, line, LINE));
	}
	return 0;
}

static void narrow(int fd, int ours)
{
	int size = 20000;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	size = 1;
	setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static void short_sends_go_on_in_order(void **state)
{
	struct world *w = *state;
	size_t place = 0;
	int fds[2];

	for (int tcp = 0; tcp < 2; tcp++) {
		struct writer peer = { 0 };
		struct teller *f;

		tcp ? tcp_pair(fds) : unix_pair(fds);
		narrow(fds[1], fds[0]);
		f = tell_on(w->map, fds[0], push_many);
		f->arg = &place;
		peer.fd = fds[1];
		place = 0;
		for (int i = 0; i < 5; i++) {
			put(fds[1], "go\n");
			passes(w, i % 3);
		}
		UNTIL(w, f->lines == 5 || ac_pending(&f->c) > 200000);
		for (int i = 0; i < 100000 && peer.got < 5 * 5000 * LINE; i++) {
			read_on(&peer);
			ac_poll(w->map, tcp ? 0.001 : 0);
		}
		assert_int_equal(peer.got, 5 * 5000 * LINE);
		assert_false(peer.differs);
		ac_close(&f->c.d);
		assert_true(ended(fds[1]));
		close(fds[1]);
	}
}

static int push_a_little(struct teller *f)
{
	return ac_pushf(&f->c, "%0*d\n", (int)(f->lines % 1500) + 1, 7);
}

/* One small answer in each pass, so that each goes with the wait, until one does not fit. */
static void small_answers_that_do_not_fit_keep_their_order(void **state)
{
	struct world *w = *state;
	size_t sum = 0, got = 0, line = 0;
	static char text[65536];
	struct teller *f;
	ssize_t n;
	int fds[2];

	unix_pair(fds);
	narrow(fds[1], fds[0]);
	f = tell_on(w->map, fds[0], push_a_little);
	for (size_t i = 1; i <= 300; i++) {
		put(fds[1], "x\n");
		passes(w, 1);
		sum += i % 1500 + 2;
	}
	assert_true(ac_pending(&f->c) > 0);
	for (int i = 0; i < 10000 && got < sum; i++) {
		while ((n = recv(fds[1], text, sizeof(text), 0)) > 0)
			for (ssize_t j = 0; j < n; j++, got++)
				line += text[j] == '\n';
		ac_poll(w->map, 0);
	}
	assert_int_equal(got, sum);
	assert_int_equal(line, 300);
	ac_close(&f->c.d);
	close(fds[1]);
}

static void reset_while_output_is_on_its_way_closes_once(void **state)
{
	struct world *w = *state;
	size_t place = 0;
	int fds[2];

	for (int i = 0; i < 100; i++) {
		struct teller *f;
		static struct teller last;

		tcp_pair(fds);
		narrow(fds[1], fds[0]);
		f = tell_on(w->map, fds[0], i & 1 ? push_many : push_a_little);
		f->arg = &place;
		put(fds[1], "go\ngo\n");
		passes(w, i % 4);
		reset(fds[1]);
		for (int pass = 0; pass < 20 && !f->closes; pass++) {
			w->map->depth++; /* its memory is to outlive the pass */
			ac_poll(w->map, 0.005);
			w->map->depth--;
		}
		last = *f;
		assert_int_equal(last.closes, 1);
		passes(w, 2);
		assert_int_equal(ac_map_channels(w->map), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(every_buffer_in_use_delays_and_loses_nothing),
		EACH(close_reaches_the_peer_though_the_loop_never_runs_again),
		EACH(close_in_a_handler_reaches_the_peer_in_that_pass),
		EACH(race_of_close_and_input_leaves_all_buffers),
		EACH(short_sends_go_on_in_order),
		EACH(small_answers_that_do_not_fit_keep_their_order),
		EACH(reset_while_output_is_on_its_way_closes_once),
		EACH(close_reaches_the_peer_when_another_loop_waits_for_us),
		EACH(answer_to_one_that_is_lost_goes_to_nobody_else),
	};

	return RUN(tests);
}
