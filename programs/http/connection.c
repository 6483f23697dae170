/*
 * connection.c — one client: heads and bodies cut by terminators, deadlines, and its end.
 *
 *	        CRLFCRLF                length        all of it
 *	HEAD ───────────▶ judged ─┬──────────▶ BODY ─────────────┐
 *	 ▲                        ├──▶ CHUNK ─▶ DATA ─▶ DATA_END   │
 *	 │                        │      ▲ └─0─▶ TRAILER └──┐      │
 *	 │                        │      └──────────────────┘      ▼
 *	 └───── keeps alive ◀─────┴────────────────────────── answered ── else ─▶ LINGER ─▶ closed
 *
 * Design: nothing that was pipelined behind a refused request is looked at: LINGER reads and drops. Closing
 * at once would make the kernel send a reset, which could overtake the answer.
 */
#include "server.h"

#include "../tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REQUESTS_MOST 1000
#define LINGER_SECONDS 5
#define SLOW_SECONDS 5  /* so long a client may be slower than it should */
#define REFUSED_MOST 32 /* of those too many, answered at a time; others are reset */

static struct http_connection *connection_of(struct ac_chat *c)
{
	return (struct http_connection *)c;
}

static void wait_at_most(struct http_connection *h, double seconds)
{
	if (h->waits != seconds)
		ac_set_timeout(&h->c.d, seconds);
	h->waits = seconds;
}

/* Without a head, the one whose body was being read is meant, or what has come of one. */
static int refuse(struct http_connection *h, const struct http_head *head, int status)
{
	struct http_head kept = { .method = { "", 0 }, .minor = 1 };
	struct ac_slice begun = ac_incoming(&h->c);

	if (head)
		return http_answer_error(h, head, status);
	if (h->request)
		http_head_read(h->request, h->request_len, &kept);
	else
		kept.line = http_take_until(&begun, "\r\n");
	return http_answer_error(h, &kept, status);
}

static int lingered(void *arg)
{
	struct http_connection *h = arg;

	ac_close(&h->c.d);
	return 0;
}

static void expect_head(struct http_connection *h)
{
	h->state = HTTP_HEAD;
	h->started = false;
	ac_set_limit(&h->c.d, AC_MAX_RECORD_TIME, 0); /* the map's */
	ac_set_terminator(&h->c, "\r\n\r\n", 4);
	wait_at_most(h, ac_pending(&h->c) ? h->server->stall_timeout : h->server->idle_timeout);
}

/* What was pushed goes out first; handle_drain then shuts our side. Until then nothing is read: a client is
 * alive as long as it takes its answer, whatever it says meanwhile. */
void http_linger(struct http_connection *h)
{
	h->state = HTTP_LINGER;
	ac_discard_input(&h->c);
	ac_set_terminator_none(&h->c);
	ac_pause(&h->c.d);
	wait_at_most(h, h->server->stall_timeout);
}

static int drained(struct ac_chat *c)
{
	struct http_connection *h = connection_of(c);

	if (ac_pending(c))
		return 0;
	if (h->state == HTTP_HEAD && !h->started) {
		if (h->server->stopping)
			ac_close(&c->d);
		wait_at_most(h, h->server->idle_timeout);
	}
	if (h->state != HTTP_LINGER || ac_task_pending(&h->lingering))
		return 0;
	AC_TRY(c, ac_task_start(&h->lingering, c->d.map, LINGER_SECONDS, lingered, h));
	AC_TRY(c, ac_shutdown(&c->d, SHUT_WR));
	ac_resume(&c->d);
	return 0;
}

/* The answer to what is whole now; then the next request. */
static int answer(struct http_connection *h, const struct http_head *head)
{
	bool one_more = ++h->requests < REQUESTS_MOST && !h->server->stopping;

	h->keeps_alive = one_more && !http_has_token(head, "connection", "close") &&
	                 (head->minor > 0 || http_has_token(head, "connection", "keep-alive"));
	AC_TRY(h, http_answer(h, head));
	if (h->state != HTTP_LINGER)
		expect_head(h);
	return 0;
}

static int answer_kept(struct http_connection *h)
{
	struct http_head head;
	char *request = h->request;
	int r;

	h->request = NULL;
	http_head_read(request, h->request_len, &head); /* was read before, and was good */
	r = answer(h, &head);
	free(request);
	return r;
}

