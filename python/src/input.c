/*
 * input.c — async_chat.handle_read: reads once, and cuts what there is at the terminators.
 *
 * Design: while records are handed out, what is left stays where it was read; a struct reading tells
 * where, and whoever asks for ac_in_buffer gets the rest of it as bytes. Whoever sets ac_in_buffer
 * meanwhile replaces it. Whatever is unusual is left to asynchat._cut, with the rest in ac_in_buffer.
 * A reading is not on the stack: that of a thread that ends with the interpreter is gone by then.
 */
#include "fast.h"

#include <asynchat.h>

#include <errno.h>
#include <string.h>

#define HEADROOM 1024 /* for what was held back */
#define ROOM 65536
#define MOST (16 * ROOM)

struct reading {
	struct reading *before, *next;
	struct state *st;
	PyObject *chat, *dict;
	const char *p, *end;
	PyObject *owner; /* of what is read, if it was set; else it stands in data */
	bool replaced;
	bool had; /* there is something in ac_in_buffer */
	unsigned ours;
	size_t room; /* of data, without the headroom */
	char data[];
};

static struct reading *reading_of(const struct state *st, PyObject *chat)
{
	struct reading *r = st->readings;

	while (r && r->chat != chat)
		r = r->next;
	return r;
}

static PyObject *rest_of(const struct reading *r)
{
	return PyBytes_FromStringAndSize(r->p, r->end - r->p);
}

bool fast_reading_get_(struct state *st, PyObject *chat, PyObject **ret_rest)
{
	struct reading *r = reading_of(st, chat);

	if (!r || r->replaced)
		return false;
	*ret_rest = rest_of(r);
	return true;
}

void fast_reading_replaced_(struct state *st, PyObject *chat)
{
	struct reading *r = reading_of(st, chat);

	if (r)
		r->replaced = r->had = true;
}

bool fast_is_corked_(const struct state *st, PyObject *chat)
{
	return reading_of(st, chat) != NULL;
}

static void enter(struct reading *r)
{
	struct state *st = r->st;

	r->next = st->readings;
	if (st->readings)
		st->readings->before = r;
	st->readings = r;
}

static void leave(struct reading *r)
{
	*(r->before ? &r->before->next : &r->st->readings) = r->next;
	if (r->next)
		r->next->before = r->before;
}

/* ---- Callbacks ---- */

/* What was set meanwhile is what there is now; false: it is not bytes. */
static bool take_replaced(struct reading *r)
{
	PyObject *now;

	if (!r->replaced)
		return true;
	now = fast_peek_(r->dict, r->st->names.ac_in_buffer);
	if (!now || !PyBytes_CheckExact(now))
		return false;
	Py_XSETREF(r->owner, Py_NewRef(now));
	r->p = PyBytes_AS_STRING(now);
	r->end = r->p + PyBytes_GET_SIZE(now);
	r->replaced = false;
	return true;
}

/* Where it is our collect_incoming_data that would append to it. */
static PyObject *list_of(const struct reading *r)
{
	const struct names *names = &r->st->names;

	if (!(r->ours & OUR_COLLECT) || fast_overrides_(r->dict, names->collect_incoming_data))
		return NULL;
	return fast_peek_(r->dict, names->incoming);
}

static int collect(struct reading *r, size_t len)
{
	PyObject *data = PyBytes_FromStringAndSize(r->p, (Py_ssize_t)len);
	PyObject *list = data ? list_of(r) : NULL, *result;
	int failed;

	if (!data)
		return -1;
	if (list && PyList_CheckExact(list)) {
		failed = PyList_Append(list, data);
	} else {
		result = call_method_with(r->chat, r->st->names.collect_incoming_data, data);
		failed = result ? 0 : -1;
		Py_XDECREF(result);
	}
	Py_DECREF(data);
	return failed;
}

static int found(struct reading *r)
{
	PyObject *result = call_method(r->chat, r->st->names.found_terminator);

	Py_XDECREF(result);
	return result ? 0 : -1;
}

/* ---- Records ---- */

