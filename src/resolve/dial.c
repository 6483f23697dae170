/*
 * dial.c — connecting to a name: RFC 8305, "Happy Eyeballs version 2".
 *
 *	            AAAA, or A and nothing within 50 ms          one connects
 *	looking up ─────────────────────────────▶ attempts ─────────────────▶ won: its descriptor is d's
 *	    │                                      │  ▲  │
 *	    │ no address             250 ms, or the└──┘  │ all have failed
 *	    └──────────────────▶ lost ◀─ last failed ────┘  or the deadline: handle_error, closed
 *
 * Design: an attempt is a channel of its own class; what it ends with is written down beside its address.
 * `candidates` holds the addresses: those before `next` have been tried, those behind stand in order and are
 * ordered anew when more come. The end is told from a task, so that no handler of ours is on the stack.
 * Invariant: running == candidates whose channel is open.
 */
#include "resolver.h"

#include <errno.h>
#include <string.h>

#define RESOLUTION_DELAY 50000000 /* nanoseconds that AAAA has to come behind A */
#define BUSY_DELAY 10000000       /* until it is looked again whether the channel may be told */

struct attempt;

struct candidate {
	struct ac_addr addr;
	struct attempt *attempt; /* NULL: not begun, or over */
	int code;
};

struct dial {
	struct ac_dialing dialing; /* first */
	struct ac_lookup lookup;
	struct ac_dispatcher *d;
	struct candidate *candidates;
	size_t count, next, running;
	size_t seen; /* of the lookup's addresses */
	struct ac_task pace, deadline, end;
	int code; /* why it ends */
	char address[];
};

struct attempt {
	struct ac_dispatcher d;
	struct dial *g; /* NULL: nobody waits for it any more */
	struct candidate *candidate;
};

static int go_on(void *arg);
static int end(void *arg);

/* ---- attempts ---- */

static void drop_attempt(struct candidate *c)
{
	struct attempt *a = c->attempt;

	if (!a)
		return;
	a->g = NULL;
	c->attempt = NULL;
	ac_close(&a->d);
}

/* Everything but its memory, which may still hang on the channel. */
static void stop(struct dial *g)
{
	ac_task_cancel(&g->pace);
	ac_task_cancel(&g->deadline);
	ac_task_cancel(&g->end);
	for (size_t i = 0; i < g->next; i++)
		drop_attempt(&g->candidates[i]);
	ac_lookup_stop_(&g->lookup);
}

static void dial_free(struct dial *g)
{
	stop(g);
	ac_free_(g->candidates);
	ac_free_(g);
}

static void cancel(struct ac_dialing *dialing)
{
	dial_free((struct dial *)dialing);
}

static int attempt_connect(struct ac_dispatcher *d)
{
	struct attempt *a = (struct attempt *)d;
	struct dial *g = a->g;
	int r = g ? ac_dial_won_(g->d, d) : 0;

	if (g && r < 0) {
		a->candidate->code = -r;
	} else if (g) {
		a->candidate->attempt = NULL;
		a->g = NULL;
		dial_free(g);
	}
	ac_close(d);
	return 0;
}

static int attempt_error(struct ac_dispatcher *d, const struct ac_error *e)
{
	struct attempt *a = (struct attempt *)d;

	if (a->g)
		a->candidate->code = e->code;
	ac_close(d);
	return 0;
}

/* The next address has not to wait if it was the last one that was begun. */
static int attempt_close(struct ac_dispatcher *d)
{
	struct attempt *a = (struct attempt *)d;
	struct dial *g = a->g;
	int reason = ac_close_reason(d);

	if (!g)
		return 0;
	if (a->candidate->code == 0)
		a->candidate->code = reason > 0 ? reason : ECONNABORTED;
	a->candidate->attempt = NULL;
	a->g = NULL;
	g->running--;
	if (a->candidate == &g->candidates[g->next - 1] || g->running == 0)
		ac_in_(&g->pace, d->map, 0, go_on, g);
	return 0;
}

