/*
 * resolver.h — the inside of the resolver: one for a map, lookups that are under way, and who answers them.
 *
 *	ac_dial ──▶ dial.c ──┐               ┌─▶ static addresses, hosts.c: at once
 *	                     ├─▶ lookup.c ───┤
 *	ac_resolve ▶ query.c ┘               └─▶ cares.c or thread.c: what a server says
 *
 * Invariants:
 *  - nothing of the user's is called but from a task or from ac_close_all: never within ac_dial, ac_resolve
 *    or a call of c-ares. So whatever a handler closes or cancels, nobody below it on the stack has it.
 *  - running == lookups that have started and not stopped; each counts in map->live.
 *  - a lookup that has stopped is known to nobody.
 */
#ifndef AC_RESOLVER_H
#define AC_RESOLVER_H

#include "../dispatcher/dispatcher.h"

#include <asyncore/resolve.h>

#define AC_NAME_MAX 254 /* with the dot at its end */
#define AC_ADDRS_MAX 64

struct ac_backend;

/* An address that was given for a name and port. */
struct ac_fixed {
	struct ac_fixed *next;
	struct ac_addr addr; /* with the port */
	char host[];
};

struct ac_resolver {
	struct ac_dialer dialer; /* what the map knows of it */
	struct ac_map *map;
	struct ac_backend *backend;
	struct ac_query *queries; /* under way */
	struct ac_fixed *fixed;
	char *hosts_file;
	size_t running, most;
	unsigned halted; /* calls of ac_close_all on the stack */
	int64_t deadline, attempt_delay;
};

enum ac_asked { AC_ASKED_IPV6, AC_ASKED_IPV4, AC_ASKED };
#define AC_ASKED_BOTH 3u

struct ac_lookup {
	struct ac_resolver *r; /* NULL: not under way */
	char host[AC_NAME_MAX + 1];
	uint16_t port;
	unsigned missing; /* sets of 1 << AC_ASKED_…: whose answer has not come */
	int error;        /* of those that came: 0 or an errno */
	struct ac_addr *addrs;
	size_t count;
	void *questions[AC_ASKED];             /* the backend's */
	struct ac_task news;                   /* an answer has come: */
	int (*tell)(struct ac_lookup *lookup); /* said by it */
};

/* ---- resolver.c ---- */
/* In so many nanoseconds, also under AC_TASKS_HOLD. */
void ac_in_(struct ac_task *t, struct ac_map *m, int64_t ns, ac_task_fn *fn, void *arg);
struct ac_resolver *ac_resolver_of_(struct ac_map *m); /* NULL: none */

/* ---- name.c ---- */
/* Cuts "name:port" in two. -EINVAL and why. */
int ac_name_split_(const char *address, char host[AC_NAME_MAX + 1], uint16_t *ret_port,
                   const char **ret_why);
bool ac_name_same_(const char *a, const char *b); /* whatever their case or last dot */
/* An address without a port, with brackets or without. */
int ac_name_addr_(const char *text, size_t len, uint16_t port, struct ac_addr *ret_addr);

/* ---- fixed.c, hosts.c: they add what they know ---- */
int ac_fixed_add_(struct ac_resolver *r, const char *text, const char **ret_why);
void ac_fixed_free_(struct ac_resolver *r);
void ac_fixed_find_(struct ac_lookup *l);
void ac_hosts_find_(struct ac_lookup *l);

/* ---- lookup.c ---- */
/* -errno, and why, if there is more to say. */
int ac_lookup_start_(struct ac_lookup *l, struct ac_resolver *r, const char *address,
                     const char **ret_why);
void ac_lookup_stop_(struct ac_lookup *l);
void ac_lookup_add_(struct ac_lookup *l, const struct sockaddr *sa); /* its port is ours */
void ac_lookup_answered_(struct ac_lookup *l, unsigned whose, int error);

/* ---- order.c ---- */
/* As RFC 6724 and 8305 say; `before`: the family that had its turn last, 0: none. */
void ac_order_(struct ac_addr *addrs, size_t count, int before);

/* ---- query.c, dial.c ---- */
void ac_queries_halt_(struct ac_resolver *r);
int ac_dial_name_(struct ac_dialer *r, struct ac_dispatcher *d, const char *address);

/* ---- cares.c or thread.c ---- */
int ac_backend_new_(struct ac_resolver *r, const struct ac_resolver_opts *o, const char **ret_why);
void ac_backend_free_(struct ac_backend *b);
int ac_backend_ask_(struct ac_lookup *l);                            /* for both families */
void ac_backend_forget_(struct ac_resolver *r, struct ac_lookup *l); /* it has stopped */

#endif
