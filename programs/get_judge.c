/*
 * get_judge.c — what a response head means for the job: body, redirect, resume, failure.
 *
 * Design of resuming: nothing but the file is left of the earlier run, so its size and the time it
 * was written stand for an entity tag. The rest is asked for by Range, and
 *	206 that begins where the file ends is appended,
 *	206 or 416 of a resource changed after the file was written (Last-Modified): all is asked
 *	for anew,
 *	200 writes the file anew,
 *	416 whose total is the file's size: it was complete; any other total is an error.
 *
 * Limits: a resource changed and backdated is not noticed.
 */
#include "get_job.h"

#include <errno.h>
#include <string.h>

#define REDIRECTS_MAX 10

static enum get_verdict stop(struct get_job *job, const char *why)
{
	get_fail(job, GET_PROTOCOL, "bad response: %s", why);
	return GET_ENDS;
}

static bool is_redirect(unsigned status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static enum get_verdict follow(struct get_job *job, const struct response *r)
{
	struct url from = job->url;
	const char *why;

	if (!r->location[0]) {
		get_fail(job, GET_PROTOCOL, "bad response: %s without a Location", r->line);
		return GET_ENDS;
	}
	if (++job->redirects > REDIRECTS_MAX) {
		get_fail(job, GET_REDIRECTS, "more than %d redirects, the last from %s://%s%s",
		         REDIRECTS_MAX, url_scheme(&from), from.host, from.target);
		return GET_ENDS;
	}
	if (url_resolve(&from, r->location, &job->url, &why) < 0) {
		get_fail(job, GET_LOCAL, "cannot follow the redirect: %s", why);
		return GET_ENDS;
	}
	if (!url_same_server(&from, &job->url))
		job->moved_away = true;
	return GET_REPEAT;
}

/* The body comes: from job->have on, or all of it. */
static enum get_verdict take(struct get_job *job, const struct response *r)
{
	int e = output_begin(&job->out, job->have);

	job->whole = -1;
	if (r->body == RESPONSE_LENGTH)
		job->whole = job->have + r->length;
	else if (r->body == RESPONSE_EMPTY)
		job->whole = job->have;
	if (job->have > 0)
		job->whole = r->complete >= 0 ? r->complete : r->last + 1;
	if (e == 0)
		e = progress_begin(&job->progress, job->have, job->whole);
	if (e == 0)
		return GET_BODY;
	get_fail(job, GET_LOCAL, "cannot write %s: %s", output_name(&job->out),
	         e == -ESTALE ? "another program has written to it" : strerror(-e));
	return GET_ENDS;
}

static bool is_newer(const struct get_job *job, const struct response *r)
{
	return r->modified >= 0 && r->modified > job->have_since;
}

static enum get_verdict start_anew(struct get_job *job, const char *why)
{
	get_note(job, "%s, %s is fetched anew", why, output_name(&job->out));
	job->have = 0;
	return GET_REPEAT;
}

static enum get_verdict judge_rest(struct get_job *job, const struct response *r)
{
	if (r->first < 0)
		return stop(job, "206 without one Content-Range");
	if (r->first != job->have)
		return stop(job, "206 for another range than was asked for");
	if (r->body == RESPONSE_LENGTH && r->length != r->last - r->first + 1)
		return stop(job, "Content-Length and Content-Range differ");
	if (is_newer(job, r))
		return start_anew(job, "changed on the server");
	return take(job, r);
}

static enum get_verdict refuse(struct get_job *job, const struct response *r)
{
	get_fail(job, GET_STATUS, "%s: %s://%s%s", r->line, url_scheme(&job->url), job->url.host,
	         job->url.target);
	return GET_ENDS;
}

static enum get_verdict judge_no_rest(struct get_job *job, const struct response *r)
{
	if (is_newer(job, r))
		return start_anew(job, "changed on the server");
	if (r->complete == job->have) {
		get_note(job, "%s is complete", output_name(&job->out));
		return GET_ENDS;
	}
	if (r->complete < 0)
		return refuse(job, r);
	get_fail(job, GET_STATUS, "%s: the file has %lld bytes, the resource %lld", r->line,
	         (long long)job->have, (long long)r->complete);
	return GET_ENDS;
}

static enum get_verdict judge_success(struct get_job *job, const struct response *r)
{
	if (job->head_only)
		return GET_ENDS;
	if (r->status == 206 && job->have > 0)
		return judge_rest(job, r);
	if (r->status == 206 && !get_field(job, "Range"))
		return stop(job, "206 though no range was asked for");
	if (job->have > 0)
		get_note(job, "the server sends all of it, %s is written anew",
		         output_name(&job->out));
	job->have = 0;
	return take(job, r);
}

enum get_verdict get_judge(struct get_job *job, const struct response *r)
{
	if (is_redirect(r->status))
		return follow(job, r);
	if (r->status < 300)
		return judge_success(job, r);
	if (r->status == 304) {
		get_note(job, "%s", r->line);
		return GET_ENDS;
	}
	if (r->status == 416 && job->have > 0)
		return judge_no_rest(job, r);
	return refuse(job, r);
}
