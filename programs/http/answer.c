/* answer.c — one answer for each request: a file, a part of it, a folder, or an error. */
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INDEX "index.html"
#define QUERY_MOST 1024  /* that a redirection repeats */
#define SMALL_FILE 16384 /* copied, so that waiting answers hold no descriptors */

struct answer {
	struct http_connection *h;
	const struct http_head *head;
	int status;
	int64_t len;                            /* of the body as announced */
	const char *type;                       /* NULL: none */
	char extra[3 * 4096 + QUERY_MOST + 64]; /* further fields, each with CRLF */
};

static const char *phrase(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 206:
		return "Partial Content";
	case 301:
		return "Moved Permanently";
	case 304:
		return "Not Modified";
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 412:
		return "Precondition Failed";
	case 413:
		return "Content Too Large";
	case 414:
		return "URI Too Long";
	case 416:
		return "Range Not Satisfiable";
	case 417:
		return "Expectation Failed";
	case 431:
		return "Request Header Fields Too Large";
	case 501:
		return "Not Implemented";
	case 503:
		return "Service Unavailable";
	case 505:
		return "HTTP Version Not Supported";
	default:
		return "Internal Server Error";
	}
}

static const char *date_now(void)
{
	static _Thread_local time_t last;
	static _Thread_local char text[HTTP_DATE_TEXT];
	time_t now = time(NULL);

	if (now != last || !text[0])
		http_date_format(last = now, text);
	return text;
}

/* Not an initialiser, which would clear all of `extra` for each request. */
static void begin(struct answer *a, struct http_connection *h, const struct http_head *head)
{
	a->h = h;
	a->head = head;
	a->type = NULL;
	a->extra[0] = '\0';
}

static bool is_head(const struct answer *a)
{
	return http_is_exactly(a->head->method, "HEAD");
}

static int push_head(const struct answer *a)
{
	struct http_connection *h = a->h;
	bool old = a->head->minor == 0;

	AC_TRY(h, ac_pushf(&h->c, "HTTP/1.1 %d %s\r\nDate: %s\r\nServer: asyncore\r\n", a->status,
	                   phrase(a->status), date_now()));
	if (a->type)
		AC_TRY(h, ac_pushf(&h->c, "Content-Type: %s\r\n", a->type));
	if (a->status != 304)
		AC_TRY(h, ac_pushf(&h->c, "Content-Length: %lld\r\n", (long long)a->len));
	if (!h->keeps_alive)
		AC_TRY(h, ac_pushf(&h->c, "Connection: close\r\n"));
	else if (old)
		AC_TRY(h, ac_pushf(&h->c, "Connection: keep-alive\r\n"));
	return ac_pushf(&h->c, "%s\r\n", a->extra);
}

static void finish(const struct answer *a)
{
	http_log(a->h, a->head, a->status, is_head(a) || a->status == 304 ? 0 : a->len);
	if (!a->h->keeps_alive)
		http_linger(a->h);
}

static int answer_text(struct answer *a, const char *text, size_t len)
{
	a->len = (int64_t)len;
	a->type = "text/html; charset=utf-8";
	AC_TRY(a->h, push_head(a));
	if (!is_head(a))
		AC_TRY(a->h, ac_push(&a->h->c, text, len));
	finish(a);
	return 0;
}

static int answer_status(struct answer *a, int status)
{
	char text[256];
	int len = snprintf(text, sizeof(text),
	                   "<!DOCTYPE html>\n<title>%d %s</title>\n<h1>%d %s</h1>\n", status,
	                   phrase(status), status, phrase(status));

	a->status = status;
	return answer_text(a, text, (size_t)len);
}

int http_answer_error(struct http_connection *h, const struct http_head *head, int status)
{
	struct answer a;

	begin(&a, h, head);
	h->keeps_alive = false;
	return answer_status(&a, status);
}

/* A time to come is told as now, as the standard asks: nobody could tell what changed until then. */
static void describe(struct http_file *f, const struct stat *st)
{
	time_t now = time(NULL);

	f->size = st->st_size;
	f->modified = st->st_mtime < now ? st->st_mtime : now;
	snprintf(f->etag, sizeof(f->etag), "\"%llx-%llx-%llx\"", (unsigned long long)st->st_ino,
	         (unsigned long long)st->st_size,
	         (unsigned long long)st->st_mtim.tv_sec * 1000000000u +
	                 (unsigned long long)st->st_mtim.tv_nsec);
}

/* Small files are copied; large ones are sent by the kernel. The descriptor is taken over. */
static int push_part(struct answer *a, int fd, const struct http_part *part)
{
	struct http_connection *h = a->h;
	char copy[SMALL_FILE];
	ssize_t n;

	if (part->len > SMALL_FILE)
		return ac_push_file(&h->c, fd, part->first, part->len);
	n = pread(fd, copy, (size_t)part->len, part->first);
	close(fd);
	return n == part->len ? ac_push(&h->c, copy, (size_t)n)
	                      : ac_raisef(h, EIO, "a file changed");
}

