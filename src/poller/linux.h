/* linux.h — what both users of epoll do, and the bits in which it tells what is ready; io_uring's polls give them too. */
#ifndef AC_POLLER_LINUX_H
#define AC_POLLER_LINUX_H

#include "poller.h"

#include <errno.h>
#include <sys/epoll.h>

static inline unsigned ac_linux_events_(uint32_t e)
{
	return (e & EPOLLIN ? AC_IN : 0u) | (e & EPOLLOUT ? AC_OUT : 0u) |
	       (e & EPOLLPRI ? AC_PRI : 0u) | (e & EPOLLERR ? AC_ERR : 0u) |
	       (e & EPOLLHUP ? AC_HUP : 0u) | (e & EPOLLRDHUP ? AC_RDHUP : 0u);
}

/* Waits with epoll, and leaves what it gives in found, which has room for as much. */
static inline int ac_linux_wait_(struct ac_poller *p, int fd, struct epoll_event *events, int room,
                                 int64_t timeout_ns)
{
	int n = epoll_wait(fd, events, room, ac_poller_ms_(timeout_ns));

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++)
		p->found[i] =
			(struct ac_found){ events[i].data.u64, ac_linux_events_(events[i].events) };
	return n;
}

#endif
