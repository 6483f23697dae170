/*
 * load_lines.c — lines that come back: echo and broadcast.
 *
 * Design: all lines are cut from one pattern, a ring of different lines that begins elsewhere for each
 * connection, so that a line which is lost, doubled or sent to somebody else is seen. A batch of lines
 * goes out; in a closed loop the next one follows when it is back (in a broadcast: back at everybody),
 * in an open loop when it is due, wherever the others are. Latency counts from when the batch was sent,
 * or was due.
 */
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define READ_SIZE 65536
#define RING 65536 /* bytes of different lines, or a line and a half of them */

static char buffer[READ_SIZE];

/* Printable and different in each line; the ends of lines are theirs alone. */
static void fill_line(char *line, size_t size, size_t number)
{
	for (size_t i = 0; i + 2 < size; i++)
		line[i] = (char)('!' + (number * 7 + i + (i >> 6) + (number >> 5) * 3) % 90);
	line[size - 2] = '\r';
	line[size - 1] = '\n';
}

void make_line_pattern(struct load *l)
{
	size_t lines = RING / l->size > 2 ? RING / l->size : 2;

	l->period = lines * l->size;
	l->pattern = malloc(2 * l->period);
	if (!l->pattern)
		die("memory");
	for (size_t i = 0; i < lines; i++)
		fill_line(l->pattern + i * l->size, l->size, i);
	memcpy(l->pattern + l->period, l->pattern, l->period);
}

static bool is_broadcast(const struct load *l)
{
	return l->work == &work_broadcast;
}

/* Sends what the client is allowed to, as far as the kernel takes it. */
static void send_more(struct load *l, struct client *c)
{
	while (c->sent < c->allowed) {
		size_t at = (size_t)((c->start + c->sent) % l->period);
		uint64_t left = c->allowed - c->sent;
		size_t len = left < 2 * l->period - at ? (size_t)left : 2 * l->period - at;
		ssize_t n = net_send(c, l->pattern + at, len);

		if (n < 0 && errno != EAGAIN)
			die("send");
		if (n <= 0)
			break;
		c->sent += (uint64_t)n;
	}
	client_watch(l, c, c->sent < c->allowed ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void send_batch(struct load *l, struct client *c, int64_t now)
{
	c->began = now;
	c->allowed += l->depth * l->size;
	l->batches++;
	l->waiting = l->connections;
	send_more(l, c);
}

int64_t next_due(const struct load *l)
{
	return l->rate > 0 ? l->clock_start + (int64_t)l->batches * l->interval : INT64_MAX;
}

/* All that is due, in turn to each connection; what is due to one together goes out with one send,
 * or a load that has fallen behind would never catch up. */
void send_due(struct load *l, int64_t now)
{
	size_t takers = is_broadcast(l) ? 1 : l->connections;
	uint64_t first = l->batches;

	for (; next_due(l) <= now; l->batches++)
		l->clients[l->batches % takers].allowed += l->depth * l->size;
	for (uint64_t i = first; i < l->batches && i < first + takers; i++)
		send_more(l, &l->clients[i % takers]);
}

/* When the batch went out in which a client's line was, or ought to have. */
static int64_t line_began(const struct load *l, const struct client *c, uint64_t line)
{
	uint64_t batch = line / l->depth;

	if (l->rate <= 0)
		return is_broadcast(l) ? l->clients[0].began : c->began;
	if (!is_broadcast(l))
		batch = batch * l->connections + c->index;
	return l->clock_start + (int64_t)batch * l->interval;
}

static void count_lines(struct load *l, const struct client *c, uint64_t from, uint64_t to,
                        int64_t now)
{
	l->count += to - from;
	if (l->rate <= 0) {
		hist_add(&l->hist, now - line_began(l, c, from), to - from);
		return;
	}
	for (uint64_t i = from; i < to; i++)
		hist_add(&l->hist, now - line_began(l, c, i), 1);
}

/* A whole batch is back at a client: on with the next, in a closed loop. */
static void batch_is_back(struct load *l, struct client *c, int64_t now)
{
	if (l->rate > 0 || l->once)
		return;
	if (is_broadcast(l)) {
		if (--l->waiting == 0)
			send_batch(l, &l->clients[0], now);
		return;
	}
	send_batch(l, c, now);
}

static void compare(const struct load *l, const struct client *c, size_t len)
{
	for (size_t done = 0; done < len;) {
		size_t at = (size_t)((c->start + c->got + done) % l->period);
		size_t piece = len - done < 2 * l->period - at ? len - done : 2 * l->period - at;

		if (memcmp(buffer + done, l->pattern + at, piece) != 0)
			wrong("other bytes came back than were sent (connection %zu, byte %llu)",
			      c->index, (unsigned long long)(c->got + done));
		done += piece;
	}
}

static void receive(struct load *l, struct client *c)
{
	ssize_t n = net_recv(c, buffer, READ_SIZE);
	uint64_t before = c->got / l->size, all = is_broadcast(l) ? l->clients[0].sent : c->sent;
	int64_t now;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		die("recv");
	if (n == 0)
		wrong("the server closed connection %zu", c->index);
	if ((uint64_t)n > all - c->got)
		wrong("more came back than was sent");
	compare(l, c, (size_t)n);
	c->got += (uint64_t)n;
	now = now_ns();
	progress(l, now);
	if (c->got / l->size > before)
		count_lines(l, c, before, c->got / l->size, now);
	if (c->got % (l->depth * l->size) == 0)
		batch_is_back(l, c, now);
}

static void lines_begin(struct load *l, struct client *c, int64_t now)
{
	c->start = is_broadcast(l) ? 0 : c->index * l->size * 3 % l->period;
	if (l->rate <= 0 && (!is_broadcast(l) || c->index == 0))
		send_batch(l, c, now);
}

static void lines_event(struct load *l, struct client *c, uint32_t events)
{
	if (events & EPOLLOUT)
		send_more(l, c);
	if (events & ~(uint32_t)EPOLLOUT)
		receive(l, c);
}

/* Open loop: lines that were due and are not back have the latency they have reached, at least. A
 * server that stands still at the end would not be seen otherwise. */
static void lines_finish(struct load *l)
{
	int64_t now = now_ns();

	if (l->rate <= 0)
		return;
	for (size_t i = 0; i < l->connections; i++) {
		const struct client *c = &l->clients[i];
		uint64_t sent = is_broadcast(l) ? l->clients[0].allowed : c->allowed;

		for (uint64_t line = c->got / l->size; line < sent / l->size; line++)
			hist_add(&l->hist, now - line_began(l, c, line), 1);
	}
}

/* For `memory`: every connection has its line answered once. */
void one_line_each(struct load *l)
{
	int64_t end = now_ns() + PATIENCE * SECOND;

	l->once = true;
	for (size_t i = 0; i < l->connections; i++)
		lines_begin(l, &l->clients[i], now_ns());
	while (l->count < l->connections * l->depth)
		turn(l, end);
}

const struct work work_echo = {
	.name = "echo",
	.prepare = make_line_pattern,
	.begin = lines_begin,
	.event = lines_event,
	.finish = lines_finish,
};
const struct work work_broadcast = {
	.name = "broadcast",
	.prepare = make_line_pattern,
	.begin = lines_begin,
	.event = lines_event,
	.finish = lines_finish,
};
const struct work work_memory = {
	.name = "memory",
	.prepare = make_line_pattern,
	.event = lines_event,
};
