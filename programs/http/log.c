/*
 * log.c — one line an answer, in the common log format.
 *
 * Design: bytes that a terminal or a reader of logs could be led astray by are written as \xNN: whatever a
 * client sends, its answer is one line. Lines are written together, a moment later, and at most PIPE_BUF bytes
 * at once: so many go into a pipe or to the end of a file whole, whoever else writes there.
 */
#include "server.h"

#include "../tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define SHOWN_MOST 512 /* of a request line; each byte may take four */
#define FLUSH_SECONDS 0.2

_Static_assert(4 * SHOWN_MOST + 256 < sizeof(((struct http_log *)0)->text), "room for a line");

static size_t escape(char *out, struct ac_slice s)
{
	const unsigned char *p = s.data;
	size_t n = 0;

	for (size_t i = 0; i < s.len && i < SHOWN_MOST; i++) {
		if (p[i] < ' ' || p[i] >= 127 || p[i] == '"' || p[i] == '\\')
			n += (size_t)sprintf(out + n, "\\x%02x", p[i]);
		else
			out[n++] = (char)p[i];
	}
	return n;
}

/* Only the host; where there is none, as on a Unix socket, "-". */
static const char *host_of(const struct http_connection *h, char *text, socklen_t size)
{
	struct ac_addr a = { .len = 0 };
	bool known = ac_addr(&h->c.d, &a) == 0 &&
	             (a.sa.sa_family == AF_INET || a.sa.sa_family == AF_INET6);
	const void *host = a.sa.sa_family == AF_INET ? (const void *)&a.in.sin_addr
	                                             : (const void *)&a.in6.sin6_addr;

	return known && inet_ntop(a.sa.sa_family, host, text, size) ? text : "-";
}

/* localtime is dear: once a second is enough. */
static const char *time_text(void)
{
	static _Thread_local time_t last;
	static _Thread_local char text[40];
	time_t now = time(NULL);
	struct tm tm;

	if (now != last || !text[0]) {
		localtime_r(&now, &tm);
		strftime(text, sizeof(text), "%d/%b/%Y:%H:%M:%S %z", &tm);
		last = now;
	}
	return text;
}

/* Who reads it slowly makes the server wait. A log that cannot be written is lost. */
void http_log_flush(struct http_log *log)
{
	size_t at = 0;

	while (at < log->len) {
		ssize_t n = write(log->fd, log->text + at, log->len - at);

		if (n < 0 && errno == EAGAIN)
			poll(&(struct pollfd){ log->fd, POLLOUT, 0 }, 1, -1);
		else if (n < 0 && errno != EINTR)
			break;
		else if (n > 0)
			at += (size_t)n;
	}
	log->len = 0;
}

static int flush(void *arg)
{
	http_log_flush(arg);
	return 0;
}

static void add(struct http_server *s, const char *line, size_t len)
{
	struct http_log *log = &s->log;

	if (log->len + len > sizeof(log->text))
		http_log_flush(log);
	memcpy(log->text + log->len, line, len);
	log->len += len;
	if (!ac_task_pending(&log->flushing))
		ac_task_start(&log->flushing, s->map, FLUSH_SECONDS, flush, log);
}

void http_log(const struct http_connection *h, const struct http_head *head, int status,
              int64_t len)
{
	char line[sizeof(h->server->log.text)], host[AC_ADDR_TEXT];
	size_t n;

	if (h->server->log.fd < 0)
		return;
	n = (size_t)snprintf(line, sizeof(line), "%s - - [%s] \"", host_of(h, host, sizeof(host)),
	                     time_text());
	if (head->line.len)
		n += escape(line + n, head->line);
	else
		line[n++] = '-';
	n += (size_t)snprintf(line + n, sizeof(line) - n, "\" %d %lld\n", status, (long long)len);
	add(h->server, line, n);
}

void http_log_tls(struct http_connection *h, const struct ac_error *e)
{
	struct http_server *s = h->server;
	double now = ac_now(s->map);
	char peer[AC_ADDR_TEXT], before[64] = "";
	struct ac_addr addr = { .len = 0 };

	s->tls_failed++;
	if (s->tls_said > 0 && now - s->tls_said < 1)
		return;
	if (s->tls_failed > 1)
		snprintf(before, sizeof(before), ", and %zu others before", s->tls_failed - 1);
	ac_addr(&h->c.d, &addr);
	ac_log_info(&h->c.d, AC_LOG_INFO, "TLS with %s: %s%s",
	            ac_addr_format(&addr, peer, sizeof(peer)), tls_why(e), before);
	s->tls_said = now;
	s->tls_failed = 0;
}
