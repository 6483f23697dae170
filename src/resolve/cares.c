/*
 * cares.c — the backend that asks name servers, by c-ares.
 *
 * Design: c-ares gets no descriptor. What it takes for one is the number of a wire; behind it is a channel of
 * the map that we opened and that we close. So a channel that somebody else closes leaves a wire that is
 * dead, and never a descriptor that has become another's. c-ares tells which wires want to write, its
 * timeouts are a task. Each family is asked for by itself, so that the first may be tried while the other is
 * on its way. c-ares cannot give up one question: its answer finds nobody; when nobody waits any more, all are.
 * Invariant: c-ares is never called from within one of its own calls.
 * Limits: c-ares allocates from the C library, not by ac_set_allocator. The system's other sources
 * of names (nsswitch.conf) are not asked.
 */
#include "resolver.h"

#include <ares.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/time.h>

#define DOMAINS_MAX 16

struct wire {
	struct wire *next;
	struct endpoint *end; /* NULL: closed, and c-ares does not know yet */
	struct ac_backend *b;
	struct ac_addr peer;
	int number;
	bool told; /* that it is dead */
};

struct endpoint {
	struct ac_dispatcher d;
	struct wire *wire; /* NULL: c-ares has closed it */
	bool writes;
};

struct ac_backend {
	struct ac_resolver *r;
	ares_channel channel;
	struct wire *wires;
	int numbers;
	struct ac_task timer;
};

struct question {
	struct ac_lookup *l; /* NULL: nobody waits for the answer any more */
	enum ac_asked which;
};

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void start_library(void)
{
	ares_library_init(ARES_LIB_INIT_ALL);
}

/* ---- time ---- */

static int timer(void *arg);

static void set_timer(struct ac_backend *b)
{
	struct timeval tv, *left = ares_timeout(b->channel, NULL, &tv);

	if (left)
		ac_in_(&b->timer, b->r->map,
		       (int64_t)left->tv_sec * 1000000000 + (int64_t)left->tv_usec * 1000, timer,
		       b);
	else
		ac_task_cancel(&b->timer);
}

static void process(struct ac_backend *b, ares_socket_t in, ares_socket_t out)
{
	ares_process_fd(b->channel, in, out);
	set_timer(b);
}

static struct wire *untold(struct ac_backend *b)
{
	struct wire *w = b->wires;

	while (w && (w->end || w->told))
		w = w->next;
	return w;
}

