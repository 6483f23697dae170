/*
 * uring.c — readiness from Linux io_uring: a multishot poll for each descriptor, edge-triggered as epoll is.
 *
 * Design: requests are written into the ring and handed over with the next wait, so that watching costs no
 * system call of its own. A request in the kernel holds the open file: forgetting a descriptor is therefore
 * handed over at once, or its close would not reach the peer.
 * Limits: a ring belongs to the thread that first waits on it; the caller makes another one elsewhere.
 */
#include "linux.h"
#include "ring.h"

#include <sys/epoll.h>
#include <sys/stat.h>

#define REQUESTS 128
#define ANSWERS 2048
#define BATCH 512

struct uring_poller {
	struct ac_poller p;
	struct ac_ring ring;
	bool guest; /* somebody else waits for us: nothing may lie about in the ring */
};

static int uring_init(struct ac_poller *p)
{
	struct uring_poller *u = (struct uring_poller *)p;
	int r = ac_ring_init_(&u->ring, REQUESTS, ANSWERS);

	if (r == 0 && ac_poller_room_(p, BATCH) < 0) {
		ac_ring_fini_(&u->ring);
		return -ENOMEM;
	}
	return r;
}

static void uring_fini(struct ac_poller *p)
{
	struct uring_poller *u = (struct uring_poller *)p;

	if (ac_poller_is_stale_(p))
		ac_ring_forget_(&u->ring);
	else
		ac_ring_fini_(&u->ring);
}

/* epoll knows which other descriptors can be polled: the answer is needed now, not with the next wait. */
static int ask_epoll(int fd)
{
	struct epoll_event e = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC), r;

	if (ep < 0)
		return -errno;
	r = epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
	close(ep);
	return r;
}

static int check(int fd)
{
	struct stat s;

	if (fstat(fd, &s) < 0)
		return -errno;
	return S_ISSOCK(s.st_mode) || S_ISFIFO(s.st_mode) ? 0 : ask_epoll(fd);
}

static int uring_set(struct ac_poller *p, int fd, uint64_t token, unsigned old, unsigned events)
{
	struct uring_poller *u = (struct uring_poller *)p;
	int r;

	if ((old != 0) == (events != 0))
		return 0;
	if (!events) {
		r = ac_ring_unpoll_(&u->ring, token);
		return r < 0 ? r : ac_ring_submit_(&u->ring);
	}
	r = check(fd);
	if (r == 0)
		r = ac_ring_poll_(&u->ring, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP, token);
	return r < 0 || !u->guest ? r : ac_ring_submit_(&u->ring);
}

/* A poll ends by itself when its answers do not fit into the ring: the caller sets it up again. */
static bool translate(const struct io_uring_cqe *a, struct ac_found *f)
{
	unsigned lapsed = a->flags & IORING_CQE_F_MORE ? 0 : AC_LAPSED;

	if (a->user_data == AC_RING_NOBODY || a->res == -ECANCELED)
		return false;
	f->token = a->user_data;
	f->events = a->res < 0 ? AC_ERR : ac_linux_events_((uint32_t)a->res) | lapsed;
	return true;
}

static int uring_wait(struct ac_poller *p, int64_t timeout_ns)
{
	struct uring_poller *u = (struct uring_poller *)p;
	int r = ac_ring_wait_(&u->ring, timeout_ns), n = 0;
	unsigned head, seen = 0;
	struct io_uring_cqe *a;

	if (r < 0)
		return r == -EINTR ? 0 : r;
	io_uring_for_each_cqe(&u->ring.uring, head, a)
	{
		if (n == BATCH)
			break;
		seen++;
		n += translate(a, &p->found[n]);
	}
	io_uring_cq_advance(&u->ring.uring, seen);
	return n;
}

static int uring_own_fd(struct ac_poller *p)
{
	struct uring_poller *u = (struct uring_poller *)p;
	int r = ac_ring_submit_(&u->ring);

	u->guest = true;
	return r < 0 ? r : u->ring.uring.ring_fd;
}

const struct ac_poller_class ac_poller_uring_ = {
	.name = "io_uring",
	.size = sizeof(struct uring_poller),
	.edge = true,
	.kernel = true,
	.init = uring_init,
	.fini = uring_fini,
	.set = uring_set,
	.wait = uring_wait,
	.fd = uring_own_fd,
};
