/*
 * watch.c — what is known of a map: an entry for each descriptor, in the order of the map.
 *
 * Invariants:
 *  - by_fd[e->fd] == e for every entry; entries hang on first … last by rising order.
 *  - an entry is asked <==> it hangs on asked_first … asked_last, by rising order too.
 *  - wanting, bads and always count the entries with want, bad and always.
 *  - an entry with told stands in the poller under its fd and generation.
 * Limits: maps nobody has closed and that are gone are known only by their address; MOST of them
 * are kept, the one used last the longest. Only large ones have a descriptor of their own.
 */
#include "fast.h"

#define MOST 64
#define TOKEN(e) ((uint64_t)(e)->generation << 32 | (uint32_t)(e)->fd)

static struct entry **bucket_of(const struct state *st, PyObject *obj)
{
	uintptr_t hash = (uintptr_t)obj >> 4;

	return &st->buckets[(hash ^ hash >> 12) & (st->bucket_count - 1)];
}

static int grow_buckets(struct state *st)
{
	size_t old = st->bucket_count, count = old ? old * 2 : 256;
	struct entry **from = st->buckets, **into = PyMem_Calloc(count, sizeof(struct entry *));

	if (!into)
		return -1;
	st->buckets = into;
	st->bucket_count = count;
	for (size_t i = 0; i < old; i++)
		for (struct entry *e = from[i], *next; e; e = next) {
			struct entry **b = bucket_of(st, e->obj);

			next = e->next_same;
			e->next_same = *b;
			*b = e;
		}
	PyMem_Free(from);
	return 0;
}

static void unhash(struct entry *e)
{
	struct entry **at = bucket_of(e->watch->st, e->obj);

	while (*at != e)
		at = &(*at)->next_same;
	*at = e->next_same;
	e->watch->st->entry_count--;
}

void fast_touch_(struct state *st, PyObject *obj)
{
	if (!st->entry_count)
		return;
	for (struct entry *e = *bucket_of(st, obj); e; e = e->next_same)
		if (e->obj == obj)
			fast_entry_dirty_(e);
}

void fast_entry_dirty_(struct entry *e)
{
	if (e->dirty)
		return;
	e->dirty = true;
	e->dirty_next = e->watch->dirty;
	e->watch->dirty = e;
}

/* ---- A wait that another thread ends ---- */

/*
 * A channel has gone from a map for which somebody waits. One that comes ends no wait: it may not be
 * made to its end yet. poll cannot be told; it is not used where there are threads.
 */
static void changed(struct watch *w)
{
	int fd;

	w->changes++;
	if (!w->waiting || w->waker || !w->poller || !w->poller->cls->kernel)
		return;
	fd = ac_sys_event_();
	if (fd <= 0)
		return;
	ac_sys_event_set_(fd);
	w->poller->cls->set(w->poller, fd, FAST_WAKER, 0, AC_IN);
	w->waker = fd;
}

void fast_woken_(struct watch *w)
{
	if (!w->waker)
		return;
	if (w->poller)
		w->poller->cls->set(w->poller, w->waker, FAST_WAKER, AC_IN, 0);
	ac_sys_close_(w->waker);
	w->waker = 0;
}

/* ---- Entries ---- */

struct entry *fast_entry_(const struct watch *w, int fd)
{
	return fd >= 0 && (size_t)fd < w->room ? w->by_fd[fd] : NULL;
}

static int make_room(struct watch *w, size_t fd)
{
	size_t room = w->room ? w->room : 16;
	struct entry **by_fd;

	if (fd < w->room)
		return 0;
	while (room <= fd)
		room *= 2;
	by_fd = PyMem_Realloc(w->by_fd, room * sizeof(struct entry *));
	if (!by_fd)
		return -1;
	for (size_t i = w->room; i < room; i++)
		by_fd[i] = NULL;
	w->by_fd = by_fd;
	w->room = room;
	return 0;
}

int fast_entry_add_(struct watch *w, int fd, PyObject *obj)
{
	struct state *st = w->st;
	struct entry *e, **b;

	if (st->entry_count >= st->bucket_count && grow_buckets(st) < 0)
		return -1;
	if (make_room(w, (size_t)fd) < 0)
		return -1;
	e = PyMem_Calloc(1, sizeof(*e));
	if (!e)
		return -1;
	e->obj = obj;
	e->watch = w;
	e->fd = fd;
	e->generation = ++w->generation & 0x3fffffff;
	e->order = ++w->order;
	e->seen = w->round;
	e->before = w->last;
	*(w->last ? &w->last->next : &w->first) = e;
	w->last = e;
	w->by_fd[fd] = e;
	w->count++;
	b = bucket_of(st, obj);
	e->next_same = *b;
	*b = e;
	st->entry_count++;
	fast_entry_dirty_(e);
	return 0;
}

static void take_off_dirty(struct entry *e)
{
	struct entry **at = &e->watch->dirty;

	while (*at != e)
		at = &(*at)->dirty_next;
	*at = e->dirty_next;
}

