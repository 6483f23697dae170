/*
 * want.c — who wants what, and what the poller is told of it.
 *
 * Design: a channel is quiet if its class, and itself, answer readable() and writable() as ours do;
 * then the answer depends on a few attributes that are followed, and is kept. Anybody else is asked
 * in every pass, in the order of the map. A queue that somebody else holds too may change at any
 * time: such a chat is looked at in every pass until it is let go.
 */
#include "fast.h"

#include <errno.h>

#define OFTEN 250000000 /* ns: all are looked at at most so often */
#define TOKEN(e) ((uint64_t)(e)->generation << 32 | (uint32_t)(e)->fd)

/* ---- What it wants ---- */

/* 1, 0, or -1: not a plain value */
static int plain_truth(PyObject *value)
{
	if (!value || value == Py_False || value == Py_None)
		return 0;
	if (value == Py_True)
		return 1;
	return PyLong_CheckExact(value) ? PyObject_IsTrue(value) : -1;
}

struct answer {
	int want;
	bool keep; /* until it is touched */
};

/* 1: it has something to send or waits for its connection; -1: not as usual. */
static int chat_is_writable(struct state *st, PyObject *dict, struct answer *a)
{
	int connected = plain_truth(fast_peek_(dict, st->names.connected));
	PyObject *fifo = fast_peek_(dict, st->names.producer_fifo);

	if (!fifo || Py_TYPE(fifo) != st->deque_type || connected < 0)
		return -1;
	a->keep = Py_REFCNT(fifo) == 1;
	return Py_SIZE(fifo) > 0 || !connected;
}

static unsigned wanted(bool r, bool w, bool accepting)
{
	return (r ? WANT_R : 0u) | (w && !accepting ? WANT_W : 0u) | (r || w ? WANT_E : 0u);
}

/* False: it has to be asked itself. */
static bool answer_of(struct state *st, PyObject *obj, unsigned ours, struct answer *ret)
{
	PyObject *dict = fast_dict_(obj);
	struct answer a = { .keep = true };
	int accepting = -1, writable = 1;

	if (!dict) {
		drop_exception();
		return false;
	}
	if (!fast_overrides_(dict, st->names.readable) &&
	    !fast_overrides_(dict, st->names.writable)) {
		accepting = plain_truth(fast_peek_(dict, st->names.accepting));
		if (ours & OUR_CHAT_WRITABLE)
			writable = chat_is_writable(st, dict, &a);
	}
	Py_DECREF(dict);
	if (accepting < 0 || writable < 0)
		return false;
	a.want = (int)wanted(true, writable, accepting);
	*ret = a;
	return true;
}

static bool is_quiet_kind(unsigned ours)
{
	return (ours & OUR_READABLE) && (ours & OUR_STATE) &&
	       ((ours & OUR_WRITABLE) || ((ours & OUR_CHAT_WRITABLE) && (ours & OUR_FIFO)));
}

/* Asks in Python's words. -1: raised. */
static int ask_itself(struct state *st, PyObject *obj)
{
	PyObject *answer = call_method(obj, st->names.readable);
	int r = answer ? PyObject_IsTrue(answer) : -1, w, accepting = 0;

	Py_XDECREF(answer);
	if (r < 0)
		return -1;
	answer = call_method(obj, st->names.writable);
	w = answer ? PyObject_IsTrue(answer) : -1;
	Py_XDECREF(answer);
	if (w > 0)
		accepting = fast_truth_(obj, st->names.accepting);
	return w < 0 || accepting < 0 ? -1 : (int)wanted(r, w, accepting);
}

/* ret_keep: it need not be asked again */
static int ask(struct state *st, PyObject *obj, bool *ret_keep)
{
	unsigned ours = fast_kind_(st, Py_TYPE(obj))->ours;
	struct answer a = { 0 };
	bool quiet = is_quiet_kind(ours) && answer_of(st, obj, ours, &a);

	*ret_keep = quiet && a.keep;
	return quiet ? a.want : ask_itself(st, obj);
}

/* ---- The poller ---- */

static unsigned events_of(const struct watch *w, const struct entry *e)
{
	unsigned read = w->mode == BY_POLL ? AC_IN | AC_PRI : AC_IN;

	return (e->want & WANT_R ? read : 0u) | (e->want & WANT_W ? AC_OUT : 0u) |
	       (e->want & WANT_E && w->mode == BY_SELECT ? AC_PRI : 0u);
}

