/*
 * get_fetch.c — one connection of `asyncore get`: a chat whose terminator follows the response.
 *
 *	CONNECTING ─▶ HEAD ──┬─▶ LENGTH ───────────────────────────────────────────▶ over
 *	  handle_connect  ▲  ├─▶ TO_END ── handle_eof ─────────────────────────────▶ over
 *	             1xx ─┘  └─▶ CHUNK_LINE ─▶ CHUNK_DATA ─▶ CHUNK_END     ┌─▶ TRAILER ─▶ over
 *	                           ▲  │                         │          │
 *	                           └──┼─────────────────────────┘          │
 *	                              └── size 0 ──────────────────────────┘
 *
 *	state       terminator       its bytes go to
 *	HEAD        CRLF CRLF        the record
 *	LENGTH      a count          the output
 *	TO_END      none             the output
 *	CHUNK_LINE  CRLF             the record
 *	CHUNK_DATA  a count          the output
 *	CHUNK_END   the count 2      the record
 *	TRAILER     CRLF             the record, which nobody looks at
 *
 * Invariant: `over` is set before the chat is closed on purpose; whatever closes it earlier is a
 * failure, and handle_close says which.
 * Limits: a head has at most AC_MAX_RECORD bytes, INTERIM_MAX interim responses may come before the
 * final one, a chunk line or a trailer field has at most CHUNK_LINE_MAX bytes, all trailers together
 * TRAILERS_MAX.
 */
#include "get_job.h"
#include "names.h"
#include "program.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define INTERIM_MAX 16
#define CHUNK_LINE_MAX 4096
#define TRAILERS_MAX 65536

enum state { CONNECTING, HEAD, LENGTH, TO_END, CHUNK_LINE, CHUNK_DATA, CHUNK_END, TRAILER };

struct fetch {
	struct ac_chat c;
	struct get_job *job;
	enum state state;
	bool over;
	unsigned interims;
	size_t head_seen; /* of the first five bytes */
	size_t trailers;
	double written; /* when the output took its last bytes */
};

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void give_up(struct fetch *f)
{
	f->over = true;
	ac_close(&f->c.d);
}

#define FAIL(f, outcome, ...) (get_fail((f)->job, (outcome), __VA_ARGS__), give_up(f))

/* "1000 of 2000 bytes", or "1000 bytes" where the whole is not known. */
static const char *so_far(const struct get_job *job, char *text, size_t size)
{
	if (job->whole >= 0)
		snprintf(text, size, "%lld of %lld bytes", (long long)job->progress.done,
		         (long long)job->whole);
	else
		snprintf(text, size, "%lld bytes", (long long)job->progress.done);
	return text;
}

/* The connection ended, or broke with an errno, before the response did; `why` may tell more. */
static void lost(struct fetch *f, int code, const char *why)
{
	const char *how = why ? why : code > 0 ? strerror(code) : "the connection ended";
	char count[64];

	switch (f->state) {
	case CONNECTING:
		FAIL(f, GET_CONNECT, "cannot connect to %s: %s", f->job->url.host, how);
		break;
	case HEAD:
		FAIL(f, GET_PROTOCOL, "%s %s", how,
		     f->head_seen ? "within the response head" : "without a response");
		break;
	default:
		so_far(f->job, count, sizeof(count));
		FAIL(f, GET_PROTOCOL, "partial body: %s (%s)", count, how);
	}
}

/* All that was promised has come. The range a server chose may be less than the rest. */
static int body_done(struct fetch *f)
{
	struct get_job *job = f->job;
	char count[64];
	int r = output_end(&job->out);

	if (r < 0)
		get_fail(job, GET_LOCAL, "cannot write %s: %s", output_name(&job->out),
		         strerror(-r));
	else if (job->whole >= 0 && job->progress.done < job->whole)
		get_fail(job, GET_PROTOCOL, "partial body: %s (the server sent no more)",
		         so_far(job, count, sizeof(count)));
	else if (job->whole >= 0 && job->progress.done > job->whole)
		get_fail(job, GET_PROTOCOL, "bad response: the body is longer than its range");
	progress_end(&job->progress);
	give_up(f);
	return 0;
}

static int next_line(struct fetch *f, enum state state)
{
	f->state = state;
	AC_TRY(f, ac_set_limit(&f->c.d, AC_MAX_RECORD, CHUNK_LINE_MAX));
	return ac_set_terminator(&f->c, "\r\n", 2);
}

