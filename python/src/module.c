/*
 * module.c — the module _asyncore: asyncore and asynchat hand it their functions and classes when
 * they are imported.
 */
#include "fast.h"

#define FEW 8

static struct state *state_of(PyObject *module)
{
	return PyModule_GetState(module);
}

/* ---- Handing over ---- */

static PyObject *original(PyObject *dict, const char *name)
{
	PyObject *value = PyDict_GetItemString(dict, name);

	if (!value)
		PyErr_SetString(PyExc_AttributeError, name);
	return Py_XNewRef(value);
}

/* Keeps what a dict has under each name. */
struct kept {
	const char *name;
	PyObject **where;
};

static int keep(PyObject *dict, const struct kept *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		PyObject *value = original(dict, list[i].name);

		if (!value)
			return -1;
		Py_XSETREF(*list[i].where, value);
	}
	return 0;
}

#define KEEP(dict, list) keep(dict, list, sizeof(list) / sizeof((list)[0]))

struct replaced {
	const char *name;
	fast_fn *fn;
};

/* Puts ours in the place of Python's: of a class or a module. */
static int replace(struct state *st, PyObject *in, PyObject *dict, const struct replaced *list,
                   size_t count)
{
	for (size_t i = 0; i < count; i++) {
		PyObject *function = original(dict, list[i].name);
		PyObject *ours = function ? fast_method_(st, function, list[i].fn) : NULL;
		int r = !ours              ? -1
		        : PyDict_Check(in) ? PyDict_SetItemString(in, list[i].name, ours)
		                           : PyObject_SetAttrString(in, list[i].name, ours);

		Py_XDECREF(function);
		Py_XDECREF(ours);
		if (r < 0)
			return -1;
	}
	return 0;
}

#define REPLACE(st, in, dict, list) replace(st, in, dict, list, sizeof(list) / sizeof((list)[0]))

struct followed {
	const char *name;
	enum fast_what what;
};

static int follow(struct state *st, PyObject *cls, PyObject *dict, const struct followed *list,
                  size_t count)
{
	for (size_t i = 0; i < count; i++) {
		PyObject *value = Py_XNewRef(PyDict_GetItemString(dict, list[i].name));
		PyObject *ours = fast_attribute_(st, list[i].name, value, list[i].what);
		int r = ours ? PyObject_SetAttrString(cls, list[i].name, ours) : -1;

		Py_XDECREF(value);
		Py_XDECREF(ours);
		if (r < 0)
			return -1;
	}
	return 0;
}

#define FOLLOW(st, cls, dict, list) follow(st, cls, dict, list, sizeof(list) / sizeof((list)[0]))

/* ---- asyncore ---- */

static int add_original(struct state *st, int guard, const char *name)
{
	struct original *o = &st->originals[st->original_count];

	o->guard = guard;
	o->name = PyUnicode_InternFromString(name);
	o->value = Py_XNewRef(PyDict_GetItemString(st->guards[guard].dict, name));
	st->original_count++;
	/* patched before we came: what is there instead is to be asked (gevent), or is missing (eventlet) */
	if (guard != GUARD_ASYNCORE && !(o->value && PyCFunction_Check(o->value)))
		Py_XSETREF(o->value, Py_NewRef(st->self));
	return o->name && o->value ? 0 : -1;
}

static int guard_module(struct state *st, int guard, const char *name)
{
	PyObject *module = original(st->globals, name);

	if (!module)
		return -1;
	fast_guard_(st, guard, PyModule_GetDict(module));
	Py_DECREF(module);
	return 0;
}

static int guard_all(struct state *st)
{
	static const char *const ours[] = { "select", "socket",     "time",     "read",
		                            "write",  "_exception", "readwrite" };

	fast_guard_(st, GUARD_ASYNCORE, st->globals);
	if (guard_module(st, GUARD_SELECT, "select") < 0 ||
	    guard_module(st, GUARD_TIME, "time") < 0)
		return -1;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (add_original(st, GUARD_ASYNCORE, ours[i]) < 0)
			return -1;
	if (add_original(st, GUARD_SELECT, "select") < 0 ||
	    add_original(st, GUARD_SELECT, "poll") < 0)
		return -1;
	return add_original(st, GUARD_TIME, "sleep");
}

