/*
 * raw_epollet.c — edge-triggered epoll by hand.
 *
 * Design: each connection is registered once, for everything, and never modified. It is read until a
 * read comes short, which saves the last recv that would only say EAGAIN: what arrives after a short
 * read makes an edge of its own. An end that had come before it makes none, but then its event says
 * RDHUP, and the connection is read to the end. Input that was left because output waits is read when
 * the output is gone: its edge has passed.
 *
 * Limits: a connection that never stops sending or taking would keep the others waiting; after a
 * number of turns it is put on the list of those that go on after the next look at the rest.
 */
#include "conn.h"

#include <sys/epoll.h>

#define BATCH 512
#define ACCEPTS 64
#define TURNS 16 /* reads or sends of one connection in a row */

/* A connection, and whether it is among those that have not come to their end. */
struct et_conn {
	struct conn c;
	bool last; /* the peer has ended its side */
	struct et_conn *busy_next, **busy_link;
};

static int ep;
static struct et_conn *busy;

/* Nothing is ever modified. */
static void hook_output(struct conn *c, bool wait)
{
	(void)c;
	(void)wait;
}

static void leave_busy(struct et_conn *e)
{
	if (!e->busy_link)
		return;
	*e->busy_link = e->busy_next;
	if (e->busy_next)
		e->busy_next->busy_link = e->busy_link;
	e->busy_link = NULL;
}

static void join_busy(struct et_conn *e)
{
	if (e->busy_link)
		return;
	e->busy_next = busy;
	e->busy_link = &busy;
	if (busy)
		busy->busy_link = &e->busy_next;
	busy = e;
}

static void hook_close(struct conn *c)
{
	leave_busy((struct et_conn *)c);
}

/* Whether there may be more to do at once. */
static bool go_on(struct et_conn *e)
{
	enum taken taken;

	if (e->c.blocked) {
		bool more = conn_write(&e->c);

		return e->c.fd >= 0 && (more || !e->c.blocked);
	}
	taken = conn_read(&e->c);
	if (taken == TAKEN_END)
		return false;
	return e->c.blocked || taken == TAKEN_MORE || e->last;
}

static void serve(struct et_conn *e)
{
	int turns = 0;

	while (e->c.fd >= 0 && go_on(e))
		if (++turns == TURNS) {
			join_busy(e);
			return;
		}
	if (e->c.fd >= 0)
		leave_busy(e);
}

/* The list is taken whole: who is put on it meanwhile waits for the next time. */
static void serve_busy(void)
{
	struct et_conn *all = busy;

	busy = NULL;
	if (all)
		all->busy_link = &all;
	while (all) {
		struct et_conn *e = all;

		leave_busy(e);
		serve(e);
	}
}

static void accept_some(int listener)
{
	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct et_conn *e = fd < 0 ? NULL : calloc(1, sizeof(*e));
		struct epoll_event event = {
			.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
			.data.ptr = e,
		};

		if (fd < 0)
			return;
		if (!e) {
			close(fd);
			return;
		}
		conn_begin(&e->c, fd);
		if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event) < 0)
			fail("epoll_ctl");
	}
}

static void take(const struct epoll_event *event, int listener)
{
	struct et_conn *e = event->data.ptr;

	if (!e) {
		accept_some(listener);
		return;
	}
	if (e->c.fd < 0)
		return;
	e->last |= (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	if (e->c.blocked || (event->events & ~(uint32_t)EPOLLOUT))
		serve(e);
}

int main(int argc, char **argv)
{
	struct epoll_event events[BATCH], first = { .events = EPOLLIN };
	int listener;

	ep = epoll_create1(EPOLL_CLOEXEC);
	listener = conn_serve(argc, argv); /* last: once it is announced, descriptors count */
	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, listener, &first) < 0)
		fail("epoll");
	for (;;) {
		int n = epoll_wait(ep, events, BATCH, busy ? 0 : -1);

		for (int i = 0; i < n; i++)
			take(&events[i], listener);
		serve_busy();
		conn_bury();
	}
}
