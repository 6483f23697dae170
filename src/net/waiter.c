/*
 * waiter.c — the end of a child, by its pidfd.
 *
 * Design: the child stays a zombie until its process closes, so that its id, and its group's, can still be
 * signalled and mean nobody else. Where the program has reaped it itself the id may be another's: nobody is
 * signalled then. In a forked child a process closes when its parent's child ends: nobody there can tell how.
 * A waiter whose process has closed goes on by itself until the child can be reaped; if the map goes first it waits a moment for a child that it has killed.
 */
#include "process.h"

#include <errno.h>
#include <signal.h>

#define REAP_MS 1000 /* a killed child is gone sooner unless the kernel is stuck with it */

static bool is_ours(const struct ac_waiter *w)
{
	return w->forks == ac_forks_;
}

int ac_waiter_kill_(const struct ac_waiter *w, int signal)
{
	if (!is_ours(w))
		return -ESRCH;
	if (!w->group)
		return w->exited ? -ESRCH : ac_sys_pidfd_kill_(w->d.fd, signal);
	if (ac_sys_pidfd_kill_(w->d.fd, 0) == -ESRCH) /* reaped by somebody else */
		return -ESRCH;
	return ac_sys_kill_(-w->pid, signal);
}

/* It stays readable, and is hung up once it is reaped: there is nothing more to hear. */
static void rest(struct ac_dispatcher *d)
{
	d->flags |= AC_IS_PAUSED | AC_IS_NUMB;
	d->ready = 0;
}

static int handle_read(struct ac_dispatcher *d)
{
	struct ac_waiter *w = (struct ac_waiter *)d;
	struct ac_exit how;
	int r;

	d->flags |= AC_HAS_READ;
	if (!is_ours(w)) {
		ac_close(d);
		return 0;
	}
	r = ac_sys_exit_of_(d->fd, false, &how);
	if (r == -EAGAIN)
		d->ready &= (uint8_t)~AC_IN;
	if (r < 0)
		return r == -EAGAIN ? 0 : ac_raise(d, -r);
	w->exited = true;
	if (!w->p) {
		ac_close(d);
		return 0;
	}
	rest(d);
	w->p->exited = true;
	w->p->exit = how;
	ac_process_settled_(w->p);
	return 0;
}

static int handle_close(struct ac_dispatcher *d)
{
	struct ac_waiter *w = (struct ac_waiter *)d;
	struct ac_process *p = w->p;
	struct ac_exit how;

	if (is_ours(w) && !w->exited && !w->leave && ac_waiter_kill_(w, SIGKILL) == 0)
		ac_sys_pidfd_wait_(d->fd, REAP_MS);
	if (is_ours(w))
		ac_sys_exit_of_(d->fd, true, &how);
	w->p = NULL;
	if (p) {
		p->waiter = NULL;
		ac_close(&p->d);
	}
	return 0;
}

static const struct ac_class waiter_class = {
	.super = &ac_dispatcher_class,
	.name = "waiter",
	.size = sizeof(struct ac_waiter),
	.flags = AC_OURS | AC_INNER,
	.handle_read = handle_read,
	.handle_close = handle_close,
};

struct ac_waiter *ac_waiter_new_(struct ac_process *p, int pidfd, const struct ac_spawn_opts *o)
{
	struct ac_waiter *w = (struct ac_waiter *)ac_adopt(p->d.map, &waiter_class, pidfd, NULL);

	if (!w)
		return NULL;
	w->p = p;
	w->pid = p->pid;
	w->forks = ac_forks_;
	w->group = o->new_group || o->new_session;
	w->leave = o->leave;
	return w;
}

void ac_waiter_leave_(struct ac_waiter *w)
{
	w->p = NULL;
	if (!w->exited && !w->leave)
		ac_waiter_kill_(w, SIGKILL);
	if (w->exited || !is_ours(w))
		ac_close(&w->d);
}
