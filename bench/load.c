/*
 * load.c — the load of the bench: a bare epoll client that keeps a server busy and measures it.
 *
 *	load WORK ADDRESS PID [options]
 *
 *	--connections N  (1)     --idle N      open but silent beside them (0)
 *	--depth N        (1)     lines of a batch          --size BYTES  of a line with its CRLF (64)
 *	--seconds S      (1)     --warmup S    (0.25)      --rate LINES/S  open loop (0: closed loop)
 *	--bytes N        source, file, sink: so many in all, by the clock (0: as many as fit --seconds)
 *	--file PATH      file: what ought to come (without it only lengths are looked at)
 *	--tls 1          all of it under TLS 1.3 (0)
 *
 * Prints one line of JSON: how much came in how many seconds, the nanoseconds that all threads of
 * process PID were on a processor meanwhile, and latencies: of lines, or of connections where these
 * end. WORK `memory` asks an echo server's process for its memory instead.
 *
 * Limits: hangup sends its line with one send, so --size must fit a socket's buffer. A server that
 * brings nothing for ten seconds, or a wrong byte, is an error (exit 1).
 */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#define SPIN 60000 /* ns before a line is due at which waiting is no longer left to the kernel */

/* ---- connections ------------------------------------------------------------------------- */

void client_watch(struct load *l, struct client *c, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	if (c->watched == events)
		return;
	if (epoll_ctl(l->ep, c->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &e) < 0)
		die("epoll_ctl");
	c->watched = events;
}

void client_open(struct load *l, struct client *c)
{
	c->began = now_ns();
	c->fd = dial(l->address, l->tls, &c->tls);
	c->watched = 0;
	c->allowed = c->sent = c->got = 0;
	client_watch(l, c, EPOLLIN);
	if (l->work->opened)
		l->work->opened(l, c);
}

/* The silent ones are not even watched. */
static void open_all(struct load *l)
{
	size_t files = server_files(l->pid);
	void *unused;

	for (size_t i = 0; i < l->idle; i++)
		dial(l->address, false, &unused);
	wait_accepted(l->pid, files, l->idle);
	files = server_files(l->pid);
	for (size_t i = 0; i < l->connections; i++) {
		l->clients[i].index = i;
		client_open(l, &l->clients[i]);
	}
	if (!l->work->renews)
		wait_accepted(l->pid, files, l->connections);
	for (size_t i = 0; i < l->connections && l->work->begin; i++)
		l->work->begin(l, &l->clients[i], now_ns());
}

/* ---- time -------------------------------------------------------------------------------- */

void progress(struct load *l, int64_t now)
{
	l->last_progress = now;
}

/* Waits for events; not at all shortly before a line is due. */
static int wait_events(struct load *l, struct epoll_event *events, int64_t now, int64_t until)
{
	int64_t due = next_due(l), end = due - SPIN < until ? due - SPIN : until;
	int64_t ns = end > now ? end - now : 0;
	struct timespec most = { ns / SECOND, ns % SECOND };
	int n = epoll_pwait2(l->ep, events, BATCH, &most, NULL);

	if (n < 0 && errno != EINTR)
		die("epoll_pwait2");
	return n;
}

static void handle(struct load *l, struct client *c, uint32_t events)
{
	l->work->event(l, c, events);
	while (!l->done && net_pending(c))
		l->work->event(l, c, EPOLLIN);
}

void turn(struct load *l, int64_t until)
{
	struct epoll_event events[BATCH];
	int64_t now = now_ns(), give_up = l->last_progress + PATIENCE * SECOND;
	int n;

	if (now > give_up)
		wrong("nothing came for %d seconds", PATIENCE);
	send_due(l, now);
	n = wait_events(l, events, now, until < give_up ? until : give_up + 1);
	for (int i = 0; i < n && !l->done; i++)
		handle(l, events[i].data.ptr, events[i].events);
}

static void turn_until(struct load *l, int64_t until)
{
	while (!l->done && now_ns() < until)
		turn(l, until);
}

/* ---- measurements ------------------------------------------------------------------------ */

static void start_schedule(struct load *l)
{
	l->clock_start = l->last_progress = now_ns();
	if (l->rate > 0)
		l->interval = (int64_t)((double)l->depth / l->rate * (double)SECOND);
	if (l->rate > 0 && l->interval < 1)
		wrong("too high a rate");
}

static void print_result(const struct load *l, int64_t ns, int64_t cpu)
{
	printf("{\"count\": %llu, \"seconds\": %.6f, \"cpu_ns\": %lld, \"p50_us\": %.2f, "
	       "\"p99_us\": %.2f, \"p999_us\": %.2f}\n",
	       (unsigned long long)l->count, (double)ns / (double)SECOND, (long long)cpu,
	       hist_us(&l->hist, 0.5), hist_us(&l->hist, 0.99), hist_us(&l->hist, 0.999));
}

/* A number of bytes is measured whole, from before the connections are made; all else for a while,
 * when it has been going for a while. */
