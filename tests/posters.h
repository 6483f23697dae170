/* posters.h — threads that post numbers to a map, and what becomes of them. */
#ifndef POSTERS_H
#define POSTERS_H

#include "harness.h"

#include <asyncore/threads.h>
#include <pthread.h>

#define THREADS 4
#define MANY 25000 /* posts of each: a hundred thousand in all */

/* What one thread posts: its numbers, so that their order is seen. */
struct poster {
	struct ac_map *map;
	ac_task_fn *fn;
	pthread_t thread;
	int count, next;     /* to be posted; the number that has to run next */
	bool out_of_order;   /* the map's thread's, as next */
	int posted, refused; /* the poster's */
	struct rec **victim; /* a channel that posts close */
	struct world *w;
	struct number {
		struct poster *poster;
		int number;
	} numbers[];
};

int run_number(void *arg);
int count_up(void *arg); /* an int */
int leave(void *arg);
void quiet(void *arg, enum ac_log_level level, const char *text); /* a log hook */

struct poster *poster_new(struct ac_map *map, ac_task_fn *fn, int count);
void go(struct poster *p);
void finish(struct poster
                    *p); /* joins and frees it: each of its posts was run, once and in its order */
int all_run(struct poster *posters[]); /* how many, of THREADS posters */

#endif
