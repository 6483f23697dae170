/*
 * get_url.c — http and https URLs of `asyncore get`: read, resolved against a base, turned into a file name.
 *
 * Design: cleaned first (controls refused, spaces and what is not ASCII written as %XX, the
 * fragment cut off), then split. Dot segments are removed as RFC 3986 section 5.2.4 says, so that a relative
 * reference never climbs above the root.
 *
 * A host is an address, localhost, or a name that whoever connects resolves.
 */
#include "get_url.h"

#include "http/http.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_MOST 254 /* with a dot at its end */

/* Where a cleaned URL is cut. */
struct parts {
	const char *scheme, *authority, *path, *query; /* query with its '?'; NULL: not there */
	size_t scheme_len, authority_len, path_len, query_len;
};

static int bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EINVAL;
}

/* Copies `text` without its fragment; a byte that a URL cannot hold is written as %XX. */
static int clean(const char *text, char *out, const char **ret_why)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;

	for (; *text && *text != '#'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < ' ' || c == 0x7f)
			return bad(ret_why, "a URL cannot hold control characters");
		if (n + 4 > URL_MAX)
			return bad(ret_why, "the URL is too long");
		if (c > 0x7f || strchr(" \"<>\\^`{|}", c)) {
			out[n++] = '%';
			out[n++] = hex[c >> 4];
			out[n++] = hex[c & 15];
		} else {
			out[n++] = (char)c;
		}
	}
	out[n] = '\0';
	return 0;
}

/* ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ) ":" at the beginning: its length without the colon. */
static size_t scheme_length(const char *text)
{
	size_t n = 0;

	if (!isalpha((unsigned char)text[0]))
		return 0;
	while (isalnum((unsigned char)text[n]) || (text[n] && strchr("+-.", text[n])))
		n++;
	return text[n] == ':' ? n : 0;
}

static void split_path(const char *text, struct parts *p)
{
	p->path = text;
	p->path_len = strcspn(text, "?");
	if (text[p->path_len]) {
		p->query = text + p->path_len;
		p->query_len = strlen(p->query);
	}
}

static struct parts split(const char *text)
{
	struct parts p = { .scheme_len = scheme_length(text) };

	if (p.scheme_len > 0) {
		p.scheme = text;
		text += p.scheme_len + 1;
	}
	if (text[0] == '/' && text[1] == '/') {
		p.authority = text + 2;
		p.authority_len = strcspn(p.authority, "/?");
		text = p.authority + p.authority_len;
	}
	split_path(text, &p);
	return p;
}

/* Labels of 1 to 63 bytes; were the last one a number, it would be a bad address. */
static bool is_name(const char *host)
{
	const char *at = host;
	bool numeric;

	do {
		size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789-_");

		if (len == 0 || len > 63)
			return false;
		numeric = strspn(at, "0123456789") == len;
		at += len;
	} while (*at == '.' && *++at);
	return !*at && !numeric && at - host <= NAME_MOST;
}

static bool read_port(const char *text, unsigned *ret_port)
{
	size_t len = strspn(text, "0123456789");
	unsigned long port = strtoul(text, NULL, 10);

	*ret_port = (unsigned)port;
	return len > 0 && len < 10 && !text[len] && port > 0 && port < 65536;
}

/* An address as it is, or a name that is to be resolved; the host is in lower case. */
static bool read_host(const char *host, unsigned port, struct url *u)
{
	struct ac_addr addr;
	char full[sizeof(u->address)];

	snprintf(full, sizeof(full), "%s:%u", host, port);
	u->named = host[0] != '*' && ac_addr_parse(full, &addr) < 0;
	if (host[0] == '*' || (u->named && !is_name(host)))
		return false;
	if (u->named)
		snprintf(u->address, sizeof(u->address), "%s", full);
	else
		ac_addr_format(&addr, u->address, sizeof(u->address));
	return true;
}

