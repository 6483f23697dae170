/*
 * lookup.c — one name on its way to its addresses.
 *
 *	start ─▶ given, or in the hosts file? ─no─▶ asked of the backend, for IPv6 and IPv4
 *	               │ yes                              │ each answer
 *	               └──────────▶ news, by a task ◀─────┘          … ─▶ stop
 */
#include "resolver.h"

#include <errno.h>
#include <string.h>

static int say(void *arg)
{
	struct ac_lookup *l = arg;

	return l->tell(l);
}

static bool has(const struct ac_lookup *l, const struct ac_addr *addr)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->addrs[i].len == addr->len &&
		    memcmp(&l->addrs[i].sa, &addr->sa, addr->len) == 0)
			return true;
	return false;
}

static bool make_room(struct ac_lookup *l)
{
	struct ac_addr *addrs;

	if (l->count == AC_ADDRS_MAX)
		return false;
	if (l->count & (l->count - 1)) /* it doubles at each power of two */
		return true;
	addrs = ac_realloc_(l->addrs, (l->count ? 2 * l->count : 1) * sizeof(*addrs));
	if (!addrs) {
		l->error = ENOMEM;
		return false;
	}
	l->addrs = addrs;
	return true;
}

void ac_lookup_add_(struct ac_lookup *l, const struct sockaddr *sa)
{
	struct ac_addr addr;

	memset(&addr, 0, sizeof(addr));
	if (sa->sa_family == AF_INET) {
		addr.len = sizeof(addr.in);
		memcpy(&addr.in, sa, sizeof(addr.in));
		memset(addr.in.sin_zero, 0, sizeof(addr.in.sin_zero));
		addr.in.sin_port = htons(l->port);
	} else if (sa->sa_family == AF_INET6) {
		addr.len = sizeof(addr.in6);
		memcpy(&addr.in6, sa, sizeof(addr.in6));
		addr.in6.sin6_port = htons(l->port);
	}
	if (addr.len && !has(l, &addr) && make_room(l))
		l->addrs[l->count++] = addr;
}

/* That one family does not know the name says less than any other failure. */
void ac_lookup_answered_(struct ac_lookup *l, unsigned whose, int error)
{
	l->missing &= ~whose;
	if (error && (l->error == 0 || l->error == ENXIO))
		l->error = error;
	if (!ac_task_pending(&l->news))
		ac_in_(&l->news, l->r->map, 0, say, l);
}

static int begin(struct ac_lookup *l, const char *address, const char **ret_why)
{
	struct ac_addr addr;

	if (ac_addr_parse(address, &addr) == 0) {
		l->addrs = ac_realloc_(NULL, sizeof(addr));
		if (!l->addrs)
			return -ENOMEM;
		l->addrs[l->count++] = addr;
		return 0;
	}
	if (ac_name_split_(address, l->host, &l->port, ret_why) < 0)
		return -EINVAL;
	ac_fixed_find_(l);
	if (l->count == 0)
		ac_hosts_find_(l);
	if (l->error || l->count)
		return -l->error;
	l->missing = AC_ASKED_BOTH;
	return ac_backend_ask_(l);
}

static const char too_many[] = "too many names are being looked up";

int ac_lookup_start_(struct ac_lookup *l, struct ac_resolver *r, const char *address,
                     const char **ret_why)
{
	int code;

	*ret_why = NULL;
	if (r->halted || r->map->doomed)
		return -ECANCELED;
	if (r->running >= r->most) {
		*ret_why = too_many;
		return -ENOBUFS;
	}
	l->r = r;
	r->running++;
	r->map->live++;
	code = begin(l, address, ret_why);
	if (code == -ENOBUFS)
		*ret_why = too_many;
	if (code < 0)
		ac_lookup_stop_(l);
	else if (!l->missing)
		ac_lookup_answered_(l, 0, 0);
	return code;
}

void ac_lookup_stop_(struct ac_lookup *l)
{
	struct ac_resolver *r = l->r;

	if (!r)
		return;
	l->r = NULL;
	r->running--;
	r->map->live--;
	ac_task_cancel(&l->news);
	ac_backend_forget_(r, l);
	ac_free_(l->addrs);
	l->addrs = NULL;
	l->count = 0;
}
