/* log.c — the one way out for words: a channel's log method, then the map's hook, then stderr. */
#include "map.h"

#include <stdarg.h>

#define LINE_SIZE 1024 /* longer lines are cut */

void ac_log_stderr_(void *arg, enum ac_log_level level, const char *text)
{
	static const char *const names[] = { "debug", "info", "warning", "error" };

	(void)arg;
	fprintf(stderr, "%s: %s\n", names[level], text);
}

static void say(struct ac_map *m, enum ac_log_level level, const char *text)
{
	if (!m)
		ac_log_stderr_(NULL, level, text);
	else if (!m->hushed)
		m->log(m->log_arg, level, text);
}

void ac_log_default_(struct ac_dispatcher *d, enum ac_log_level level, const char *text)
{
	say(d->map, level, text);
}

/* Formats the arguments behind `format` into `text`. */
#define FORMAT(text, format)                                                                       \
	do {                                                                                       \
		va_list args_;                                                                     \
		va_start(args_, format);                                                           \
		vsnprintf(text, sizeof(text), format, args_);                                      \
		va_end(args_);                                                                     \
	} while (0)

void ac_map_log(struct ac_map *map, enum ac_log_level level, const char *format, ...)
{
	char text[LINE_SIZE];

	FORMAT(text, format);
	say(ac_map_of_(map), level, text);
}

void ac_log_info(struct ac_dispatcher *d, enum ac_log_level level, const char *format, ...)
{
	char text[LINE_SIZE];

	FORMAT(text, format);
	d->cls->log(d, level, text);
}

void ac_log(struct ac_dispatcher *d, const char *format, ...)
{
	char text[LINE_SIZE];

	FORMAT(text, format);
	d->cls->log(d, AC_LOG_INFO, text);
}
