/* limit.c — what is bounded for one channel alone, and what is said where a bound was met. */
#include "dispatcher.h"

#include <errno.h>

struct ac_extra *ac_extra_(struct ac_dispatcher *d)
{
	if (!d->extra)
		d->extra = ac_alloc_(sizeof(*d->extra));
	return d->extra;
}

int ac_set_limit(struct ac_dispatcher *d, enum ac_limit which, size_t value)
{
	if ((unsigned)which >= AC_LIMITS)
		return ac_raise(d, EINVAL);
	if (!ac_extra_(d))
		return ac_raise(d, ENOMEM);
	d->extra->limits[which] = value;
	return 0;
}

size_t ac_limit(const struct ac_dispatcher *d, enum ac_limit which)
{
	return (unsigned)which < AC_LIMITS ? ac_limit_(d, which) : 0;
}

void ac_refuse_output_(struct ac_dispatcher *d, size_t queued, size_t more)
{
	char repr[AC_REPR_TEXT];

	ac_count_(d->map, AC_COUNT_OUTPUT_REFUSED);
	if (ac_may_say_(d->map, AC_COUNT_OUTPUT_REFUSED))
		ac_say_(d, AC_COUNT_OUTPUT_REFUSED, AC_LOG_WARNING,
		        "output refused: %zu bytes queued, %zu more for %s", queued, more,
		        ac_repr(d, repr, sizeof(repr)));
}
