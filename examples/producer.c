/*
 * producer.c — output that is made while it is sent: a producer of our own, and a hook at its end.
 *
 *	producer [COUNT]
 *
 * Writes the squares of the numbers below COUNT to the standard output, a pipe for example. However
 * large COUNT is and however slow the reader, few pieces are in memory at a time.
 */
#include <asynchat.h>

#include <stdlib.h>
#include <unistd.h>

struct squares {
	struct ac_producer p;
	unsigned long next, count;
	char piece[512];
};

/* Lends the piece until it is called again; an empty one is the end. */
static int squares_more(struct ac_producer *p, struct ac_slice *ret_slice)
{
	struct squares *s = (struct squares *)p;
	size_t len = 0;

	while (s->next < s->count && len + 32 <= sizeof(s->piece)) {
		len += (size_t)snprintf(s->piece + len, 32, "%lu\n", s->next * s->next);
		s->next++;
	}
	*ret_slice = (struct ac_slice){ s->piece, len };
	return 0;
}

static void squares_free(struct ac_producer *p)
{
	free(p);
}

static const struct ac_producer_class squares_class = { "squares", squares_more, squares_free };

static struct ac_producer *squares_new(unsigned long count)
{
	struct squares *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->p.cls = &squares_class;
	s->count = count;
	return &s->p;
}

static void say_total(void *arg, int64_t total)
{
	(void)arg;
	if (total >= 0)
		fprintf(stderr, "%lld bytes\n", (long long)total);
	else
		fprintf(stderr, "cut short\n");
}

int main(int argc, char **argv)
{
	static const struct ac_chat_class output_class = { .d = { .super = AC_CHAT,
		                                                  .name = "output" } };
	struct ac_map *map = ac_map_new(NULL);
	struct ac_chat *c =
		(struct ac_chat *)ac_file_dispatcher(map, &output_class.d, STDOUT_FILENO);
	struct ac_producer *p = squares_new(argc > 1 ? strtoul(argv[1], NULL, 10) : 10);
	int r = -1;

	if (c) {
		r = ac_push_with_producer(c, p ? ac_hooked_producer(p, say_total, NULL) : NULL);
		ac_close_when_done(c);
	}
	if (r < 0 || (r = ac_loop(map, NULL)) < 0)
		ac_explain(map, "producer");
	ac_map_free(map);
	return r < 0;
}
