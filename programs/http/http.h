/*
 * http.h — the grammar of HTTP/1.1 as a server reads it, strictly: what two readers could understand
 * differently is refused, never repaired. Functions that judge return 0 or the status to answer with.
 */
#ifndef HTTP_H
#define HTTP_H

#include <asyncore.h>
#include <time.h>

#define HTTP_LINE_MOST 8192
#define HTTP_HEAD_MOST 16384
#define HTTP_FIELDS_MOST 100
#define HTTP_BODY_MOST 1048576
#define HTTP_CHUNK_OVERHEAD_MOST 100000

struct http_field {
	struct ac_slice name, value;
};

/* A request head; the slices lie in the bytes it was read from. */
struct http_head {
	struct ac_slice line, method, target;
	unsigned minor; /* HTTP/1.minor */
	size_t count;
	struct http_field fields[HTTP_FIELDS_MOST];
};

/* head.c. `data` is the head without the empty line at its end. 400, 414, 431, 505. */
int http_head_read(const char *data, size_t len, struct http_head *ret_head);
int http_field_read(struct ac_slice line, struct http_field *ret_field); /* 400 */
const struct ac_slice *http_field(const struct http_head *h,
                                  const char *name);       /* first; NULL: none */
bool http_is(struct ac_slice s, const char *word);         /* without regard to case */
bool http_is_exactly(struct ac_slice s, const char *word); /* as methods are compared */
bool http_is_host(struct ac_slice s); /* what a host and its port may consist of */
bool http_has_token(const struct http_head *h, const char *name, const char *token);
/* What stands before the first `end`, which is taken too; without one, all of it. A CR or LF alone is left in
 * a line, to be found as a control byte. */
struct ac_slice http_take_until(struct ac_slice *rest, const char *end);
bool http_has_control(struct ac_slice s);     /* but a tab */
int http_hex_digit(char c);                   /* -1: none */
struct ac_slice http_trim(struct ac_slice s); /* spaces and tabs at both ends */
bool http_number(struct ac_slice s,
                 uint64_t *ret_number); /* digits only; false: none, or too many */

/* framing.c: how long the body is. 400, 413, 417. */
struct http_body {
	bool chunked;
	uint64_t length;
	bool expects_continue;
};
int http_body_read(const struct http_head *h, struct http_body *ret_body);
int http_chunk_read(struct ac_slice line, uint64_t *ret_size); /* the line before a chunk. 400 */

/* target.c: which path is meant, decoded, without query. 400, 403, 414. */
int http_target_path(const struct http_head *h, char *path, size_t size);
size_t http_encode(const char *path, char *text, size_t size); /* percent-encodes; its length */

/* date.c */
#define HTTP_DATE_TEXT 32
void http_date_format(time_t t, char *text);
bool http_date_read(struct ac_slice s, time_t *ret_time); /* all three forms */

/* condition.c: whether the whole, a part or nothing is wanted */
struct http_file {
	int64_t size;
	time_t modified;
	char etag[64];
};
struct http_part {
	int status; /* 200, 206, 304, 412, 416 */
	int64_t first, len;
};
struct http_part http_part_wanted(const struct http_head *h, const struct http_file *f);

/* mime.c */
const char *http_mime_type(const char *path);

#endif