/* On with the next; no more now; raised; Python shall go on. */
enum { MORE = 1, ENOUGH = 0, RAISED = -1, PYTHON = 2 };

static int drop_all(struct reading *r)
{
	r->replaced = false;
	r->p = r->end;
	return MORE;
}

static int collect_all(struct reading *r)
{
	return collect(r, (size_t)(r->end - r->p)) < 0 ? RAISED : drop_all(r);
}

/*
 * ac_in_buffer = ac_in_buffer[from:], of what is not bytes. PYTHON cannot be told of it: it is done
 * here.
 */
static int slice_replaced(struct reading *r, Py_ssize_t from)
{
	PyObject *now = PyObject_GetAttr(r->chat, r->st->names.ac_in_buffer);
	PyObject *start = now ? PyLong_FromSsize_t(from) : NULL;
	PyObject *slice = start ? PySlice_New(start, NULL, NULL) : NULL;
	PyObject *rest = slice ? PyObject_GetItem(now, slice) : NULL;
	int set = rest ? PyObject_SetAttr(r->chat, r->st->names.ac_in_buffer, rest) : -1;

	Py_XDECREF(now);
	Py_XDECREF(start);
	Py_XDECREF(slice);
	Py_XDECREF(rest);
	return set < 0 ? RAISED : MORE;
}

/* The first len bytes are done with, of what is there now. */
static int skip(struct reading *r, size_t len)
{
	if (!take_replaced(r))
		return slice_replaced(r, (Py_ssize_t)len);
	r->p += len < (size_t)(r->end - r->p) ? len : (size_t)(r->end - r->p);
	return MORE;
}

static int set_terminator(struct reading *r, PyObject *value)
{
	int set = value ? PyObject_SetAttr(r->chat, r->st->names.terminator, value) : -1;

	Py_XDECREF(value);
	return set < 0 ? RAISED : MORE;
}

/* self.terminator = self.terminator - len: it may have been changed meanwhile */
static int count_down(struct reading *r, size_t len)
{
	PyObject *now = PyObject_GetAttr(r->chat, r->st->names.terminator);
	PyObject *by = now ? PyLong_FromSize_t(len) : NULL;
	PyObject *left = by ? PyNumber_Subtract(now, by) : NULL;

	Py_XDECREF(now);
	Py_XDECREF(by);
	return set_terminator(r, left);
}

static int cut_count(struct reading *r, PyObject *terminator)
{
	Py_ssize_t count = PyLong_AsSsize_t(terminator);
	size_t there = (size_t)(r->end - r->p);

	if (count < 0) {
		PyErr_Clear();
		return PYTHON;
	}
	if (there < (size_t)count)
		return collect_all(r) < 0 ? RAISED : count_down(r, there);
	if (collect(r, (size_t)count) < 0 || skip(r, (size_t)count) < 0 ||
	    set_terminator(r, PyLong_FromLong(0)) < 0 || found(r) < 0)
		return RAISED;
	return MORE;
}

/* What may be the beginning of a terminator waits. */
static int hold_back(struct reading *r, size_t held)
{
	size_t there = (size_t)(r->end - r->p);

	if (held == there)
		return ENOUGH;
	if (collect(r, there - held) < 0)
		return RAISED;
	if (!take_replaced(r))
		return slice_replaced(r, -(Py_ssize_t)held) < 0 ? RAISED : ENOUGH;
	there = (size_t)(r->end - r->p);
	r->p = r->end - (held < there ? held : there);
	return ENOUGH;
}

static int cut_string(struct reading *r, PyObject *terminator)
{
	const char *want = PyBytes_AS_STRING(terminator);
	size_t len = (size_t)PyBytes_GET_SIZE(terminator), there = (size_t)(r->end - r->p), held;
	size_t at = ac_find_(r->p, there, want, len);

	if (at != AC_NOT_FOUND) {
		if ((at > 0 && collect(r, at) < 0) || skip(r, at + len) < 0 || found(r) < 0)
			return RAISED;
		return MORE;
	}
	held = ac_find_prefix_at_end(r->p, there, want, len);
	return held ? hold_back(r, held) : collect_all(r);
}

