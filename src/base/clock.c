/*
 * clock.c — monotonic time: nanoseconds inside, seconds as double at the interface.
 *
 * Limits: what lies further away than 73 years is brought to 73 years, so that sums cannot overflow.
 */
#include "base.h"

#include <math.h>
#include <time.h>

#define FAR_AWAY (INT64_MAX / 4)

int64_t ac_clock_(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t ac_ns_(double seconds)
{
	double ns = seconds * 1e9;
	int64_t whole;

	if (isnan(seconds))
		return -1;
	if (ns >= (double)FAR_AWAY)
		return FAR_AWAY;
	if (ns <= -(double)FAR_AWAY)
		return -FAR_AWAY;
	whole = (int64_t)ns;
	return (double)whole < ns ? whole + 1 : whole;
}
