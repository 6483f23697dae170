/*
 * conn.h — a connection of the servers that call recv and send themselves.
 *
 * raw_epoll, raw_epollet and libev differ in how they learn that a descriptor is ready; what they do
 * then is here. Whole lines go back straight from the buffer they were read into, with one send for
 * each read. What the kernel does not take is kept, and the connection is not read until it is gone.
 *
 * Invariants:
 *  - conn->tail holds the beginning of a line whose end has not come; NULL when there is none.
 *  - conn->blocked ==> hook_output(conn, true) was the last that was said of it.
 *  - a closed connection has fd -1 and is on the list `ended`; conn_bury frees it, after the batch.
 */
#ifndef BENCH_CONN_H
#define BENCH_CONN_H

#include "common.h"
#include "tls.h"

#include <sys/sendfile.h>

struct conn {
	int fd;
	bool blocked; /* output waits for room */
	bool closing; /* close when the output is gone */
	char *tail, *out;
	size_t tail_len;
	size_t out_at, out_len, out_room;
	uint64_t offset; /* of `source` and `file`: bytes sent */
	struct conn *next, **link;
	SSL *ssl;
	bool ready; /* without TLS, or its handshake is done */
};

/* What a read came to. */
enum taken { TAKEN_ALL, TAKEN_MORE, TAKEN_END };

/* The server's: the output of a connection waits for room, or does so no longer; and: a connection is
 * about to be closed. */
static void hook_output(struct conn *c, bool wait);
static void hook_close(struct conn *c);

static struct service service;
static int service_file = -1;
static struct conn *everybody, *ended;
static char arena[LINE_LIMIT + READ_SIZE]; /* a kept tail, and what is read behind it */

static inline void conn_close(struct conn *c)
{
	if (c->fd < 0)
		return;
	hook_close(c);
	tls_close(c->ssl);
	close(c->fd);
	c->fd = -1;
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	c->next = ended;
	ended = c;
}

/* Frees what was closed. Not before all events that were fetched together have been handled. */
static inline void conn_bury(void)
{
	while (ended) {
		struct conn *c = ended;

		ended = c->next;
		free(c->tail);
		free(c->out);
		free(c);
	}
}

static inline void conn_block(struct conn *c, bool on)
{
	if (c->blocked == on)
		return;
	c->blocked = on;
	hook_output(c, on);
}

/* Keeps output for later. */
static inline void conn_keep(struct conn *c, const char *data, size_t len)
{
	size_t need;

	c->out_len -= c->out_at;
	if (c->out_at > 0)
		memmove(c->out, c->out + c->out_at, c->out_len);
	c->out_at = 0;
	need = c->out_len + len;
	if (need > c->out_room) {
		size_t room = need < 2 * c->out_room ? 2 * c->out_room : need;
		char *out = need > OUTPUT_LIMIT ? NULL : realloc(c->out, room);

		if (!out) {
			conn_close(c);
			return;
		}
		c->out = out;
		c->out_room = room;
	}
	memcpy(c->out + c->out_len, data, len);
	c->out_len = need;
	conn_block(c, true);
}

/* Sends, or keeps what cannot be sent yet. */
static inline void conn_send(struct conn *c, const char *data, size_t len)
{
	ssize_t n = 0;

	if (!c->blocked)
		n = tls_send(c->ssl, c->fd, data, len);
	if (n < 0 && errno != EAGAIN)
		conn_close(c);
	else if (n < (ssize_t)len)
		conn_keep(c, data + (n > 0 ? n : 0), len - (size_t)(n > 0 ? n : 0));
	else if (c->closing)
		conn_close(c);
}

/* Whole lines have come. */
static inline void conn_lines(struct conn *c, const char *data, size_t len)
{
	struct conn *next;

	if (service.work != WORK_BROADCAST) {
		c->closing = service.work == WORK_HANGUP;
		conn_send(c, data, len);
		return;
	}
	for (struct conn *each = everybody; each; each = next) {
		next = each->next;
		conn_send(each, data, len);
	}
}

/* Remembers the beginning of a line. False: no memory, or no end to the line. */
static inline bool conn_keep_tail(struct conn *c, const char *data, size_t len)
{
	char *tail = NULL;

	if (len > LINE_LIMIT)
		return false;
	if (len > 0) {
		tail = len <= c->tail_len ? c->tail : realloc(c->tail, len);
		if (!tail)
			return false;
		memcpy(tail, data, len);
	} else {
		free(c->tail);
	}
	c->tail = tail;
	c->tail_len = len;
	return true;
}

