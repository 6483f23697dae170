/* compat.h — one source for CPython 3.8 to 3.13: what they spell differently. */
#ifndef FAST_COMPAT_H
#define FAST_COMPAT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#if PY_VERSION_HEX >= 0x030c0000
#define WITH_DICT_WATCHERS 1
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
