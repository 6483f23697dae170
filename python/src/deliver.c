/*
 * deliver.c — what is ready is said to its channel: read, write, _exception and readwrite.
 *
 * Design: handle_read_event and handle_write_event that are ours are done here, down to a chat's
 * handle_read; whatever a class or an object overrides is called. What escapes goes to Python, which
 * raises it again in a frame of its own, so that it is the current exception and has a trace.
 */
#include "fast.h"

/* obj.name(); its result is nobody's. */
static int call(PyObject *obj, PyObject *name)
{
	PyObject *r = call_method(obj, name);

	Py_XDECREF(r);
	return r ? 0 : -1;
}

/* Our function, or Python's if that declines. */
static int run(struct state *st, PyObject *obj, fast_fn *fn, PyObject *name)
{
	PyObject *r = fn(st, &obj, 1);

	if (r == DECLINE)
		return call(obj, name);
	Py_XDECREF(r);
	return r ? 0 : -1;
}

/* As the attribute of any object; in dict it is found without asking the class. */
static int is_true(PyObject *obj, PyObject *dict, PyObject *name)
{
	PyObject *own = fast_peek_(dict, name);

	if (own == Py_True || own == Py_False)
		return own == Py_True;
	return fast_truth_(obj, name);
}

/* Before anything is read or written: 1 if it accepts, 0 when it is connected or was. */
static int prepare(struct state *st, PyObject *obj, PyObject *dict)
{
	int truth = is_true(obj, dict, st->names.accepting);

	if (truth)
		return truth;
	truth = is_true(obj, dict, st->names.connected);
	if (truth)
		return truth < 0 ? -1 : 0;
	truth = fast_truth_(obj, st->names.connecting);
	if (truth > 0)
		return call(obj, st->names.handle_connect_event);
	return truth;
}

static int read_event(struct state *st, PyObject *obj, PyObject *dict)
{
	int accepts = prepare(st, obj, dict);
	unsigned ours = fast_kind_(st, Py_TYPE(obj))->ours; /* now: it may have changed its class */

	if (accepts < 0)
		return -1;
	if (accepts)
		return call(obj, st->names.handle_accept);
	if (ours & OUR_CHAT_READ && !fast_overrides_(dict, st->names.handle_read))
		return run(st, obj, fast_chat_read_, st->names.handle_read);
	return call(obj, st->names.handle_read);
}

static int write_event(struct state *st, PyObject *obj, PyObject *dict)
{
	int accepts = prepare(st, obj, dict);
	unsigned ours = fast_kind_(st, Py_TYPE(obj))->ours;

	if (accepts)
		return accepts < 0 ? -1 : 0;
	if (ours & OUR_CHAT_WRITE && ours & OUR_INITIATE_SEND &&
	    !fast_overrides_(dict, st->names.handle_write) &&
	    !fast_overrides_(dict, st->names.initiate_send))
		return run(st, obj, fast_initiate_send_, st->names.initiate_send);
	return call(obj, st->names.handle_write);
}

static int say_in_c(struct state *st, PyObject *obj, enum fast_event event, bool *ret_said)
{
	unsigned ours = fast_kind_(st, Py_TYPE(obj))->ours;
	bool read = event == FIRE_READ;
	PyObject *dict;
	int r;

	if (!(ours & OUR_STATE) || !(ours & (read ? OUR_READ_EVENT : OUR_WRITE_EVENT)))
		return 0;
	dict = fast_dict_(obj);
	if (!dict)
		return 0;
	if (fast_overrides_(dict,
	                    read ? st->names.handle_read_event : st->names.handle_write_event)) {
		Py_DECREF(dict);
		return 0;
	}
	*ret_said = true;
	r = read ? read_event(st, obj, dict) : write_event(st, obj, dict);
	Py_DECREF(dict);
	return r;
}

static int say(struct state *st, PyObject *obj, enum fast_event event)
{
	bool said = false;
	int r = 0;

	if (event == FIRE_READ || event == FIRE_WRITE)
		r = say_in_c(st, obj, event, &said);
	if (said)
		return r;
	drop_exception();
	return call(obj, event == FIRE_READ    ? st->names.handle_read_event
	                 : event == FIRE_WRITE ? st->names.handle_write_event
	                 : event == FIRE_EXPT  ? st->names.handle_expt_event
	                                       : st->names.handle_close);
}

/* Python raises it again and does what is to be done. */
static int hand_over(PyObject *to, PyObject *obj)
{
	PyObject *exception = take_exception(), *r;

	Py_INCREF(to); /* asyncore may be loaded again meanwhile */
	r = PyObject_CallFunctionObjArgs(to, obj, exception, NULL);
	Py_DECREF(to);
	Py_XDECREF(exception);
	Py_XDECREF(r);
	return r ? 0 : -1;
}

int fast_fire_(struct state *st, PyObject *obj, enum fast_event event)
{
	return say(st, obj, event) < 0 ? hand_over(st->failed, obj) : 0;
}

int fast_steps_(struct state *st, PyObject *obj, unsigned events)
{
	int r = 0;

	if (events & AC_IN)
		r = say(st, obj, FIRE_READ);
	if (r == 0 && events & AC_OUT)
		r = say(st, obj, FIRE_WRITE);
	if (r == 0 && events & AC_PRI)
		r = say(st, obj, FIRE_EXPT);
	if (r == 0 && events & (AC_ERR | AC_HUP))
		r = say(st, obj, FIRE_CLOSE);
	return r < 0 ? hand_over(st->failed_steps, obj) : 0;
}
