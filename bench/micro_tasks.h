/*
 * micro_tasks.h — what a library's timers look like to micro_tasks.c. Each micro_tasks_NAME.c defines the one
 * `timers` of its program.
 *
 * The functions take all timers at once, so that the loop over them is in the file that knows the library
 * and no call through a pointer is measured.
 */
#ifndef MICRO_TASKS_H
#define MICRO_TASKS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

/* One delay in the form each library wants it. */
struct delay {
	double seconds;
	uint64_t ms;
	struct timeval tv;
};

struct timers {
	const char *peer;
	void (*init)(size_t count); /* that many timers, none of them pending */
	void (*insert)(const struct delay *delays, size_t count); /* the first `count` */
	void (*cancel)(size_t count);                             /* in the order of insertion */
	void (*churn)(const uint32_t *order, const struct delay *delays,
	              size_t count);      /* each of them: cancelled, set anew */
	void (*inside)(void (*fn)(void)); /* runs fn as a handler of the loop */
	void (*pass)(void);               /* runs what is due; does not wait */
	void (*done)(void);
};

extern const struct timers *const all_timers[]; /* NULL ends them */
extern size_t fired;                            /* counted by the callbacks */

#endif