static const struct ac_class attempt_class = {
	.super = AC_DISPATCHER,
	.name = "attempt",
	.size = sizeof(struct attempt),
	.handle_connect = attempt_connect,
	.handle_error = attempt_error,
	.handle_close = attempt_close,
};

/* False: it has failed at once. */
static bool begin_attempt(struct dial *g, struct candidate *c)
{
	struct attempt *a = (struct attempt *)ac_new(g->d->map, &attempt_class);
	int r = a ? ac_create_socket(&a->d, c->addr.sa.sa_family, SOCK_STREAM) : -ENOMEM;

	if (r == 0)
		r = ac_connect(&a->d, &c->addr);
	if (r < 0) {
		c->code = -r;
		if (a)
			ac_close(&a->d);
		return false;
	}
	a->g = g;
	a->candidate = c;
	c->attempt = a;
	g->running++;
	return true;
}

/* ---- the pace ---- */

static void end_with(struct dial *g, int code, int64_t ns)
{
	g->code = code;
	ac_in_(&g->end, g->d->map, ns, end, g);
}

/* Errors by how near the host was to an answer; what fails here, as memory does, tells more than those. */
static int rank(int code)
{
	static const int ranks[] = { ECONNREFUSED, ECONNRESET,  ETIMEDOUT,     EHOSTUNREACH,
		                     EHOSTDOWN,    ENETUNREACH, EADDRNOTAVAIL, EAFNOSUPPORT };
	int n = (int)(sizeof(ranks) / sizeof(ranks[0]));

	for (int i = 0; i < n; i++)
		if (ranks[i] == code)
			return i + 1;
	return 0;
}

static int best_code(const struct dial *g)
{
	int best = g->lookup.error;

	for (size_t i = 0; i < g->next; i++)
		if (i == 0 || rank(g->candidates[i].code) < rank(best))
			best = g->candidates[i].code;
	return best ? best : ENXIO;
}

static int go_on(void *arg)
{
	struct dial *g = arg;

	while (g->next < g->count) {
		if (!begin_attempt(g, &g->candidates[g->next++]))
			continue;
		if (g->next < g->count || g->lookup.missing)
			ac_in_(&g->pace, g->d->map, g->lookup.r->attempt_delay, go_on, g);
		return 0;
	}
	if (g->running == 0 && !g->lookup.missing)
		end_with(g, best_code(g), 0);
	return 0;
}

static int too_late(void *arg)
{
	end_with(arg, ETIMEDOUT, 0);
	return 0;
}

/* ---- what is looked up ---- */

/* New addresses join those that were not tried yet. */
static int take_over(struct dial *g)
{
	size_t more = g->lookup.count - g->seen, left = g->count - g->next + more;
	int before = g->next ? g->candidates[g->next - 1].addr.sa.sa_family : 0;
	struct ac_addr addrs[AC_ADDRS_MAX];
	struct candidate *candidates;

	if (more == 0)
		return 0;
	candidates = ac_alloc_((g->count + more) * sizeof(*candidates));
	if (!candidates)
		return -ENOMEM;
	for (size_t i = 0; i < left; i++)
		addrs[i] = g->next + i < g->count ? g->candidates[g->next + i].addr
		                                  : g->lookup.addrs[g->seen + i - (left - more)];
	ac_order_(addrs, left, before);
	if (g->next)
		memcpy(candidates, g->candidates, g->next * sizeof(*candidates));
	for (size_t i = 0; i < left; i++)
		candidates[g->next + i].addr = addrs[i];
	for (size_t i = 0; i < g->next; i++)
		if (candidates[i].attempt)
			candidates[i].attempt->candidate = &candidates[i];
	ac_free_(g->candidates);
	g->candidates = candidates;
	g->seen += more;
	g->count += more;
	return 0;
}

