/*
 * attribute.c — attributes of channels that notice when they are set: connected, accepting,
 * producer_fifo, ac_in_buffer, socket, and the methods readable and writable.
 *
 * Design: the value stands in the instance's __dict__, as that of any attribute; the descriptor
 * tells whoever has kept an answer that depends on it (fast_touch_). Asking for producer_fifo counts
 * too: who has got the deque can change it. Asking for the socket of a corked chat sends what is
 * corked. ac_in_buffer, asked for while its channel reads, is cut off the buffer then.
 */
#include "fast.h"

struct attribute {
	PyObject_HEAD struct state *st;
	PyObject *owner, *name, *value;
	enum fast_what what;
};

static PyObject *missing_of_class(struct attribute *a, PyObject *type)
{
	PyErr_Format(PyExc_AttributeError, "type object '%.100s' has no attribute '%U'",
	             PyType_Check(type) ? ((PyTypeObject *)type)->tp_name : "?", a->name);
	return NULL;
}

static PyObject *of_class(struct attribute *a, PyObject *type)
{
	return a->value ? Py_NewRef(a->value) : missing_of_class(a, type);
}

/* What the instance itself has; NULL without an exception: nothing. */
static PyObject *of_instance(struct attribute *a, PyObject *obj)
{
	PyObject *dict = fast_dict_(obj), *value;

	if (!dict)
		return NULL;
	value = PyDict_GetItemWithError(dict, a->name);
	Py_XINCREF(value);
	Py_DECREF(dict);
	return value;
}

static PyObject *get(PyObject *self, PyObject *obj, PyObject *type)
{
	struct attribute *a = (struct attribute *)self;
	PyObject *value;

	if (!obj)
		return of_class(a, type);
	if (a->what == FAST_BUFFER && fast_reading_get_(a->st, obj, &value))
		return value;
	if (a->what == FAST_SOCKET)
		fast_uncork_(a->st, obj);
	if (a->what == FAST_FIFO)
		fast_touch_(a->st, obj);
	value = of_instance(a, obj);
	if (value || PyErr_Occurred())
		return value;
	if (!a->value)
		PyErr_Format(PyExc_AttributeError, "'%.100s' object has no attribute '%U'",
		             Py_TYPE(obj)->tp_name, a->name);
	else if (a->what == FAST_METHOD)
		return PyMethod_New(a->value, obj);
	return Py_XNewRef(a->value);
}

/* In the words of this interpreter. */
static void nothing_to_delete(struct attribute *a, PyObject *obj)
{
#if PY_VERSION_HEX >= 0x030b0000
	PyErr_Format(PyExc_AttributeError, "'%.100s' object has no attribute '%U'",
	             Py_TYPE(obj)->tp_name, a->name);
#else
	(void)obj;
	PyErr_SetObject(PyExc_AttributeError, a->name);
#endif
}

/* A class would have to be told: it is no channel. */
static PyObject *dict_of(PyObject *obj)
{
	if (!PyType_Check(obj))
		return fast_dict_(obj);
	PyErr_SetString(PyExc_TypeError, "a class has no attributes of a channel");
	return NULL;
}

static int set(PyObject *self, PyObject *obj, PyObject *value)
{
	struct attribute *a = (struct attribute *)self;
	PyObject *dict = dict_of(obj);
	int r;

	if (!dict)
		return -1;
	fast_touch_(a->st, obj);
	r = value ? PyDict_SetItem(dict, a->name, value) : PyDict_DelItem(dict, a->name);
	Py_DECREF(dict);
	if (r < 0 && !value && PyErr_ExceptionMatches(PyExc_KeyError))
		nothing_to_delete(a, obj);
	if (r == 0 && a->what == FAST_BUFFER)
		fast_reading_replaced_(a->st, obj);
	return r;
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
	struct attribute *a = (struct attribute *)self;

#if PY_VERSION_HEX >= 0x03090000
	Py_VISIT(Py_TYPE(self));
#endif
	Py_VISIT(a->owner);
	Py_VISIT(a->value);
	return 0;
}

static void dealloc(PyObject *self)
{
	struct attribute *a = (struct attribute *)self;
	PyTypeObject *type = Py_TYPE(self);

	PyObject_GC_UnTrack(self);
	Py_XDECREF(a->value);
	Py_XDECREF(a->name);
	Py_XDECREF(a->owner);
	PyObject_GC_Del(self);
	Py_DECREF(type);
}

/* A method passes for the function in Python, to whoever looks into the class. */
static PyObject *get_attribute(PyObject *self, PyObject *name)
{
	struct attribute *a = (struct attribute *)self;

	if (a->what != FAST_METHOD)
		return PyObject_GenericGetAttr(self, name);
	if (PyUnicode_CompareWithASCIIString(name, "__wrapped__") == 0)
		return Py_NewRef(a->value);
	return PyObject_GetAttr(a->value, name);
}

/* Called as a function where a class hands it on: readable = async_chat.__dict__['readable']. */
static PyObject *call(PyObject *self, PyObject *args, PyObject *keywords)
{
	struct attribute *a = (struct attribute *)self;

	if (a->what == FAST_METHOD)
		return PyObject_Call(a->value, args, keywords);
	PyErr_SetString(PyExc_TypeError, "'_asyncore.attribute' object is not callable");
	return NULL;
}

static PyType_Slot slots[] = {
	{ Py_tp_descr_get, get },
	{ Py_tp_descr_set, set },
	{ Py_tp_call, call },
	{ Py_tp_getattro, get_attribute },
	{ Py_tp_traverse, traverse },
	{ Py_tp_dealloc, dealloc },
	{ 0, NULL },
};

static PyType_Spec spec = {
	.name = "_asyncore.attribute",
	.basicsize = sizeof(struct attribute),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | OURS_ALONE,
	.slots = slots,
};

int fast_attribute_type_(struct state *st)
{
	st->attribute_type = (PyTypeObject *)PyType_FromSpec(&spec);
	if (!st->attribute_type)
		return -1;
	st->attribute_type->tp_new = NULL;
	return 0;
}

PyObject *fast_attribute_(struct state *st, const char *name, PyObject *value, enum fast_what what)
{
	struct attribute *a = PyObject_GC_New(struct attribute, st->attribute_type);

	if (!a)
		return NULL;
	a->st = st;
	a->owner = Py_NewRef(st->self);
	a->name = PyUnicode_InternFromString(name);
	a->value = Py_XNewRef(value);
	a->what = what;
	PyObject_GC_Track((PyObject *)a);
	if (!a->name)
		Py_CLEAR(a);
	return (PyObject *)a;
}
