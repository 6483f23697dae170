/*
 * uring.c — Linux io_uring: input of chats as it comes, and readiness of everything else, edge-triggered.
 *
 * Design: a multishot receive for each descriptor that is fed, into buffers that all of them share; a multishot
 * poll for the others. Requests are written into the ring and handed over with the next wait, so that they
 * cost no system call of their own. A request in the kernel holds the open file: forgetting a descriptor is
 * therefore handed over at once, or its close would not reach the peer.
 * Limits: a ring belongs to the thread that first waits on it; the caller makes another one elsewhere. A poll
 * says AC_PRI of any input: it tells what woke it, not what is there.
 */
#include "linux.h"
#include "ring.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#define REQUESTS 128
#define ANSWERS 2048
#define BATCH 512
#define SENDS 512
#define SEND_ROOM 65536
#define SEND_MOST 2048 /* copying more costs as much as a system call */

/* Output that goes out with the next wait. */
struct send {
	uint64_t token;
	unsigned at, len; /* in `output` */
	int result;
};

struct uring_poller {
	struct ac_poller p;
	struct ac_ring ring;
	struct send sends[SENDS];
	unsigned send_count, output_len;
	bool untold; /* they were sent, but answers of some that failed may still be to come */
	char output[SEND_ROOM];
	bool guest; /* somebody else waits for us: nothing may lie about in the ring */
};

static int uring_init(struct ac_poller *p)
{
	struct uring_poller *u = (struct uring_poller *)p;
	int r = ac_ring_init_(&u->ring, REQUESTS, ANSWERS);

	if (r == 0 && ac_poller_room_(p, BATCH + SENDS) < 0) {
		ac_ring_fini_(&u->ring, false);
		return -ENOMEM;
	}
	return r;
}

