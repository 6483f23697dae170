/*
 * datagram_out.c — datagrams that wait to be sent.
 *
 *	buf: [head, address, data][head, address, data]…      each begins at a multiple of 8
 *
 * Design: a full batch goes at once, what is left of it when the handlers have returned, or the pass has ended
 * if others sent it. Only there errors are told, since a send calls no handler. Where the kernel has no room
 * it says when there is; if it says so at once and yet takes nothing (a Unix receiver that is full, a device's
 * queue), the next try is made 5 ms later: the channel's own task, which does not go to another map with it.
 *
 * Limits: one that has to wait makes those behind it wait, also for other receivers: the order is kept.
 */
#include "datagram.h"

#include <errno.h>
#include <string.h>

#define REST_NS 5000000
#define LONGEST ((size_t)1 << 24)

struct head {
	uint32_t len, addr_len;
};

struct ac_datagram_queue {
	struct ac_buf buf;
	size_t count;
	bool blocked; /* until there is room */
	bool listed;  /* its frame is run when the pass ends */
	bool owed;    /* handle_drain, when all is sent */
	bool tried;   /* the first was tried, and an older error was in its way */
};

static struct ac_datagram *datagram_of(struct ac_dispatcher *d)
{
	return (struct ac_datagram *)d;
}

static size_t padded(size_t len)
{
	return (len + 7) & ~(size_t)7;
}

static size_t whole(const struct head *h)
{
	return sizeof(*h) + padded(h->addr_len) + padded(h->len);
}

size_t ac_datagram_pending(const struct ac_datagram *g)
{
	return g->out ? g->out->count : 0;
}

bool ac_datagram_writable_(struct ac_dispatcher *d)
{
	const struct ac_datagram_queue *q = datagram_of(d)->out;

	return q && q->count && !ac_task_pending(&d->extra->rest);
}

static unsigned gather(const struct ac_datagram_queue *q, struct ac_parcel *parcels, size_t most)
{
	char *at = q->buf.data + q->buf.start;
	unsigned n = 0;

	for (; n < AC_BATCH && n < most && n < q->count; n++) {
		const struct head *h = (const void *)at;

		parcels[n].addr.len = h->addr_len;
		memcpy(&parcels[n].addr.sa, at + sizeof(*h), h->addr_len);
		parcels[n].data = at + sizeof(*h) + padded(h->addr_len);
		parcels[n].len = h->len;
		at += whole(h);
	}
	return n;
}

static void drop(struct ac_datagram_queue *q, size_t n)
{
	for (; n; n--, q->count--)
		ac_buf_drop_(&q->buf, whole((const void *)(q->buf.data + q->buf.start)));
	q->tried = false;
}

static int try_again(void *arg)
{
	struct ac_dispatcher *d = arg;
	struct ac_datagram_queue *q = datagram_of(d)->out;

	q->blocked = false;
	if (ac_enter_(d))
		ac_leave_(d);
	return 0;
}

static void wait_for_room(struct ac_datagram *g)
{
	struct ac_datagram_queue *q = g->out;
	struct ac_dispatcher *d = &g->d;

	q->blocked = q->owed = true;
	d->ready &= (uint8_t)~AC_OUT;
	if (!(ac_sys_poll1_(d->fd, AC_OUT) & AC_OUT))
		return;
	ac_task_start_inner_(&d->extra->rest, d->map, ac_map_time_(d->map) + REST_NS, try_again, d);
}

/* The first cannot be sent. News of an earlier one stand in its way only once. */
static int refused(struct ac_datagram *g, int code, const struct ac_addr *to)
{
	struct ac_datagram_queue *q = g->out;
	struct ac_addr addr = *to;
	bool news = addr.len == 0 && !q->tried && g->d.family != AF_UNIX && ac_is_news_(code);

	g->unsent++;
	if (news)
		q->tried = true;
	else
		drop(q, 1);
	return ac_datagram_cls_(g)->handle_unsent(g, code, addr.len ? &addr : NULL);
}

static bool may_send(const struct ac_datagram *g)
{
	return g->out && g->out->count && !g->out->blocked && g->d.fd >= 0 &&
	       !(g->d.flags & AC_IS_CONNECTING);
}

/* How many were taken; 0: none now, or -errno about the first, whose address is given. */
static int send_batch(struct ac_datagram *g, size_t most, struct ac_addr *ret_to)
{
	struct ac_parcel parcels[AC_BATCH];
	unsigned count = gather(g->out, parcels, most);
	int n = ac_sys_send_parcels_(g->d.fd, parcels, count);

	g->d.flags |= AC_HAS_WRITTEN;
	if (n == -EAGAIN || n == -ENOBUFS) {
		wait_for_room(g);
		return 0;
	}
	if (n < 0) {
		*ret_to = parcels[0].addr;
		return n;
	}
	ac_moved_(&g->d);
	g->sent += (unsigned)n;
	drop(g->out, (size_t)n);
	return n;
}

