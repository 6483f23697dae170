/*
 * pass.c — one pass over a map: poll and poll2.
 *
 * Design: the map is followed, everybody asked, the poller waited for; what is ready is put in the
 * order of the map and served from there. Descriptors the poller cannot take, answers select would
 * not give, and a map for which another thread has begun to wait meanwhile, go the way of Python with
 * the answers that have been given already.
 */
#include "fast.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

#define RARELY 8 /* a descriptor is looked at in one of so many passes */
#define FAR 1e9  /* s: for longer Python knows what to say */
#define FEW 32

struct ready {
	uint64_t order;
	int fd;
	unsigned events, want;
};

struct pass {
	struct state *st;
	struct watch *w;
	PyObject *map, *timeout; /* as it was given; poll2: in milliseconds */
	PyObject *python;        /* what goes its way */
	int64_t ns;              /* -1: for ever */
	enum fast_mode mode;
	bool again; /* somebody has another class than when it was asked */
	struct ready few[FEW], *ready;
	size_t count;
};

/* ---- What it was called with ---- */

static bool seconds_of(PyObject *timeout, double *ret)
{
	if (PyFloat_CheckExact(timeout))
		*ret = PyFloat_AS_DOUBLE(timeout);
	else if (PyLong_CheckExact(timeout))
		*ret = PyLong_AsDouble(timeout);
	else
		return false;
	if (*ret == -1.0 && PyErr_Occurred()) {
		PyErr_Clear();
		return false;
	}
	return fabs(*ret) < FAR;
}

/* False: Python shall say what is wrong with it. */
static bool take_timeout(struct pass *p, PyObject *timeout)
{
	double s = 0;

	if (timeout == Py_None) {
		p->ns = -1;
	} else if (!seconds_of(timeout, &s)) {
		return false;
	} else if (p->mode == BY_POLL) {
		p->ns = (int64_t)(s * 1000) * 1000000;
		p->timeout = fabs(s * 1000) < INT_MAX ? PyLong_FromLong((long)(s * 1000)) : NULL;
		return p->timeout != NULL;
	} else {
		p->ns = ac_ns_(s);
	}
	p->timeout = Py_NewRef(timeout);
	return timeout == Py_None || s >= 0;
}

static bool begin(struct pass *p, struct state *st, PyObject *const *args, Py_ssize_t count)
{
	PyObject *map = count > 1 ? args[1] : Py_None;

	p->st = st;
	if (count > 2 || !fast_usual_(st))
		return false;
	if (map == Py_None)
		map = fast_peek_(st->globals, st->names.socket_map);
	if (!map || !PyDict_CheckExact(map))
		return false;
	p->map = Py_NewRef(map);
	if (count)
		return take_timeout(p, args[0]);
	p->timeout = p->mode == BY_POLL ? PyLong_FromLong(0) : PyFloat_FromDouble(0);
	return p->timeout != NULL;
}

static void end(struct pass *p)
{
	if (p->ready != p->few)
		PyMem_Free(p->ready);
	Py_XDECREF(p->map);
	Py_XDECREF(p->timeout);
}

/* ---- Room for what is ready ---- */

static int make_room(struct pass *p, size_t room)
{
	struct ready *ready = room > FEW ? PyMem_New(struct ready, room) : p->few;

	if (!ready) {
		PyErr_NoMemory();
		return -1;
	}
	if (p->ready != p->few)
		PyMem_Free(p->ready);
	p->ready = ready;
	p->count = 0;
	return 0;
}

/* ---- Python's way, with what everybody has answered ---- */

/* Lists are made of this: to make them may run Python, and then there are no entries to go along. */
static int take_wants(struct pass *p)
{
	if (make_room(p, p->w->count) < 0)
		return -1;
	for (struct entry *e = p->w->first; e; e = e->next)
		if (e->want)
			p->ready[p->count++] = (struct ready){ e->order, e->fd, 0, e->want };
	return 0;
}

static int append(PyObject *list, PyObject *item)
{
	int r = item ? PyList_Append(list, item) : -1;

	Py_XDECREF(item);
	return r;
}

static PyObject *who_want(struct pass *p, unsigned what)
{
	PyObject *list = PyList_New(0);

	for (size_t i = 0; list && i < p->count; i++)
		if (p->ready[i].want & what && append(list, PyLong_FromLong(p->ready[i].fd)) < 0)
			Py_CLEAR(list);
	return list;
}

static PyObject *select_way(struct pass *p)
{
	PyObject *r = who_want(p, WANT_R), *w = r ? who_want(p, WANT_W) : NULL;
	PyObject *e = w ? who_want(p, WANT_E) : NULL, *result = NULL;

	if (e)
		result = PyObject_CallFunctionObjArgs(p->python, r, w, e, p->timeout, p->map, NULL);
	Py_XDECREF(r);
	Py_XDECREF(w);
	Py_XDECREF(e);
	return result;
}

