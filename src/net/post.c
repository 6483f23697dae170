/*
 * post.c — a map's mailbox: what other threads ask of it, run in its own.
 *
 * Design: a channel on an eventfd, which is written once for all that is posted until it is read. Whoever posts
 * finds the mailbox by its map's address in a list of those that are open, under one lock: a map that is gone
 * is not found, and is never looked into. What waits is taken as a whole and run without the lock, so many a
 * pass.
 * Invariants:
 *  - awake <==> the descriptor is readable, or its reader has not come to the lock yet;
 *  - something waits ==> awake, or the map's thread is about to take it;
 *  - a mailbox stands in the list from when it is made until handle_close, so its descriptor is open.
 * A forked child has copies of all that waits, and a descriptor of its own, made before anything else runs in
 * it, under the same number.
 */
#include "net.h"

#include <errno.h>

#define POSTS_A_PASS 512
#define POSTS_WAITING 65536
#define POSTS_KEPT 1024 /* memory for more of them goes back when they have run */

pthread_mutex_t ac_net_mutex_ = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct ac_mailbox *mailboxes;

/* The parent reads the old descriptor: to write into it would wake the parent, and not us. */
static void in_child(void)
{
	for (struct ac_mailbox *b = mailboxes; b; b = b->next) {
		b->d.fd = ac_sys_event_anew_(b->d.fd); /* negative: nothing more is heard of it */
		b->awake = false;
		if (b->pool)
			ac_pool_forked_(b->pool);
		ac_mailbox_wake_(b);
	}
	ac_net_unlock_();
}

static void prepare(void)
{
	pthread_atfork(ac_net_lock_, ac_net_unlock_, in_child);
}

void ac_mailbox_wake_(struct ac_mailbox *box)
{
	if (!box->awake)
		ac_sys_event_set_(box->d.fd);
	box->awake = true;
}

static struct ac_mailbox *find(const struct ac_map *m)
{
	struct ac_mailbox *b = mailboxes;

	while (b && b->d.map != m)
		b = b->next;
	return b;
}

static int append(struct ac_posts *posts, ac_task_fn *fn, void *arg)
{
	if (posts->count == posts->cap) {
		size_t cap = posts->cap ? posts->cap * 2 : 16;
		struct ac_post *at = ac_realloc_(posts->at, cap * sizeof(*at));

		if (!at)
			return -ENOMEM;
		posts->at = at;
		posts->cap = cap;
	}
	posts->at[posts->count++] = (struct ac_post){ fn, arg };
	return 0;
}

static int post(struct ac_mailbox *box, ac_task_fn *fn, void *arg)
{
	int r = box->waiting.count >= box->limit ? -ENOBUFS : append(&box->waiting, fn, arg);

	box->refused += r == -ENOBUFS;
	if (r == 0)
		ac_mailbox_wake_(box);
	return r;
}

int ac_post(struct ac_map *map, ac_task_fn *fn, void *arg)
{
	struct ac_map *m = ac_map_of_(map);
	struct ac_mailbox *box;
	int r;

	if (!fn)
		return -EINVAL;
	ac_net_lock_();
	box = find(m);
	r = box && box->open ? post(box, fn, arg) : -ENOENT;
	ac_net_unlock_();
	return r;
}

static void forget(struct ac_posts *posts)
{
	ac_free_(posts->at);
	*posts = (struct ac_posts){ 0 };
}

/* What waits is what runs now, and the other way round: all of that has run. */
static struct ac_post take(struct ac_mailbox *box)
{
	struct ac_posts ran = box->running;
	struct ac_post urgent;

	if (ran.cap > POSTS_KEPT)
		forget(&ran);
	ran.first = ran.count = 0;
	ac_net_lock_();
	box->awake = false;
	box->running = box->waiting;
	box->waiting = ran;
	urgent = box->urgent;
	box->urgent.fn = NULL;
	ac_net_unlock_();
	box->d.map->post_memory = (box->running.cap + ran.cap) * sizeof(struct ac_post);
	return urgent;
}

static bool is_done(const struct ac_posts *posts)
{
	return posts->first == posts->count;
}

static void run_one(struct ac_map *m, struct ac_post p)
{
	if (!p.fn)
		return;
	m->error.code = 0;
	ac_called_(m, p.fn(p.arg), "post");
}

/* A post may close the mailbox, which runs the rest: then there is nothing left here. */
static void run(struct ac_mailbox *box, size_t most)
{
	for (; most > 0 && !is_done(&box->running); most--)
		run_one(box->d.map, box->running.at[box->running.first++]);
}

static void tell_refused(struct ac_mailbox *box)
{
	struct ac_map *m = box->d.map;
	uint64_t refused = ac_posts_refused(m);

	if (refused == box->refused_told || !ac_once_a_second_(m, &box->said))
		return;
	ac_map_log(m, AC_LOG_WARNING, "%llu posts were refused: too many wait",
	           (unsigned long long)(refused - box->refused_told));
	box->refused_told = refused;
}

