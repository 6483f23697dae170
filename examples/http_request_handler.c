/*
 * http_request_handler.c — HTTP requests read by a chat whose terminator changes.
 *
 *	http_request_handler [ADDRESS [REQUESTS]]
 *
 * The example of asynchat's manual: a blank line ends the headers, a number of bytes a POST's data, and then the
 * terminator is none, because browsers sometimes over-send. It answers with what it understood.
 */
#include <asynchat.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct http_request_handler {
	struct ac_chat c;
	bool reading_headers, handling;
	char op[16], path[256];
	long content_length;
};

static long left = -1; /* requests until the example ends; negative: for ever */

static void parse_headers(struct http_request_handler *h, struct ac_slice headers)
{
	char text[8192];
	const char *length;

	snprintf(text, sizeof(text), "%.*s", (int)headers.len, (const char *)headers.data);
	if (sscanf(text, "%15s %255s", h->op, h->path) != 2)
		h->op[0] = '\0';
	length = strcasestr(text, "\r\ncontent-length:");
	h->content_length = length ? strtol(length + 17, NULL, 10) : 0;
}

static int handle_request(struct http_request_handler *h, struct ac_slice data)
{
	char answer[512];
	int n = snprintf(answer, sizeof(answer), "%s %s with %zu bytes of data\n", h->op, h->path,
	                 data.len);

	h->handling = true;
	AC_TRY(h, ac_set_terminator_none(&h->c)); /* browsers sometimes over-send */
	AC_TRY(h, ac_pushf(&h->c, "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s", n, answer));
	return ac_close_when_done(&h->c);
}

static int found_terminator(struct ac_chat *c)
{
	struct http_request_handler *h = (struct http_request_handler *)c;

	if (!h->reading_headers)
		return handle_request(h, ac_incoming(c));
	h->reading_headers = false;
	parse_headers(h, ac_incoming(c));
	if (strcasecmp(h->op, "POST") == 0 && h->content_length > 0)
		return ac_set_terminator_count(c, h->content_length);
	return handle_request(h, (struct ac_slice){ "", 0 });
}

static int handle_close(struct ac_dispatcher *d)
{
	if (left > 0 && --left == 0)
		ac_close_all(d->map, false);
	return 0;
}

static const struct ac_chat_class http_request_handler_class = {
	.d = { .super = AC_CHAT,
	       .name = "http_request_handler",
	       .size = sizeof(struct http_request_handler),
	       .handle_close = handle_close },
	.found_terminator = found_terminator,
};

static int handle_accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *addr)
{
	struct http_request_handler *h = (struct http_request_handler *)ac_adopt(
		d->map, &http_request_handler_class.d, fd, addr);

	if (!h)
		return ac_raise(d, ENOMEM);
	h->reading_headers = true;
	return ac_set_terminator(&h->c, "\r\n\r\n", 4);
}

static const struct ac_class http_server_class = {
	.super = AC_DISPATCHER,
	.name = "http_server",
	.handle_accepted = handle_accepted,
};
