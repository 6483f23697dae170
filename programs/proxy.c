/* proxy.c — `asyncore proxy`: the command line of the TCP relay, its listener and its end. */
#include "proxy.h"

#include "options.h"
#include "program.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#define STOP_SECONDS 10

static const char help[] =
	"usage: asyncore proxy [OPTION]... LISTEN TARGET\n\n"
	"Passes each connection to LISTEN on to TARGET, both HOST:PORT, [IPV6]:PORT or unix:PATH,\n"
	"and the bytes of each side to the other.\n\n"
	"      --max-connections N  more wait (80 % of the open files allowed, less 64, halved)\n"
	"      --connect-timeout S  seconds to connect to TARGET (10)\n"
	"      --idle-timeout S     seconds without a byte in either direction (300)\n"
	"  -p, --poller NAME        io_uring, epoll, poll or select\n"
	"  -q, --quiet              no line for each connection\n";

enum long_only { MAX_CONNECTIONS = 256, CONNECT_TIMEOUT, IDLE_TIMEOUT };

static const struct option long_options[] = {
	{ "max-connections", required_argument, NULL, MAX_CONNECTIONS },
	{ "connect-timeout", required_argument, NULL, CONNECT_TIMEOUT },
	{ "idle-timeout", required_argument, NULL, IDLE_TIMEOUT },
	{ "poller", required_argument, NULL, 'p' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct options {
	const char *poller, *listen;
};

static bool set_option(int c, const char *value, struct options *o, struct proxy *p)
{
	switch (c) {
	case MAX_CONNECTIONS:
		return options_count(value, &p->max_connections) && p->max_connections;
	case CONNECT_TIMEOUT:
		return options_seconds(value, &p->connect_timeout);
	case IDLE_TIMEOUT:
		return options_seconds(value, &p->idle_timeout);
	case 'p':
		o->poller = value;
		return true;
	case 'q':
		p->quiet = true;
		return true;
	default:
		return false;
	}
}

/* 0: go on; else the status to end with, plus one. */
static int read_options(int argc, char **argv, struct options *o, struct proxy *p)
{
	int c;

	while ((c = getopt_long(argc, argv, "hp:q", long_options, NULL)) != -1) {
		if (c == 'h')
			return program_help(help) + 1;
		if (c != '?' && !set_option(c, optarg, o, p))
			program_fail(STATUS_USAGE, "proxy", "bad value '%s'", optarg);
		else if (c != '?')
			continue;
		return program_usage("proxy") + 1;
	}
	if (argc - optind != 2) {
		program_fail(STATUS_USAGE, "proxy", "an address and a target are needed");
		return program_usage("proxy") + 1;
	}
	o->listen = argv[optind];
	p->target = argv[optind + 1];
	return 0;
}

static int leave(void *arg)
{
	struct proxy *p = arg;

	proxy_break_off(p);
	return AC_EXIT;
}

/* What is open may come to its end. */
static void stop(void *arg)
{
	struct proxy *p = arg;

	p->stopping = true;
	ac_close(p->listener);
	p->listener = NULL;
	ac_call_later(p->map, p->connections ? STOP_SECONDS : 0, leave, p);
}

static int check_target(const struct proxy *p)
{
	struct ac_addr addr;

	if (ac_addr_parse(p->target, &addr) == 0)
		return STATUS_OK;
	return program_fail(STATUS_FAILED, "proxy", "\"%s\" is no address", p->target);
}

static int run(const struct options *o, struct proxy *p)
{
	int r;

	p->map = program_map("proxy", o->poller);
	if (!p->map)
		return o->poller && !ac_has(o->poller) ? STATUS_USAGE : STATUS_FAILED;
	r = program_on_stop(p->map, stop, p);
	if (r < 0)
		return program_fail(STATUS_FAILED, "proxy", "%s", strerror(-r));
	p->listener = program_listen(p->map, &proxy_listener_class, "proxy", "", o->listen);
	if (!p->listener)
		return STATUS_FAILED;
	((struct proxy_listener *)p->listener)->proxy = p;
	r = ac_loop(p->map, NULL);
	if (r < 0)
		ac_explain(p->map, "proxy");
	return r < 0 ? STATUS_FAILED : STATUS_OK;
}

int cmd_proxy(int argc, char **argv)
{
	struct options o = { NULL, NULL };
	struct proxy p = {
		.max_connections = options_connections(2),
		.connect_timeout = 10,
		.idle_timeout = 300,
	};
	int status = read_options(argc, argv, &o, &p);

	if (status)
		return status - 1;
	status = check_target(&p);
	if (status == STATUS_OK)
		status = run(&o, &p);
	ac_map_free(p.map);
	return status;
}