static void uring_fini(struct ac_poller *p)
{
	ac_ring_fini_(&((struct uring_poller *)p)->ring, ac_poller_is_stale_(p));
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

/* Slots are never so many: in a token there is room for what the request was. A send has its number. */
#define RECEIVE ((uint64_t)1 << 31)
#define SEND ((uint64_t)1 << 30)

static int set_poll(struct ac_ring *ring, int fd, uint64_t token, unsigned old, unsigned events)
{
	unsigned what = EPOLLIN | EPOLLOUT | EPOLLRDHUP | (events & AC_PRI ? EPOLLPRI : 0u);

	if ((old != 0) == (events != 0))
		return 0;
	return events ? ac_ring_poll_(ring, fd, what, token) : ac_ring_cancel_(ring, token);
}

static int set_receive(struct ac_ring *ring, int fd, uint64_t token, unsigned old, unsigned events)
{
	if (old == events)
		return 0;
	return events ? ac_ring_recv_(ring, fd, token | RECEIVE)
	              : ac_ring_cancel_(ring, token | RECEIVE);
}

static int uring_set(struct ac_poller *p, int fd, uint64_t token, unsigned old, unsigned events)
{
	struct uring_poller *u = (struct uring_poller *)p;
	const unsigned feed = AC_FEED;
	int r = old || (events & feed) ? 0 : check(fd);

	if (r == 0)
		r = set_poll(&u->ring, fd, token, old & ~feed, events & ~feed);
	if (r == 0)
		r = set_receive(&u->ring, fd, token, old & feed, events & feed);
	if (r < 0 || (events && !u->guest))
		return r;
	return ac_ring_submit_(&u->ring);
}

/* No buffer left is no failure: those that are given back serve the next request. */
static void received(const struct uring_poller *u, const struct io_uring_cqe *a, struct ac_found *f)
{
	f->token = a->user_data & ~RECEIVE;
	f->events |= AC_DATA;
	f->len = a->res == -ENOBUFS ? -EAGAIN : a->res;
	if (a->res == AC_RING_BUFFER_SIZE)
		f->events |= AC_FULL;
	if (a->flags & IORING_CQE_F_BUFFER) {
		f->buffer = a->flags >> IORING_CQE_BUFFER_SHIFT;
		f->data = u->ring.buffers + (size_t)f->buffer * AC_RING_BUFFER_SIZE;
	}
}

/* A request ends by itself when its answers do not fit into the ring: the caller sets it up again. */
static bool translate(struct uring_poller *u, const struct io_uring_cqe *a, struct ac_found *f)
{
	if (a->user_data == AC_RING_NOBODY || a->res == -ECANCELED)
		return false;
	if (a->user_data & SEND) {
		u->sends[a->user_data & ~SEND].result = a->res;
		return false;
	}
	f->token = a->user_data;
	f->data = NULL;
	f->events = a->flags & IORING_CQE_F_MORE ? 0 : AC_LAPSED;
	if (a->user_data & RECEIVE)
		received(u, a, f);
	else
		f->events = a->res < 0 ? AC_ERR : f->events | ac_linux_events_((uint32_t)a->res);
	return true;
}

static void tell_of_send(const struct uring_poller *u, const struct send *s, struct ac_found *f)
{
	*f = (struct ac_found){ s->token, AC_SENT, s->result, u->output + s->at, s->len };
}

/* They have all been tried, and the answers of those that failed are in. */
static int sends_done(struct uring_poller *u, struct ac_found *found)
{
	int n = 0;

	for (unsigned i = 0; i < u->send_count; i++)
		if (u->sends[i].token != AC_RING_NOBODY)
			tell_of_send(u, &u->sends[i], &found[n++]);
	u->send_count = u->output_len = 0;
	return n;
}

static int uring_wait(struct ac_poller *p, int64_t timeout_ns)
{
	struct uring_poller *u = (struct uring_poller *)p;
	int r = ac_ring_wait_(&u->ring, u->untold ? 0 : timeout_ns), n = 0;
	unsigned head, seen = 0;
	struct io_uring_cqe *a;

	if (r < 0)
		return r == -EINTR ? 0 : r;
	io_uring_for_each_cqe(&u->ring.uring, head, a)
	{
		if (n == BATCH)
			break;
		seen++;
		n += translate(u, a, &p->found[n]);
	}
	io_uring_cq_advance(&u->ring.uring, seen);
	u->untold = u->send_count && (n == BATCH || ac_ring_overflows_(&u->ring));
	if (!u->untold)
		n += sends_done(u, p->found + n);
	return n;
}

static bool uring_send(struct ac_poller *p, int fd, uint64_t token, struct ac_slice data)
{
	struct uring_poller *u = (struct uring_poller *)p;
	struct ac_slice copy = { u->output + u->output_len, data.len };

	if (data.len > SEND_MOST || u->send_count == SENDS ||
	    data.len > SEND_ROOM - u->output_len ||
	    ac_ring_send_(&u->ring, fd, copy, SEND | u->send_count) < 0)
		return false;
	memcpy(u->output + u->output_len, data.data, data.len);
	u->sends[u->send_count++] =
		(struct send){ token, u->output_len, (unsigned)data.len, (int)data.len };
	u->output_len += (unsigned)data.len;
	return true;
}

static int uring_flush(struct ac_poller *p)
{
	struct uring_poller *u = (struct uring_poller *)p;

	return u->send_count ? ac_ring_submit_(&u->ring) : 0;
}

static void uring_give_back(struct ac_poller *p, const struct ac_found *f)
{
	if (f->data)
		ac_ring_lend_(&((struct uring_poller *)p)->ring, f->buffer);
}

static bool sent_of(struct uring_poller *u, uint64_t token, struct ac_found *ret_found)
{
	for (unsigned i = 0; i < u->send_count; i++) {
		if (u->sends[i].token != token)
			continue;
		tell_of_send(u, &u->sends[i], ret_found);
		u->sends[i].token = AC_RING_NOBODY;
		return true;
	}
	return false;
}

/* What is taken out of the middle stays in the ring as an answer for nobody. */
static bool uring_left_over(struct ac_poller *p, uint64_t token, struct ac_found *ret_found)
{
	struct uring_poller *u = (struct uring_poller *)p;
	struct io_uring_cqe *a;
	unsigned head;

	if (ac_poller_is_stale_(p)) /* the parent sends it, and reads */
		return sent_of(u, token, ret_found);
	io_uring_for_each_cqe(&u->ring.uring, head, a)
	{
		bool is_send = a->user_data != AC_RING_NOBODY && (a->user_data & SEND);

		if (a->user_data != (token | RECEIVE) && !is_send)
			continue;
		is_send = !translate(u, a, ret_found);
		a->user_data = AC_RING_NOBODY;
		if (!is_send)
			return true;
	}
	return sent_of(u, token, ret_found);
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
	.feeds = true,
	.vague = true,
	.kernel = true,
	.init = uring_init,
	.fini = uring_fini,
	.set = uring_set,
	.wait = uring_wait,
	.fd = uring_own_fd,
	.send = uring_send,
	.flush = uring_flush,
	.give_back = uring_give_back,
	.left_over = uring_left_over,
};