/* "%25eth0" behind an IPv6 address names an interface (RFC 6874): to "%eth0". */
static void unescape_zone(char *host)
{
	char *zone = strstr(host, "%25");

	if (zone && host[0] == '[')
		memmove(zone + 1, zone + 3, strlen(zone + 3) + 1);
}

/* Without zone; the Host field has no port where it is the scheme's own. */
static void write_host(const char *host, unsigned port, struct url *u)
{
	size_t len = strcspn(host, "%"), begin = host[0] == '[';
	const char *bracket = begin && host[len] ? "]" : "";
	size_t end = begin ? strcspn(host, "%]") : len;

	if (end > begin && host[end - 1] == '.') /* certificates have no dot at the end */
		end--;
	snprintf(u->name, sizeof(u->name), "%.*s", (int)(end - begin), host + begin);
	if (port == (u->secure ? 443 : 80))
		snprintf(u->host, sizeof(u->host), "%.*s%s", (int)len, host, bracket);
	else
		snprintf(u->host, sizeof(u->host), "%.*s%s:%u", (int)len, host, bracket, port);
}

static int read_authority(const char *text, size_t len, struct url *u, const char **ret_why)
{
	char host[URL_HOST_MAX];
	unsigned number = u->secure ? 443 : 80;
	char *port;

	if (memchr(text, '@', len))
		return bad(ret_why, "user names in a URL are not supported");
	if (len == 0)
		return bad(ret_why, "the URL has no host");
	if (len >= NAME_MOST + 8)
		return bad(ret_why, "bad host or port in the URL");
	for (size_t i = 0; i < len; i++)
		host[i] = (char)tolower((unsigned char)text[i]);
	host[len] = '\0';
	port = host[0] == '[' ? strchr(host, ']') : host;
	port = port ? strchr(port, ':') : NULL;
	if (port)
		*port++ = '\0';
	unescape_zone(host);
	if ((port && *port && !read_port(port, &number)) || !read_host(host, number, u))
		return bad(ret_why,
		           host[0] ? "bad host or port in the URL" : "the URL has no host");
	write_host(host, number, u);
	return 0;
}

/* RFC 3986, 5.2.4, in place; the path begins with a slash. */
static void remove_dots(char *path)
{
	char *in = path, *out = path;

	while (*in) {
		size_t len = 1 + strcspn(in + 1, "/");
		bool last = in[len] == '\0';

		if (len == 2 && in[1] == '.') {
			if (last)
				*out++ = '/';
		} else if (len == 3 && in[1] == '.' && in[2] == '.') {
			while (out > path && *--out != '/')
				;
			if (last)
				*out++ = '/';
		} else {
			memmove(out, in, len);
			out += len;
		}
		in += len;
	}
	*out = '\0';
}

/* Puts path and query together; `dir` is what a relative path stands behind, "" for none. */
static int write_target(const char *dir, size_t dir_len, const struct parts *p, struct url *u,
                        const char **ret_why)
{
	const char *slash = dir_len == 0 && (p->path_len == 0 || p->path[0] != '/') ? "/" : "";
	size_t len = dir_len + strlen(slash) + p->path_len;
	char path[URL_MAX];

	if (len + p->query_len >= URL_MAX)
		return bad(ret_why, "the URL is too long");
	snprintf(path, sizeof(path), "%.*s%s%.*s", (int)dir_len, dir, slash, (int)p->path_len,
	         p->path);
	remove_dots(path);
	len = strlen(path);
	memcpy(u->target, path, len);
	if (p->query)
		memcpy(u->target + len, p->query, p->query_len);
	u->target[len + p->query_len] = '\0';
	return 0;
}

static int read_scheme(const struct parts *p, struct url *u, const char **ret_why)
{
	u->secure = p->scheme_len == 5 && strncasecmp(p->scheme, "https", 5) == 0;
	if (!u->secure && (p->scheme_len != 4 || strncasecmp(p->scheme, "http", 4) != 0))
		return bad(ret_why, "only http and https URLs are supported");
	return p->authority ? 0 : bad(ret_why, "the URL has no host");
}

