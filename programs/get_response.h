/*
 * get_response.h — a response head and a chunk line, as `asyncore get` needs them.
 */
#ifndef GET_RESPONSE_H
#define GET_RESPONSE_H

#include "get_url.h"

#include <time.h>

enum response_body { RESPONSE_EMPTY, RESPONSE_LENGTH, RESPONSE_CHUNKED, RESPONSE_TO_END };

struct response {
	unsigned status;
	char line[128]; /* "404 Not Found", printable */
	enum response_body body;
	int64_t length;                /* of RESPONSE_LENGTH */
	int64_t first, last, complete; /* of Content-Range; -1: not said */
	time_t modified;               /* Last-Modified; -1: not said */
	char location[URL_MAX];        /* "": none */
};

/*
 * Reads a head without the empty line at its end. `to_head`: it answers a HEAD request and has no
 * body whatever it says. Returns 0, or -EPROTO with a phrase for people in ret_why.
 */
int response_read(const char *head, size_t len, bool to_head, struct response *ret_response,
                  const char **ret_why);

/* The size at the front of a chunk line without its CRLF; extensions are skipped. 0 or -EPROTO. */
int response_chunk_size(const char *line, size_t len, int64_t *ret_size);

#endif
