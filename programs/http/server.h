/*
 * server.h — the file server: its connections, what they answer, what it logs.
 *
 *	bytes ─▶ connection.c: head, body ─▶ answer.c: file, folder, error ─▶ ac_push, ac_push_file
 *	                                        │ open.c, listing.c, condition.c
 *	                                        └▶ log.c
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <asynchat.h>
#include <limits.h>
#include <asyncore/overload.h>
#include <sys/stat.h>

#include "http.h"

struct ac_tls;

struct http_log {
	int fd; /* negative: nothing is logged */
	size_t len;
	char text[PIPE_BUF];     /* lines that wait to be written … */
	struct ac_task flushing; /* … at the latest by this */
};

struct http_server {
	struct ac_map *map;
	struct ac_tls *tls; /* NULL: in clear */
	int root;           /* the folder that is served */
	struct http_log log;
	size_t connections;       /* those to be refused among them */
	uint64_t rate, min_rate;  /* bytes a second, for each; 0: as many as go */
	struct ac_rate *rate_all; /* and for all of them; NULL: the same */
	double head_timeout, idle_timeout, stall_timeout;
	double tls_said;   /* when a failure was logged last … */
	size_t tls_failed; /* … and how many there were since */
	bool stopping;     /* answers say "Connection: close"; the last to go ends the loop */
};

enum http_state {
	HTTP_HEAD,     /* between requests, or in a head */
	HTTP_BODY,     /* a body of known length: read and dropped */
	HTTP_CHUNK,    /* the line before a chunk */
	HTTP_DATA,     /* a chunk */
	HTTP_DATA_END, /* the CRLF behind it */
	HTTP_TRAILER,
	HTTP_LINGER /* answered for the last time: input is dropped until the client closes */
};

struct http_connection {
	struct ac_chat c;
	struct http_server *server;
	struct ac_task lingering; /* ends it: absolute */
	enum http_state state;
	bool started; /* the head has begun */
	bool keeps_alive;
	unsigned requests;
	uint64_t body, overhead; /* of a chunked one so far */
	char *request;           /* the head, kept while its body is read */
	size_t request_len;
	double waits; /* the idle timeout in force */
};

/* connection.c */
extern const struct ac_class http_listener_class;
struct http_listener {
	struct ac_dispatcher d;
	struct http_server *server;
};
void http_connections_stop(
	struct http_server *s);              /* idle ones now, the others after their answer */
void http_linger(struct http_connection *h); /* after the last answer */

/* answer.c: each pushes one whole answer and logs it */
int http_answer(struct http_connection *h, const struct http_head *head);
int http_answer_error(struct http_connection *h, const struct http_head *head, int status);

/* open.c: a file or folder below root; never outside. The descriptor, or -status. */
int http_open(int root, const char *path, struct stat *ret_stat);

/* listing.c: the page of a folder, to be freed; NULL: no memory. `path` ends with '/'. */
char *http_listing(int folder, const char *path, size_t *ret_len);

/* report.c */
void http_report(struct ac_map *map); /* a line on stderr */
/* report(arg) at SIGUSR1. -errno. */
int http_report_when_asked(struct ac_map *map, void (*report)(void *arg), void *arg);

/* log.c */
void http_log(const struct http_connection *h, const struct http_head *head, int status,
              int64_t len);
void http_log_flush(struct http_log *log); /* before the map goes, too */
/* Once a second at most: anybody can make it fail. */
void http_log_tls(struct http_connection *h, const struct ac_error *e);

#endif