static int take_dispatcher(struct state *st, PyObject *cls)
{
	static const struct replaced functions[] = {
		{ "recv", fast_recv_method_ },
		{ "send", fast_send_method_ },
		{ "add_channel", fast_add_channel_ },
		{ "del_channel", fast_del_channel_ },
	};
	static const struct followed attributes[] = {
		{ "connected", FAST_STATE },
		{ "accepting", FAST_STATE },
		{ "readable", FAST_METHOD },
		{ "writable", FAST_METHOD },
	};
	const struct kept kept[] = {
		{ "recv", &st->our_recv },
		{ "send", &st->our_send },
		{ "connected", &st->our_connected },
		{ "accepting", &st->our_accepting },
		{ "readable", &st->our_readable },
		{ "writable", &st->our_writable },
		{ "handle_read_event", &st->our_read_event },
		{ "handle_write_event", &st->our_write_event },
	};
	PyObject *dict = ((PyTypeObject *)cls)->tp_dict;

	if (REPLACE(st, cls, dict, functions) < 0 || FOLLOW(st, cls, dict, attributes) < 0)
		return -1;
	return KEEP(dict, kept);
}

static int take_asyncore(struct state *st, PyObject *cls)
{
	static const struct replaced functions[] = { { "poll", fast_poll_ },
		                                     { "poll2", fast_poll2_ } };
	const struct kept kept[] = {
		{ "_failed", &st->failed },           { "_failed_steps", &st->failed_steps },
		{ "_select_pass", &st->select_pass }, { "_poll_pass", &st->poll_pass },
		{ "_recv_failed", &st->recv_failed }, { "_send_failed", &st->send_failed },
	};
	PyObject *socket = original(st->globals, "socket");
	PyObject *type = socket ? PyObject_GetAttr(socket, st->names.socket) : NULL;

	Py_XDECREF(socket);
	if (!type)
		return -1;
	fast_learn_sockets_(st, type);
	Py_DECREF(type);
	if (KEEP(st->globals, kept) < 0 || take_dispatcher(st, cls) < 0 ||
	    REPLACE(st, st->globals, st->globals, functions) < 0)
		return -1;
	if (PyDict_SetItemString(st->globals, "poll3", PyDict_GetItemString(st->globals, "poll2")) <
	    0)
		return -1;
	return guard_all(st);
}

static void let_go(struct state *st)
{
	st->attached = false;
	st->attachment++;
	fast_unguard_(st);
	while (st->original_count) {
		Py_CLEAR(st->originals[--st->original_count].value);
		Py_CLEAR(st->originals[st->original_count].name);
	}
	Py_CLEAR(st->socket_type);
}

/* Its globals and its class; false: raised. */
static bool parse(PyObject *args, PyObject **ret_globals, PyObject **ret_cls)
{
	if (!PyArg_ParseTuple(args, "O!O!", &PyDict_Type, ret_globals, &PyType_Type, ret_cls))
		return false;
	if (PyType_HasFeature((PyTypeObject *)*ret_cls, Py_TPFLAGS_HEAPTYPE))
		return true;
	PyErr_SetString(PyExc_TypeError, "a class of Python's is needed");
	return false;
}

static PyObject *attach(PyObject *module, PyObject *args)
{
	struct state *st = state_of(module);
	PyObject *globals, *cls;

	if (!parse(args, &globals, &cls))
		return NULL;
	let_go(st); /* of what it was before it was loaded again */
	Py_XSETREF(st->globals, Py_NewRef(globals));
	if (take_asyncore(st, cls) < 0)
		return NULL;
	st->attached = true;
	Py_RETURN_NONE;
}

/* ---- asynchat ---- */

/* Only of this one is it known where its length stands. */
static int take_deque(struct state *st)
{
	PyObject *module = PyImport_ImportModule("_collections");
	PyObject *type = module ? PyObject_GetAttrString(module, "deque") : NULL;

	Py_XDECREF(module);
	if (!type)
		return -1;
	Py_XSETREF(st->deque_type, (PyTypeObject *)type);
	return 0;
}

static int take_chat(struct state *st, PyObject *globals, PyObject *cls)
{
	static const struct replaced functions[] = {
		{ "handle_read", fast_chat_read_ },
		{ "initiate_send", fast_initiate_send_ },
		{ "push", fast_push_ },
		{ "_collect_incoming_data", fast_collect_ },
	};
	static const struct followed attributes[] = {
		{ "producer_fifo", FAST_FIFO }, { "ac_in_buffer", FAST_BUFFER },
		{ "socket", FAST_SOCKET },      { "readable", FAST_METHOD },
		{ "writable", FAST_METHOD },
	};
	const struct kept of_class[] = {
		{ "producer_fifo", &st->our_fifo },
		{ "ac_in_buffer", &st->our_in_buffer },
		{ "socket", &st->our_socket },
		{ "readable", &st->our_chat_readable },
		{ "writable", &st->our_chat_writable },
		{ "handle_read", &st->our_chat_read },
		{ "handle_write", &st->our_chat_write },
		{ "initiate_send", &st->our_initiate_send },
		{ "get_terminator", &st->our_get_terminator },
		{ "_collect_incoming_data", &st->our_collect },
	};
	const struct kept of_module[] = {
		{ "_cut", &st->cut },
		{ "_cut_round", &st->cut_round },
		{ "_read_failed", &st->read_failed },
		{ "_send_failed", &st->chat_send_failed },
	};
	PyObject *dict = ((PyTypeObject *)cls)->tp_dict;

	if (take_deque(st) < 0 || REPLACE(st, cls, dict, functions) < 0 ||
	    FOLLOW(st, cls, dict, attributes) < 0)
		return -1;
	return KEEP(dict, of_class) < 0 ? -1 : KEEP(globals, of_module);
}

