/*
 * sys_datagram.c — the system calls of datagrams, as in sys.c: each returns ≥ 0 or -errno.
 *
 * Design: batches by recvmmsg and sendmmsg, or one after the other where a system has not these. An error behind
 * the first of a batch is told by the next call.
 */
#include "base.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static void header(struct msghdr *msg, struct iovec *iov, struct ac_parcel *p, bool receives)
{
	*iov = (struct iovec){ p->data, receives ? p->size : p->len };
	memset(msg, 0, sizeof(*msg));
	msg->msg_iov = iov;
	msg->msg_iovlen = 1;
	msg->msg_name = receives || p->addr.len ? &p->addr.sa : NULL;
	msg->msg_namelen = receives ? sizeof(p->addr.un) : p->addr.len;
}

static void take(struct ac_parcel *p, const struct msghdr *msg, size_t len)
{
	p->len = len < p->size ? len : p->size;
	p->truncated = msg->msg_flags & MSG_TRUNC;
	p->addr.len = msg->msg_namelen < sizeof(p->addr.un) ? msg->msg_namelen : sizeof(p->addr.un);
}

#ifdef AC_HAS_MMSG
static void headers(struct mmsghdr *msgs, struct iovec *iov, struct ac_parcel *parcels,
                    unsigned count, bool receives)
{
	for (unsigned i = 0; i < count; i++) {
		header(&msgs[i].msg_hdr, &iov[i], &parcels[i], receives);
		msgs[i].msg_len = 0;
	}
}

int ac_sys_recv_parcels_(int fd, struct ac_parcel *parcels, unsigned count)
{
	struct mmsghdr msgs[AC_BATCH];
	struct iovec iov[AC_BATCH];
	int n;

	headers(msgs, iov, parcels, count, true);
	do
		n = recvmmsg(fd, msgs, count, MSG_DONTWAIT, NULL);
	while (n < 0 && errno == EINTR);
	for (int i = 0; i < n; i++)
		take(&parcels[i], &msgs[i].msg_hdr, msgs[i].msg_len);
	return n < 0 ? -errno : n;
}

int ac_sys_send_parcels_(int fd, struct ac_parcel *parcels, unsigned count)
{
	struct mmsghdr msgs[AC_BATCH];
	struct iovec iov[AC_BATCH];
	int n;

	headers(msgs, iov, parcels, count, false);
	do
		n = sendmmsg(fd, msgs, count, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}
#else
static ssize_t recv_one(int fd, struct ac_parcel *p)
{
	struct msghdr msg;
	struct iovec iov;
	ssize_t n;

	header(&msg, &iov, p, true);
	do
		n = recvmsg(fd, &msg, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	take(p, &msg, (size_t)n);
	return 0;
}

static ssize_t send_one(int fd, struct ac_parcel *p)
{
	struct msghdr msg;
	struct iovec iov;
	ssize_t n;

	header(&msg, &iov, p, false);
	do
		n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* An error of a receiving socket is taken by the call that tells it: no more is asked for behind it. */
static int each(int fd, struct ac_parcel *parcels, unsigned count,
                ssize_t (*one)(int fd, struct ac_parcel *p))
{
	ssize_t r = 0;
	unsigned n = 0;

	while (n < count && (r = one(fd, &parcels[n])) == 0)
		n++;
	return n ? (int)n : (int)r;
}

int ac_sys_recv_parcels_(int fd, struct ac_parcel *parcels, unsigned count)
{
	return each(fd, parcels, count, recv_one);
}

int ac_sys_send_parcels_(int fd, struct ac_parcel *parcels, unsigned count)
{
	return each(fd, parcels, count, send_one);
}
#endif

/* A name of no length at all: the kernel finds one in the abstract space. */
int ac_sys_autobind_(int fd)
{
	const struct sockaddr_un none = { .sun_family = AF_UNIX };

	return bind(fd, (const struct sockaddr *)(const void *)&none, sizeof(none.sun_family)) < 0
	               ? -errno
	               : 0;
}

static int level_of(const struct ac_addr *addr)
{
	return addr->sa.sa_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
}

int ac_sys_interface_(const char *name, unsigned *ret_index)
{
	unsigned index = name ? if_nametoindex(name) : 0;

	if (name && index == 0)
		return -ENODEV;
	*ret_index = index;
	return 0;
}

int ac_sys_member_(int fd, bool joins, const struct ac_addr *group, unsigned interface_index)
{
	struct group_req r = { .gr_interface = interface_index };

	memcpy(&r.gr_group, &group->sa, group->len);
	return setsockopt(fd, level_of(group), joins ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP, &r,
	                  sizeof(r)) < 0
	               ? -errno
	               : 0;
}

int ac_sys_source_member_(int fd, bool joins, const struct ac_addr *group,
                          const struct ac_addr *source, unsigned interface_index)
{
	struct group_source_req r = { .gsr_interface = interface_index };

	memcpy(&r.gsr_group, &group->sa, group->len);
	memcpy(&r.gsr_source, &source->sa, source->len);
	return setsockopt(fd, level_of(group),
	                  joins ? MCAST_JOIN_SOURCE_GROUP : MCAST_LEAVE_SOURCE_GROUP, &r,
	                  sizeof(r)) < 0
	               ? -errno
	               : 0;
}

int ac_sys_multicast_interface_(int fd, unsigned interface_index)
{
	struct ip_mreqn r = { .imr_ifindex = (int)interface_index };

	return setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &r, sizeof(r)) < 0 ? -errno : 0;
}
