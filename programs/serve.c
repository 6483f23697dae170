/* serve.c — `asyncore serve`: the command line of the HTTP file server, its listeners and its end. */
#include "serve.h"

#include "options.h"
#include "program.h"
#include "tls.h"

#include <asyncore/threads.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define STOP_SECONDS 10

static const char help[] =
	"usage: asyncore serve [OPTION]... [DIR]\n\n"
	"Serves the files below DIR (the current folder) over HTTP/1.1, and nothing outside it.\n\n"
	"  -l, --listen ADDRESS     HOST:PORT, [IPV6]:PORT or unix:PATH; may be repeated\n"
	"                           (127.0.0.1:8000; port 0: any free one)\n"
	"      --tls CERT KEY       https, by the certificate and key in these files; may be\n"
	"                           repeated: chosen by the name a client asks for\n"
	"  -p, --poller NAME        io_uring, epoll, poll or select\n"
	"      --log FILE           append the access log to FILE (standard output)\n"
	"  -q, --quiet              no access log\n"
	"      --workers N          serve with N threads, a loop each (0: one a processor)\n"
	"      --max-connections N  more are answered with 503 (80 % of the open files allowed, "
	"less 64)\n"
	"      --max-per-address N  the same for each address (0: no limit)\n"
	"      --rate BYTES         a second, for each connection (0: as many as go)\n"
	"      --rate-all BYTES     a second, for all of them together\n"
	"      --min-rate BYTES     a second, after the first five; slower clients are cut off\n"
	"      --head-timeout S     seconds from a request's first byte to the end of its head "
	"(10)\n"
	"      --idle-timeout S     seconds a connection may wait for its next request (60)\n"
	"      --stall-timeout S    seconds without a byte of a body or an answer (30)\n";

enum long_only {
	LOG = 256,
	MAX_CONNECTIONS,
	MAX_PER_ADDRESS,
	RATE,
	RATE_ALL,
	MIN_RATE,
	HEAD_TIMEOUT,
	IDLE_TIMEOUT,
	STALL_TIMEOUT,
	WORKERS
};

static const struct option long_options[] = {
	{ "listen", required_argument, NULL, 'l' },
	{ "poller", required_argument, NULL, 'p' },
	{ "log", required_argument, NULL, LOG },
	{ "quiet", no_argument, NULL, 'q' },
	{ "workers", required_argument, NULL, WORKERS },
	{ "max-connections", required_argument, NULL, MAX_CONNECTIONS },
	{ "max-per-address", required_argument, NULL, MAX_PER_ADDRESS },
	{ "rate", required_argument, NULL, RATE },
	{ "rate-all", required_argument, NULL, RATE_ALL },
	{ "min-rate", required_argument, NULL, MIN_RATE },
	{ "head-timeout", required_argument, NULL, HEAD_TIMEOUT },
	{ "idle-timeout", required_argument, NULL, IDLE_TIMEOUT },
	{ "stall-timeout", required_argument, NULL, STALL_TIMEOUT },
	{ "tls", required_argument, NULL, OPTIONS_TLS },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static bool set_workers(const char *value, size_t *ret_count)
{
	cpu_set_t mine;
	size_t n;

	if (!options_count(value, &n) || n > AC_WORKERS_MOST)
		return false;
	if (n == 0)
		n = sched_getaffinity(0, sizeof(mine), &mine) < 0 ? 1 : (size_t)CPU_COUNT(&mine);
	*ret_count = n;
	return true;
}

struct asked_for {
	struct serve_options *options;
	struct http_server *server;
};

static bool set_option(int c, const char *value, void *arg)
{
	struct serve_options *o = ((struct asked_for *)arg)->options;
	struct http_server *s = ((struct asked_for *)arg)->server;

	switch (c) {
	case 'l':
		if (o->listeners == SERVE_LISTENERS_MOST)
			return false;
		o->listen[o->listeners++] = value;
		return true;
	case 'p':
		o->poller = value;
		return true;
	case 'q':
		o->quiet = true;
		return true;
	case LOG:
		o->log = value;
		return true;
	case WORKERS:
		return set_workers(value, &o->workers);
	case MAX_CONNECTIONS:
		return options_count(value, &o->max_connections);
	case MAX_PER_ADDRESS:
		return options_count(value, &o->max_per_address);
	case RATE:
		return options_count(value, &o->rate);
	case RATE_ALL:
		return options_count(value, &o->rate_all);
	case MIN_RATE:
		return options_count(value, &o->min_rate);
	case HEAD_TIMEOUT:
		return options_seconds(value, &s->head_timeout);
	case IDLE_TIMEOUT:
		return options_seconds(value, &s->idle_timeout);
	case STALL_TIMEOUT:
		return options_seconds(value, &s->stall_timeout);
	default:
		return false;
	}
}

/* 0: go on; else the status to end with, plus one. */
static int read_options(int argc, char **argv, struct serve_options *o, struct http_server *s)
{
	static const struct options_table table = { "serve", help, "hl:p:q", long_options,
		                                    set_option };
	int r = options_read(&table, &o->tls, argc, argv, &(struct asked_for){ o, s });

	if (r)
		return r;
	if (argc - optind > 1)
		return options_refuse("serve", "too many arguments");
	if (optind < argc)
		o->dir = argv[optind];
	if (o->listeners == 0)
		o->listen[o->listeners++] = "127.0.0.1:8000";
	return 0;
}

static int open_files(const struct serve_options *o, struct http_server *s)
{
	s->root = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->root < 0)
		return program_fail(STATUS_FAILED, "serve", "%s: %s", o->dir, strerror(errno));
	if (o->quiet)
		return STATUS_OK;
	s->log.fd = o->log ? open(o->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)
	                   : STDOUT_FILENO;
	if (s->log.fd < 0)
		return program_fail(STATUS_FAILED, "serve", "%s: %s", o->log, strerror(errno));
	return STATUS_OK;
}