static PyObject *poll_way(struct pass *p)
{
	enum { IN = 1, PRI = 2, OUT = 4 }; /* Linux */
	PyObject *list = PyList_New(0), *r = NULL;

	for (size_t i = 0; list && i < p->count; i++) {
		unsigned want = p->ready[i].want;
		int flags = (want & WANT_R ? IN | PRI : 0) | (want & WANT_W ? OUT : 0);

		if (flags && append(list, Py_BuildValue("(ii)", p->ready[i].fd, flags)) < 0)
			Py_CLEAR(list);
	}
	if (list)
		r = PyObject_CallFunctionObjArgs(p->python, list, p->timeout, p->map, NULL);
	Py_XDECREF(list);
	return r;
}

static PyObject *python_way(struct pass *p)
{
	PyObject *r = NULL;

	p->python = Py_NewRef(p->mode == BY_POLL ? p->st->poll_pass : p->st->select_pass);
	if (take_wants(p) == 0)
		r = p->mode == BY_POLL ? poll_way(p) : select_way(p);
	Py_DECREF(p->python);
	return r;
}

/* ---- Waiting ---- */

static int wait_once(struct watch *w, int64_t ns)
{
	struct ac_poller *poller = w->poller;
	PyThreadState *others;
	int n;

	if (!poller || w->waiting) /* since it was asked who wants what */
		return -EBUSY;
	if (ns == 0)
		return poller->cls->wait(poller, 0);
	w->waiting = 1;
	others = PyEval_SaveThread();
	n = poller->cls->wait(poller, ns);
	PyEval_RestoreThread(others);
	w->waiting = 0;
	fast_woken_(w);
	return n;
}

/*
 * Signals are handled where they come, and do not shorten the wait, unless a handler changes the map:
 * then there may be nobody left to wait for. -1: raised; -2: Python's way.
 */
static int wait_for(struct pass *p)
{
	uint64_t changes = p->w->changes;
	int64_t left = p->w->always ? 0 : p->ns, due = left > 0 ? ac_clock_() + left : 0;

	for (;;) {
		int n = wait_once(p->w, left);

		if (n < 0)
			return -2;
		if (n > 0 || left == 0)
			return n;
		if (PyErr_CheckSignals() < 0)
			return -1;
		if (p->w->dead || p->w->changes != changes || fast_has_changed_(p->w))
			return 0;
		if (left > 0 && (left = due - ac_clock_()) <= 0)
			return 0;
	}
}

/* ---- What was found ---- */

static unsigned as_select_says(unsigned want, unsigned events)
{
	return (want & WANT_R && events & (AC_IN | AC_HUP | AC_ERR) ? WANT_R : 0u) |
	       (want & WANT_W && events & (AC_OUT | AC_ERR) ? WANT_W : 0u) |
	       (want & WANT_E && events & AC_PRI ? WANT_E : 0u);
}

static bool is_closed(int fd, unsigned events)
{
	return events & AC_ERR && fcntl(fd, F_GETFD) < 0;
}

static void note(struct pass *p, struct entry *e, unsigned events)
{
	p->ready[p->count++] = (struct ready){
		e->order,
		e->fd,
		events,
		p->mode == BY_SELECT ? as_select_says(e->want, events) : 0,
	};
}

/* False: it is not what select would say of it. */
static bool take(struct pass *p, const struct ac_found *f)
{
	struct entry *e = fast_entry_(p->w, (int)(f->token & 0x3fffffff));

	if (f->token == FAST_WAKER)
		return true;
	if (!e || e->generation != (uint32_t)(f->token >> 32)) {
		p->w->redo = true; /* of one that is gone, and yet it comes again and again */
		return true;
	}
	if (!e->asked && !fast_has_changed_(p->w) && e->kept_as != Py_TYPE(e->obj)) {
		fast_entry_dirty_(e);
		p->again = true;
	}
	note(p, e, f->events);
	return p->mode == BY_POLL || (p->ready[p->count - 1].want && !is_closed(e->fd, f->events));
}

static int by_order(const void *a, const void *b)
{
	const struct ready *x = a, *y = b;

	return x->order < y->order ? -1 : x->order > y->order;
}

static void sort(struct pass *p)
{
	for (size_t i = 1; i < p->count; i++)
		if (p->ready[i - 1].order > p->ready[i].order) {
			qsort(p->ready, p->count, sizeof(struct ready), by_order);
			return;
		}
}

static unsigned always_ready(const struct entry *e)
{
	return (e->want & WANT_R ? AC_IN : 0u) | (e->want & WANT_W ? AC_OUT : 0u);
}

