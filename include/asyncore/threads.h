/*
 * threads.h — what another thread may say to a map, what a map may have others do, and one loop a core.
 *
 * A map belongs to one thread. ac_post is the one function of the library that any thread may call on it;
 * ac_offload goes the other way, for calls that block; workers are maps that share nothing.
 */
#ifndef ASYNCORE_THREADS_H
#define ASYNCORE_THREADS_H

#include <asyncore.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- posts: from any thread to a map's ---------------------------------------------------- */

/*
 * Lets the map take posts. From then on they keep ac_loop going, until ac_close_posts, ac_close_all or
 * AC_EXIT. In the map's own thread, as all but ac_post. Opening what is open does nothing.
 * -EMFILE and what else a descriptor may fail with, -ENOMEM.
 */
AC_API int ac_open_posts(struct ac_map *map);

/* Refuses posts from now on and runs those that wait; a worker can be stopped all the same. ac_close_all and
 * ac_map_free do it too, before they close anything else: a worker that opens channels after ac_close_all has to
 * open its posts again to be stopped. */
AC_API void ac_close_posts(struct ac_map *map);

/*
 * From any thread: has fn(arg) called in the map's thread. A post that was accepted (0) is run exactly once,
 * in the order in which its thread posted, at the latest by ac_close_posts; its result is taken as a task's:
 * a negative one is logged, AC_EXIT leaves the loop. Never runs fn itself, and may be called from inside fn.
 * -ENOENT: that map takes no posts, or is gone; its memory is not touched, so it may be. A map that was
 * made later at the same address is another one that answers to the same name.
 * -ENOBUFS: too many wait. -ENOMEM. -EINVAL without fn.
 */
AC_API int ac_post(struct ac_map *map, ac_task_fn *fn, void *arg);

/* How many posts may wait to be fetched: 65536 if nobody says, SIZE_MAX for no limit; -ENOENT where none
 * are taken. Refusals are counted, and logged once a second. */
AC_API int ac_set_post_limit(struct ac_map *map, size_t limit);
AC_API uint64_t ac_posts_refused(struct ac_map *map);

/* ---- offloading: what blocks, in a thread of a small pool --------------------------------- */

/* What a job ends with: in the map's thread. Its own result is taken as a task's. */
typedef int ac_done_fn(void *arg, int result);

/*
 * Has fn(arg) called in another thread, where all signals are blocked, and when it has returned
 * done(arg, its result) in the map's. The loop goes on until then. Call it in the map's thread.
 * done is called exactly once for each job that was accepted (0). -ECANCELED as result says that nobody wants
 * it any more, because the map is being freed or this is a forked child: then done only releases `arg`, and
 * touches nothing of the map; while fn was running, it is called in fn's thread. ac_map_free does not wait
 * for jobs that run.
 * Threads are started as they are needed, at most 4 for a map, and end after 5 seconds without work.
 * -ENOBUFS: 1024 jobs wait already. -EAGAIN: there is no thread to be had. -ENOMEM, -EMFILE, -EINVAL.
 */
AC_API int ac_offload(struct ac_map *map, ac_task_fn *fn, ac_done_fn *done, void *arg);

/* Other limits for this map: threads (0: 4), and jobs that wait for one (0: 1024). Threads that run already
 * are not ended. -errno as ac_offload. */
AC_API int ac_set_offload(struct ac_map *map, unsigned threads, size_t waiting);

/* ---- workers: a thread, a map and a loop for each core ------------------------------------ */

struct ac_workers;

#define AC_WORKERS_MOST 1024

/* All functions are called in the worker's own thread, with its own map. `arg` is shared by all. */
struct ac_workers_opts {
	unsigned count;                /* 0: one for each processor this process may use */
	bool pin;                      /* each to one of these processors */
	const struct ac_map_opts *map; /* its log hook is called from all threads */
	/* Listens, sets tasks … Workers are set up one after the other, from index 0, and none serves before
	 * the last is ready. A negative result ends all. */
	int (*setup)(struct ac_map *map, unsigned index, void *arg);
	/* What ac_workers_stop brings about. After 0 the loop ends with the last channel and task; AC_EXIT
	 * leaves it at once, and so does NULL, and a second stop. */
	int (*stop)(struct ac_map *map, unsigned index, void *arg);
	/* The loop is over, or never began; the map is freed next. Not after a setup that failed. NULL: nothing. */
	void (*teardown)(struct ac_map *map, unsigned index, void *arg);
	void *arg;
};

/*
 * Starts them, and returns when all are set up: 0, or what a setup returned (the others are gone by then),
 * -EINVAL without setup or for too many, -EAGAIN where a thread is not to be had, -ENOMEM.
 * Their threads block all signals. Their posts are open. `opts` is copied, `opts->map` is not.
 * A forked child has none of them, and may do nothing with them.
 */
AC_API int ac_workers_start(const struct ac_workers_opts *opts, struct ac_workers **ret_workers);

/* Has each worker stop, as opts->stop says. From any thread, also a worker's, but not from a signal handler
 * and not after ac_workers_join. */
AC_API void ac_workers_stop(struct ac_workers *w);

/* Waits until all have ended, stopped or by themselves, and frees w. 0, or the first error of a loop. From any
 * thread but a worker's. NULL: nothing. */
AC_API int ac_workers_join(struct ac_workers *w);

AC_API unsigned ac_workers_count(const struct ac_workers *w);

/* A worker's map, to post to: from any thread, good for nothing else. NULL: it has ended. */
AC_API struct ac_map *ac_workers_map(const struct ac_workers *w, unsigned index);

/* SO_REUSEPORT, before ac_bind: several sockets share an address. */
AC_API int ac_set_reuse_port(struct ac_dispatcher *d);

/*
 * ac_serve for listeners that share a port: the kernel gives each connection to one of them. While bound->len is
 * 0 it listens at `address`, which nobody may have yet, and says in *bound where that is (port 0: any that is
 * free); later calls, with that, listen there as well. -EOPNOTSUPP for Unix sockets.
 */
AC_API int ac_serve_shared(struct ac_dispatcher *d, const char *address, struct ac_addr *bound);

#ifdef __cplusplus
}
#endif
#endif
