/* options.h — values of options, as several subcommands read them. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* A whole number, or seconds above 0; false if the text is none. */
bool options_count(const char *text, size_t *ret_count);
bool options_seconds(const char *text, double *ret_seconds);

/* How many connections of so many descriptors each a server should take, if nobody says: 80 % of the
 * descriptors allowed, less 64. */
size_t options_connections(size_t descriptors);

#endif
