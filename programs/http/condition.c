/*
 * condition.c — conditional and partial requests.
 *
 * Design: If-Match goes before If-Unmodified-Since, both before If-None-Match, and that before
 * If-Modified-Since. A range that is not understood, or of several parts, is ignored, as the standard allows:
 * the whole is sent. One that lies behind the end is 416.
 */
#include "http.h"

#include <string.h>

/* "*", or a list of tags. Ours are strong: with W/ before it, one is the same only weakly. */
static bool list_matches(struct ac_slice list, const char *etag, bool weakly)
{
	if (http_is(list, "*"))
		return true;
	while (list.len) {
		struct ac_slice tag = http_trim(http_take_until(&list, ","));

		if (weakly && tag.len > 2 && memcmp(tag.data, "W/", 2) == 0)
			tag = (struct ac_slice){ (const char *)tag.data + 2, tag.len - 2 };
		if (http_is_exactly(tag, etag))
			return true;
	}
	return false;
}

/* In any of the fields of that name: a list may be cut into several. */
static bool matches(const struct http_head *h, const char *name, const char *etag, bool weakly)
{
	for (size_t i = 0; i < h->count; i++)
		if (http_is(h->fields[i].name, name) &&
		    list_matches(h->fields[i].value, etag, weakly))
			return true;
	return false;
}

/* The client has said which version it wants, and this is another. */
static bool is_other(const struct http_head *h, const struct http_file *f)
{
	const struct ac_slice *since = http_field(h, "if-unmodified-since");
	time_t t;

	if (http_field(h, "if-match"))
		return !matches(h, "if-match", f->etag, false);
	return since && http_date_read(*since, &t) && f->modified > t;
}

static bool is_unchanged(const struct http_head *h, const struct http_file *f)
{
	const struct ac_slice *since = http_field(h, "if-modified-since");
	time_t t;

	if (http_field(h, "if-none-match"))
		return matches(h, "if-none-match", f->etag, true);
	return since && http_date_read(*since, &t) && f->modified <= t;
}

/* If-Range: the part only if it is still the same file. */
static bool same_file(const struct http_head *h, const struct http_file *f)
{
	const struct ac_slice *validator = http_field(h, "if-range");
	time_t t;

	if (!validator)
		return true;
	if (validator->len && ((const char *)validator->data)[0] == '"')
		return http_is_exactly(*validator, f->etag);
	return http_date_read(*validator, &t) && t == f->modified;
}

/* "bytes=first-last", "bytes=first-", "bytes=-suffix". */
static struct http_part read_range(struct ac_slice s, int64_t size)
{
	struct http_part whole = { 200, 0, size }, none = { 416, 0, 0 }, part = { 206, 0, 0 };
	uint64_t first, last;
	const char *p = s.data, *dash;
	struct ac_slice a, b;

	if (s.len < 7 || !http_is((struct ac_slice){ p, 6 }, "bytes=") || memchr(p, ',', s.len))
		return whole;
	dash = memchr(p, '-', s.len);
	if (!dash)
		return whole;
	a = (struct ac_slice){ p + 6, (size_t)(dash - p - 6) };
	b = (struct ac_slice){ dash + 1, s.len - (size_t)(dash + 1 - p) };
	if (a.len == 0) {
		if (!http_number(b, &last))
			return whole;
		part.len = last < (uint64_t)size ? (int64_t)last : size;
		part.first = size - part.len;
		return part.len ? part : none;
	}
	last = INT64_MAX - 1;
	if (!http_number(a, &first) || (b.len && (!http_number(b, &last) || last < first)))
		return whole;
	if (first >= (uint64_t)size)
		return none;
	part.first = (int64_t)first;
	part.len = (last >= (uint64_t)size ? size : (int64_t)last + 1) - part.first;
	return part;
}

struct http_part http_part_wanted(const struct http_head *h, const struct http_file *f)
{
	const struct ac_slice *range = http_field(h, "range");

	if (is_other(h, f))
		return (struct http_part){ 412, 0, 0 };
	if (is_unchanged(h, f))
		return (struct http_part){ 304, 0, 0 };
	if (range && http_is_exactly(h->method, "GET") && same_file(h, f))
		return read_range(*range, f->size);
	return (struct http_part){ 200, 0, f->size };
}
