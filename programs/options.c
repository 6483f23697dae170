/* options.c — see options.h. */
#include "options.h"

#include "program.h"
#include "tls.h"

#include <getopt.h>
#include <stdlib.h>

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

size_t options_connections(struct ac_map *map)
{
	struct ac_dispatcher *d = ac_new(map, AC_DISPATCHER);
	size_t most = d ? ac_limit(d, AC_MAX_CONNECTIONS) : 1;

	ac_close(d);
	return most;
}

int options_refuse(const char *name, const char *what)
{
	program_fail(STATUS_USAGE, name, "%s", what);
	return program_usage(name) + 1;
}

int options_read(const struct options_table *t, struct tls_options *tls, int argc, char **argv,
                 void *arg)
{
	int c;

	while ((c = getopt_long(argc, argv, t->letters, t->words, NULL)) != -1) {
		if (c == 'h')
			return program_help(t->help) + 1;
		if (c == '?')
			return program_usage(t->name) + 1;
		if (c == OPTIONS_TLS) {
			if (!tls || !tls_options_add(tls, optarg, argc, argv))
				return options_refuse(t->name, "--tls needs CERT and KEY");
		} else if (!t->set(c, optarg, arg)) {
			program_fail(STATUS_USAGE, t->name, "bad value '%s'", optarg);
			return program_usage(t->name) + 1;
		}
	}
	return 0;
}
