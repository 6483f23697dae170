/*
 * name.c — names as text: which are names at all.
 *
 * Limits: 253 bytes and a dot at the end, labels of 1–63. What does not fit is refused, never cut.
 */
#include "resolver.h"

#include <errno.h>
#include <stdlib.h>
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

static int parse_port(const char *text, uint16_t *ret_port)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long port = digits > 0 && digits < 6 ? strtoul(text, NULL, 10) : 65536;

	if (text[digits] || port > 65535)
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

int ac_name_split_(const char *address, char host[AC_NAME_MAX + 1], uint16_t *ret_port,
                   const char **ret_why)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : 0;

	*ret_why = "there is no port from 0 to 65535";
	if (!colon || parse_port(colon + 1, ret_port) < 0)
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

bool ac_name_same_(const char *a, const char *b)
{
	return length(a) == length(b) && strncasecmp(a, b, length(a)) == 0;
}
