/*
 * follow.c — notices how a map changes, whoever changes it.
 *
 * Design: up to 3.11 a dict has a version; it tells that something else than us has changed the map,
 * and then the whole map is gone through. From 3.12 on the dict tells each change before it happens.
 */
#include "fast.h"

#include <limits.h>

#define MOST (1 << 20) /* there is a place for each up to the largest */

/* A key that can be a descriptor; -1: no, and then Python does the work. */
static int as_fd(PyObject *key)
{
	int overflow;
	long fd;

	if (!PyLong_CheckExact(key))
		return -1;
	fd = PyLong_AsLongAndOverflow(key, &overflow);
	return overflow || fd < 0 || fd >= MOST ? -1 : (int)fd;
}

/* The map has now obj under fd: at the end, or where another one was. */
static void put(struct watch *w, int fd, PyObject *obj, bool known)
{
	struct entry *e = fast_entry_(w, fd);

	if (e && e->obj == obj && known)
		return;
	if (e) {
		/* Another one in its place: the order is found again. */
		fast_entry_drop_(w, e);
		w->stale = true;
	}
	if (fast_entry_add_(w, fd, obj) < 0)
		w->stale = true;
}

#ifdef WITH_DICT_WATCHERS
static struct state *states; /* of all interpreters; they share the GIL */

static void change(struct watch *w, PyDict_WatchEvent event, PyObject *key, PyObject *value)
{
	bool has_key = event == PyDict_EVENT_ADDED || event == PyDict_EVENT_MODIFIED ||
	               event == PyDict_EVENT_DELETED;
	int fd = has_key ? as_fd(key) : -1;
	struct entry *e = fast_entry_(w, fd);

	if (event == PyDict_EVENT_DEALLOCATED) {
		w->map = NULL;
		fast_watch_free_(w);
	} else if (event == PyDict_EVENT_CLEARED) {
		fast_entries_drop_(w);
	} else if (fd < 0) {
		w->stale = true;
	} else if (event != PyDict_EVENT_DELETED) {
		put(w, fd, value, false);
	} else if (e) {
		fast_entry_drop_(w, e);
	}
}

static int changes(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value)
{
	for (struct state *st = states; st; st = st->next) {
		struct watch *w = fast_watch_known_(st, dict);

		if (w)
			change(w, event, key, value);
		for (int i = 0; i < GUARDS; i++)
			if (st->guards[i].dict == dict)
				st->guards[i].changed = true;
	}
	return 0;
}

int fast_follow_init_(struct state *st)
{
	st->watcher = PyDict_AddWatcher(changes);
	if (st->watcher < 0) {
		/* There are but a few of them: Python's text does without us then. */
		PyErr_SetString(PyExc_ImportError, "no more dict watchers");
		return -1;
	}
	st->next = states;
	states = st;
	return 0;
}

void fast_follow_done_(struct state *st)
{
	struct state **at = &states;

	while (*at && *at != st)
		at = &(*at)->next;
	if (*at)
		*at = st->next;
	if (st->watcher >= 0 && PyDict_ClearWatcher(st->watcher) < 0)
		PyErr_Clear();
	st->watcher = -1;
}

void fast_follow_begin_(struct watch *w)
{
	if (PyDict_Watch(w->st->watcher, w->map) < 0)
		PyErr_Clear();
}

void fast_follow_end_(struct watch *w)
{
	if (w->map && w->st->watcher >= 0 && PyDict_Unwatch(w->st->watcher, w->map) < 0)
		PyErr_Clear();
	w->map = NULL;
}

bool fast_has_changed_(struct watch *w)
{
	return w->stale;
}

static void is_followed(struct watch *w)
{
	(void)w;
}
#else
int fast_follow_init_(struct state *st)
{
	(void)st;
	return 0;
}

void fast_follow_done_(struct state *st)
{
	(void)st;
}

void fast_follow_begin_(struct watch *w)
{
	(void)w;
}

void fast_follow_end_(struct watch *w)
{
	w->map = NULL;
}

bool fast_has_changed_(struct watch *w)
{
	return w->stale || ((PyDictObject *)w->map)->ma_version_tag != w->version;
}

static void is_followed(struct watch *w)
{
	w->version = ((PyDictObject *)w->map)->ma_version_tag;
}
#endif

/* One that was there before, and still is; what the kernel watches may be gone all the same. */
static void keep(struct watch *w, struct entry *e)
{
	e->seen = w->round;
	e->order = ++w->order;
	e->unsure = true;
	fast_entry_dirty_(e);
}

