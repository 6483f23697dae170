/*
 * datagram.c — datagrams in batches: a server that counts what each datagram weighs and answers with it.
 *
 *	datagram ADDRESS [COUNT]      ends after so many
 */
#include <asyncore/datagram.h>

#include <stdlib.h>

struct scales {
	struct ac_datagram g;
	uint64_t most;
};

static int weigh(struct ac_datagram *g, const struct ac_packet *p)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%zu bytes%s\n", p->len,
	                 p->truncated ? " and more" : "");

	AC_TRY(g, ac_datagram_send(g, text, (size_t)n, p->from));
	if (g->received == ((struct scales *)g)->most)
		ac_close(&g->d); /* sends what waits */
	return 0;
}

static int lost(struct ac_datagram *g, int code, const struct ac_addr *to)
{
	char text[AC_ADDR_TEXT];

	ac_log(&g->d, "no answer to %s: %s",
	       to ? ac_addr_format(to, text, sizeof(text)) : "somebody", ac_error_name(code));
	return 0;
}

static const struct ac_datagram_class scales_class = {
	.d = { .super = AC_DATAGRAM, .name = "scales", .size = sizeof(struct scales) },
	.handle_datagram = weigh,
	.handle_unsent = lost,
};

int main(int argc, char **argv)
{
	struct ac_map *map = ac_map_new(NULL);
	struct scales *s = (struct scales *)ac_new(map, &scales_class.d);
	int r = s ? ac_datagram_serve(&s->g, argc > 1 ? argv[1] : "127.0.0.1:8009") : -1;

	if (r == 0)
		s->most = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	if (r < 0 || (r = ac_loop(map, NULL)) < 0)
		ac_explain(map, "datagram");
	ac_map_free(map);
	return r < 0;
}
