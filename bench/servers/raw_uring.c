/*
 * raw_uring.c — io_uring by hand.
 *
 * Design: one multishot accept, one multishot recv for each connection into a ring of buffers that all
 * share, sends queued and submitted with the next wait: one system call for a batch of everything.
 * SINGLE_ISSUER and DEFER_TASKRUN leave completions to that call. A short read of whole lines goes
 * back straight from the buffer it is in; else lines are gathered until the batch is handled, so that
 * a connection has one send under way, and order is kept. MSG_WAITALL: the kernel goes on with a
 * short send by itself.
 * Its setup is in uring.h.
 *
 * What differs by work: hangup reads once and links a close behind its send, for a multishot recv
 * would hold the socket open. sink has fewer and larger buffers. file polls for room and calls
 * sendfile: io_uring has none, and its splice goes to worker threads always.
 *
 * Invariants: a connection is freed when no operation on it is left (recv_on, send_on, both false).
 * held counts the buffers of the ring that are being sent from.
 */
#include "uring.h"

#include <poll.h>
#include <sys/sendfile.h>

#define SMALL_COUNT 512 /* buffers of 4 KB */
#define SMALL_SIZE 4096
#define LARGE_COUNT 64 /* of 64 KB, for sink */
#define MOST_HELD (SMALL_COUNT / 2)
#define HIGH_WATER (256 * 1024) /* queued output at which a connection is no longer read */

/* What an operation was, in the low bits of its user data. */
enum { OP_ACCEPT, OP_RECV, OP_SEND, OP_ROOM, OP_IGNORE, OP_MASK = 7 };

struct bytes {
	char *data;
	size_t len, room;
};

struct conn {
	int fd;
	int buffer; /* of the ring, that is being sent from; -1: none */
	bool recv_on, send_on, dead, stopped, dirty;
	bool ended; /* the peer sends no more: end when the output is gone */
	struct bytes tail, pending, flight;
	uint64_t offset;
	struct conn *dirty_next;
	struct conn *next, **link;
};

static struct service service;
static unsigned held;
static struct conn *everybody, *dirty;
static int listener, service_file = -1;

/* ---- connections ------------------------------------------------------------------------- */

static void tag(struct io_uring_sqe *sqe, struct conn *c, unsigned op)
{
	io_uring_sqe_set_data64(sqe, (uint64_t)(uintptr_t)c | op);
}

static void start_accept(void)
{
	struct io_uring_sqe *sqe = next_sqe();
	int flags = SOCK_CLOEXEC | (service.work == WORK_FILE ? SOCK_NONBLOCK : 0);

	io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, flags);
	tag(sqe, NULL, OP_ACCEPT);
}

/* Without RECVSEND_POLL_FIRST, which would save the first try: with it, Linux 6.18 never completes a
 * recv on a socket that was reset before it was armed. */