static int answer_file(struct answer *a, int fd, const struct stat *st, const char *path)
{
	struct http_file f;
	struct http_part part;
	char modified[HTTP_DATE_TEXT];
	size_t n;
	int r;

	describe(&f, st);
	part = http_part_wanted(a->head, &f);
	http_date_format(f.modified, modified);
	n = (size_t)snprintf(a->extra, sizeof(a->extra),
	                     "Last-Modified: %s\r\nETag: %s\r\nAccept-Ranges: bytes\r\n", modified,
	                     f.etag);
	if (part.status == 416)
		snprintf(a->extra + n, sizeof(a->extra) - n, "Content-Range: bytes */%lld\r\n",
		         (long long)f.size);
	if (part.status >= 400) {
		close(fd);
		return answer_status(a, part.status);
	}
	if (part.status == 206)
		snprintf(a->extra + n, sizeof(a->extra) - n,
		         "Content-Range: bytes %lld-%lld/%lld\r\n", (long long)part.first,
		         (long long)(part.first + part.len - 1), (long long)f.size);
	a->status = part.status;
	a->len = part.len;
	a->type = part.status == 304 ? NULL : http_mime_type(path);
	r = push_head(a);
	if (r < 0 || is_head(a) || part.len == 0)
		close(fd);
	else
		r = push_part(a, fd, &part);
	if (r >= 0)
		finish(a);
	return r;
}

static int answer_listing(struct answer *a, int folder, const char *path)
{
	size_t len = 0;
	char *page = http_listing(folder, path, &len);
	int r;

	close(folder);
	if (!page)
		return answer_status(a, 500);
	a->status = 200;
	r = answer_text(a, page, len);
	free(page);
	return r;
}

/* A folder's address ends with a slash, or the links on its page would lead astray. */
static int answer_moved(struct answer *a, const char *path)
{
	const char *query = memchr(a->head->target.data, '?', a->head->target.len);
	size_t query_len =
		query ? a->head->target.len - (size_t)(query - (const char *)a->head->target.data)
		      : 0;
	size_t n = (size_t)snprintf(a->extra, sizeof(a->extra), "Location: /");

	if (query_len > QUERY_MOST)
		query_len = 0;
	n += http_encode(path + strspn(path, "/"), a->extra + n,
	                 sizeof(a->extra) - n - QUERY_MOST - 4);
	snprintf(a->extra + n, sizeof(a->extra) - n, "/%.*s\r\n", (int)query_len,
	         query ? query : "");
	return answer_status(a, 301);
}

/* `path` has room for INDEX behind it. */
static int answer_folder(struct answer *a, int folder, char *path)
{
	size_t len = strlen(path);
	struct stat st;
	int fd;

	if (path[len - 1] != '/') {
		close(folder);
		return answer_moved(a, path);
	}
	memcpy(path + len, INDEX, sizeof(INDEX));
	fd = http_open(a->h->server->root, path, &st);
	if (fd >= 0 && S_ISREG(st.st_mode)) {
		close(folder);
		return answer_file(a, fd, &st, path);
	}
	path[len] = '\0';
	if (fd >= 0)
		close(fd);
	if (fd >= 0 || fd == -404)
		return answer_listing(a, folder, path);
	close(folder);
	return answer_status(a, -fd);
}

static int answer_path(struct answer *a, char *path)
{
	struct stat st;
	int fd = http_open(a->h->server->root, path, &st);

	if (fd < 0)
		return answer_status(a, -fd);
	if (S_ISDIR(st.st_mode))
		return answer_folder(a, fd, path);
	if (path[strlen(path) - 1] == '/') { /* a file is no folder */
		close(fd);
		return answer_status(a, 404);
	}
	return answer_file(a, fd, &st, path);
}

/* GET and HEAD: 0. The other methods there are: 405; what is none of them: 501. */
static int check_method(struct ac_slice method)
{
	static const char *const others[] = { "POST",    "PUT",   "DELETE", "CONNECT",
		                              "OPTIONS", "TRACE", "PATCH" };

	if (http_is_exactly(method, "GET") || http_is_exactly(method, "HEAD"))
		return 0;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (http_is_exactly(method, others[i]))
			return 405;
	return 501;
}

int http_answer(struct http_connection *h, const struct http_head *head)
{
	bool is_asterisk = http_is_exactly(head->method, "OPTIONS") && http_is(head->target, "*");
	char path[HTTP_LINE_MOST + sizeof(INDEX)];
	int status = is_asterisk ? 0 : http_target_path(head, path, HTTP_LINE_MOST);
	struct answer a;

	if (status == 400 || status == 414)
		return http_answer_error(h, head, status);
	begin(&a, h, head);
	if (status == 0)
		status = check_method(head->method);
	if (status == 405)
		snprintf(a.extra, sizeof(a.extra), "Allow: GET, HEAD\r\n");
	return status ? answer_status(&a, status) : answer_path(&a, path);
}
