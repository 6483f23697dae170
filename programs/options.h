/* options.h — options and their values, as several subcommands read them. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <asyncore.h>

/* A whole number, or seconds above 0; false if the text is none. */
bool options_count(const char *text, size_t *ret_count);
bool options_seconds(const char *text, double *ret_seconds);

/* How many connections a server on that map takes, if nobody says. */
size_t options_connections(struct ac_map *map);

struct option;
struct tls_options;

#define OPTIONS_TLS 'T' /* --tls CERT KEY */

/* The options of a subcommand, as getopt_long takes them. */
struct options_table {
	const char *name, *help, *letters;
	const struct option *words;
	bool (*set)(int c, const char *value, void *arg); /* false: a bad value */
};

/* Reads what stands before the arguments; `arg` is for `set`, `tls` NULL where there is no OPTIONS_TLS. 0: go on; else the status to end with, plus one. */
int options_read(const struct options_table *t, struct tls_options *tls, int argc, char **argv,
                 void *arg);

/* Says what is wrong, and where help is to be had; what options_read returns then. */
int options_refuse(const char *name, const char *what);

#endif
