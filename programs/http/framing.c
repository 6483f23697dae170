/*
 * framing.c — how long a request's body is.
 *
 * Design: one statement only. Content-Length beside Transfer-Encoding, two lengths, any coding but chunked,
 * a length that is not plain digits: each has been used to hide a second request in the first.
 */
#include "http.h"

static size_t count_fields(const struct http_head *h, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < h->count; i++)
		n += http_is(h->fields[i].name, name);
	return n;
}

int http_body_read(const struct http_head *h, struct http_body *b)
{
	const struct ac_slice *length = http_field(h, "content-length");
	const struct ac_slice *coding = http_field(h, "transfer-encoding");
	const struct ac_slice *expect = http_field(h, "expect");

	*b = (struct http_body){ .chunked = coding != NULL };
	if (count_fields(h, "content-length") > 1 || count_fields(h, "transfer-encoding") > 1)
		return 400;
	if (coding && (length || h->minor == 0 || !http_is(*coding, "chunked")))
		return 400;
	if (length && !http_number(*length, &b->length))
		return 400;
	if (expect && !http_is(*expect, "100-continue"))
		return 417;
	b->expects_continue = expect && h->minor > 0;
	return b->length > HTTP_BODY_MOST ? 413 : 0;
}

/* Digits, then nothing or ";extension", which is skipped. */
int http_chunk_read(struct ac_slice line, uint64_t *ret_size)
{
	const char *p = line.data;
	uint64_t size = 0;
	size_t i = 0;

	for (; i < line.len && http_hex_digit(p[i]) >= 0; i++) {
		if (i >= 15)
			return 400;
		size = size * 16 + (uint64_t)http_hex_digit(p[i]);
	}
	if (i == 0 || (i < line.len && p[i] != ';'))
		return 400;
	if (http_has_control(line))
		return 400;
	*ret_size = size;
	return 0;
}