static void mark_bad(struct entry *e, bool bad)
{
	e->watch->bads += (size_t)bad - (size_t)e->bad;
	e->bad = bad;
}

static int set(struct watch *w, struct entry *e, unsigned events)
{
	struct ac_poller *p = w->poller;
	int r = p->cls->set(p, e->fd, TOKEN(e), e->told, events);

	if (r == -ENOENT) /* closed and opened again: it left by itself */
		r = p->cls->set(p, e->fd, TOKEN(e), 0, events);
	else if (r == -EEXIST)
		r = p->cls->set(p, e->fd, TOKEN(e), AC_WATCH, events);
	return events ? r : 0;
}

int fast_tell_(struct watch *w, struct entry *e)
{
	unsigned events = events_of(w, e);
	int r;

	if (!w->poller || e->always || (e->told == events && !e->unsure && !e->bad))
		return 0;
	if (w->waiting) {
		w->redo = true;
		return 0;
	}
	r = set(w, e, events);
	e->unsure = false;
	e->told = r < 0 ? 0 : (uint8_t)events;
	if (r == -EPERM) {
		e->always = true;
		w->always++;
	}
	mark_bad(e, r < 0 && r != -EPERM);
	return r;
}

static int make(struct watch *w, bool large)
{
	const struct ac_poller_class *cls = large ? &ac_poller_level_ : &ac_poller_poll_;
	int r;

	ac_poller_free_(w->poller);
	w->poller = NULL;
	w->redo = false;
	w->always = 0;
	r = ac_poller_make_(cls, &w->poller);
	if (r < 0 && large)
		r = ac_poller_make_(&ac_poller_poll_, &w->poller);
	if (r < 0) {
		errno = -r;
		PyErr_SetFromErrno(PyExc_OSError);
		return -1;
	}
	for (struct entry *e = w->first; e; e = e->next) {
		e->told = 0;
		e->always = false;
		mark_bad(e, false);
		fast_tell_(w, e);
	}
	return 0;
}

/* One thread may change the map while another waits, and then the wait has to end. */
static bool has_threads(void)
{
	PyInterpreterState *here = PyThreadState_Get()->interp;

	return PyThreadState_Next(PyInterpreterState_ThreadHead(here)) != NULL;
}

int fast_poller_(struct watch *w)
{
	bool large = w->count > w->st->few || has_threads();

	if (w->poller && !w->redo && !ac_poller_is_stale_(w->poller) &&
	    (!large || w->poller->cls->kernel))
		return 0;
	return make(w, large);
}

/* ---- All of them ---- */

static void set_want(struct watch *w, struct entry *e, int want)
{
	w->wanting += (size_t)(want != 0) - (size_t)(e->want != 0);
	e->want = (uint8_t)want;
	fast_tell_(w, e);
}

static struct kind_use *room_for_kind(struct watch *w)
{
	size_t room = w->kind_room * 2 + 4;
	struct kind_use *kinds;

	if (w->kind_count < w->kind_room)
		return &w->kinds[w->kind_count];
	kinds = PyMem_Realloc(w->kinds, room * sizeof(*kinds));
	if (!kinds)
		return NULL;
	w->kinds = kinds;
	w->kind_room = room;
	return &kinds[w->kind_count];
}

/* The class it still is; NULL: it is gone, or has changed. */
static PyTypeObject *class_of(const struct kind_use *use)
{
	PyTypeObject *type = referent(use->type);

	return type && type_version(type) == use->version ? type : NULL;
}

static bool use_kind(struct watch *w, PyTypeObject *type, unsigned version)
{
	struct kind_use *use;
	PyObject *weak;

	for (size_t i = 0; i < w->kind_count; i++)
		if (class_of(&w->kinds[i]) == type)
			return true;
	weak = PyWeakref_NewRef((PyObject *)type, NULL);
	use = weak ? room_for_kind(w) : NULL;
	if (!use) {
		Py_XDECREF(weak);
		drop_exception();
		return false;
	}
	*use = (struct kind_use){ weak, version };
	w->kind_count++;
	return true;
}

