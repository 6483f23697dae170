/* strict.c — see strict.h. */
#include "strict.h"

#include "harness.h"

#include <stdlib.h>

int made, freed, waits;

static int strict_more(struct ac_producer *p, struct ac_slice *ret_slice)
{
	struct strict *s = (struct strict *)p;
	size_t n = 1 + (size_t)rand_r(&s->seed) % s->most;

	assert_false(s->over);
	free(s->lent);
	s->lent = NULL;
	if (rand_r(&s->seed) % 4 == 0) {
		waits++;
		return -EAGAIN;
	}
	if (n > s->len - s->at)
		n = s->len - s->at;
	s->over = n == 0;
	if (s->over && s->error)
		return s->error;
	s->lent = malloc(n + 1);
	memcpy(s->lent, s->data + s->at, n);
	*ret_slice = (struct ac_slice){ s->lent, n };
	s->at += n;
	return 0;
}

static void strict_free(struct ac_producer *p)
{
	freed++;
	free(((struct strict *)p)->lent);
	free(p);
}

struct ac_producer *strict(const void *data, size_t len, size_t most, unsigned seed, int error)
{
	static const struct ac_producer_class cls = { "strict", strict_more, strict_free };
	struct strict *s = malloc(sizeof(*s));

	*s = (struct strict){ { .cls = &cls }, data, len, 0, most, seed, error, false, NULL };
	made++;
	return &s->p;
}
