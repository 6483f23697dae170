/* serve.h — what `asyncore serve` was asked for, and one loop or several that do it. */
#ifndef SERVE_H
#define SERVE_H

#include "http/server.h"
#include "tls.h"

#define SERVE_LISTENERS_MOST 16

struct serve_options {
	const char *dir, *poller, *log, *listen[SERVE_LISTENERS_MOST];
	size_t listeners, max_connections, max_per_address, rate, rate_all, min_rate;
	size_t workers; /* 0: none, the one loop is the main thread's */
	bool quiet;
	struct tls_options tls;
};

/* Limits and rates of a server on s->map, for one of `shares` that share them. The status. */
int serve_set_limits(struct http_server *s, const struct serve_options *o, size_t shares);

/* Open answers are finished, for ten seconds at most. */
void serve_stop(struct http_server *s);

/* The loop is over. */
void serve_end(struct http_server *s);

/* Serves with so many threads, each with a server as `model`. The status. */
int serve_workers(const struct serve_options *o, const struct http_server *model);

#endif