static int begin_body(struct fetch *f, const struct response *r)
{
	switch (r->body) {
	case RESPONSE_EMPTY:
		return body_done(f);
	case RESPONSE_LENGTH:
		f->state = LENGTH;
		return r->length ? ac_set_terminator_count(&f->c, r->length) : body_done(f);
	case RESPONSE_CHUNKED:
		return next_line(f, CHUNK_LINE);
	case RESPONSE_TO_END:
		f->state = TO_END;
		return ac_set_terminator_none(&f->c);
	}
	return 0;
}

/* The answer to -I is the head itself. */
static int write_head(struct fetch *f, struct ac_slice head)
{
	struct output *out = &f->job->out;
	int r = output_begin(out, 0);

	if (r == 0)
		r = output_write(out, head.data, head.len);
	if (r == 0)
		r = output_write(out, "\r\n\r\n", 4);
	if (r == 0)
		r = output_end(out);
	if (r < 0)
		get_fail(f->job, GET_LOCAL, "cannot write %s: %s", output_name(out), strerror(-r));
	return r;
}

static int interim(struct fetch *f, const struct response *r)
{
	if (r->status == 101)
		FAIL(f, GET_PROTOCOL, "the server changes to a protocol nobody asked for");
	else if (++f->interims > INTERIM_MAX)
		FAIL(f, GET_PROTOCOL, "more than %d interim responses", INTERIM_MAX);
	f->head_seen = 0;
	return 0;
}

static int found_head(struct fetch *f)
{
	struct ac_slice head = ac_incoming(&f->c);
	struct get_job *job = f->job;
	struct response r;
	const char *why;

	if (response_read(head.data, head.len, job->head_only, &r, &why) < 0) {
		FAIL(f, GET_PROTOCOL, "bad response: %s", why);
		return 0;
	}
	if (r.status < 200)
		return interim(f, &r);
	switch (get_judge(job, &r)) {
	case GET_BODY:
		return begin_body(f, &r);
	case GET_REPEAT:
		give_up(f);
		get_fetch(job);
		return 0;
	case GET_ENDS:
		if (job->head_only && (!job->failed || job->outcome == GET_STATUS))
			write_head(f, head);
		give_up(f);
	}
	return 0;
}

static int found_chunk_line(struct fetch *f)
{
	struct ac_slice line = ac_incoming(&f->c);
	int64_t size;

	if (response_chunk_size(line.data, line.len, &size) < 0) {
		FAIL(f, GET_PROTOCOL, "bad chunk size after %lld bytes",
		     (long long)f->job->progress.done);
		return 0;
	}
	if (size == 0)
		return next_line(f, TRAILER);
	f->state = CHUNK_DATA;
	return ac_set_terminator_count(&f->c, size);
}

static int found_chunk_end(struct fetch *f)
{
	struct ac_slice end = ac_incoming(&f->c);

	if (end.len == 2 && memcmp(end.data, "\r\n", 2) == 0)
		return next_line(f, CHUNK_LINE);
	FAIL(f, GET_PROTOCOL, "a chunk is longer than its size, after %lld bytes",
	     (long long)f->job->progress.done);
	return 0;
}

static int found_trailer(struct fetch *f)
{
	size_t len = ac_incoming(&f->c).len;

	f->trailers += len + 2;
	if (len == 0)
		return body_done(f);
	if (f->trailers > TRAILERS_MAX)
		FAIL(f, GET_PROTOCOL, "trailers of more than %d bytes", TRAILERS_MAX);
	return 0;
}

static int found(struct ac_chat *c)
{
	struct fetch *f = (struct fetch *)c;

	switch (f->state) {
	case HEAD:
		return found_head(f);
	case LENGTH:
		return body_done(f);
	case CHUNK_LINE:
		return found_chunk_line(f);
	case CHUNK_DATA:
		f->state = CHUNK_END;
		return ac_set_terminator_count(c, 2);
	case CHUNK_END:
		return found_chunk_end(f);
	case TRAILER:
		return found_trailer(f);
	default:
		return 0;
	}
}

static int write_body(struct fetch *f, const void *data, size_t len)
{
	struct get_job *job = f->job;
	int r = output_write(&job->out, data, len);

	if (r < 0) {
		FAIL(f, GET_LOCAL, "cannot write %s: %s", output_name(&job->out), strerror(-r));
		return 0;
	}
	progress_add(&job->progress, len);
	f->written = seconds();
	return 0;
}

/* A server of another protocol would else be waited for until the timeout. */
static int pull_head(struct fetch *f, const void *data, size_t len)
{
	static const char begin[] = "HTTP/";
	size_t left = f->head_seen < 5 ? 5 - f->head_seen : 0;

	if (memcmp(data, begin + f->head_seen, len < left ? len : left) != 0) {
		FAIL(f, GET_PROTOCOL, "bad response: this is no HTTP server");
		return 0;
	}
	f->head_seen += len < left ? len : left;
	return ac_pull(&f->c, data, len);
}

