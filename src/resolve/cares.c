/*
 * cares.c — the backend that asks name servers, by c-ares.
 *
 * Design: c-ares tells which of its wires want to write; its timeouts are a task. Each family is asked for by
 * itself, so that the first may be tried while the other is on its way. c-ares cannot give up one question: its
 * answer finds nobody; when nobody waits any more, all are given up. So they are when as many wait for nobody as
 * there may be lookups, and those that somebody waits for are asked anew: once each, for then they begin at the
 * first server again. While one waits that was, nothing is given up, and nothing is asked over that bound.
 * Invariants:
 *  - c-ares is never called from within one of its own calls;
 *  - a question stands in b->questions <==> somebody waits for it; b->abandoned is the number of the others.
 * Limits: c-ares allocates from the C library, not by ac_set_allocator. The system's other sources
 * of names (nsswitch.conf) are not asked.
 */
#include "wire.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/time.h>

#define DOMAINS_MAX 16

struct ac_question {
	struct ac_backend *b;
	struct ac_lookup *l; /* NULL: nobody waits for the answer any more */
	enum ac_asked which;
	bool cancelled; /* its answer is only that; to be asked anew if c-ares has said so */
	bool anew;      /* asked the second time */
	struct ac_question *next, **link;
};

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void start_library(void)
{
	ares_library_init(ARES_LIB_INIT_ALL);
}

/* ---- time ---- */

static struct ac_wire *untold(struct ac_backend *b)
{
	struct ac_wire *w = b->wires;

	while (w && (w->end || w->told))
		w = w->next;
	return w;
}

static void set_timer(struct ac_backend *b)
{
	struct timeval tv, *left = ares_timeout(b->channel, NULL, &tv);
	int64_t ns = left ? (int64_t)left->tv_sec * 1000000000 + (int64_t)left->tv_usec * 1000 : 0;

	if (left || untold(b))
		ac_in_(&b->timer, b->r->map, untold(b) ? 0 : ns, ac_backend_wake_, b);
	else
		ac_task_cancel(&b->timer);
}

void ac_backend_process_(struct ac_backend *b, ares_socket_t in, ares_socket_t out)
{
	ares_process_fd(b->channel, in, out);
	set_timer(b);
}

