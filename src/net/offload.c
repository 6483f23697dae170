/*
 * offload.c — a few threads for what blocks, and the way back from them.
 *
 * Design: each map that offloads has a pool of its own, so that maps stay apart. A job comes back over a list
 * that needs no memory, and the map's mailbox is woken. When the map goes, the pool outlives it for as long
 * as jobs run: the last thread frees it. Threads are detached, because nobody could wait for them then.
 * Invariants: a job stands in one of three lists: waiting, running, finished; `box` is NULL once the map is
 * gone; refs counts the threads, and one for the map.
 */
#include "net.h"

#include <errno.h>
#include <time.h>

#define MOST_THREADS 4
#define MOST_WAITING 1024
#define IDLE_SECONDS 5

struct job {
	struct job *next;
	ac_task_fn *fn;
	ac_done_fn *done;
	void *arg;
	int result;
};

struct jobs {
	struct job *first, **last;
	size_t count;
};

struct ac_pool {
	struct ac_mailbox *box; /* under the lock, as what follows */
	struct jobs waiting, running, finished;
	unsigned refs, threads, idle;
	pthread_cond_t work, left; /* for a thread; to who waits for the idle ones to leave */

	unsigned most_threads; /* the map's thread's, as what follows */
	size_t most_waiting, under_way;
	int64_t said;
};

static void put_last(struct jobs *list, struct job *j)
{
	j->next = NULL;
	*list->last = j;
	list->last = &j->next;
	list->count++;
}

static struct job *take_out(struct jobs *list, struct job **link)
{
	struct job *j = *link;

	*link = j->next;
	if (!*link)
		list->last = link;
	list->count--;
	return j;
}

static void take_out_this(struct jobs *list, const struct job *j)
{
	struct job **link = &list->first;

	while (*link != j)
		link = &(*link)->next;
	take_out(list, link);
}

static void empty(struct jobs *list)
{
	*list = (struct jobs){ .last = &list->first };
}

/* Cancelled, all of the one list go to the end of the other. */
static void cancel_all(struct jobs *from, struct jobs *to)
{
	while (from->first) {
		from->first->result = -ECANCELED;
		put_last(to, take_out(from, &from->first));
	}
}

static void conditions_init(struct ac_pool *p)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->work, &attr);
	pthread_cond_init(&p->left, NULL);
	pthread_condattr_destroy(&attr);
}

static struct ac_pool *pool_new(struct ac_mailbox *box)
{
	struct ac_pool *p = ac_alloc_(sizeof(*p));

	if (!p)
		return NULL;
	p->box = box;
	p->refs = 1;
	p->most_threads = MOST_THREADS;
	p->most_waiting = MOST_WAITING;
	empty(&p->waiting);
	empty(&p->running);
	empty(&p->finished);
	conditions_init(p);
	ac_maps_count_(1); /* its memory may go back after the map's */
	return p;
}

static void unref(struct ac_pool *p)
{
	if (--p->refs > 0)
		return;
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->left);
	ac_free_(p);
	ac_maps_count_(-1);
}

/* Returns once there may be work, false after too long a time without. */
static bool wait_for_work(struct ac_pool *p)
{
	int64_t until = ac_clock_() + (int64_t)IDLE_SECONDS * 1000000000;
	struct timespec t = { until / 1000000000, until % 1000000000 };

	return pthread_cond_timedwait(&p->work, &ac_net_mutex_, &t) == 0;
}

/* The next job, which runs from now on; NULL: the thread is not needed any more. */
static struct job *next_job(struct ac_pool *p)
{
	struct job *j;
	bool stays = true;

	p->idle++;
	while (p->box && !p->waiting.first && stays)
		stays = wait_for_work(p);
	p->idle--;
	if (!p->box || !p->waiting.first)
		return NULL;
	j = take_out(&p->waiting, &p->waiting.first);
	put_last(&p->running, j);
	return j;
}

/* The map's thread hears of it; when there is none any more, this one is all there is. */
static void finish(struct ac_pool *p, struct job *j)
{
	take_out_this(&p->running, j);
	if (p->box) {
		put_last(&p->finished, j);
		ac_mailbox_wake_(p->box);
		return;
	}
	ac_net_unlock_();
	j->done(j->arg, -ECANCELED);
	ac_free_(j);
	ac_net_lock_();
}

static void *work(void *arg)
{
	struct ac_pool *p = arg;
	struct job *j;

	ac_net_lock_();
	while ((j = next_job(p)) != NULL) {
		ac_net_unlock_();
		j->result = j->fn(j->arg);
		ac_net_lock_();
		finish(p, j);
	}
	p->threads--;
	pthread_cond_signal(&p->left);
	unref(p);
	ac_net_unlock_();
	return NULL;
}

static void put(struct ac_pool *p, struct job *j)
{
	put_last(&p->waiting, j);
	pthread_cond_signal(&p->work);
}

