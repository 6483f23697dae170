/*
 * output.c — async_chat.push and initiate_send.
 *
 * Design: what is pushed while nothing waits is sent from where it is, and stands in producer_fifo
 * only if the kernel does not take all of it. Producers, empty strings, the mark to close and errors
 * are Python's. With ac_cork what is pushed stays in producer_fifo until the chat has handled all it
 * has read; then the strings at its beginning leave in one piece.
 */
#include "fast.h"

#include <errno.h>
#include <string.h>

struct chat {
	struct state *st;
	PyObject *self, *dict, *fifo;
	Py_ssize_t most; /* ac_out_buffer_size */
	unsigned ours;
	bool connected;
};

/* False: not as usual, and nothing is held. Whether it is connected is told. */
static bool open_chat(struct chat *c, struct state *st, PyObject *self)
{
	const unsigned needed = OUR_SEND | OUR_FIFO | OUR_STATE | OUR_SOCKET;
	struct kind *k = fast_kind_(st, Py_TYPE(self));

	c->st = st;
	c->self = self;
	c->ours = k->ours;
	if ((k->ours & needed) != needed)
		return false;
	c->most = k->out_size;
	c->dict = fast_dict_(self);
	if (!c->dict) {
		drop_exception();
		return false;
	}
	c->connected = fast_peek_(c->dict, st->names.connected) == Py_True;
	c->fifo = Py_XNewRef(fast_peek_(c->dict, st->names.producer_fifo));
	if (c->fifo && Py_TYPE(c->fifo) == st->deque_type &&
	    !fast_overrides_(c->dict, st->names.send) &&
	    fast_get_size_(c->dict, st->names.ac_out_buffer_size, c->most, &c->most) &&
	    fast_socket_(st, c->dict) >= 0)
		return true;
	Py_XDECREF(c->fifo);
	Py_DECREF(c->dict);
	return false;
}

/* Its descriptor is asked for when all else is there: what ran meanwhile may have closed it. */
static ssize_t send_some(struct chat *c, const char *data, size_t len)
{
	int fd = fast_socket_(c->st, c->dict);

	return fd < 0 ? -EAGAIN : fast_send_to_(fd, data, len);
}

static void close_chat(struct chat *c)
{
	Py_DECREF(c->fifo);
	Py_DECREF(c->dict);
}

static int append(struct chat *c, PyObject *item)
{
	PyObject *r = call_method_with(c->fifo, c->st->names.append, item);

	Py_XDECREF(r);
	fast_touch_(c->st, c->self);
	return r ? 0 : -1;
}

static PyObject *as_none(int r)
{
	if (r < 0)
		return NULL;
	Py_RETURN_NONE;
}

/* What dispatcher.send does with an error, and initiate_send with what that raises. */
static PyObject *failed(struct chat *c, ssize_t error)
{
	return fast_tell_error_(c->st->chat_send_failed, c->self, error);
}

/* The first in the queue, of which n bytes are sent. */
static int take_off(struct chat *c, PyObject *first, Py_ssize_t n)
{
	PyObject *rest;
	int r;

	fast_touch_(c->st, c->self);
	if (n == PyBytes_GET_SIZE(first)) {
		first = call_method(c->fifo, c->st->names.popleft);
		Py_XDECREF(first);
		return first ? 0 : -1;
	}
	rest = PyBytes_FromStringAndSize(PyBytes_AS_STRING(first) + n, PyBytes_GET_SIZE(first) - n);
	r = rest ? PySequence_SetItem(c->fifo, 0, rest) : -1;
	Py_XDECREF(rest);
	return r;
}

static PyObject *send_first(struct chat *c)
{
	PyObject *first = PySequence_GetItem(c->fifo, 0), *r = DECLINE;
	Py_ssize_t len;
	ssize_t n;

	if (!first)
		return NULL;
	if (PyBytes_CheckExact(first) && PyBytes_GET_SIZE(first) > 0) {
		len = PyBytes_GET_SIZE(first);
		n = send_some(c, PyBytes_AS_STRING(first), (size_t)(len < c->most ? len : c->most));
		if (n > 0)
			r = as_none(take_off(c, first, n));
		else if (n < 0 && n != -EAGAIN)
			r = failed(c, n);
	}
	Py_DECREF(first);
	return r;
}

/* ---- Corked ---- */

#define PIECE 65536

