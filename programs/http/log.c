/*
 * log.c — one line an answer, in the common log format.
 *
 * Design: bytes that a terminal or a reader of logs could be led astray by are written as \xNN: whatever a
 * client sends, its answer is one line.
 */
#include "server.h"

#include <string.h>

#define SHOWN_MOST 512 /* of a request line */

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
static const char *host_of(const struct http_connection *h, char *text, size_t size)
{
	struct ac_addr addr;
	char *colon;

	if (ac_addr(&h->c.d, &addr) < 0 || addr.sa.sa_family == AF_UNIX)
		return "-";
	ac_addr_format(&addr, text, size);
	colon = strrchr(text, ':');
	if (colon)
		*colon = '\0';
	return text;
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

void http_log(const struct http_connection *h, const struct http_head *head, int status,
              int64_t len)
{
	char host[AC_ADDR_TEXT];
	FILE *out = h->server->log;

	if (!out)
		return;
	fprintf(out, "%s - - [%s] \"", host_of(h, host, sizeof(host)), time_text());
	if (head)
		put_escaped(out, head->line);
	fprintf(out, "\" %d %lld\n", status, (long long)len);
}
