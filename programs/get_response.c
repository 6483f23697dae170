/*
 * get_response.c — a response head, read strictly.
 *
 * Design: whatever two readers could understand differently is refused, not repaired: lengths that
 * differ or stand beside chunks, a folded field, a space before the colon, a lone CR or LF, a control
 * byte. Fields that do not matter here are checked all the same.
 */
#include "get_response.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

struct text {
	const char *at;
	size_t len;
};

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

static bool has_control(struct text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (((unsigned char)t.at[i] < ' ' && t.at[i] != '\t') || t.at[i] == 0x7f)
			return true;
	return false;
}

static bool is(struct text t, const char *word)
{
	return t.len == strlen(word) && strncasecmp(t.at, word, t.len) == 0;
}

/* Takes the decimal at the front of `t`, up to INT64_MAX; -1 when there is none. */
static int64_t take_number(struct text *t)
{
	int64_t n = 0;
	size_t i = 0;

	for (; i < t->len && is_digit(t->at[i]); i++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, t->at[i] - '0', &n))
			return -1;
	t->at += i;
	t->len -= i;
	return i > 0 ? n : -1;
}

static bool take(struct text *t, const char *word)
{
	size_t len = strlen(word);

	if (t->len < len || memcmp(t->at, word, len) != 0)
		return false;
	t->at += len;
	t->len -= len;
	return true;
}

/* "HTTP/1.1 200 OK"; the words may be missing, and so may the space before them. */
static int read_status(struct head *h, struct text line)
{
	struct response *r = h->r;
	struct text t = line;
	size_t i;

	if (!take(&t, "HTTP/1.") || t.len < 5 || !is_digit(t.at[0]) || t.at[1] != ' ')
		return bad(h, "not a status line of HTTP/1");
	t.at += 2;
	t.len -= 2;
	if (!is_digit(t.at[0]) || !is_digit(t.at[1]) || !is_digit(t.at[2]) || t.at[0] == '0' ||
	    (t.len > 3 && t.at[3] != ' ') || has_control(t))
		return bad(h, "bad status line");
	r->status = (unsigned)((t.at[0] - '0') * 100 + (t.at[1] - '0') * 10 + t.at[2] - '0');
	for (i = 0; i < t.len && i < sizeof(r->line) - 1; i++)
		r->line[i] = '\t' == t.at[i] || (unsigned char)t.at[i] > 0x7e ? '?' : t.at[i];
	r->line[i] = '\0';
	return 0;
}

static int read_length(struct head *h, struct text value)
{
	int64_t n = take_number(&value);

	if (n < 0 || value.len > 0)
		return bad(h, "bad Content-Length");
	if (h->has_length && n != h->r->length)
		return bad(h, "two lengths that differ");
	h->has_length = true;
	h->r->length = n;
	return 0;
}

static int read_coding(struct head *h, struct text value)
{
	if (h->has_coding || !is(value, "chunked"))
		return bad(h, "a transfer coding other than chunked");
	h->has_coding = true;
	return 0;
}

/* "bytes 0-9/100", with * for what is not known. */
static int read_range(struct head *h, struct text t)
{
	struct response *r = h->r;
	int64_t first = -1, last = -1, complete = -1;

	if (!take(&t, "bytes ") || r->first >= 0 || r->complete >= 0)
		return bad(h, "bad Content-Range");
	if (!take(&t, "*")) {
		first = take_number(&t);
		last = take(&t, "-") ? take_number(&t) : -1;
		if (first < 0 || last < first || last == INT64_MAX)
			return bad(h, "bad Content-Range");
	}
	if (!take(&t, "/"))
		return bad(h, "bad Content-Range");
	if (!take(&t, "*")) {
		complete = take_number(&t);
		if (complete < 0 || last >= complete)
			return bad(h, "bad Content-Range");
	}
	if (t.len > 0)
		return bad(h, "bad Content-Range");
	r->first = first;
	r->last = last;
	r->complete = complete;
	return 0;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT"; any other form counts as not said. */
static void read_modified(struct response *r, struct text value)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char text[32], month[4];
	const char *found;
	struct tm tm = {.tm_isdst = 0};
	int end = 0;

	if (value.len != 29)
		return;
	memcpy(text, value.at, 29);
	text[29] = '\0';
	if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &tm.tm_mday, month,
	           &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end) != 6 ||
	    end != 29)
		return;
	found = strstr(months, month);
	if (!found || (found - months) % 3 || strlen(month) != 3)
		return;
	tm.tm_mon = (int)(found - months) / 3;
	tm.tm_year -= 1900;
	r->modified = timegm(&tm);
}

static int read_location(struct head *h, struct text value)
{
	if (value.len >= sizeof(h->r->location))
		return bad(h, "a Location that is too long");
	memcpy(h->r->location, value.at, value.len);
	h->r->location[value.len] = '\0';
	return 0;
}

static int read_field(struct head *h, struct text line)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789"
	                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	struct text name = {line.at, 0}, value;

	while (name.len < line.len && line.at[name.len] && strchr(token, line.at[name.len]))
		name.len++;
	if (name.len == 0 || name.len == line.len || line.at[name.len] != ':')
		return bad(h, "a line that is no field");
	value = (struct text){line.at + name.len + 1, line.len - name.len - 1};
	while (value.len > 0 && (*value.at == ' ' || *value.at == '\t')) {
		value.at++;
		value.len--;
	}
	while (value.len > 0 && strchr(" \t", value.at[value.len - 1]) && value.at[value.len - 1])
		value.len--;
	if (has_control(value))
		return bad(h, "a control byte in a field");
	if (is(name, "Content-Length"))
		return read_length(h, value);
	if (is(name, "Transfer-Encoding"))
		return read_coding(h, value);
	if (is(name, "Content-Range"))
		return read_range(h, value);
	if (is(name, "Location"))
		return read_location(h, value);
	if (is(name, "Last-Modified"))
		read_modified(h->r, value);
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

/* The next line, which ends at CRLF or where all ends. */
static struct text take_line(struct text *rest)
{
	const char *end = memmem(rest->at, rest->len, "\r\n", 2);
	struct text line = {rest->at, end ? (size_t)(end - rest->at) : rest->len};
	size_t used = end ? line.len + 2 : line.len;

	rest->at += used;
	rest->len -= used;
	return line;
}

int response_read(const char *head, size_t len, bool to_head, struct response *ret_response,
                  const char **ret_why)
{
	struct response r = {.first = -1, .last = -1, .complete = -1, .modified = -1};
	struct head h = {.r = &r};
	struct text rest = {head, len};
	int e = read_status(&h, take_line(&rest));

	while (e == 0 && rest.len > 0)
		e = read_field(&h, take_line(&rest));
	if (e == 0)
		e = choose_body(&h, to_head);
	if (e == 0)
		*ret_response = r;
	else
		*ret_why = h.why;
	return e;
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	c = (char)(c | ' ');
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int response_chunk_size(const char *line, size_t len, int64_t *ret_size)
{
	struct text t = {line, len};
	int64_t size = 0;

	for (; t.len > 0 && hex_digit(*t.at) >= 0; t.at++, t.len--) {
		if (size > INT64_MAX >> 4)
			return -EPROTO;
		size = size << 4 | hex_digit(*t.at);
	}
	if (t.at == line || has_control(t))
		return -EPROTO;
	while (t.len > 0 && (*t.at == ' ' || *t.at == '\t')) {
		t.at++;
		t.len--;
	}
	if (t.len > 0 && *t.at != ';')
		return -EPROTO;
	*ret_size = size;
	return 0;
}
