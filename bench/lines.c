/*
 * lines.c — the load: connections that each send a line of 64 bytes and wait for it to come back.
 *
 *	lines PORT CONNECTIONS SECONDS SERVER-PID
 *
 * Prints "LINES NANOSECONDS": how many lines came back in SECONDS after a warm-up, and how long the
 * server was on a processor meanwhile, from its /proc/PID/schedstat. A changed line is an error.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINE 64
#define BATCH 512
#define WARM_UP 0.25

static const char line[] = "The quick brown fox jumps over the lazy dog, and so on and on.\r\n";
_Static_assert(sizeof(line) == LINE + 1, "a line of 64 bytes");

struct client {
	int fd;
	size_t got; /* of the line it waits for */
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Nanoseconds on a processor, to the moment. */
static long long cpu_time(const char *pid)
{
	char path[64];
	long long ns = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/schedstat", pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%lld", &ns) != 1)
		fail(path);
	fclose(f);
	return ns;
}

static void send_line(const struct client *c)
{
	if (send(c->fd, line, LINE, MSG_NOSIGNAL) != LINE)
		fail("send");
}

/* The congestion control is asked for where there is a choice: pacing ones only add noise. */
static void open_client(struct client *c, const char *port, int ep)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		                    .sin_port = htons((uint16_t)atoi(port)),
		                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		fail("socket");
	if (setsockopt(c->fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) < 0)
		setsockopt(c->fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e) < 0)
		fail("connect");
}

/* Whether its line is back; the next one is on its way then. */
static bool serve(struct client *c)
{
	char back[LINE];
	ssize_t n = recv(c->fd, back, LINE - c->got, 0);

	if (n <= 0)
		fail("recv");
	if (memcmp(back, line + c->got, (size_t)n) != 0) {
		fprintf(stderr, "lines: another line came back\n");
		exit(1);
	}
	c->got += (size_t)n;
	if (c->got < LINE)
		return false;
	c->got = 0;
	send_line(c);
	return true;
}

static long long run(int ep, double seconds)
{
	struct epoll_event events[BATCH];
	double end = now() + seconds;
	long long lines = 0;

	while (now() < end) {
		int n = epoll_wait(ep, events, BATCH, 1000);

		if (n <= 0)
			fail("epoll_wait");
		for (int i = 0; i < n; i++)
			lines += serve(events[i].data.ptr);
	}
	return lines;
}

int main(int argc, char **argv)
{
	size_t count = argc == 5 ? (size_t)atoi(argv[2]) : 0;
	struct client *clients = calloc(count ? count : 1, sizeof(*clients));
	int ep = epoll_create1(EPOLL_CLOEXEC);
	long long lines, before;

	if (count == 0) {
		fprintf(stderr, "usage: lines PORT CONNECTIONS SECONDS SERVER-PID\n");
		return 2;
	}
	if (!clients || ep < 0)
		fail("lines");
	for (size_t i = 0; i < count; i++)
		open_client(&clients[i], argv[1], ep);
	for (size_t i = 0; i < count; i++)
		send_line(&clients[i]);
	run(ep, WARM_UP);
	before = cpu_time(argv[4]);
	lines = run(ep, atof(argv[3]));
	printf("%lld %lld\n", lines, cpu_time(argv[4]) - before);
	free(clients);
	return 0;
}
