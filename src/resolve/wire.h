/* wire.h — what c-ares takes for sockets. */
#ifndef AC_WIRE_H
#define AC_WIRE_H

#include "resolver.h"

#define CARES_NO_DEPRECATED /* what newer ones have instead, 1.18 has not */
#include <ares.h>

struct ac_question;

struct ac_wire {
	struct ac_wire *next;
	struct endpoint *end; /* NULL: closed, and c-ares does not know yet */
	struct ac_backend *b;
	struct ac_addr peer;
	int number;
	bool told; /* that it is dead */
};

struct ac_backend {
	struct ac_resolver *r;
	ares_channel channel;
	struct ac_wire *wires;
	int numbers;
	struct ac_question *questions; /* of those who wait */
	size_t abandoned;
	struct ac_task timer;
};

extern const struct ares_socket_functions ac_wire_functions_;
void ac_wire_state_(void *b, ares_socket_t number, int readable, int writable);

/* ---- cares.c ---- */
void ac_backend_process_(struct ac_backend *b, ares_socket_t in, ares_socket_t out);
int ac_backend_wake_(void *b); /* a task: time has passed, or a wire has died */

#endif
