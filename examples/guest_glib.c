/*
 * guest_glib.c — asyncore inside a program of GLib's: a source of its main loop.
 *
 *	guest_glib unix:/tmp/s [POLLER]      an echo server, until somebody says quit
 *
 * GLib asks a source before each wait how long it may last, and after it whether it has something to do.
 */
#include <asynchat.h>

#include <errno.h>
#include <glib-unix.h>
#include <math.h>
#include <string.h>

/* The guest: what a program on asyncore is anyway. */
static int echo_line(struct ac_chat *c)
{
	struct ac_slice line = ac_incoming(c);

	if (line.len == 4 && memcmp(line.data, "quit", 4) == 0)
		return AC_EXIT;
	AC_TRY(c, ac_push(c, line.data, line.len));
	return ac_push(c, "\r\n", 2);
}

static const struct ac_chat_class echo_class = {
	.d = { .super = AC_CHAT, .name = "echo" },
	.found_terminator = echo_line,
};

static int accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct ac_chat *c = ac_chat_adopt(d->map, &echo_class, fd, peer);

	return c ? ac_set_terminator(c, "\r\n", 2) : ac_raise(d, ENOMEM);
}

static const struct ac_class listener_class = {
	.super = AC_DISPATCHER,
	.name = "listener",
	.handle_accepted = accepted,
};

static int tick(void *arg)
{
	printf("guest %d\n", ++*(int *)arg);
	fflush(stdout);
	return 0;
}

struct guest {
	GSource source;
	struct ac_map *map;
	gpointer fd; /* what GLib calls our descriptor */
	int result;
};

static gboolean prepare(GSource *source, gint *ret_ms)
{
	double seconds = ac_next_timeout(((struct guest *)source)->map);

	*ret_ms = seconds < 0 ? -1 : (gint)ceil(fmin(seconds, 3600) * 1000);
	return *ret_ms == 0;
}

static gboolean check(GSource *source)
{
	struct guest *g = (struct guest *)source;

	return g_source_query_unix_fd(source, g->fd) || ac_next_timeout(g->map) == 0;
}

static gboolean dispatch(GSource *source, GSourceFunc unused, gpointer loop)
{
	struct guest *g = (struct guest *)source;

	(void)unused;
	g->result = ac_poll(g->map, 0);
	if (g->result != 0)
		g_main_loop_quit(loop);
	return G_SOURCE_CONTINUE;
}

static gboolean tell_time(gpointer unused)
{
	(void)unused;
	puts("host");
	return G_SOURCE_CONTINUE;
}

static int host(struct ac_map *map)
{
	GSourceFuncs functions = { .prepare = prepare, .check = check, .dispatch = dispatch };
	GMainLoop *loop = g_main_loop_new(NULL, FALSE);
	GSource *source = g_source_new(&functions, sizeof(struct guest));
	struct guest *g = (struct guest *)source;
	int r;

	g->map = map;
	g->fd = g_source_add_unix_fd(source, ac_fd(map), G_IO_IN);
	g_source_set_callback(source, NULL, loop, NULL);
	g_source_attach(source, NULL);
	g_timeout_add(100, tell_time, NULL);
	g_main_loop_run(loop);
	r = g->result;
	g_source_destroy(source);
	g_source_unref(source);
	g_main_loop_unref(loop);
	return r;
}

int main(int argc, char **argv)
{
	/* NULL is the best there is. select and poll have no descriptor: do not ask for them. */
	struct ac_map *map =
		ac_map_new(&(struct ac_map_opts){ .poller = argc > 2 ? argv[2] : NULL });
	int ticks = 0,
	    r = ac_serve(ac_new(map, &listener_class), argc > 1 ? argv[1] : "127.0.0.1:8007");

	if (r == 0 && !ac_call_every(map, 0.05, tick, &ticks))
		r = -ENOMEM;
	if (r == 0)
		r = host(map);
	else
		ac_explain(map, "guest_glib");
	ac_map_free(map);
	return r != 1; /* somebody has said quit */
}
