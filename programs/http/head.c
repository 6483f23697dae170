/* head.c — a request line and its fields. */
#include "http.h"

#include <string.h>
#include <strings.h>

static bool is_token_byte(unsigned char c)
{
	return c > ' ' && c < 127 && !strchr("()<>@,;:\\\"/[]?={}", c);
}

static bool is_token(struct ac_slice s)
{
	const unsigned char *p = s.data;

	for (size_t i = 0; i < s.len; i++)
		if (!is_token_byte(p[i]))
			return false;
	return s.len > 0;
}

bool http_is(struct ac_slice s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.data, word, s.len) == 0;
}

bool http_is_exactly(struct ac_slice s, const char *word)
{
	return s.len == strlen(word) && memcmp(s.data, word, s.len) == 0;
}

bool http_is_host(struct ac_slice s)
{
	const unsigned char *p = s.data;

	for (size_t i = 0; i < s.len; i++)
		if (p[i] <= ' ' || p[i] >= 127 || strchr("\"#/<>?@\\^`{|}", p[i]))
			return false;
	return true;
}

struct ac_slice http_trim(struct ac_slice s)
{
	const char *p = s.data;

	while (s.len && (*p == ' ' || *p == '\t')) {
		p++;
		s.len--;
	}
	while (s.len && (p[s.len - 1] == ' ' || p[s.len - 1] == '\t'))
		s.len--;
	s.data = p;
	return s;
}

bool http_number(struct ac_slice s, uint64_t *ret_number)
{
	const char *p = s.data;
	uint64_t n = 0;

	if (s.len == 0 || s.len > 18)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(p[i] - '0');
	}
	*ret_number = n;
	return true;
}

int http_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct ac_slice http_take_until(struct ac_slice *rest, const char *end)
{
	const char *p = rest->data, *at = memmem(p, rest->len, end, strlen(end));
	struct ac_slice taken = { p, at ? (size_t)(at - p) : rest->len };
	size_t used = at ? taken.len + strlen(end) : taken.len;

	*rest = (struct ac_slice){ p + used, rest->len - used };
	return taken;
}

bool http_has_control(struct ac_slice s)
{
	const unsigned char *p = s.data;

	for (size_t i = 0; i < s.len; i++)
		if ((p[i] < ' ' && p[i] != '\t') || p[i] == 127)
			return true;
	return false;
}

static bool is_version(struct ac_slice s)
{
	const char *p = s.data;

	return s.len == 8 && memcmp(p, "HTTP/", 5) == 0 && p[5] >= '0' && p[5] <= '9' &&
	       p[6] == '.' && p[7] >= '0' && p[7] <= '9';
}

/* Exactly one space between the three. */
static int read_request_line(struct ac_slice line, struct http_head *h)
{
	const char *p = line.data, *first = memchr(p, ' ', line.len),
		   *last = memrchr(p, ' ', line.len);
	struct ac_slice version;

	h->line = line;
	if (line.len > HTTP_LINE_MOST)
		return 414;
	if (!first || first == last || http_has_control(line))
		return 400;
	h->method = (struct ac_slice){ p, (size_t)(first - p) };
	h->target = (struct ac_slice){ first + 1, (size_t)(last - first - 1) };
	version = (struct ac_slice){ last + 1, line.len - (size_t)(last + 1 - p) };
	if (!is_token(h->method) || h->target.len == 0 ||
	    memchr(h->target.data, ' ', h->target.len) || !is_version(version))
		return 400;
	if (((const char *)version.data)[5] != '1')
		return 505;
	h->minor = (unsigned)(((const char *)version.data)[7] - '0');
	return 0;
}

/* No space before the colon, no folded lines: both have smuggled requests past other readers. */
int http_field_read(struct ac_slice line, struct http_field *f)
{
	const char *p = line.data, *colon = memchr(p, ':', line.len);

	if (!colon || http_has_control(line))
		return 400;
	f->name = (struct ac_slice){ p, (size_t)(colon - p) };
	f->value = http_trim((struct ac_slice){ colon + 1, line.len - f->name.len - 1 });
	return is_token(f->name) ? 0 : 400;
}

static int read_fields(struct ac_slice rest, struct http_head *h)
{
	struct http_field f;

	while (rest.len) {
		if (http_field_read(http_take_until(&rest, "\r\n"), &f))
			return 400;
		if (h->count == HTTP_FIELDS_MOST)
			return 431;
		h->fields[h->count++] = f;
	}
	return 0;
}

static int check_host(const struct http_head *h)
{
	size_t hosts = 0;

	for (size_t i = 0; i < h->count; i++) {
		if (!http_is(h->fields[i].name, "host"))
			continue;
		hosts++;
		if (!http_is_host(h->fields[i].value))
			return 400;
	}
	return hosts > 1 || (hosts == 0 && h->minor > 0) ? 400 : 0;
}

/* One empty line before the request is forgiven, as the standard asks. */
int http_head_read(const char *data, size_t len, struct http_head *h)
{
	struct ac_slice rest = { data, len };
	int status;

	h->count = 0;
	h->minor = 1;
	h->method = h->target = (struct ac_slice){ "", 0 };
	if (len >= 2 && memcmp(data, "\r\n", 2) == 0)
		http_take_until(&rest, "\r\n");
	status = read_request_line(http_take_until(&rest, "\r\n"), h);
	if (status == 0 && len > HTTP_HEAD_MOST)
		status = 431;
	if (status == 0)
		status = read_fields(rest, h);
	return status ? status : check_host(h);
}

const struct ac_slice *http_field(const struct http_head *h, const char *name)
{
	for (size_t i = 0; i < h->count; i++)
		if (http_is(h->fields[i].name, name))
			return &h->fields[i].value;
	return NULL;
}

/* Whether one of the fields of that name has the token in its list. */
bool http_has_token(const struct http_head *h, const char *name, const char *token)
{
	for (size_t i = 0; i < h->count; i++) {
		struct ac_slice rest = h->fields[i].value;

		while (http_is(h->fields[i].name, name) && rest.len)
			if (http_is(http_trim(http_take_until(&rest, ",")), token))
				return true;
	}
	return false;
}
