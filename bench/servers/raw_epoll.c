/*
 * raw_epoll.c — level-triggered epoll by hand: the least a server can be. The bench's 1.00.
 *
 * Design: one epoll_wait, one recv and one send for what comes in one piece; interest is modified only
 * when the kernel does not take what is sent. What is done with the bytes is in conn.h.
 */
#include "conn.h"

#include <sys/epoll.h>

#define BATCH 512
#define ACCEPTS 64 /* at a time: those who are connected have their turn too */

static int ep;

static void watch(int op, int fd, uint32_t events, void *ptr)
{
	struct epoll_event e = { .events = events, .data.ptr = ptr };

	if (epoll_ctl(ep, op, fd, &e) < 0)
		fail("epoll_ctl");
}

static void hook_output(struct conn *c, bool wait)
{
	watch(EPOLL_CTL_MOD, c->fd, wait ? EPOLLOUT : EPOLLIN, c);
}

/* epoll forgets a descriptor that is closed. */
static void hook_close(struct conn *c)
{
	(void)c;
}

static void accept_some(int listener)
{
	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct conn *c = fd < 0 ? NULL : calloc(1, sizeof(*c));

		if (fd < 0)
			return;
		if (!c) {
			close(fd);
			return;
		}
		conn_begin(c, fd);
		watch(EPOLL_CTL_ADD, fd, c->blocked ? EPOLLOUT : EPOLLIN, c);
	}
}

/* epoll does not know what TLS has read ahead. */
static void read_all(struct conn *c)
{
	enum taken taken;

	do
		taken = conn_read(c);
	while ((taken == TAKEN_MORE && tls_pending(c->ssl)) ||
	       (taken != TAKEN_END && tls_ended(c->ssl)));
}

static void serve(struct conn *c, uint32_t events)
{
	bool reads = c->ready && !c->blocked;

	if (c->fd < 0)
		return;
	if (!c->ready)
		conn_handshake(c);
	else if (c->blocked)
		conn_write(c); /* a connection that was lost is found out here as well */
	else if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		read_all(c);
	if (!reads && c->fd >= 0 && c->ready && !c->blocked && tls_pending(c->ssl))
		read_all(c);
}

int main(int argc, char **argv)
{
	struct epoll_event events[BATCH];
	int listener;

	ep = epoll_create1(EPOLL_CLOEXEC);
	listener = conn_serve(argc, argv); /* last: once it is announced, descriptors count */
	if (ep < 0)
		fail("epoll_create1");
	watch(EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
	for (;;) {
		int n = epoll_wait(ep, events, BATCH, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				serve(events[i].data.ptr, events[i].events);
			else
				accept_some(listener);
		}
		conn_bury();
	}
}
