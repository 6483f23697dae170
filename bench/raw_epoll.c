/*
 * raw_epoll.c — the least an echo server can be: level-triggered epoll, recv, send back.
 *
 * What `bench/run` measures `asyncore echo` against. It knows no lines: what was read is sent back.
 * Limits: what the kernel does not take at once ends the connection. The load of the bench never
 * comes to that.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 512

static char buffer[65536];

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int listen_on(struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
	socklen_t len = sizeof(*addr);

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)addr, len) < 0 || listen(fd, SOMAXCONN) < 0 ||
	    getsockname(fd, (struct sockaddr *)addr, &len) < 0)
		return -1;
	return fd;
}

static int watch(int ep, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

static void accept_one(int ep, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0 && watch(ep, fd) < 0)
		close(fd);
}

static void echo(int fd)
{
	ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

	if (n <= 0 || send(fd, buffer, (size_t)n, MSG_NOSIGNAL) != n)
		close(fd);
}

int main(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event events[BATCH];
	int listener = listen_on(&addr), ep = epoll_create1(EPOLL_CLOEXEC);

	if (listener < 0 || ep < 0 || watch(ep, listener) < 0)
		return fail("raw_epoll");
	printf("raw listening on 127.0.0.1:%d\n", ntohs(addr.sin_port));
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(ep, events, BATCH, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				accept_one(ep, listener);
			else
				echo(events[i].data.fd);
		}
	}
}
