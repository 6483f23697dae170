/*
 * open.c — how a channel comes to its descriptor.
 *
 * Design: a stream socket is watched once it connects, listens or was adopted, never before: a fresh one
 * reports a hang-up. Whatever fails leaves the channel as if it had never been opened.
 */
#include "dispatcher.h"

#include <errno.h>
#include <netinet/tcp.h>

struct ac_dispatcher *ac_no_channel_(struct ac_map *m, int code, const char *function)
{
	if (m) {
		m->error.code = 0;
		ac_error_settle_(m, code, "asyncore", function);
	}
	errno = code;
	return NULL;
}

struct ac_dispatcher *ac_new(struct ac_map *map, const struct ac_class *cls)
{
	struct ac_map *m = ac_map_of_(map);
	int code = ENOMEM, r;
	struct ac_resolved *resolved = m ? ac_resolve_(m, cls, &code) : NULL;
	const struct ac_class *full;
	struct ac_dispatcher *d;

	if (!resolved)
		return ac_no_channel_(m, code, "ac_new");
	full = (const struct ac_class *)(const void *)resolved->table;
	d = ac_alloc_(full->size);
	if (!d)
		return ac_no_channel_(m, ENOMEM, "ac_new");
	d->cls = full;
	d->fd = -1;
	d->flags = resolved->flags;
	d->transport = &ac_transport_socket_;
	r = ac_own_(m, d);
	if (r == 0 && (d->flags & AC_IS_ASKED) && ac_names_add_(&m->asked, ac_name_of_(d)) < 0) {
		ac_disown_(d);
		r = -ENOMEM;
	}
	if (r < 0) {
		ac_free_(d);
		return ac_no_channel_(m, -r, "ac_new");
	}
	return d;
}

void ac_lose_fd_(struct ac_dispatcher *d)
{
	ac_discharge_(d);
	ac_unwatch_(d);
	if (d->fd >= 0)
		ac_sys_close_(d->fd);
	d->fd = -1;
	d->family = 0;
	d->flags &=
		~(uint32_t)(AC_IS_CONNECTED | AC_IS_CONNECTING | AC_IS_ACCEPTING | AC_IS_STREAM);
}

static void no_delay(struct ac_dispatcher *d)
{
	if ((d->flags & AC_IS_STREAM) && (d->family == AF_INET || d->family == AF_INET6))
		ac_sys_setopt_(d->fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

/* What an unknown descriptor is: a listener, a connected or an unconnected socket, or no socket at all. */
static int examine(struct ac_dispatcher *d, const struct ac_addr *peer)
{
	struct ac_addr addr;
	int type = 0, family = 0, listens = 0, lost = 0, r = ac_sys_nonblock_(d->fd);
	bool blocking, write_only = false;

	if (r < 0)
		return r;
	if (ac_sys_getopt_(d->fd, SOL_SOCKET, SO_TYPE, &type) < 0) {
		if (d->transport->handshake)
			return -ENOTSOCK;
		ac_sys_mode_(d->fd, &blocking, &write_only);
		ac_set_transport_(d, &ac_transport_file_);
		d->flags |= AC_IS_CONNECTED | (write_only ? AC_IS_MUTE : 0u);
		return 0;
	}
	ac_sys_getopt_(d->fd, SOL_SOCKET, SO_DOMAIN, &family);
	ac_sys_getopt_(d->fd, SOL_SOCKET, SO_ACCEPTCONN, &listens);
	d->family = (uint8_t)family;
	d->flags |= type == SOCK_STREAM ? AC_IS_STREAM : 0u;
	if (listens)
		d->flags |= AC_IS_ACCEPTING;
	else if (ac_sys_peername_(d->fd, &addr) == 0)
		d->flags |= AC_IS_CONNECTED;
	else if (ac_sys_getopt_(d->fd, SOL_SOCKET, SO_ERROR, &lost) == 0 && lost)
		return -lost; /* its peer was gone before we came: nothing would ever be heard of it */
	if (peer || (d->flags & AC_IS_CONNECTED))
		ac_set_peer_(d, peer ? peer : &addr);
	return 0;
}

static bool is_arriving(const struct ac_map *m, int fd)
{
	return m->arrival && m->arrival->fd == fd;
}

/* A connection that our own accept gave is known to be non-blocking and connected. */
static int just_accepted(struct ac_dispatcher *d, const struct ac_addr *peer)
{
	struct ac_arrival *a = d->map->arrival;
	struct ac_addr local;

	a->fd = -1;
	a->adopter = d;
	d->flags |= AC_IS_CONNECTED | AC_IS_STREAM;
	if (!peer || !peer->len)
		peer = a->peer;
	if (peer->len)
		ac_set_peer_(d, peer);
	else if (ac_sys_sockname_(d->fd, &local) == 0)
		d->family = (uint8_t)local.sa.sa_family;
	if (a->counts)
		ac_admit_(d);
	return 0;
}

int ac_watch_open_(struct ac_dispatcher *d)
{
	const uint32_t in_use = AC_IS_CONNECTED | AC_IS_CONNECTING | AC_IS_ACCEPTING;

	if (d->fd < 0 || ((d->flags & AC_IS_STREAM) && !(d->flags & in_use)))
		return 0;
	return ac_watch_(d);
}

int ac_take_fd_(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	int r;

	if (fd < 0)
		return -EBADF;
	d->fd = fd;
	r = is_arriving(d->map, fd) ? just_accepted(d, peer) : examine(d, peer);
	if (d->transport->handshake &&
	    (d->flags & AC_IS_CONNECTED)) /* it has yet to be agreed on */
		d->flags ^= AC_IS_CONNECTED | AC_IS_CONNECTING;
	if (r == 0)
		r = ac_watch_open_(d);
	if (r < 0)
		ac_lose_fd_(d);
	return r;
}

struct ac_dispatcher *ac_adopt(struct ac_map *map, const struct ac_class *cls, int fd,
                               const struct ac_addr *peer)
{
	struct ac_map *m = ac_map_of_(map);
	struct ac_dispatcher *d = ac_new(m, cls);
	int r;

	if (!d) {
		if (m && is_arriving(m, fd))
			m->arrival->fd = -1;
		if (fd >= 0)
			ac_sys_close_(fd);
		return NULL;
	}
	r = ac_take_fd_(d, fd, peer);
	if (r == 0)
		return d;
	if (m->arrival && m->arrival->adopter == d)
		m->arrival->adopter = NULL;
	if (!(d->flags & AC_IS_CLOSING)) { /* else it waits in its grave */
		ac_disown_(d);
		ac_free_(d);
	}
	return ac_no_channel_(m, -r, "ac_new");
}

int ac_set_socket(struct ac_dispatcher *d, int fd)
{
	int r;

	if (d->fd >= 0 || (d->flags & AC_IS_CLOSING) || ac_is_dialing_(d)) {
		ac_sys_close_(fd);
		return d->flags & AC_IS_CLOSING ? 0 : ac_raise(d, EISCONN);
	}
	r = ac_take_fd_(d, fd, NULL);
	return r < 0 ? ac_raise(d, -r) : 0;
}

int ac_create_socket(struct ac_dispatcher *d, int family, int type)
{
	int fd, r = 0;

	if (d->flags & AC_IS_CLOSING)
		return 0;
	if (d->fd >= 0 || ac_is_dialing_(d))
		return ac_raise(d, EISCONN);
	fd = ac_sys_socket_(family, type);
	if (fd < 0)
		return ac_raise(d, -fd);
	d->fd = fd;
	d->family = (uint8_t)family;
	if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) == SOCK_STREAM)
		d->flags |= AC_IS_STREAM;
	else
		r = ac_watch_(d);
	if (r < 0) {
		ac_lose_fd_(d);
		return ac_raise(d, -r);
	}
	return 0;
}