static int timer(void *arg)
{
	struct ac_backend *b = arg;
	struct wire *w;

	while ((w = untold(b)) != NULL) {
		w->told = true;
		ares_process_fd(b->channel, w->number, w->number);
	}
	process(b, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	return 0;
}

/* ---- the channel behind a wire ---- */

static bool endpoint_writable(struct ac_dispatcher *d)
{
	return ((struct endpoint *)d)->writes;
}

static int endpoint_read(struct ac_dispatcher *d)
{
	const struct wire *w = ((struct endpoint *)d)->wire;

	if (w)
		process(w->b, w->number, ARES_SOCKET_BAD);
	return 0;
}

static int endpoint_write(struct ac_dispatcher *d)
{
	const struct wire *w = ((struct endpoint *)d)->wire;

	if (w)
		process(w->b, ARES_SOCKET_BAD, w->number);
	return 0;
}

static int endpoint_error(struct ac_dispatcher *d, const struct ac_error *e)
{
	(void)e;
	ac_close(d);
	return 0;
}

static int endpoint_close(struct ac_dispatcher *d)
{
	struct wire *w = ((struct endpoint *)d)->wire;

	if (w) {
		w->end = NULL;
		ac_in_(&w->b->timer, d->map, 0, timer, w->b);
	}
	return 0;
}

static const struct ac_class endpoint_class = {
	.super = AC_DISPATCHER,
	.name = "name-server",
	.size = sizeof(struct endpoint),
	.flags = AC_STEADY,
	.writable = endpoint_writable,
	.handle_read = endpoint_read,
	.handle_write = endpoint_write,
	.handle_error = endpoint_error,
	.handle_close = endpoint_close,
};

/* ---- what c-ares calls in place of the kernel; errno is its way of hearing of errors ---- */

static int fail(int code)
{
	errno = code;
	return -1;
}

static struct wire *find(const struct ac_backend *b, ares_socket_t number)
{
	struct wire *w = b->wires;

	while (w && w->number != number)
		w = w->next;
	return w;
}

static ares_socket_t open_wire(int family, int type, int protocol, void *arg)
{
	struct ac_backend *b = arg;
	struct wire *w = ac_alloc_(sizeof(*w));
	struct endpoint *e = NULL;
	int r = -ENOMEM;

	(void)protocol;
	if (w)
		e = (struct endpoint *)ac_new(b->r->map, &endpoint_class);
	if (e)
		r = ac_create_socket(&e->d, family, type);
	if (r < 0) {
		if (e)
			ac_close(&e->d);
		ac_free_(w);
		return fail(-r);
	}
	e->wire = w;
	*w = (struct wire){ b->wires, e, b, { 0 }, b->numbers, false };
	b->numbers = (b->numbers + 1) & 0x3fffffff;
	b->wires = w;
	return w->number;
}

static int close_wire(ares_socket_t number, void *arg)
{
	struct ac_backend *b = arg;
	struct wire *w = find(b, number), **link = &b->wires;

	if (!w)
		return fail(EBADF);
	while (*link != w)
		link = &(*link)->next;
	*link = w->next;
	if (w->end) {
		w->end->wire = NULL;
		ac_close(&w->end->d);
	}
	ac_free_(w);
	return 0;
}

static int connect_wire(ares_socket_t number, const struct sockaddr *sa, ares_socklen_t len,
                        void *arg)
{
	struct wire *w = find(arg, number);
	int r;

	if (!w || !w->end || (size_t)len > sizeof(w->peer.un))
		return fail(EBADF);
	w->peer.len = (socklen_t)len;
	memcpy(&w->peer.sa, sa, (size_t)len);
	r = ac_connect(&w->end->d, &w->peer);
	return r < 0 ? fail(-r) : 0;
}

static struct ac_dispatcher *open_end(const struct wire *w)
{
	return w && w->end && w->end->d.fd >= 0 ? &w->end->d : NULL;
}

/* It is connected: whatever comes is from there. */
static ares_ssize_t recv_wire(ares_socket_t number, void *data, size_t size, int flags,
                              struct sockaddr *from, ares_socklen_t *from_len, void *arg)
{
	const struct wire *w = find(arg, number);
	struct ac_dispatcher *d = open_end(w);
	ssize_t n = d ? d->transport->recv(d, data, size) : -ECONNRESET;

	(void)flags;
	if (n < 0)
		return fail((int)-n);
	if (from && from_len && (size_t)*from_len >= w->peer.len) {
		memcpy(from, &w->peer.sa, w->peer.len);
		*from_len = w->peer.len;
	}
	return n;
}

static ares_ssize_t send_wire(ares_socket_t number, const struct iovec *iov, int count, void *arg)
{
	struct ac_dispatcher *d = open_end(find(arg, number));
	ssize_t n = d ? d->transport->send(d, iov, count, false) : -ECONNRESET;

	return n < 0 ? fail((int)-n) : n;
}

static const struct ares_socket_functions wire_functions = {
	open_wire, close_wire, connect_wire, recv_wire, send_wire,
};

static void wire_state(void *arg, ares_socket_t number, int readable, int writable)
{
	const struct wire *w = find(((struct ac_backend *)arg), number);

	(void)readable;
	if (!w || !w->end)
		return;
	w->end->writes = writable;
	ac_touch(&w->end->d);
}

/* ---- questions ---- */

static int error_of(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return 0;
	case ARES_ENODATA:
	case ARES_ENOTFOUND:
	case ARES_ENONAME:
		return ENXIO;
	case ARES_ETIMEOUT:
		return ETIMEDOUT;
	case ARES_ENOMEM:
		return ENOMEM;
	case ARES_EBADRESP:
		return EBADMSG;
	case ARES_EBADNAME:
	case ARES_EBADQUERY:
		return EINVAL;
	default:
		return EIO;
	}
}

static void answered(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
	struct question *q = arg;
	struct ac_lookup *l = q->l;

	(void)timeouts;
	if (l) {
		size_t before = l->count;

		for (struct ares_addrinfo_node *n = found ? found->nodes : NULL; n; n = n->ai_next)
			ac_lookup_add_(l, n->ai_addr);
		if (status == ARES_SUCCESS && l->count == before)
			status = ARES_ENODATA;
		l->questions[q->which] = NULL;
		ac_lookup_answered_(l, 1u << q->which, error_of(status));
	}
	if (found)
		ares_freeaddrinfo(found);
	ac_free_(q);
}

