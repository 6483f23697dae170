/*
 * pipe.c — the output of several commands at once, each line behind the number of who wrote it.
 *
 *	pipe 'sleep 1; echo slow' 'echo quick'
 *
 * Each command's pipe is a channel; the loop ends when the last of them has.
 */
#include <asynchat.h>

#include <stdlib.h>

struct command {
	struct ac_chat c;
	FILE *pipe;
	int number;
};

static void write_line(const struct command *k)
{
	struct ac_slice line = ac_incoming(&k->c);

	printf("%d: %.*s\n", k->number, (int)line.len, (const char *)line.data);
}

static int line_came(struct ac_chat *c)
{
	write_line((const struct command *)c);
	return 0;
}

/* The rest of what a command wrote may have no line end. */
static int command_ended(struct ac_dispatcher *d)
{
	struct command *k = (struct command *)d;

	if (ac_incoming(&k->c).len)
		write_line(k);
	return 0;
}

/* pclose waits for the command: not before its output has ended. */
static void command_freed(struct ac_dispatcher *d)
{
	struct command *k = (struct command *)d;

	if (k->pipe)
		pclose(k->pipe);
}

static const struct ac_chat_class command_class = {
	.d = { .super = AC_CHAT,
	       .name = "command",
	       .size = sizeof(struct command),
	       .handle_close = command_ended,
	       .finalize = command_freed },
	.found_terminator = line_came,
};

static int run(struct ac_map *map, const char *text, int number)
{
	FILE *pipe = popen(text, "re");
	struct command *k;

	if (!pipe)
		return -1;
	k = (struct command *)ac_file_dispatcher(map, &command_class.d, fileno(pipe));
	if (!k) {
		pclose(pipe);
		return -1;
	}
	k->pipe = pipe;
	k->number = number;
	return ac_set_terminator(&k->c, "\n", 1);
}

int main(int argc, char **argv)
{
	struct ac_map *map = ac_map_new(NULL);
	int r = map ? 0 : -1;

	for (int i = 1; i < argc && r == 0; i++)
		r = run(map, argv[i], i);
	if (r == 0)
		r = ac_loop(map, NULL);
	if (r < 0)
		perror("pipe");
	ac_map_free(map);
	return r < 0;
}