static int need_fd(struct ac_dispatcher *d)
{
	return d->fd < 0 ? ac_raise(d, EBADF) : 0;
}

int ac_set_reuse_addr(struct ac_dispatcher *d)
{
	int r;

	if (d->flags & AC_IS_CLOSING)
		return 0;
	AC_TRY(d, need_fd(d));
	r = ac_sys_setopt_(d->fd, SOL_SOCKET, SO_REUSEADDR, 1);
	return r < 0 ? ac_raise(d, -r) : 0;
}

static int raise_about(struct ac_dispatcher *d, int code, const char *verb,
                       const struct ac_addr *addr)
{
	char text[AC_ADDR_TEXT];

	return ac_raisef(d, code, "%s %s", verb, ac_addr_format(addr, text, sizeof(text)));
}

int ac_bind(struct ac_dispatcher *d, const struct ac_addr *addr)
{
	int r;

	if (d->flags & AC_IS_CLOSING)
		return 0;
	AC_TRY(d, need_fd(d));
	r = ac_sys_bind_(d->fd, addr);
	return r < 0 ? raise_about(d, -r, "bind", addr) : 0;
}

int ac_listen(struct ac_dispatcher *d, int backlog)
{
	int r;

	if (d->flags & AC_IS_CLOSING)
		return 0;
	AC_TRY(d, need_fd(d));
	no_delay(d);
	r = ac_sys_listen_(d->fd, backlog > 0 ? backlog : SOMAXCONN);
	if (r < 0)
		return ac_raise(d, -r);
	d->flags |= AC_IS_ACCEPTING;
	r = ac_watch_(d);
	if (r < 0) {
		d->flags &= ~(uint32_t)AC_IS_ACCEPTING;
		return ac_raise(d, -r);
	}
	ac_update_(d);
	return 0;
}

/* Success is always reported later, by handle_connect, also where the kernel was at once ready. */
int ac_connect(struct ac_dispatcher *d, const struct ac_addr *addr)
{
	int r;

	if (d->flags & AC_IS_CLOSING)
		return 0;
	AC_TRY(d, need_fd(d));
	no_delay(d);
	r = ac_sys_connect_(d->fd, addr);
	if (r == 0 || r == -EINPROGRESS) {
		d->flags |= AC_IS_CONNECTING;
		ac_set_peer_(d, addr);
		r = ac_watch_(d);
	}
	if (r == -EAGAIN)
		r = -ECONNREFUSED; /* a Unix socket whose backlog is full: nothing will tell when it is not */
	if (r < 0) {
		ac_lose_fd_(d);
		return raise_about(d, -r, "connect", addr);
	}
	ac_update_(d);
	return 0;
}