/* A thread that has nothing to do may be about to leave: who counts on one queues before it can. */
static bool take_along(struct ac_pool *p, struct job *j)
{
	bool need;

	ac_net_lock_();
	need = p->waiting.count >= p->idle && p->threads < p->most_threads;
	p->threads += need;
	p->refs += need;
	if (!need)
		put(p, j);
	ac_net_unlock_();
	return !need;
}

/* With one more thread for it, if there may be one. Where none can be had, those that are there do. */
static int give(struct ac_pool *p, struct job *j)
{
	pthread_t thread;
	int r;

	if (take_along(p, j))
		return 0;
	r = ac_thread_start_(work, p, true, &thread);
	ac_net_lock_();
	if (r < 0) {
		p->threads--;
		unref(p);
	}
	if (r == 0 || p->threads) {
		put(p, j);
		r = 0;
	}
	ac_net_unlock_();
	return r;
}

/* NULL: *ret_error is -errno. */
static struct ac_pool *pool_of(struct ac_map *map, int *ret_error)
{
	struct ac_mailbox *box = ac_mailbox_of_(ac_map_of_(map), ret_error);
	struct ac_pool *p;

	if (!box || box->pool)
		return box ? box->pool : NULL;
	p = pool_new(box);
	ac_net_lock_(); /* a fork in another thread looks at it */
	box->pool = p;
	ac_net_unlock_();
	ac_mailbox_count_(box);
	*ret_error = -ENOMEM;
	return p;
}

static int refuse(struct ac_pool *p)
{
	struct ac_map *m = p->box->d.map;

	if (ac_once_a_second_(m, &p->said))
		ac_map_log(m, AC_LOG_WARNING, "jobs are refused: %zu wait", p->most_waiting);
	return -ENOBUFS;
}

static bool is_full(struct ac_pool *p)
{
	bool full;

	ac_net_lock_();
	full = p->waiting.count >= p->most_waiting;
	ac_net_unlock_();
	return full;
}

int ac_offload(struct ac_map *map, ac_task_fn *fn, ac_done_fn *done, void *arg)
{
	int r = -EINVAL;
	struct ac_pool *p = fn && done ? pool_of(map, &r) : NULL;
	struct job *j;

	if (!p)
		return r;
	if (is_full(p))
		return refuse(p);
	j = ac_alloc_(sizeof(*j));
	if (!j)
		return -ENOMEM;
	*j = (struct job){ .fn = fn, .done = done, .arg = arg };
	p->under_way++;
	r = give(p, j);
	if (r < 0) {
		p->under_way--;
		ac_free_(j);
	}
	ac_mailbox_count_(p->box);
	return r;
}

int ac_set_offload(struct ac_map *map, unsigned threads, size_t waiting)
{
	int r;
	struct ac_pool *p = pool_of(map, &r);

	if (!p)
		return r;
	p->most_threads = threads ? threads : MOST_THREADS;
	p->most_waiting = waiting ? waiting : MOST_WAITING;
	return 0;
}

bool ac_pool_is_busy_(const struct ac_pool *p)
{
	return p && p->under_way > 0;
}

static void tell(struct ac_map *m, struct job *list)
{
	while (list) {
		struct job *j = list;
		int r;

		list = j->next;
		m->error.code = 0;
		r = j->done(j->arg, j->result);
		ac_free_(j);
		ac_called_(m, r, "job");
	}
}

static struct job *take_finished(struct ac_pool *p)
{
	struct job *list = p->finished.first;

	p->under_way -= p->finished.count;
	empty(&p->finished);
	return list;
}

/* A `done` may close the mailbox, and the pool with it. */
void ac_pool_deliver_(struct ac_mailbox *box)
{
	struct job *list = NULL;

	ac_net_lock_();
	if (box->pool)
		list = take_finished(box->pool);
	ac_net_unlock_();
	tell(box->d.map, list);
	ac_mailbox_count_(box);
}

void ac_pool_close_(struct ac_mailbox *box)
{
	struct ac_pool *p = box->pool;
	struct ac_map *m = box->d.map;
	struct job *list;

	if (!p)
		return;
	ac_net_lock_();
	box->pool = NULL;
	p->box = NULL;
	cancel_all(&p->waiting, &p->finished);
	list = take_finished(p);
	pthread_cond_broadcast(&p->work);
	while (p->idle > 0)
		pthread_cond_wait(&p->left, &ac_net_mutex_);
	unref(p);
	ac_net_unlock_();
	tell(m, list);
}

/* None of its threads came along. */
void ac_pool_forked_(struct ac_pool *p)
{
	cancel_all(&p->waiting, &p->finished);
	cancel_all(&p->running, &p->finished);
	p->threads = p->idle = 0;
	p->refs = 1;
	conditions_init(p);
}
