/*
 * count.c — how often each limit was met, and a word about it.
 *
 * Design: one line a second for each counter, or those who flood a server would flood its log as well. What was
 * not said meanwhile is told by number with the next line.
 */
#include "map.h"

#define SAY_NS 1000000000
#define TEXT_SIZE 1024

uint64_t ac_map_counter(const struct ac_map *map, enum ac_counter which)
{
	const struct ac_map *m = ac_map_of_((struct ac_map *)map);

	return m && (unsigned)which < AC_COUNTERS ? m->counters[which].count : 0;
}

const char *ac_counter_name(enum ac_counter which)
{
	static const char *const names[AC_COUNTERS] = {
		[AC_COUNT_ACCEPTED] = "accepted",
		[AC_COUNT_OVER_TOTAL] = "over total",
		[AC_COUNT_OVER_ADDRESS] = "over address",
		[AC_COUNT_NO_DESCRIPTOR] = "no descriptor",
		[AC_COUNT_ACCEPTS_PUT_OFF] = "accepts put off",
		[AC_COUNT_RECORD_TOO_LONG] = "record too long",
		[AC_COUNT_INPUT_HELD] = "input held",
		[AC_COUNT_OUTPUT_REFUSED] = "output refused",
		[AC_COUNT_RATE_WAITS] = "rate waits",
		[AC_COUNT_IDLE] = "idle",
		[AC_COUNT_RECORD_LATE] = "record late",
		[AC_COUNT_STALLED] = "stalled",
		[AC_COUNT_TOO_SLOW] = "too slow",
		[AC_COUNT_STRESS] = "stress",
	};

	return (unsigned)which < AC_COUNTERS ? names[which] : "";
}

bool ac_once_a_second_(struct ac_map *m, int64_t *said)
{
	int64_t now = ac_map_time_(m);

	if (*said && now - *said < SAY_NS)
		return false;
	*said = now;
	return true;
}

bool ac_may_say_(struct ac_map *m, enum ac_counter which)
{
	struct ac_tally *t = &m->counters[which];
	bool may = ac_once_a_second_(m, &t->said);

	t->unsaid += !may;
	return may;
}

void ac_say_(struct ac_dispatcher *d, enum ac_counter which, enum ac_log_level level,
             const char *format, ...)
{
	struct ac_tally *t = &d->map->counters[which];
	char text[TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (t->unsaid)
		ac_log_info(d, level, "%s (and %llu before)", text, (unsigned long long)t->unsaid);
	else
		ac_log_info(d, level, "%s", text);
	t->unsaid = 0;
}
