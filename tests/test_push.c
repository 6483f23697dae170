/*
 * test_push.c — each producer on a real chat: the peer gets exactly its bytes, in order, however
 * slowly it reads; and whatever ends the chat, each producer is freed once.
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#ifdef WITH_COMPRESS
#include <asyncore/compress.h>
#include <zlib.h>
#endif

#define MEGABYTE 1000000
#define SECONDS 20

static char data[MEGABYTE + 1], came[2 * MEGABYTE];
static size_t came_len;

/* Reads what is there, at most `most` bytes. */
static void take(int fd, size_t most)
{
	size_t room = sizeof(came) - came_len;
	ssize_t n = recv(fd, came + came_len, most < room ? most : room, MSG_DONTWAIT);

	if (n > 0)
		came_len += (size_t)n;
}

/* Flushes and reads until the chat, which is leaving, is gone: `finals` counts its end. */
static void take_all(struct world *w, struct rec *r, int fd, const int *finals, size_t most)
{
	double until = ac_now(w->map) + SECONDS;

	while (!*finals && ac_now(w->map) < until) {
		ac_flush(&r->c); /* producers that had nothing are asked again */
		ac_poll(w->map, 0);
		take(fd, most);
	}
	assert_int_equal(*finals, 1);
	while (!ended(fd) && came_len < sizeof(came))
		take(fd, sizeof(came));
}

/* What the peer gets of a chat that sends this and closes; there must be no error. */
static void send_and_take(struct world *w, struct ac_producer *p, size_t most)
{
	int fd, finals = 0, size = 8192;
	struct rec *r = rec_pair(w, &fd);
	const char *trace = r->trace;

	assert_non_null(p);
	if (most < 10000) /* a slow reader: sends are short */
		setsockopt(r->c.d.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	r->counter = &finals;
	came_len = 0;
	assert_int_equal(ac_push_with_producer(&r->c, p), 0);
	assert_int_equal(ac_close_when_done(&r->c), 0);
	take_all(w, r, fd, &finals, most);
	assert_null(strchr(trace, 'E'));
	close(fd);
}

static void arrives(struct world *w, struct ac_producer *p, size_t most, const void *expected,
                    size_t len)
{
	send_and_take(w, p, most);
	assert_int_equal(came_len, len);
	if (len)
		assert_memory_equal(came, expected, len);
}

static void simple_arrives(void **state)
{
	(void)state;
	arrives(*state, ac_simple_producer(data, MEGABYTE, 0), MEGABYTE, data, MEGABYTE);
	arrives(*state, ac_simple_producer(data, MEGABYTE, 100000), 5000, data, MEGABYTE);
	arrives(*state, ac_simple_producer(data, 3, 1), 1, data, 3);
	arrives(*state, ac_simple_producer(NULL, 0, 0), 1, "", 0);
}

static int file_of_data(void)
{
	char name[] = "/tmp/asyncore-test-XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	unlink(name);
	assert_int_equal(write(fd, data, MEGABYTE), MEGABYTE);
	return fd;
}

static void file_arrives(void **state)
{
	arrives(*state, ac_file_producer(file_of_data(), 0, MEGABYTE), MEGABYTE, data, MEGABYTE);
	arrives(*state, ac_file_producer(file_of_data(), 999, 500000), 5000, data + 999, 500000);
}

static void lines_arrive(void **state)
{
	static const char *const lines[] = { "HELO a", "", "QUIT" };

	arrives(*state, ac_lines_producer(lines, 3), 5, "HELO a\r\n\r\nQUIT\r\n", 16);
}

/* Gives the data in pieces of any length and has nothing yet now and then. */
struct stream {
	size_t at, len;
	unsigned seed;
	int error, calls;
};

static ssize_t from_stream(void *arg, void *buffer, size_t size)
{
	struct stream *s = arg;
	size_t n = 1 + (size_t)rand_r(&s->seed) % size;

	s->calls++;
	memset(buffer, '#', size); /* what was lent before is gone */
	if (rand_r(&s->seed) % 4 == 0)
		return -EAGAIN;
	if (s->at == s->len)
		return s->error;
	if (n > s->len - s->at)
		n = s->len - s->at;
	memcpy(buffer, data + s->at, n);
	s->at += n;
	return (ssize_t)n;
}

static struct ac_producer *stream(struct stream *s, size_t len, unsigned seed, int error)
{
	*s = (struct stream){ 0, len, seed, error, 0 };
	return ac_function_producer(from_stream, s);
}

static void function_arrives(void **state)
{
	struct stream s;

	arrives(*state, stream(&s, MEGABYTE, 1, 0), MEGABYTE, data, MEGABYTE);
	arrives(*state, stream(&s, 300000, 2, 0), 3000, data, 300000);
}

struct heard {
	int calls;
	int64_t total;
};

static void hook(void *arg, int64_t total)
{
	struct heard *h = arg;

	h->calls++;
	h->total = total;
}

static void hooked_and_composite_arrive(void **state)
{
	struct ac_producer *parts[4];
	struct heard h = { 0, 0 };
	struct stream s[2];

	parts[0] = stream(&s[0], 400000, 3, 0);
	parts[1] = ac_simple_producer(NULL, 0, 0);
	parts[2] = ac_hooked_producer(ac_simple_producer(data + 400000, 100000, 30000), hook, &h);
	parts[3] = ac_file_producer(file_of_data(), 500000, 500000);
	arrives(*state, ac_composite_producer(parts, 4), 20000, data, MEGABYTE);
	assert_int_equal(h.calls, 1);
	assert_int_equal(h.total, 100000);
}

/* What the chunks that came hold is put together in place. */
static void unchunk(void)
{
	size_t at = 0, n = 0, size;
	char *end;

	came[came_len] = '\0';
	do {
		assert_true(at < came_len);
		size = strtoul(came + at, &end, 16);
		assert_memory_equal(end, "\r\n", 2);
		at = (size_t)(end - came) + 2;
		assert_true(size + 2 <= came_len - at);
		memmove(came + n, came + at, size);
		assert_memory_equal(came + at + size, "\r\n", 2);
		n += size;
		at += size + 2;
	} while (size);
	assert_int_equal(at, came_len);
	came_len = n;
}

static void chunked_arrives(void **state)
{
	static const size_t pieces[] = { 100, 4096, 4097, 60000, MEGABYTE };
	struct stream s;

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct ac_producer *p = ac_simple_producer(data, MEGABYTE, pieces[i]);

		send_and_take(*state, ac_chunked_producer(p), i % 2 ? MEGABYTE : 9000);
		unchunk();
		assert_int_equal(came_len, MEGABYTE);
		assert_memory_equal(came, data, MEGABYTE);
	}
	send_and_take(*state, ac_chunked_producer(stream(&s, 300000, 4, 0)), 3000);
	unchunk();
	assert_int_equal(came_len, 300000);
	assert_memory_equal(came, data, 300000);
}

