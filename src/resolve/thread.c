/*
 * thread.c — the backend where there is no c-ares: getaddrinfo, in a thread of ac_offload.
 *
 * Design: a thread cannot be stopped. A lookup that stops is only taken off its job; the loop goes on until
 * getaddrinfo has returned. A job is held by its lookup and by the pool, which may be done with it in any order
 * and thread; the last one frees it.
 * Limits: both families come together. Servers and their timeouts are the C library's affair.
 */
#include "resolver.h"

#include <asyncore/threads.h>
#include <errno.h>
#include <netdb.h>
#include <stdatomic.h>
#include <string.h>

struct job {
	struct ac_lookup *l; /* the map's thread's; NULL: nobody waits for it any more */
	atomic_int holders;
	struct addrinfo *found;
	int error;
	char host[AC_NAME_MAX + 1];
};

static int error_of(int code)
{
	switch (code) {
	case 0:
		return 0;
	case EAI_NONAME:
#ifdef EAI_NODATA
	case EAI_NODATA:
#endif
		return ENXIO;
	case EAI_MEMORY:
		return ENOMEM;
	default:
		return EIO;
	}
}

/* In another thread: it touches the job only. */
static int look_up(void *arg)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct job *job = arg;

	job->error = error_of(getaddrinfo(job->host, NULL, &hints, &job->found));
	return 0;
}

static void let_go(struct job *job)
{
	if (atomic_fetch_sub(&job->holders, 1) > 1)
		return;
	if (job->found)
		freeaddrinfo(job->found);
	ac_free_(job);
}

/* With -ECANCELED it may be in another thread, and the map may be gone. */
static int done(void *arg, int result)
{
	struct job *job = arg;
	struct ac_lookup *l = result == -ECANCELED ? NULL : job->l;

	if (l) {
		for (struct addrinfo *a = job->found; a; a = a->ai_next)
			ac_lookup_add_(l, a->ai_addr);
		if (l->count == 0 && job->error == 0)
			job->error = ENXIO;
		ac_lookup_answered_(l, AC_ASKED_BOTH, job->error);
	}
	let_go(job);
	return 0;
}

int ac_backend_ask_(struct ac_lookup *l)
{
	struct job *job = ac_alloc_(sizeof(*job));
	int r;

	if (!job)
		return -ENOMEM;
	job->l = l;
	atomic_init(&job->holders, 2);
	memcpy(job->host, l->host, sizeof(job->host));
	r = ac_offload(l->r->map, look_up, done, job);
	if (r < 0)
		ac_free_(job);
	else
		l->questions[0] = job;
	return r == -EAGAIN ? -ENOBUFS : r;
}

void ac_backend_forget_(struct ac_resolver *r, struct ac_lookup *l)
{
	struct job *job = l->questions[0];

	(void)r;
	l->questions[0] = NULL;
	if (job) {
		job->l = NULL;
		let_go(job);
	}
}

int ac_backend_new_(struct ac_resolver *r, const struct ac_resolver_opts *o, const char **ret_why)
{
	(void)r;
	*ret_why = "servers, search, ndots, timeout and tries need a build with c-ares";
	return o->servers || o->search || o->ndots || o->timeout > 0 || o->tries ? -ENOTSUP : 0;
}

void ac_backend_free_(struct ac_backend *b)
{
	(void)b;
}
