/* test_producers.c — producer.c, simple.c, file.c, lines.c, composite.c, hooked.c, chunked.c, escaping.c,
 * function.c, fifo.c, pieces.c; and compress.c where zlib is. */
#include "harness.h"

#include <fcntl.h>
#include <stdlib.h>

#ifdef WITH_COMPRESS
#include <asyncore/compress.h>
#include <zlib.h>
#endif

#define MOST (1 << 21)

static char out[MOST];
static size_t out_len;
static int pieces;

/* Asks until it is empty; the first error, else 0. -EAGAIN is asked again. */
static int drain(struct ac_producer *p)
{
	struct ac_slice s;
	int r;

	out_len = 0;
	pieces = 0;
	assert_non_null(p);
	for (;;) {
		s = (struct ac_slice){ NULL, 0 };
		r = p->cls->more(p, &s);
		if (r == -EAGAIN)
			continue;
		if (r < 0 || s.len == 0)
			break;
		assert_true(out_len + s.len <= MOST);
		memcpy(out + out_len, s.data, s.len);
		out_len += s.len;
		pieces++;
	}
	if (r == 0) { /* exhausted stays exhausted */
		assert_int_equal(p->cls->more(p, &s), 0);
		assert_int_equal(s.len, 0);
	}
	ac_producer_free(p);
	return r;
}

static void gives(struct ac_producer *p, const char *text)
{
	assert_int_equal(drain(p), 0);
	assert_int_equal(out_len, strlen(text));
	assert_memory_equal(out, text, out_len);
}

/* Gives a text in pieces of random length, with -EAGAIN now and then; fails at the end if told to. */
struct source {
	const char *text;
	size_t len, at;
	unsigned seed;
	int error;
};

static ssize_t from_source(void *arg, void *buffer, size_t size)
{
	struct source *s = arg;
	size_t n = 1 + (size_t)rand_r(&s->seed) % 7;

	if (rand_r(&s->seed) % 4 == 0)
		return -EAGAIN;
	if (s->at == s->len)
		return s->error;
	if (n > s->len - s->at)
		n = s->len - s->at;
	assert_true(n <= size);
	memcpy(buffer, s->text + s->at, n);
	s->at += n;
	return (ssize_t)n;
}

static struct ac_producer *source(struct source *s, const char *text, unsigned seed)
{
	*s = (struct source){ text, strlen(text), 0, seed, 0 };
	return ac_function_producer(from_source, s);
}

static void simple_in_pieces(void **state)
{
	char text[1300];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	gives(ac_simple_producer(text, strlen(text), 0), text);
	assert_int_equal(pieces, 3); /* of 512 */
	gives(ac_simple_producer("abc", 3, 1), "abc");
	assert_int_equal(pieces, 3);
	gives(ac_simple_producer("", 0, 0), "");
	assert_null(ac_simple_producer("x", SIZE_MAX, 0));
}

