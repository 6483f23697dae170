/*
 * io.c — dispatcher.recv and send on a plain socket, and add_channel and del_channel on a plain map.
 *
 * Design: recv and send never wait here. What would have to, and the end of input, are Python's,
 * which asks the socket again; an error cannot be asked for twice and is handed to Python as it is.
 */
#include "fast.h"

#include <errno.h>
#include <sys/socket.h>

#define MOST (1 << 24)

ssize_t fast_recv_into_(int fd, void *buf, size_t len)
{
	ssize_t n;

	do
		n = recv(fd, buf, len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t fast_send_to_(int fd, const void *buf, size_t len)
{
	ssize_t n;

	do
		n = send(fd, buf, len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int socket_of(struct state *st, PyObject *channel)
{
	bool plain = fast_kind_(st, Py_TYPE(channel))->ours & OUR_SOCKET;
	PyObject *dict = plain ? fast_dict_(channel) : NULL;
	int fd;

	if (!dict) {
		drop_exception();
		return -1;
	}
	fd = fast_socket_(st, dict);
	Py_DECREF(dict);
	return fd;
}

PyObject *fast_tell_error_(PyObject *function, PyObject *channel, ssize_t error)
{
	PyObject *r;

	Py_INCREF(function); /* asyncore may be loaded again meanwhile */
	r = PyObject_CallFunction(function, "Oi", channel, (int)-error);
	Py_DECREF(function);
	return r;
}

/* A buffer of the size asked for is made only where so much comes. */
static PyObject *receive(int fd, Py_ssize_t size, ssize_t *ret_n)
{
	char small[4096];
	PyObject *data;

	if (size <= (Py_ssize_t)sizeof(small)) {
		*ret_n = fast_recv_into_(fd, small, (size_t)size);
		return *ret_n > 0 ? PyBytes_FromStringAndSize(small, *ret_n) : NULL;
	}
	data = PyBytes_FromStringAndSize(NULL, size);
	if (!data)
		return NULL;
	*ret_n = fast_recv_into_(fd, PyBytes_AS_STRING(data), (size_t)size);
	if (*ret_n <= 0)
		Py_CLEAR(data);
	else if (*ret_n < size)
		_PyBytes_Resize(&data, *ret_n);
	return data;
}

PyObject *fast_recv_method_(struct state *st, PyObject *const *args, Py_ssize_t count)
{
	Py_ssize_t size = count == 2 && PyLong_CheckExact(args[1]) ? PyLong_AsSsize_t(args[1]) : 0;
	int fd = size > 0 && size <= MOST ? socket_of(st, args[0]) : -1;
	ssize_t n = 0;
	PyObject *data;

	if (size == -1)
		PyErr_Clear();
	if (fd < 0)
		return DECLINE;
	data = receive(fd, size, &n);
	if (n > 0 || PyErr_Occurred())
		return data;
	if (n == 0 || n == -EAGAIN)
		return DECLINE;
	return fast_tell_error_(st->recv_failed, args[0], n);
}

PyObject *fast_send_method_(struct state *st, PyObject *const *args, Py_ssize_t count)
{
	int fd = count == 2 && PyBytes_CheckExact(args[1]) ? socket_of(st, args[0]) : -1;
	ssize_t n;

	if (fd < 0)
		return DECLINE;
	n = fast_send_to_(fd, PyBytes_AS_STRING(args[1]), (size_t)PyBytes_GET_SIZE(args[1]));
	if (n >= 0)
		return PyLong_FromSsize_t(n);
	return n == -EAGAIN ? DECLINE : fast_tell_error_(st->send_failed, args[0], n);
}

/* The map and the key of a channel: lent; false: not as usual. */
static bool place_of(struct state *st, PyObject *const *args, Py_ssize_t count, PyObject **ret_map,
                     PyObject **ret_key)
{
	PyObject *map = count == 2 ? args[1] : Py_None, *key;

	if (count < 1 || count > 2)
		return false;
	if (map == Py_None)
		map = PyObject_GetAttr(args[0], st->names._map);
	else
		Py_INCREF(map);
	key = map ? PyObject_GetAttr(args[0], st->names._fileno) : NULL;
	if (key && PyDict_CheckExact(map) && PyLong_CheckExact(key)) {
		*ret_map = map;
		*ret_key = key;
		return true;
	}
	Py_XDECREF(map);
	Py_XDECREF(key);
	drop_exception();
	return false;
}

PyObject *fast_add_channel_(struct state *st, PyObject *const *args, Py_ssize_t count)
{
	PyObject *map, *key;
	int r;

	if (!place_of(st, args, count, &map, &key))
		return DECLINE;
	r = fast_map_put_(st, map, key, args[0]);
	Py_DECREF(map);
	Py_DECREF(key);
	if (r < 0)
		return NULL;
	Py_RETURN_NONE;
}

PyObject *fast_del_channel_(struct state *st, PyObject *const *args, Py_ssize_t count)
{
	PyObject *map, *key;
	int r = 0;

	if (count > 0)
		fast_uncork_(st, args[0]);
	if (!place_of(st, args, count, &map, &key))
		return DECLINE;
	if (fast_peek_(map, key))
		r = fast_map_remove_(st, map, key);
	Py_DECREF(map);
	Py_DECREF(key);
	if (r < 0 || PyObject_SetAttr(args[0], st->names._fileno, Py_None) < 0)
		return NULL;
	Py_RETURN_NONE;
}
