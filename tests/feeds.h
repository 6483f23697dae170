/*
 * feeds.h — streams whose input a poller reads: more of it than there are buffers, each byte known.
 *
 * What a stream carries follows from its number and the place, so that a byte lost, doubled or in the wrong
 * stream is seen at once.
 */
#ifndef FEEDS_H
#define FEEDS_H

#include "harness.h"

#include "../src/poller/poller.h"
#include "../src/poller/ring.h"

#define STREAMS 8
#define STREAM_SIZE 300000 /* together more than twice what the buffers hold */

struct stream {
	int fds[2];
	size_t wrote, read;
	bool armed;
};

struct streams {
	struct ac_poller *p;
	struct stream at[STREAMS];
	struct ac_found lent[AC_RING_BUFFERS + 1]; /* not given back yet */
	int lent_count, short_of;                  /* times that no buffer was there */
};

char byte_at(int stream, size_t place);

void streams_open(struct streams *s, struct ac_poller *p);
void streams_write(struct streams *s);          /* as much as the kernel takes now */
void streams_arm(struct streams *s);            /* those that are not */
int streams_read(struct streams *s, bool keep); /* one batch; keeps the buffers, or gives back */
void streams_give_back(struct streams *s);      /* what was kept */
void streams_close(struct streams *s);          /* forgets and closes all */
int usable_buffers(struct ac_poller *p);        /* how many are lent when none is given back */
bool has_ring(const struct ac_poller *p);       /* it may have been refused */

/* ---- a chat whose lines carry numbers that must follow each other, from 0 ---- */
enum { LINE = 10 }; /* "%09zu\n" */

struct fed {
	struct ac_chat c;
	int (*on_line)(struct fed *f);
	void *arg;
	size_t lines;
	bool differs;
};

struct fed *adopt(struct ac_map *map, int fd, int (*on_line)(struct fed *f));
int echo(struct fed *f);                              /* an on_line */
void write_lines(int fd, size_t *wrote, size_t most); /* from *wrote on, what the kernel takes */
void talk(struct world *w, int fd, size_t line);      /* a line there and back, within 2 s */
size_t queued(int fd, unsigned long which);
size_t unread(int fd);
size_t in_kernel(int fd, int peer); /* on both sides */

#endif
