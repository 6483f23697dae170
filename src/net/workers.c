/*
 * workers.c — one loop a core: threads with a map each, which share nothing but the kernel's port.
 *
 * Design: workers are set up one after the other, each in its own thread, so that the first may bind a port that
 * the others take over, and none serves before all are ready. Stopping is a post that cannot be refused.
 * Invariant: of a worker `map` and `state` are looked at under the room's lock.
 */
#include "net.h"

#include <errno.h>

enum state { SETTING_UP, READY, FAILED, OVER };

struct worker {
	struct ac_workers *all;
	struct ac_map *map; /* NULL: gone */
	pthread_t thread;
	unsigned index;
	enum state state;
	int result;
};

struct ac_workers {
	struct ac_workers_opts opts;
	pthread_cond_t changed;
	int go;         /* 1: serve; negative: do not */
	unsigned stops; /* asked for; under the lock, as go */
	unsigned count;
	struct worker workers[];
};

static void change(struct worker *k, struct ac_map *map, enum state state)
{
	ac_net_lock_();
	k->map = map;
	k->state = state;
	pthread_cond_broadcast(&k->all->changed);
	ac_net_unlock_();
}

static int set_up(struct worker *k, struct ac_map *map)
{
	const struct ac_workers_opts *o = &k->all->opts;
	int r = ac_open_posts(map);

	map->mailbox_stays = true;
	if (r == 0 && o->pin)
		r = ac_sys_pin_(k->index);
	if (r == 0)
		r = o->setup(map, k->index, o->arg);
	return r < 0 ? r : 0;
}

static bool may_serve(struct ac_workers *w)
{
	int go;

	ac_net_lock_();
	while (w->go == 0)
		pthread_cond_wait(&w->changed, &ac_net_mutex_);
	go = w->go;
	ac_net_unlock_();
	return go > 0;
}

static int serve(struct worker *k, struct ac_map *map)
{
	const struct ac_workers_opts *o = &k->all->opts;
	int r = 0;

	change(k, map, READY);
	if (may_serve(k->all))
		r = ac_loop(map, NULL);
	if (o->teardown)
		o->teardown(map, k->index, o->arg);
	return r < 0 ? r : 0;
}

static void *work(void *arg)
{
	struct worker *k = arg;
	struct ac_map *map = ac_map_new(k->all->opts.map);
	int r = map ? set_up(k, map) : -errno;
	bool failed = r < 0;

	if (!failed)
		r = serve(k, map);
	k->result = r;
	change(k, NULL, failed ? FAILED : OVER);
	ac_map_free(map);
	return NULL;
}

static int wait_until_ready(struct worker *k)
{
	int r;

	ac_net_lock_();
	while (k->state == SETTING_UP)
		pthread_cond_wait(&k->all->changed, &ac_net_mutex_);
	r = k->state == FAILED ? k->result : 0;
	ac_net_unlock_();
	return r;
}

/* How many have a thread is the count from now on. */
static int start_all(struct ac_workers *w, unsigned wanted)
{
	int r = 0;

	while (r == 0 && w->count < wanted) {
		struct worker *k = &w->workers[w->count];

		k->all = w;
		k->index = w->count;
		r = ac_thread_start_(work, k, false, &k->thread);
		w->count += r == 0;
		if (r == 0)
			r = wait_until_ready(k);
	}
	return r;
}

static void let_go(struct ac_workers *w, int go)
{
	ac_net_lock_();
	w->go = go;
	pthread_cond_broadcast(&w->changed);
	ac_net_unlock_();
}

int ac_workers_start(const struct ac_workers_opts *opts, struct ac_workers **ret_workers)
{
	unsigned count = opts->count ? opts->count : ac_sys_processors_();
	struct ac_workers *w;
	int r;

	if (!opts->setup || count > AC_WORKERS_MOST)
		return -EINVAL;
	w = ac_alloc_(sizeof(*w) + count * sizeof(w->workers[0]));
	if (!w)
		return -ENOMEM;
	ac_maps_count_(1); /* its memory goes back after the maps' */
	w->opts = *opts;
	pthread_cond_init(&w->changed, NULL);
	r = start_all(w, count);
	let_go(w, r < 0 ? -1 : 1);
	if (r < 0)
		ac_workers_join(w);
	else
		*ret_workers = w;
	return r;
}

static int stop(void *arg)
{
	struct worker *k = arg;
	const struct ac_workers_opts *o = &k->all->opts;
	struct ac_map *map;
	unsigned stops;
	int r;

	ac_net_lock_();
	map = k->map; /* NULL: it has ended by itself, and its map is being freed */
	stops = k->all->stops;
	ac_net_unlock_();
	if (!map || !o->stop || stops > 1)
		return AC_EXIT;
	r = o->stop(map, k->index, o->arg);
	ac_mailbox_let_go_(map);
	return r;
}

void ac_workers_stop(struct ac_workers *w)
{
	ac_net_lock_();
	w->stops++;
	for (unsigned i = 0; i < w->count; i++)
		if (w->workers[i].map)
			ac_mailbox_urge_(w->workers[i].map, stop, &w->workers[i]);
	ac_net_unlock_();
}

int ac_workers_join(struct ac_workers *w)
{
	int r = 0;

	if (!w)
		return 0;
	for (unsigned i = 0; i < w->count; i++) {
		pthread_join(w->workers[i].thread, NULL);
		if (r == 0)
			r = w->workers[i].result;
	}
	pthread_cond_destroy(&w->changed);
	ac_free_(w);
	ac_maps_count_(-1);
	return r;
}

unsigned ac_workers_count(const struct ac_workers *w)
{
	return w->count;
}

struct ac_map *ac_workers_map(const struct ac_workers *w, unsigned index)
{
	struct ac_map *map;

	ac_net_lock_();
	map = index < w->count ? w->workers[index].map : NULL;
	ac_net_unlock_();
	return map;
}
