/* options.c — see options.h. */
#include "options.h"

#include <stdlib.h>
#include <sys/resource.h>

#define CONNECTIONS_MOST 100000
#define CONNECTIONS_LEAST 16
#define OTHER_DESCRIPTORS 64

bool options_count(const char *text, size_t *ret_count)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end)
		return false;
	*ret_count = (size_t)n;
	return true;
}

bool options_seconds(const char *text, double *ret_seconds)
{
	char *end;
	double n = strtod(text, &end);

	if (end == text || *end || !(n > 0 && n < 1e9))
		return false;
	*ret_seconds = n;
	return true;
}

size_t options_connections(size_t descriptors)
{
	struct rlimit files;
	size_t most;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == RLIM_INFINITY)
		return CONNECTIONS_MOST;
	most = (size_t)files.rlim_cur / 10 * 8;
	most = most > OTHER_DESCRIPTORS ? (most - OTHER_DESCRIPTORS) / descriptors : 0;
	return most > CONNECTIONS_LEAST ? most : CONNECTIONS_LEAST;
}
