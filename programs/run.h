/* run.h — `asyncore run`: what its command line and its conversations share. */
#ifndef RUN_H
#define RUN_H

#include <asynchat.h>

struct child;

struct run {
	struct ac_map *map;
	struct ac_dispatcher *listener; /* NULL: stopping */
	const char *const *argv;
	struct child *first;
	size_t places, max_connections; /* taken: the command or the connection is there */
	bool quiet;
};

struct run_listener {
	struct ac_dispatcher d;
	struct run *run;
};

extern const struct ac_class run_listener_class;

void run_end_all(struct run *r);  /* every child is told to go */
void run_kill_all(struct run *r); /* and made to */
void run_over(struct run *r);     /* stopping, and the last place is free */

/* The environment of a child: ours, and REMOTE_ADDR, REMOTE_PORT, LOCAL_ADDR, LOCAL_PORT. One block, to be
 * freed; NULL: no memory. */
const char **run_environment(const struct ac_addr *remote, const struct ac_addr *local);

#endif
