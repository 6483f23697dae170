/*
 * spawn.c — a child is started: pipes, posix_spawn, pidfd.
 *
 * Design: whether it can be waited for is asked before the child is started: afterwards it would have to be
 * killed to say no. Between posix_spawn and pidfd_open the child may end, but is not reaped: its id stays its own.
 */
#include "process.h"

#include <errno.h>

#define OUTPUT_WAIT 5.0 /* seconds */

struct plan {
	int ours[3];  /* -1: no pipe */
	int child[3]; /* descriptors above 2, or as AC_SPAWN_NULL … */
	bool own[3];  /* the child's: closed when it has been started */
};

static void close_plan(struct plan *plan)
{
	for (int i = 0; i < 3; i++) {
		if (plan->ours[i] >= 0)
			ac_sys_close_(plan->ours[i]);
		if (plan->own[i])
			ac_sys_close_(plan->child[i]);
		plan->ours[i] = -1;
		plan->own[i] = false;
	}
}

/* Out of the way of the places that it or another is to be copied to. */
static int move_up(struct plan *plan, int i)
{
	int fd = plan->child[i], copy;

	if (fd > 2)
		return 0;
	copy = ac_sys_dup_above_(fd, 3);
	if (plan->own[i])
		ac_sys_close_(fd);
	plan->own[i] = copy >= 0;
	plan->child[i] = copy;
	return copy < 0 ? copy : 0;
}

static int plan_end(struct plan *plan, int i, int wanted)
{
	int fds[2], r;

	plan->child[i] = wanted;
	if (wanted < 0)
		return wanted < AC_SPAWN_OUTPUT || (wanted == AC_SPAWN_OUTPUT && i != 2) ? -EINVAL
		                                                                         : 0;
	if (wanted > 0)
		return move_up(plan, i);
	r = ac_sys_pipe_for_child_(fds);
	if (r < 0)
		return r;
	plan->ours[i] = fds[i == 0];
	plan->child[i] = fds[i != 0];
	plan->own[i] = true;
	return move_up(plan, i);
}

static int can_wait(void)
{
	int fd;

	if (ac_sys_children_vanish_())
		return -ECHILD;
	fd = ac_sys_pidfd_(ac_sys_pid_());
	if (fd >= 0)
		return ac_sys_close_(fd);
	return fd == -ENOSYS || fd == -EPERM ? -ENOTSUP : fd;
}

static int start(const struct ac_spawn_opts *o, struct plan *plan)
{
	const int wanted[] = { o->in, o->out, o->err };
	int r = o->argv && o->argv[0] ? can_wait() : -EINVAL;

	for (int i = 0; r == 0 && i < 3; i++)
		r = plan_end(plan, i, wanted[i]);
	return r < 0 ? r : ac_sys_spawn_(o, plan->child);
}

/* From here on the waiter kills and reaps it. */
static int watch(struct ac_process *p, const struct ac_spawn_opts *o)
{
	int pidfd = ac_sys_pidfd_(p->pid);

	if (pidfd >= 0) {
		p->waiter = ac_waiter_new_(p, pidfd, o);
		return p->waiter ? 0 : -errno;
	}
	return pidfd;
}

static int take_ends(struct ac_process *p, struct plan *plan)
{
	for (int i = 0; i < 3; i++) {
		int fd = plan->ours[i];

		plan->ours[i] = -1;
		if (fd >= 0 && !ac_end_new_(p, fd, i))
			return -errno;
	}
	return 0;
}

static int begin(struct ac_process *p, const struct ac_spawn_opts *o)
{
	struct plan plan = { { -1, -1, -1 }, { 0 }, { false } };
	int r = ac_extra_(&p->d) ? start(o, &plan) : -ENOMEM;

	if (r > 0) {
		p->d.extra->stays = true;
		p->pid = r;
		p->output_wait = o->output_wait == 0 ? OUTPUT_WAIT : o->output_wait;
		r = watch(p, o);
		if (r < 0)
			ac_sys_abandon_(p->pid);
		else
			r = take_ends(p, &plan);
	}
	close_plan(&plan);
	return r;
}

/* A child that was started already, and cannot be listened to, goes with it. */
static struct ac_process *give_up(struct ac_process *p, int code, const char *what)
{
	if (p->waiter)
		p->waiter->leave = false;
	ac_process_let_go_(&p->d);
	ac_raisef(p, code, "%.100s", what ? what : "no program");
	ac_disown_(&p->d);
	ac_free_(p->d.extra);
	ac_free_(p);
	errno = code;
	return NULL;
}

struct ac_process *ac_spawn(struct ac_map *map, const struct ac_process_class *cls,
                            const struct ac_spawn_opts *opts)
{
	struct ac_process *p = (struct ac_process *)ac_new(map, &cls->d);
	int r;

	if (!p)
		return NULL;
	ac_count_forks_();
	r = begin(p, opts);
	return r >= 0 ? p : give_up(p, -r, opts->argv ? opts->argv[0] : NULL);
}
