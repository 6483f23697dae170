/*
 * input.c — async_chat.handle_read: reads once, and cuts what there is at the terminators.
 *
 * Design: while records are handed out, what is left stays where it was read; a struct reading tells
 * where, and whoever asks for ac_in_buffer gets the rest of it as bytes. Whoever sets ac_in_buffer meanwhile
 * replaces it. Whatever is unusual is left to asynchat._cut, with the rest in ac_in_buffer.
 */
#include "fast.h"

#include <asynchat.h>

#include <errno.h>
#include <string.h>

struct reading {
	struct reading *before, *next;
	struct state *st;
	PyObject *chat, *dict;
	const char *p, *end;
	PyObject *owner; /* of what is read, if it was set; else it stands in a buffer */
	bool replaced;
	bool had; /* there is something in ac_in_buffer */
	unsigned ours;
};

static struct reading *readings;

static struct reading *reading_of(PyObject *chat)
{
	struct reading *r = readings;

	while (r && r->chat != chat)
		r = r->next;
	return r;
}

static PyObject *rest_of(const struct reading *r)
{
	return PyBytes_FromStringAndSize(r->p, r->end - r->p);
}

bool fast_reading_get_(PyObject *chat, PyObject **ret_rest)
{
	struct reading *r = reading_of(chat);

	if (!r || r->replaced)
		return false;
	*ret_rest = rest_of(r);
	return true;
}

void fast_reading_replaced_(PyObject *chat)
{
	struct reading *r = reading_of(chat);

	if (r)
		r->replaced = r->had = true;
}

bool fast_is_corked_(PyObject *chat)
{
	return reading_of(chat) != NULL;
}

static void enter(struct reading *r)
{
	r->next = readings;
	if (readings)
		readings->before = r;
	readings = r;
}

