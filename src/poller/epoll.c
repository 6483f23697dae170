/*
 * epoll.c — Linux epoll, edge-triggered.
 *
 * Design: each descriptor is registered once, for everything, and never modified; which events matter is
 * the caller's business. PRI is among them because a read stops short at the out-of-band mark.
 * A closed descriptor leaves epoll by itself; one that a forked child still holds may report late, which
 * the generation in the token catches.
 */
#include "linux.h"

#include <errno.h>
#include <unistd.h>

#define BATCH 512

struct epoll_poller {
	struct ac_poller p;
	int fd;
	struct epoll_event events[BATCH];
};

static int epoll_init(struct ac_poller *p)
{
	struct epoll_poller *e = (struct epoll_poller *)p;

	e->fd = epoll_create1(EPOLL_CLOEXEC);
	if (e->fd < 0)
		return -errno;
	return ac_poller_room_(p, BATCH) < 0 ? (close(e->fd), -ENOMEM) : 0;
}

static void epoll_fini(struct ac_poller *p)
{
	close(((struct epoll_poller *)p)->fd);
}

static int epoll_set(struct ac_poller *p, int fd, uint64_t token, unsigned old, unsigned events)
{
	struct epoll_event e = {
		.events = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET,
		.data.u64 = token,
	};

	if ((old != 0) == (events != 0))
		return 0;
	return epoll_ctl(((struct epoll_poller *)p)->fd, events ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd,
	                 &e) < 0
	               ? -errno
	               : 0;
}

static int epoll_wait_for(struct ac_poller *p, int64_t timeout_ns)
{
	struct epoll_poller *e = (struct epoll_poller *)p;

	return ac_linux_wait_(p, e->fd, e->events, BATCH, timeout_ns);
}

static int epoll_own_fd(struct ac_poller *p)
{
	return ((struct epoll_poller *)p)->fd;
}

const struct ac_poller_class ac_poller_epoll_ = {
	.name = "epoll",
	.size = sizeof(struct epoll_poller),
	.edge = true,
	.forgets = true,
	.kernel = true,
	.init = epoll_init,
	.fini = epoll_fini,
	.set = epoll_set,
	.wait = epoll_wait_for,
	.fd = epoll_own_fd,
};
