/*
 * common.h — what the servers of the bench share: the command line, the listener, the lines.
 *
 *	SERVER WORK ADDRESS [ARG] [options]
 *
 * WORK is what is done with each connection (see enum work), ADDRESS is 127.0.0.1:0 or unix:/path,
 * ARG the bytes of `source` or the path of `file`. A server prints `listening on ADDRESS` when it
 * listens and serves until it is killed.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096
#define READ_SIZE 65536           /* bytes of one read */
#define LINE_LIMIT 65536          /* a longer line ends its connection */
#define SOURCE_BLOCK (256 * 1024) /* what `source` sends, over and over */
#define OUTPUT_LIMIT (16 << 20)   /* of queued output: a peer that far behind is closed */
#define NO_SUCH_WORK 64

enum work {
	WORK_ECHO,      /* each line back, with its CRLF */
	WORK_HANGUP,    /* the first line back, then close */
	WORK_SOURCE,    /* ARG bytes of memory, then close */
	WORK_FILE,      /* the file ARG, then close */
	WORK_SINK,      /* read all, drop all */
	WORK_BROADCAST, /* each line to everybody */
	WORKS
};

#define WORK_BIT(work) (1u << (work))
#define ALL_WORKS (WORK_BIT(WORKS) - 1u)

static const char *const work_names[WORKS] = { "echo", "hangup", "source",
	                                       "file", "sink",   "broadcast" };

struct service {
	enum work work;
	const char *name, *address;
	uint64_t bytes;   /* of `source`, or the length of the file */
	const char *path; /* of `file` */
};

static char block[SOURCE_BLOCK];

__attribute__((noreturn)) static inline void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* The load knows this pattern too. Its period is no power of two, so that a shift is seen. */
static inline void fill_block(void)
{
	for (size_t i = 0; i < SOURCE_BLOCK; i++)
		block[i] = (char)(i % 251);
}

/* Descriptors for thousands of peers; a peer that is gone is an error of send, not a signal. */
static inline void prepare_process(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	signal(SIGPIPE, SIG_IGN);
}

static inline enum work parse_work(const char *text, unsigned has)
{
	for (unsigned i = 0; i < WORKS; i++)
		if (strcmp(text, work_names[i]) == 0 && (has & WORK_BIT(i)))
			return (enum work)i;
	fprintf(stderr, "there is no work %s here\n", text);
	exit(NO_SUCH_WORK);
}

static inline void parse_argument(struct service *s, const char *text)
{
	struct stat st;

	if (s->work == WORK_SOURCE)
		s->bytes = strtoull(text, NULL, 10);
	if (s->work != WORK_FILE)
		return;
	s->path = text;
	if (stat(text, &st) < 0)
		fail(text);
	s->bytes = (uint64_t)st.st_size;
}

/* Reads the command line and gets the process ready. `has`: bits of the works there are. */
static inline struct service start_service(int argc, char **argv, unsigned has)
{
	struct service s = { .name = argv[0] };

	if (argc < 3) {
		fprintf(stderr, "usage: %s WORK ADDRESS [ARG] [options]\n", argv[0]);
		exit(2);
	}
	s.work = parse_work(argv[1], has);
	s.address = argv[2];
	if (s.work == WORK_SOURCE || s.work == WORK_FILE) {
		if (argc < 4) {
			fprintf(stderr, "%s %s ADDRESS: its ARG is missing\n", argv[0], argv[1]);
			exit(2);
		}
		parse_argument(&s, argv[3]);
	}
	if (s.work == WORK_SOURCE)
		fill_block();
	prepare_process();
	return s;
}

/* The value of an option, "" for one that is given last, NULL for one that is not given. */
static inline const char *find_option(int argc, char **argv, const char *name)
{
	for (int i = 3; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return i + 1 < argc ? argv[i + 1] : "";
	return NULL;
}

/* Says where it listens: with the port that the kernel chose. */
static inline void announce(int fd, const char *address)
{
	struct sockaddr_in in;
	socklen_t len = sizeof(in);
	char host[INET_ADDRSTRLEN];

	if (getsockname(fd, (struct sockaddr *)&in, &len) == 0 && in.sin_family == AF_INET)
		printf("listening on %s:%d\n", inet_ntop(AF_INET, &in.sin_addr, host, sizeof(host)),
		       ntohs(in.sin_port));
	else
		printf("listening on %s\n", address);
	fflush(stdout);
}

static inline int bind_unix(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(un.sun_path)) {
		errno = ENAMETOOLONG;
		fail(path);
	}
	memcpy(un.sun_path, path, strlen(path) + 1);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
		fail(path);
	return fd;
}

/* What a connection inherits from its listener is set here: no Nagle, and buffers as they grow. */
static inline int bind_inet(const char *address)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
	const char *colon = strrchr(address, ':');
	char host[INET_ADDRSTRLEN] = "";

	if (colon && (size_t)(colon - address) < sizeof(host))
		memcpy(host, address, (size_t)(colon - address));
	if (inet_pton(AF_INET, host, &in.sin_addr) != 1) {
		errno = EINVAL;
		fail(address);
	}
	in.sin_port = htons((uint16_t)atoi(colon + 1));
	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0)
		fail(address);
	return fd;
}

/* A non-blocking listener on ADDRESS, which has been announced. */
static inline int listen_on(const char *address)
{
	int fd = strncmp(address, "unix:", 5) == 0 ? bind_unix(address + 5) : bind_inet(address);

	if (listen(fd, BACKLOG) < 0)
		fail(address);
	announce(fd, address);
	return fd;
}

/*
 * Where the line ends that begins at `data`: one past its CRLF, 0 when it is not all there. The
 * first `searched` bytes are known to hold no line end; a CR at their end may be half of one.
 */
static inline size_t line_end(const char *data, size_t len, size_t searched)
{
	size_t at = searched;

	while (at < len) {
		const char *lf = memchr(data + at, '\n', len - at);

		if (!lf)
			return 0;
		at = (size_t)(lf - data) + 1;
		if (at >= 2 && lf[-1] == '\r')
			return at;
	}
	return 0;
}

/* One past the last of the whole lines in `data`; each of them is found for itself, as a server that
 * looks at its lines does. With `only_first`, one past the first. */
static inline size_t lines_end(const char *data, size_t len, size_t searched, bool only_first)
{
	size_t end = line_end(data, len, searched);

	while (end > 0 && end < len && !only_first) {
		size_t next = line_end(data + end, len - end, 0);

		if (next == 0)
			break;
		end += next;
	}
	return end;
}

#endif
