/*
 * hooked.c — tells when another producer is exhausted, and how much it gave.
 *
 * Invariant: the hook runs exactly once: with the total at the end, or with -1 when the producer is freed
 * before, also when it could not be made at all. The inner producer is alive while it runs.
 */
#include "producer.h"

struct hooked {
	struct ac_producer p;
	struct ac_producer *inner;
	void (*hook)(void *arg, int64_t total);
	void *arg;
	int64_t total;
};

static void tell(struct hooked *h, int64_t total)
{
	void (*hook)(void *arg, int64_t total) = h->hook;

	h->hook = NULL;
	if (hook)
		hook(h->arg, total);
}

static int hooked_more(struct ac_producer *p, struct ac_slice *ret_slice)
{
	struct hooked *h = (struct hooked *)p;
	int r = ac_producer_more_(h->inner, ret_slice);

	if (r < 0)
		return r;
	h->total += (int64_t)ret_slice->len;
	if (ret_slice->len == 0)
		tell(h, h->total);
	return 0;
}

static void hooked_free(struct ac_producer *p)
{
	struct hooked *h = (struct hooked *)p;

	tell(h, -1);
	ac_producer_free(h->inner);
	ac_free_(h);
}

static const struct ac_producer_class hooked_class = { "hooked_producer", hooked_more,
	                                               hooked_free };

struct ac_producer *ac_hooked_producer(struct ac_producer *inner,
                                       void (*hook)(void *arg, int64_t total), void *arg)
{
	struct hooked *h = inner ? ac_producer_new_(sizeof(*h), &hooked_class, NULL) : NULL;

	if (!h) {
		if (hook)
			hook(arg, -1);
		ac_producer_free(inner);
		return NULL;
	}
	h->inner = inner;
	h->hook = hook;
	h->arg = arg;
	return &h->p;
}
