/*
 * output.c — how what is queued gets to the peer.
 *
 *	fifo: [chunk][lent][simple][file][chunk] …
 *	       └── one writev, MSG_MORE ──┘└ sendfile
 *
 * Design: before a send, producers near the front are asked; the small pieces they give are put together in
 * a chunk in front of them, so that one system call takes data of many. A large piece is sent from where it
 * lies, and nothing behind it can be prepared until it is gone. Nothing leaves the queue before the
 * kernel has taken it.
 * Limits: FLUSH_MOST bytes a turn; the rest waits for the next pass, so that others get theirs.
 */
#include "chat.h"

#include <errno.h>
#include <string.h>

#define IOV_MOST 64
#define SMALL_PIECE 4096
#define PREPARE_MOST 65536
#define FLUSH_MOST 1048576

#define NOT_NOW (AC_IS_CLOSING | AC_IS_DOOMED | AC_IS_DETACHED)

struct ac_output *ac_output_(struct ac_chat *c)
{
	struct ac_map *m = c->d.map;

	if (c->out)
		return c->out;
	c->out = m->idle_output ? m->idle_output : ac_realloc_(NULL, sizeof(*c->out));
	m->idle_output = NULL;
	if (c->out) {
		memset(c->out, 0, sizeof(*c->out));
		ac_fifo_init(&c->out->fifo);
	}
	return c->out;
}

static void output_free(struct ac_chat *c)
{
	struct ac_map *m = c->d.map;

	if (m->idle_output)
		ac_free_(c->out);
	else
		m->idle_output = c->out;
	c->out = NULL;
}

static bool is_data(const struct ac_producer *p)
{
	return p->cls == &ac_chunk_class_ || p->cls == &ac_lent_class_;
}

static bool is_file(const struct ac_producer *p)
{
	return p->cls == &ac_file_class_;
}

/* What it holds in memory is known of data; any other producer stands for one piece of output. */
size_t ac_charge_(const struct ac_chat *c, const struct ac_producer *p)
{
	return is_data(p) ? p->slice.len : is_file(p) ? 0 : c->d.cls->out_buffer_size;
}

static size_t length(const struct ac_chat *c, const struct ac_producer *p)
{
	return is_file(p) ? (size_t)((const struct ac_whole_file *)p)->left : ac_charge_(c, p);
}

void ac_queue_producer_(struct ac_chat *c, struct ac_producer *p)
{
	c->out->memory += ac_charge_(c, p);
	c->out->total += length(c, p);
	ac_fifo_push(&c->out->fifo, p);
	c->out->last = p->cls == &ac_chunk_class_ ? (struct ac_chunk_producer *)p : NULL;
}

/* Takes the producer at *at out of the queue and frees it. */
static void remove_at(struct ac_chat *c, struct ac_producer **at)
{
	struct ac_fifo *f = &c->out->fifo;
	struct ac_producer *p = *at;

	c->out->memory -= ac_charge_(c, p);
	c->out->total -= length(c, p);
	*at = p->next;
	if (!*at)
		f->tail = at;
	f->count--;
	if (c->out->last && &c->out->last->p == p)
		c->out->last = NULL;
	ac_piece_free_(p, c->d.map);
}

/* Into the chunk before *at, or a new one there. Returns where the producer hangs now; NULL: no memory. */
static struct ac_producer **put_before(struct ac_chat *c, struct ac_producer *before,
                                       struct ac_producer **at, struct ac_slice piece)
{
	struct ac_chunk_producer *k = (struct ac_chunk_producer *)before;

	if (!k || before->cls != &ac_chunk_class_ || !ac_chunk_add_(k, piece.data, piece.len)) {
		k = ac_chunk_new_(c->d.map);
		if (!k)
			return NULL;
		ac_chunk_add_(k, piece.data, piece.len);
		k->p.next = *at;
		*at = &k->p;
		c->out->fifo.count++;
	}
	c->out->memory += piece.len;
	c->out->total += piece.len;
	return &k->p.next;
}

