/* kids.h — children for the tests: shell scripts that write down what happens to them. */
#ifndef KIDS_H
#define KIDS_H

#include "harness.h"

#include <asyncore/process.h>

struct kid {
	struct ac_process p;
	char *trace; /* "o(line)", "e(line)", "x0" for exit 0, "s9" for signal 9, "d" drained, "X" closed */
	size_t bytes, *sum;
	bool ends; /* "<1" too, when stdout has closed */
	int exits, *total;
	int (*on_exit)(struct kid *k);
	int (*on_line)(struct kid *k);
	void *arg;
};
extern const struct ac_process_class kid_class;

struct kid *start(struct world *w, const char *script, struct ac_spawn_opts o);
struct kid *sh(struct world *w, const char *script); /* three pipes */
bool no_children(void);                              /* none is left, not even a dead one */

#endif
