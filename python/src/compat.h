/* compat.h — one source for CPython 3.8 to 3.13: what they spell differently. */
#ifndef FAST_COMPAT_H
#define FAST_COMPAT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#if PY_VERSION_HEX >= 0x030c0000
#define WITH_DICT_WATCHERS 1
#endif

/* sys._clear_type_cache() lets classes have versions that others had before. */
#if PY_VERSION_HEX < 0x030b0000
#define WITH_VERSIONS_GIVEN_ANEW 1
#endif

#ifdef Py_TPFLAGS_IMMUTABLETYPE
#define OURS_ALONE (Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION)
#else
#define OURS_ALONE 0
#endif

#if PY_VERSION_HEX < 0x03090000
#define PyObject_Vectorcall _PyObject_Vectorcall
#define PyObject_CallNoArgs _PyObject_CallNoArg
#define Py_TPFLAGS_HAVE_VECTORCALL _Py_TPFLAGS_HAVE_VECTORCALL
static inline PyObject *PyObject_CallOneArg(PyObject *callable, PyObject *arg)
{
	return PyObject_CallFunctionObjArgs(callable, arg, NULL);
}
#endif

#if PY_VERSION_HEX < 0x030a0000
static inline PyObject *Py_NewRef(PyObject *o)
{
	Py_INCREF(o);
	return o;
}
static inline PyObject *Py_XNewRef(PyObject *o)
{
	Py_XINCREF(o);
	return o;
}
#endif

/* obj.name() */
static inline PyObject *call_method(PyObject *obj, PyObject *name)
{
#if PY_VERSION_HEX >= 0x03090000
	return PyObject_VectorcallMethod(name, &obj, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
#else
	return PyObject_CallMethodObjArgs(obj, name, NULL);
#endif
}

/* obj.name(arg) */
static inline PyObject *call_method_with(PyObject *obj, PyObject *name, PyObject *arg)
{
#if PY_VERSION_HEX >= 0x03090000
	PyObject *args[2] = { obj, arg };

	return PyObject_VectorcallMethod(name, args, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
#else
	return PyObject_CallMethodObjArgs(obj, name, arg, NULL);
#endif
}

/* The exception as an object, with its traceback; there is none afterwards. */
static inline PyObject *take_exception(void)
{
#if PY_VERSION_HEX >= 0x030c0000
	return PyErr_GetRaisedException();
#else
	PyObject *type, *value, *tb;

	PyErr_Fetch(&type, &value, &tb);
	PyErr_NormalizeException(&type, &value, &tb);
	if (tb)
		PyException_SetTraceback(value, tb);
	Py_XDECREF(type);
	Py_XDECREF(tb);
	return value;
#endif
}

/* Takes it over. */
static inline void raise_again(PyObject *exception)
{
#if PY_VERSION_HEX >= 0x030c0000
	PyErr_SetRaisedException(exception);
#else
	PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(exception)), exception,
	              PyException_GetTraceback(exception));
#endif
}

/*
 * Whatever it was, Python is asked instead and meets it again; an interrupt comes but once: it is made
 * to come again.
 */
static inline void drop_exception(void)
{
	if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_KeyboardInterrupt))
		PyErr_SetInterrupt();
	PyErr_Clear();
}

/* Of a weak reference, borrowed; NULL: it is gone. */
static inline PyTypeObject *referent(PyObject *weak)
{
#if PY_VERSION_HEX >= 0x030d0000
	PyObject *obj;

	if (PyWeakref_GetRef(weak, &obj) <= 0)
		return NULL;
	Py_DECREF(obj); /* somebody else has it: the GIL is held */
	return (PyTypeObject *)obj;
#else
	PyObject *obj = PyWeakref_GET_OBJECT(weak);

	return obj == Py_None ? NULL : (PyTypeObject *)obj;
#endif
}

/* What changes with a class, or with one it inherits from; 0: cannot be told. */
static inline unsigned type_version(PyTypeObject *type)
{
#if PY_VERSION_HEX < 0x030d0000
	if (!(type->tp_flags & Py_TPFLAGS_VALID_VERSION_TAG))
		return 0;
#endif
	return type->tp_version_tag;
}

#endif
