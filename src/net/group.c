/* group.c — membership in multicast groups, by the calls that IPv4 and IPv6 share. */
#include "datagram.h"

#include <errno.h>

bool ac_addr_is_group(const struct ac_addr *addr)
{
	if (addr->len && addr->sa.sa_family == AF_INET)
		return IN_MULTICAST(ntohl(addr->in.sin_addr.s_addr));
	return addr->len && addr->sa.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_MULTICAST(&addr->in6.sin6_addr);
}

/* Linux hands a socket what any other on the machine has joined, unless it is told not to. */
static void hear_own_groups_only(struct ac_dispatcher *d)
{
#ifdef IP_MULTICAST_ALL
	if (d->family == AF_INET)
		ac_sys_setopt_(d->fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
#endif
#ifdef IPV6_MULTICAST_ALL
	if (d->family == AF_INET6)
		ac_sys_setopt_(d->fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
#endif
}

static int change(struct ac_dispatcher *d, bool joins, const struct ac_addr *group,
                  const char *interface_name, const struct ac_addr *source)
{
	unsigned index;
	int r;

	if (d->flags & AC_IS_CLOSING)
		return 0;
	if (!ac_addr_is_group(group) || group->sa.sa_family != d->family ||
	    (source && source->sa.sa_family != d->family))
		return ac_raise(d, EINVAL);
	hear_own_groups_only(d);
	r = ac_sys_interface_(interface_name, &index);
	if (r == 0 && source)
		r = ac_sys_source_member_(d->fd, joins, group, source, index);
	else if (r == 0)
		r = ac_sys_member_(d->fd, joins, group, index);
	return r < 0 ? ac_raise(d, -r) : 0;
}

int ac_join_group(struct ac_dispatcher *d, const struct ac_addr *group, const char *interface_name,
                  const struct ac_addr *source)
{
	return change(d, true, group, interface_name, source);
}

int ac_leave_group(struct ac_dispatcher *d, const struct ac_addr *group, const char *interface_name,
                   const struct ac_addr *source)
{
	return change(d, false, group, interface_name, source);
}

static int set_v4(int fd, unsigned index, int hops, bool loop)
{
	int r = ac_sys_multicast_interface_(fd, index);

	if (r == 0)
		r = ac_sys_setopt_(fd, IPPROTO_IP, IP_MULTICAST_TTL, hops);
	return r < 0 ? r : ac_sys_setopt_(fd, IPPROTO_IP, IP_MULTICAST_LOOP, loop);
}

static int set_v6(int fd, unsigned index, int hops, bool loop)
{
	int r = ac_sys_setopt_(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)index);

	if (r == 0)
		r = ac_sys_setopt_(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hops);
	return r < 0 ? r : ac_sys_setopt_(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, loop);
}

int ac_set_multicast(struct ac_dispatcher *d, const char *interface_name, int hops, bool loop)
{
	unsigned index;
	int r;

	if (d->flags & AC_IS_CLOSING)
		return 0;
	if ((d->family != AF_INET && d->family != AF_INET6) || hops < 0 || hops > 255)
		return ac_raise(d, EINVAL);
	r = ac_sys_interface_(interface_name, &index);
	if (r == 0)
		r = d->family == AF_INET ? set_v4(d->fd, index, hops, loop)
		                         : set_v6(d->fd, index, hops, loop);
	return r < 0 ? ac_raise(d, -r) : 0;
}
