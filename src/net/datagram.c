/*
 * datagram.c — datagrams that come, and how a channel for them is opened.
 *
 * Design: a turn takes one batch. Its memory is the map's, lent for the turn: room for 32 of the longest
 * datagrams, of which only the pages that are used are ever touched. One batch at most is heard between two
 * turns of others; where it was full the channel is queued again.
 */
#include "datagram.h"

#include <errno.h>

bool ac_is_news_(int code)
{
	return code == ECONNREFUSED || code == EHOSTUNREACH || code == ENETUNREACH ||
	       code == ENOPROTOOPT || code == EPROTO || code == EHOSTDOWN || code == EMSGSIZE ||
	       code == EACCES;
}

static void tell(struct ac_datagram *g, const struct ac_parcel *p)
{
	struct ac_packet packet = { p->data, p->len, &p->addr, p->truncated };
	int r;

	g->received++;
	g->truncated += p->truncated;
	g->d.map->error.code = 0;
	r = ac_datagram_cls_(g)->handle_datagram(g, &packet);
	if (r < 0)
		ac_failed_(&g->d, r, "handle_datagram");
}

/* Fewer than there was room for: the kernel has no more, unless an error cut the batch short. */
static int receive(struct ac_datagram *g, struct ac_parcel *parcels)
{
	struct ac_dispatcher *d = &g->d;
	int n = ac_sys_recv_parcels_(d->fd, parcels, AC_BATCH);

	d->flags |= AC_HAS_READ;
	if (n == -EAGAIN || (n >= 0 && n < AC_BATCH && !(d->ready & (AC_ERR | AC_HUP))))
		d->ready &= (uint8_t)~AC_IN;
	if (n == -EAGAIN)
		return 0;
	if (n < 0 && ac_is_news_(-n)) {
		g->unsent++;
		return ac_datagram_cls_(g)->handle_unsent(g, -n, NULL);
	}
	if (n < 0)
		return ac_raise(d, -n);
	ac_moved_(d);
	for (int i = 0; i < n && !(d->flags & AC_IS_CLOSING); i++)
		tell(g, &parcels[i]);
	return 0;
}

static int handle_read(struct ac_dispatcher *d)
{
	size_t room = d->cls->in_buffer_size, size;
	struct ac_map *m = d->map;
	struct ac_parcel *parcels;
	int r;

	if (room > SIZE_MAX / 2 / AC_BATCH)
		return ac_raise(d, EINVAL);
	size = AC_BATCH * (sizeof(*parcels) + room);
	parcels = ac_batch_take_(m, &size);
	if (!parcels)
		return ac_raise(d, ENOMEM);
	for (size_t i = 0; i < AC_BATCH; i++) {
		parcels[i].data = (char *)(parcels + AC_BATCH) + i * room;
		parcels[i].size = room;
	}
	r = receive((struct ac_datagram *)d, parcels);
	ac_batch_give_(m, parcels, size);
	return r;
}

static int not_handled(struct ac_datagram *g, const struct ac_packet *p)
{
	(void)p;
	ac_log_info(&g->d, AC_LOG_WARNING, "unhandled datagram");
	return 0;
}

static int no_matter(struct ac_datagram *g, int code, const struct ac_addr *to)
{
	(void)g;
	(void)code;
	(void)to;
	return 0;
}

static int drained(struct ac_datagram *g)
{
	(void)g;
	return 0;
}

const struct ac_datagram_class ac_datagram_class = {
	.d = {
		.super = &ac_dispatcher_class,
		.name = "datagram",
		.size = sizeof(struct ac_datagram),
		.class_size = sizeof(struct ac_datagram_class),
		.flags = AC_OURS,
		.readable = ac_base_readable_,
		.writable = ac_datagram_writable_,
		.handle_read = handle_read,
		.handle_write = ac_datagram_write_,
		.handle_eof = ac_base_handle_eof_,
		.settle = ac_datagram_settle_,
		AC_BASE_METHODS_BUT_CLOSE,
		.handle_close = ac_datagram_close_,
	},
	.max_queued = 1024,
	.handle_datagram = not_handled,
	.handle_unsent = no_matter,
	.handle_drain = drained,
};

static int open_socket(struct ac_datagram *g, const char *address, struct ac_addr *ret_addr)
{
	if (!g)
		return -ENOMEM;
	AC_TRY(g, ac_parse_(&g->d, address, ret_addr));
	return ac_create_socket(&g->d, ret_addr->sa.sa_family, SOCK_DGRAM);
}

/* Members of a group share its port. */
static int bind_it(struct ac_dispatcher *d, const struct ac_addr *addr)
{
	if (ac_addr_is_group(addr))
		AC_TRY(d, ac_set_reuse_addr(d));
	return ac_bind_anew_(d, addr, SOCK_DGRAM);
}

int ac_datagram_serve(struct ac_datagram *g, const char *address)
{
	struct ac_addr addr;
	int r;

	r = open_socket(g, address, &addr);
	if (r < 0)
		return r;
	r = bind_it(&g->d, &addr);
	if (r < 0)
		ac_lose_fd_(&g->d);
	return r;
}

int ac_datagram_dial(struct ac_datagram *g, const char *address)
{
	struct ac_addr addr;
	int r;

	r = open_socket(g, address, &addr);
	if (r < 0)
		return r;
	if (addr.sa.sa_family == AF_UNIX)
		r = ac_sys_autobind_(g->d.fd);
	if (r == 0)
		return ac_connect(&g->d, &addr);
	ac_lose_fd_(&g->d);
	return ac_raise(g, -r);
}
