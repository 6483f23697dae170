/*
 * echo_server.c — each line back to who sent it.
 *
 *	echo_server [ADDRESS]
 */
#include <asynchat.h>

#include <errno.h>

static int echo_line(struct ac_chat *c)
{
	struct ac_slice line = ac_incoming(c); /* lent until we return */

	AC_TRY(c, ac_push(c, line.data, line.len));
	return ac_push(c, "\r\n", 2);
}

static const struct ac_chat_class echo_class = {
	.d = { .super = AC_CHAT, .name = "echo" },
	.found_terminator = echo_line,
};

static int server_accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct ac_chat *c = ac_chat_adopt(d->map, &echo_class, fd, peer);

	return c ? ac_set_terminator(c, "\r\n", 2) : ac_raise(d, errno);
}

static const struct ac_class server_class = {
	.super = AC_DISPATCHER,
	.name = "echo-server",
	.handle_accepted = server_accepted,
};

int main(int argc, char **argv)
{
	struct ac_map *map = ac_map_new(NULL);
	int r = ac_serve(ac_new(map, &server_class), argc > 1 ? argv[1] : "127.0.0.1:8007");

	if (r < 0 || (r = ac_loop(map, NULL)) < 0)
		ac_explain(map, "echo"); /* the pending error with its trace */
	ac_map_free(map);
	return r < 0;
}
