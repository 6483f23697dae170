/*
 * open.c — opening what a path names, inside the served folder and nowhere else.
 *
 * Design: the kernel itself keeps the resolution below the root (openat2, RESOLVE_BENEATH), so that no
 * symbolic link, and no race with one, leads out. Where it is missing, or forbidden as in some containers, no
 * symbolic link is followed at all: each part of the path is opened for itself.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* O_NONBLOCK: opening a FIFO must not wait for its other end. */
#define FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
#define TRIES 16 /* when something is renamed meanwhile, the kernel asks to try again */

static int open_beneath(int root, const char *path)
{
	struct open_how how = { .flags = FLAGS,
		                .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	long fd = -1;

	for (int i = 0; i < TRIES; i++) {
		fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EINTR && errno != EAGAIN))
			break;
	}
	return fd < 0 ? -errno : (int)fd;
}

static int open_by_parts(int root, const char *path)
{
	int at = fcntl(root, F_DUPFD_CLOEXEC, 0);
	char part[256];

	if (at < 0)
		return -errno;
	while (at >= 0 && *path) {
		size_t len = strcspn(path, "/");
		int next;

		if (len >= sizeof(part)) {
			close(at);
			return -ENAMETOOLONG;
		}
		memcpy(part, path, len);
		part[len] = '\0';
		path += len;
		path += strspn(path, "/");
		next = openat(at, part, FLAGS | O_NOFOLLOW);
		if (next < 0)
			next = -errno;
		close(at);
		at = next;
	}
	return at;
}

static int status_of(int code)
{
	switch (code) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
		return 404;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EAGAIN:
	case EINTR:
		return 503;
	case EXDEV:
	case ELOOP:
	case EACCES:
	case EPERM:
	case ENXIO:
	case ENODEV:
		return 403;
	default:
		return 500;
	}
}

int http_open(int root, const char *path, struct stat *st)
{
	int fd;

	path += strspn(path, "/");
	if (!*path)
		path = ".";
	fd = open_beneath(root, path);
	if (fd == -ENOSYS || fd == -EPERM)
		fd = open_by_parts(root, path);
	if (fd < 0)
		return -status_of(-fd);
	if (fstat(fd, st) == 0 && (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)))
		return fd;
	close(fd);
	return -403;
}
