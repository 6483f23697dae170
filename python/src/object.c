/* object.c — a look into a channel, which is a plain Python object. */
#include "fast.h"

#include <string.h>

PyObject *fast_dict_(PyObject *obj)
{
	return PyObject_GenericGetDict(obj, NULL);
}

PyObject *fast_peek_(PyObject *dict, PyObject *name)
{
	PyObject *value = PyDict_GetItemWithError(dict, name);

	if (!value && PyErr_Occurred())
		PyErr_Clear();
	return value;
}

bool fast_overrides_(PyObject *dict, PyObject *name)
{
	return fast_peek_(dict, name) != NULL;
}

int fast_truth_(PyObject *obj, PyObject *name)
{
	PyObject *value = PyObject_GetAttr(obj, name);
	int truth;

	if (!value)
		return -1;
	truth = PyObject_IsTrue(value);
	Py_DECREF(value);
	return truth;
}

/* Somebody may have patched the class of sockets since we saw it last. */
static bool socket_is_usual(struct state *st)
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
	int fd;

	if (!sock || Py_TYPE(sock) != st->socket_type || !st->socket_fd_at || !socket_is_usual(st))
		return -1;
	memcpy(&fd, (char *)sock + st->socket_fd_at, sizeof(fd));
	return fd;
}

bool fast_get_size_(struct state *st, PyObject *dict, PyObject *name, Py_ssize_t cls,
                    Py_ssize_t *ret)
{
	PyObject *own = fast_peek_(dict, name);

	(void)st;
	if (own && !PyLong_CheckExact(own))
		return false;
	*ret = own ? PyLong_AsSsize_t(own) : cls;
	if (*ret == -1 && PyErr_Occurred())
		PyErr_Clear();
	return *ret > 0;
}
