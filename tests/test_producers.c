/* test_producers.c — pieces.c and output.c: producers, files and owned memory between pushes on a real chat. */
#include "harness.h"

#include <stdlib.h>

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

static int temporary(const char *text)
{
	char name[] = "/tmp/asyncore-test-XXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

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
		EACH(producers_on_a_chat_arrive_whole),
		EACH(file_goes_out_by_sendfile_between_pushes),
		EACH(owned_memory_is_freed_once_whatever_happens),
	};

	return RUN(tests);
}
