/*
 * serve_workers.c — `asyncore serve --workers`: a loop a thread, each with listeners of its own on the same
 * addresses. The main thread hears signals, and waits.
 *
 * Design: workers share the folder, the certificates and the descriptor of the log, which each writes whole lines
 * to; limits are divided among them. A Unix socket cannot be shared: the first worker has it alone.
 */
#include "program.h"
#include "serve.h"

#include <asyncore/threads.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct crew {
	const struct serve_options *o;
	const struct http_server *model;
	struct ac_map *map; /* the main thread's */
	struct ac_workers *workers;
	struct http_server *servers[AC_WORKERS_MOST];
	struct ac_addr bound[SERVE_LISTENERS_MOST];
	size_t left; /* workers that have not ended; the main thread's */
};

static bool is_unix(const char *address)
{
	return strncmp(address, "unix:", 5) == 0;
}

static int listen_shared(struct crew *c, struct http_server *s, size_t i, unsigned index)
{
	const char *address = c->o->listen[i], *scheme = s->tls ? "https://" : "http://";
	struct ac_dispatcher *d;
	int r;

	if (is_unix(address) && index > 0)
		return 0;
	d = ac_new(s->map, &http_listener_class);
	r = is_unix(address) ? ac_serve(d, address) : ac_serve_shared(d, address, &c->bound[i]);
	if (r < 0 || index == 0)
		d = program_opened(d, r, "serve", scheme, address);
	if (d)
		((struct http_listener *)d)->server = s;
	return r < 0 ? r : 0;
}

static int set_up(struct ac_map *map, unsigned index, void *arg)
{
	struct crew *c = arg;
	struct http_server *s = malloc(sizeof(*s));
	int r = 0;

	if (!s)
		return -ENOMEM;
	*s = *c->model;
	s->map = map;
	if (serve_set_limits(s, c->o, c->o->workers) != STATUS_OK)
		r = -ENOMEM;
	for (size_t i = 0; i < c->o->listeners && r == 0; i++)
		r = listen_shared(c, s, i, index);
	if (r < 0) {
		ac_rate_free(s->rate_all);
		free(s);
	} else {
		c->servers[index] = s;
	}
	return r;
}

static int stop(struct ac_map *map, unsigned index, void *arg)
{
	(void)map;
	serve_stop(((struct crew *)arg)->servers[index]);
	return 0;
}

static int one_is_gone(void *arg)
{
	struct crew *c = arg;

	return --c->left == 0 ? AC_EXIT : 0;
}

static void tear_down(struct ac_map *map, unsigned index, void *arg)
{
	struct crew *c = arg;
	struct http_server *s = c->servers[index];

	ac_close_all(map, false); /* its connections count themselves on the server */
	serve_end(s);
	free(s);
	ac_post(c->map, one_is_gone, c);
}

static void stop_all(void *arg)
{
	ac_workers_stop(((struct crew *)arg)->workers);
}

static int report_one(void *map)
{
	http_report(map);
	return 0;
}

static void report_all(void *arg)
{
	struct crew *c = arg;

	for (unsigned i = 0; c->workers && i < ac_workers_count(c->workers); i++) {
		struct ac_map *map = ac_workers_map(c->workers, i);

		ac_post(map, report_one, map);
	}
}

static int prepare(struct crew *c)
{
	int r = program_on_stop(c->map, stop_all, c);

	if (r == 0)
		r = tls_reload_on_hangup(c->map, "serve", c->model->tls);
	if (r == 0)
		r = http_report_when_asked(c->map, report_all, c);
	if (r == 0)
		r = ac_open_posts(c->map);
	return r;
}

static int run(struct crew *c)
{
	const struct ac_map_opts map = { .poller = c->o->poller };
	const struct ac_workers_opts opts = {
		.count = (unsigned)c->o->workers,
		.map = &map,
		.setup = set_up,
		.stop = stop,
		.teardown = tear_down,
		.arg = c,
	};
	int r = prepare(c), ended;

	if (r < 0)
		return program_fail(STATUS_FAILED, "serve", "%s", strerror(-r));
	r = ac_workers_start(&opts, &c->workers);
	if (r == -EAGAIN || r == -ENOMEM)
		program_fail(STATUS_FAILED, "serve", "workers: %s", strerror(-r));
	if (r < 0)
		return STATUS_FAILED;
	r = ac_loop(c->map, NULL);
	for (int i = 0; r < 0 && i < 2; i++) /* nobody hears signals any more: all leave at once */
		ac_workers_stop(c->workers);
	ended = ac_workers_join(c->workers);
	return r < 0 || ended < 0 ? STATUS_FAILED : STATUS_OK;
}

int serve_workers(const struct serve_options *o, const struct http_server *model)
{
	struct crew *c = calloc(1, sizeof(*c));
	int status;

	if (!c)
		return program_fail(STATUS_FAILED, "serve", "%s", strerror(ENOMEM));
	c->o = o;
	c->model = model;
	c->left = o->workers;
	c->map = program_map("serve", o->poller);
	if (c->map)
		status = run(c);
	else
		status = program_no_map(o->poller);
	ac_map_free(c->map);
	free(c);
	return status;
}
