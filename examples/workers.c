/*
 * workers.c — an echo server with a loop for each core.
 *
 *	workers 127.0.0.1:8007 [COUNT]
 *
 * The main thread has a map too, and hears the signals: SIGHUP has each worker say how many lines it has served,
 * SIGTERM lets them finish with those who are connected, a second one does not.
 */
#include <asynchat.h>
#include <asyncore/signals.h>
#include <asyncore/threads.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

/* One for each worker, touched by its own thread alone. */
struct worker {
	struct ac_dispatcher *listener;
	unsigned index;
	unsigned long lines;
};

struct server {
	const char *address;
	struct ac_addr bound; /* by the first, for the others */
	struct ac_workers *workers;
	struct worker each[AC_WORKERS_MOST];
};

struct listener {
	struct ac_dispatcher d;
	struct worker *worker;
};

struct client {
	struct ac_chat c;
	struct worker *worker;
};

static int echo_line(struct ac_chat *c)
{
	struct ac_slice line = ac_incoming(c);

	((struct client *)c)->worker->lines++;
	AC_TRY(c, ac_push(c, line.data, line.len));
	return ac_push(c, "\r\n", 2);
}

static const struct ac_chat_class client_class = {
	.d = { .super = AC_CHAT, .name = "client", .size = sizeof(struct client) },
	.found_terminator = echo_line,
};

static int accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct ac_chat *c = ac_chat_adopt(d->map, &client_class, fd, peer);

	if (!c)
		return ac_raise(d, ENOMEM);
	((struct client *)c)->worker = ((struct listener *)d)->worker;
	return ac_set_terminator(c, "\r\n", 2);
}

static const struct ac_class listener_class = {
	.super = AC_DISPATCHER,
	.name = "listener",
	.size = sizeof(struct listener),
	.handle_accepted = accepted,
};

static int set_up(struct ac_map *map, unsigned index, void *arg)
{
	struct server *s = arg;
	struct ac_dispatcher *d = ac_new(map, &listener_class);
	int r = ac_serve_shared(d, s->address, &s->bound);

	if (r < 0) {
		ac_explain(map, "workers");
		return r;
	}
	s->each[index].index = index;
	s->each[index].listener = d;
	((struct listener *)d)->worker = &s->each[index];
	return 0;
}

/* The loop ends when the last client has gone. */
static int stop(struct ac_map *map, unsigned index, void *arg)
{
	(void)map;
	ac_close(((struct server *)arg)->each[index].listener);
	return 0;
}

static int report(void *arg)
{
	const struct worker *k = arg;

	printf("worker %u: %lu lines\n", k->index, k->lines);
	return fflush(stdout);
}

struct hearer {
	struct ac_signals s;
	struct server *server;
};

static int heard(struct ac_signals *signals, const struct ac_signal *signal)
{
	struct server *s = ((struct hearer *)signals)->server;

	if (signal->number == SIGTERM)
		return AC_EXIT;
	for (unsigned i = 0; i < ac_workers_count(s->workers); i++)
		ac_post(ac_workers_map(s->workers, i), report, &s->each[i]);
	return 0;
}

static const struct ac_signals_class hearer_class = {
	.d = { .super = AC_SIGNALS, .name = "hearer", .size = sizeof(struct hearer) },
	.handle_signal = heard,
};

static int serve(struct ac_map *map, struct server *s, unsigned count)
{
	static const int numbers[] = { SIGHUP, SIGTERM };
	struct ac_workers_opts opts = { .count = count, .setup = set_up, .stop = stop, .arg = s };
	struct hearer *h = (struct hearer *)ac_signals_new(map, &hearer_class, numbers, 2);
	char where[AC_ADDR_TEXT];
	int r = h ? ac_workers_start(&opts, &s->workers) : -errno;

	if (r < 0)
		return r;
	h->server = s;
	printf("%u workers listen on %s\n", ac_workers_count(s->workers),
	       ac_addr_format(&s->bound, where, sizeof(where)));
	fflush(stdout);
	r = ac_loop(map, NULL);
	ac_workers_stop(s->workers);
	return r < 0 ? r : ac_workers_join(s->workers);
}

int main(int argc, char **argv)
{
	static struct server server;
	struct ac_map *map = ac_map_new(NULL);
	int r;

	server.address = argc > 1 ? argv[1] : "127.0.0.1:8007";
	r = serve(map, &server, argc > 2 ? (unsigned)atoi(argv[2]) : 0);
	ac_map_free(map);
	return r < 0;
}
