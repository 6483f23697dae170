/* producer.c — making, asking and freeing producers of any class. */
#include "producer.h"

void *ac_producer_new_(size_t size, const struct ac_producer_class *cls, struct ac_producer *inner)
{
	struct ac_producer *p = ac_alloc_(size);

	if (p)
		p->cls = cls;
	else
		ac_producer_free(inner);
	return p;
}

int ac_producer_more_(struct ac_producer *p, struct ac_slice *ret_slice)
{
	struct ac_slice slice = { NULL, 0 };
	int r = p->cls->more(p, &slice);

	if (r >= 0)
		*ret_slice = slice;
	return r;
}

void ac_producer_free(struct ac_producer *p)
{
	if (p)
		p->cls->free(p);
}
