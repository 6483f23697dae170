/*
 * kind.c — what a class has from us unchanged, found once for each version of the class.
 *
 * Invariant: a version is given to one class only, and never again; so the type in a kind may have
 * been freed. Up to 3.10 sys._clear_type_cache() breaks that, and all is forgotten (look_at_mark).
 */
#include "fast.h"

#include <string.h>

struct row {
	PyObject *found, *original;
	unsigned bit;
};

static PyObject *find(PyTypeObject *type, PyObject *name)
{
	return _PyType_Lookup(type, name);
}

static Py_ssize_t size_of(PyTypeObject *type, PyObject *name)
{
	PyObject *value = find(type, name);
	Py_ssize_t size;

	if (!value || !PyLong_CheckExact(value))
		return -1;
	size = PyLong_AsSsize_t(value);
	if (size == -1 && PyErr_Occurred())
		PyErr_Clear();
	return size;
}

static unsigned predicates(struct state *st, PyTypeObject *type)
{
	PyObject *readable = find(type, st->names.readable);
	PyObject *writable = find(type, st->names.writable);
	PyObject *socket = find(type, st->names.socket);
	unsigned ours = !socket || socket == st->our_socket ? OUR_SOCKET : 0;

	if (readable && (readable == st->our_readable || readable == st->our_chat_readable))
		ours |= OUR_READABLE;
	if (writable && writable == st->our_writable)
		ours |= OUR_WRITABLE;
	if (writable && writable == st->our_chat_writable)
		ours |= OUR_CHAT_WRITABLE;
	if (find(type, st->names.connected) == st->our_connected &&
	    find(type, st->names.accepting) == st->our_accepting)
		ours |= OUR_STATE;
	return ours;
}

static unsigned methods(struct state *st, PyTypeObject *type)
{
	const struct row rows[] = {
		{ find(type, st->names.producer_fifo), st->our_fifo, OUR_FIFO },
		{ find(type, st->names.ac_in_buffer), st->our_in_buffer, OUR_IN_BUFFER },
		{ find(type, st->names.handle_read_event), st->our_read_event, OUR_READ_EVENT },
		{ find(type, st->names.handle_write_event), st->our_write_event, OUR_WRITE_EVENT },
		{ find(type, st->names.handle_read), st->our_chat_read, OUR_CHAT_READ },
		{ find(type, st->names.handle_write), st->our_chat_write, OUR_CHAT_WRITE },
		{ find(type, st->names.recv), st->our_recv, OUR_RECV },
		{ find(type, st->names.send), st->our_send, OUR_SEND },
		{ find(type, st->names.initiate_send), st->our_initiate_send, OUR_INITIATE_SEND },
		{ find(type, st->names.get_terminator), st->our_get_terminator,
		  OUR_GET_TERMINATOR },
		{ find(type, st->names.collect_incoming_data), st->our_collect, OUR_COLLECT },
		{ find(type, st->names.ac_cork), Py_True, WITH_CORK },
	};
	unsigned ours = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].found && rows[i].found == rows[i].original)
			ours |= rows[i].bit;
	return ours;
}

/* Its attributes are where they seem to be. */
static bool is_plain(struct state *st, PyTypeObject *type)
{
	return find(type, st->names.__getattribute__) == st->object_getattribute &&
	       find(type, st->names.__setattr__) == st->object_setattr;
}

#ifdef WITH_VERSIONS_GIVEN_ANEW
static PyType_Slot slots[] = { { 0, NULL } };

static PyType_Spec mark = {
	.name = "_asyncore.mark",
	.basicsize = sizeof(PyObject),
	.flags = Py_TPFLAGS_DEFAULT | OURS_ALONE,
	.slots = slots,
};

static int make_mark(struct state *st)
{
	st->mark = (PyTypeObject *)PyType_FromSpec(&mark);
	return st->mark ? 0 : -1;
}

/* Our mark has lost its version: so has every class, and others may have them soon. */
static void look_at_mark(struct state *st)
{
	if (type_version(st->mark))
		return;
	memset(st->kinds, 0, sizeof(st->kinds));
	st->socket_version = 0;
	st->clearings++;
	find(st->mark, st->names.recv); /* this gives it one */
}
#else
static int make_mark(struct state *st)
{
	(void)st;
	return 0;
}

static void look_at_mark(struct state *st)
{
	(void)st;
}
#endif

int fast_kind_init_(struct state *st)
{
	st->object_getattribute = Py_XNewRef(find(&PyBaseObject_Type, st->names.__getattribute__));
	st->object_setattr = Py_XNewRef(find(&PyBaseObject_Type, st->names.__setattr__));
	return make_mark(st);
}

struct kind *fast_kind_(struct state *st, PyTypeObject *type)
{
	struct kind *k = &st->kinds[((uintptr_t)type >> 5) % KINDS], now = { .type = type };

	look_at_mark(st);
	if (k->type == type && k->version && type_version(type) == k->version)
		return k;
	now.ours = is_plain(st, type) ? predicates(st, type) | methods(st, type) : 0;
	now.in_size = size_of(type, st->names.ac_in_buffer_size);
	now.out_size = size_of(type, st->names.ac_out_buffer_size);
	now.version = type_version(type);
	*k = now;
	return k;
}
