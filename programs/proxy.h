/*
 * proxy.h — connections that are passed on.
 *
 *	client ──▶ listener ──accepted──▶ side ══ relay ══ side ──dialled──▶ target
 *	                                    └─── passage ───┘ what is logged of both
 */
#ifndef PROXY_H
#define PROXY_H

#include <asyncore/relay.h>

struct ac_tls;

struct proxy {
	struct ac_map *map;
	const char *target;
	struct ac_tls *accepts, *dials; /* contexts; NULL: that side is plain */
	const char *server_name;        /* whom to expect behind the target */
	struct ac_dispatcher *listener; /* NULL: no more are accepted */
	size_t connections, max_connections;
	double connect_timeout, idle_timeout;
	bool quiet, stopping; /* the last to go ends the loop */
};

struct proxy_listener {
	struct ac_dispatcher d;
	struct proxy *proxy;
};
extern const struct ac_class proxy_listener_class;

/* Resets whatever is open yet: nobody is to take what he has for the whole. */
void proxy_break_off(struct proxy *p);

#endif