/* Tells no one, and leaves the one that fails where it is. */
static void send_quietly(struct ac_datagram *g)
{
	struct ac_addr to;

	while (may_send(g)) {
		int n = send_batch(g, AC_BATCH, &to);

		if (n < 0) /* whoever looks at what is queued hears when it is not */
			g->out->owed = true;
		if (n <= 0)
			return;
	}
}

/* As many as there are now: a handler that sends anew must not keep this going. */
static int send_all(struct ac_datagram *g)
{
	size_t left = ac_datagram_pending(g);
	struct ac_addr to;
	int r = 0;

	while (r >= 0 && left && may_send(g) && !(g->d.flags & AC_IS_CLOSING)) {
		int n = send_batch(g, left, &to);

		if (n == 0)
			break;
		if (n < 0)
			r = refused(g, -n, &to);
		left -= n < 0 ? !g->out->tried : (size_t)n;
	}
	if (r >= 0 && g->out && g->out->count == 0 && g->out->owed) {
		g->out->owed = false;
		r = ac_datagram_cls_(g)->handle_drain(g);
	}
	return r < 0 ? r : 0;
}

int ac_datagram_write_(struct ac_dispatcher *d)
{
	struct ac_datagram *g = datagram_of(d);

	d->flags |= AC_HAS_WRITTEN;
	if (g->out)
		g->out->blocked = false;
	return send_all(g);
}

static void release(struct ac_datagram *g)
{
	if (!g->out)
		return;
	ac_task_cancel(&g->d.extra->rest);
	ac_buf_done_(&g->out->buf);
	ac_free_(g->out);
	g->out = NULL;
}

int ac_datagram_settle_(struct ac_dispatcher *d)
{
	struct ac_datagram *g = datagram_of(d);
	int r;

	if (d->flags & AC_IS_CLOSING) {
		release(g);
		return 0;
	}
	if (!g->out)
		return 0;
	g->out->listed = false;
	r = send_all(g);
	if (g->out && g->out->count == 0 && !(d->flags & AC_IS_CLOSING))
		release(g);
	return r;
}

int ac_datagram_close_(struct ac_dispatcher *d)
{
	send_quietly(datagram_of(d));
	return 0;
}

static int put(struct ac_datagram_queue *q, const void *data, size_t len, const struct ac_addr *to)
{
	const struct head h = { (uint32_t)len, to ? (uint32_t)to->len : 0 };
	static const char zeros[8];
	size_t end = q->buf.end - q->buf.start;
	int r = ac_buf_append_(&q->buf, &h, sizeof(h));

	if (r == 0 && to)
		r = ac_buf_append_(&q->buf, &to->sa, h.addr_len);
	if (r == 0)
		r = ac_buf_append_(&q->buf, zeros, padded(h.addr_len) - h.addr_len);
	if (r == 0)
		r = ac_buf_append_(&q->buf, data, len);
	if (r == 0)
		r = ac_buf_append_(&q->buf, zeros, padded(len) - len);
	if (r < 0)
		q->buf.end = q->buf.start + end;
	else
		q->count++;
	return r;
}

static bool is_full(const struct ac_datagram *g, size_t len)
{
	const struct ac_datagram_queue *q = g->out;
	size_t bytes = q->buf.end - q->buf.start, most = ac_limit_(&g->d, AC_MAX_OUTPUT);

	return q->count >= ac_datagram_cls_(g)->max_queued || bytes > most || len > most - bytes;
}

/* Its own frame sends when its handlers have returned; for others one is run when the pass ends. */
static int list(struct ac_datagram *g)
{
	int r = 0;

	if (!(g->d.flags & AC_IS_BUSY) && !g->out->listed) {
		r = ac_names_add_(&g->d.map->pushed, ac_name_of_(&g->d));
		g->out->listed = r == 0;
	}
	return r;
}

int ac_datagram_send(struct ac_datagram *g, const void *data, size_t len, const struct ac_addr *to)
{
	struct ac_dispatcher *d = &g->d;
	int r;

	if (d->fd < 0 || (d->flags & AC_IS_CLOSING))
		return 0;
	if (len > LONGEST)
		return ac_raise(d, EMSGSIZE);
	if (!ac_extra_(d) || (!g->out && !(g->out = ac_alloc_(sizeof(*g->out)))))
		return ac_raise(d, ENOMEM);
	if (is_full(g, len)) {
		g->refused++;
		g->out->owed = true;
		ac_refuse_output_(d, g->out->buf.end - g->out->buf.start, len);
		return ac_raise(d, ENOBUFS);
	}
	r = list(g);
	if (r == 0)
		r = put(g->out, data, len, to);
	if (r < 0)
		return ac_raise(d, -r);
	if (g->out->count >= AC_BATCH)
		send_quietly(g);
	return 0;
}