/* -1: raised; 0: Python's way; 1: taken */
static int take_all(struct pass *p, int n)
{
	bool ok = true;

	if (make_room(p, (size_t)n + p->w->always) < 0)
		return -1;
	for (int i = 0; ok && i < n; i++)
		ok = take(p, &p->w->poller->found[i]);
	if (p->w->always)
		for (struct entry *e = p->w->first; e; e = e->next)
			if (e->always && e->want)
				note(p, e, always_ready(e));
	sort(p);
	return ok;
}

/* ---- Serving ---- */

/* Who is there now; NULL without an exception: nobody. */
static PyObject *who(struct pass *p, int fd)
{
	PyObject *key = PyLong_FromLong(fd);
	PyObject *obj = key ? PyDict_GetItemWithError(p->map, key) : NULL;

	if (obj == Py_None)
		obj = NULL;
	Py_XINCREF(obj);
	Py_XDECREF(key);
	return obj;
}

static int serve_one(struct pass *p, struct ready *r, enum fast_event event)
{
	PyObject *obj = who(p, r->fd);
	PyTypeObject *type;
	int result = 0;

	if (!obj)
		return PyErr_Occurred() ? -1 : 0;
	type = Py_TYPE(obj);
	result = p->mode == BY_POLL ? fast_steps_(p->st, obj, r->events)
	                            : fast_fire_(p->st, obj, event);
	if (Py_TYPE(obj) != type) /* self.__class__ = … */
		fast_touch_(p->st, obj);
	Py_DECREF(obj);
	return result;
}

static int serve(struct pass *p)
{
	static const struct {
		unsigned want;
		enum fast_event event;
	} rounds[] = { { WANT_R, FIRE_READ }, { WANT_W, FIRE_WRITE }, { WANT_E, FIRE_EXPT } };

	if (p->mode == BY_POLL) {
		for (size_t i = 0; i < p->count; i++)
			if (serve_one(p, &p->ready[i], FIRE_READ) < 0)
				return -1;
		return 0;
	}
	for (int k = 0; k < 3; k++)
		for (size_t i = 0; i < p->count; i++)
			if (p->ready[i].want & rounds[k].want &&
			    serve_one(p, &p->ready[i], rounds[k].event) < 0)
				return -1;
	return 0;
}

static PyObject *pass_over(struct pass *p);

static PyObject *wait_and_serve(struct pass *p)
{
	struct watch *w = p->w;
	int n, r;

	if (!w->wanting || w->bads)
		return python_way(p);
	n = wait_for(p);
	if (n == -1)
		return NULL;
	if (w->dead)
		Py_RETURN_NONE;
	r = n == -2 ? 0 : take_all(p, n);
	if (r >= 0 && p->again) {
		p->again = false;
		return pass_over(p);
	}
	if (r <= 0)
		return r < 0 ? NULL : python_way(p);
	if ((n == 0 && p->ns != 0) || w->used % RARELY == 0)
		fast_recheck_(w, n == 0 && p->ns != 0);
	if (serve(p) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static void set_mode(struct watch *w, enum fast_mode mode)
{
	if (w->mode == mode)
		return;
	w->mode = mode;
	for (struct entry *e = w->first; e; e = e->next)
		fast_tell_(w, e);
}

static PyObject *pass_over(struct pass *p)
{
	struct watch *w = p->w;

	if (fast_follow_(w) < 0)
		return NULL;
	if (w->strange)
		return DECLINE;
	if (fast_poller_(w) < 0)
		return NULL;
	set_mode(w, p->mode);
	if (fast_ask_(w) < 0)
		return NULL;
	if (w->dead)
		Py_RETURN_NONE;
	/* Who was asked may have called us for the same map. */
	if (!w->waiting && (!w->poller || w->redo) && fast_poller_(w) < 0)
		return NULL;
	set_mode(w, p->mode);
	return wait_and_serve(p);
}

static PyObject *run(struct pass *p)
{
	PyObject *r;

	if (PyDict_GET_SIZE(p->map) == 0)
		Py_RETURN_NONE;
	p->w = fast_watch_(p->st, p->map);
	if (!p->w)
		return NULL;
	if (p->w->waiting) /* another thread waits for the same map */
		return DECLINE;
	fast_watch_enter_(p->w);
	r = pass_over(p);
	fast_watch_leave_(p->w);
	return r;
}

static PyObject *one_pass(struct state *st, PyObject *const *args, Py_ssize_t count,
                          enum fast_mode mode)
{
	struct pass p = { .mode = mode };
	PyObject *r = DECLINE;

	p.ready = p.few;
	if (begin(&p, st, args, count))
		r = run(&p);
	else
		drop_exception();
	end(&p);
	return r;
}

PyObject *fast_poll_(struct state *st, PyObject *const *args, Py_ssize_t count)
{
	return one_pass(st, args, count, BY_SELECT);
}

PyObject *fast_poll2_(struct state *st, PyObject *const *args, Py_ssize_t count)
{
	return one_pass(st, args, count, BY_POLL);
}