static int expect_body(struct http_connection *h, struct ac_slice record,
                       const struct http_body *body)
{
	h->request = malloc(record.len + 1);
	if (!h->request)
		return ac_raise(h, ENOMEM);
	memcpy(h->request, record.data, record.len);
	h->request_len = record.len;
	h->body = h->overhead = 0;
	wait_at_most(h, h->server->stall_timeout);
	ac_set_limit(&h->c.d, AC_MAX_RECORD_TIME, SIZE_MAX); /* bodies only have to go on */
	if (body->expects_continue)
		AC_TRY(h, ac_pushf(&h->c, "HTTP/1.1 100 Continue\r\n\r\n"));
	if (body->chunked) {
		h->state = HTTP_CHUNK;
		return ac_set_terminator(&h->c, "\r\n", 2);
	}
	h->state = HTTP_BODY;
	return ac_set_terminator_count(&h->c, (int64_t)body->length);
}

static int head_came(struct http_connection *h)
{
	struct ac_slice record = ac_incoming(&h->c);
	struct http_head head;
	struct http_body body;
	int status = http_head_read(record.data, record.len, &head);

	if (status == 0)
		status = http_body_read(&head, &body);
	if (status)
		return refuse(h, &head, status);
	if (body.chunked || body.length)
		return expect_body(h, record, &body);
	return answer(h, &head);
}

static int chunk_came(struct http_connection *h)
{
	struct ac_slice line = ac_incoming(&h->c);
	uint64_t size;

	if (http_chunk_read(line, &size))
		return refuse(h, NULL, 400);
	h->overhead += line.len + 4;
	h->body += size;
	if (size > HTTP_BODY_MOST || h->body > HTTP_BODY_MOST ||
	    h->overhead > HTTP_CHUNK_OVERHEAD_MOST)
		return refuse(h, NULL, 413);
	if (size == 0) {
		h->state = HTTP_TRAILER;
		return 0;
	}
	h->state = HTTP_DATA;
	return ac_set_terminator_count(&h->c, (int64_t)size);
}

/* Fields behind the last chunk are dropped; an empty line ends them. */
static int trailer_came(struct http_connection *h)
{
	struct ac_slice line = ac_incoming(&h->c);
	struct http_field f;

	h->overhead += line.len + 2;
	if (h->overhead > HTTP_CHUNK_OVERHEAD_MOST)
		return refuse(h, NULL, 413);
	if (line.len == 0)
		return answer_kept(h);
	return http_field_read(line, &f) ? refuse(h, NULL, 400) : 0;
}

static int data_ended(struct http_connection *h)
{
	if (memcmp(ac_incoming(&h->c).data, "\r\n", 2) != 0)
		return refuse(h, NULL, 400);
	h->state = HTTP_CHUNK;
	return ac_set_terminator(&h->c, "\r\n", 2);
}

static int found(struct ac_chat *c)
{
	struct http_connection *h = connection_of(c);

	switch (h->state) {
	case HTTP_HEAD:
		return head_came(h);
	case HTTP_BODY:
		return answer_kept(h);
	case HTTP_CHUNK:
		return chunk_came(h);
	case HTTP_DATA:
		h->state = HTTP_DATA_END;
		return ac_set_terminator_count(c, 2);
	case HTTP_DATA_END:
		return data_ended(h);
	case HTTP_TRAILER:
		return trailer_came(h);
	default:
		return 0;
	}
}

/* A line of 8 KiB without an end will not get better. */
static int check_head(struct http_connection *h)
{
	struct ac_slice head = ac_incoming(&h->c);
	size_t line_most = HTTP_LINE_MOST + 2;

	if (head.len >= line_most && !memmem(head.data, line_most, "\r\n", 2))
		return refuse(h, NULL, 414);
	return head.len > HTTP_HEAD_MOST ? refuse(h, NULL, 431) : 0;
}

static int collect(struct ac_chat *c, const void *data, size_t len)
{
	struct http_connection *h = connection_of(c);

	if (h->state == HTTP_BODY || h->state == HTTP_DATA || h->state == HTTP_LINGER)
		return 0;
	AC_TRY(c, ac_pull(c, data, len));
	if (h->state != HTTP_HEAD)
		return 0;
	if (!h->started) {
		h->started = true;
		wait_at_most(h, h->server->stall_timeout);
	}
	return check_head(h);
}

