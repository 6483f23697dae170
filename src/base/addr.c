/*
 * addr.c — addresses of IPv4, IPv6 and Unix sockets as text and back.
 *
 * Design: numeric forms and localhost only; a port is 1–5 digits and at most 65535, nothing may stand
 * before or behind. Names belong to the resolver.
 */
#include "base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int ac_parse_port_(const char *text, uint16_t *ret_port)
{
	unsigned long port = 0;
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 5 || text[digits])
		return -EINVAL;
	port = strtoul(text, NULL, 10);
	if (port > 65535)
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

/* "unix:/path", which ends with NUL, or in the abstract name space "unix:@name": NUL in place of the @. */
static int parse_unix(const char *path, struct ac_addr *a)
{
	bool abstract = path[0] == '@';
	size_t len = strlen(path), nul = abstract ? 0 : 1;

	if (len == 0 || (abstract && len == 1) || len + nul > sizeof(a->un.sun_path))
		return -EINVAL;
	a->un.sun_family = AF_UNIX;
	memcpy(a->un.sun_path, path, len);
	a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + nul);
	if (abstract)
		a->un.sun_path[0] = '\0';
	return 0;
}

static int parse_ipv6(const char *host, struct ac_addr *a)
{
	char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 1], *zone;

	if (strlen(host) >= sizeof(text))
		return -EINVAL;
	strcpy(text, host);
	zone = strchr(text, '%');
	if (zone) {
		*zone++ = '\0';
		a->in6.sin6_scope_id = if_nametoindex(zone);
		if (a->in6.sin6_scope_id == 0)
			return -EINVAL;
	}
	a->in6.sin6_family = AF_INET6;
	a->len = sizeof(a->in6);
	return inet_pton(AF_INET6, text, &a->in6.sin6_addr) == 1 ? 0 : -EINVAL;
}

static int parse_ipv4(const char *host, struct ac_addr *a)
{
	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	else if (strcmp(host, "*") == 0)
		host = "0.0.0.0";
	a->in.sin_family = AF_INET;
	a->len = sizeof(a->in);
	return inet_pton(AF_INET, host, &a->in.sin_addr) == 1 ? 0 : -EINVAL;
}

int ac_addr_parse(const char *text, struct ac_addr *ret_addr)
{
	struct ac_addr a;
	const char *colon, *start = text;
	char host[80];
	size_t len;
	uint16_t port;
	bool brackets;
	int r;

	memset(&a, 0, sizeof(a));
	if (!text)
		return -EINVAL;
	if (strncmp(text, "unix:", 5) == 0) {
		r = parse_unix(text + 5, &a);
		if (r == 0)
			*ret_addr = a;
		return r;
	}
	brackets = text[0] == '[';
	colon = strrchr(text, ':');
	if (!colon || ac_parse_port_(colon + 1, &port) < 0)
		return -EINVAL;
	len = (size_t)(colon - text);
	if (brackets) {
		if (len < 2 || text[len - 1] != ']')
			return -EINVAL;
		start++;
		len -= 2;
	}
	if (len >= sizeof(host))
		return -EINVAL;
	memcpy(host, start, len);
	host[len] = '\0';
	r = brackets ? parse_ipv6(host, &a) : parse_ipv4(host, &a);
	if (r < 0)
		return r;
	if (brackets)
		a.in6.sin6_port = htons(port);
	else
		a.in.sin_port = htons(port);
	*ret_addr = a;
	return 0;
}

static void format_unix(const struct ac_addr *a, char *text, size_t size)
{
	size_t head = offsetof(struct sockaddr_un, sun_path);
	size_t len = a->len > head ? a->len - head : 0;

	if (len == 0)
		snprintf(text, size, "unix:");
	else if (a->un.sun_path[0] == '\0')
		snprintf(text, size, "unix:@%.*s", (int)len - 1, a->un.sun_path + 1);
	else
		snprintf(text, size, "unix:%.*s", (int)strnlen(a->un.sun_path, len),
		         a->un.sun_path);
}

static void format_ipv6(const struct ac_addr *a, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "", zone[IF_NAMESIZE + 1] = "";

	inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof(host));
	if (a->in6.sin6_scope_id && if_indextoname(a->in6.sin6_scope_id, zone + 1))
		zone[0] = '%';
	snprintf(text, size, "[%s%s]:%u", host, zone, ntohs(a->in6.sin6_port));
}

const char *ac_addr_format(const struct ac_addr *a, char *text, size_t size)
{
	char host[INET_ADDRSTRLEN] = "";

	if (size == 0)
		return text;
	text[0] = '\0';
	if (a->len == 0)
		return text;
	switch (a->sa.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &a->in.sin_addr, host, sizeof(host));
		snprintf(text, size, "%s:%u", host, ntohs(a->in.sin_port));
		break;
	case AF_INET6:
		format_ipv6(a, text, size);
		break;
	case AF_UNIX:
		format_unix(a, text, size);
		break;
	default:
		snprintf(text, size, "family %d", a->sa.sa_family);
	}
	return text;
}
