/*
 * name.c — names as text: which are names at all.
 *
 * Limits: 253 bytes and a dot at the end, labels of 1–63. What does not fit is refused, never cut.
 */
#include "resolver.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define NAME_LENGTH 253
#define LABEL_LENGTH 63

/* Nothing that another part of the way may take for something else: an escape, an address, a control. */
static bool is_strange(unsigned char c)
{
	return c <= ' ' || c == 0x7f || strchr("\\[]:/%,\"*", c);
}

/* A last label of digits is an address that somebody mistyped. */
static bool is_number(const char *label, size_t len)
{
	return strspn(label, "0123456789") >= len;
}

static const char *find_fault(const char *host)
{
	size_t len = strlen(host), label = 0, last = 0;

	if (len > 0 && host[len - 1] == '.')
		len--;
	if (len == 0)
		return "the name is empty";
	if (len > NAME_LENGTH)
		return "the name has more than 253 bytes";
	for (size_t i = 0; i < len; i++) {
		if (is_strange((unsigned char)host[i]))
			return "no name has such bytes";
		label = host[i] == '.' ? 0 : label + 1;
		last = host[i] == '.' ? i + 1 : last;
		if (label > LABEL_LENGTH)
			return "a label has more than 63 bytes";
		if (label == 0 && (i == 0 || host[i - 1] == '.'))
			return "a label is empty";
	}
	if (label == 0)
		return "a label is empty";
	return is_number(host + last, len - last) ? "this is no address" : NULL;
}

int ac_name_split_(const char *address, char host[AC_NAME_MAX + 1], uint16_t *ret_port,
                   const char **ret_why)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : 0;

	*ret_why = "there is no port from 0 to 65535";
	if (!colon || ac_parse_port_(colon + 1, ret_port) < 0)
		return -EINVAL;
	*ret_why = "the name has more than 253 bytes";
	if (len > AC_NAME_MAX)
		return -EINVAL;
	memcpy(host, address, len);
	host[len] = '\0';
	*ret_why = find_fault(host);
	return *ret_why ? -EINVAL : 0;
}

static size_t length(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && name[len - 1] == '.' ? len - 1 : len;
}

int ac_name_addr_(const char *text, size_t len, uint16_t port, struct ac_addr *ret_addr)
{
	bool bare = memchr(text, ':', len) && text[0] != '[';
	char whole[AC_ADDR_TEXT];
	struct ac_addr addr;

	if (len == 0 || len > 80)
		return -EINVAL;
	snprintf(whole, sizeof(whole), bare ? "[%.*s]:%u" : "%.*s:%u", (int)len, text, port);
	if (ac_addr_parse(whole, &addr) < 0 || addr.sa.sa_family == AF_UNIX)
		return -EINVAL;
	*ret_addr = addr;
	return 0;
}

bool ac_name_same_(const char *a, const char *b)
{
	return length(a) == length(b) && strncasecmp(a, b, length(a)) == 0;
}