static void escaping_arrives(void **state)
{
	char *expected = malloc(2 * MEGABYTE);
	struct stream s;
	size_t n = 0;

	for (size_t i = 0; i < MEGABYTE; i++) {
		expected[n++] = data[i];
		if (i >= 2 && memcmp(data + i - 2, "\r\n.", 3) == 0)
			expected[n++] = '.';
	}
	arrives(*state, ac_escaping_producer(stream(&s, MEGABYTE, 5, 0), "\r\n.", "\r\n.."), 20000,
	        expected, n);
	free(expected);
}

#ifdef WITH_COMPRESS
static void compressed_arrives(void **state)
{
	static char plain[MEGABYTE + 1];
	struct stream s;
	z_stream z = { 0 };

	send_and_take(*state, ac_compressed_producer(stream(&s, MEGABYTE, 6, 0), AC_GZIP, 1),
	              20000);
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = (Bytef *)came;
	z.avail_in = (uInt)came_len;
	z.next_out = (Bytef *)plain;
	z.avail_out = sizeof(plain);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	assert_int_equal(z.total_out, MEGABYTE);
	assert_memory_equal(plain, data, MEGABYTE);
	inflateEnd(&z);
}
#endif

static void many_in_one_queue_keep_their_order(void **state)
{
	int fd, finals = 0;
	struct rec *r = rec_pair(*state, &fd);
	struct stream s[10];
	size_t n = 0;

	r->counter = &finals;
	came_len = 0;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(ac_pushf(&r->c, "<%d>", i), 0);
		assert_int_equal(ac_push_with_producer(&r->c, stream(&s[i], 20000, (unsigned)i, 0)),
		                 0);
	}
	ac_close_when_done(&r->c);
	take_all(*state, r, fd, &finals, 30000);
	assert_int_equal(came_len, 10 * 20003);
	for (int i = 0; i < 10; i++, n += 20003) {
		assert_int_equal(came[n + 1], '0' + i);
		assert_memory_equal(came + n + 3, data, 20000);
	}
	close(fd);
}

static ssize_t silent(void *arg, void *buffer, size_t size)
{
	int *calls = arg;

	(void)size;
	if (++*calls < 3)
		return -EAGAIN;
	memcpy(buffer, "late", 4);
	return *calls == 3 ? 4 : 0;
}

static void producer_that_has_nothing_waits_for_the_flush(void **state)
{
	struct world *w = *state;
	int fd, calls = 0;
	struct rec *r = rec_pair(w, &fd);

	came_len = 0;
	assert_int_equal(ac_push(&r->c, "a", 1), 0);
	assert_int_equal(ac_push_with_producer(&r->c, ac_function_producer(silent, &calls)), 0);
	assert_int_equal(ac_push(&r->c, "z", 1), 0);
	passes(w, 50);
	assert_true(calls <= 2); /* not asked again and again by passes */
	take(fd, 100);
	assert_int_equal(came_len, 1); /* what stands behind it does not overtake it */
	for (int i = 0; i < 3; i++) {
		ac_flush(&r->c);
		passes(w, 1);
	}
	take(fd, 100);
	assert_int_equal(came_len, 6);
	assert_memory_equal(came, "alatez", 6);
	close(fd);
}