static void forget(struct watch *w, struct entry *e)
{
	if (!e->told || !w->poller || ac_poller_is_stale_(w->poller))
		return;
	if (w->waiting && !w->poller->cls->kernel)
		w->redo = true;
	else
		w->poller->cls->set(w->poller, e->fd, TOKEN(e), e->told, 0);
}

void fast_entry_drop_(struct watch *w, struct entry *e)
{
	forget(w, e);
	changed(w);
	fast_asked_(e, false);
	if (e->dirty)
		take_off_dirty(e);
	w->wanting -= e->want != 0;
	w->bads -= e->bad;
	w->always -= e->always;
	if (w->look_at == e)
		w->look_at = e->next;
	*(e->before ? &e->before->next : &w->first) = e->next;
	*(e->next ? &e->next->before : &w->last) = e->before;
	w->by_fd[e->fd] = NULL;
	w->count--;
	unhash(e);
	PyMem_Free(e);
	if (w->count == 0 && !w->busy) {
		ac_poller_free_(w->poller);
		w->poller = NULL;
	}
}

void fast_entries_drop_(struct watch *w)
{
	while (w->last)
		fast_entry_drop_(w, w->last);
}

void fast_asked_(struct entry *e, bool asked)
{
	struct watch *w = e->watch;
	struct entry *before = w->asked_last;

	if (asked == e->asked)
		return;
	e->asked = asked;
	if (!asked) {
		*(e->asked_before ? &e->asked_before->asked_next : &w->asked_first) = e->asked_next;
		*(e->asked_next ? &e->asked_next->asked_before : &w->asked_last) = e->asked_before;
		e->asked_before = e->asked_next = NULL;
		return;
	}
	while (before && before->order > e->order)
		before = before->asked_before;
	e->asked_before = before;
	e->asked_next = before ? before->asked_next : w->asked_first;
	*(before ? &before->asked_next : &w->asked_first) = e;
	*(e->asked_next ? &e->asked_next->asked_before : &w->asked_last) = e;
}

/* ---- Maps ---- */

struct watch *fast_watch_known_(const struct state *st, PyObject *map)
{
	struct watch *w = st->watches;

	while (w && (w->map != map || w->dead))
		w = w->next;
	return w;
}

static void destroy(struct watch *w)
{
	struct watch **at = &w->st->watches;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	w->st->watch_count--;
	for (size_t i = 0; i < w->kind_count; i++)
		Py_DECREF(w->kinds[i].type);
	PyMem_Free(w->kinds);
	PyMem_Free(w->by_fd);
	PyMem_Free(w);
}

void fast_watch_free_(struct watch *w)
{
	fast_follow_end_(w);
	fast_entries_drop_(w);
	w->dead = true;
	if (w->busy)
		return;
	ac_poller_free_(w->poller);
	destroy(w);
}

void fast_watch_enter_(struct watch *w)
{
	w->busy++;
}

void fast_watch_leave_(struct watch *w)
{
	if (--w->busy)
		return;
	if (w->count == 0 || w->dead) {
		ac_poller_free_(w->poller);
		w->poller = NULL;
	}
	if (w->dead)
		destroy(w);
}

static void make_place(struct state *st)
{
	struct watch *oldest = NULL;

	if (st->watch_count < MOST)
		return;
	for (struct watch *w = st->watches; w; w = w->next)
		if (!w->busy && !w->dead && (!oldest || w->used < oldest->used))
			oldest = w;
	if (oldest)
		fast_watch_free_(oldest);
}

static struct watch *make(struct state *st, PyObject *map)
{
	struct watch *w;

	make_place(st);
	w = PyMem_Calloc(1, sizeof(*w));
	if (!w) {
		PyErr_NoMemory();
		return NULL;
	}
	w->st = st;
	w->map = map;
	w->stale = true;
	w->next = st->watches;
	st->watches = w;
	st->watch_count++;
	fast_follow_begin_(w);
	return w;
}

/* Who waited when it forked waits there, and not here. */
static void forget_parent(struct watch *w)
{
	w->waiting = 0;
	if (w->waker)
		ac_sys_close_(w->waker);
	w->waker = 0;
}

struct watch *fast_watch_(struct state *st, PyObject *map)
{
	struct watch *w = fast_watch_known_(st, map);

	if (!w)
		w = make(st, map);
	if (!w)
		return NULL;
	w->used = ++st->watch_uses;
	if (w->forks != ac_forks_)
		forget_parent(w);
	w->forks = ac_forks_;
	return w;
}

void fast_watches_done_(struct state *st)
{
	for (struct watch *w = st->watches, *next; w; w = next) {
		next = w->next;
		fast_watch_free_(w);
	}
	if (st->entry_count)
		return;
	PyMem_Free(st->buckets);
	st->buckets = NULL;
	st->bucket_count = 0;
}
