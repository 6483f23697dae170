/*
 * condition.c — conditional and partial requests.
 *
 * Design: If-None-Match goes before If-Modified-Since. A range that is not understood, or of several parts, is
 * ignored, as the standard allows: the whole is sent. One that lies behind the end is 416.
 */
#include "http.h"

#include <string.h>

/* "*", or a list of tags; W/ makes no difference here. */
static bool matches(struct ac_slice list, const char *etag)
{
	const char *p = list.data, *end = p + list.len;
	size_t len = strlen(etag);

	if (http_is(list, "*"))
		return true;
	while (p < end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		const char *stop = comma ? comma : end;
		struct ac_slice tag = http_trim((struct ac_slice){ p, (size_t)(stop - p) });

		if (tag.len > 2 && memcmp(tag.data, "W/", 2) == 0)
			tag = (struct ac_slice){ (const char *)tag.data + 2, tag.len - 2 };
		if (tag.len == len && memcmp(tag.data, etag, len) == 0)
			return true;
		p = stop + 1;
	}
	return false;
}

static bool is_unchanged(const struct http_head *h, const struct http_file *f)
{
	const struct ac_slice *tags = http_field(h, "if-none-match");
	const struct ac_slice *since = http_field(h, "if-modified-since");
	time_t t;

	if (tags)
		return matches(*tags, f->etag);
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
		return validator->len == strlen(f->etag) &&
		       memcmp(validator->data, f->etag, validator->len) == 0;
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

	if (is_unchanged(h, f))
		return (struct http_part){ 304, 0, 0 };
	if (range && http_is(h->method, "GET") && same_file(h, f))
		return read_range(*range, f->size);
	return (struct http_part){ 200, 0, f->size };
}
