/*
 * socket.c — the descriptor of a channel's socket, without asking the socket.
 *
 * Design: a plain socket that does not wait is looked into. Where it keeps its descriptor and its
 * timeout is found out with one made for it; if that cannot be, or the class of sockets is another
 * one or patched, and for all that wait, Python's functions do the work.
 */
#include "fast.h"

#include <string.h>

#define FD_AT sizeof(PyObject)
#define TRIAL 12345 /* seconds */

static int fd_in(PyObject *sock)
{
	int fd;

	memcpy(&fd, (char *)sock + FD_AT, sizeof(fd));
	return fd;
}

static int64_t ns_in(PyObject *sock, size_t at)
{
	int64_t ns;

	memcpy(&ns, (char *)sock + at, sizeof(ns));
	return ns;
}

static bool set_timeout(PyObject *sock, int seconds)
{
	PyObject *r = PyObject_CallMethod(sock, "settimeout", "i", seconds);

	Py_XDECREF(r);
	return r != NULL;
}

/* Where it stands that its timeout is so many ns; 0: nowhere. */
static size_t find_timeout(PyObject *sock, PyTypeObject *base, int64_t ns)
{
	size_t size = (size_t)base->tp_basicsize;

	for (size_t at = FD_AT; at + sizeof(ns) <= size; at += sizeof(int))
		if (ns_in(sock, at) == ns)
			return at;
	return 0;
}

static bool is_fd_in(struct state *st, PyObject *sock)
{
	PyObject *fd = call_method(sock, st->names.fileno);
	bool is = fd && PyLong_CheckExact(fd) && PyLong_AsLong(fd) == fd_in(sock);

	Py_XDECREF(fd);
	return is;
}

static size_t learn(struct state *st, PyObject *sock, PyTypeObject *base)
{
	size_t at;

	if (!is_fd_in(st, sock) || !set_timeout(sock, TRIAL))
		return 0;
	at = find_timeout(sock, base, TRIAL * INT64_C(1000000000));
	return at && set_timeout(sock, 0) && ns_in(sock, at) == 0 ? at : 0;
}

/* The methods are those of C, which we stand for. */
static bool is_usual(struct state *st, PyTypeObject *type, PyTypeObject *base)
{
	return PyType_IsSubtype(type, base) &&
	       _PyType_Lookup(type, st->names.recv) == _PyType_Lookup(base, st->names.recv) &&
	       _PyType_Lookup(type, st->names.send) == _PyType_Lookup(base, st->names.send);
}

static void learn_from(struct state *st, PyTypeObject *type, PyTypeObject *base)
{
	PyObject *sock = is_usual(st, type, base) ? PyObject_CallNoArgs((PyObject *)type) : NULL;
	PyObject *closed;

	if (!sock)
		return;
	if (Py_TYPE(sock) == type && (st->socket_timeout_at = learn(st, sock, base))) {
		st->socket_type = (PyTypeObject *)Py_NewRef((PyObject *)type);
		st->socket_recv = Py_XNewRef(_PyType_Lookup(base, st->names.recv));
		st->socket_send = Py_XNewRef(_PyType_Lookup(base, st->names.send));
	}
	closed = PyErr_Occurred() ? NULL : PyObject_CallMethod(sock, "close", NULL);
	Py_XDECREF(closed);
	Py_DECREF(sock);
}

/* Whatever hinders it: sockets are asked in Python then. */
void fast_learn_sockets_(struct state *st, PyObject *type)
{
	PyObject *module = PyImport_ImportModule("_socket");
	PyObject *base = module ? PyObject_GetAttr(module, st->names.socket) : NULL;

	Py_CLEAR(st->socket_type);
	Py_CLEAR(st->socket_recv);
	Py_CLEAR(st->socket_send);
	st->socket_version = 0;
	if (base && PyType_Check(base) && PyType_Check(type))
		learn_from(st, (PyTypeObject *)type, (PyTypeObject *)base);
	Py_XDECREF(base);
	Py_XDECREF(module);
	drop_exception();
}

/* Somebody may have patched the class of sockets since we saw it last. */
static bool is_still_usual(struct state *st)
{
	if (st->socket_version && type_version(st->socket_type) == st->socket_version)
		return true;
	if (_PyType_Lookup(st->socket_type, st->names.recv) != st->socket_recv ||
	    _PyType_Lookup(st->socket_type, st->names.send) != st->socket_send)
		return false;
	st->socket_version = type_version(st->socket_type);
	return true;
}

int fast_socket_(struct state *st, PyObject *dict)
{
	PyObject *sock = fast_peek_(dict, st->names.socket);

	if (!sock || Py_TYPE(sock) != st->socket_type || !is_still_usual(st))
		return -1;
	return ns_in(sock, st->socket_timeout_at) == 0 ? fd_in(sock) : -1;
}
