/* query.c — ac_resolve: a lookup whose addresses go to a function. */
#include "resolver.h"

#include <errno.h>

struct ac_query {
	struct ac_lookup lookup; /* first */
	struct ac_query *next, **link;
	struct ac_task deadline;
	ac_resolve_fn *fn;
	void *arg;
};

static void take_out(struct ac_query *q)
{
	*q->link = q->next;
	if (q->next)
		q->next->link = q->link;
}

void ac_query_cancel(struct ac_query *q)
{
	if (!q)
		return;
	take_out(q);
	ac_task_cancel(&q->deadline);
	ac_lookup_stop_(&q->lookup);
	ac_free_(q);
}

/* It is gone before its function is called, which may do anything. */
static int finish(struct ac_query *q, int result)
{
	struct ac_addr *addrs = q->lookup.addrs;
	size_t count = result == 0 ? q->lookup.count : 0;
	ac_resolve_fn *fn = q->fn;
	void *arg = q->arg;

	q->lookup.addrs = NULL;
	ac_query_cancel(q);
	ac_order_(addrs, count, 0);
	result = fn(arg, result, count ? addrs : NULL, count);
	ac_free_(addrs);
	return result;
}

static int told(struct ac_lookup *l)
{
	if (l->missing)
		return 0;
	return finish((struct ac_query *)l, l->count ? 0 : -l->error);
}

/* What is known by then is better than nothing. */
static int too_late(void *arg)
{
	struct ac_query *q = arg;

	return finish(q, q->lookup.count ? 0 : -ETIMEDOUT);
}

void ac_queries_halt_(struct ac_resolver *r)
{
	while (r->queries)
		finish(r->queries, -ECANCELED);
}

static struct ac_query *refused(struct ac_map *m, int code, const char *address, const char *why)
{
	const struct ac_dispatcher about = { .map = m };

	if (m && why)
		ac_raisef(&about, code, "\"%.60s\": %s", address ? address : "", why);
	else if (m)
		ac_raise(&about, code);
	errno = code;
	return NULL;
}

struct ac_query *ac_resolve(struct ac_map *map, const char *address, ac_resolve_fn *fn, void *arg)
{
	struct ac_map *m = ac_map_of_(map);
	const char *why = NULL;
	struct ac_resolver *r = m ? ac_resolver_of_(m) : NULL;
	struct ac_query *q;
	int code;

	if (!m)
		return refused(NULL, ENOMEM, NULL, NULL);
	if (!r || !fn || !address)
		return refused(m, EINVAL, address,
		               r ? "a name and a function, please" : "no resolver is set");
	q = ac_alloc_(sizeof(*q));
	code = q ? ac_lookup_start_(&q->lookup, r, address, &why) : -ENOMEM;
	if (code < 0) {
		ac_free_(q);
		return refused(m, -code, address, why);
	}
	q->lookup.tell = told;
	q->fn = fn;
	q->arg = arg;
	q->next = r->queries;
	q->link = &r->queries;
	if (q->next)
		q->next->link = &q->next;
	r->queries = q;
	ac_in_(&q->deadline, m, r->deadline, too_late, q);
	return q;
}