int ac_backend_ask_(struct ac_lookup *l)
{
	static const int families[AC_ASKED] = { AF_INET6, AF_INET };
	struct ac_backend *b = l->r->backend;
	struct question *q[AC_ASKED] = { ac_alloc_(sizeof(**q)), ac_alloc_(sizeof(**q)) };

	if (!q[0] || !q[1]) {
		ac_free_(q[0]);
		ac_free_(q[1]);
		return -ENOMEM;
	}
	for (enum ac_asked i = 0; i < AC_ASKED; i++) {
		struct ares_addrinfo_hints hints = { .ai_family = families[i],
			                             .ai_socktype = SOCK_STREAM,
			                             .ai_flags = ARES_AI_NOSORT };

		*q[i] = (struct question){ l, i };
		l->questions[i] = q[i];
		ares_getaddrinfo(b->channel, l->host, NULL, &hints, answered, q[i]);
	}
	set_timer(b);
	return 0;
}

void ac_backend_forget_(struct ac_resolver *r, struct ac_lookup *l)
{
	for (int i = 0; i < AC_ASKED; i++) {
		struct question *q = l->questions[i];

		if (q)
			q->l = NULL;
		l->questions[i] = NULL;
	}
	if (r->running == 0 && r->backend) {
		ares_cancel(r->backend->channel);
		set_timer(r->backend);
	}
}

/* ---- the channel of c-ares ---- */

/* "a.example,b.example" cut in place. */
static int cut(char *text, char *domains[DOMAINS_MAX])
{
	char *rest = NULL;
	int n = 0;

	for (char *d = strtok_r(text, ", ", &rest); d && n < DOMAINS_MAX;
	     d = strtok_r(NULL, ", ", &rest))
		domains[n++] = d;
	return n;
}

static int set_options(const struct ac_resolver_opts *o, struct ares_options *a, char *search,
                       char *domains[DOMAINS_MAX])
{
	int mask = ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS;

	if (o->timeout > 0) {
		a->timeout = (int)(ac_ns_(o->timeout < 3600 ? o->timeout : 3600) / 1000000);
		mask |= ARES_OPT_TIMEOUTMS;
	}
	if (o->tries) {
		a->tries = o->tries;
		mask |= ARES_OPT_TRIES;
	}
	if (o->ndots) {
		a->ndots = o->ndots;
		mask |= ARES_OPT_NDOTS;
	}
	if (o->search) {
		a->domains = domains;
		a->ndomains = cut(search, domains);
		mask |= ARES_OPT_DOMAINS;
	}
	return mask;
}

static int open_channel(struct ac_backend *b, const struct ac_resolver_opts *o, char *search,
                        const char **ret_why)
{
	char lookups[] = "b"; /* hosts.c reads the file */
	char *domains[DOMAINS_MAX];
	struct ares_options a = { .sock_state_cb = wire_state,
		                  .sock_state_cb_data = b,
		                  .lookups = lookups };
	int mask = set_options(o, &a, search, domains), status;

	status = ares_init_options(&b->channel, &a, mask);
	if (status != ARES_SUCCESS)
		return status == ARES_ENOMEM ? -ENOMEM : -EINVAL;
	ares_set_socket_functions(b->channel, &wire_functions, b);
	if (o->servers && ares_set_servers_ports_csv(b->channel, o->servers) != ARES_SUCCESS) {
		*ret_why = "servers are addresses and ports, divided by commas";
		return -EINVAL;
	}
	return 0;
}

int ac_backend_new_(struct ac_resolver *r, const struct ac_resolver_opts *o, const char **ret_why)
{
	struct ac_backend *b = ac_alloc_(sizeof(*b));
	size_t size = o->search ? strlen(o->search) + 1 : 1;
	char *search = ac_alloc_(size);
	int code = -ENOMEM;

	pthread_once(&library_once, start_library);
	r->backend = b;
	if (b)
		b->r = r;
	if (b && search) {
		if (o->search)
			memcpy(search, o->search, size);
		code = open_channel(b, o, search, ret_why);
	}
	ac_free_(search);
	return code;
}

void ac_backend_free_(struct ac_backend *b)
{
	if (!b)
		return;
	if (b->channel)
		ares_destroy(b->channel);
	ac_task_cancel(&b->timer);
	ac_free_(b);
}