static void error_closes_the_chat_after_what_was_before_it(void **state)
{
	struct world *w = *state;
	int fd, finals = 0;
	struct rec *r = rec_pair(w, &fd);
	const char *trace = r->trace;
	struct heard h[2] = { { 0, 0 }, { 0, 0 } };
	struct stream s[2];

	r->counter = &finals;
	came_len = 0;
	ac_push_with_producer(&r->c,
	                      ac_hooked_producer(stream(&s[0], 50000, 7, -EDOM), hook, &h[0]));
	ac_push_with_producer(&r->c, ac_hooked_producer(stream(&s[1], 50000, 8, 0), hook, &h[1]));
	take_all(w, r, fd, &finals, MEGABYTE);
	assert_non_null(strstr(trace, "E(EDOM)X"));
	assert_true(came_len <= 50000);
	assert_memory_equal(came, data, came_len);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(h[i].calls, 1);
		assert_int_equal(h[i].total, -1);
	}
	assert_int_equal(s[1].calls, 0); /* nothing behind a failure is asked */
	close(fd);
}

/* Three ways to lose a queue half sent. */
enum way { CLOSED, DISCARDED, PEER_CLOSED };

static void lose(struct world *w, enum way way)
{
	int fd, finals = 0;
	struct rec *r = rec_pair(w, &fd);
	struct heard h = { 0, 0 };

	r->counter = &finals;
	ac_push_with_producer(
		&r->c, ac_hooked_producer(ac_simple_producer(data, MEGABYTE, 10000), hook, &h));
	passes(w, 3);
	assert_int_equal(h.calls, 0); /* the peer does not read */
	if (way == DISCARDED) {
		ac_discard_output(&r->c);
		assert_int_equal(h.calls, 1);
		assert_int_equal(finals, 0);
	}
	if (way == PEER_CLOSED)
		close(fd);
	else
		ac_close(&r->c.d);
	UNTIL(w, finals == 1);
	assert_int_equal(h.calls, 1);
	assert_int_equal(h.total, -1);
	if (way != PEER_CLOSED)
		close(fd);
}

static void queue_that_is_lost_frees_its_producers(void **state)
{
	lose(*state, CLOSED);
	lose(*state, DISCARDED);
	lose(*state, PEER_CLOSED);
}

static void closed_or_full_chat_frees_what_it_does_not_take(void **state)
{
	int fd;
	struct rec *r = rec_pair(*state, &fd);
	struct heard h = { 0, 0 };

	ac_set_limit(&r->c.d, AC_MAX_OUTPUT, 10);
	assert_int_equal(
		ac_push_with_producer(&r->c,
	                              ac_hooked_producer(ac_simple_producer(data, 5, 0), hook, &h)),
		-ENOBUFS);
	assert_int_equal(h.calls, 1);
	ac_close(&r->c.d);
	assert_int_equal(
		ac_push_with_producer(&r->c,
	                              ac_hooked_producer(ac_simple_producer(data, 5, 0), hook, &h)),
		0);
	assert_int_equal(h.calls, 2);
	assert_int_equal(h.total, -1);
	close(fd);
}

/* The chunks came from the first map's cache, which is gone when they are sent and given back. */
static void queue_moves_to_another_map_and_outlives_the_first(void **state)
{
	struct world *w = *state;
	struct ac_map_opts opts = { .poller = w->poller };
	struct ac_map *first = ac_map_new(&opts), *map = w->map;
	int fd, finals = 0;
	struct rec *r;

	assert_non_null(first);
	w->map = first;
	r = rec_pair(w, &fd);
	w->map = map;
	r->counter = &finals;
	came_len = 0;
	assert_int_equal(ac_push(&r->c, data, MEGABYTE), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(ac_push(&r->c, "ten bytes ", 10), 0);
	assert_true(ac_pending(&r->c) > 0);
	assert_int_equal(ac_add_channel(&r->c.d, map), 0);
	ac_map_free(first);
	assert_int_equal(ac_close_when_done(&r->c), 0);
	take_all(w, r, fd, &finals, MEGABYTE);
	assert_int_equal(came_len, MEGABYTE + 1000);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(simple_arrives),
		EACH(file_arrives),
		EACH(lines_arrive),
		EACH(function_arrives),
		EACH(hooked_and_composite_arrive),
		EACH(chunked_arrives),
		EACH(escaping_arrives),
#ifdef WITH_COMPRESS
		EACH(compressed_arrives),
#endif
		EACH(many_in_one_queue_keep_their_order),
		EACH(producer_that_has_nothing_waits_for_the_flush),
		EACH(error_closes_the_chat_after_what_was_before_it),
		EACH(queue_that_is_lost_frees_its_producers),
		EACH(closed_or_full_chat_frees_what_it_does_not_take),
		EACH(queue_moves_to_another_map_and_outlives_the_first),
	};
	unsigned seed = 13;

	for (size_t i = 0; i < MEGABYTE; i++)
		data[i] = "\r\n.abcde"[rand_r(&seed) % 8];
	return RUN(tests);
}