static void measure(struct load *l)
{
	bool whole = l->bytes > 0 && l->work->bulk;
	int64_t start, cpu; /* then how much of both */

	if (!whole) {
		open_all(l);
		start_schedule(l);
		turn_until(l, now_ns() + (int64_t)(l->warmup * (double)SECOND));
	}
	l->count = 0;
	memset(&l->hist, 0, sizeof(l->hist));
	cpu = server_cpu_ns(l->pid);
	start = now_ns();
	if (whole) {
		open_all(l);
		start_schedule(l);
	}
	turn_until(l, whole ? INT64_MAX : start + (int64_t)(l->seconds * (double)SECOND));
	start = now_ns() - start;
	cpu = server_cpu_ns(l->pid) - cpu;
	if (l->count == 0)
		wrong("nothing came in %.2f seconds", (double)start / (double)SECOND);
	if (l->work->finish)
		l->work->finish(l);
	print_result(l, start, cpu);
}

static void measure_memory(struct load *l)
{
	uint64_t empty = server_memory(l->pid), fresh;
	size_t files = server_files(l->pid);

	for (size_t i = 0; i < l->connections; i++) {
		l->clients[i].index = i;
		client_open(l, &l->clients[i]);
	}
	wait_accepted(l->pid, files, l->connections);
	fresh = server_memory(l->pid);
	progress(l, now_ns());
	one_line_each(l);
	printf("{\"count\": %zu, \"empty_bytes\": %llu, \"fresh_bytes\": %llu, "
	       "\"used_bytes\": %llu}\n",
	       l->connections, (unsigned long long)empty, (unsigned long long)fresh,
	       (unsigned long long)server_memory(l->pid));
}

/* ---- the command line -------------------------------------------------------------------- */

static void usage(void)
{
	fprintf(stderr, "usage: load echo|hangup|source|file|sink|broadcast|memory ADDRESS PID\n"
	                "  [--connections N] [--idle N] [--depth N] [--size BYTES] [--seconds S]\n"
	                "  [--warmup S] [--rate LINES/S] [--bytes N] [--file PATH] [--tls 1]\n");
	exit(2);
}

static const struct work *find_work(const char *name)
{
	static const struct work *const works[] = { &work_echo,   &work_broadcast, &work_hangup,
		                                    &work_source, &work_file,      &work_sink,
		                                    &work_memory };

	for (size_t i = 0; i < sizeof(works) / sizeof(*works); i++)
		if (strcmp(works[i]->name, name) == 0)
			return works[i];
	usage();
	return NULL;
}

/* Each option has one value. */
static void parse_option(struct load *l, const char *name, const char *value)
{
	struct {
		const char *name;
		size_t *number;
		double *real;
		const char **text;
	} options[] = {
		{ "--connections", &l->connections, NULL, NULL },
		{ "--idle", &l->idle, NULL, NULL },
		{ "--depth", &l->depth, NULL, NULL },
		{ "--size", &l->size, NULL, NULL },
		{ "--bytes", &l->bytes, NULL, NULL },
		{ "--seconds", NULL, &l->seconds, NULL },
		{ "--warmup", NULL, &l->warmup, NULL },
		{ "--rate", NULL, &l->rate, NULL },
		{ "--file", NULL, NULL, &l->path },
		{ "--tls", &l->tls, NULL, NULL },
	};
	size_t i = 0, count = sizeof(options) / sizeof(*options);

	while (i < count && strcmp(options[i].name, name) != 0)
		i++;
	if (i == count || !value)
		usage();
	if (options[i].number)
		*options[i].number = (size_t)strtoull(value, NULL, 10);
	else if (options[i].real)
		*options[i].real = strtod(value, NULL);
	else
		*options[i].text = value;
}

static void parse(struct load *l, int argc, char **argv)
{
	if (argc < 4)
		usage();
	l->work = find_work(argv[1]);
	l->address = argv[2];
	l->pid = atoi(argv[3]);
	for (int i = 4; i < argc; i += 2)
		parse_option(l, argv[i], argv[i + 1]);
	if (l->connections < 1 || l->depth < 1 || l->size < 3 || l->pid < 1)
		usage();
}

/* Descriptors for thousands of connections, and waits that end when they should. */
static void prepare_process(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	prctl(PR_SET_TIMERSLACK, 1);
}

int main(int argc, char **argv)
{
	static struct load l = {
		.connections = 1, .depth = 1, .size = 64, .seconds = 1, .warmup = 0.25
	};

	parse(&l, argc, argv);
	prepare_process();
	l.ep = epoll_create1(EPOLL_CLOEXEC);
	l.clients = calloc(l.connections, sizeof(*l.clients));
	if (l.ep < 0 || !l.clients)
		die("load");
	if (l.work->prepare)
		l.work->prepare(&l);
	progress(&l, now_ns());
	if (l.work == &work_memory)
		measure_memory(&l);
	else
		measure(&l);
	return 0;
}
