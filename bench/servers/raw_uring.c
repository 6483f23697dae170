/*
 * raw_uring.c — io_uring by hand.
 *
 * Design: one multishot accept, one multishot recv for each connection into a ring of buffers that all
 * share, sends queued and submitted with the next wait: one system call for a batch of everything
 * (setup: uring.h). Whole lines go back straight from the buffers they are in. What a batch brought
 * for a connection goes out with one send, and the next waits for its end: that keeps the order
 * (uring_out.h).
 *
 * What differs by work: hangup reads once and links a close behind its send, for a multishot recv
 * would hold the socket open. sink has fewer and larger buffers. file polls for room and calls
 * sendfile: io_uring has none, and its splice goes to worker threads always.
 *
 * Invariants: a connection is freed when no operation on it is left (recv_on, send_on, both false).
 */
#include "uring_out.h"

#include <poll.h>
#include <sys/sendfile.h>

#define SMALL_COUNT MOST_BUFFERS
#define SMALL_SIZE 4096
#define LARGE_COUNT 64          /* of 64 KB, for sink */
#define HIGH_WATER (256 * 1024) /* queued output at which a connection is no longer read */

/* What an operation was, in the low bits of its user data. */
enum { OP_ACCEPT, OP_RECV, OP_SEND, OP_ROOM, OP_IGNORE, OP_MASK = 7 };

struct conn {
	int fd;
	bool recv_on, send_on, dead, stopped, dirty;
	bool ended;                      /* the peer sends no more: end when the output is gone */
	struct bytes tail;               /* the beginning of a line */
	struct output *waiting, *flight; /* to be sent; being sent */
	uint64_t offset;                 /* source, file: bytes sent */
	struct conn *dirty_next;
	struct conn *next, **link;
};

static struct service service;
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
	output_free(c->waiting);
	output_free(c->flight);
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

/* hangup: the close is linked to the send and comes when all is sent. */
static void start_send(struct conn *c)
{
	bool last = service.work == WORK_HANGUP;
	struct io_uring_sqe *sqe;

	if (last && io_uring_sq_space_left(&ring) < 2)
		check(io_uring_submit(&ring), "io_uring_submit");
	sqe = next_sqe();
	c->flight = c->waiting;
	c->waiting = NULL;
	output_prepare(c->flight, sqe, c->fd);
	tag(sqe, c, OP_SEND);
	c->send_on = true;
	if (!last)
		return;
	sqe->flags |= IOSQE_IO_LINK;
	close_fd(c->fd);
}

static struct output *waiting_output(struct conn *c)
{
	if (!c->waiting)
		c->waiting = output_new();
	if (!c->dirty) {
		c->dirty = true;
		c->dirty_next = dirty;
		dirty = c;
	}
	return c->waiting;
}

static void send_later(struct conn *c, const char *data, size_t len, int buffer)
{
	struct output *o = c->dead ? NULL : waiting_output(c);

	if (!o || o->len > OUTPUT_LIMIT || !output_add(o, data, len, buffer))
		end(c);
}

/* The batch is handled: what it brought goes out. */
static void send_dirty(void)
{
	while (dirty) {
		struct conn *c = dirty;

		dirty = c->dirty_next;
		c->dirty = false;
		if (c->waiting && !c->send_on && !c->dead)
			start_send(c);
		if (c->waiting && c->waiting->len > HIGH_WATER && c->recv_on && !c->stopped)
			stop_recv(c);
		free_if_idle(c);
	}
}

/* source: the next of the block. */
static void send_block(struct conn *c)
{
	uint64_t left = service.bytes - c->offset;
	size_t at = (size_t)(c->offset % SOURCE_BLOCK);
	size_t len = left < SOURCE_BLOCK - at ? (size_t)left : SOURCE_BLOCK - at;
	struct io_uring_sqe *sqe;

	if (left == 0) {
		end(c);
		return;
	}
	sqe = next_sqe();
	io_uring_prep_send(sqe, c->fd, block + at, len, MSG_NOSIGNAL | MSG_WAITALL);
	tag(sqe, c, OP_SEND);
	c->send_on = true;
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

static void answer(struct conn *c, const char *data, size_t len, int buffer)
{
	if (service.work != WORK_BROADCAST) {
		send_later(c, data, len, buffer);
		return;
	}
	for (struct conn *each = everybody, *next; each; each = next) {
		next = each->next;
		send_later(each, data, len, buffer);
	}
}

/* The tail has become one long line, or more: its memory goes out as it is, and what is behind the
 * last line is the next tail. */
static void answer_tail(struct conn *c, size_t done)
{
	struct bytes line = c->tail, rest = { 0 };

	if (done < line.len && !append(&rest, line.data + done, line.len - done)) {
		end(c);
		return;
	}
	c->tail = rest;
	line.len = done;
	if (service.work != WORK_BROADCAST && done >= buffer_size) {
		struct output *o = waiting_output(c);

		if (o && o->len <= OUTPUT_LIMIT && output_own(o, line))
			return;
	}
	answer(c, line.data, done, -1);
	free(line.data);
}

static void take_with_tail(struct conn *c, const char *data, size_t len)
{
	size_t searched = c->tail.len, done;

	if (!append(&c->tail, data, len)) {
		end(c);
		return;
	}
	done = lines_end(c->tail.data, c->tail.len, searched, service.work == WORK_HANGUP);
	if (done > 0)
		answer_tail(c, done);
	if (c->tail.len > LINE_LIMIT)
		end(c);
}

static void take(struct conn *c, const char *data, size_t len, int buffer)
{
	bool only_first = service.work == WORK_HANGUP;
	size_t done;

	if (service.work == WORK_SINK || c->dead)
		return;
	if (c->tail.len > 0) {
		take_with_tail(c, data, len);
		return;
	}
	done = lines_end(data, len, 0, only_first);
	if (done > 0)
		answer(c, data, done, buffer);
	if (done < len && !(only_first && done > 0) && !append(&c->tail, data + done, len - done))
		end(c);
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
	bool sending = c->send_on || c->waiting;

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
	if (cqe->flags & IORING_CQE_F_BUFFER) {
		use_buffer(id);
		if (cqe->res > 0)
			take(c, buffer_at(id), (size_t)cqe->res, id);
		release_buffer(id);
	}
	c->ended |= ended;
	if (cqe->res < 0 && ended)
		end(c);
	go_on(c);
}

/* A short send is one that failed on its way. */
static void on_send(struct conn *c, const struct io_uring_cqe *cqe)
{
	bool all = c->flight ? cqe->res == (int)c->flight->len : cqe->res > 0;

	c->send_on = false;
	output_free(c->flight);
	c->flight = NULL;
	if (all && service.work == WORK_HANGUP)
		c->fd = -1; /* closed by the link */
	if (!all || service.work == WORK_HANGUP) {
		end(c);
	} else if (service.work == WORK_SOURCE) {
		c->offset += (unsigned)cqe->res;
		send_block(c);
	} else {
		if (c->waiting && !c->dead)
			start_send(c);
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
