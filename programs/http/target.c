/*
 * target.c — from a request's target to a path, and back.
 *
 * Design: decoded exactly once. A byte that may not stand in a target, an escape that is none, an encoded
 * control byte in the path: 400. A ".." among its parts: 403, wherever it would lead.
 */
#include "http.h"

#include <string.h>

/* "http://host/path" is the same as "/path", "http://host?query" as "/?query". */
static int cut_authority(struct ac_slice *t)
{
	const char *p = t->data;
	struct ac_slice host;
	size_t end = 7;

	if (t->len < 7 || !http_is((struct ac_slice){ p, 7 }, "http://"))
		return *p == '/' ? 0 : 400;
	while (end < t->len && p[end] != '/' && p[end] != '?')
		end++;
	host = (struct ac_slice){ p + 7, end - 7 };
	*t = (struct ac_slice){ p + end, t->len - end };
	return host.len && http_is_host(host) ? 0 : 400;
}

/* One byte from p, which has `left` bytes; how many it took, 0: none that is allowed. */
static size_t decode(const char *p, size_t left, bool in_query, unsigned char *ret_byte)
{
	unsigned char c = (unsigned char)*p;

	if (c <= ' ' || c >= 127 || strchr("#\"<>\\^`{|}", c))
		return 0;
	if (c != '%') {
		*ret_byte = c;
		return 1;
	}
	if (left < 3 || http_hex_digit(p[1]) < 0 || http_hex_digit(p[2]) < 0)
		return 0;
	*ret_byte = (unsigned char)(http_hex_digit(p[1]) * 16 + http_hex_digit(p[2]));
	return !in_query && (*ret_byte < ' ' || *ret_byte == 127) ? 0 : 3;
}

static bool climbs(const char *path)
{
	for (const char *p = path; *p; p += strcspn(p, "/")) {
		p += strspn(p, "/");
		if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == '\0'))
			return true;
	}
	return false;
}

int http_target_path(const struct http_head *h, char *path, size_t size)
{
	struct ac_slice t = h->target;
	bool in_query = false;
	unsigned char byte;
	size_t n = 0;
	const char *p;

	if (cut_authority(&t))
		return 400;
	p = t.data;
	if (t.len == 0 || *p == '?')
		path[n++] = '/';
	for (size_t i = 0; i < t.len;) {
		size_t taken = decode(p + i, t.len - i, in_query, &byte);

		if (taken == 0)
			return 400;
		in_query = in_query || p[i] == '?';
		if (!in_query) {
			if (n + 1 >= size)
				return 414;
			path[n++] = (char)byte;
		}
		i += taken;
	}
	path[n] = '\0';
	return climbs(path) ? 403 : 0;
}

size_t http_encode(const char *path, char *text, size_t size)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t n = 0;

	for (; *path && n + 4 <= size; path++) {
		unsigned char c = (unsigned char)*path;
		bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		             (c >= 'A' && c <= 'Z') || strchr("-._~/", c);

		if (plain) {
			text[n++] = (char)c;
		} else {
			text[n++] = '%';
			text[n++] = digits[c >> 4];
			text[n++] = digits[c & 15];
		}
	}
	text[n] = '\0';
	return n;
}
