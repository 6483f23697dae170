/* error.c — the pending error of a map: who raised it, and through which lines it came up. */
#include "map.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static struct ac_error *pending(const void *d)
{
	struct ac_map *m = d ? ((const struct ac_dispatcher *)d)->map : ac_map_default();

	return m ? &m->error : NULL;
}

static void begin(struct ac_error *e, int code)
{
	e->code = code;
	e->frame_count = 0;
	e->detail[0] = '\0';
}

/* The first lines tell most: when there is no more room, later ones are left out. */
static void add(struct ac_error *e, const char *file, const char *function, int line)
{
	if (e->frame_count < AC_FRAMES)
		e->frames[e->frame_count++] = (struct ac_frame){ file, function, line };
}

int ac_raise_(const void *d, int code, const char *file, const char *function, int line)
{
	struct ac_error *e = pending(d);

	if (e) {
		begin(e, code);
		add(e, file, function, line);
	}
	return -code;
}

int ac_raisef_(const void *d, int code, const char *file, const char *function, int line,
               const char *format, ...)
{
	struct ac_error *e = pending(d);
	va_list args;

	if (e) {
		begin(e, code);
		add(e, file, function, line);
		va_start(args, format);
		vsnprintf(e->detail, sizeof(e->detail), format, args);
		va_end(args);
	}
	return -code;
}

int ac_frame_(const void *d, int code, const char *file, const char *function, int line)
{
	struct ac_error *e = pending(d);

	if (e && code != AC_EXIT && code != -EAGAIN) {
		if (e->code != -code)
			begin(e, -code);
		add(e, file, function, line);
	}
	return code;
}

/* A bare -errno has no trace: the method it came from is better than nothing. */
void ac_error_settle_(struct ac_map *m, int code, const char *where, const char *method)
{
	if (m->error.code == code)
		return;
	begin(&m->error, code);
	add(&m->error, where, method, 0);
}

const struct ac_error *ac_last_error(struct ac_map *map)
{
	static const struct ac_error no_memory = { .code = ENOMEM };
	struct ac_map *m = ac_map_of_(map);

	return m ? &m->error : &no_memory;
}

void ac_explain(struct ac_map *map, const char *prefix)
{
	const struct ac_error *e = ac_last_error(map);

	ac_map_log(map, AC_LOG_ERROR, "%s: %s: %s%s%s", prefix, ac_error_name(e->code),
	           strerror(e->code), e->detail[0] ? ": " : "", e->detail);
}
