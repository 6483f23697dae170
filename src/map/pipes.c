/*
 * pipes.c — pipes that channels borrow while bytes are under way from one to another.
 *
 * Design: as the map's other memory, they belong to it, so that a relay that is idle holds none. A few are
 * kept; what is lent is bounded, because each costs two descriptors. A pipe that was made before a fork is
 * also the parent's: it is never used again.
 */
#include "map.h"

#define PIPE_SIZE (1 << 20)
#define SMALLER (1 << 18) /* what a user whose pipes are many may still have */
#define SMALLEST 65536    /* and what each has, without asking */

static void destroy(struct ac_pipe *p)
{
	ac_sys_close_(p->fds[0]);
	ac_sys_close_(p->fds[1]);
	ac_free_(p);
}

static struct ac_pipe *make(void)
{
	struct ac_pipe *p = ac_alloc_(sizeof(*p));
	int r = p ? ac_sys_pipe_(p->fds) : -1;

	if (r < 0) {
		ac_free_(p);
		return NULL;
	}
	ac_count_forks_();
	p->forks = ac_forks_;
	r = ac_sys_pipe_grow_(p->fds[1], PIPE_SIZE);
	if (r < 0)
		r = ac_sys_pipe_grow_(p->fds[1], SMALLER);
	p->size = r < 0 ? SMALLEST : (size_t)r;
	return p;
}

static struct ac_pipe *take_kept(struct ac_map *m)
{
	struct ac_pipe *p = m->pipes;

	m->pipes = p->next;
	m->pipe_count--;
	return p;
}

struct ac_pipe *ac_pipe_take_(struct ac_map *m)
{
	struct ac_pipe *p = NULL;

	if (m->pipes_out >= AC_PIPES_MOST)
		return NULL;
	while (!p && m->pipes) {
		p = take_kept(m);
		if (p->forks != ac_forks_) {
			destroy(p);
			p = NULL;
		}
	}
	if (!p)
		p = make();
	if (p)
		m->pipes_out++;
	return p;
}

void ac_pipe_give_(struct ac_map *m, struct ac_pipe *p, bool empty)
{
	m->pipes_out--;
	if (!empty || m->pipe_count == AC_PIPES_KEPT) {
		destroy(p);
		return;
	}
	p->next = m->pipes;
	m->pipes = p;
	m->pipe_count++;
}

void ac_pipes_free_(struct ac_map *m)
{
	while (m->pipes)
		destroy(take_kept(m));
}