static int collect(struct ac_chat *c, const void *data, size_t len)
{
	struct fetch *f = (struct fetch *)c;

	switch (f->state) {
	case LENGTH:
	case TO_END:
	case CHUNK_DATA:
		return write_body(f, data, len);
	case HEAD:
		return pull_head(f, data, len);
	default:
		return ac_pull(c, data, len);
	}
}

static int connected(struct ac_dispatcher *d)
{
	struct fetch *f = (struct fetch *)d;

	f->state = HEAD;
	return ac_set_timeout(d, f->job->timeout);
}

static int eof(struct ac_dispatcher *d)
{
	struct fetch *f = (struct fetch *)d;

	if (f->state == TO_END)
		return body_done(f);
	lost(f, 0, NULL);
	return 0;
}

static int closed(struct ac_dispatcher *d)
{
	struct fetch *f = (struct fetch *)d;
	int reason = ac_close_reason(d);

	if (!f->over)
		lost(f, reason > 0 ? reason : 0, NULL);
	return 0;
}

static int error(struct ac_dispatcher *d, const struct ac_error *e)
{
	struct fetch *f = (struct fetch *)d;
	const char *told = names_tell(e, f->job->url.address);

	if (f->state == CONNECTING || e->code == EBADMSG || e->code == EPROTO)
		lost(f, e->code, told ? told : tls_why(e));
	else if (e->code == EMSGSIZE && f->state == HEAD)
		FAIL(f, GET_PROTOCOL, "bad response: a head of more than %zu bytes",
		     ac_limit(d, AC_MAX_RECORD));
	else if (e->code == EMSGSIZE)
		FAIL(f, GET_PROTOCOL, "bad chunk: a line of more than %d bytes", CHUNK_LINE_MAX);
	else
		FAIL(f, GET_LOCAL, "%s", strerror(e->code));
	return 0;
}

/* Time in which our own reader took nothing is not the server's. */
static int timeout(struct ac_dispatcher *d)
{
	struct fetch *f = (struct fetch *)d;
	struct get_job *job = f->job;
	char count[64];

	if (f->written > 0 && seconds() - f->written < job->timeout)
		return 0;
	if (f->state == CONNECTING)
		FAIL(f, GET_TIMEOUT, "timeout: no connection to %s within %g s", job->url.host,
		     job->connect_timeout);
	else if (f->state == HEAD)
		FAIL(f, GET_TIMEOUT, "timeout: no response within %g s", job->timeout);
	else
		FAIL(f, GET_TIMEOUT, "timeout: nothing came for %g s, partial body: %s",
		     job->timeout, so_far(job, count, sizeof(count)));
	return 0;
}

static const struct ac_chat_class fetch_class = {
	.d = {
		.super = AC_CHAT,
		.name = "get",
		.size = sizeof(struct fetch),
		.class_size = sizeof(struct ac_chat_class),
		.handle_connect = connected,
		.handle_eof = eof,
		.handle_timeout = timeout,
		.handle_close = closed,
		.handle_error = error,
	},
	.collect_incoming_data = collect,
	.found_terminator = found,
};

static int prepare(struct fetch *f)
{
	AC_TRY(f, ac_set_terminator(&f->c, "\r\n\r\n", 4));
	AC_TRY(f, ac_set_timeout(&f->c.d, f->job->connect_timeout));
	if (f->job->url.secure)
		AC_TRY(f, tls_start(&f->c.d, f->job->tls, f->job->url.name));
	return get_push_request(&f->c, f->job);
}

/* A URL that redirects may be the first one to need it. */
static bool has_tls(struct get_job *job)
{
	if (!job->url.secure || job->tls)
		return true;
	if (tls_client("get", &job->tls_options, &job->tls) == STATUS_OK)
		return true;
	job->failed = true; /* and it was said */
	job->outcome = GET_LOCAL;
	return false;
}

void get_fetch(struct get_job *job)
{
	struct fetch *f;
	int r;

	if (!has_tls(job))
		return;
	f = (struct fetch *)ac_chat_new(job->map, &fetch_class);
	r = f ? 0 : -ENOMEM;
	if (f) {
		f->job = job;
		r = prepare(f);
	}
	if (r < 0) {
		get_fail(job, GET_LOCAL, "%s", strerror(-r));
	} else {
		r = ac_dial(&f->c.d, job->url.address);
		if (r < 0)
			lost(f, -r, NULL);
	}
	if (r < 0 && f)
		give_up(f);
}
