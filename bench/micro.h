/* micro.h — what the small measurements share: a clock, medians, and one line of JSON for each result. */
#ifndef MICRO_H
#define MICRO_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline double micro_now(void) /* nanoseconds */
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline int micro_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline double micro_median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), micro_compare);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* n: how many things were there meanwhile, 0 where that says nothing. */
static inline void micro_print(const char *group, const char *name, const char *peer, size_t n,
                               double value, const char *unit)
{
	printf("{\"group\": \"%s\", \"name\": \"%s\", \"peer\": \"%s\", \"n\": %zu, "
	       "\"value\": %.4g, \"unit\": \"%s\"}\n",
	       group, name, peer, n, value, unit);
	fflush(stdout);
}

/* Small, fast and the same everywhere (xorshift). */
static inline uint64_t micro_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline void micro_die(const char *what)
{
	fprintf(stderr, "micro: %s\n", what);
	exit(1);
}

#endif
