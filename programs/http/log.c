/*
 * log.c — one line an answer, in the common log format.
 *
 * Design: bytes that a terminal or a reader of logs could be led astray by are written as \xNN: whatever a
 * client sends, its answer is one line. Lines are written together, a moment later.
 */
#include "server.h"

#include "../tls.h"

#include <arpa/inet.h>

#define SHOWN_MOST 512 /* of a request line */
#define FLUSH_SECONDS 0.2

static void put_escaped(FILE *out, struct ac_slice s)
{
	const unsigned char *p = s.data;

	for (size_t i = 0; i < s.len && i < SHOWN_MOST; i++) {
		if (p[i] < ' ' || p[i] >= 127 || p[i] == '"' || p[i] == '\\')
			fprintf(out, "\\x%02x", p[i]);
		else
			fputc(p[i], out);
	}
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
	static time_t last;
	static char text[40];
	time_t now = time(NULL);
	struct tm tm;

	if (now != last || !text[0]) {
		localtime_r(&now, &tm);
		strftime(text, sizeof(text), "%d/%b/%Y:%H:%M:%S %z", &tm);
		last = now;
	}
	return text;
}

static int flush(void *arg)
{
	struct http_server *s = arg;

	fflush(s->log);
	return 0;
}

void http_log(const struct http_connection *h, const struct http_head *head, int status,
              int64_t len)
{
	struct http_server *s = h->server;
	char host[AC_ADDR_TEXT];
	FILE *out = s->log;

	if (!out)
		return;
	fprintf(out, "%s - - [%s] \"", host_of(h, host, sizeof(host)), time_text());
	if (head->line.len)
		put_escaped(out, head->line);
	else
		fputc('-', out);
	fprintf(out, "\" %d %lld\n", status, (long long)len);
	if (!ac_task_pending(&s->flushing))
		ac_task_start(&s->flushing, s->map, FLUSH_SECONDS, flush, s);
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