static PyObject *terminator_of(struct reading *r)
{
	PyObject *t;

	if (r->ours & OUR_GET_TERMINATOR &&
	    !fast_overrides_(r->dict, r->st->names.get_terminator)) {
		t = fast_peek_(r->dict, r->st->names.terminator);
		return t ? Py_NewRef(t) : PyObject_GetAttr(r->chat, r->st->names.terminator);
	}
	return call_method(r->chat, r->st->names.get_terminator);
}

static int cut_at(struct reading *r, PyObject *terminator)
{
	int truth = PyObject_IsTrue(terminator);

	if (truth < 0)
		return RAISED;
	if (!truth)
		return collect_all(r);
	if (PyLong_Check(terminator))
		return cut_count(r, terminator);
	return PyBytes_CheckExact(terminator) ? cut_string(r, terminator) : PYTHON;
}

/* get_terminator has put something else there: Python cuts that, by the length of what was there. */
static int cut_replaced(struct reading *r, size_t there, PyObject *terminator)
{
	PyObject *function = Py_NewRef(r->st->cut_round);
	PyObject *result =
		PyObject_CallFunction(function, "OnO", r->chat, (Py_ssize_t)there, terminator);
	int waits = result ? PyObject_IsTrue(result) : -1;

	Py_DECREF(function);
	Py_XDECREF(result);
	return waits < 0 ? RAISED : waits ? ENOUGH : MORE;
}

static int cut_one(struct reading *r)
{
	size_t there;
	unsigned kept = OUR_GET_TERMINATOR | OUR_COLLECT;
	PyObject *terminator;
	int result;

	if (!take_replaced(r))
		return PYTHON;
	if (r->p == r->end)
		return ENOUGH;
	r->ours =
		fast_kind_(r->st, Py_TYPE(r->chat))->ours & kept; /* classes may change meanwhile */
	there = (size_t)(r->end - r->p);
	terminator = terminator_of(r);
	if (!terminator)
		return RAISED;
	result = r->replaced ? cut_replaced(r, there, terminator) : cut_at(r, terminator);
	Py_DECREF(terminator);
	return result;
}

/* What is left goes to where everybody looks for it. */
static int put_back(struct reading *r)
{
	PyObject *rest;
	int set;

	if (r->replaced || (r->p == r->end && !r->had))
		return 0;
	rest = r->p == r->end ? Py_NewRef(r->st->empty) : rest_of(r);
	set = rest ? PyDict_SetItem(r->dict, r->st->names.ac_in_buffer, rest) : -1;
	Py_XDECREF(rest);
	return set;
}

/* What was corked goes out. */
static int uncork(struct reading *r)
{
	PyObject *fifo, *sent = NULL;

	if (!(fast_kind_(r->st, Py_TYPE(r->chat))->ours & WITH_CORK))
		return 0;
	fifo = fast_peek_(r->dict, r->st->names.producer_fifo);
	if (!fifo || Py_TYPE(fifo) != r->st->deque_type || Py_SIZE(fifo) == 0)
		return 0;
	sent = call_method(r->chat, r->st->names.initiate_send);
	Py_XDECREF(sent);
	return sent ? 0 : -1;
}

/* An exception may be on its way; it stays the one. */
static int finish(struct reading *r, int result)
{
	PyObject *exception = result == RAISED ? take_exception() : NULL;
	int put = put_back(r);

	leave(r);
	if (uncork(r) < 0)
		put = -1;
	Py_CLEAR(r->owner);
	if (exception) {
		drop_exception();
		raise_again(exception);
		return -1;
	}
	return put;
}

static PyObject *go_on_in_python(struct reading *r)
{
	PyObject *function = Py_NewRef(r->st->cut), *result;

	result = PyObject_CallFunctionObjArgs(function, r->chat, NULL);
	Py_DECREF(function);
	return result;
}

static PyObject *cut(struct reading *r)
{
	int result;

	enter(r);
	do
		result = cut_one(r);
	while (result == MORE);
	if (finish(r, result) < 0)
		return NULL;
	return result == PYTHON ? go_on_in_python(r) : Py_NewRef(Py_None);
}

