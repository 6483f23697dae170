/* object.c — a look into a channel, which is a plain Python object. */
#include "fast.h"

PyObject *fast_dict_(PyObject *obj)
{
	return PyObject_GenericGetDict(obj, NULL);
}

PyObject *fast_peek_(PyObject *dict, PyObject *name)
{
	PyObject *value = PyDict_GetItemWithError(dict, name);

	if (!value && PyErr_Occurred())
		drop_exception();
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

bool fast_get_size_(PyObject *dict, PyObject *name, Py_ssize_t cls, Py_ssize_t *ret)
{
	PyObject *own = fast_peek_(dict, name);

	if (own && !PyLong_CheckExact(own))
		return false;
	*ret = own ? PyLong_AsSsize_t(own) : cls;
	if (*ret == -1 && PyErr_Occurred())
		PyErr_Clear();
	return *ret > 0;
}
