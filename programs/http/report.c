/* report.c — at SIGUSR1, a line on stderr: how many connections there are, and what has been counted. */
#include "server.h"

#include <asyncore/signals.h>
#include <errno.h>
#include <signal.h>

struct reporter {
	struct ac_signals s;
	void (*report)(void *arg);
	void *arg;
};

void http_report(struct ac_map *map)
{
	char line[1024];
	int len = snprintf(line, sizeof(line), "asyncore serve: %zu connections%s",
	                   ac_map_connections(map), ac_map_stressed(map) ? ", under stress" : "");

	for (int i = 0; i < AC_COUNTERS && len < (int)sizeof(line); i++) {
		enum ac_counter which = (enum ac_counter)i;
		unsigned long long count = ac_map_counter(map, which);

		if (count)
			len += snprintf(line + len, sizeof(line) - (size_t)len, ", %s %llu",
			                ac_counter_name(which), count);
	}
	fprintf(stderr, "%s\n", line); /* at once: workers do so too */
}

static int asked(struct ac_signals *s, const struct ac_signal *signal)
{
	struct reporter *r = (struct reporter *)s;

	(void)signal;
	r->report(r->arg);
	return 0;
}

static const struct ac_signals_class reporter_class = {
	.d = { .super = AC_SIGNALS, .name = "report", .size = sizeof(struct reporter) },
	.handle_signal = asked,
};

int http_report_when_asked(struct ac_map *map, void (*report)(void *arg), void *arg)
{
	static const int numbers[] = { SIGUSR1 };
	struct reporter *r = (struct reporter *)ac_signals_new(map, &reporter_class, numbers, 1);

	if (!r)
		return -errno;
	r->report = report;
	r->arg = arg;
	return 0;
}