/* 0: go on behind *at; 1: enough, or nothing more to be had; -errno of the producer, which is gone. */
static int prepare_one(struct ac_chat *c, struct ac_producer *before, struct ac_producer ***at,
                       size_t *bytes)
{
	struct ac_producer *p = **at, **moved;
	int r = p->slice.len ? 0 : p->cls->more(p, &p->slice);

	if (r < 0)
		p->slice.len = 0;
	if (r == -EAGAIN)
		return 1;
	if (r < 0 || p->slice.len == 0) {
		remove_at(c, *at);
		return r < 0 ? r : 0;
	}
	*bytes += p->slice.len;
	if (p->slice.len > SMALL_PIECE)
		return 1;
	moved = put_before(c, before, *at, p->slice);
	if (!moved)
		return 1;
	p->slice.len = 0;
	*at = moved;
	return 0;
}

/* Asks producers until there is enough at the front for one send. */
static int prepare(struct ac_chat *c)
{
	struct ac_producer **at = &c->out->fifo.head, *before = NULL;
	size_t bytes = 0;
	int r = 0;

	while (r == 0 && *at && bytes < PREPARE_MOST && !is_file(*at) && !c->out->discarded &&
	       !(c->d.flags & NOT_NOW)) {
		if (is_data(*at)) {
			before = *at;
			bytes += before->slice.len;
			at = &before->next;
			continue;
		}
		r = prepare_one(c, before, &at, &bytes);
		before = at == &c->out->fifo.head
		                 ? NULL
		                 : (struct ac_producer *)(void *)((char *)at -
		                                                  offsetof(struct ac_producer,
		                                                           next));
	}
	return r < 0 ? r : 0;
}

static int gather(const struct ac_chat *c, struct iovec *iov, bool *ret_more)
{
	const struct ac_producer *p = c->out->fifo.head;
	int count = 0;

	for (; p && !is_file(p) && count < IOV_MOST; p = p->next) {
		if (p->slice.len)
			iov[count++] = (struct iovec){ (void *)p->slice.data, p->slice.len };
		if (!is_data(p))
			break;
	}
	*ret_more = p && is_file(p);
	return count;
}

/* The kernel has taken n bytes: what is empty now goes, but a producer may have more to give. */
static void consume(struct ac_chat *c, size_t n)
{
	struct ac_output *out = c->out;
	struct ac_producer *p;

	while ((p = out->fifo.head) != NULL && !is_file(p)) {
		size_t take = n < p->slice.len ? n : p->slice.len;

		if (take) /* a producer that was never filled has no data to count from */
			p->slice.data = (const char *)p->slice.data + take;
		p->slice.len -= take;
		n -= take;
		if (is_data(p)) {
			out->memory -= take;
			out->total -= take;
		}
		if (p->slice.len || !is_data(p))
			break;
		remove_at(c, &out->fifo.head);
	}
}

static ssize_t send_data(struct ac_chat *c)
{
	struct ac_dispatcher *d = &c->d;
	struct iovec iov[IOV_MOST];
	bool more;
	int count = gather(c, iov, &more);
	ssize_t n;

	if (count == 0) {
		c->out->dry = true; /* a producer has nothing yet */
		return 0;
	}
	n = d->transport->send(d, iov, count, more);
	c->out->blocked = n < (ssize_t)ac_iov_len_(iov, count);
	if (n > 0)
		consume(c, (size_t)n);
	return n;
}

/* A transport that cannot send a file as it lies gets it piece by piece. */
static int replace_file(struct ac_chat *c, struct ac_whole_file *f)
{
	int copy = ac_sys_dup_(f->fd);
	struct ac_producer *p = copy < 0 ? NULL : ac_file_producer(copy, f->offset, f->left);

	if (!p)
		return copy < 0 ? copy : -ENOMEM;
	p->next = f->p.next;
	f->p.next = p;
	if (!p->next)
		c->out->fifo.tail = &p->next;
	c->out->fifo.count++;
	c->out->memory += ac_charge_(c, p);
	c->out->total += length(c, p);
	remove_at(c, &c->out->fifo.head);
	return 0;
}

