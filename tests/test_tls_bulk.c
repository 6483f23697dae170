/* test_tls_bulk.c — much data over TLS: in parts, both ways at once, through small buffers, and to its end. */
#include "tls_peer.h"

#define MUCH ((size_t)10 << 20)

/* A chat that takes all bytes and checks that they follow the pattern. */
struct flow {
	struct ac_chat c;
	size_t got, sent, total;
	bool wrong;
	bool *ended; /* outlives it: it closes when its peer does */
	bool all;    /* at once, whatever is pending */
	int drained;
	bool *closed;
};

static unsigned char pattern(size_t at)
{
	return (unsigned char)(at * 7 + (at >> 11) * 13 + (at >> 19));
}

static int flow_collect(struct ac_chat *c, const void *data, size_t len)
{
	struct flow *f = (struct flow *)c;
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		f->wrong |= p[i] != pattern(f->got + i);
	f->got += len;
	return 0;
}

/* Pushes of many sizes, small ones in rows and large ones by reference. */
static int flow_push(struct flow *f)
{
	static const size_t sizes[] = { 1, 3, 100, 16384, 1, 1, 5, 70000, 16385, 4000, 2, 200000 };
	char *text;

	for (size_t i = 0; f->sent < f->total && (f->all || ac_pending(&f->c) < 200000); i++) {
		size_t len = sizes[i % (sizeof(sizes) / sizeof(sizes[0]))];

		len = len < f->total - f->sent ? len : f->total - f->sent;
		text = malloc(len);
		for (size_t k = 0; k < len; k++)
			text[k] = (char)pattern(f->sent + k);
		f->sent += len;
		if (len > 60000) {
			AC_TRY(f, ac_push_owned(&f->c, text, len, free, text));
		} else {
			int r = ac_push(&f->c, text, len);

			free(text);
			AC_TRY(f, r);
		}
	}
	return 0;
}

static int flow_drain(struct ac_chat *c)
{
	struct flow *f = (struct flow *)c;

	f->drained++;
	return flow_push(f);
}

static int flow_eof(struct ac_dispatcher *d)
{
	if (((struct flow *)d)->ended)
		*((struct flow *)d)->ended = true;
	return 0;
}

static int flow_close(struct ac_dispatcher *d)
{
	struct flow *f = (struct flow *)d;

	if (f->closed)
		*f->closed = true;
	return 0;
}

static const struct ac_chat_class flow_class = {
	.d = {
		.super = AC_CHAT,
		.name = "flow",
		.size = sizeof(struct flow),
		.class_size = sizeof(struct ac_chat_class),
		.handle_eof = flow_eof,
		.handle_close = flow_close,
	},
	.collect_incoming_data = flow_collect,
	.handle_drain = flow_drain,
};

static struct flow *flow_adopt(struct world *w, int fd, int buffer)
{
	struct flow *f = (struct flow *)ac_chat_adopt(w->map, &flow_class, fd, NULL);

	assert_non_null(f);
	ac_set_terminator_none(&f->c);
	ac_set_limit(&f->c.d, AC_HIGH_WATER,
	             SIZE_MAX); /* two that both wait to be read would wait for ever */
	if (buffer) {
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	}
	return f;
}

static void flows(struct world *w, struct flow *f[2], int buffer)
{
	struct ac_tls *client = tls_client(), *server = tls_server(cert_file(A_TEST, CERT_GOOD));
	int fds[2];

	if (buffer) /* TCP with a small window is a matter of its timers */
		unix_pair(fds);
	else
		tcp_pair(fds);
	f[0] = flow_adopt(w, fds[0], buffer);
	f[1] = flow_adopt(w, fds[1], buffer);
	assert_int_equal(ac_start_tls(&f[0]->c.d, client, "a.test"), 0);
	assert_int_equal(ac_start_tls(&f[1]->c.d, server, NULL), 0);
	ac_tls_free(client);
	ac_tls_free(server);
}

