/* resolving.h — what the tests of the resolver share: queries that write down how they end, dead addresses. */
#ifndef RESOLVING_H
#define RESOLVING_H

#include "dns_server.h"
#include "harness.h"

#include <asyncore/resolve.h>

/* How a query ended. */
struct outcome {
	struct world *w;
	int calls, result;
	size_t count;
	char text[4096]; /* "127.0.0.1:80 [::1]:80" */
	int (*on_end)(struct outcome *o);
};
ac_resolve_fn note_outcome;

/* Asks and waits for the end. */
void ask(struct world *w, const char *address, struct outcome *ret_o);

/* A resolver that asks the server only: two tries of 200 ms, no search, no hosts file. */
void use_server(struct world *w, const struct dns_server *s);
void use_resolver(struct world *w, const struct ac_resolver_opts *o);

/* "name:PORT:ADDRS" for a resolver that knows this name only. */
void use_addresses(struct world *w, const char *name, int port, const char *addrs);

/* A listener there; port 0: any, and *port becomes it. -1: that port is taken. */
int listen_at(const char *host, int *port);
/* Fills a listener so that whoever connects now hears nothing. Closes nothing: close the count of *fds. */
#define FILLERS 4
void fill(const char *host, int port, int fds[FILLERS]);
/* A port where host[0], host[1] … can all be bound; their listeners. */
int listen_at_all(const char *const *hosts, int count, int *fds);

/* A dial of a chat, and its end: what it wrote down, when it is gone; why the last one closed. */
struct rec *dial(struct world *w, const char *name, int port);
const char *trace_of_end(struct rec *r);
extern int last_reason;

#endif
