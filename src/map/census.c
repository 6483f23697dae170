/*
 * census.c — how many accepted connections a map has, in all and from each address.
 *
 * Design: the sum is a number that is always kept. The table of addresses is made when a listener first asks
 * for it, out of the channels there are, and dropped where memory for it runs out, to be made anew. A hash
 * table with a random seed: peers choose their addresses, but not where they meet.
 * Invariants:
 *  - m->admitted == number of channels that are ADMITTED.
 *  - with a table, the counts in it add up to the number of those that have an address.
 *  - a place with count 0 is free; at most half of them are taken; used == the number of those.
 */
#include "map.h"

#include <string.h>

struct resident {
	uint64_t bits;
	uint32_t count;
	uint32_t kind; /* how many bits of what address they are */
};

struct ac_census {
	uint64_t seed[2];
	size_t cap, used; /* cap is a power of two */
	struct resident at[];
};

enum kind { NONE, IPV4, IPV6_NETWORK, IPV6_LINK };

/* One site has a network of 2^64 addresses, and a link has only one network. */
static struct resident read_ip6(const uint8_t ip[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct resident r = { .kind = IPV6_NETWORK };

	if (memcmp(ip, mapped, sizeof(mapped)) == 0) {
		r.kind = IPV4;
		memcpy(&r.bits, ip + 12, 4);
	} else if (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80) {
		r.kind = IPV6_LINK;
		memcpy(&r.bits, ip + 8, 8);
	} else {
		memcpy(&r.bits, ip, 8);
	}
	return r;
}

static struct resident read_addr(const struct ac_addr *a)
{
	struct resident r = { .kind = NONE };

	if (a->len && a->sa.sa_family == AF_INET) {
		r.kind = IPV4;
		memcpy(&r.bits, &a->in.sin_addr, 4);
	} else if (a->len && a->sa.sa_family == AF_INET6) {
		r = read_ip6(a->in6.sin6_addr.s6_addr);
	}
	return r;
}

static struct resident read_peer(const struct ac_dispatcher *d)
{
	struct resident r = { .kind = NONE };

	if (d->family == AF_INET) {
		r.kind = IPV4;
		memcpy(&r.bits, d->peer.ip, 4);
	} else if (d->family == AF_INET6) {
		r = read_ip6(d->peer.ip);
	}
	return r;
}

static size_t home(const struct ac_census *c, const struct resident *r)
{
	uint64_t h = (r->bits ^ c->seed[0] ^ r->kind) * c->seed[1];

	h = (h ^ h >> 32) * c->seed[1];
	return (size_t)(h >> 32) & (c->cap - 1);
}

/* Where it is, or where it would be put. */
static size_t find(const struct ac_census *c, const struct resident *r)
{
	size_t i = home(c, r);

	while (c->at[i].count && (c->at[i].bits != r->bits || c->at[i].kind != r->kind))
		i = (i + 1) & (c->cap - 1);
	return i;
}

static struct ac_census *census_new(size_t cap)
{
	struct ac_census *c = ac_alloc_(sizeof(*c) + cap * sizeof(c->at[0]));

	if (!c)
		return NULL;
	c->cap = cap;
	if (ac_sys_random_(c->seed, sizeof(c->seed)) < 0) { /* better than nothing */
		c->seed[0] = (uint64_t)ac_clock_();
		c->seed[1] = (uint64_t)(uintptr_t)c;
	}
	c->seed[1] |= 1;
	return c;
}

static struct ac_census *grown(struct ac_census *old)
{
	struct ac_census *c = census_new(old->cap * 2);

	for (size_t i = 0; c && i < old->cap; i++)
		if (old->at[i].count)
			c->at[find(c, &old->at[i])] = old->at[i];
	if (c)
		c->used = old->used;
	ac_free_(old);
	return c;
}

static void enrol(struct ac_map *m, const struct ac_dispatcher *d)
{
	struct ac_census *c = m->census;
	struct resident r = read_peer(d);
	size_t i;

	if (!c || r.kind == NONE)
		return;
	if ((c->used + 1) * 2 > c->cap && !(m->census = c = grown(c)))
		return;
	i = find(c, &r);
	r.count = c->at[i].count + 1;
	c->used += r.count == 1;
	c->at[i] = r;
}

/* Those behind a place that has become free move up, unless they are at home between it and where they are. */
static void close_gap(struct ac_census *c, size_t gap)
{
	const size_t mask = c->cap - 1;

	for (size_t i = (gap + 1) & mask; c->at[i].count; i = (i + 1) & mask) {
		if (((i - home(c, &c->at[i])) & mask) < ((i - gap) & mask))
			continue;
		c->at[gap] = c->at[i];
		gap = i;
	}
	c->at[gap].count = 0;
	c->used--;
}

static void strike(struct ac_map *m, const struct ac_dispatcher *d)
{
	struct ac_census *c = m->census;
	struct resident r = read_peer(d);
	size_t i;

	if (!c || r.kind == NONE)
		return;
	i = find(c, &r);
	if (c->at[i].count == 1)
		close_gap(c, i);
	else if (c->at[i].count)
		c->at[i].count--;
}

void ac_admit_(struct ac_dispatcher *d)
{
	d->flags |= AC_IS_ADMITTED;
	d->map->admitted++;
	enrol(d->map, d);
}

static void relax(struct ac_map *m)
{
	m->stressed = false;
	if (m->stress_said)
		ac_map_log(m, AC_LOG_INFO, "stress is over: %zu connections", m->admitted);
}

void ac_discharge_(struct ac_dispatcher *d)
{
	if (!(d->flags & AC_IS_ADMITTED))
		return;
	d->flags &= ~AC_IS_ADMITTED;
	d->map->admitted--;
	strike(d->map, d);
	if (d->map->stressed && d->map->admitted <= d->map->stress_ends)
		relax(d->map);
}

static bool take_census(struct ac_map *m)
{
	m->census = census_new(64);
	for (size_t i = 0; m->census && i < m->slot_used; i++)
		if (m->slots[i].d && (m->slots[i].d->flags & AC_IS_ADMITTED))
			enrol(m, m->slots[i].d);
	return m->census != NULL;
}

size_t ac_admitted_from_(struct ac_map *m, const struct ac_addr *peer)
{
	struct resident r = read_addr(peer);

	if (r.kind == NONE)
		return 0;
	if (!m->census && !take_census(m))
		return SIZE_MAX; /* who cannot be counted is one too many */
	return m->census->at[find(m->census, &r)].count;
}

size_t ac_census_memory_(const struct ac_map *m)
{
	const struct ac_census *c = m->census;

	return c ? sizeof(*c) + c->cap * sizeof(c->at[0]) : 0;
}

size_t ac_map_connections(const struct ac_map *map)
{
	const struct ac_map *m = ac_map_of_((struct ac_map *)map);

	return m ? m->admitted : 0;
}
