/*
 * strict.h — an inner producer that takes its contract at its word, for the tests of producers that ask others.
 *
 * What it lent is gone when it is asked again, once exhausted it must not be asked, and now and then it has
 * nothing yet.
 */
#ifndef STRICT_H
#define STRICT_H

#include <asynchat.h>

struct strict {
	struct ac_producer p;
	const char *data;
	size_t len, at, most;
	unsigned seed;
	int error;
	bool over;
	char *lent;
};

extern int made, freed, waits; /* of all of them, until the test sets them to 0 */

/* Pieces of 1 to `most` bytes, as the seed has it. With an error it fails where it would end. */
struct ac_producer *strict(const void *data, size_t len, size_t most, unsigned seed, int error);

#endif