static void both_ways(struct world *w, size_t total, int buffer, bool updates)
{
	struct flow *f[2];
	size_t next = total / 8;
	bool ended = false;

	flows(w, f, buffer);
	f[1]->ended = &ended;
	f[0]->total = f[1]->total = total;
	assert_int_equal(flow_push(f[0]), 0);
	assert_int_equal(flow_push(f[1]), 0);
	while (f[0]->got < total || f[1]->got < total) {
		double before = ac_now(w->map);

		ac_poll(w->map, 5);
		assert_true(ac_now(w->map) - before < 4); /* nobody waits for nothing */
		if (updates && f[0]->got > next && next < total) {
			SSL_key_update(ac_tls_ssl(&f[0]->c.d), SSL_KEY_UPDATE_REQUESTED);
			SSL_key_update(ac_tls_ssl(&f[1]->c.d), SSL_KEY_UPDATE_REQUESTED);
			next += total / 8;
		}
	}
	assert_false(f[0]->wrong || f[1]->wrong);
	assert_int_equal(f[0]->got, total);
	assert_int_equal(f[1]->got, total);
	UNTIL(w, !ac_pending(&f[0]->c) && !ac_pending(&f[1]->c));
	assert_int_equal(ac_close_when_done(&f[0]->c), 0);
	UNTIL(w, ended);
}

static void both_ways_at_once(void **state)
{
	both_ways(*state, MUCH, 0, false);
}

static void both_ways_through_small_buffers(void **state)
{
	both_ways(*state, MUCH / 4, 4096, false);
}

static void keys_change_on_the_way(void **state)
{
	both_ways(*state, MUCH / 4, 16384, true);
}

/* The end is told when all of it has left, encrypted bytes included. */
static void close_when_done_is_done(void **state)
{
	struct world *w = *state;
	struct flow *f[2];
	bool closed = false, ended = false;

	flows(w, f, 8192);
	f[1]->ended = &ended;
	f[0]->total = 1 << 20;
	f[0]->closed = &closed;
	f[0]->all = true;
	assert_int_equal(flow_push(f[0]), 0);
	assert_int_equal(ac_close_when_done(&f[0]->c), 0);
	UNTIL(w, f[1]->got == 1 << 20);
	assert_false(f[1]->wrong);
	UNTIL(w, closed && ended);
}

/* A file goes piece by piece, in front of and behind other output. */
static void files_are_encrypted(void **state)
{
	struct world *w = *state;
	char name[] = "/tmp/asyncore-tls-XXXXXX", *text = malloc(300000);
	int fd = mkstemp(name);
	struct flow *f[2];

	assert_true(fd >= 0);
	unlink(name);
	for (size_t i = 0; i < 300000; i++)
		text[i] = (char)pattern(i);
	assert_int_equal(write(fd, text + 10, 299980), 299980);
	flows(w, f, 0);
	assert_int_equal(ac_push(&f[0]->c, text, 10), 0);
	assert_int_equal(ac_push_file(&f[0]->c, fd, 0, 299980), 0);
	assert_int_equal(ac_push(&f[0]->c, text + 299990, 10), 0);
	UNTIL(w, f[1]->got == 300000);
	assert_false(f[1]->wrong);
	ac_close(&f[0]->c.d);
	ac_close(&f[1]->c.d);
	free(text);
}

/* A peer that takes nothing: its input is left alone, the bytes that are decrypted already too, and all comes
 * when it reads again. */
static void water_marks_hold(void **state)
{
	struct world *w = *state;
	struct end e;
	struct peer p;
	size_t i = 0;
	char *text = calloc(1, 100001);

	meet_client(w, &e, &p);
	memset(text, 'x', 100000);
	ac_set_limit(&e.c->d, AC_HIGH_WATER, 65536);
	ac_set_limit(&e.c->d, AC_LOW_WATER, 1024);
	while (ac_pending(e.c) < 65536 && i++ < 1000) {
		assert_int_equal(ac_push(e.c, text, 100000), 0);
		passes(w, 1);
	}
	assert_true(ac_pending(e.c) >= 65536);
	assert_true(peer_put(&p, "one\ntwo\n"));
	assert_in_range(waits_in(w, 0.2), 1, 8);
	assert_null(strstr(e.trace, "C(one)"));
	while (!strstr(e.trace, "C(one)FC(two)F") && i++ < 100000) {
		char much[65536];

		peer_read(&p, much, sizeof(much));
		ac_poll(w->map, 0.001);
	}
	assert_non_null(strstr(e.trace, "C(one)FC(two)F"));
	free(text);
	peer_close(&p);
}

