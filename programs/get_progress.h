/*
 * get_progress.h — the line on the terminal that shows how far `asyncore get` has come.
 *
 * Drawn at most ten times a second by a task on the map; off: every call does nothing. The struct
 * stays where it is while it runs.
 */
#ifndef GET_PROGRESS_H
#define GET_PROGRESS_H

#include <asyncore.h>

#define PROGRESS_SAMPLES 32 /* the rate is that of the last 3 seconds */

struct progress {
	struct ac_map *map;
	struct ac_task *task; /* NULL: nothing is being drawn */
	bool on;
	int64_t from, done,
		total; /* bytes; total -1: unknown. What was there before begins at from */
	double started;
	struct {
		double when;
		int64_t done;
	} sample[PROGRESS_SAMPLES];
	size_t samples; /* ever taken */
};

void progress_init(struct progress *p, struct ac_map *map, bool on);
int progress_begin(struct progress *p, int64_t from, int64_t total); /* 0 or -ENOMEM */
void progress_add(struct progress *p, size_t bytes);
void progress_end(struct progress *p); /* draws it once more and leaves the line */

/* The line itself, at most `width` columns: rate in bytes a second, times in seconds. */
void progress_line(char *text, size_t size, size_t width, int64_t done, int64_t total, double rate,
                   double elapsed);

#endif