static void leave(struct reading *r)
{
	*(r->before ? &r->before->next : &readings) = r->next;
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

static int collect(struct reading *r, size_t len)
{
	PyObject *data = PyBytes_FromStringAndSize(r->p, (Py_ssize_t)len);
	PyObject *list, *result;
	int failed;

	if (!data)
		return -1;
	if (r->ours & OUR_COLLECT && (list = fast_peek_(r->dict, r->st->names.incoming)) &&
	    PyList_CheckExact(list) &&
	    !fast_overrides_(r->dict, r->st->names.collect_incoming_data)) {
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

/* ---- Records. Each: 1: on with the next; 0: no more now; -1: raised; 2: Python shall go on ---- */

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

/* The first len bytes are done with, of what is there now. PYTHON cannot be told of it: it is done here. */
static int skip(struct reading *r, size_t len)
{
	PyObject *now, *rest;
	int set;

	if (take_replaced(r)) {
		r->p += len < (size_t)(r->end - r->p) ? len : (size_t)(r->end - r->p);
		return MORE;
	}
	now = PyObject_GetAttr(r->chat, r->st->names.ac_in_buffer);
	rest = now ? PySequence_GetSlice(now, (Py_ssize_t)len, PY_SSIZE_T_MAX) : NULL;
	set = rest ? PyObject_SetAttr(r->chat, r->st->names.ac_in_buffer, rest) : -1;
	Py_XDECREF(now);
	Py_XDECREF(rest);
	return set < 0 ? RAISED : MORE;
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
	if (!take_replaced(r)) {
		PyErr_SetString(PyExc_TypeError, "ac_in_buffer must be bytes");
		return RAISED;
	}
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

static int cut_one(struct reading *r)
{
	unsigned kept = OUR_GET_TERMINATOR | OUR_COLLECT;
	PyObject *terminator;
	int result;

	if (!take_replaced(r))
		return PYTHON;
	if (r->p == r->end)
		return ENOUGH;
	r->ours =
		fast_kind_(r->st, Py_TYPE(r->chat))->ours & kept; /* classes may change meanwhile */
	terminator = terminator_of(r);
	if (!terminator)
		return RAISED;
	result = cut_at(r, terminator);
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
		PyErr_Clear();
#if PY_VERSION_HEX >= 0x030c0000
		PyErr_SetRaisedException(exception);
#else
		PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(exception)), exception,
		              PyException_GetTraceback(exception));
#endif
		return -1;
	}
	return put;
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
	if (result == PYTHON)
		return PyObject_CallFunctionObjArgs(r->st->cut, r->chat, NULL);
	Py_RETURN_NONE;
}

/* ---- Reading ---- */

static char *take_buffer(struct state *st, size_t size)
{
	if (st->buffer_lent || size > FAST_READ)
		return PyMem_Malloc(FAST_HEADROOM + size);
	if (!st->buffer)
		st->buffer = PyMem_Malloc(FAST_HEADROOM + FAST_READ);
	st->buffer_lent = st->buffer != NULL;
	return st->buffer;
}

static void give_buffer(struct state *st, char *buffer)
{
	if (buffer == st->buffer)
		st->buffer_lent = false;
	else
		PyMem_Free(buffer);
}

static PyObject *read_and_cut(struct reading *r, int fd, size_t size, PyObject *held)
{
	size_t before = (size_t)PyBytes_GET_SIZE(held);
	char *buffer = take_buffer(r->st, size), *data;
	PyObject *result = DECLINE;
	ssize_t n;

	if (!buffer)
		return PyErr_NoMemory();
	data = buffer + FAST_HEADROOM;
	n = fast_recv_into_(fd, data, size);
	if (n > 0) {
		memcpy(data - before, PyBytes_AS_STRING(held), before);
		r->p = data - before;
		r->end = data + n;
		r->had = before > 0;
		result = cut(r);
	}
	give_buffer(r->st, buffer);
	if (n < 0 && n != -EAGAIN)
		result = PyObject_CallFunction(r->st->read_failed, "Oi", r->chat, (int)-n);
	return result;
}

/* All is as usual: its descriptor; else -1. */
static int prepare(struct reading *r, Py_ssize_t *ret_size, PyObject **ret_held)
{
	struct state *st = r->st;
	struct kind *k = fast_kind_(st, Py_TYPE(r->chat));
	Py_ssize_t cls = k->in_size;
	PyObject *held;

	if (!(k->ours & OUR_RECV) || !(k->ours & OUR_IN_BUFFER) || reading_of(r->chat))
		return -1;
	held = fast_peek_(r->dict, st->names.ac_in_buffer);
	if (!held || !PyBytes_CheckExact(held) || PyBytes_GET_SIZE(held) > FAST_HEADROOM ||
	    fast_overrides_(r->dict, st->names.recv) ||
	    !fast_get_size_(st, r->dict, st->names.ac_in_buffer_size, cls, ret_size) ||
	    *ret_size > FAST_READ * 16)
		return -1;
	*ret_held = held;
	return fast_socket_(st, r->dict);
}

PyObject *fast_chat_read_(struct state *st, PyObject *const *args, Py_ssize_t count)
{
	struct reading r = { .st = st };
	PyObject *result = DECLINE, *held;
	Py_ssize_t size;
	int fd;

	if (count != 1 || !(r.dict = fast_dict_(args[0]))) {
		PyErr_Clear();
		return DECLINE;
	}
	r.chat = args[0];
	fd = prepare(&r, &size, &held);
	if (fd >= 0) {
		Py_INCREF(r.chat);
		Py_INCREF(held);
		result = read_and_cut(&r, fd, (size_t)size, held);
		Py_DECREF(held);
		Py_DECREF(r.chat);
	}
	Py_DECREF(r.dict);
	return result;
}

/* async_chat._collect_incoming_data */
PyObject *fast_collect_(struct state *st, PyObject *const *args, Py_ssize_t count)
{
	PyObject *dict = count == 2 ? fast_dict_(args[0]) : NULL, *list;
	int r = 1;

	if (!dict) {
		PyErr_Clear();
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
