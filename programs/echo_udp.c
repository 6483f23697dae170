/*
 * echo_udp.c — `asyncore echo --udp`: answers each datagram with itself, in batches.
 *
 * Design: an answer for which there is no room is dropped, as the network would; the library counts it and says
 * so at most once a second. Who cannot be answered is nobody else's trouble.
 */
#include "program.h"
#include "udp.h"

#include <asyncore/datagram.h>
#include <errno.h>
#include <string.h>

static int answer(struct ac_datagram *g, const struct ac_packet *p)
{
	int r = p->from->len ? ac_datagram_send(g, p->data, p->len, p->from) : 0;

	return r == -ENOBUFS ? 0 : r;
}

static int failed(struct ac_dispatcher *d, const struct ac_error *e)
{
	(void)d;
	program_fail(STATUS_FAILED, "echo", "%s", strerror(e->code));
	return 0;
}

static const struct ac_datagram_class echo_class = {
	.d = { .super = AC_DATAGRAM, .name = "echo-udp", .handle_error = failed },
	.handle_datagram = answer,
};

struct ac_dispatcher *udp_echo(struct ac_map *map, const char *address)
{
	struct ac_datagram *g = (struct ac_datagram *)ac_new(map, &echo_class.d);

	return program_opened(g ? &g->d : NULL, ac_datagram_serve(g, address), "echo", "", address);
}
