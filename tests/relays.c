/* relays.c — see relays.h. */
#include "relays.h"

#include <errno.h>

static char byte_of(int stream, size_t place)
{
	return (char)(place * 2654435761u >> 13) ^ (char)(place >> 16) ^ (char)(stream * 37);
}

static unsigned next(struct stream *s)
{
	s->random = s->random * 1103515245u + 12345u;
	return s->random >> 8;
}

void write_some(struct stream *s, size_t most)
{
	static char data[PIECE];
	size_t len = s->size - s->wrote;
	ssize_t n;

	len = len < most ? len : most;
	len = len < PIECE ? len : PIECE;
	for (size_t i = 0; i < len; i++)
		data[i] = byte_of(s->number, s->wrote + i);
	n = len ? send(s->from, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
	if (n > 0)
		s->wrote += (size_t)n;
}

void read_some(struct stream *s, size_t most)
{
	static char data[PIECE];
	ssize_t n = recv(s->to, data, most < PIECE ? most : PIECE, MSG_DONTWAIT);

	for (ssize_t i = 0; i < n; i++)
		s->differs |= data[i] != byte_of(s->number, s->read + (size_t)i);
	if (n > 0)
		s->read += (size_t)n;
	s->ended |= n == 0;
	if (n < 0 && errno != EAGAIN)
		s->error = errno;
}

void step(struct stream *s)
{
	unsigned luck = next(s) % 8;

	if (luck != 0 && s->wrote < s->size) {
		write_some(s, next(s) % 4 ? PIECE : next(s) % 3000 + 1);
		if (s->wrote == s->size)
			shutdown(s->from, SHUT_WR);
	}
	if (luck > 2 && !s->ended)
		read_some(s, next(s) % 4 ? PIECE : next(s) % 3000 + 1);
}

void join(struct world *w, struct line *l, void (*pair)(int fds[2]))
{
	int fds[2];

	pair(fds);
	l->client = fds[0];
	l->a = (struct ac_relay *)ac_adopt(w->map, AC_RELAY, fds[1], NULL);
	pair(fds);
	l->target = fds[0];
	l->b = (struct ac_relay *)ac_adopt(w->map, AC_RELAY, fds[1], NULL);
	assert_int_equal(ac_relay_join(l->a, l->b), 0);
}

void join_stream(struct world *w, struct line *l, struct stream *s)
{
	join(w, l, tcp_pair);
	s->from = l->client;
	s->to = l->target;
}

void join_and_stuff(struct world *w, struct line *l, struct stream *s)
{
	join_stream(w, l, s);
	small_buffers(l->b->d.fd);
	stuff(w, s);
}

void hang_up(struct line *l)
{
	close(l->client);
	close(l->target);
}

void stuff(struct world *w, struct stream *s)
{
	for (size_t before = (size_t)-1; before != s->wrote;) {
		before = s->wrote;
		for (int i = 0; i < 20; i++) {
			write_some(s, PIECE);
			ac_poll(w->map, 0.001);
		}
	}
}

void drain(struct world *w, struct stream *s)
{
	double end = ac_now(w->map) + 30;

	while (!s->ended && s->read < s->size && ac_now(w->map) < end) {
		size_t before = s->read;

		write_some(s, PIECE);
		read_some(s, PIECE);
		ac_poll(w->map, s->read == before ? 0.001 : 0);
	}
	assert_int_equal(s->read, s->size);
	assert_false(s->differs);
}

void small_buffers(int fd)
{
	int size = 65536;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

ssize_t outcome(struct world *w, int fd)
{
	char byte;
	ssize_t n = -1;

	for (int i = 0; i < 400 && (n = recv(fd, &byte, 1, MSG_DONTWAIT)) < 0 && errno == EAGAIN;
	     i++)
		ac_poll(w->map, 0.005);
	return n < 0 ? -errno : n;
}