static int told(struct ac_lookup *l)
{
	struct dial *g = (struct dial *)((char *)l - offsetof(struct dial, lookup));
	bool none_yet = g->count == 0;

	if (take_over(g) < 0) {
		end_with(g, ENOMEM, 0);
		return 0;
	}
	if (g->count && none_yet && (l->missing & 1u << AC_ASKED_IPV6))
		ac_in_(&g->pace, g->d->map, RESOLUTION_DELAY, go_on, g);
	else if (g->next == 0 || !ac_task_pending(&g->pace))
		go_on(g);
	return 0;
}

int ac_dial_name_(struct ac_dialer *dialer, struct ac_dispatcher *d, const char *address)
{
	struct ac_resolver *r = (struct ac_resolver *)dialer;
	size_t size = strlen(address) + 1;
	const char *why = NULL;
	struct dial *g;
	int code;

	g = ac_alloc_(sizeof(*g) + size);
	if (!g)
		return ac_raise(d, ENOMEM);
	memcpy(g->address, address, size);
	g->dialing.cancel = cancel;
	g->d = d;
	g->lookup.tell = told;
	code = ac_lookup_start_(&g->lookup, r, address, &why);
	if (code == 0)
		code = ac_begin_dialing_(d, &g->dialing);
	if (code < 0) {
		dial_free(g);
		return why ? ac_raisef(d, -code, "\"%.60s\": %s", address, why)
		           : ac_raise(d, -code);
	}
	ac_in_(&g->deadline, d->map, r->deadline, too_late, g);
	return 0;
}

/* ---- the end ---- */

static const char *lookup_text(int code)
{
	switch (code) {
	case ENXIO:
		return "no such name";
	case ETIMEDOUT:
		return "no answer from the name servers";
	case EBADMSG:
		return "a malformed answer from the name servers";
	case EIO:
		return "the name servers failed";
	default:
		return ac_error_name(code);
	}
}

/* "[2001:db8::1] ENETUNREACH" */
static void describe_candidate(const struct candidate *c, char *text, size_t size)
{
	char addr[AC_ADDR_TEXT];

	ac_addr_format(&c->addr, addr, sizeof(addr));
	*strrchr(addr, ':') = '\0';
	snprintf(text, size, "%s %s", addr, ac_error_name(c->code ? c->code : ETIMEDOUT));
}

#define MORE sizeof(", 64 more")

/* Whole words only; how many did not fit is said at the end. False: some did not. */
static bool describe(const struct dial *g, char *text, size_t size)
{
	size_t len = strlen(g->address), at = 0, i;

	if (len > 40) /* the end of a name tells most */
		at = (size_t)snprintf(text, size, "...%s: ", g->address + len - 37);
	else
		at = (size_t)snprintf(text, size, "%s: ", g->address);
	if (g->next == 0)
		snprintf(text + at, size - at, "%s", lookup_text(g->code));
	for (i = 0; i < g->next; i++) {
		size_t spare = i + 1 < g->next ? MORE : 0;
		char one[AC_ADDR_TEXT + 20];

		describe_candidate(&g->candidates[i], one, sizeof(one));
		if (at + strlen(one) + 3 + spare > size)
			break;
		at += (size_t)snprintf(text + at, size - at, "%s%s", i ? ", " : "", one);
	}
	if (i < g->next)
		snprintf(text + at, size - at, "%s%zu more", i ? ", " : "", g->next - i);
	return i == g->next;
}

static int end(void *arg)
{
	char detail[sizeof(((struct ac_error *)0)->detail)], all[960] = "";
	struct dial *g = arg;
	struct ac_dispatcher *d = g->d;
	struct ac_map *m = d->map;
	int code = g->code;

	if (d->flags & AC_IS_BUSY) {
		end_with(g, code, BUSY_DELAY);
		return 0;
	}
	if (!describe(g, detail, sizeof(detail)))
		describe(g, all, sizeof(all));
	stop(g);
	ac_dial_lost_(d, code, detail);
	ac_free_(g->candidates);
	ac_free_(g);
	if (all[0])
		ac_map_log(m, AC_LOG_INFO, "%s: %s", ac_error_name(code), all);
	return 0;
}
