/*
 * load_bulk.c — one way: bytes from the server (source, file), bytes to it (sink), and connections that
 * end after one line (hangup).
 */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOURCE_BLOCK (256 * 1024) /* as servers/common.h has it */

static char buffer[SOURCE_BLOCK];

/* ---- from the server --------------------------------------------------------------------- */

static void make_block_pattern(struct load *l)
{
	l->period = SOURCE_BLOCK;
	l->pattern = malloc(SOURCE_BLOCK);
	if (!l->pattern)
		die("memory");
	for (size_t i = 0; i < SOURCE_BLOCK; i++)
		l->pattern[i] = (char)(i % 251);
}

static void map_file(struct load *l)
{
	int fd = l->path ? open(l->path, O_RDONLY | O_CLOEXEC) : -1;
	struct stat st;

	if (!l->path)
		return;
	if (fd < 0 || fstat(fd, &st) < 0)
		die(l->path);
	l->period = (size_t)st.st_size;
	l->pattern = mmap(NULL, l->period, PROT_READ, MAP_SHARED, fd, 0);
	if (l->pattern == MAP_FAILED)
		die(l->path);
	close(fd);
}

static void compare(const struct load *l, const struct client *c, size_t len)
{
	for (size_t done = 0; done < len && l->pattern;) {
		size_t at = (size_t)((c->got + done) % l->period);
		size_t piece = len - done < l->period - at ? len - done : l->period - at;

		if (memcmp(buffer + done, l->pattern + at, piece) != 0)
			wrong("other bytes came than were expected (connection %zu, byte %llu)",
			      c->index, (unsigned long long)(c->got + done));
		done += piece;
	}
}

static void count_bytes(struct load *l, uint64_t n, int64_t now)
{
	l->count += n;
	progress(l, now);
}

/* The server has closed: this connection is done and another takes its place. */
static void renew(struct load *l, struct client *c, int64_t now)
{
	hist_add(&l->hist, now - c->began, 1);
	progress(l, now);
	net_close(c);
	client_open(l, c);
}

static void source_event(struct load *l, struct client *c, uint32_t events)
{
	ssize_t n = net_recv(c, buffer, sizeof(buffer));

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		die("recv");
	if (n > 0) {
		compare(l, c, (size_t)n);
		c->got += (uint64_t)n;
		count_bytes(l, (uint64_t)n, now_ns());
		l->done = l->bytes > 0 && l->count >= l->bytes;
		return;
	}
	if (c->got == 0)
		wrong("a connection ended without a byte");
	if (l->path && c->got != l->period)
		wrong("%llu bytes came of a file of %zu", (unsigned long long)c->got, l->period);
	renew(l, c, now_ns());
}

const struct work work_source = {
	.name = "source",
	.renews = true,
	.bulk = true,
	.prepare = make_block_pattern,
	.event = source_event,
};
const struct work work_file = {
	.name = "file",
	.renews = true,
	.bulk = true,
	.prepare = map_file,
	.event = source_event,
};

/* ---- to the server ----------------------------------------------------------------------- */

/* A connection's part of the bytes; for ever where there is no number. */
static uint64_t part_of(const struct load *l, const struct client *c)
{
	if (l->bytes == 0)
		return UINT64_MAX;
	return l->bytes / l->connections + (c->index < l->bytes % l->connections);
}

static void sink_begin(struct load *l, struct client *c, int64_t now)
{
	(void)now;
	c->allowed = part_of(l, c);
	client_watch(l, c, EPOLLOUT);
}

static void sink_send(struct load *l, struct client *c)
{
	uint64_t left = c->allowed - c->sent;
	ssize_t n = net_send(c, l->pattern, left < l->period ? (size_t)left : l->period);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		die("send");
	c->sent += (uint64_t)n;
	count_bytes(l, (uint64_t)n, now_ns());
	if (c->sent < c->allowed)
		return;
	net_end(c);
	client_watch(l, c, EPOLLIN);
}

/* All is sent; the server closes when it has read it all, and only then it counts as done. */
static void sink_event(struct load *l, struct client *c, uint32_t events)
{
	ssize_t n;

	if (c->sent < c->allowed && (events & EPOLLOUT)) {
		sink_send(l, c);
		return;
	}
	n = net_recv(c, buffer, sizeof(buffer));
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		die("recv");
	if (n > 0 || c->sent < c->allowed)
		wrong("a sink %s", n > 0 ? "answered" : "closed before the end");
	net_close(c);
	progress(l, now_ns());
	l->done = ++l->waiting == l->connections;
}

const struct work work_sink = {
	.name = "sink",
	.bulk = true,
	.prepare = make_block_pattern,
	.begin = sink_begin,
	.event = sink_event,
};

/* ---- hangup ------------------------------------------------------------------------------ */

static void send_line(struct load *l, struct client *c)
{
	c->start = c->index * l->size * 3 % l->period;
	if (net_send(c, l->pattern + c->start, l->size) != (ssize_t)l->size)
		die("send");
}

/* The line is compared where its connection's pattern begins. */
static void hangup_event(struct load *l, struct client *c, uint32_t events)
{
	ssize_t n = net_recv(c, buffer, sizeof(buffer));

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		die("recv");
	if (n == 0) {
		if (c->got != l->size)
			wrong("the server closed with %zu bytes of a line to come",
			      l->size - (size_t)c->got);
		l->count++;
		renew(l, c, now_ns());
		return;
	}
	if ((uint64_t)n > l->size - c->got ||
	    memcmp(buffer, l->pattern + c->start + c->got, (size_t)n) != 0)
		wrong("other bytes came back than were sent");
	c->got += (uint64_t)n;
}

const struct work work_hangup = {
	.name = "hangup",
	.renews = true,
	.prepare = make_line_pattern,
	.opened = send_line,
	.event = hangup_event,
};
