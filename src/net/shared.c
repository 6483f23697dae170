/* shared.c — listeners of several maps on one port: the kernel gives each connection to one of them. */
#include "net.h"

#include <errno.h>

int ac_set_reuse_port(struct ac_dispatcher *d)
{
	int r;

	if (d->flags & AC_IS_CLOSING)
		return 0;
	r = d->fd < 0 ? -EBADF : ac_sys_setopt_(d->fd, SOL_SOCKET, SO_REUSEPORT, 1);
	return r < 0 ? ac_raise(d, -r) : 0;
}

static int listen_at(struct ac_dispatcher *d, const struct ac_addr *addr)
{
	AC_TRY(d, ac_set_reuse_addr(d));
	AC_TRY(d, ac_set_reuse_port(d));
	AC_TRY(d, ac_bind(d, addr));
	return ac_listen(d, 0);
}

static int bind_alone(struct ac_dispatcher *d, const struct ac_addr *addr)
{
	AC_TRY(d, ac_set_reuse_addr(d));
	return ac_bind(d, addr);
}

static int with_socket(struct ac_dispatcher *d, const struct ac_addr *addr, bool ask)
{
	int r;

	AC_TRY(d, ac_create_socket(d, addr->sa.sa_family, SOCK_STREAM));
	r = ask ? bind_alone(d, addr) : listen_at(d, addr);
	if (r < 0 || ask)
		ac_lose_fd_(d);
	return r;
}

static int parse(struct ac_dispatcher *d, const char *address, struct ac_addr *ret_addr)
{
	AC_TRY(d, ac_parse_(d, address, ret_addr));
	if (ret_addr->sa.sa_family == AF_UNIX)
		return ac_raisef(d, EOPNOTSUPP, "%.80s cannot be shared", address);
	return 0;
}

int ac_serve_shared(struct ac_dispatcher *d, const char *address, struct ac_addr *bound)
{
	struct ac_addr addr;

	if (!d)
		return -ENOMEM;
	if (bound->len)
		return with_socket(d, bound, false);
	AC_TRY(d, parse(d, address, &addr));
	/* Whoever shares a port is not told that somebody else has it: the first asks without sharing. */
	AC_TRY(d, with_socket(d, &addr, true));
	AC_TRY(d, with_socket(d, &addr, false));
	return ac_local_addr(d, bound);
}