/* A class has changed: what was found of it may hold no longer. */
static void look_at_kinds(struct watch *w)
{
	bool changed = w->clearings != w->st->clearings;

	for (size_t i = 0; i < w->kind_count; i++)
		changed |= !class_of(&w->kinds[i]);
	if (!changed)
		return;
	w->clearings = w->st->clearings;
	for (struct entry *e = w->first; e; e = e->next)
		fast_entry_dirty_(e);
	while (w->kind_count)
		Py_DECREF(w->kinds[--w->kind_count].type);
}

/* An entry to be found again: what runs meanwhile may take it out. */
struct asked {
	PyObject *obj;
	int fd;
	uint32_t generation;
};

static struct asked hold(const struct entry *e)
{
	return (struct asked){ Py_NewRef(e->obj), e->fd, e->generation };
}

static struct entry *find_again(const struct watch *w, const struct asked *a)
{
	struct entry *e = w->dead ? NULL : fast_entry_(w, a->fd);

	return e && e->generation == a->generation ? e : NULL;
}

/* True: its answer is kept. */
static bool is_quiet(struct watch *w, PyObject *obj, struct answer *a)
{
	PyTypeObject *type = (PyTypeObject *)Py_NewRef((PyObject *)Py_TYPE(obj));
	unsigned ours = fast_kind_(w->st, type)->ours, version = type_version(type);
	bool quiet = version && is_quiet_kind(ours) && answer_of(w->st, obj, ours, a) && a->keep &&
	             use_kind(w, type, version);

	Py_DECREF(type);
	return quiet;
}

static void settle(struct watch *w, struct entry *e)
{
	struct asked held = hold(e);
	struct answer a = { 0 };
	bool quiet = is_quiet(w, held.obj, &a);

	if ((e = find_again(w, &held))) {
		fast_asked_(e, !quiet);
		e->kept_as = Py_TYPE(held.obj);
		if (quiet)
			set_want(w, e, a.want);
		else if (e->unsure)
			fast_tell_(w, e);
	}
	Py_DECREF(held.obj);
}

/* Afterwards the entries are those of the map, and none is dirty. -1: raised */
static int settle_dirty(struct watch *w)
{
	while (!w->dead) {
		struct entry *e;

		if (fast_follow_(w) < 0)
			return -1;
		e = w->dirty;
		if (!e)
			break;
		w->dirty = e->dirty_next;
		e->dirty = false;
		settle(w, e);
	}
	return 0;
}

/* Each of them, also if one asked before has taken it out: as if the map had been copied. */
static int ask_list(struct watch *w, struct asked *list, size_t count)
{
	int want = 0;

	for (size_t i = 0; i < count; i++) {
		bool keep = false;
		struct entry *e;

		if (want >= 0)
			want = ask(w->st, list[i].obj, &keep);
		e = find_again(w, &list[i]);
		if (want < 0 || !e)
			continue;
		set_want(w, e, want);
		if (keep)
			fast_entry_dirty_(e);
	}
	return want < 0 ? -1 : 0;
}

static int ask_all(struct watch *w)
{
	struct asked few[16], *list = few;
	size_t count = 0, i = 0;
	int r;

	for (struct entry *e = w->asked_first; e; e = e->asked_next)
		count++;
	if (count > 16 && !(list = PyMem_New(struct asked, count))) {
		PyErr_NoMemory();
		return -1;
	}
	for (struct entry *e = w->asked_first; e; e = e->asked_next)
		list[i++] = hold(e);
	r = ask_list(w, list, count);
	while (i)
		Py_DECREF(list[--i].obj);
	if (list != few)
		PyMem_Free(list);
	return r;
}

int fast_ask_(struct watch *w)
{
	look_at_kinds(w);
	if (settle_dirty(w) < 0)
		return -1;
	if (!w->asked_first)
		return 0;
	return ask_all(w) < 0 ? -1 : settle_dirty(w);
}

/* Looks whether it is still what it was: attributes set past us, descriptors closed past us. */
void fast_recheck_(struct watch *w, bool all)
{
	int64_t now = all ? ac_clock_() : 0;
	size_t left = all && now - w->looked > OFTEN ? w->count : 1;

	if (left > 1)
		w->looked = now;
	for (; left && w->first; left--) {
		struct entry *e = w->look_at ? w->look_at : w->first;

		w->look_at = e->next;
		e->unsure = w->poller && w->poller->cls->kernel;
		fast_entry_dirty_(e);
	}
}
