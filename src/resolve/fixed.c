/* fixed.c — addresses that the program gave for a name and port: "HOST:PORT:ADDR,ADDR". */
#include "resolver.h"

#include <errno.h>
#include <string.h>

/* At the end, so that they are found in the order in which they were given. */
static int append(struct ac_resolver *r, const char *host, const struct ac_addr *addr)
{
	size_t size = strlen(host) + 1;
	struct ac_fixed *f = ac_alloc_(sizeof(*f) + size), **link = &r->fixed;

	if (!f)
		return -ENOMEM;
	memcpy(f->host, host, size);
	f->addr = *addr;
	while (*link)
		link = &(*link)->next;
	*link = f;
	return 0;
}

int ac_fixed_add_(struct ac_resolver *r, const char *text, const char **ret_why)
{
	const char *colon = strchr(text, ':'), *end = colon ? strchr(colon + 1, ':') : NULL;
	char name[AC_NAME_MAX + 8], host[AC_NAME_MAX + 1];
	struct ac_addr addr;
	uint16_t port;
	int code = 0;

	*ret_why = "a given address is HOST:PORT:ADDR";
	if (!end || (size_t)(end - text) >= sizeof(name))
		return -EINVAL;
	memcpy(name, text, (size_t)(end - text));
	name[end - text] = '\0';
	*ret_why = "an address is given for what is one already, and never looked up";
	if (ac_addr_parse(name, &addr) == 0)
		return -EINVAL;
	if (ac_name_split_(name, host, &port, ret_why) < 0)
		return -EINVAL;
	*ret_why = "a given address is HOST:PORT:ADDR, ADDR a number";
	while (code == 0 && *end) {
		size_t len = strcspn(++end, ",");

		code = ac_name_addr_(end, len, port, &addr);
		if (code == 0)
			code = append(r, host, &addr);
		end += len;
	}
	return code;
}

void ac_fixed_free_(struct ac_resolver *r)
{
	while (r->fixed) {
		struct ac_fixed *next = r->fixed->next;

		ac_free_(r->fixed);
		r->fixed = next;
	}
}

static uint16_t port_of(const struct ac_addr *a)
{
	return ntohs(a->sa.sa_family == AF_INET6 ? a->in6.sin6_port : a->in.sin_port);
}

void ac_fixed_find_(struct ac_lookup *l)
{
	for (const struct ac_fixed *f = l->r->fixed; f; f = f->next)
		if (port_of(&f->addr) == l->port && ac_name_same_(f->host, l->host))
			ac_lookup_add_(l, &f->addr.sa);
}
