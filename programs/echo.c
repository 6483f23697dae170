/*
 * echo.c — `asyncore echo`: sends back each line as it came.
 *
 * Design: a line ends with CRLF or LF, and its end is part of what is sent back. What a client leaves
 * without an end when it goes is no line and is not sent back.
 */
#include "program.h"
#include "udp.h"

#include <errno.h>

static int echo_line(struct ac_chat *c)
{
	struct ac_slice line = ac_incoming(c);

	return ac_push(c, line.data, line.len);
}

static const struct ac_chat_class echo_class = {
	.d = { .super = AC_CHAT, .name = "echo" },
	.found_terminator = echo_line,
};

static int accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	static const struct ac_slice line_ends[] = { { "\r\n", 2 }, { "\n", 1 } };
	struct ac_chat *c = ac_chat_adopt(d->map, &echo_class, fd, peer);

	if (!c)
		return ac_raise(d, errno);
	ac_set_strip_terminator(c, false);
	AC_TRY(c, program_secure(&c->d));
	return ac_set_terminator_any(c, line_ends, 2);
}

static const struct ac_class listener_class = {
	.super = AC_DISPATCHER,
	.name = "echo-listener",
	.handle_accepted = accepted,
};

static bool udp;

static int set_option(int c, const char *value)
{
	(void)value;
	if (c != 'u')
		return -1;
	udp = true;
	return 0;
}

static struct ac_dispatcher *open_it(struct ac_map *map, const char *address)
{
	return udp ? udp_echo(map, address)
	           : program_listen(map, &listener_class, "echo", "", address);
}

static const struct program_server server = {
	.name = "echo",
	.address = "127.0.0.1:8007",
	.option = set_option,
	.open = open_it,
	.help = "usage: asyncore echo [--udp | --tls CERT KEY]... [--poller NAME] [ADDRESS]\n\n"
		"Sends back each line as it came, ended by CRLF or LF, to everybody who connects;\n"
		"with --udp each datagram to whoever sent it.\n"
		"ADDRESS is HOST:PORT, [IPV6]:PORT or unix:PATH; 127.0.0.1:8007 if it is not "
		"given.\n"
		"With --tls over TLS, by the certificate and key in these files.\n",
};

int cmd_echo(int argc, char **argv)
{
	return program_run_server(&server, argc, argv);
}
