/* serve.c — the short form of listening: an address as text, and the calls that belong to it. */
#include "dispatcher.h"

#include <errno.h>

int ac_parse_(struct ac_dispatcher *d, const char *address, struct ac_addr *ret_addr)
{
	if (ac_addr_parse(address, ret_addr) < 0)
		return ac_raisef(d, EINVAL, "\"%.80s\" is no address", address ? address : "");
	return 0;
}

/* Whether nobody has that Unix socket any more. */
static bool is_stale(const struct ac_addr *addr, int type)
{
	int r, fd;

	if (addr->sa.sa_family != AF_UNIX || !addr->un.sun_path[0])
		return false;
	fd = ac_sys_socket_(AF_UNIX, type);
	if (fd < 0)
		return false;
	r = ac_sys_connect_(fd, addr);
	ac_sys_close_(fd);
	return r == -ECONNREFUSED;
}

int ac_bind_anew_(struct ac_dispatcher *d, const struct ac_addr *addr, int type)
{
	int r = ac_bind(d, addr);

	if (r != -EADDRINUSE || !is_stale(addr, type))
		return r;
	AC_TRY(d, ac_sys_unlink_(addr->un.sun_path));
	return ac_bind(d, addr);
}

static int open_listener(struct ac_dispatcher *d, const struct ac_addr *addr)
{
	if (addr->sa.sa_family != AF_UNIX)
		AC_TRY(d, ac_set_reuse_addr(d));
	AC_TRY(d, ac_bind_anew_(d, addr, SOCK_STREAM));
	return ac_listen(d, 0);
}

int ac_serve(struct ac_dispatcher *d, const char *address)
{
	struct ac_addr addr;
	int r;

	if (!d)
		return -ENOMEM;
	AC_TRY(d, ac_parse_(d, address, &addr));
	AC_TRY(d, ac_create_socket(d, addr.sa.sa_family, SOCK_STREAM));
	r = open_listener(d, &addr);
	if (r < 0)
		ac_lose_fd_(d);
	return r;
}
