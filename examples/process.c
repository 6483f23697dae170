/*
 * process.c — child processes: runs each shell command, and says what they say and how they end.
 *
 *	process [COMMAND]...
 */
#include <asyncore/process.h>

struct job {
	struct ac_process p;
	int number;
};

static int said(struct ac_process *p, struct ac_slice line)
{
	printf("%d: %.*s\n", ((struct job *)p)->number, (int)line.len, (const char *)line.data);
	return 0;
}

static int complained(struct ac_process *p, struct ac_slice line)
{
	printf("%d! %.*s\n", ((struct job *)p)->number, (int)line.len, (const char *)line.data);
	return 0;
}

static int ended(struct ac_process *p, const struct ac_exit *how)
{
	printf("%d %s %d\n", ((struct job *)p)->number,
	       how->signal ? "died of signal" : "exited with",
	       how->signal ? how->signal : how->status);
	return 0;
}

static const struct ac_process_class job_class = {
	.d = { .super = AC_PROCESS, .name = "job", .size = sizeof(struct job) },
	.handle_stdout = said,
	.handle_stderr = complained,
	.handle_exit = ended,
};

static int start(struct ac_map *map, const char *command, int number)
{
	const char *argv[] = { "sh", "-c", command, NULL };
	const struct ac_spawn_opts opts = { .argv = argv, .in = AC_SPAWN_NULL };
	struct job *job = (struct job *)ac_spawn(map, &job_class, &opts);

	if (job)
		job->number = number;
	return job ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct ac_map *map = ac_map_new(NULL);
	int r = 0;

	for (int i = 1; r == 0 && i < argc; i++)
		r = start(map, argv[i], i);
	if (r < 0 || (r = ac_loop(map, NULL)) < 0)
		ac_explain(map, "process");
	ac_map_free(map);
	return r < 0;
}
