/* program.c — see program.h. */
#include "program.h"

#include "tls.h"

#include <asyncore/signals.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int program_fail(int status, const char *name, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "asyncore %s: ", name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

int program_help(const char *text)
{
	fputs(text, stdout);
	return STATUS_OK;
}

int program_usage(const char *name)
{
	fprintf(stderr, "Try 'asyncore %s --help'.\n", name);
	return STATUS_USAGE;
}

struct ac_map *program_map(const char *name, const char *poller)
{
	struct ac_map_opts opts = { .poller = poller };
	struct ac_map *map;

	if (poller && !ac_has(poller)) {
		program_fail(STATUS_USAGE, name, "unknown poller '%s'", poller);
		return NULL;
	}
	map = ac_map_new(&opts);
	if (!map)
		program_fail(STATUS_FAILED, name, "%s", strerror(errno));
	return map;
}

int program_no_map(const char *poller)
{
	return poller && !ac_has(poller) ? STATUS_USAGE : STATUS_FAILED;
}

int program_loop(struct ac_map *map, const char *name)
{
	int r = ac_loop(map, NULL);

	if (r < 0)
		ac_explain(map, name);
	return r < 0 ? STATUS_FAILED : STATUS_OK;
}

static int leave(void *arg)
{
	(void)arg;
	return AC_EXIT;
}

void program_leave(struct ac_map *map, double seconds)
{
	ac_call_later(map, seconds, leave, NULL);
}

struct stopper {
	struct ac_signals s;
	void (*stop)(void *arg);
	void *arg;
	bool stopped;
};

static int signal_came(struct ac_signals *signals, const struct ac_signal *signal)
{
	struct stopper *s = (struct stopper *)signals;

	if (s->stopped)
		_exit(128 + signal->number);
	s->stopped = true;
	s->stop(s->arg);
	return 0;
}

static const struct ac_signals_class stopper_class = {
	.d = { .super = AC_SIGNALS, .name = "signals", .size = sizeof(struct stopper) },
	.handle_signal = signal_came,
};

int program_on_stop(struct ac_map *map, void (*stop)(void *arg), void *arg)
{
	static const int numbers[] = { SIGINT, SIGTERM };
	struct stopper *s = (struct stopper *)ac_signals_new(map, &stopper_class, numbers, 2);

	if (!s)
		return -errno;
	s->stop = stop;
	s->arg = arg;
	return 0;
}

struct ac_dispatcher *program_opened(struct ac_dispatcher *d, int r, const char *name,
                                     const char *scheme, const char *address)
{
	struct ac_addr addr = { .len = 0 };
	char text[AC_ADDR_TEXT];
	bool has_scheme;

	if (r < 0) {
		const struct ac_error *e = ac_last_error(d ? d->map : NULL);

		program_fail(STATUS_FAILED, name, "%s: %s%s%s", address, strerror(-r),
		             r == -EINVAL ? ": " : "", r == -EINVAL ? e->detail : "");
		ac_close(d);
		return NULL;
	}
	ac_local_addr(d, &addr);
	has_scheme = *scheme && addr.sa.sa_family != AF_UNIX;
	printf("%s listening on %s%s%s\n", name, has_scheme ? scheme : "",
	       ac_addr_format(&addr, text, sizeof(text)), has_scheme ? "/" : "");
	fflush(stdout);
	return d;
}

struct ac_dispatcher *program_listen(struct ac_map *map, const struct ac_class *cls,
                                     const char *name, const char *scheme, const char *address)
{
	struct ac_dispatcher *d = ac_new(map, cls);

	return program_opened(d, ac_serve(d, address), name, scheme, address);
}

int program_write(const void *data, size_t len)
{
	const char *at = data;

	while (len) {
		ssize_t n = write(STDOUT_FILENO, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			poll(&(struct pollfd){ STDOUT_FILENO, POLLOUT, 0 }, 1, -1);
			continue;
		}
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

struct running {
	const struct program_server *server;
	struct ac_map *map;
};

/* What was said on stopping goes out in the pass that still follows. */
static void stop_server(void *arg)
{
	struct running *run = arg;

	if (run->server->stopping)
		run->server->stopping(run->map);
	program_leave(run->map, 0);
}

static struct ac_tls *secure; /* of the only server that a process runs; NULL: it talks in clear */

int program_secure(struct ac_dispatcher *d)
{
	AC_TRY(d, tls_start(d, secure, NULL));
	return secure != NULL;
}

static int run(const struct program_server *s, const char *poller, const char *address)
{
	struct running running = { s, program_map(s->name, poller) };
	int status = STATUS_FAILED, r;

	if (!running.map)
		return program_no_map(poller);
	r = program_on_stop(running.map, stop_server, &running);
	if (r == 0)
		r = tls_reload_on_hangup(running.map, s->name, secure);
	if (r < 0)
		program_fail(STATUS_FAILED, s->name, "%s", strerror(-r));
	else if (s->open ? s->open(running.map, address)
	                 : program_listen(running.map, s->listener, s->name, "", address))
		status = program_loop(running.map, s->name);
	ac_map_free(running.map);
	return status;
}

enum { TLS = 256 };

int program_run_server(const struct program_server *s, int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "poller", required_argument, NULL, 'p' },  { "help", no_argument, NULL, 'h' },
		{ "timeout", required_argument, NULL, 't' }, { "udp", no_argument, NULL, 'u' },
		{ "tls", required_argument, NULL, TLS },     { NULL, 0, NULL, 0 },
	};
	struct tls_options tls = { .handle_secure = s->handle_secure };
	const char *poller = NULL;
	bool udp = false;
	int c, status;

	while ((c = getopt_long(argc, argv, "hp:", long_options, NULL)) != -1) {
		if (c == 'h')
			return program_help(s->help);
		if (c == 'p')
			poller = optarg;
		else if (c == TLS && tls_options_add(&tls, optarg, argc, argv))
			continue;
		else if (c == TLS)
			return program_fail(STATUS_USAGE, s->name, "--tls needs CERT and KEY");
		else if (!s->option || s->option(c, optarg) < 0)
			return program_usage(s->name);
		udp |= c == 'u';
	}
	if (udp && tls.count)
		return program_fail(STATUS_USAGE, s->name, "--udp and --tls exclude each other");
	if (argc - optind > 1) {
		program_fail(STATUS_USAGE, s->name, "too many arguments");
		return program_usage(s->name);
	}
	status = tls_server(s->name, &tls, &secure);
	if (status == STATUS_OK)
		status = run(s, poller, optind < argc ? argv[optind] : s->address);
	tls_free(secure);
	return status;
}
