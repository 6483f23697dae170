/* composite.c — one producer after the other. */
#include "producer.h"

struct composite {
	struct ac_producer p;
	struct ac_fifo parts;
};

static int composite_more(struct ac_producer *p, struct ac_slice *ret_slice)
{
	struct composite *c = (struct composite *)p;
	struct ac_slice slice = { NULL, 0 };
	struct ac_producer *first;

	while ((first = ac_fifo_first(&c->parts)) != NULL) {
		int r = ac_producer_more_(first, &slice);

		if (r < 0)
			return r;
		if (slice.len)
			break;
		ac_producer_free(ac_fifo_pop(&c->parts));
	}
	*ret_slice = slice;
	return 0;
}

static void composite_free(struct ac_producer *p)
{
	ac_fifo_done(&((struct composite *)p)->parts);
	ac_free_(p);
}

static const struct ac_producer_class composite_class = { "composite_producer", composite_more,
	                                                  composite_free };

/* A part that could not be made makes the whole impossible. */
struct ac_producer *ac_composite_producer(struct ac_producer *const *parts, size_t count)
{
	struct composite *c = ac_producer_new_(sizeof(*c), &composite_class, NULL);
	bool whole = c != NULL;

	if (c)
		ac_fifo_init(&c->parts);
	for (size_t i = 0; i < count; i++) {
		whole = whole && parts[i];
		if (c && parts[i])
			ac_fifo_push(&c->parts, parts[i]);
		else
			ac_producer_free(parts[i]);
	}
	if (whole)
		return &c->p;
	if (c)
		composite_free(&c->p);
	return NULL;
}
