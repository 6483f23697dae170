/*
 * file.c — channels on descriptors that are no sockets: pipes, ttys, stdin, regular files.
 *
 * Design: the channel has a duplicate, and leaves the flags alone: O_NONBLOCK belongs to the open file, which
 * other programs may share. A blocking one is used once each time it is ready.
 */
#include "dispatcher.h"

#include <errno.h>

struct ac_dispatcher *ac_file_dispatcher(struct ac_map *map, const struct ac_class *cls, int fd)
{
	struct ac_dispatcher *d = ac_new(map, cls);
	bool blocking = false, write_only = false;
	int r;

	if (!d)
		return NULL;
	r = ac_sys_mode_(fd, &blocking, &write_only);
	if (r == 0)
		r = ac_sys_dup_(fd);
	if (r >= 0) {
		d->fd = r;
		ac_set_transport_(d, &ac_transport_file_);
		d->flags |= AC_IS_CONNECTED | (blocking ? AC_IS_BLOCKING : 0u) |
		            (write_only ? AC_IS_MUTE : 0u);
		r = ac_watch_(d);
	}
	if (r >= 0)
		return d;
	ac_lose_fd_(d);
	ac_raise(d, -r);
	ac_disown_(d);
	ac_free_(d);
	errno = -r;
	return NULL;
}