static int read_absolute(const struct parts *p, struct url *ret_url, const char **ret_why)
{
	struct url u = { .target = "" };
	int r = read_scheme(p, &u, ret_why);

	if (r == 0)
		r = read_authority(p->authority, p->authority_len, &u, ret_why);
	if (r == 0)
		r = write_target("", 0, p, &u, ret_why);
	if (r == 0)
		*ret_url = u;
	return r;
}

int url_parse(const char *text, struct url *ret_url, const char **ret_why)
{
	char cleaned[URL_MAX + 8] = "http://";
	const char *mark = strstr(text, "://");
	bool bare = !mark || mark > text + strcspn(text, "/?#"); /* "127.0.0.1:80/x" will do */
	struct parts p;

	if (clean(text, bare ? cleaned + 7 : cleaned, ret_why) < 0)
		return -EINVAL;
	p = split(cleaned);
	return read_absolute(&p, ret_url, ret_why);
}

/* The path of the base up to its last slash. */
static size_t folder_length(const char *target)
{
	size_t len = strcspn(target, "?");

	while (len > 0 && target[len - 1] != '/')
		len--;
	return len;
}

static int read_relative(const struct url *base, const struct parts *p, struct url *ret_url,
                         const char **ret_why)
{
	struct url u = *base;
	size_t dir_len = 0;
	struct parts same = { .path = "" };
	int r;

	if (p->path_len == 0) { /* the same document, with a query of its own or the base's */
		split_path(base->target, &same);
		if (p->query) {
			same.query = p->query;
			same.query_len = p->query_len;
		}
		p = &same;
	} else if (p->path[0] != '/') {
		dir_len = folder_length(base->target);
	}
	r = write_target(base->target, dir_len, p, &u, ret_why);
	if (r == 0)
		*ret_url = u;
	return r;
}

int url_resolve(const struct url *base, const char *reference, struct url *ret_url,
                const char **ret_why)
{
	char cleaned[URL_MAX];
	struct parts p;
	struct url u = { .target = "" };

	if (clean(reference, cleaned, ret_why) < 0)
		return -EINVAL;
	p = split(cleaned);
	if (!p.scheme && !p.authority)
		return read_relative(base, &p, ret_url, ret_why);
	if (!p.scheme) { /* "//host/path": the scheme is the base's */
		p.scheme = url_scheme(base);
		p.scheme_len = strlen(p.scheme);
	}
	if (read_absolute(&p, &u, ret_why) < 0)
		return -EINVAL;
	if (base->secure && !u.secure)
		return bad(ret_why, "it leads from https to http");
	*ret_url = u;
	return 0;
}

const char *url_scheme(const struct url *url)
{
	return url->secure ? "https" : "http";
}

bool url_same_server(const struct url *a, const struct url *b)
{
	return a->secure == b->secure && strcmp(a->address, b->address) == 0;
}

int url_file_name(const struct url *url, char *name, size_t size)
{
	size_t end = strcspn(url->target, "?"), i = folder_length(url->target), n = 0;

	for (; i < end; i++) {
		int c = (unsigned char)url->target[i];

		if (c == '%' && http_hex_digit(url->target[i + 1]) >= 0 &&
		    http_hex_digit(url->target[i + 2]) >= 0) {
			c = http_hex_digit(url->target[i + 1]) * 16 +
			    http_hex_digit(url->target[i + 2]);
			i += 2;
		}
		if (c < ' ' || c == 0x7f || c == '/')
			return -EINVAL;
		if (n + 1 >= size)
			return -ENAMETOOLONG;
		name[n++] = (char)c;
	}
	name[n] = '\0';
	return n == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ? -EINVAL : 0;
}
