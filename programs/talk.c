/*
 * talk.c — `asyncore talk`: the terminal on one side, a server on the other, in one map.
 *
 *	stdin ─▶ keyboard (file dispatcher) ─push▶ peer (chat) ─▶ server
 *	stdout ◀──────────────── write ◀─ collect ─┘
 *
 * Design: the keyboard is paused while the server does not take what was typed. When it ends, what
 * is queued is sent first and then our side is shut; the server's answer is read to its end. Output
 * is written at once: who reads it slowly makes the server wait.
 */
#include "names.h"
#include "program.h"
#include "udp.h"
#include "tls.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

struct peer {
	struct ac_chat c;
	struct ac_dispatcher *keyboard;
	const char *address;
	bool typed_all;
};

struct keyboard {
	struct ac_dispatcher d;
	struct peer *peer;
};

static int status; /* of the only conversation this program has */

/* A peer that is lost meanwhile is told of by its own channel. */
static int shut_when_sent(struct peer *p)
{
	if (p->typed_all && ac_pending(&p->c) == 0)
		ac_shutdown(&p->c.d, SHUT_WR);
	return 0;
}

static int keyboard_read(struct ac_dispatcher *d)
{
	struct peer *p = ((struct keyboard *)d)->peer;
	char typed[8192];
	ssize_t n = ac_recv(d, typed, sizeof(typed));

	if (n <= 0)
		return (int)n;
	AC_TRY(d, ac_push(&p->c, typed, (size_t)n));
	if (ac_pending(&p->c) >= ac_limit(&p->c.d, AC_LOW_WATER))
		ac_pause(d);
	return 0;
}

static int keyboard_close(struct ac_dispatcher *d)
{
	struct peer *p = ((struct keyboard *)d)->peer;

	p->keyboard = NULL;
	p->typed_all = true;
	return ac_closing(&p->c.d) || !ac_connected(&p->c.d) ? 0 : shut_when_sent(p);
}

static const struct ac_class keyboard_class = {
	.super = AC_DISPATCHER,
	.name = "keyboard",
	.size = sizeof(struct keyboard),
	.handle_read = keyboard_read,
	.handle_close = keyboard_close,
};

static int peer_connected(struct ac_dispatcher *d)
{
	struct peer *p = (struct peer *)d;
	struct keyboard *k =
		(struct keyboard *)ac_file_dispatcher(d->map, &keyboard_class, STDIN_FILENO);

	if (!k)
		return ac_raisef(d, errno, "standard input");
	k->peer = p;
	p->keyboard = &k->d;
	return 0;
}

static int write_out(struct ac_chat *c, const void *data, size_t len)
{
	int r = program_write(data, len);

	return r < 0 ? ac_raisef(c, -r, "standard output") : 0;
}

static int peer_drained(struct ac_chat *c)
{
	struct peer *p = (struct peer *)c;

	if (p->keyboard)
		ac_resume(p->keyboard);
	return shut_when_sent(p);
}

static int peer_failed(struct ac_dispatcher *d, const struct ac_error *e)
{
	const char *why = tls_why(e);

	if (why == e->detail || names_tell(e, ((struct peer *)d)->address))
		status = program_fail(STATUS_FAILED, "talk", "%s", e->detail);
	else
		status = program_fail(STATUS_FAILED, "talk", "%s: %s", e->detail, why);
	ac_close(d);
	return 0;
}

static int peer_closed(struct ac_dispatcher *d)
{
	struct peer *p = (struct peer *)d;
	int reason = ac_close_reason(d);

	if (reason > 0 && status == STATUS_OK)
		status = program_fail(STATUS_FAILED, "talk", "connection lost: %s",
		                      strerror(reason));
	if (p->keyboard)
		ac_close(p->keyboard);
	return 0;
}

static const struct ac_chat_class peer_class = {
	.d = {
		.super = AC_CHAT,
		.name = "peer",
		.size = sizeof(struct peer),
		.handle_connect = peer_connected,
		.handle_error = peer_failed,
		.handle_close = peer_closed,
	},
	.collect_incoming_data = write_out,
	.handle_drain = peer_drained,
};