static int listen_all(const struct serve_options *o, struct http_server *s)
{
	for (size_t i = 0; i < o->listeners; i++) {
		struct ac_dispatcher *d =
			program_listen(s->map, &http_listener_class, "serve",
		                       s->tls ? "https://" : "http://", o->listen[i]);

		if (!d)
			return STATUS_FAILED;
		((struct http_listener *)d)->server = s;
	}
	return STATUS_OK;
}

void serve_stop(struct http_server *s)
{
	http_connections_stop(s);
	program_leave(s->map, s->connections ? STOP_SECONDS : 0);
}

static size_t milliseconds(double seconds)
{
	return seconds > 0.001 ? (size_t)(seconds * 1000) : 1;
}

static void stop(void *arg)
{
	serve_stop(arg);
}

static size_t share(size_t whole, size_t shares)
{
	return whole == SIZE_MAX ? whole : whole / shares + (whole % shares != 0);
}

int serve_set_limits(struct http_server *s, const struct serve_options *o, size_t shares)
{
	size_t most = o->max_connections ? o->max_connections : options_connections(s->map);

	ac_map_set_limit(s->map, AC_MAX_CONNECTIONS, share(most, shares));
	ac_map_set_limit(s->map, AC_MAX_PER_ADDRESS, share(o->max_per_address, shares));
	ac_map_set_limit(s->map, AC_MAX_RECORD_TIME, milliseconds(s->head_timeout));
	ac_map_set_limit(s->map, AC_MAX_STALL, milliseconds(s->stall_timeout));
	s->rate = o->rate;
	s->min_rate = o->min_rate;
	if (!o->rate_all)
		return STATUS_OK;
	s->rate_all = ac_rate_new(s->map, share(o->rate_all, shares), 0);
	return s->rate_all ? STATUS_OK
	                   : program_fail(STATUS_FAILED, "serve", "%s", strerror(errno));
}

void serve_end(struct http_server *s)
{
	http_log_flush(&s->log);
	ac_rate_free(s->rate_all);
}

static void report(void *map)
{
	http_report(map);
}

static int run(const struct serve_options *o, struct http_server *s)
{
	int r;

	s->map = program_map("serve", o->poller);
	if (!s->map)
		return program_no_map(o->poller);
	if (serve_set_limits(s, o, 1) != STATUS_OK)
		return STATUS_FAILED;
	r = program_on_stop(s->map, stop, s);
	if (r == 0)
		r = tls_reload_on_hangup(s->map, "serve", s->tls);
	if (r == 0)
		r = http_report_when_asked(s->map, report, s->map);
	if (r < 0)
		return program_fail(STATUS_FAILED, "serve", "%s", strerror(-r));
	if (listen_all(o, s) != STATUS_OK)
		return STATUS_FAILED;
	return program_loop(s->map, "serve");
}

int cmd_serve(int argc, char **argv)
{
	static const char *const alpn[] = { "http/1.1", NULL };
	struct serve_options o = { .dir = ".", .tls.alpn = alpn };
	struct http_server s = {
		.root = -1,
		.log.fd = -1,
		.head_timeout = 10,
		.idle_timeout = 60,
		.stall_timeout = 30,
	};
	int status = read_options(argc, argv, &o, &s);

	if (status)
		return status - 1;
	signal(SIGPIPE, SIG_IGN); /* the log may be a pipe */
	status = open_files(&o, &s);
	if (status == STATUS_OK)
		status = tls_server("serve", &o.tls, &s.tls);
	if (status == STATUS_OK)
		status = o.workers ? serve_workers(&o, &s) : run(&o, &s);
	ac_map_free(s.map);
	serve_end(&s);
	tls_free(s.tls);
	if (s.log.fd >= 0 && o.log)
		close(s.log.fd);
	if (s.root >= 0)
		close(s.root);
	return status;
}