static ssize_t send_file(struct ac_chat *c, struct ac_whole_file *f)
{
	struct ac_dispatcher *d = &c->d;
	size_t len = f->left < FLUSH_MOST ? (size_t)f->left : FLUSH_MOST;
	ssize_t n =
		d->transport->sendfile ? d->transport->sendfile(d, f->fd, f->offset, len) : -EINVAL;

	if (n == -EINVAL || n == -ENOSYS)
		return replace_file(c, f);
	if (n == 0 && f->left) {
		ac_log_info(d, AC_LOG_WARNING, "a file ended %lld bytes early", (long long)f->left);
		ac_doom_(d, EIO, false);
		return 0;
	}
	c->out->blocked = n == -EAGAIN;
	if (n > 0) {
		f->offset += n;
		f->left -= n;
		c->out->total -= (size_t)n;
	}
	if (n >= 0 && f->left == 0)
		remove_at(c, &c->out->fifo.head);
	return n;
}

static bool may_send(const struct ac_chat *c, size_t sent)
{
	const struct ac_output *out = c->out;

	return sent < FLUSH_MOST && !ac_fifo_is_empty(&out->fifo) && !out->blocked && !out->dry &&
	       !out->discarded && !(c->chat_flags & AC_CHAT_IS_AFLOAT) && !(c->d.flags & NOT_NOW);
}

/* The kernel has taken n bytes of the only chunk, or -errno. True: all of it, and it is gone. */
static bool sent_chunk(struct ac_chat *c, ssize_t n, size_t wanted)
{
	struct ac_producer *p = c->out->fifo.head;

	c->out->blocked = n < (ssize_t)wanted;
	if (n < 0 && n != -EAGAIN)
		ac_unsent_(&c->d, (int)n);
	if (n <= 0)
		return false;
	ac_gave_(&c->d);
	if ((size_t)n < p->slice.len || p->next) {
		consume(c, (size_t)n);
		return false;
	}
	ac_fifo_init(&c->out->fifo);
	c->out->last = NULL;
	c->out->memory = c->out->total = 0;
	ac_chunk_give_(c->d.map, p);
	return true;
}

/* The poller sends it with the next wait, if the chat's turn is about to end and nobody waits for that. */
static bool goes_along(struct ac_chat *c, struct ac_slice data)
{
	struct ac_dispatcher *d = &c->d;
	struct ac_poller *p = d->map->poller;

	if (!(d->flags & AC_IS_FED) || !(d->flags & AC_IS_BUSY) || (d->flags & AC_IS_LEAVING) ||
	    ac_poller_is_stale_(p) || ac_chat_cls_(c)->handle_drain != ac_chat_class.handle_drain ||
	    !p->cls->send(p, d->fd, ac_token_(d), data))
		return false;
	d->flags |= AC_HAS_WRITTEN;
	c->chat_flags |= AC_CHAT_IS_AFLOAT;
	return true;
}

/* What is there mostly: one chunk, that the kernel takes as a whole. False: not so, or not any more. */
static bool send_chunk(struct ac_chat *c)
{
	struct ac_producer *p = c->out->fifo.head;
	struct ac_slice data;
	struct iovec iov;

	if (!p || p->next || p->cls != &ac_chunk_class_ || c->out->blocked ||
	    (c->chat_flags & AC_CHAT_IS_AFLOAT))
		return false;
	data = p->slice;
	if (goes_along(c, data))
		return sent_chunk(c, (ssize_t)data.len, data.len);
	iov = (struct iovec){ (void *)data.data, data.len };
	return sent_chunk(c, c->d.transport->send(&c->d, &iov, 1, false), data.len);
}

static void send_all(struct ac_chat *c)
{
	size_t sent = 0;

	while (may_send(c, sent)) {
		struct ac_producer *first;
		ssize_t n = prepare(c);

		first = c->out->fifo.head;
		if (n == 0 && first && !c->out->discarded && !(c->d.flags & NOT_NOW))
			n = is_file(first) ? send_file(c, (struct ac_whole_file *)first)
			                   : send_data(c);
		if (n > 0) {
			sent += (size_t)n;
			ac_gave_(&c->d);
		} else if (n < 0 && n != -EAGAIN) {
			ac_unsent_(&c->d, (int)n);
		}
	}
}

