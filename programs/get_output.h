/*
 * get_output.h — where `asyncore get` puts what it fetched: a file, or the standard output.
 *
 * Invariants: a file is opened, and with that truncated, only by output_begin; whatever a write
 * returned without error is in the file in order.
 */
#ifndef GET_OUTPUT_H
#define GET_OUTPUT_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct output {
	const char *path; /* NULL: the standard output */
	int fd;           /* -1: not begun */
};

void output_init(struct output *o, const char *path); /* "-" or NULL: the standard output */
const char *output_name(const struct output *o);      /* for messages */

/* What is there already: -ENOENT, or -EINVAL for what is no regular file. */
int output_stat(const struct output *o, int64_t *ret_size, time_t *ret_mtime);

/* Opens; `offset` 0 makes it empty, else writing goes on there: -ESTALE if its size is another. */
int output_begin(struct output *o, int64_t offset);

/* Writes all of it, however long the reader takes. */
int output_write(struct output *o, const void *data, size_t len);

/* Closes; a write that failed late is reported here. Not begun, or ended before: 0. */
int output_end(struct output *o);

#endif