/* Puts it behind all others: the map is gone through in its order. */
static void move_to_end(struct watch *w, struct entry *e)
{
	if (w->last == e)
		return;
	*(e->before ? &e->before->next : &w->first) = e->next;
	e->next->before = e->before;
	e->before = w->last;
	e->next = NULL;
	w->last->next = e;
	w->last = e;
}

static void drop_unseen(struct watch *w)
{
	for (struct entry *e = w->first, *next; e; e = next) {
		next = e->next;
		if (e->seen != w->round)
			fast_entry_drop_(w, e);
	}
}

static int go_through(struct watch *w)
{
	PyObject *key, *obj;
	Py_ssize_t at = 0;

	while (PyDict_Next(w->map, &at, &key, &obj)) {
		int fd = as_fd(key);
		struct entry *e = fast_entry_(w, fd);

		w->strange |= fd < 0;
		if (fd < 0)
			continue;
		if (e && e->obj != obj) {
			fast_entry_drop_(w, e);
			e = NULL;
		}
		if (e) {
			bool asked = e->asked;

			fast_asked_(e, false);
			keep(w, e);
			move_to_end(w, e);
			fast_asked_(e, asked);
		} else if (fast_entry_add_(w, fd, obj) < 0) {
			PyErr_NoMemory();
			return -1;
		}
	}
	return 0;
}

int fast_follow_(struct watch *w)
{
	if (!fast_has_changed_(w))
		return 0;
	w->round++;
	w->strange = false;
	if (go_through(w) < 0)
		return -1;
	drop_unseen(w);
	w->stale = false;
	is_followed(w);
	return 0;
}

/* ---- Changes of our own, which need not be found ---- */

static bool is_followed_now(struct watch *w)
{
	return w && !fast_has_changed_(w);
}

int fast_map_put_(struct state *st, PyObject *map, PyObject *key, PyObject *obj)
{
	struct watch *w = fast_watch_known_(st, map);
	PyObject *old = Py_XNewRef(fast_peek_(map, key)); /* nothing is freed meanwhile */
	bool followed = is_followed_now(w);
	int fd = as_fd(key), r = PyDict_SetItem(map, key, obj);
	struct entry *e = r == 0 && w ? fast_entry_(w, fd) : NULL;

#ifndef WITH_DICT_WATCHERS
	if (r == 0 && followed && fd >= 0) {
		put(w, fd, obj, true);
		is_followed(w);
	}
#else
	(void)followed;
#endif
	if (e && old == obj) {
		e->unsure = true;
		fast_entry_dirty_(e);
	}
	Py_XDECREF(old);
	return r;
}

int fast_map_remove_(struct state *st, PyObject *map, PyObject *key)
{
	struct watch *w = fast_watch_known_(st, map);
	PyObject *old = Py_XNewRef(fast_peek_(map, key));
	bool followed = is_followed_now(w);
	struct entry *e = followed ? fast_entry_(w, as_fd(key)) : NULL;
	int r;

	if (e)
		fast_entry_drop_(w, e);
	r = PyDict_DelItem(map, key);
	if (followed && r == 0)
		is_followed(w);
	else if (followed)
		w->stale = true;
	Py_XDECREF(old);
	return r;
}

/* ---- The modules we stand for ---- */

void fast_guard_(struct state *st, int which, PyObject *dict)
{
	st->guards[which].dict = Py_NewRef(dict);
	st->guards[which].changed = true;
#ifdef WITH_DICT_WATCHERS
	if (PyDict_Watch(st->watcher, dict) < 0)
		PyErr_Clear();
#endif
}

void fast_unguard_(struct state *st)
{
	for (int i = 0; i < GUARDS; i++) {
#ifdef WITH_DICT_WATCHERS
		PyObject *dict = st->guards[i].dict;

		if (dict && st->watcher >= 0 && PyDict_Unwatch(st->watcher, dict) < 0)
			PyErr_Clear();
#endif
		Py_CLEAR(st->guards[i].dict);
	}
}

static bool guards_changed(struct state *st)
{
	bool changed = false;

	for (int i = 0; i < GUARDS; i++) {
#ifndef WITH_DICT_WATCHERS
		uint64_t version = ((PyDictObject *)st->guards[i].dict)->ma_version_tag;

		changed |= version != st->guards[i].version;
		st->guards[i].version = version;
#endif
		changed |= st->guards[i].changed;
		st->guards[i].changed = false;
	}
	return changed;
}

bool fast_usual_(struct state *st)
{
	if (!guards_changed(st))
		return st->usual;
	st->usual = true;
	for (int i = 0; i < st->original_count; i++) {
		struct original *o = &st->originals[i];

		st->usual &= fast_peek_(st->guards[o->guard].dict, o->name) == o->value;
	}
	return st->usual;
}