/* Output that was thrown away while part of a record was on its way: what is pushed next comes whole. */
static void discarded_in_the_middle(void **state)
{
	struct world *w = *state;
	struct end e;
	struct peer p;
	char *text = malloc(1 << 22);
	char *at;

	meet_client(w, &e, &p);
	memset(text, 'x', 1 << 22);
	assert_int_equal(ac_push(e.c, text, 1 << 22), 0);
	passes(w, 2);
	assert_true(ac_pending(e.c) > 0);
	ac_discard_output(e.c);
	assert_int_equal(ac_pending(e.c), 0);
	assert_int_equal(ac_push(e.c, "behind\n", 7), 0);
	for (int i = 0; i < 1000 && !(at = strstr(p.heard, "behind\n")); i++) {
		char much[65536];
		size_t n = peer_read(&p, much, sizeof(much));

		if (n && memcmp(much + n - 1, "x", 1) != 0)
			memcpy(p.heard, much + n - 7, 7);
		ac_poll(w->map, 0.001);
	}
	assert_non_null(strstr(p.heard, "behind\n"));
	assert_false(p.failed);
	free(text);
	peer_close(&p);
}

/* A dispatcher that sends by itself: what send gave as taken arrives once, the rest is sent again. */
struct sender {
	struct ac_dispatcher d;
	size_t sent, total;
};

static bool sender_writable(struct ac_dispatcher *d)
{
	struct sender *s = (struct sender *)d;

	return s->sent < s->total;
}

static int sender_write(struct ac_dispatcher *d)
{
	struct sender *s = (struct sender *)d;
	size_t len = s->total - s->sent < 50000 ? s->total - s->sent : 50000;
	char *text = malloc(len);
	ssize_t n;

	for (size_t i = 0; i < len; i++)
		text[i] = (char)pattern(s->sent + i);
	n = ac_send(d, text, len);
	free(text);
	if (n > 0)
		s->sent += (size_t)n;
	return n < 0 ? (int)n : 0;
}

static int sender_read(struct ac_dispatcher *d)
{
	char text[64];
	ssize_t n = ac_recv(d, text, sizeof(text));

	return n < 0 ? (int)n : 0;
}

static const struct ac_class sender_class = {
	.super = AC_DISPATCHER,
	.name = "sender",
	.size = sizeof(struct sender),
	.writable = sender_writable,
	.handle_write = sender_write,
	.handle_read = sender_read,
};

static void sent_by_hand(void **state)
{
	struct world *w = *state;
	struct ac_tls *client = tls_client(), *server = tls_server(cert_file(A_TEST, CERT_GOOD));
	struct sender *s;
	struct flow *f;
	bool ended = false;
	int fds[2];

	unix_pair(fds);
	s = (struct sender *)ac_adopt(w->map, &sender_class, fds[0], NULL);
	f = flow_adopt(w, fds[1], 8192);
	s->total = MUCH / 5 + 1;
	assert_int_equal(ac_start_tls(&s->d, client, "a.test"), 0);
	assert_int_equal(ac_start_tls(&f->c.d, server, NULL), 0);
	UNTIL(w, f->got == s->total);
	assert_false(f->wrong);
	assert_in_range(waits_in(w, 0.2), 1, 8);
	f->ended = &ended;
	ac_close(&s->d);
	UNTIL(w, ended);
	ac_tls_free(client);
	ac_tls_free(server);
}

/* The dispatcher with a buffer of its own. */
static void sent_by_a_sender(void **state)
{
	static const struct ac_class quiet = { .super = AC_DISPATCHER_WITH_SEND,
		                               .name = "quiet",
		                               .size = sizeof(struct ac_sender),
		                               .handle_read = sender_read };
	struct world *w = *state;
	struct ac_tls *client = tls_client(), *server = tls_server(cert_file(A_TEST, CERT_GOOD));
	size_t size = 1 << 20;
	char *text = malloc(size);
	struct ac_sender *s;
	struct flow *f;
	int fds[2];

	for (size_t i = 0; i < size; i++)
		text[i] = (char)pattern(i);
	unix_pair(fds);
	s = (struct ac_sender *)ac_adopt(w->map, &quiet, fds[0], NULL);
	f = flow_adopt(w, fds[1], 8192);
	assert_int_equal(ac_start_tls(&s->d, client, "a.test"), 0);
	assert_int_equal(ac_start_tls(&f->c.d, server, NULL), 0);
	assert_int_equal(ac_sender_send(s, text, size), (ssize_t)size);
	UNTIL(w, f->got == size && ac_sender_pending(s) == 0);
	assert_false(f->wrong);
	free(text);
	ac_close(&s->d);
	ac_close(&f->c.d);
	ac_tls_free(client);
	ac_tls_free(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(both_ways_at_once),       EACH(both_ways_through_small_buffers),
		EACH(keys_change_on_the_way),  EACH(close_when_done_is_done),
		EACH(files_are_encrypted),     EACH(water_marks_hold),
		EACH(discarded_in_the_middle), EACH(sent_by_hand),
		EACH(sent_by_a_sender),
	};

	return RUN(tests);
}
