/*
 * udp.c — datagrams: one dispatcher answers, another asks, both on one map.
 *
 *	udp [QUESTIONS]
 *
 * A datagram may be lost: the question is asked again when there was no answer in half a second.
 */
#include <asyncore.h>

#include <stdlib.h>

static int answer(struct ac_dispatcher *d)
{
	char data[1500];
	struct ac_addr from;
	ssize_t n = ac_recvfrom(d, data, sizeof(data), &from);

	return n < 0 ? (int)n : (int)ac_sendto(d, data, (size_t)n, &from);
}

static const struct ac_class answerer_class = {
	.super = AC_DISPATCHER,
	.name = "answerer",
	.handle_read = answer,
};

struct asker {
	struct ac_dispatcher d;
	struct ac_dispatcher *answerer;
	long number, count;
};

static int ask(struct ac_dispatcher *d)
{
	struct asker *a = (struct asker *)d;
	char text[32];
	int n = snprintf(text, sizeof(text), "%ld", a->number);
	struct ac_addr to;

	AC_TRY(d, ac_local_addr(a->answerer, &to));
	AC_TRY(d, ac_sendto(d, text, (size_t)n, &to));
	return 0;
}

static int answered(struct ac_dispatcher *d)
{
	struct asker *a = (struct asker *)d;
	char text[32] = "";
	ssize_t n = ac_recvfrom(d, text, sizeof(text) - 1, NULL);

	if (n < 0)
		return (int)n;
	if (atol(text) != a->number)
		return 0; /* the answer to what was asked twice */
	if (++a->number < a->count)
		return ask(d);
	printf("%ld questions, %ld answers\n", a->count, a->number);
	ac_close_all(d->map, false);
	return 0;
}

static const struct ac_class asker_class = {
	.super = AC_DISPATCHER,
	.name = "asker",
	.size = sizeof(struct asker),
	.handle_read = answered,
	.handle_timeout = ask,
};

static int open_socket(struct ac_dispatcher *d)
{
	struct ac_addr addr;

	AC_TRY(d, ac_addr_parse("127.0.0.1:0", &addr));
	AC_TRY(d, ac_create_socket(d, AF_INET, SOCK_DGRAM));
	return ac_bind(d, &addr);
}

int main(int argc, char **argv)
{
	struct ac_map *map = ac_map_new(NULL);
	struct ac_dispatcher *answerer = ac_new(map, &answerer_class);
	struct asker *asker = (struct asker *)ac_new(map, &asker_class);
	int r = answerer && asker ? open_socket(answerer) : -1;

	if (r == 0 && (r = open_socket(&asker->d)) == 0 &&
	    (r = ac_set_timeout(&asker->d, 0.5)) == 0) {
		asker->answerer = answerer;
		asker->count = argc > 1 ? atol(argv[1]) : 10;
		r = ask(&asker->d);
	}
	if (r < 0 || (r = ac_loop(map, NULL)) < 0)
		ac_explain(map, "udp");
	ac_map_free(map);
	return r < 0;
}