static int temporary(const char *text)
{
	char name[] = "/tmp/asyncore-test-XXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

static void file_part_and_a_file_that_is_too_short(void **state)
{
	int before = count_fds();

	(void)state;
	gives(ac_file_producer(temporary("0123456789"), 3, 4), "3456");
	gives(ac_file_producer(temporary("x"), 0, 0), "");
	assert_int_equal(drain(ac_file_producer(temporary("short"), 0, 9)), -EIO);
	assert_int_equal(out_len, 5);
	assert_null(ac_file_producer(temporary("x"), -1, 4));
	assert_null(ac_file_producer(temporary("x"), 1, INT64_MAX));
	assert_null(ac_file_producer(-1, 0, 0));
	assert_int_equal(count_fds(), before);
}

static void lines_and_composites(void **state)
{
	static const char *const lines[] = { "one", "", "three" };
	struct ac_producer *parts[4];

	(void)state;
	gives(ac_lines_producer(lines, 3), "one\r\n\r\nthree\r\n");
	gives(ac_lines_producer(NULL, 0), "");
	parts[0] = ac_simple_producer("", 0, 0);
	parts[1] = ac_lines_producer(lines, 1);
	parts[2] = ac_simple_producer("", 0, 0);
	parts[3] = ac_simple_producer("end", 3, 2);
	gives(ac_composite_producer(parts, 4), "one\r\nend");
	parts[0] = ac_simple_producer("a", 1, 0);
	parts[1] = NULL; /* could not be made: nor can the whole, and the others are freed */
	assert_null(ac_composite_producer(parts, 2));
}

static int hooks;
static int64_t hooked_total;

static void hook(void *arg, int64_t total)
{
	assert_ptr_equal(arg, &hooks);
	hooks++;
	hooked_total = total;
}

static void hook_runs_exactly_once(void **state)
{
	struct ac_producer *p;
	struct ac_slice s;

	(void)state;
	hooks = 0;
	gives(ac_hooked_producer(ac_simple_producer("hello", 5, 2), hook, &hooks), "hello");
	assert_int_equal(hooks, 1);
	assert_int_equal(hooked_total, 5);
	p = ac_hooked_producer(ac_simple_producer("hello", 5, 2), hook, &hooks);
	p->cls->more(p, &s);
	ac_producer_free(p);
	assert_int_equal(hooks, 2);
	assert_int_equal(hooked_total, -1);
	assert_null(ac_hooked_producer(NULL, hook, &hooks));
	assert_int_equal(hooks, 3);
}

static void chunks_small_and_large(void **state)
{
	static char big[10001];
	struct source s;

	(void)state;
	gives(ac_chunked_producer(ac_simple_producer("hello, world", 12, 5)),
	      "5\r\nhello\r\n5\r\n, wor\r\n2\r\nld\r\n0\r\n\r\n");
	gives(ac_chunked_producer(ac_simple_producer("", 0, 0)), "0\r\n\r\n");
	memset(big, 'b', 10000);
	assert_int_equal(drain(ac_chunked_producer(ac_simple_producer(big, 10000, 10000))), 0);
	assert_memory_equal(out, "2710\r\nbbb", 9);
	assert_int_equal(out_len, 6 + 10000 + 2 + 5);
	assert_int_equal(
		drain(ac_chunked_producer(source(&s, "some text that comes in pieces", 5))), 0);
	assert_memory_equal(out + out_len - 5, "0\r\n\r\n", 5);
	assert_null(ac_chunked_producer(NULL));
}

static void replace(const char *text, const char *from, const char *to, char *expected)
{
	size_t n = 0;

	while (*text) {
		if (strncmp(text, from, strlen(from)) == 0) {
			strcpy(expected + n, to);
			n += strlen(to);
			text += strlen(from);
		} else {
			expected[n++] = *text++;
		}
	}
	expected[n] = '\0';
}

static void escaping_wherever_pieces_cut(void **state)
{
	static const char *const texts[] = { "\r\n.",       "a\r\n.b\r\n..c\r\n",
		                             "\r\n\r\n.\r", "",
		                             "...",         "\r\r\n." };
	char expected[256];
	struct source s;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (unsigned seed = 0; seed < 50; seed++) {
			replace(texts[i], "\r\n.", "\r\n..", expected);
			gives(ac_escaping_producer(source(&s, texts[i], seed), "\r\n.", "\r\n.."),
			      expected);
			replace(texts[i], ".", "", expected);
			gives(ac_escaping_producer(source(&s, texts[i], seed), ".", ""), expected);
		}
	}
	assert_null(ac_escaping_producer(ac_simple_producer("x", 1, 0), "", "y"));
	assert_null(ac_escaping_producer(NULL, "x", "y"));
}

static ssize_t too_much(void *arg, void *buffer, size_t size)
{
	(void)arg;
	(void)buffer;
	return (ssize_t)size + 1;
}

