/*
 * http_request_handler.c — HTTP requests read by a chat whose terminator changes.
 *
 *	http_request_handler [ADDRESS [REQUESTS]]
 *
 * The example of asynchat's manual: a blank line ends the headers, a number of bytes a POST's data;
 * then the terminator is none, so that what comes after it is ignored.
 */
#include <asynchat.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct http_request_handler {
	struct ac_chat c; /* the default collector is its ibuffer */
	bool reading_headers;
	char op[16], path[256];
	long content_length;
};

static long left; /* requests until the example ends; 0: it does not */

static int parse_headers(struct http_request_handler *h, struct ac_slice headers)
{
	char *text = strndup(headers.data, headers.len), *clen;
	int words;

	if (!text)
		return ac_raise(h, ENOMEM);
	words = sscanf(text, "%15s %255s", h->op, h->path);
	clen = strcasestr(text, "\ncontent-length:");
	h->content_length = clen ? strtol(clen + 16, NULL, 10) : 0;
	free(text);
	return words == 2 ? 0 : ac_raisef(h, EPROTO, "no request line");
}

static int handle_request(struct http_request_handler *h, struct ac_slice cgi_data)
{
	AC_TRY(h, ac_pushf(&h->c, "HTTP/1.0 200 OK\r\n\r\n%s %s with %zu bytes of data\n", h->op,
	                   h->path, cgi_data.len));
	return ac_close_when_done(&h->c);
}

static int found_terminator(struct ac_chat *c)
{
	struct http_request_handler *h = (struct http_request_handler *)c;
	struct ac_slice data = ac_incoming(c);

	if (h->reading_headers) {
		h->reading_headers = false;
		AC_TRY(h, parse_headers(h, data));
		if (strcasecmp(h->op, "POST") == 0 && h->content_length)
			return ac_set_terminator_count(c, h->content_length);
		data.len = 0;
	}
	AC_TRY(h, ac_set_terminator_none(c)); /* browsers sometimes over-send */
	return handle_request(h, data);
}

static int handle_close(struct ac_dispatcher *d)
{
	(void)d;
	return left && --left == 0 ? AC_EXIT : 0;
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
		return ac_raise(d, errno);
	h->reading_headers = true;
	return ac_set_terminator(&h->c, "\r\n\r\n", 4);
}

static const struct ac_class http_server_class = { .super = AC_DISPATCHER,
	                                           .name = "http_server",
	                                           .handle_accepted = handle_accepted };

int main(int argc, char **argv)
{
	struct ac_map *map = ac_map_new(NULL);
	int r = ac_serve(ac_new(map, &http_server_class), argc > 1 ? argv[1] : "127.0.0.1:8080");

	left = argc > 2 ? atol(argv[2]) : 0;
	if (r < 0 || (r = ac_loop(map, NULL)) < 0)
		ac_explain(map, "http_request_handler");
	ac_map_free(map);
	return r < 0;
}
