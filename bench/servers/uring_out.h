/*
 * uring_out.h — what raw_uring.c has to send on a connection: pieces that go out with one call.
 *
 * Design: a piece lies in a buffer of the ring it was read into, which is given back when its last
 * user has sent it, or in memory of its own, where a line came in parts or buffers are short.
 *
 * Invariants: users[id] > 0 for a buffer that the kernel must not have yet; held counts those.
 */
#ifndef BENCH_URING_OUT_H
#define BENCH_URING_OUT_H

#include "uring.h"

#define MOST_BUFFERS 512
#define MOST_HELD (MOST_BUFFERS / 2) /* then bytes are copied: input needs buffers too */
#define PIECES 8

struct bytes {
	char *data;
	size_t len, room;
};

struct piece {
	struct bytes bytes;
	int buffer; /* of the ring, -1: memory of its own */
};

struct output {
	unsigned count;
	size_t len; /* of all pieces */
	struct piece pieces[PIECES];
	struct iovec iov[PIECES];
	struct msghdr message;
	struct output *next; /* among the spare ones */
};

static unsigned users[MOST_BUFFERS], held;
static struct output *spare;

static void use_buffer(int id)
{
	if (users[id]++ == 0)
		held++;
}

static void release_buffer(int id)
{
	if (--users[id] > 0)
		return;
	held--;
	return_buffer(id);
}

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

static struct output *output_new(void)
{
	struct output *o = spare;

	if (!o)
		return calloc(1, sizeof(*o));
	spare = o->next;
	o->count = 0;
	o->len = 0;
	return o;
}

static void output_free(struct output *o)
{
	if (!o)
		return;
	for (unsigned i = 0; i < o->count; i++) {
		if (o->pieces[i].buffer >= 0)
			release_buffer(o->pieces[i].buffer);
		else
			free(o->pieces[i].bytes.data);
	}
	o->next = spare;
	spare = o;
}

/* Bytes in memory that becomes the output's, if there is a place for it. */
static bool output_own(struct output *o, struct bytes bytes)
{
	if (o->count == PIECES)
		return false;
	o->pieces[o->count++] = (struct piece){ bytes, -1 };
	o->len += bytes.len;
	return true;
}

static bool output_copy(struct output *o, const char *data, size_t len)
{
	struct piece *last = o->count > 0 ? &o->pieces[o->count - 1] : NULL;

	if (!last || (last->buffer >= 0 && o->count < PIECES)) {
		last = &o->pieces[o->count++];
		*last = (struct piece){ .buffer = -1 };
	} else if (last->buffer >= 0) {
		int id = last->buffer;
		struct bytes lent = last->bytes;

		*last = (struct piece){ .buffer = -1 };
		if (!append(&last->bytes, lent.data, lent.len))
			return false;
		release_buffer(id);
	}
	if (!append(&last->bytes, data, len))
		return false;
	o->len += len;
	return true;
}

/* Bytes in a buffer of the ring, or -1: somewhere. */
static bool output_add(struct output *o, const char *data, size_t len, int buffer)
{
	if (buffer < 0 || o->count == PIECES || held > MOST_HELD)
		return output_copy(o, data, len);
	use_buffer(buffer);
	o->pieces[o->count++] = (struct piece){ { (char *)data, len, len }, buffer };
	o->len += len;
	return true;
}

/* MSG_WAITALL: the kernel goes on with a short send by itself. */
static void output_prepare(struct output *o, struct io_uring_sqe *sqe, int fd)
{
	if (o->count == 1) {
		io_uring_prep_send(sqe, fd, o->pieces[0].bytes.data, o->len,
		                   MSG_NOSIGNAL | MSG_WAITALL);
		return;
	}
	for (unsigned i = 0; i < o->count; i++) {
		o->iov[i].iov_base = o->pieces[i].bytes.data;
		o->iov[i].iov_len = o->pieces[i].bytes.len;
	}
	o->message = (struct msghdr){ .msg_iov = o->iov, .msg_iovlen = o->count };
	io_uring_prep_sendmsg(sqe, fd, &o->message, MSG_NOSIGNAL | MSG_WAITALL);
}

#endif
