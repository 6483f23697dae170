/* proxy.c — `asyncore proxy`: the command line of the TCP relay, its listener and its end. */
#include "proxy.h"

#include "names.h"
#include "options.h"
#include "program.h"
#include "tls.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#define STOP_SECONDS 10
#define FEWEST_CONNECTIONS 16

static const char help[] =
	"usage: asyncore proxy [OPTION]... LISTEN TARGET\n\n"
	"Passes each connection to LISTEN on to TARGET, both HOST:PORT, [IPV6]:PORT or unix:PATH,\n"
	"and the bytes of each side to the other.\n\n"
	"      --tls CERT KEY       TLS with clients, by the certificate and key in these files;\n"
	"                           may be repeated: chosen by the name a client asks for\n"
	"      --tls-target         TLS with TARGET, and verify its certificate\n"
	"      --cacert FILE        trust the certificates in FILE, not the system's\n"
	"      --server-name NAME   whom to expect behind TARGET (its host)\n"
	"      --insecure           take any certificate of TARGET's\n"
	"      --max-connections N  more wait (80 % of the open files allowed, less 64, halved)\n"
	"      --connect-timeout S  seconds to connect to TARGET (10)\n"
	"      --idle-timeout S     seconds without a byte in either direction (300)\n"
	"  -p, --poller NAME        io_uring, epoll, poll or select\n"
	"  -q, --quiet              no line for each connection\n";

enum long_only {
	MAX_CONNECTIONS = 256,
	CONNECT_TIMEOUT,
	IDLE_TIMEOUT,
	TLS_TARGET,
	CACERT,
	SERVER_NAME,
	INSECURE
};

static const struct option long_options[] = {
	{ "max-connections", required_argument, NULL, MAX_CONNECTIONS },
	{ "connect-timeout", required_argument, NULL, CONNECT_TIMEOUT },
	{ "idle-timeout", required_argument, NULL, IDLE_TIMEOUT },
	{ "tls", required_argument, NULL, OPTIONS_TLS },
	{ "tls-target", no_argument, NULL, TLS_TARGET },
	{ "cacert", required_argument, NULL, CACERT },
	{ "server-name", required_argument, NULL, SERVER_NAME },
	{ "insecure", no_argument, NULL, INSECURE },
	{ "poller", required_argument, NULL, 'p' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct options {
	const char *poller, *listen;
	bool dials_tls;
	struct tls_options clients, target;
	char host[256]; /* of the target */
	struct proxy *proxy;
};

static bool set_tls_option(int c, const char *value, struct options *o)
{
	switch (c) {
	case TLS_TARGET:
		return o->dials_tls = true;
	case CACERT:
		o->target.ca_file = value;
		return true;
	case SERVER_NAME:
		o->proxy->server_name = value;
		return true;
	case INSECURE:
		return o->target.insecure = true;
	default:
		return false;
	}
}

static bool set_option(int c, const char *value, void *arg)
{
	struct options *o = arg;
	struct proxy *p = o->proxy;

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
		return set_tls_option(c, value, o);
	}
}

/* 0: go on; else the status to end with, plus one. */
static int read_options(int argc, char **argv, struct options *o)
{
	static const struct options_table table = { "proxy", help, "hp:q", long_options,
		                                    set_option };
	struct proxy *p = o->proxy;
	int r = options_read(&table, &o->clients, argc, argv, o);

	if (r)
		return r;
	if (argc - optind != 2)
		return options_refuse("proxy", "an address and a target are needed");
	if (!o->dials_tls && (o->target.ca_file || o->target.insecure || p->server_name))
		return options_refuse("proxy",
		                      "--cacert, --server-name and --insecure need --tls-target");
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
	if (names_may_be(p->target))
		return STATUS_OK;
	return program_fail(STATUS_FAILED, "proxy", "\"%s\" is no address", p->target);
}

static int set_up_tls(struct options *o, struct proxy *p)
{
	int status = tls_server("proxy", &o->clients, &p->accepts);

	if (status == STATUS_OK && o->dials_tls)
		status = tls_client("proxy", &o->target, &p->dials);
	if (!p->server_name)
		p->server_name = tls_host(p->target, o->host, sizeof(o->host));
	return status;
}

/* Two descriptors each; but the library's least is not halved. */
static size_t default_connections(struct ac_map *map)
{
	size_t most = options_connections(map);
	size_t least = most < FEWEST_CONNECTIONS ? most : FEWEST_CONNECTIONS;

	return most / 2 > least ? most / 2 : least;
}

static int run(const struct options *o, struct proxy *p)
{
	int r;

	p->map = program_map("proxy", o->poller);
	if (!p->map)
		return program_no_map(o->poller);
	if (!p->max_connections)
		p->max_connections = default_connections(p->map);
	if (names_use(p->map, "proxy", NULL) != STATUS_OK)
		return STATUS_FAILED;
	r = program_on_stop(p->map, stop, p);
	if (r == 0)
		r = tls_reload_on_hangup(p->map, "proxy", p->accepts);
	if (r < 0)
		return program_fail(STATUS_FAILED, "proxy", "%s", strerror(-r));
	p->listener = program_listen(p->map, &proxy_listener_class, "proxy", "", o->listen);
	if (!p->listener)
		return STATUS_FAILED;
	((struct proxy_listener *)p->listener)->proxy = p;
	return program_loop(p->map, "proxy");
}

int cmd_proxy(int argc, char **argv)
{
	struct proxy p = {
		.connect_timeout = 10,
		.idle_timeout = 300,
	};
	struct options o = { .proxy = &p };
	int status = read_options(argc, argv, &o);

	if (status)
		return status - 1;
	status = check_target(&p);
	if (status == STATUS_OK)
		status = set_up_tls(&o, &p);
	if (status == STATUS_OK)
		status = run(&o, &p);
	ac_map_free(p.map);
	tls_free(p.accepts);
	tls_free(p.dials);
	return status;
}