static void function_that_lies_is_an_error(void **state)
{
	struct source s;
	struct ac_producer *p;

	(void)state;
	assert_int_equal(drain(ac_function_producer(too_much, NULL)), -EOVERFLOW);
	p = source(&s, "x", 1);
	s.error = -EDOM;
	assert_int_equal(drain(ac_chunked_producer(ac_hooked_producer(p, hook, &hooks))), -EDOM);
	assert_int_equal(hooked_total, -1);
	assert_null(ac_function_producer(NULL, NULL));
}

static void fifo_keeps_order_and_its_tail(void **state)
{
	struct ac_fifo f;
	struct ac_producer *a = ac_simple_producer("a", 1, 0), *b = ac_simple_producer("b", 1, 0);

	(void)state;
	ac_fifo_init(&f);
	assert_true(ac_fifo_is_empty(&f));
	assert_null(ac_fifo_pop(&f));
	assert_null(ac_fifo_first(&f));
	ac_fifo_push(&f, a);
	ac_fifo_push(&f, b);
	assert_int_equal(f.count, 2);
	assert_ptr_equal(ac_fifo_first(&f), a);
	assert_ptr_equal(ac_fifo_pop(&f), a);
	assert_ptr_equal(ac_fifo_pop(&f), b);
	ac_fifo_push(&f, a);
	ac_fifo_push(&f, b);
	ac_fifo_done(&f);
	assert_true(ac_fifo_is_empty(&f));
}

#ifdef WITH_COMPRESS
static void unpacks_to(const char *text, size_t len, int window_bits)
{
	static char plain[MOST];
	z_stream z = { 0 };

	assert_int_equal(inflateInit2(&z, window_bits), Z_OK);
	z.next_in = (Bytef *)out;
	z.avail_in = (uInt)out_len;
	z.next_out = (Bytef *)plain;
	z.avail_out = sizeof(plain);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.total_out, len);
	assert_int_equal(z.avail_in, 0);
	assert_memory_equal(plain, text, len);
	inflateEnd(&z);
}

static void compressed_there_and_back(void **state)
{
	static const int window_bits[] = { 15 + 16, 15, -15 };
	static char big[1000000];
	unsigned seed = 9;
	struct source s;

	(void)state;
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i < 500000 ? 'a' + (int)(i % 7) : rand_r(&seed));
	for (int format = AC_GZIP; format <= AC_DEFLATE; format++) {
		struct ac_producer *p = ac_simple_producer(big, sizeof(big), 50000);

		assert_int_equal(drain(ac_compressed_producer(p, (enum ac_compression)format, 1)),
		                 0);
		assert_true(out_len < sizeof(big) * 6 / 10);
		unpacks_to(big, sizeof(big), window_bits[format]);
		assert_int_equal(drain(ac_compressed_producer(ac_simple_producer("", 0, 0),
		                                              (enum ac_compression)format, 0)),
		                 0);
		unpacks_to("", 0, window_bits[format]);
	}
	assert_int_equal(
		drain(ac_compressed_producer(source(&s, "little by little", 3), AC_GZIP, 9)), 0);
	unpacks_to("little by little", 16, 15 + 16);
	assert_null(ac_compressed_producer(ac_simple_producer("x", 1, 0), AC_GZIP, 10));
	assert_null(ac_compressed_producer(NULL, AC_GZIP, 1));
}
#endif