static void start_recv(struct conn *c)
{
	struct io_uring_sqe *sqe = next_sqe();

	if (service.work == WORK_HANGUP)
		io_uring_prep_recv(sqe, c->fd, NULL, 0, 0);
	else
		io_uring_prep_recv_multishot(sqe, c->fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	tag(sqe, c, OP_RECV);
	c->recv_on = true;
}

/* Reading stops while the peer does not take its answers. */
static void stop_recv(struct conn *c)
{
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_cancel64(sqe, (uint64_t)(uintptr_t)c | OP_RECV, 0);
	tag(sqe, NULL, OP_IGNORE);
	c->stopped = true;
}

static void close_fd(int fd)
{
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_close(sqe, fd);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	tag(sqe, NULL, OP_IGNORE);
}

static void free_if_idle(struct conn *c)
{
	if (!c->dead || c->recv_on || c->send_on || c->dirty)
		return;
	if (c->fd >= 0)
		close_fd(c->fd);
	free(c->tail.data);
	free(c->pending.data);
	free(c->flight.data);
	free(c);
}

/* What is still under way comes to its end when the socket is shut down. */
static void end(struct conn *c)
{
	if (c->dead)
		return;
	c->dead = true;
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	if (c->fd >= 0 && (c->recv_on || c->send_on))
		shutdown(c->fd, SHUT_RDWR);
}

/* ---- output ------------------------------------------------------------------------------ */

static bool append(struct bytes *b, const char *data, size_t len)
{
	if (b->len + len > b->room) {
		size_t room = b->len + len < 2 * b->room ? 2 * b->room : b->len + len;
		char *bigger = room > OUTPUT_LIMIT ? NULL : realloc(b->data, room);

		if (!bigger)
			return false;
		b->data = bigger;
		b->room = room;
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
	return true;
}

static void drop(struct bytes *b)
{
	free(b->data);
	*b = (struct bytes){ 0 };
}

/* hangup: the close is linked to the send and comes when all is sent. */
static void start_send(struct conn *c, const char *data, size_t len)
{
	struct io_uring_sqe *sqe = next_sqe();
	bool last = service.work == WORK_HANGUP;

	if (last && io_uring_sq_space_left(&ring) == 0)
		check(io_uring_submit(&ring), "io_uring_submit");
	io_uring_prep_send(sqe, c->fd, data, len, MSG_NOSIGNAL | MSG_WAITALL);
	tag(sqe, c, OP_SEND);
	c->send_on = true;
	if (!last)
		return;
	sqe->flags |= IOSQE_IO_LINK;
	close_fd(c->fd);
}

static void send_later(struct conn *c, const char *data, size_t len)
{
	if (c->dead)
		return;
	if (!append(&c->pending, data, len)) {
		end(c);
		return;
	}
	if (c->dirty)
		return;
	c->dirty = true;
	c->dirty_next = dirty;
	dirty = c;
}

static void send_pending(struct conn *c)
{
	struct bytes b = c->flight;

	if (c->send_on || c->dead || c->pending.len == 0)
		return;
	c->flight = c->pending;
	c->pending = b;
	start_send(c, c->flight.data, c->flight.len);
}

static void send_dirty(void)
{
	while (dirty) {
		struct conn *c = dirty;

		dirty = c->dirty_next;
		c->dirty = false;
		send_pending(c);
		if (c->pending.len > HIGH_WATER && c->recv_on && !c->stopped)
			stop_recv(c);
		free_if_idle(c);
	}
}

/* source: the next of the block. */
static void send_block(struct conn *c)
{
	uint64_t left = service.bytes - c->offset;
	size_t at = (size_t)(c->offset % SOURCE_BLOCK);

	if (left == 0)
		end(c);
	else
		start_send(c, block + at,
		           left < SOURCE_BLOCK - at ? (size_t)left : SOURCE_BLOCK - at);
}

static void wait_room(struct conn *c)
{
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_poll_add(sqe, c->fd, POLLOUT);
	tag(sqe, c, OP_ROOM);
	c->send_on = true;
}

static void send_file(struct conn *c)
{
	off_t offset = (off_t)c->offset;
	ssize_t n = sendfile(c->fd, service_file, &offset, service.bytes - c->offset);

	c->offset = (uint64_t)offset;
	if ((n < 0 && errno != EAGAIN) || n == 0 || c->offset == service.bytes)
		end(c);
	else
		wait_room(c);
}

/* ---- input ------------------------------------------------------------------------------- */

/* Sends whole lines; true if straight from the buffer, which is kept until they are sent. */
static bool answer(struct conn *c, const char *data, size_t len, int id)
{
	if (service.work == WORK_BROADCAST) {
		for (struct conn *each = everybody, *next; each; each = next) {
			next = each->next;
			send_later(each, data, len);
		}
		return false;
	}
	if (id < 0 || c->send_on || c->pending.len > 0 || held >= MOST_HELD) {
		send_later(c, data, len);
		return false;
	}
	held++;
	c->buffer = id;
	start_send(c, data, len);
	return true;
}

/* A line that began earlier: it is put together in the tail. */
static void take_with_tail(struct conn *c, const char *data, size_t len)
{
	size_t searched = c->tail.len, done;

	if (!append(&c->tail, data, len)) {
		end(c);
		return;
	}
	done = lines_end(c->tail.data, c->tail.len, searched, service.work == WORK_HANGUP);
	if (done > 0)
		answer(c, c->tail.data, done, -1);
	c->tail.len -= done;
	memmove(c->tail.data, c->tail.data + done, c->tail.len);
	if (c->tail.len == 0)
		drop(&c->tail);
	else if (c->tail.len > LINE_LIMIT)
		end(c);
}

/* Whether the buffer is kept. */
static bool take(struct conn *c, const char *data, size_t len, int id)
{
	size_t done;

	if (service.work == WORK_SINK || service.work == WORK_SOURCE || c->dead)
		return false;
	if (c->tail.len > 0) {
		take_with_tail(c, data, len);
		return false;
	}
	done = lines_end(data, len, 0, service.work == WORK_HANGUP);
	if (done < len && service.work != WORK_HANGUP &&
	    !append(&c->tail, data + done, len - done)) {
		end(c);
		return false;
	}
	if (done == 0 && service.work == WORK_HANGUP)
		append(&c->tail, data, len);
	return done > 0 && answer(c, data, done, len < buffer_size ? id : -1);
}

/* ---- completions ------------------------------------------------------------------------- */

static void on_accept(const struct io_uring_cqe *cqe)
{
	struct conn *c = cqe->res < 0 ? NULL : calloc(1, sizeof(*c));

	if (!(cqe->flags & IORING_CQE_F_MORE))
		start_accept();
	if (cqe->res < 0)
		return;
	if (!c) {
		close_fd(cqe->res);
		return;
	}
	c->fd = cqe->res;
	c->buffer = -1;
	c->next = everybody;
	c->link = &everybody;
	if (everybody)
		everybody->link = &c->next;
	everybody = c;
	if (service.work == WORK_FILE)
		send_file(c);
	else if (service.work == WORK_SOURCE)
		send_block(c);
	else
		start_recv(c);
	free_if_idle(c);
}

/* An operation is done. Reads on, unless the peer has ended; then that is the end, when all is sent. */
static void go_on(struct conn *c)
{
	bool sending = c->send_on || c->pending.len > 0;

	if (c->ended && !sending)
		end(c);
	if (!c->recv_on && !c->dead && !c->ended &&
	    !(sending && (c->stopped || service.work == WORK_HANGUP))) {
		c->stopped = false;
		start_recv(c);
	}
	free_if_idle(c);
}

static void on_recv(struct conn *c, const struct io_uring_cqe *cqe)
{
	int id = (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
	bool ended =
		cqe->res == 0 || (cqe->res < 0 && cqe->res != -ENOBUFS && cqe->res != -ECANCELED);

	c->recv_on = cqe->flags & IORING_CQE_F_MORE;
	if (cqe->flags & IORING_CQE_F_BUFFER)
		if (cqe->res <= 0 || !take(c, buffer_at(id), (size_t)cqe->res, id))
			return_buffer(id);
	c->ended |= ended;
	if (cqe->res < 0 && ended)
		end(c);
	go_on(c);
}

static void on_send(struct conn *c, const struct io_uring_cqe *cqe)
{
	c->send_on = false;
	if (c->buffer >= 0) {
		return_buffer(c->buffer);
		c->buffer = -1;
		held--;
	}
	drop(&c->flight);
	if (cqe->res > 0)
		c->offset += (uint64_t)cqe->res;
	if (cqe->res <= 0) {
		end(c);
	} else if (service.work == WORK_HANGUP) {
		c->fd = -1; /* closed by the link */
		end(c);
	} else if (service.work == WORK_SOURCE) {
		send_block(c);
	} else {
		send_pending(c);
		go_on(c);
		return;
	}
	free_if_idle(c);
}

static void on_room(struct conn *c, const struct io_uring_cqe *cqe)
{
	c->send_on = false;
	if (cqe->res < 0)
		end(c);
	else
		send_file(c);
	free_if_idle(c);
}

static void complete(const struct io_uring_cqe *cqe)
{
	struct conn *c = (struct conn *)(uintptr_t)(cqe->user_data & ~(uint64_t)OP_MASK);

	switch (cqe->user_data & OP_MASK) {
	case OP_ACCEPT:
		on_accept(cqe);
		break;
	case OP_RECV:
		on_recv(c, cqe);
		break;
	case OP_SEND:
		on_send(c, cqe);
		break;
	case OP_ROOM:
		on_room(c, cqe);
		break;
	}
}

static void serve_batch(void)
{
	struct io_uring_cqe *cqe;
	unsigned head, count = 0;

	io_uring_for_each_cqe(&ring, head, cqe)
	{
		complete(cqe);
		count++;
	}
	io_uring_cq_advance(&ring, count);
	send_dirty();
	publish_buffers();
}

int main(int argc, char **argv)
{
	service = start_service(argc, argv, ALL_WORKS);
	if (service.work == WORK_FILE && (service_file = open(service.path, O_RDONLY)) < 0)
		fail(service.path);
	open_ring();
	if (service.work == WORK_SINK)
		open_buffers(LARGE_COUNT, READ_SIZE);
	else
		open_buffers(SMALL_COUNT, SMALL_SIZE);
	listener = listen_on(service.address);
	fcntl(listener, F_SETFL,
	      0); /* io_uring waits by itself; EAGAIN is what it would say else */
	start_accept();
	for (;;) {
		int r = io_uring_submit_and_wait(&ring, 1);

		if (r < 0 && r != -EINTR)
			check(r, "io_uring_submit_and_wait");
		serve_batch();
	}
}
