/*
 * process.c — a child process: three ends, a waiter, and what they come to.
 *
 *	running ──exit──▶ exited ──ends closed, or output_wait──▶ finished: handle_exit, closed
 *	   │ ac_close       │ ac_close
 *	   └───────────▶ closed: ends closed, child killed; the waiter reaps it
 *
 * Design: the process has no descriptor; its ends and its waiter are channels of the library's own, which
 * keep the loop going. What is due next, SIGKILL or the end, is one task: the first stands only before the
 * exit, the second only behind it. The end is told from that task, where no handler is on the stack. All of them
 * stay on one map: each touches the others.
 */
#include "process.h"

#include <errno.h>
#include <signal.h>

static int look(void *arg);

static void look_in(struct ac_process *p, double seconds)
{
	struct ac_map *m = p->d.map;

	ac_task_start_inner_(&p->later, m, ac_map_time_(m) + ac_ns_(seconds), look, p);
}

static void finish(struct ac_process *p)
{
	int r;

	if (!ac_enter_(&p->d))
		return;
	p->finished = true;
	p->d.map->error.code = 0;
	r = ac_process_cls_(p)->handle_exit(p, &p->exit);
	if (r < 0)
		ac_failed_(&p->d, r, "handle_exit");
	ac_close(&p->d);
	ac_leave_(&p->d);
}

/* Output that is held back, or being handled, is not late. */
static bool is_held(const struct ac_chat *c)
{
	return c && (c->d.flags & (AC_IS_PAUSED | AC_IS_BUSY));
}

static int look(void *arg)
{
	struct ac_process *p = arg;
	int64_t quiet = ac_map_time_(p->d.map) - p->heard, wait = ac_ns_(p->output_wait);

	if (!p->exited)
		ac_waiter_kill_(p->waiter, SIGKILL);
	else if ((!p->out && !p->err) || p->output_wait < 0)
		finish(p);
	else if (is_held(p->out) || is_held(p->err))
		look_in(p, p->output_wait);
	else if (quiet < wait)
		look_in(p, (double)(wait - quiet) / 1e9);
	else
		finish(p);
	return 0;
}

void ac_process_settled_(struct ac_process *p)
{
	if (!p->exited || p->finished || (p->d.flags & AC_IS_CLOSING))
		return;
	p->heard = ac_map_time_(p->d.map);
	look_in(p, (p->out || p->err) && p->output_wait > 0 ? p->output_wait : 0);
}

int ac_process_let_go_(struct ac_dispatcher *d)
{
	struct ac_process *p = (struct ac_process *)d;
	struct ac_waiter *w = p->waiter;

	ac_task_cancel(&p->later);
	ac_ends_close_(p);
	p->waiter = NULL;
	if (w)
		ac_waiter_leave_(w);
	return 0;
}

/* Whatever closes it: a class of the user's may have a handle_close of its own. */
static int settle(struct ac_dispatcher *d)
{
	return d->flags & AC_IS_CLOSING ? ac_process_let_go_(d) : 0;
}

static int drop(struct ac_process *p, struct ac_slice record)
{
	(void)p;
	(void)record;
	return 0;
}

static int log_it(struct ac_process *p, struct ac_slice record)
{
	ac_log_info(&p->d, AC_LOG_WARNING, "[%ld] %.*s", (long)p->pid, (int)record.len,
	            (const char *)record.data);
	return 0;
}

static int no_matter(struct ac_process *p)
{
	(void)p;
	return 0;
}

static int just_closed(struct ac_process *p, int end)
{
	(void)p;
	(void)end;
	return 0;
}

static int just_ended(struct ac_process *p, const struct ac_exit *how)
{
	(void)p;
	(void)how;
	return 0;
}

const struct ac_process_class ac_process_class = {
	.d = {
		.super = &ac_dispatcher_class,
		.name = "process",
		.size = sizeof(struct ac_process),
		.class_size = sizeof(struct ac_process_class),
		.flags = AC_OURS,
		.readable = ac_base_readable_,
		.writable = ac_base_writable_,
		.handle_read = ac_base_handle_read_,
		.handle_write = ac_base_handle_write_,
		.handle_eof = ac_base_handle_eof_,
		.settle = settle,
		AC_BASE_METHODS_BUT_CLOSE,
		.handle_close = ac_process_let_go_,
	},
	.handle_stdout = drop,
	.handle_stderr = log_it,
	.handle_drain = no_matter,
	.handle_end = just_closed,
	.handle_exit = just_ended,
};

int ac_kill(struct ac_process *p, int signal)
{
	int r;

	if (p->d.flags & AC_IS_CLOSING)
		return 0;
	r = p->waiter ? ac_waiter_kill_(p->waiter, signal) : -ESRCH;
	return r < 0 ? ac_raise(p, -r) : 0;
}

int ac_terminate(struct ac_process *p, double seconds)
{
	int r;

	if (!ac_is_time_(seconds))
		return ac_raise(p, EINVAL);
	r = ac_kill(p, SIGTERM);
	if (r == 0 && !p->exited && !(p->d.flags & AC_IS_CLOSING))
		look_in(p, seconds);
	return r;
}
