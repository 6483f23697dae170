/*
 * file.c — a part of a file, read a piece at a time.
 *
 * Design: pread, so that several producers may share an open file. A file that is shorter than was promised
 * is -EIO: what follows it in the queue must not be taken for the rest.
 */
#include "producer.h"

#include <errno.h>

struct file {
	struct ac_producer p;
	int fd;
	int64_t offset, left;
	char buffer[AC_PIECE_SIZE];
};

static int file_more(struct ac_producer *p, struct ac_slice *ret_slice)
{
	struct file *f = (struct file *)p;
	size_t want = f->left < AC_PIECE_SIZE ? (size_t)f->left : AC_PIECE_SIZE;
	ssize_t n = want ? ac_sys_pread_(f->fd, f->buffer, want, f->offset) : 0;

	if (n < 0)
		return (int)n;
	if (n == 0 && want)
		return -EIO;
	f->offset += n;
	f->left -= n;
	*ret_slice = (struct ac_slice){ f->buffer, (size_t)n };
	return 0;
}

static void file_free(struct ac_producer *p)
{
	ac_sys_close_(((struct file *)p)->fd);
	ac_free_(p);
}

static const struct ac_producer_class file_class = { "file_producer", file_more, file_free };

struct ac_producer *ac_file_producer(int fd, int64_t offset, int64_t len)
{
	struct file *f = NULL;

	if (fd >= 0 && offset >= 0 && len >= 0 && len <= INT64_MAX - offset)
		f = ac_producer_new_(sizeof(*f), &file_class, NULL);
	if (!f) {
		if (fd >= 0)
			ac_sys_close_(fd);
		return NULL;
	}
	f->fd = fd;
	f->offset = offset;
	f->left = len;
	return &f->p;
}