/* As many strings from the beginning of the queue as fit; how many bytes. */
static size_t join(struct chat *c, char *into)
{
	PyObject *items = PyObject_GetIter(c->fifo), *item = NULL;
	size_t len = 0, n = 1;

	while (n && items && (item = PyIter_Next(items))) {
		n = PyBytes_CheckExact(item) ? (size_t)PyBytes_GET_SIZE(item) : 0;
		n = len + n <= PIECE ? n : 0;
		memcpy(into + len, n ? PyBytes_AS_STRING(item) : "", n);
		len += n;
		Py_DECREF(item);
	}
	Py_XDECREF(items);
	drop_exception();
	return len;
}

/* n bytes are sent: they may end within a string. */
static int take_off_all(struct chat *c, size_t n)
{
	int r = 0;

	while (r == 0 && n > 0) {
		PyObject *first = PySequence_GetItem(c->fifo, 0);
		size_t len =
			first && PyBytes_CheckExact(first) ? (size_t)PyBytes_GET_SIZE(first) : n;

		r = first ? take_off(c, first, (Py_ssize_t)(n < len ? n : len)) : -1;
		n -= n < len ? n : len;
		Py_XDECREF(first);
	}
	return r;
}

static PyObject *send_joined(struct chat *c)
{
	char *piece = PyMem_Malloc(PIECE);
	size_t len = piece ? join(c, piece) : 0;
	ssize_t n = len ? send_some(c, piece, len) : -EAGAIN;
	PyObject *r = DECLINE;

	PyMem_Free(piece);
	if (n > 0)
		r = as_none(take_off_all(c, (size_t)n));
	else if (n < 0 && n != -EAGAIN)
		r = failed(c, n);
	return r;
}

/* It may be on its way to be closed: nothing is done about an error. */
void fast_uncork_(struct state *st, PyObject *chat)
{
	struct chat c;
	char *piece;
	size_t len;
	ssize_t n;

	if (!st->attached || !(fast_kind_(st, Py_TYPE(chat))->ours & WITH_CORK) ||
	    !fast_is_corked_(st, chat) || !open_chat(&c, st, chat))
		return;
	piece = PyMem_Malloc(PIECE);
	while (piece && (len = join(&c, piece)) > 0) {
		n = send_some(&c, piece, len);
		if (n <= 0 || take_off_all(&c, (size_t)n) < 0)
			break;
	}
	drop_exception();
	PyMem_Free(piece);
	close_chat(&c);
}

PyObject *fast_initiate_send_(struct state *st, PyObject *const *args, Py_ssize_t count)
{
	struct chat c;
	PyObject *r;

	if (count != 1 || !open_chat(&c, st, args[0]))
		return DECLINE;
	if (!c.connected)
		r = DECLINE;
	else if (PyObject_Size(c.fifo) == 0)
		r = as_none(0);
	else
		r = c.ours & WITH_CORK && PyObject_Size(c.fifo) > 1 ? send_joined(&c)
		                                                    : send_first(&c);
	close_chat(&c);
	return r;
}

/* ---- push ---- */

static PyObject *send_now(struct chat *c, PyObject *data)
{
	Py_ssize_t len = PyBytes_GET_SIZE(data);
	ssize_t n = send_some(c, PyBytes_AS_STRING(data), (size_t)len);
	PyObject *rest, *r;

	if (n == len)
		return as_none(0);
	rest = n > 0 ? PyBytes_FromStringAndSize(PyBytes_AS_STRING(data) + n, len - n)
	             : Py_NewRef(data);
	if (!rest || append(c, rest) < 0)
		r = NULL;
	else if (n >= 0)
		r = as_none(0);
	else if (n == -EAGAIN)
		r = call_method(c->self, c->st->names.initiate_send);
	else
		r = failed(c, n);
	Py_XDECREF(rest);
	return r;
}

static PyObject *push(struct chat *c, PyObject *data)
{
	if (c->ours & WITH_CORK && fast_is_corked_(c->st, c->self))
		return as_none(append(c, data));
	if (PyObject_Size(c->fifo) == 0 && c->ours & OUR_INITIATE_SEND &&
	    !fast_overrides_(c->dict, c->st->names.initiate_send))
		return send_now(c, data);
	if (append(c, data) < 0)
		return NULL;
	return call_method(c->self, c->st->names.initiate_send);
}

PyObject *fast_push_(struct state *st, PyObject *const *args, Py_ssize_t count)
{
	struct chat c;
	PyObject *r = DECLINE;

	if (count != 2 || !PyBytes_CheckExact(args[1]) || PyBytes_GET_SIZE(args[1]) == 0 ||
	    !open_chat(&c, st, args[0]))
		return DECLINE;
	if (c.connected && PyBytes_GET_SIZE(args[1]) <= c.most)
		r = push(&c, args[1]);
	close_chat(&c);
	if (r && r != DECLINE && r != Py_None) {
		Py_DECREF(r);
		r = as_none(0);
	}
	return r;
}