static const char help[] =
	"usage: asyncore talk [OPTION]... ADDRESS\n\n"
	"Sends what comes on the standard input to ADDRESS (HOST:PORT, "
	"[IPV6]:PORT or unix:PATH) and\n"
	"writes what comes back to the standard output, until the server "
	"closes. At the end of the\n"
	"input only our side is shut. With --udp each line is a datagram, and "
	"ADDRESS may be a\n"
	"multicast group; a second after the last datagram it ends.\n\n"
	"  -p, --poller NAME       io_uring, epoll, poll or select\n"
	"      --udp               talk UDP\n"
	"      --tls               talk TLS, and verify the server's certificate\n"
	"      --cacert FILE       trust the certificates in FILE, not the "
	"system's\n"
	"      --server-name NAME  whom to expect (the host of ADDRESS)\n"
	"      --insecure          take any certificate\n";

struct options {
	const char *poller, *address, *server_name;
	bool secure, udp;
	struct tls_options tls;
};

static int dial(struct ac_dispatcher *d, const struct options *o, struct ac_tls *tls)
{
	char host[256];

	if (!d)
		return -ENOMEM;
	((struct peer *)d)->address = o->address;
	tls_host(o->address, host, sizeof(host));
	AC_TRY(d, tls_start(d, tls, o->server_name ? o->server_name : host));
	return ac_dial(d, o->address);
}

static int talk(const struct options *o)
{
	struct ac_map *map = program_map("talk", o->poller);
	struct ac_tls *tls = NULL;
	int r;

	if (!map)
		return program_no_map(o->poller);
	if (o->udp) {
		status = udp_talk(map, o->address);
		ac_map_free(map);
		return status;
	}
	status = names_use(map, "talk", NULL);
	if (status == STATUS_OK && o->secure)
		status = tls_client("talk", &o->tls, &tls);
	r = status == STATUS_OK ? dial(ac_new(map, &peer_class.d), o, tls) : 0;
	if (r < 0)
		status = program_fail(STATUS_FAILED, "talk", "%s: %s", o->address, strerror(-r));
	else if (status == STATUS_OK && ac_loop(map, NULL) < 0)
		status = STATUS_FAILED;
	ac_map_free(map);
	tls_free(tls);
	return status;
}

enum long_only { TLS = 256, CACERT, SERVER_NAME, INSECURE };

static bool set_option(int c, const char *value, struct options *o)
{
	switch (c) {
	case 'p':
		o->poller = value;
		return true;
	case 'u':
		return o->udp = true;
	case TLS:
		return o->secure = true;
	case CACERT:
		o->tls.ca_file = value;
		return true;
	case SERVER_NAME:
		o->server_name = value;
		return true;
	case INSECURE:
		return o->tls.insecure = true;
	default:
		return false;
	}
}

int cmd_talk(int argc, char **argv)
{
	static const struct option options[] = {
		{ "poller", required_argument, NULL, 'p' },
		{ "udp", no_argument, NULL, 'u' },
		{ "tls", no_argument, NULL, TLS },
		{ "cacert", required_argument, NULL, CACERT },
		{ "server-name", required_argument, NULL, SERVER_NAME },
		{ "insecure", no_argument, NULL, INSECURE },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { NULL };
	int c;

	while ((c = getopt_long(argc, argv, "hp:", options, NULL)) != -1) {
		if (c == 'h')
			return program_help(help);
		if (!set_option(c, optarg, &o))
			return program_usage("talk");
	}
	if (o.udp && o.secure)
		return program_fail(STATUS_USAGE, "talk", "--udp and --tls exclude each other");
	if (!o.secure && (o.tls.ca_file || o.tls.insecure || o.server_name)) {
		program_fail(STATUS_USAGE, "talk",
		             "--cacert, --server-name and --insecure need --tls");
		return program_usage("talk");
	}
	if (argc - optind != 1) {
		program_fail(STATUS_USAGE, "talk", "one address is needed");
		return program_usage("talk");
	}
	o.address = argv[optind];
	return talk(&o);
}
