/*
 * method.c — a function in C that stands where one of Python stood, and calls that one when it
 * declines.
 *
 * Design: it binds as a function does, so that classes need no base class for it; its name,
 * signature, code and documentation are those of the function in Python, and `__wrapped__` is that
 * function. Loading asyncore again makes new ones; the old ones call Python's ever after.
 */
#include "fast.h"

#include <stddef.h>
#include <string.h>

struct method {
	PyObject_HEAD vectorcallfunc call;
	struct state *st;
	PyObject *owner; /* our module, which holds the state */
	PyObject *function;
	fast_fn *fn;
	unsigned attachment;
	PyObject *weak;
};

PyObject fast_decline_;

static PyObject *call(PyObject *self, PyObject *const *args, size_t flags, PyObject *keywords)
{
	struct method *m = (struct method *)self;
	PyObject *r = DECLINE;

	if (!keywords && m->st->attached && m->attachment == m->st->attachment)
		r = m->fn(m->st, args, PyVectorcall_NARGS(flags));
	return r == DECLINE ? PyObject_Vectorcall(m->function, args, flags, keywords) : r;
}

static PyObject *bind_to(PyObject *self, PyObject *obj, PyObject *type)
{
	(void)type;
	return obj ? PyMethod_New(self, obj) : Py_NewRef(self);
}

static bool is_own(PyObject *name)
{
	static const char *const own[] = { "__get__", "__call__", "__repr__", "__reduce__",
		                           "__reduce_ex__" };

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (PyUnicode_CompareWithASCIIString(name, own[i]) == 0)
			return true;
	return false;
}

static PyObject *get_attribute(PyObject *self, PyObject *name)
{
	struct method *m = (struct method *)self;
	PyObject *found;

	if (PyUnicode_CompareWithASCIIString(name, "__wrapped__") == 0)
		return Py_NewRef(m->function);
	if (is_own(name))
		return PyObject_GenericGetAttr(self, name);
	found = PyObject_GetAttr(m->function, name);
	if (found || !PyErr_ExceptionMatches(PyExc_AttributeError))
		return found;
	PyErr_Clear();
	return PyObject_GenericGetAttr(self, name);
}

static int set_attribute(PyObject *self, PyObject *name, PyObject *value)
{
	return PyObject_SetAttr(((struct method *)self)->function, name, value);
}

static PyObject *represent(PyObject *self)
{
	PyObject *name = PyObject_GetAttrString(((struct method *)self)->function, "__qualname__");
	PyObject *text = name ? PyUnicode_FromFormat("<function %U at %p>", name, self) : NULL;

	Py_XDECREF(name);
	return text;
}

/* Pickled and copied as functions are, by name. */
static PyObject *reduce(PyObject *self, PyObject *unused)
{
	(void)unused;
	return PyObject_GetAttrString(((struct method *)self)->function, "__qualname__");
}

static PyMethodDef methods[] = {
	{ "__reduce__", reduce, METH_NOARGS, NULL },
	{ "__reduce_ex__", reduce, METH_O, NULL },
	{ NULL, NULL, 0, NULL },
};

static int traverse(PyObject *self, visitproc visit, void *arg)
{
	struct method *m = (struct method *)self;

#if PY_VERSION_HEX >= 0x03090000
	Py_VISIT(Py_TYPE(self));
#endif
	Py_VISIT(m->owner);
	Py_VISIT(m->function);
	return 0;
}

static void dealloc(PyObject *self)
{
	struct method *m = (struct method *)self;
	PyTypeObject *type = Py_TYPE(self);

	PyObject_GC_UnTrack(self);
	PyObject_ClearWeakRefs(self);
	Py_XDECREF(m->function);
	Py_XDECREF(m->owner);
	PyObject_GC_Del(self);
	Py_DECREF(type);
}

#if PY_VERSION_HEX >= 0x03090000
static PyMemberDef members[] = {
	{ "__vectorcalloffset__", T_PYSSIZET, offsetof(struct method, call), READONLY, NULL },
	{ "__weaklistoffset__", T_PYSSIZET, offsetof(struct method, weak), READONLY, NULL },
	{ 0 },
};
#endif

static PyType_Slot slots[] = {
#if PY_VERSION_HEX >= 0x03090000
	{ Py_tp_members, members },
#endif
	{ Py_tp_methods, methods },
	{ Py_tp_call, PyVectorcall_Call },
	{ Py_tp_descr_get, bind_to },
	{ Py_tp_getattro, get_attribute },
	{ Py_tp_setattro, set_attribute },
	{ Py_tp_repr, represent },
	{ Py_tp_traverse, traverse },
	{ Py_tp_dealloc, dealloc },
	{ 0, NULL },
};

static PyType_Spec spec = {
	.name = "_asyncore.function",
	.basicsize = sizeof(struct method),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
	         Py_TPFLAGS_METHOD_DESCRIPTOR | OURS_ALONE,
	.slots = slots,
};

int fast_method_type_(struct state *st)
{
	st->method_type = (PyTypeObject *)PyType_FromSpec(&spec);
	if (!st->method_type)
		return -1;
	st->method_type->tp_new = NULL;
#if PY_VERSION_HEX < 0x03090000
	st->method_type->tp_vectorcall_offset = offsetof(struct method, call);
	st->method_type->tp_weaklistoffset = offsetof(struct method, weak);
#endif
	return 0;
}

PyObject *fast_method_(struct state *st, PyObject *function, fast_fn *fn)
{
	struct method *m = PyObject_GC_New(struct method, st->method_type);

	if (!m)
		return NULL;
	m->call = call;
	m->st = st;
	m->owner = Py_NewRef(st->self);
	m->function = Py_NewRef(function);
	m->fn = fn;
	m->attachment = st->attachment;
	m->weak = NULL;
	PyObject_GC_Track((PyObject *)m);
	return (PyObject *)m;
}
