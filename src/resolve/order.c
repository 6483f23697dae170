/*
 * order.c — in which order addresses are tried.
 *
 * Design: RFC 6724, section 6, rules 1, 2, 5, 6, 8 and, for IPv6, 9; then the families in turn, as RFC 8305 says.
 * The source that the kernel would take is asked for with a UDP socket that sends nothing.
 */
#include "resolver.h"

#include <string.h>

#define SCOPE_LINK 2
#define SCOPE_SITE 5
#define SCOPE_GLOBAL 14

struct key {
	struct ac_addr addr;
	bool usable, same_scope, same_label;
	int precedence, scope;
	unsigned prefix;
};

struct policy {
	struct in6_addr prefix;
	unsigned bits;
	int precedence, label;
};

/* RFC 6724, section 2.1; the longest prefix first. */
static const struct policy policies[] = {
	{ { { { [15] = 1 } } }, 128, 50, 0 },  { { { { [10] = 0xff, [11] = 0xff } } }, 96, 35, 4 },
	{ { { { 0 } } }, 96, 1, 3 },           { { { { 0x20, 0x01 } } }, 32, 5, 5 },
	{ { { { 0x20, 0x02 } } }, 16, 30, 2 }, { { { { 0x3f, 0xfe } } }, 16, 1, 12 },
	{ { { { 0xfe, 0xc0 } } }, 10, 1, 11 }, { { { { 0xfc } } }, 7, 3, 13 },
	{ { { { 0 } } }, 0, 40, 1 },
};

static unsigned common_bits(const struct in6_addr *a, const struct in6_addr *b)
{
	unsigned n = 0;

	while (n < 128 && !((a->s6_addr[n / 8] ^ b->s6_addr[n / 8]) >> (7 - n % 8) & 1))
		n++;
	return n;
}

/* An IPv4 address as the one that is mapped to it. */
static struct in6_addr as_ipv6(const struct ac_addr *a)
{
	struct in6_addr mapped = { { { [10] = 0xff, [11] = 0xff } } };

	if (a->sa.sa_family == AF_INET6)
		return a->in6.sin6_addr;
	memcpy(&mapped.s6_addr[12], &a->in.sin_addr, 4);
	return mapped;
}

static const struct policy *policy_of(const struct in6_addr *a)
{
	const struct policy *p = policies;

	while (common_bits(&p->prefix, a) < p->bits)
		p++;
	return p;
}

static int scope_of(const struct in6_addr *a)
{
	const uint8_t *b = a->s6_addr;

	if (IN6_IS_ADDR_V4MAPPED(a))
		return b[12] == 127 || (b[12] == 169 && b[13] == 254) ? SCOPE_LINK : SCOPE_GLOBAL;
	if (IN6_IS_ADDR_MULTICAST(a))
		return b[1] & 15;
	if (IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_LINKLOCAL(a))
		return SCOPE_LINK;
	return IN6_IS_ADDR_SITELOCAL(a) ? SCOPE_SITE : SCOPE_GLOBAL;
}

static bool find_source(const struct ac_addr *to, struct ac_addr *ret_source)
{
	int fd = ac_sys_socket_(to->sa.sa_family, SOCK_DGRAM), r;

	if (fd < 0)
		return false;
	r = ac_sys_connect_(fd, to);
	if (r == 0)
		r = ac_sys_sockname_(fd, ret_source);
	ac_sys_close_(fd);
	return r == 0;
}

static void key_of(const struct ac_addr *addr, struct key *k)
{
	struct in6_addr to = as_ipv6(addr), from;
	const struct policy *p = policy_of(&to);
	struct ac_addr source;

	*k = (struct key){ .addr = *addr, .precedence = p->precedence, .scope = scope_of(&to) };
	k->usable = find_source(addr, &source);
	if (!k->usable)
		return;
	from = as_ipv6(&source);
	k->same_scope = scope_of(&from) == k->scope;
	k->same_label = policy_of(&from)->label == p->label;
	k->prefix = addr->sa.sa_family == AF_INET6 ? common_bits(&to, &from) : 0;
}

static bool goes_before(const struct key *a, const struct key *b)
{
	if (a->usable != b->usable)
		return a->usable;
	if (a->same_scope != b->same_scope)
		return a->same_scope;
	if (a->same_label != b->same_label)
		return a->same_label;
	if (a->precedence != b->precedence)
		return a->precedence > b->precedence;
	if (a->scope != b->scope)
		return a->scope < b->scope;
	return a->addr.sa.sa_family == b->addr.sa.sa_family && a->prefix > b->prefix;
}

/* By insertion: what is equal keeps the order in which it came. */
static void sort(struct key *keys, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct key k = keys[i];
		size_t at = i;

		for (; at > 0 && goes_before(&k, &keys[at - 1]); at--)
			keys[at] = keys[at - 1];
		keys[at] = k;
	}
}

/* The first of that family at or behind `at`. */
static size_t next_of(const struct key *keys, size_t count, size_t at, int family)
{
	while (at < count && keys[at].addr.sa.sa_family != family)
		at++;
	return at;
}

static int other(int family)
{
	return family == AF_INET6 ? AF_INET : AF_INET6;
}

void ac_order_(struct ac_addr *addrs, size_t count, int before)
{
	struct key keys[AC_ADDRS_MAX];
	size_t next[2] = { 0, 0 };
	int family;

	if (count < 2 || count > AC_ADDRS_MAX)
		return;
	for (size_t i = 0; i < count; i++)
		key_of(&addrs[i], &keys[i]);
	sort(keys, count);
	family = before ? other(before) : keys[0].addr.sa.sa_family;
	for (size_t i = 0; i < count; i++, family = other(family)) {
		size_t *at = &next[family == AF_INET6];

		*at = next_of(keys, count, *at, family);
		if (*at == count) { /* the other family's are all that is left */
			family = other(family);
			at = &next[family == AF_INET6];
			*at = next_of(keys, count, *at, family);
		}
		addrs[i] = keys[(*at)++].addr;
	}
}
