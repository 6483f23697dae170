/* state.c — what a channel is and whom it talks to, for programs and for people. */
#include "dispatcher.h"

#include <errno.h>
#include <string.h>

bool ac_connected(const struct ac_dispatcher *d)
{
	return d->flags & AC_IS_CONNECTED && !(d->flags & AC_IS_CLOSING);
}

bool ac_accepting(const struct ac_dispatcher *d)
{
	return d->flags & AC_IS_ACCEPTING && !(d->flags & AC_IS_CLOSING);
}

bool ac_connecting(const struct ac_dispatcher *d)
{
	return d->flags & AC_IS_CONNECTING && !(d->flags & AC_IS_CLOSING);
}

bool ac_closing(const struct ac_dispatcher *d)
{
	return d->flags & (AC_IS_CLOSING | AC_IS_DOOMED);
}

void ac_set_debug(struct ac_dispatcher *d, bool on)
{
	d->flags = on ? d->flags | AC_IS_DEBUGGED : d->flags & ~(uint32_t)AC_IS_DEBUGGED;
}

/* A Unix peer mostly has no name; where it has, `port` is the length of the copy. */
static void set_unix_peer(struct ac_dispatcher *d, const struct ac_addr *addr)
{
	size_t head = offsetof(struct sockaddr_un, sun_path);
	size_t len = addr->len > head ? addr->len - head : 0;

	d->peer.path = len ? ac_realloc_(NULL, len) : NULL;
	if (!d->peer.path)
		return;
	memcpy(d->peer.path, addr->un.sun_path, len);
	d->port = (uint16_t)len;
	d->flags |= AC_IS_UNIX;
}

void ac_set_peer_(struct ac_dispatcher *d, const struct ac_addr *addr)
{
	if (d->flags & AC_IS_UNIX)
		ac_free_(d->peer.path);
	d->flags &= ~(uint32_t)AC_IS_UNIX;
	memset(&d->peer, 0, sizeof(d->peer));
	d->port = 0;
	d->family = (uint8_t)addr->sa.sa_family;
	if (d->family == AF_INET) {
		memcpy(d->peer.ip, &addr->in.sin_addr, sizeof(addr->in.sin_addr));
		d->port = addr->in.sin_port;
	} else if (d->family == AF_INET6) {
		memcpy(d->peer.ip, &addr->in6.sin6_addr, sizeof(addr->in6.sin6_addr));
		d->port = addr->in6.sin6_port;
		d->scope = addr->in6.sin6_scope_id;
	} else if (d->family == AF_UNIX) {
		set_unix_peer(d, addr);
	}
}

static void unpack_peer(const struct ac_dispatcher *d, struct ac_addr *a)
{
	memset(a, 0, sizeof(*a));
	a->sa.sa_family = d->family;
	if (d->family == AF_INET) {
		memcpy(&a->in.sin_addr, d->peer.ip, sizeof(a->in.sin_addr));
		a->in.sin_port = d->port;
		a->len = sizeof(a->in);
	} else if (d->family == AF_INET6) {
		memcpy(&a->in6.sin6_addr, d->peer.ip, sizeof(a->in6.sin6_addr));
		a->in6.sin6_port = d->port;
		a->in6.sin6_scope_id = d->scope;
		a->len = sizeof(a->in6);
	} else {
		size_t len = d->flags & AC_IS_UNIX ? d->port : 0;

		if (len)
			memcpy(a->un.sun_path, d->peer.path, len);
		a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	}
}

static bool has_peer(const struct ac_dispatcher *d)
{
	return d->port || (d->flags & (AC_IS_UNIX | AC_IS_CONNECTED | AC_IS_CONNECTING));
}

int ac_addr(const struct ac_dispatcher *d, struct ac_addr *ret_addr)
{
	if (d->family && has_peer(d)) {
		unpack_peer(d, ret_addr);
		return 0;
	}
	return ac_local_addr(d, ret_addr);
}

int ac_local_addr(const struct ac_dispatcher *d, struct ac_addr *ret_addr)
{
	struct ac_addr addr;
	int r = d->fd < 0 ? -ENOTCONN : ac_sys_sockname_(d->fd, &addr);

	if (r == 0)
		*ret_addr = addr;
	return r;
}

static const char *state(const struct ac_dispatcher *d)
{
	if (d->flags & AC_IS_CLOSING)
		return "closed";
	if (d->flags & AC_IS_ACCEPTING)
		return "listening";
	if (d->flags & AC_IS_CONNECTING)
		return "connecting";
	return d->flags & AC_IS_CONNECTED ? "connected" : d->fd >= 0 ? "open" : "new";
}

const char *ac_repr(const struct ac_dispatcher *d, char *text, size_t size)
{
	char where[AC_ADDR_TEXT] = "";
	struct ac_addr addr;

	if (size == 0)
		return text;
	if (d->family && ac_addr(d, &addr) == 0)
		ac_addr_format(&addr, where, sizeof(where));
	snprintf(text, size, "<%s %s%s%s at %p>", d->cls->name, state(d), where[0] ? " " : "",
	         where, (const void *)d);
	return text;
}