int ac_backend_wake_(void *arg)
{
	struct ac_backend *b = arg;
	struct ac_wire *w;

	while ((w = untold(b)) != NULL) {
		w->told = true;
		ares_process_fd(b->channel, w->number, w->number);
	}
	ac_backend_process_(b, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	return 0;
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

/* c-ares takes names that no message may hold. `name` has escapes: \. and \032. */
static bool is_too_long(const char *name)
{
	size_t len = 2;

	for (; *name; len++) {
		size_t digits = *name == '\\' ? strspn(name + 1, "0123456789") : 0;

		name += digits >= 3 ? 4 : *name == '\\' && name[1] ? 2 : 1;
	}
	return len > 255;
}

static bool is_malformed(const struct ares_addrinfo *found)
{
	for (const struct ares_addrinfo_cname *c = found->cnames; c; c = c->next)
		if ((c->name && is_too_long(c->name)) || (c->alias && is_too_long(c->alias)))
			return true;
	return false;
}

static void take_addresses(struct ac_lookup *l, const struct ares_addrinfo *found, int *status)
{
	size_t before = l->count;

	if (is_malformed(found)) {
		*status = ARES_EBADRESP;
		return;
	}
	for (struct ares_addrinfo_node *n = found->nodes; n; n = n->ai_next)
		ac_lookup_add_(l, n->ai_addr);
	if (l->count == before)
		*status = ARES_ENODATA;
}

static void put_in(struct ac_question *q)
{
	q->link = &q->b->questions;
	q->next = *q->link;
	if (q->next)
		q->next->link = &q->next;
	*q->link = q;
}

static void take_out(struct ac_question *q)
{
	*q->link = q->next;
	if (q->next)
		q->next->link = q->link;
}

static void answered(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
	struct ac_question *q = arg;
	struct ac_lookup *l = q->l;

	(void)timeouts;
	if (q->cancelled) {
		q->cancelled = false;
		return;
	}
	if (!l)
		q->b->abandoned--;
	else {
		take_out(q);
		if (status == ARES_SUCCESS && found)
			take_addresses(l, found, &status);
		l->questions[q->which] = NULL;
		ac_lookup_answered_(l, 1u << q->which, error_of(status));
	}
	if (found)
		ares_freeaddrinfo(found);
	ac_free_(q);
}

static void ask(struct ac_question *q)
{
	struct ares_addrinfo_hints hints = { .ai_family =
		                                     q->which == AC_ASKED_IPV6 ? AF_INET6 : AF_INET,
		                             .ai_socktype = SOCK_STREAM,
		                             .ai_flags = ARES_AI_NOSORT };

	ares_getaddrinfo(q->b->channel, q->l->host, NULL, &hints, answered, q);
}

int ac_backend_ask_(struct ac_lookup *l)
{
	struct ac_backend *b = l->r->backend;
	struct ac_question *q[AC_ASKED];

	if (b->abandoned >= l->r->most)
		return -ENOBUFS;
	q[0] = ac_alloc_(sizeof(**q));
	q[1] = ac_alloc_(sizeof(**q));
	if (!q[0] || !q[1]) {
		ac_free_(q[0]);
		ac_free_(q[1]);
		return -ENOMEM;
	}
	for (enum ac_asked i = 0; i < AC_ASKED; i++) {
		*q[i] = (struct ac_question){ .b = b, .l = l, .which = i };
		l->questions[i] = q[i];
		put_in(q[i]);
		ask(q[i]);
	}
	set_timer(b);
	return 0;
}

/* Each answers within this, or leaves the list. */
static void ask_anew(struct ac_backend *b)
{
	struct ac_question *next;

	for (struct ac_question *q = b->questions; q; q = q->next)
		q->cancelled = true;
	ares_cancel(b->channel);
	for (struct ac_question *q = b->questions; q; q = next) {
		bool again = !q->cancelled;

		next = q->next;
		q->cancelled = false;
		q->anew = again;
		if (again)
			ask(q);
	}
}

/* Nobody who waits loses by it what he has waited for already a second time. */
static bool may_give_up(const struct ac_backend *b)
{
	const struct ac_question *q = b->questions;

	if (b->r->running && b->abandoned < b->r->most)
		return false;
	while (q && !q->anew)
		q = q->next;
	return !q;
}

void ac_backend_forget_(struct ac_resolver *r, struct ac_lookup *l)
{
	struct ac_backend *b = r->backend;

	for (int i = 0; i < AC_ASKED; i++) {
		struct ac_question *q = l->questions[i];

		l->questions[i] = NULL;
		if (!q)
			continue;
		take_out(q);
		q->l = NULL;
		b->abandoned++;
	}
	if (!b || !may_give_up(b))
		return;
	ask_anew(b);
	set_timer(b);
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
	struct ares_options a = { .sock_state_cb = ac_wire_state_,
		                  .sock_state_cb_data = b,
		                  .lookups = lookups };
	int mask = set_options(o, &a, search, domains), status;

	status = ares_init_options(&b->channel, &a, mask);
	if (status != ARES_SUCCESS)
		return status == ARES_ENOMEM ? -ENOMEM : -EINVAL;
	ares_set_socket_functions(b->channel, &ac_wire_functions_, b);
	if (o->servers && ares_set_servers_ports_csv(b->channel, o->servers) != ARES_SUCCESS) {
		*ret_why = "servers are addresses and ports, divided by commas";
		return -EINVAL;
	}
	return 0;
}

int ac_backend_new_(struct ac_resolver *r, const struct ac_resolver_opts *o, const char **ret_why)
{
	struct ac_backend *b = ac_alloc_(sizeof(*b));
	char *search = ac_copy_(o->search ? o->search : "");
	int code = -ENOMEM;

	pthread_once(&library_once, start_library);
	r->backend = b;
	if (b)
		b->r = r;
	if (b && search)
		code = open_channel(b, o, search, ret_why);
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
