/*
 * poll.c — poll, in nanoseconds.
 *
 * Invariants: place[fd] is the descriptor's index in pollfds plus one, 0 while it is not watched;
 * tokens[i] belongs to pollfds[i]. Both arrays are dense: the last entry fills a hole. cap of them fit.
 * No descriptor has two entries, whatever the caller believes: one that was closed
 * without a word and is used again takes over the entry.
 */
#include "poller.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#define BATCH 512

struct poll_poller {
	struct ac_poller p;
	struct pollfd *pollfds;
	uint64_t *tokens;
	unsigned *place;
	size_t count, cap, places;
	size_t from; /* where the next wait begins to look: more than a batch may be ready each time */
};

static int poll_init(struct ac_poller *p)
{
	return ac_poller_room_(p, BATCH);
}

static void poll_fini(struct ac_poller *p)
{
	struct poll_poller *q = (struct poll_poller *)p;

	ac_free_(q->pollfds);
	ac_free_(q->tokens);
	ac_free_(q->place);
}

static int make_place(struct poll_poller *q, size_t fd)
{
	size_t places = q->places ? q->places : 64;
	unsigned *place;

	if (fd < q->places)
		return 0;
	while (places <= fd)
		places *= 2;
	place = ac_realloc_(q->place, places * sizeof(*place));
	if (!place)
		return -ENOMEM;
	memset(place + q->places, 0, (places - q->places) * sizeof(*place));
	q->place = place;
	q->places = places;
	return 0;
}

static int make_entry(struct poll_poller *q)
{
	size_t cap = q->cap ? q->cap * 2 : 64;
	struct pollfd *pollfds;
	uint64_t *tokens;

	if (q->count < q->cap)
		return 0;
	pollfds = ac_realloc_(q->pollfds, cap * sizeof(*pollfds));
	if (!pollfds)
		return -ENOMEM;
	q->pollfds = pollfds;
	tokens = ac_realloc_(q->tokens, cap * sizeof(*tokens));
	if (!tokens)
		return -ENOMEM;
	q->tokens = tokens;
	q->cap = cap;
	return 0;
}

static void forget(struct poll_poller *q, size_t at)
{
	size_t last = --q->count;

	q->place[q->pollfds[at].fd] = 0;
	if (at == last)
		return;
	q->pollfds[at] = q->pollfds[last];
	q->tokens[at] = q->tokens[last];
	q->place[q->pollfds[at].fd] = (unsigned)at + 1;
}

static bool is_watched(const struct poll_poller *q, int fd)
{
	return (size_t)fd < q->places && q->place[fd] != 0;
}

static int poll_set(struct ac_poller *p, int fd, uint64_t token, unsigned old, unsigned events)
{
	struct poll_poller *q = (struct poll_poller *)p;
	size_t at;
	int r;

	if (!old && events && !is_watched(q, fd)) {
		if ((r = make_place(q, (size_t)fd)) < 0 || (r = make_entry(q)) < 0)
			return r;
		q->pollfds[q->count] = (struct pollfd){ .fd = fd };
		q->place[fd] = (unsigned)++q->count;
	}
	if (!is_watched(q, fd))
		return 0;
	at = q->place[fd] - 1;
	if (!events) {
		forget(q, at);
		return 0;
	}
	q->tokens[at] = token;
	q->pollfds[at].events =
		(short)((events & AC_IN ? POLLIN : 0) | (events & AC_OUT ? POLLOUT : 0) |
	                (events & AC_PRI ? POLLPRI : 0));
	return 0;
}

static unsigned meaning(int e)
{
	return (e & POLLIN ? AC_IN : 0u) | (e & POLLOUT ? AC_OUT : 0u) |
	       (e & POLLPRI ? AC_PRI : 0u) | (e & (POLLERR | POLLNVAL) ? AC_ERR : 0u) |
	       (e & POLLHUP ? AC_HUP : 0u);
}

static int poll_wait(struct ac_poller *p, int64_t timeout_ns)
{
	struct poll_poller *q = (struct poll_poller *)p;
	size_t at;
	struct timespec t = { (time_t)(timeout_ns / 1000000000), (long)(timeout_ns % 1000000000) };
	int left = ppoll(q->pollfds, (nfds_t)q->count, timeout_ns < 0 ? NULL : &t, NULL), n = 0;

	if (left < 0)
		return errno == EINTR ? 0 : -errno;
	if (left > BATCH)
		left = BATCH;
	for (size_t i = 0; n < left && i < q->count; i++) {
		if (q->from >= q->count)
			q->from = 0;
		at = q->from++;
		if (q->pollfds[at].revents)
			p->found[n++] =
				(struct ac_found){ q->tokens[at], meaning(q->pollfds[at].revents) };
	}
	return n;
}

const struct ac_poller_class ac_poller_poll_ = {
	.name = "poll",
	.size = sizeof(struct poll_poller),
	.init = poll_init,
	.fini = poll_fini,
	.set = poll_set,
	.wait = poll_wait,
};
