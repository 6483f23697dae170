/*
 * tls_echo.c — lines back to whoever sends them, over TLS; SIGHUP reads the certificates again.
 *
 *	tls_echo ADDRESS CERT_AND_KEY...
 *	openssl s_client -quiet -connect ADDRESS -servername NAME
 *
 * With several files, each client gets the one that has the name it asks for.
 */
#include <asynchat.h>
#include <asyncore/signals.h>
#include <asyncore/tls.h>

#include <errno.h>
#include <signal.h>

static struct ac_tls *tls;

static int echo_line(struct ac_chat *c)
{
	struct ac_slice line = ac_incoming(c);

	AC_TRY(c, ac_push(c, line.data, line.len));
	return ac_push(c, "\n", 1);
}

static const struct ac_chat_class echo_class = {
	.d = { .super = AC_CHAT, .name = "echo" },
	.found_terminator = echo_line,
};

static int accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct ac_chat *c = ac_chat_adopt(d->map, &echo_class, fd, peer);

	if (!c)
		return ac_raise(d, ENOMEM);
	AC_TRY(c, ac_set_terminator(c, "\n", 1));
	return ac_start_tls(&c->d, tls, NULL);
}

static const struct ac_class server_class = {
	.super = AC_DISPATCHER,
	.name = "tls-echo",
	.handle_accepted = accepted,
};

/* What cannot be used is said, and the certificates there were go on being shown. */
static int hung_up(struct ac_signals *s, const struct ac_signal *signal)
{
	(void)signal;
	if (ac_tls_reload(tls) < 0)
		ac_log(&s->d, "%s", ac_tls_error(tls));
	return 0;
}

static const struct ac_signals_class signals_class = {
	.d = { .super = AC_SIGNALS, .name = "signals" },
	.handle_signal = hung_up,
};

static int read_certificates(char **files)
{
	const struct ac_tls_opts opts = { .server = true };
	int r = ac_tls_new(&opts, &tls);

	for (; r == 0 && *files; files++)
		r = ac_tls_add_certificate(tls, *files, NULL);
	if (r < 0)
		fprintf(stderr, "tls_echo: %s\n", ac_tls_error(tls));
	return r;
}

int main(int argc, char **argv)
{
	static const int hangup[] = { SIGHUP };
	struct ac_map *map;
	int r;

	if (argc < 3) {
		fputs("usage: tls_echo ADDRESS CERT_AND_KEY...\n", stderr);
		return 2;
	}
	if (read_certificates(argv + 2) < 0)
		return 1;
	map = ac_map_new(NULL);
	r = ac_signals_new(map, &signals_class, hangup, 1) ? 0 : -1;
	if (r == 0)
		r = ac_serve(ac_new(map, &server_class), argv[1]);
	if (r < 0 || (r = ac_loop(map, NULL)) < 0)
		ac_explain(map, "tls_echo");
	ac_map_free(map);
	ac_tls_free(tls);
	return r < 0;
}
