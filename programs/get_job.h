/*
 * get_job.h — what one run of `asyncore get` is about, shared by its files.
 *
 *	get.c          the command line, the loop, the exit status
 *	get_fetch.c    one connection: request out, response in (a chat)
 *	get_request.c  the head of the request
 *	get_judge.c    what a response head means for the job: body, redirect, resume, failure
 *	get_response.c, get_url.c, get_output.c, get_progress.c   what these are made of
 *
 * Invariant: a job has one connection at a time; a redirect begins the next and closes the last.
 */
#ifndef GET_JOB_H
#define GET_JOB_H

#include "get_output.h"
#include "get_progress.h"
#include "get_response.h"
#include "get_url.h"

#include "tls.h"

#include <asynchat.h>

/* The exit status. */
enum get_outcome {
	GET_OK,
	GET_LOCAL,     /* this machine: a file, memory, a URL that is not supported */
	GET_USAGE,     /* the command line */
	GET_CONNECT,   /* no connection */
	GET_PROTOCOL,  /* not HTTP/1.1 as it should be, or a partial body */
	GET_STATUS,    /* the server said no: status 400 and above */
	GET_REDIRECTS, /* too many of them */
	GET_TIMEOUT
};

struct get_job {
	/* as asked for */
	const char *const *fields; /* "Name: value", checked */
	size_t field_count;
	bool head_only, resume, quiet;
	double timeout, connect_timeout; /* 0: none */
	struct tls_options tls_options;

	/* as it goes */
	struct ac_map *map;
	struct ac_tls *tls; /* made for the first https URL */
	struct url url;
	unsigned redirects;
	bool moved_away; /* redirected to another server: credentials stay behind */
	int64_t have;    /* bytes of an earlier run; > 0: the rest is asked for */
	time_t have_since;
	int64_t whole; /* bytes of the whole resource; -1: unknown */
	struct output out;
	struct progress progress;
	enum get_outcome outcome;
	bool failed; /* and it was said */
};

/* Says why on one line; only the first reason of a job is said, and its outcome kept. */
void get_fail(struct get_job *job, enum get_outcome outcome, const char *format, ...)
	AC_PRINTF(3, 4);
/* A line for people, unless they asked for quiet. */
void get_note(struct get_job *job, const char *format, ...) AC_PRINTF(2, 3);

/* The field of the user's own with this name, whole; NULL where there is none. */
const char *get_field(const struct get_job *job, const char *name);

int get_push_request(struct ac_chat *c, const struct get_job *job);

/* Connects to job->url and asks. A failure is said. */
void get_fetch(struct get_job *job);

enum get_verdict {
	GET_ENDS,  /* nothing more to read */
	GET_BODY,  /* the body goes to the output, which is open */
	GET_REPEAT /* ask again: job->url or job->have is another now */
};
enum get_verdict get_judge(struct get_job *job, const struct response *r);

#endif
