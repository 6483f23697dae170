/* ends.c — a child's stdin, stdout and stderr: chats whose events are the process's. */
#include "process.h"

#include <errno.h>

struct end {
	struct ac_chat c;
	struct ac_process *p; /* NULL: closed */
	int which;            /* 0 stdin, 1 stdout, 2 stderr */
};

static struct ac_chat **place(struct ac_process *p, int which)
{
	return which == 0 ? &p->in : which == 1 ? &p->out : &p->err;
}

static int tell(struct end *e, struct ac_slice record)
{
	struct ac_process *p = e->p;

	if (!p || (p->d.flags & AC_IS_CLOSING))
		return 0;
	p->heard = ac_map_time_(p->d.map);
	return e->which == 1 ? ac_process_cls_(p)->handle_stdout(p, record)
	                     : ac_process_cls_(p)->handle_stderr(p, record);
}

/* Without a terminator there are no records to wait for. */
static int collect(struct ac_chat *c, const void *data, size_t len)
{
	if (ac_get_terminator(c, 0, NULL, NULL) == AC_TERM_NONE)
		return tell((struct end *)c, (struct ac_slice){ data, len });
	return ac_pull(c, data, len);
}

static int found(struct ac_chat *c)
{
	return tell((struct end *)c, ac_incoming(c));
}

static int handle_eof(struct ac_dispatcher *d)
{
	struct ac_chat *c = (struct ac_chat *)d;
	struct ac_slice rest = ac_incoming(c);

	if (rest.len)
		AC_TRY(d, tell((struct end *)c, rest));
	return d->flags & AC_IS_CLOSING ? 0 : ac_chat_class.d.handle_eof(d);
}

static int drained(struct ac_chat *c)
{
	struct ac_process *p = ((struct end *)c)->p;

	return p && !(p->d.flags & AC_IS_CLOSING) ? ac_process_cls_(p)->handle_drain(p) : 0;
}

static int handle_error(struct ac_dispatcher *d, const struct ac_error *error)
{
	struct ac_process *p = ((struct end *)d)->p;

	return p && !(p->d.flags & AC_IS_CLOSING) ? p->d.cls->handle_error(&p->d, error) : 0;
}

static int handle_close(struct ac_dispatcher *d)
{
	struct end *e = (struct end *)d;
	struct ac_process *p = e->p;

	if (!p)
		return 0;
	*place(p, e->which) = NULL;
	e->p = NULL;
	ac_process_settled_(p);
	return p->d.flags & AC_IS_CLOSING ? 0 : ac_process_cls_(p)->handle_end(p, e->which);
}

static const struct ac_chat_class end_class = {
	.d = {
		.super = &ac_chat_class.d,
		.name = "end",
		.size = sizeof(struct end),
		.handle_eof = handle_eof,
		.handle_error = handle_error,
		.handle_close = handle_close,
	},
	.collect_incoming_data = collect,
	.found_terminator = found,
	.handle_drain = drained,
};

struct ac_chat *ac_end_new_(struct ac_process *p, int fd, int which)
{
	struct ac_chat *c = ac_chat_adopt(p->d.map, &end_class, fd, NULL);
	struct end *e = (struct end *)c;

	if (!c)
		return NULL;
	if (!ac_extra_(&c->d)) {
		ac_close(&c->d);
		errno = ENOMEM;
		return NULL;
	}
	c->d.extra->stays = true;
	e->p = p;
	e->which = which;
	*place(p, which) = c;
	if (which)
		ac_set_terminator(c, "\n", 1); /* short ones need no memory */
	return c;
}

void ac_ends_close_(struct ac_process *p)
{
	for (int i = 0; i < 3; i++) {
		struct ac_chat *c = *place(p, i);

		if (!c)
			continue;
		((struct end *)c)->p = NULL;
		*place(p, i) = NULL;
		ac_close(&c->d);
	}
}