/* Water marks and the end: what follows from how much is left. */
static void weigh(struct ac_chat *c)
{
	struct ac_dispatcher *d = &c->d;
	struct ac_output *out = c->out;

	if (out && out->total >= ac_limit_(d, AC_HIGH_WATER)) {
		if (!(d->flags & AC_IS_CHOKED))
			ac_count_(d->map, AC_COUNT_INPUT_HELD);
		d->flags |= AC_IS_CHOKED;
	} else if ((d->flags & AC_IS_CHOKED) && (!out || out->total <= ac_limit_(d, AC_LOW_WATER)))
		d->flags = (d->flags & ~(uint32_t)AC_IS_CHOKED) | AC_IS_DRAINED;
	if (out && ac_fifo_is_empty(&out->fifo)) {
		output_free(c);
		if (ac_chat_cls_(c)->handle_drain != ac_chat_class.handle_drain)
			d->flags |= AC_IS_DRAINED;
	}
	if (!c->out || !c->out->blocked)
		ac_output_goes_(d);
	else if (!d->extra || !d->extra->waits)
		ac_output_waits_(d);
	if (c->chat_flags & AC_CHAT_IS_AFLOAT) {
		if (c->out || (d->flags & AC_IS_LEAVING))
			ac_queue_(d); /* the next wait is to be short */
		return;
	}
	if ((d->flags & AC_IS_LEAVING) && !c->out)
		ac_doom_(d, ac_close_reason_when_sent_(d), false);
}

/* Producers are asked here, and may do anything. */
static void flush_queue(struct ac_chat *c)
{
	struct ac_map *m = c->d.map;

	m->depth++;
	c->out->flushing = true;
	send_all(c);
	c->out->flushing = false;
	if (c->out->discarded)
		ac_discard_output(c);
	ac_map_release_(m);
}

void ac_flush_(struct ac_chat *c)
{
	struct ac_dispatcher *d = &c->d;

	if ((d->flags & NOT_NOW) || (c->out && c->out->flushing))
		return;
	if (c->out && (d->flags & AC_IS_CONNECTED) && !send_chunk(c) && !(d->flags & NOT_NOW))
		flush_queue(c);
	if (!(d->flags & NOT_NOW))
		weigh(c);
}

/* What the kernel would not take goes back to the front of the queue. */
static int put_back(struct ac_chat *c, const char *data, size_t len)
{
	struct ac_producer *p = ac_output_(c) ? ac_copy_new_(data, len) : NULL;
	struct ac_fifo *fifo;

	if (!p)
		return -ENOMEM;
	fifo = &c->out->fifo;
	p->next = fifo->head;
	fifo->head = p;
	if (!p->next)
		fifo->tail = &p->next;
	fifo->count++;
	c->out->memory += len;
	c->out->total += len;
	c->out->blocked = true;
	c->d.ready &= (uint8_t)~AC_OUT;
	return 0;
}

void ac_chat_sent_(struct ac_chat *c, const struct ac_found *f)
{
	size_t sent = f->len > 0 ? (size_t)f->len : 0;

	c->chat_flags &= (uint8_t)~AC_CHAT_IS_AFLOAT;
	if (c->d.flags & NOT_NOW)
		return;
	if (f->len < 0 && f->len != -EAGAIN)
		ac_unsent_(&c->d, f->len);
	else if (sent < f->buffer && put_back(c, f->data + sent, f->buffer - sent) < 0)
		ac_doom_(&c->d, ENOMEM, true);
	weigh(c);
}

void ac_output_done_(struct ac_chat *c)
{
	struct ac_producer *p;

	if (!c->out)
		return;
	while ((p = ac_fifo_pop(&c->out->fifo)) != NULL)
		ac_piece_free_(p, c->d.map);
	output_free(c);
}

void ac_discard_output(struct ac_chat *c)
{
	if (!c->out)
		return;
	if (c->out->flushing) {
		c->out->discarded = true;
		return;
	}
	ac_output_done_(c);
	if (c->d.transport->discarded)
		c->d.transport->discarded(&c->d);
	if (!(c->d.flags & NOT_NOW))
		weigh(c);
	ac_touch(&c->d);
}

size_t ac_pending(const struct ac_chat *c)
{
	return c->out ? c->out->total : 0;
}