/* ---- on a real chat ---- */
static void producers_on_a_chat_arrive_whole(void **state)
{
	struct world *w = *state;
	static const char text[] = "a line\r\n.dots\r\n";
	struct source s;
	char came[512];
	int fd;
	struct rec *r = rec_pair(w, &fd);

	assert_int_equal(ac_push(&r->c, "<", 1), 0);
	assert_int_equal(
		ac_push_with_producer(&r->c, ac_chunked_producer(ac_simple_producer("abc", 3, 0))),
		0);
	assert_int_equal(ac_push_static(&r->c, "|", 1), 0);
	assert_int_equal(ac_push_with_producer(&r->c, ac_escaping_producer(source(&s, text, 4),
	                                                                   "\r\n.", "\r\n..")),
	                 0);
	assert_int_equal(ac_pushf(&r->c, "%s%d", ">", 7), 0);
	for (int i = 0; i < 200 && ac_pending(&r->c); i++) {
		ac_flush(&r->c);
		passes(w, 1);
	}
	get(fd, came, sizeof(came));
	assert_string_equal(came, "<3\r\nabc\r\n0\r\n\r\n|a line\r\n..dots\r\n>7");
	assert_int_equal(ac_push_with_producer(&r->c, NULL), -ENOMEM);
	close(fd);
}

static void file_goes_out_by_sendfile_between_pushes(void **state)
{
	struct world *w = *state;
	char *text = malloc(300001), *came = malloc(300101);
	int fd, size = 400000, before;
	struct rec *r = rec_pair(w, &fd);
	size_t n = 0;

	memset(text, 'f', 300000);
	text[300000] = '\0';
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	before = count_fds();
	assert_int_equal(ac_push(&r->c, "head:", 5), 0);
	assert_int_equal(ac_push_file(&r->c, temporary(text), 100, 299900), 0);
	assert_int_equal(ac_push(&r->c, ":tail", 5), 0);
	for (int i = 0; i < 1000 && n < 299910; i++) {
		n += get(fd, came + n, 300101 - n);
		ac_poll(w->map, 0.001);
	}
	assert_int_equal(n, 299910);
	assert_memory_equal(came, "head:ff", 7);
	assert_memory_equal(came + n - 6, "f:tail", 6);
	assert_int_equal(count_fds(), before);
	assert_int_equal(ac_push_file(&r->c, temporary("x"), -1, 1), -EINVAL);
	assert_int_equal(ac_push_file(&r->c, temporary("abc"), 0, 10), 0); /* it is shorter */
	UNTIL(w, strstr(w->log, "early"));
	assert_int_equal(get(fd, came, 100), 3);
	UNTIL(w, ended(fd));
	assert_non_null(strstr(w->log, "ended 7 bytes early"));
	close(fd);
	free(text);
	free(came);
}

static int freed;

static void count_free(void *arg)
{
	assert_ptr_equal(arg, &freed);
	freed++;
}

static void owned_memory_is_freed_once_whatever_happens(void **state)
{
	struct world *w = *state;
	static char big[100000];
	char came[16];
	int fd;
	struct rec *r = rec_pair(w, &fd);

	freed = 0;
	assert_int_equal(ac_push_owned(&r->c, "sent", 4, count_free, &freed), 0);
	get(fd, came, sizeof(came));
	assert_string_equal(came, "sent");
	assert_int_equal(freed, 1);
	ac_set_limit(&r->c.d, AC_MAX_OUTPUT, 10);
	assert_int_equal(ac_push_owned(&r->c, big, sizeof(big), count_free, &freed), -ENOBUFS);
	assert_int_equal(freed, 2);
	ac_close(&r->c.d);
	assert_int_equal(ac_push_owned(&r->c, "late", 4, count_free, &freed), 0);
	assert_int_equal(freed, 3);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(simple_in_pieces, epoll),
		ON(file_part_and_a_file_that_is_too_short, epoll),
		ON(lines_and_composites, epoll),
		ON(hook_runs_exactly_once, epoll),
		ON(chunks_small_and_large, epoll),
		ON(escaping_wherever_pieces_cut, epoll),
		ON(function_that_lies_is_an_error, epoll),
		ON(fifo_keeps_order_and_its_tail, epoll),
#ifdef WITH_COMPRESS
		ON(compressed_there_and_back, epoll),
#endif
		EACH(producers_on_a_chat_arrive_whole),
		EACH(file_goes_out_by_sendfile_between_pushes),
		EACH(owned_memory_is_freed_once_whatever_happens),
	};

	return RUN(tests);
}
