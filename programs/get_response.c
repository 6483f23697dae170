/*
 * get_response.c — a response head, read strictly.
 *
 * Design: words, numbers, dates and chunk lines are those of http/; here stands what only a client
 * meets: the status line, Content-Range, Location, and how a response's body ends. Whatever two
 * readers could understand differently is refused, not repaired: lengths that differ or stand beside
 * chunks, a folded field, a space before the colon, a lone CR or LF, a control byte. Fields that do
 * not matter here are checked all the same.
 */
#include "get_response.h"
#include "http/http.h"

#include <errno.h>
#include <string.h>

struct head {
	struct response *r;
	bool has_length, has_coding;
	const char *why;
};

static int bad(struct head *h, const char *why)
{
	h->why = why;
	return -EPROTO;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A terminal is no place for what else a server may say. */
static void copy_printable(char *text, size_t size, const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len && i < size - 1; i++)
		text[i] = p[i] >= ' ' && p[i] <= '~' ? p[i] : '?';
	text[i] = '\0';
}

/* "HTTP/1.1 200 OK"; the words may be missing, and so may the space before them. */
static int read_status(struct head *h, struct ac_slice line)
{
	const char *p = line.data;

	if (line.len < 12 || memcmp(p, "HTTP/1.", 7) != 0 || !is_digit(p[7]) || p[8] != ' ')
		return bad(h, "not a status line of HTTP/1");
	if (p[9] < '1' || p[9] > '9' || !is_digit(p[10]) || !is_digit(p[11]) ||
	    (line.len > 12 && p[12] != ' ') || http_has_control(line))
		return bad(h, "bad status line");
	h->r->status = (unsigned)((p[9] - '0') * 100 + (p[10] - '0') * 10 + p[11] - '0');
	copy_printable(h->r->line, sizeof(h->r->line), p + 9, line.len - 9);
	return 0;
}

static int read_length(struct head *h, struct ac_slice value)
{
	uint64_t n;

	if (!http_number(value, &n))
		return bad(h, "bad Content-Length");
	if (h->has_length && (int64_t)n != h->r->length)
		return bad(h, "two lengths that differ");
	h->has_length = true;
	h->r->length = (int64_t)n;
	return 0;
}

static int read_coding(struct head *h, struct ac_slice value)
{
	if (h->has_coding || !http_is(value, "chunked"))
		return bad(h, "a transfer coding other than chunked");
	h->has_coding = true;
	return 0;
}

/* A number, or * for -1. */
static bool read_place(struct ac_slice s, int64_t *ret_place)
{
	uint64_t n;

	if (http_is(s, "*")) {
		*ret_place = -1;
		return true;
	}
	if (!http_number(s, &n))
		return false;
	*ret_place = (int64_t)n;
	return true;
}

/* "bytes 0-9/100"; a star stands for a total, or for a range, that is not known. */
static int read_range(struct head *h, struct ac_slice rest)
{
	struct ac_slice unit = http_take_until(&rest, " "), range = http_take_until(&rest, "/"),
			first;
	struct response *r = h->r;
	bool known, good = http_is(unit, "bytes") && r->first < 0 && r->complete < 0;

	known = !http_is(range, "*");
	first = http_take_until(&range, "-");
	good = good && read_place(first, &r->first) && read_place(rest, &r->complete);
	if (good && known)
		good = read_place(range, &r->last) && r->first >= 0 && r->last >= r->first &&
		       (r->complete < 0 || r->last < r->complete);
	return good ? 0 : bad(h, "bad Content-Range");
}

static int read_location(struct head *h, struct ac_slice value)
{
	if (value.len >= sizeof(h->r->location))
		return bad(h, "a Location that is too long");
	memcpy(h->r->location, value.data, value.len);
	h->r->location[value.len] = '\0';
	return 0;
}

static bool is_token(struct ac_slice s)
{
	const char *p = s.data;

	for (size_t i = 0; i < s.len; i++)
		if (p[i] <= ' ' || p[i] > '~' || strchr("()<>@,;:\\\"/[]?={}", p[i]))
			return false;
	return s.len > 0;
}

static int read_field(struct head *h, struct ac_slice line)
{
	struct ac_slice value = line, name = http_take_until(&value, ":");

	if (name.len == line.len || !is_token(name))
		return bad(h, "a line that is no field");
	if (http_has_control(value))
		return bad(h, "a control byte in a field");
	value = http_trim(value);
	if (http_is(name, "content-length"))
		return read_length(h, value);
	if (http_is(name, "transfer-encoding"))
		return read_coding(h, value);
	if (http_is(name, "content-range"))
		return read_range(h, value);
	if (http_is(name, "location"))
		return read_location(h, value);
	if (http_is(name, "last-modified"))
		http_date_read(value, &h->r->modified); /* another form counts as not said */
	return 0;
}

static int choose_body(struct head *h, bool to_head)
{
	struct response *r = h->r;

	if (h->has_length && h->has_coding)
		return bad(h, "a length beside a transfer coding");
	if (to_head || r->status < 200 || r->status == 204 || r->status == 304)
		r->body = RESPONSE_EMPTY;
	else if (h->has_coding)
		r->body = RESPONSE_CHUNKED;
	else
		r->body = h->has_length ? RESPONSE_LENGTH : RESPONSE_TO_END;
	return 0;
}

int response_read(const char *head, size_t len, bool to_head, struct response *ret_response,
                  const char **ret_why)
{
	struct response r = { .first = -1, .last = -1, .complete = -1, .modified = -1 };
	struct head h = { .r = &r };
	struct ac_slice rest = { head, len };
	int e = read_status(&h, http_take_until(&rest, "\r\n"));

	while (e == 0 && rest.len > 0)
		e = read_field(&h, http_take_until(&rest, "\r\n"));
	if (e == 0)
		e = choose_body(&h, to_head);
	if (e == 0)
		*ret_response = r;
	else
		*ret_why = h.why;
	return e;
}

/* Some servers pad the size with spaces. */
int response_chunk_size(const char *line, size_t len, int64_t *ret_size)
{
	uint64_t size;

	while (len > 0 && line[len - 1] == ' ')
		len--;
	if (http_chunk_read((struct ac_slice){ line, len }, &size) != 0)
		return -EPROTO;
	*ret_size = (int64_t)size;
	return 0;
}