/* Whether an answer is taken is for the library to see. */
static int silent(struct ac_dispatcher *d)
{
	struct http_connection *h = (struct http_connection *)d;

	if (!ac_pending(&h->c))
		ac_close(d);
	return 0;
}

/* A head or a chunk line that grows too long, or is late, comes here from the library's own limits. */
static int failed(struct ac_dispatcher *d, const struct ac_error *e)
{
	struct http_connection *h = (struct http_connection *)d;
	bool late = e->code == ETIMEDOUT && ac_timed_out(d) == AC_RECORD_LATE;

	if (late && h->state == HTTP_HEAD)
		return refuse(h, NULL, 408);
	if (e->code == EMSGSIZE && h->state != HTTP_LINGER)
		return refuse(h, NULL, h->state == HTTP_HEAD ? 431 : 400);
	if (!h->server->tls || (e->code != EBADMSG && e->code != EPROTO && tls_is_secure(d)))
		return AC_DISPATCHER->handle_error(d, e);
	if (e->code != EBADMSG || !tls_is_secure(d)) /* many clients go without a word */
		http_log_tls(h, e);
	ac_close(d);
	return 0;
}

static int closed(struct ac_dispatcher *d)
{
	struct http_connection *h = (struct http_connection *)d;

	ac_task_cancel(&h->lingering);
	free(h->request);
	h->request = NULL;
	h->server->connections--;
	return h->server->stopping && h->server->connections == 0 ? AC_EXIT : 0;
}

static const struct ac_chat_class connection_class = {
	.d = {
		.super = AC_CHAT,
		.name = "http",
		.size = sizeof(struct http_connection),
		.handle_timeout = silent,
		.handle_error = failed,
		.handle_close = closed,
	},
	.collect_incoming_data = collect,
	.found_terminator = found,
	.handle_drain = drained,
};

static struct http_connection *adopt(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct http_server *s = ((struct http_listener *)d)->server;
	struct http_connection *h =
		(struct http_connection *)ac_chat_adopt(d->map, &connection_class, fd, peer);

	if (h) {
		h->server = s;
		s->connections++;
	}
	return h;
}

static int set_rates(struct http_connection *h)
{
	const struct http_server *s = h->server;

	if (s->min_rate)
		AC_TRY(h, ac_set_min_rate(&h->c.d, s->min_rate, SLOW_SECONDS));
	if (s->rate)
		AC_TRY(h, ac_set_rate(&h->c.d, s->rate, s->rate));
	return s->rate_all ? ac_join_rate(&h->c.d, s->rate_all, s->rate_all) : 0;
}

static int accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct http_connection *h = adopt(d, fd, peer);

	if (!h)
		return ac_raise(d, errno);
	AC_TRY(h, tls_start(&h->c.d, h->server->tls, NULL));
	expect_head(h);
	return set_rates(h);
}

static int rejected(struct ac_dispatcher *d, int fd, const struct ac_addr *peer, enum ac_limit why)
{
	struct http_server *s = ((struct http_listener *)d)->server;
	struct http_connection *h;

	if (s->connections >= ac_map_connections(d->map) + REFUSED_MOST)
		return AC_DISPATCHER->handle_rejected(d, fd, peer, why);
	h = adopt(d, fd, peer);
	if (!h)
		return ac_raise(d, errno);
	AC_TRY(h, tls_start(&h->c.d, s->tls, NULL));
	return refuse(h, NULL, 503);
}

const struct ac_class http_listener_class = {
	.super = AC_DISPATCHER,
	.name = "http-listener",
	.size = sizeof(struct http_listener),
	.handle_accepted = accepted,
	.handle_rejected = rejected,
};

static int stop_one(struct ac_dispatcher *d, void *arg)
{
	struct http_connection *h = (struct http_connection *)d;

	(void)arg;
	if (strcmp(d->cls->name, http_listener_class.name) == 0)
		ac_close(d);
	else if (strcmp(d->cls->name, connection_class.d.name) == 0 && h->state == HTTP_HEAD &&
	         !h->started && ac_pending(&h->c) == 0)
		ac_close(d);
	return 0;
}

void http_connections_stop(struct http_server *s)
{
	s->stopping = true;
	ac_map_each(s->map, stop_one, NULL);
}
