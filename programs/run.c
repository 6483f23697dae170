/* run.c — `asyncore run`: a command for each connection, its command line and its end. */
#include "run.h"

#include "options.h"
#include "program.h"

#include <getopt.h>
#include <string.h>

#define STOP_SECONDS 10

static const char help[] =
	"usage: asyncore run [OPTION]... LISTEN [--] COMMAND [ARGUMENT]...\n\n"
	"Runs COMMAND for each connection to LISTEN (HOST:PORT, [IPV6]:PORT or unix:PATH): what "
	"the\n"
	"peer sends is its standard input, what it writes goes to the peer. Lines of its standard\n"
	"error are shown. When the connection goes the command is ended.\n\n"
	"      --max-connections N  more wait (50)\n"
	"  -p, --poller NAME        io_uring, epoll, poll or select\n"
	"  -q, --quiet              no line for each command that ends\n";

enum long_only { MAX_CONNECTIONS = 256 };

static const struct option long_options[] = {
	{ "max-connections", required_argument, NULL, MAX_CONNECTIONS },
	{ "poller", required_argument, NULL, 'p' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct options {
	const char *poller, *listen;
	struct run *run;
};

static bool set_option(int c, const char *value, void *arg)
{
	struct options *o = arg;
	struct run *r = o->run;

	switch (c) {
	case MAX_CONNECTIONS:
		return options_count(value, &r->max_connections) && r->max_connections;
	case 'p':
		o->poller = value;
		return true;
	default:
		r->quiet = true;
		return true;
	}
}

/* 0: go on; else the status to end with, plus one. What follows LISTEN is the command's own. */
static int read_options(int argc, char **argv, struct options *o)
{
	static const struct options_table table = { "run", help, "+hp:q", long_options,
		                                    set_option };
	int r = options_read(&table, NULL, argc, argv, o);

	if (r)
		return r;
	argv += optind;
	o->listen = *argv ? *argv++ : NULL;
	if (*argv && strcmp(*argv, "--") == 0)
		argv++;
	if (!o->listen || !*argv)
		return options_refuse("run", "an address and a command are needed");
	o->run->argv = (const char *const *)argv;
	return 0;
}

void run_over(struct run *r)
{
	program_leave(r->map, 0);
}

static int out_of_time(void *arg)
{
	run_kill_all(arg);
	return AC_EXIT;
}

static void stop(void *arg)
{
	struct run *r = arg;

	ac_close(r->listener);
	r->listener = NULL;
	run_end_all(r);
	ac_call_later(r->map, r->places ? STOP_SECONDS : 0, out_of_time, r);
}

static int run(const struct options *o, struct run *r)
{
	int status;

	r->map = program_map("run", o->poller);
	if (!r->map)
		return program_no_map(o->poller);
	status = program_on_stop(r->map, stop, r);
	if (status < 0)
		return program_fail(STATUS_FAILED, "run", "%s", strerror(-status));
	r->listener = program_listen(r->map, &run_listener_class, "run", "", o->listen);
	if (!r->listener)
		return STATUS_FAILED;
	((struct run_listener *)r->listener)->run = r;
	return program_loop(r->map, "run");
}

int cmd_run(int argc, char **argv)
{
	struct run r = { .max_connections = 50 };
	struct options o = { .run = &r };
	int status = read_options(argc, argv, &o);

	if (status)
		return status - 1;
	status = run(&o, &r);
	r.quiet = true;
	ac_map_free(r.map);
	return status;
}
