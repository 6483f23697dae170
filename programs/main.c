/* main.c — the `asyncore` command: finds the subcommand. */
#include "program.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name, *what;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "serve", "an HTTP/1.1 file server", cmd_serve },
	{ "get", "fetch a URL", cmd_get },
	{ "echo", "a server that sends back each line", cmd_echo },
	{ "chat", "a chat server with rooms", cmd_chat },
	{ "talk", "connect the terminal to a server", cmd_talk },
	{ "proxy", "pass connections on to another server", cmd_proxy },
	{ "run", "a command for each connection", cmd_run },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int help(void)
{
	printf("usage: asyncore COMMAND [ARGUMENT]...\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].what);
	printf("\n'asyncore COMMAND --help' tells more; asyncore --version prints the version.\n");
	return STATUS_OK;
}

/* A closed one would be given to the next socket, and lines for people would go there. */
static void hold_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	hold_standard_descriptors();
	if (argc < 2) {
		fprintf(stderr, "asyncore: no command given; try 'asyncore --help'\n");
		return STATUS_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help();
	if (strcmp(argv[1], "--version") == 0) {
		printf("asyncore %s\n", ac_version());
		return STATUS_OK;
	}
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "asyncore: no command '%s'; try 'asyncore --help'\n", argv[1]);
	return STATUS_USAGE;
}
