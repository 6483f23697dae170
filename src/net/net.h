/*
 * net.h — what reaches beyond one map's thread: the mailbox of a map and the pool behind it.
 *
 * Rules: this room alone has locks, and there is one, the room's. It is held for a few loads and stores, and
 * never while a function of the program's runs. A fork takes it, so that a child finds all in order.
 */
#ifndef AC_NET_H
#define AC_NET_H

#include "../dispatcher/dispatcher.h"

#include <asyncore/threads.h>
#include <pthread.h>

struct ac_pool;

struct ac_post {
	ac_task_fn *fn;
	void *arg;
};

struct ac_posts {
	struct ac_post *at;
	size_t first, count, cap; /* first: those before it have run */
};

/* A channel of the map's own, on an eventfd. */
struct ac_mailbox {
	struct ac_dispatcher d;
	struct ac_mailbox *next; /* of those that are open; under the lock, as what follows */
	struct ac_posts waiting;
	struct ac_post urgent; /* fn NULL: none */
	size_t limit;
	uint64_t refused;
	bool open;  /* to ac_post */
	bool awake; /* the descriptor is readable */

	struct ac_posts running; /* the map's thread's, as what follows */
	uint64_t refused_told;
	int64_t said;
	bool passive;         /* keeps no loop going */
	bool holds;           /* as ac_open_posts says; jobs hold it as well */
	unsigned forks;       /* when it was served last */
	struct ac_pool *pool; /* NULL: nothing was offloaded */
};

/* ---- post.c ---- */
extern pthread_mutex_t ac_net_mutex_;
static inline void ac_net_lock_(void)
{
	pthread_mutex_lock(&ac_net_mutex_);
}
static inline void ac_net_unlock_(void)
{
	pthread_mutex_unlock(&ac_net_mutex_);
}
/* Made if there is none; NULL: *ret_error is -errno. */
struct ac_mailbox *ac_mailbox_of_(struct ac_map *m, int *ret_error);
void ac_mailbox_wake_(struct ac_mailbox *box); /* under the lock */
/* Runs this before what waits; never refused. One at a time. Under the lock; the mailbox is open. */
void ac_mailbox_urge_(struct ac_map *m, ac_task_fn *fn, void *arg);
void ac_mailbox_let_go_(struct ac_map *m);      /* posts keep the loop going no more */
void ac_mailbox_count_(struct ac_mailbox *box); /* whether it keeps the loop going has changed */

/* ---- thread.c ---- */
int ac_thread_start_(void *(*fn)(void *arg), void *arg, bool detached, pthread_t *ret_thread);

/* ---- offload.c ---- */
bool ac_pool_is_busy_(const struct ac_pool *p); /* jobs are under way; p may be NULL */
void ac_pool_deliver_(struct ac_mailbox *box);
void ac_pool_close_(struct ac_mailbox *box);
void ac_pool_forked_(struct ac_pool *p); /* in the child, under the lock */

#endif
