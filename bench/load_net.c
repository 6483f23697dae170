/*
 * load_net.c — connections of the load, and how it gives up.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

void wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("load: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

/* connect waits no longer than this for a place in the backlog. */
static void be_patient(int fd)
{
	struct timeval most = { .tv_sec = PATIENCE };

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
}

static int dial_unix(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(un.sun_path))
		wrong("%s: too long a path", path);
	memcpy(un.sun_path, path, strlen(path) + 1);
	if (fd < 0)
		die("socket");
	be_patient(fd);
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
		die(path);
	return fd;
}

static struct sockaddr_in parse_inet(const char *address)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	const char *colon = strrchr(address, ':');
	char host[INET_ADDRSTRLEN] = "";

	if (colon && (size_t)(colon - address) < sizeof(host))
		memcpy(host, address, (size_t)(colon - address));
	if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
		wrong("%s: no address", address);
	in.sin_port = htons((uint16_t)atoi(colon + 1));
	return in;
}

/* The congestion control is asked for where there is a choice: pacing ones only add noise. */
static int dial_inet(const char *address)
{
	struct sockaddr_in in = parse_inet(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		die("socket");
	if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) < 0)
		setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	be_patient(fd);
	if (connect(fd, (struct sockaddr *)&in, sizeof(in)) < 0)
		die(address);
	return fd;
}

int dial(const char *address, bool tls, void **ret_tls)
{
	bool is_unix = strncmp(address, "unix:", 5) == 0;
	int fd = is_unix ? dial_unix(address + 5) : dial_inet(address);

	*ret_tls = tls ? tls_connect(fd) : NULL;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		die("fcntl");
	return fd;
}

/* A connection in the backlog is none yet: waits until the server has taken `more` of them. */
void wait_accepted(int pid, size_t files_before, size_t more)
{
	const struct timespec moment = { 0, 10000000 };
	int64_t end = now_ns() + PATIENCE * SECOND;
	size_t files;

	while ((files = server_files(pid)) < files_before + more) {
		if (now_ns() > end)
			wrong("the server took %zu of %zu connections",
			      files > files_before ? files - files_before : 0, more);
		nanosleep(&moment, NULL);
	}
}