static inline enum taken conn_read_lines(struct conn *c)
{
	size_t had = c->tail_len, len, end;
	ssize_t n = tls_recv(c->ssl, c->fd, arena + had, READ_SIZE);

	if (n <= 0)
		return n < 0 && errno == EAGAIN ? TAKEN_ALL : TAKEN_END;
	if (had > 0)
		memcpy(arena, c->tail, had);
	len = had + (size_t)n;
	end = lines_end(arena, len, had, service.work == WORK_HANGUP);
	if (len - end != 0 || had != 0)
		if (!conn_keep_tail(c, arena + end, len - end))
			return TAKEN_END;
	if (end > 0)
		conn_lines(c, arena, end);
	return n < READ_SIZE ? TAKEN_ALL : TAKEN_MORE;
}

static inline enum taken conn_drop_input(struct conn *c)
{
	ssize_t n = tls_recv(c->ssl, c->fd, arena, READ_SIZE);

	if (n <= 0)
		return n < 0 && errno == EAGAIN ? TAKEN_ALL : TAKEN_END;
	return n < READ_SIZE ? TAKEN_ALL : TAKEN_MORE;
}

/* One read. Says whether there may be more; a connection that ended is closed. */
static inline enum taken conn_read(struct conn *c)
{
	bool lines = WORK_BIT(service.work) &
	             (WORK_BIT(WORK_ECHO) | WORK_BIT(WORK_HANGUP) | WORK_BIT(WORK_BROADCAST));
	enum taken taken = lines ? conn_read_lines(c) : conn_drop_input(c);

	if (taken == TAKEN_END)
		conn_close(c);
	return c->fd < 0 ? TAKEN_END : taken;
}

/* One send of `source` or one sendfile of `file`. False when the kernel takes no more for now. */
static inline bool conn_stream(struct conn *c)
{
	uint64_t left = service.bytes - c->offset;
	off_t offset = (off_t)c->offset;
	size_t at = (size_t)(c->offset % SOURCE_BLOCK);
	ssize_t n;

	if (service.work == WORK_FILE)
		n = sendfile(c->fd, service_file, &offset, left < 1 << 30 ? (size_t)left : 1 << 30);
	else
		n = tls_send(c->ssl, c->fd, block + at,
		             left < SOURCE_BLOCK - at ? left : SOURCE_BLOCK - at);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n > 0)
		c->offset += (uint64_t)n;
	if (n <= 0 || c->offset == service.bytes)
		conn_close(c);
	return c->fd >= 0;
}

/* There is room for output. False when it is filled again, or the connection closed. */
static inline bool conn_write(struct conn *c)
{
	ssize_t n;

	if (service.work == WORK_SOURCE || service.work == WORK_FILE)
		return conn_stream(c);
	if (!c->blocked)
		return false;
	n = tls_send(c->ssl, c->fd, c->out + c->out_at, c->out_len - c->out_at);
	if (n < 0 && errno != EAGAIN)
		conn_close(c);
	if (n <= 0)
		return false;
	c->out_at += (size_t)n;
	if (c->out_at < c->out_len)
		return false;
	free(c->out);
	c->out = NULL;
	c->out_at = c->out_len = c->out_room = 0;
	conn_block(c, false);
	if (c->closing)
		conn_close(c);
	return false;
}

/* A connection begins. Those that only send wait for room from the start; hook_output is not called
 * for it. */
static inline void conn_begin(struct conn *c, int fd)
{
	c->fd = fd;
	c->ssl = tls_accept(fd);
	c->ready = !c->ssl;
	c->blocked = c->ready && (service.work == WORK_SOURCE || service.work == WORK_FILE);
	c->next = everybody;
	c->link = &everybody;
	if (everybody)
		everybody->link = &c->next;
	everybody = c;
}

/* The handshake goes on. Once it is done, those that only send wait for room. */
static inline void conn_handshake(struct conn *c)
{
	int r = tls_handshake(c->ssl);

	c->ready = r > 0;
	if (r < 0)
		conn_close(c);
	else if (r > 0 && (service.work == WORK_SOURCE || service.work == WORK_FILE))
		conn_block(c, true);
}

static inline int conn_serve(int argc, char **argv)
{
	service = start_service(argc, argv, ALL_WORKS);
	tls_begin(find_option(argc, argv, "--tls"));
	if (service.work == WORK_FILE) {
		service_file = open(service.path, O_RDONLY | O_CLOEXEC);
		if (service_file < 0)
			fail(service.path);
	}
	return listen_on(service.address);
}

#endif
