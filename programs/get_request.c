/*
 * get_request.c — the head that `asyncore get` sends.
 *
 * Design: every connection carries one request, so that the end of a body is never in doubt; a
 * field of the user's own replaces ours of that name.
 */
#include "get_job.h"

#include <string.h>
#include <strings.h>

static bool begins(const char *field, const char *name)
{
	return strncasecmp(field, name, strlen(name)) == 0;
}

/* What was meant for one server is not told to another. */
static bool is_sent(const struct get_job *job, const char *field)
{
	return !job->moved_away || !(begins(field, "Authorization:") || begins(field, "Cookie:") ||
	                             begins(field, "Host:"));
}

/* One of ours, unless the user has one of that name. */
static int push_field(struct ac_chat *c, const struct get_job *job, const char *name,
                      const char *value)
{
	const char *own = get_field(job, name);

	return own && is_sent(job, own) ? 0 : ac_pushf(c, "%s: %s\r\n", name, value);
}

int get_push_request(struct ac_chat *c, const struct get_job *job)
{
	AC_TRY(c,
	       ac_pushf(c, "%s %s HTTP/1.1\r\n", job->head_only ? "HEAD" : "GET", job->url.target));
	AC_TRY(c, push_field(c, job, "Host", job->url.host));
	AC_TRY(c, push_field(c, job, "User-Agent", "asyncore/" AC_VERSION));
	AC_TRY(c, push_field(c, job, "Accept", "*/*"));
	AC_TRY(c, push_field(c, job, "Accept-Encoding", "identity"));
	AC_TRY(c, push_field(c, job, "Connection", "close"));
	if (job->have > 0)
		AC_TRY(c, ac_pushf(c, "Range: bytes=%lld-\r\n", (long long)job->have));
	for (size_t i = 0; i < job->field_count; i++)
		if (is_sent(job, job->fields[i]))
			AC_TRY(c, ac_pushf(c, "%s\r\n", job->fields[i]));
	return ac_push(c, "\r\n", 2);
}