static PyObject *attach_chat(PyObject *module, PyObject *args)
{
	struct state *st = state_of(module);
	PyObject *globals, *cls;

	if (!parse(args, &globals, &cls))
		return NULL;
	if (!st->attached) {
		PyErr_SetString(PyExc_RuntimeError, "asyncore is not attached");
		return NULL;
	}
	if (take_chat(st, globals, cls) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *set_few(PyObject *module, PyObject *arg)
{
	struct state *st = state_of(module);
	Py_ssize_t few = PyLong_AsSsize_t(arg);
	size_t before = st->few;

	if (few < 0 && PyErr_Occurred())
		return NULL;
	st->few = (size_t)few;
	return PyLong_FromSize_t(before);
}

static PyMethodDef methods[] = {
	{ "attach", attach, METH_VARARGS, "attach(globals, dispatcher): asyncore hands over." },
	{ "attach_chat", attach_chat, METH_VARARGS,
	  "attach_chat(globals, async_chat): asynchat hands over." },
	{ "set_few", set_few, METH_O,
	  "set_few(n): maps of up to n channels are watched by poll, larger ones by epoll; returns "
	  "what it was." },
	{ NULL, NULL, 0, NULL },
};

/* ---- Life ---- */

static int init_names(struct state *st)
{
#define X(name)                                                                                    \
	if (!(st->names.name = PyUnicode_InternFromString(#name)))                                 \
		return -1;
	FAST_NAMES(X)
#undef X
	return 0;
}

static int exec(PyObject *module)
{
	struct state *st = state_of(module);

	st->self = module;
	st->few = FEW;
	st->watcher = -1;
	if (init_names(st) < 0 || fast_method_type_(st) < 0 || fast_attribute_type_(st) < 0 ||
	    fast_kind_init_(st) < 0 || fast_follow_init_(st) < 0)
		return -1;
	st->empty = PyBytes_FromStringAndSize(NULL, 0);
	return st->empty ? 0 : -1;
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
	struct state *st = state_of(module);

	if (!st)
		return 0;
#define X(name) Py_VISIT(st->name);
	FAST_OBJECTS(X)
#undef X
	Py_VISIT(st->method_type);
	Py_VISIT(st->attribute_type);
	Py_VISIT(st->deque_type);
	Py_VISIT(st->socket_type);
	Py_VISIT(st->mark);
	for (int i = 0; i < GUARDS; i++)
		Py_VISIT(st->guards[i].dict);
	for (int i = 0; i < st->original_count; i++)
		Py_VISIT(st->originals[i].value);
	return 0;
}

static int clear(PyObject *module)
{
	struct state *st = state_of(module);

	let_go(st);
	fast_watches_done_(st);
	fast_follow_done_(st);
#define X(name) Py_CLEAR(st->name);
	FAST_OBJECTS(X)
#undef X
	Py_CLEAR(st->method_type);
	Py_CLEAR(st->attribute_type);
	Py_CLEAR(st->deque_type);
	Py_CLEAR(st->mark);
	return 0;
}

static void destroy(void *module)
{
	struct state *st = state_of(module);

	if (!st)
		return;
	clear(module);
#define X(name) Py_CLEAR(st->names.name);
	FAST_NAMES(X)
#undef X
	fast_readings_done_(st);
}

static PyModuleDef_Slot slots[] = {
	{ Py_mod_exec, exec },
#ifdef Py_mod_multiple_interpreters
	/* with one GIL: what the library keeps for the process has no lock */
	{ Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_SUPPORTED },
#endif
	{ 0, NULL },
};

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT,
	.m_name = "_asyncore",
	.m_doc = "What asyncore and asynchat call for every event, in C. Not to be used directly.",
	.m_size = sizeof(struct state),
	.m_methods = methods,
	.m_slots = slots,
	.m_traverse = traverse,
	.m_clear = clear,
	.m_free = destroy,
};

__attribute__((visibility("default"))) PyMODINIT_FUNC PyInit__asyncore(void)
{
	return PyModuleDef_Init(&definition);
}
