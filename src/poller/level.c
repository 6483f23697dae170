/*
 * level.c — Linux epoll, level-triggered: what is ready and was asked for, at every wait.
 *
 * Design: for callers who ask every channel what it wants before each wait, as Python's asyncore
 * does; they need what select and poll answer, without the cost of those who are idle. A wait hands
 * out all that is ready, not a batch of it, if there is memory for that. It is not in the table of
 * pick.c: maps are served by the edge-triggered one. epoll waits in milliseconds; a wait of less than
 * LONG with a fraction of one sleeps in ppoll on the epoll descriptor instead. `set` may be called
 * while another thread waits: only a wait touches the room for what is found.
 */
#include "linux.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#define FIRST 64
#define MS 1000000
#define LONG (20 * (int64_t)MS)

struct level_poller {
	struct ac_poller p;
	int fd;
	atomic_size_t count;
	size_t room;
	struct epoll_event *events;
};

static int level_init(struct ac_poller *p)
{
	struct level_poller *l = (struct level_poller *)p;

	l->fd = epoll_create1(EPOLL_CLOEXEC);
	return l->fd < 0 ? -errno : 0;
}

static void level_fini(struct ac_poller *p)
{
	struct level_poller *l = (struct level_poller *)p;

	close(l->fd);
	ac_free_(l->events);
}

static int make_room(struct level_poller *l, size_t count)
{
	size_t room = l->room ? l->room : FIRST;
	struct epoll_event *events;
	int r;

	if (count <= l->room)
		return 0;
	while (room < count)
		room *= 2;
	r = ac_poller_room_(&l->p, room);
	if (r < 0)
		return r;
	events = ac_realloc_(l->events, room * sizeof(*events));
	if (!events)
		return -ENOMEM;
	l->events = events;
	l->room = room;
	return 0;
}

static int level_set(struct ac_poller *p, int fd, uint64_t token, unsigned old, unsigned events)
{
	struct level_poller *l = (struct level_poller *)p;
	struct epoll_event e = {
		.events = (events & AC_IN ? EPOLLIN : 0u) | (events & AC_OUT ? EPOLLOUT : 0u) |
		          (events & AC_PRI ? EPOLLPRI : 0u),
		.data.u64 = token,
	};
	int op = !old ? EPOLL_CTL_ADD : !events ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;

	if (!old && !events)
		return 0;
	if (op == EPOLL_CTL_DEL && atomic_load(&l->count))
		atomic_fetch_sub(&l->count, 1);
	if (epoll_ctl(l->fd, op, fd, &e) < 0)
		return -errno;
	if (op == EPOLL_CTL_ADD)
		atomic_fetch_add(&l->count, 1);
	return 0;
}

/* Sleeps the part epoll cannot; true: something is ready, or a signal came. */
static bool sleep_finely(int fd, int64_t timeout_ns)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct timespec t = { .tv_nsec = (long)timeout_ns };

	return ppoll(&p, 1, &t, NULL) != 0;
}

static int level_wait(struct ac_poller *p, int64_t timeout_ns)
{
	struct level_poller *l = (struct level_poller *)p;
	size_t count = atomic_load(&l->count);
	int n = make_room(l, count ? count : 1);

	if (n < 0 && !l->room)
		return n;
	if (timeout_ns > 0 && timeout_ns < LONG && timeout_ns % MS) {
		if (!sleep_finely(l->fd, timeout_ns))
			return 0;
		timeout_ns = 0;
	}
	return ac_linux_wait_(p, l->fd, l->events, (int)l->room, timeout_ns);
}

static int level_own_fd(struct ac_poller *p)
{
	return ((struct level_poller *)p)->fd;
}

const struct ac_poller_class ac_poller_level_ = {
	.name = "epoll, level-triggered",
	.size = sizeof(struct level_poller),
	.forgets = true,
	.kernel = true,
	.init = level_init,
	.fini = level_fini,
	.set = level_set,
	.wait = level_wait,
	.fd = level_own_fd,
};
