/*
 * relays.h — relays with both ends in hand, and streams through them.
 *
 * What a stream carries follows from its number and the place, so that a byte lost or doubled is seen.
 */
#ifndef RELAYS_H
#define RELAYS_H

#include "harness.h"

#include <asyncore/relay.h>

#define PIECE 300000

struct line {
	struct ac_relay *a, *b;
	int client, target; /* the other ends */
};

struct stream {
	int number, from, to;
	size_t size, wrote, read;
	unsigned random;
	bool ended, differs;
	int error; /* of reading: an errno, 0: none */
};

void join(struct world *w, struct line *l, void (*pair)(int fds[2]));
void hang_up(struct line *l);
void small_buffers(int fd);

void write_some(struct stream *s, size_t most);
void read_some(struct stream *s, size_t most);
void step(struct stream *s);                   /* pieces of any size, with pauses; then the end */
void stuff(struct world *w, struct stream *s); /* as much as the relay and the kernel take */
void join_stream(struct world *w, struct line *l, struct stream *s); /* over TCP, from the client */
void join_and_stuff(struct world *w, struct line *l, struct stream *s);
void drain(struct world *w, struct stream *s); /* all of it arrives */

/* What the next read of that end says: -ECONNRESET, 0 for an end. */
ssize_t outcome(struct world *w, int fd);

#endif
