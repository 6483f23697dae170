/*
 * talk_udp.c — `asyncore talk --udp`: each line of the standard input is a datagram, and what comes is written.
 *
 *	stdin ─▶ keyboard (chat) ─line▶ peer (datagram) ─▶ network
 *	stdout ◀───────── write ◀───────┘
 *
 * Design: a group's address is bound and joined, so that we hear the others and ourselves; any other is
 * connected, so that we hear nobody else and are told when nobody is there. After the last line we stay until
 * nothing has come for a second.
 */
#include "program.h"
#include "udp.h"

#include <asyncore/datagram.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define QUIET_SECONDS 1.0

struct peer {
	struct ac_datagram g;
	struct ac_addr group; /* len 0: connected */
	struct ac_chat *keyboard;
};

struct keyboard {
	struct ac_chat c;
	struct peer *peer;
};

static int status;

static int say(struct keyboard *k, struct ac_slice line)
{
	struct peer *p = k->peer;

	AC_TRY(k, ac_datagram_send(&p->g, line.data, line.len, p->group.len ? &p->group : NULL));
	if (ac_datagram_pending(&p->g) >= 32) /* a full batch */
		ac_pause(&k->c.d);
	return 0;
}

static int typed(struct ac_chat *c)
{
	return say((struct keyboard *)c, ac_incoming(c));
}

/* A line that the input ends in the middle of is one too. */
static int typed_all(struct ac_dispatcher *d)
{
	struct ac_slice rest = ac_incoming((struct ac_chat *)d);

	if (rest.len)
		AC_TRY(d, say((struct keyboard *)d, rest));
	return AC_CHAT->handle_eof(d);
}

static int keyboard_failed(struct ac_dispatcher *d, const struct ac_error *e)
{
	status = program_fail(STATUS_FAILED, "talk", "standard input: %s", strerror(e->code));
	ac_close(d);
	return 0;
}

static int keyboard_closed(struct ac_dispatcher *d)
{
	struct peer *p = ((struct keyboard *)d)->peer;

	if (!p)
		return 0;
	p->keyboard = NULL;
	return ac_set_timeout(&p->g.d, QUIET_SECONDS);
}

static const struct ac_chat_class keyboard_class = {
	.d = {
		.super = AC_CHAT,
		.name = "keyboard",
		.size = sizeof(struct keyboard),
		.handle_eof = typed_all,
		.handle_error = keyboard_failed,
		.handle_close = keyboard_closed,
	},
	.found_terminator = typed,
};

static int came(struct ac_datagram *g, const struct ac_packet *packet)
{
	bool whole = packet->len && ((const char *)packet->data)[packet->len - 1] == '\n';

	int r = program_write(packet->data, packet->len);

	if (r == 0 && !whole)
		r = program_write("\n", 1);
	return r < 0 ? ac_raisef(g, -r, "standard output") : 0;
}

static int unsent(struct ac_datagram *g, int code, const struct ac_addr *to)
{
	(void)g;
	(void)to;
	status = program_fail(STATUS_FAILED, "talk", "a datagram was lost: %s", strerror(code));
	return 0;
}

static int drained(struct ac_datagram *g)
{
	struct peer *p = (struct peer *)g;

	if (p->keyboard)
		ac_resume(&p->keyboard->d);
	return 0;
}

static int failed(struct ac_dispatcher *d, const struct ac_error *e)
{
	status = program_fail(STATUS_FAILED, "talk", "%s%s%s", e->detail, e->detail[0] ? ": " : "",
	                      strerror(e->code));
	ac_close(d);
	return 0;
}

static int closed(struct ac_dispatcher *d)
{
	struct peer *p = (struct peer *)d;

	if (p->keyboard) {
		((struct keyboard *)p->keyboard)->peer = NULL;
		ac_close(&p->keyboard->d);
	}
	return AC_DATAGRAM->handle_close(d);
}

static const struct ac_datagram_class peer_class = {
	.d = {
		.super = AC_DATAGRAM,
		.name = "peer",
		.size = sizeof(struct peer),
		.handle_error = failed,
		.handle_close = closed,
	},
	.handle_datagram = came,
	.handle_unsent = unsent,
	.handle_drain = drained,
};

static int open_peer(struct peer *p, const char *address)
{
	struct ac_addr addr;

	if (!p)
		return -ENOMEM;
	if (ac_addr_parse(address, &addr) < 0 || !ac_addr_is_group(&addr))
		return ac_datagram_dial(&p->g, address);
	p->group = addr;
	AC_TRY(&p->g, ac_datagram_serve(&p->g, address));
	return ac_join_group(&p->g.d, &addr, NULL, NULL);
}

static int open_keyboard(struct ac_map *map, struct peer *p)
{
	struct keyboard *k =
		(struct keyboard *)ac_file_dispatcher(map, &keyboard_class.d, STDIN_FILENO);

	if (!k)
		return program_fail(STATUS_FAILED, "talk", "standard input: %s", strerror(errno));
	k->peer = p;
	p->keyboard = &k->c;
	return ac_set_terminator(&k->c, "\n", 1);
}

int udp_talk(struct ac_map *map, const char *address)
{
	struct peer *p = (struct peer *)ac_new(map, &peer_class.d);
	int r = open_peer(p, address);

	if (r < 0)
		return program_fail(STATUS_FAILED, "talk", "%s: %s", address, strerror(-r));
	if (open_keyboard(map, p) != 0 || ac_loop(map, NULL) < 0)
		return STATUS_FAILED;
	return status;
}