/* ---- Reading ---- */

static struct reading *take_reading(struct state *st, size_t size)
{
	size_t room = size > ROOM ? size : ROOM;
	struct reading *r = room == ROOM ? st->spare_reading : NULL;

	if (r)
		st->spare_reading = NULL;
	else
		r = PyMem_Malloc(sizeof(*r) + HEADROOM + room);
	if (r)
		*r = (struct reading){ .st = st, .room = room };
	return r;
}

static void give_back(struct state *st, struct reading *r)
{
	if (r->room == ROOM && !st->spare_reading)
		st->spare_reading = r;
	else
		PyMem_Free(r);
}

void fast_readings_done_(struct state *st)
{
	PyMem_Free(st->spare_reading);
	st->spare_reading = NULL;
}

/* What is to be read, and all that is as usual. */
struct source {
	PyObject *chat, *dict, *held;
	Py_ssize_t size;
};

static PyObject *read_and_cut(struct state *st, const struct source *from)
{
	size_t before = (size_t)PyBytes_GET_SIZE(from->held);
	struct reading *r = take_reading(st, (size_t)from->size);
	int fd = fast_socket_(st, from->dict);
	PyObject *result = DECLINE;
	ssize_t n = -EAGAIN;

	if (!r)
		return PyErr_NoMemory();
	if (fd >= 0)
		n = fast_recv_into_(fd, r->data + HEADROOM, (size_t)from->size);
	if (n > 0) {
		memcpy(r->data + HEADROOM - before, PyBytes_AS_STRING(from->held), before);
		r->chat = from->chat;
		r->dict = from->dict;
		r->p = r->data + HEADROOM - before;
		r->end = r->data + HEADROOM + n;
		r->had = before > 0;
		result = cut(r);
	}
	give_back(st, r);
	if (n < 0 && n != -EAGAIN)
		result = fast_tell_error_(st->read_failed, from->chat, n);
	return result;
}

static bool is_usual(struct state *st, struct source *from)
{
	const unsigned needed = OUR_RECV | OUR_IN_BUFFER | OUR_SOCKET;
	const struct kind *k = fast_kind_(st, Py_TYPE(from->chat));

	from->size = k->in_size;
	return (k->ours & needed) == needed && !reading_of(st, from->chat) &&
	       !fast_overrides_(from->dict, st->names.recv) &&
	       fast_get_size_(from->dict, st->names.ac_in_buffer_size, from->size, &from->size) &&
	       from->size <= MOST;
}

PyObject *fast_chat_read_(struct state *st, PyObject *const *args, Py_ssize_t count)
{
	struct source from = { .chat = count == 1 ? args[0] : NULL };
	PyObject *result = DECLINE;

	from.dict = from.chat ? fast_dict_(from.chat) : NULL;
	if (!from.dict) {
		drop_exception();
		return DECLINE;
	}
	Py_INCREF(from.chat);
	if (is_usual(st, &from))
		from.held = Py_XNewRef(fast_peek_(from.dict, st->names.ac_in_buffer));
	if (from.held && PyBytes_CheckExact(from.held) && PyBytes_GET_SIZE(from.held) <= HEADROOM)
		result = read_and_cut(st, &from);
	Py_XDECREF(from.held);
	Py_DECREF(from.chat);
	Py_DECREF(from.dict);
	return result;
}

/* async_chat._collect_incoming_data */
PyObject *fast_collect_(struct state *st, PyObject *const *args, Py_ssize_t count)
{
	bool plain = count == 2 && fast_kind_(st, Py_TYPE(args[0]))->ours;
	PyObject *dict = plain ? fast_dict_(args[0]) : NULL, *list;
	int r = 1;

	if (!dict) {
		drop_exception();
		return DECLINE;
	}
	list = fast_peek_(dict, st->names.incoming);
	if (list && PyList_CheckExact(list))
		r = PyList_Append(list, args[1]);
	Py_DECREF(dict);
	if (r > 0)
		return DECLINE;
	return r < 0 ? NULL : Py_NewRef(Py_None);
}
