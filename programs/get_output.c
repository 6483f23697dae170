/*
 * get_output.c — where `asyncore get` puts what it fetched: a file, or the standard output.
 *
 * Design: writing blocks. A file takes it at once, and a slow reader of a pipe is meant to slow the
 * peer down: nothing is read meanwhile, so nothing piles up here.
 */
#include "get_output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void output_init(struct output *o, const char *path)
{
	o->path = path && strcmp(path, "-") != 0 ? path : NULL;
	o->fd = -1;
}

const char *output_name(const struct output *o)
{
	return o->path ? o->path : "the standard output";
}

int output_stat(const struct output *o, int64_t *ret_size, time_t *ret_mtime)
{
	struct stat st;

	if (!o->path)
		return -EINVAL;
	if (stat(o->path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*ret_size = st.st_size;
	*ret_mtime = st.st_mtime;
	return 0;
}

/* Somebody may have written to the file since we asked for the rest of it. */
static int seek_end(int fd, int64_t offset)
{
	off_t end = lseek(fd, 0, SEEK_END);

	if (end < 0)
		return -errno;
	return end == offset ? 0 : -ESTALE;
}

int output_begin(struct output *o, int64_t offset)
{
	int r = 0;

	if (!o->path) {
		o->fd = STDOUT_FILENO;
		return 0;
	}
	o->fd = open(o->path, O_WRONLY | O_CREAT | O_CLOEXEC | (offset ? 0 : O_TRUNC), 0666);
	if (o->fd < 0)
		return -errno;
	if (offset)
		r = seek_end(o->fd, offset);
	if (r < 0) {
		close(o->fd);
		o->fd = -1;
	}
	return r;
}

/* Another program may have left the descriptor non-blocking; the flag is not ours to change. */
static int wait_writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

int output_write(struct output *o, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = write(o->fd, at, len);

		if (n > 0) {
			at += n;
			len -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			int r = wait_writable(o->fd);

			if (r < 0)
				return r;
		} else if (n < 0 && errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

int output_end(struct output *o)
{
	int fd = o->fd;

	o->fd = -1;
	if (fd < 0 || fd == STDOUT_FILENO)
		return 0;
	return close(fd) < 0 && errno != EINTR ? -errno : 0;
}
