/* program.h — what the subcommands of `asyncore` share: saying things, stopping, listening. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <asynchat.h>

enum status { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

int cmd_serve(int argc, char **argv);
int cmd_get(int argc, char **argv);
int cmd_echo(int argc, char **argv);
int cmd_chat(int argc, char **argv);
int cmd_talk(int argc, char **argv);
int cmd_proxy(int argc, char **argv);
int cmd_run(int argc, char **argv);

/* One line on stderr, "asyncore NAME: …"; returns the status. */
int program_fail(int status, const char *name, const char *format, ...) AC_PRINTF(3, 4);

/* The help text on stdout, or after bad arguments a hint on stderr; returns the status. */
int program_help(const char *text);
int program_usage(const char *name);

/* A map with a poller of that name (NULL: the best); NULL after one clear line on stderr. */
struct ac_map *program_map(const char *name, const char *poller);
int program_no_map(const char *poller); /* the status then */

/* Runs it to its end; the status. */
int program_loop(struct ac_map *map, const char *name);

/* Ends the loop in so many seconds; 0: with the next pass. */
void program_leave(struct ac_map *map, double seconds);

/* Calls stop(arg) once, at the first SIGINT or SIGTERM; a second one ends the program at once. The
 * signals are blocked from now on and read from a descriptor. 0, or -errno. */
int program_on_stop(struct ac_map *map, void (*stop)(void *arg), void *arg);

/* Listens and prints "NAME listening on SCHEME ADDRESS" with the real port; NULL after one clear
 * line on stderr. */
struct ac_dispatcher *program_listen(struct ac_map *map, const struct ac_class *cls,
                                     const char *name, const char *scheme, const char *address);

/* The same for a channel that was opened with result r (NULL: no memory). */
struct ac_dispatcher *program_opened(struct ac_dispatcher *d, int r, const char *name,
                                     const char *scheme, const char *address);

/* Writes all to the standard output, whether it blocks or not. 0, or -errno. */
int program_write(const void *data, size_t len);

/* A server with nothing but an address and a poller to choose: parses, listens, runs, stops. */
struct program_server {
	const char *name, *help, *address;
	const struct ac_class *listener;
	void (*stopping)(
		struct ac_map *map); /* before everything is closed; NULL: nothing to say */
	int (*option)(int c,
	              const char *value); /* 't' for --timeout, 'u' for --udp; negative: bad */
	struct ac_dispatcher *(*open)(struct ac_map *map, const char *address); /* NULL: listens */
	int (*handle_secure)(
		struct ac_dispatcher *d); /* with --tls, when the handshake is done; or NULL */
};
int program_run_server(const struct program_server *s, int argc, char **argv);

/* For a connection that was accepted: 0 in clear; 1 with --tls, the handshake has begun. Or -errno. */
int program_secure(struct ac_dispatcher *d);

#endif
