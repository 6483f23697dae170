/* linux.h — the bits in which the kernel tells what is ready: epoll's, which io_uring's polls give too. */
#ifndef AC_POLLER_LINUX_H
#define AC_POLLER_LINUX_H

#include "poller.h"

#include <sys/epoll.h>

static inline unsigned ac_linux_events_(uint32_t e)
{
	return (e & EPOLLIN ? AC_IN : 0u) | (e & EPOLLOUT ? AC_OUT : 0u) |
	       (e & EPOLLPRI ? AC_PRI : 0u) | (e & EPOLLERR ? AC_ERR : 0u) |
	       (e & EPOLLHUP ? AC_HUP : 0u) | (e & EPOLLRDHUP ? AC_RDHUP : 0u);
}

#endif