static int fetch(struct ac_dispatcher *d)
{
	struct ac_mailbox *box = (struct ac_mailbox *)d;

	d->flags |= AC_HAS_READ;
	box->forks = ac_forks_;
	if (is_done(&box->running)) {
		ac_sys_event_clear_(d->fd);
		d->ready &= (uint8_t)~AC_IN;
		run_one(d->map, take(box));
		tell_refused(box);
	}
	run(box, POSTS_A_PASS);
	if (!(d->flags & AC_IS_CLOSING))
		ac_pool_deliver_(box);
	d->flags &= ~(uint32_t)AC_IS_HOLDING;
	if (!is_done(&box->running))
		d->flags |= AC_IS_HOLDING; /* its turn comes again in the next pass */
	return 0;
}

static void refuse(struct ac_mailbox *box)
{
	ac_net_lock_();
	box->open = false;
	ac_net_unlock_();
	box->holds = false;
}

/* In a forked child that has not served the map, they are its parent's to run. */
static void run_all(struct ac_mailbox *box)
{
	if (box->forks != ac_forks_)
		return;
	run(box, SIZE_MAX);
	run_one(box->d.map, take(box));
	run(box, SIZE_MAX);
}

static int closed(struct ac_dispatcher *d)
{
	struct ac_mailbox *box = (struct ac_mailbox *)d, **link = &mailboxes;

	refuse(box);
	run_all(box);
	ac_pool_close_(box);
	ac_net_lock_();
	while (*link != box)
		link = &(*link)->next;
	*link = box->next;
	ac_net_unlock_();
	if (box->passive) /* counted again, for the one who is about to uncount it */
		d->map->live++;
	box->passive = false;
	d->map->mailbox = NULL;
	d->map->post_memory = 0;
	return 0;
}

static void freed(struct ac_dispatcher *d)
{
	struct ac_mailbox *box = (struct ac_mailbox *)d;

	forget(&box->waiting);
	forget(&box->running);
}

static const struct ac_class mailbox_class = {
	.super = AC_DISPATCHER,
	.name = "posts",
	.size = sizeof(struct ac_mailbox),
	.flags = AC_OURS | AC_INNER,
	.handle_read = fetch,
	.handle_close = closed,
	.finalize = freed,
};

static struct ac_mailbox *make(struct ac_map *m, int *ret_error)
{
	int fd = ac_sys_event_();
	struct ac_mailbox *box;

	if (fd < 0) {
		*ret_error = fd;
		return NULL;
	}
	box = (struct ac_mailbox *)ac_adopt(m, &mailbox_class, fd, NULL);
	if (!box) {
		*ret_error = m->error.code > 0 ? -m->error.code : -ENOMEM;
		return NULL;
	}
	box->limit = POSTS_WAITING;
	box->forks = ac_forks_;
	pthread_once(&once, prepare);
	ac_net_lock_();
	box->next = mailboxes;
	mailboxes = box;
	ac_net_unlock_();
	m->mailbox = &box->d;
	return box;
}

struct ac_mailbox *ac_mailbox_of_(struct ac_map *m, int *ret_error)
{
	*ret_error = -ENOMEM;
	if (!m)
		return NULL;
	return m->mailbox ? (struct ac_mailbox *)m->mailbox : make(m, ret_error);
}

void ac_mailbox_count_(struct ac_mailbox *box)
{
	bool passive = !box->holds && !ac_pool_is_busy_(box->pool);

	if (box->passive == passive || (box->d.flags & AC_IS_CLOSING))
		return;
	box->passive = passive;
	if (passive)
		box->d.map->live--;
	else
		box->d.map->live++;
}

void ac_mailbox_urge_(struct ac_map *m, ac_task_fn *fn, void *arg)
{
	struct ac_mailbox *box = find(m);

	if (!box)
		return;
	box->urgent = (struct ac_post){ fn, arg };
	ac_mailbox_wake_(box);
}

void ac_mailbox_let_go_(struct ac_map *m)
{
	struct ac_mailbox *box = (struct ac_mailbox *)m->mailbox;

	if (!box)
		return;
	box->holds = false;
	ac_mailbox_count_(box);
}

int ac_open_posts(struct ac_map *map)
{
	int r;
	struct ac_mailbox *box = ac_mailbox_of_(ac_map_of_(map), &r);

	if (!box)
		return r;
	ac_net_lock_();
	box->open = true;
	ac_net_unlock_();
	box->holds = true;
	ac_mailbox_count_(box);
	return 0;
}

void ac_close_posts(struct ac_map *map)
{
	struct ac_map *m = ac_map_of_(map);
	struct ac_mailbox *box = m ? (struct ac_mailbox *)m->mailbox : NULL;

	if (!box)
		return;
	if (!m->mailbox_stays && !ac_pool_is_busy_(box->pool)) {
		ac_close(&box->d);
		return;
	}
	m->depth++;
	refuse(box);
	run_all(box);
	ac_mailbox_count_(box);
	ac_map_release_(m);
}

int ac_set_post_limit(struct ac_map *map, size_t limit)
{
	struct ac_mailbox *box;
	int r = 0;

	ac_net_lock_();
	box = find(ac_map_of_(map));
	if (box)
		box->limit = limit ? limit : POSTS_WAITING;
	else
		r = -ENOENT;
	ac_net_unlock_();
	return r;
}

uint64_t ac_posts_refused(struct ac_map *map)
{
	const struct ac_mailbox *box;
	uint64_t refused;

	ac_net_lock_();
	box = find(ac_map_of_(map));
	refused = box ? box->refused : 0;
	ac_net_unlock_();
	return refused;
}
