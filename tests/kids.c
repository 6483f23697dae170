/* kids.c — see kids.h. */
#include "kids.h"

#include <sys/wait.h>

static void note(struct kid *k, const char *format, ...)
{
	size_t len = k->trace ? strlen(k->trace) : TRACE_SIZE;
	va_list args;

	va_start(args, format);
	if (len < TRACE_SIZE)
		vsnprintf(k->trace + len, TRACE_SIZE - len, format, args);
	va_end(args);
}

static int kid_out(struct ac_process *p, struct ac_slice s)
{
	struct kid *k = (struct kid *)p;

	k->bytes += s.len;
	if (k->sum)
		*k->sum += s.len;
	note(k, "o(%.*s)", (int)s.len, (const char *)s.data);
	return k->on_line ? k->on_line(k) : 0;
}

static int kid_err(struct ac_process *p, struct ac_slice s)
{
	note((struct kid *)p, "e(%.*s)", (int)s.len, (const char *)s.data);
	return 0;
}

static int kid_exit(struct ac_process *p, const struct ac_exit *how)
{
	struct kid *k = (struct kid *)p;

	k->exits++;
	note(k, how->signal ? "s%d" : "x%d", how->signal ? how->signal : how->status);
	if (k->total)
		++*k->total;
	return k->on_exit ? k->on_exit(k) : 0;
}

static int kid_drain(struct ac_process *p)
{
	note((struct kid *)p, "d");
	return 0;
}

static int kid_end(struct ac_process *p, int end)
{
	assert_null(end == 0 ? p->in : end == 1 ? p->out : p->err);
	if (((struct kid *)p)->ends)
		note((struct kid *)p, "<%d", end);
	return 0;
}

static int kid_close(struct ac_dispatcher *d)
{
	note((struct kid *)d, "X");
	return AC_PROCESS->handle_close(d);
}

const struct ac_process_class kid_class = {
	.d = { .super = AC_PROCESS,
	       .name = "kid",
	       .size = sizeof(struct kid),
	       .handle_close = kid_close },
	.handle_stdout = kid_out,
	.handle_stderr = kid_err,
	.handle_drain = kid_drain,
	.handle_end = kid_end,
	.handle_exit = kid_exit,
};

struct kid *start(struct world *w, const char *script, struct ac_spawn_opts o)
{
	const char *argv[] = { "sh", "-c", script, NULL };
	struct kid *k;

	o.argv = argv;
	k = (struct kid *)ac_spawn(w->map, &kid_class, &o);
	assert_non_null(k);
	k->trace = new_trace(w);
	return k;
}

struct kid *sh(struct world *w, const char *script)
{
	return start(w, script, (struct ac_spawn_opts){ 0 });
}

bool no_children(void)
{
	return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD;
}
