/*
 * meter.c — a channel's rates: a transport over its transport that lets no more through than there are tokens.
 *
 * Design: the table of the transport below is copied and the functions that move bytes are replaced, so that a
 * channel without a rate has nothing to look at, and one that is encrypted is measured above the
 * encryption. Who waits for tokens is not interested in the event meanwhile. A poller cannot read for it.
 * Limits: a datagram is never cut; what it is too long is a debt.
 */
#include "rate.h"

#include <errno.h>

#define IOV_MOST 64

struct ac_meter {
	struct ac_transport table;
	const struct ac_transport *under;
	struct ac_share in, out;
};

static struct ac_meter *meter_of(const struct ac_dispatcher *d)
{
	return d->extra->meter;
}

uint64_t ac_metered_in_(const struct ac_dispatcher *d)
{
	return meter_of(d) ? meter_of(d)->in.bytes : 0;
}

uint64_t ac_metered_out_(const struct ac_dispatcher *d)
{
	return meter_of(d) ? meter_of(d)->out.bytes : 0;
}

bool ac_metered_waits_(const struct ac_dispatcher *d, unsigned event)
{
	const struct ac_meter *m = meter_of(d);

	return m && (event == AC_IN ? m->in.waits : m->out.waits);
}

static bool is_whole(const struct ac_dispatcher *d)
{
	return d->family && !(d->flags & AC_IS_STREAM);
}

static ssize_t spent(struct ac_share *s, ssize_t n)
{
	if (n > 0) {
		ac_share_spend_(s, (size_t)n);
		s->bytes += (size_t)n;
	}
	return n;
}

static ssize_t metered_recv(struct ac_dispatcher *d, void *buffer, size_t size)
{
	struct ac_meter *m = meter_of(d);
	size_t most = ac_share_take_(&m->in, size);

	d->flags |= AC_HAS_READ;
	if (most == 0)
		return -EAGAIN;
	return spent(&m->in, m->under->recv(d, buffer, is_whole(d) ? size : most));
}

/* As many of the pieces as there are tokens for; the last may be cut. */
static int cut(struct iovec *to, const struct iovec *iov, int count, size_t most)
{
	int n = 0;

	while (n < count && n < IOV_MOST && most) {
		to[n] = iov[n];
		if (to[n].iov_len > most)
			to[n].iov_len = most;
		most -= to[n++].iov_len;
	}
	return n;
}

static ssize_t metered_send(struct ac_dispatcher *d, const struct iovec *iov, int count, bool more)
{
	struct ac_meter *m = meter_of(d);
	struct iovec some[IOV_MOST];
	size_t wanted = ac_iov_len_(iov, count), most = ac_share_take_(&m->out, wanted);

	d->flags |= AC_HAS_WRITTEN;
	if (most == 0)
		return -EAGAIN;
	if (most == wanted || is_whole(d))
		return spent(&m->out, m->under->send(d, iov, count, more));
	count = cut(some, iov, count, most);
	return spent(&m->out, m->under->send(d, some, count, false));
}

static ssize_t metered_splice_in(struct ac_dispatcher *d, int pipe, size_t len)
{
	struct ac_meter *m = meter_of(d);
	size_t most = ac_share_take_(&m->in, len);

	return most ? spent(&m->in, m->under->splice_in(d, pipe, most)) : -EAGAIN;
}

static ssize_t metered_splice_out(struct ac_dispatcher *d, int pipe, size_t len)
{
	struct ac_meter *m = meter_of(d);
	size_t most = ac_share_take_(&m->out, len);

	d->flags |= AC_HAS_WRITTEN;
	return most ? spent(&m->out, m->under->splice_out(d, pipe, most)) : -EAGAIN;
}

static ssize_t metered_sendfile(struct ac_dispatcher *d, int fd, int64_t offset, size_t len)
{
	struct ac_meter *m = meter_of(d);
	size_t most = ac_share_take_(&m->out, len);

	d->flags |= AC_HAS_WRITTEN;
	return most ? spent(&m->out, m->under->sendfile(d, fd, offset, most)) : -EAGAIN;
}

static unsigned metered_wants(const struct ac_dispatcher *d, unsigned wants)
{
	const struct ac_meter *m = meter_of(d);

	wants &= ~((m->in.waits ? AC_IN : 0u) | (m->out.waits ? AC_OUT : 0u));
	return m->under->wants ? m->under->wants(d, wants) : wants;
}

void ac_share_woken_(struct ac_seat *s)
{
	struct ac_meter *m = meter_of(s->d);
	bool in = s == &m->in.own || s == &m->in.group;

	if (in)
		m->in.waits = false;
	else
		m->out.waits = false;
	ac_touch(s->d);
}

static void share_done(struct ac_share *s)
{
	ac_seat_leave_(&s->own);
	ac_seat_leave_(&s->group);
	s->waits = false;
}

static void metered_finish(struct ac_dispatcher *d)
{
	struct ac_meter *m = meter_of(d);

	d->transport = m->under;
	d->extra->meter = NULL;
	share_done(&m->in);
	share_done(&m->out);
	ac_free_(m);
	if (d->transport->finish)
		d->transport->finish(d);
}

static void move_share(struct ac_share *s, struct ac_map *to)
{
	struct ac_rate *own = s->own.rate;

	s->waits = false;
	ac_seat_leave_(&s->group); /* it belongs to the other map */
	if (!own)
		return;
	own->refs++;
	ac_seat_leave_(&s->own);
	own->map = to;
	ac_seat_join_(&s->own, s->own.d, own);
	ac_rate_drop_(own);
}

static void metered_moved(struct ac_dispatcher *d)
{
	struct ac_meter *m = meter_of(d);

	move_share(&m->in, d->map);
	move_share(&m->out, d->map);
	if (m->under->moved)
		m->under->moved(d);
}

/* What the one below cannot do stays undone; one that is not connected yet moves no bytes. */
static void lay_over(struct ac_meter *m, const struct ac_transport *under)
{
	m->under = under;
	m->table = *under;
	m->table.recv = metered_recv;
	m->table.send = metered_send;
	m->table.splice_in = under->splice_in ? metered_splice_in : NULL;
	m->table.splice_out = under->splice_out ? metered_splice_out : NULL;
	m->table.sendfile = under->sendfile ? metered_sendfile : NULL;
	m->table.wants = under->handshake && !under->wants ? NULL : metered_wants;
	m->table.moved = metered_moved;
	m->table.finish = metered_finish;
}

const struct ac_transport *ac_bare_transport_(const struct ac_dispatcher *d)
{
	return d->extra && d->extra->meter ? d->extra->meter->under : d->transport;
}

void ac_set_transport_(struct ac_dispatcher *d, const struct ac_transport *transport)
{
	if (d->extra && d->extra->meter)
		lay_over(d->extra->meter, transport);
	else
		d->transport = transport;
}

/* What a poller has read for it is kept, and does not count. */
int ac_need_meter_(struct ac_dispatcher *d)
{
	bool fed = (d->flags & AC_IS_FED) && (d->flags & AC_IS_COUNTED);
	struct ac_meter *m;
	int r;

	if (!ac_extra_(d))
		return -ENOMEM;
	if (d->extra->meter)
		return 0;
	m = ac_alloc_(sizeof(*m));
	if (!m)
		return -ENOMEM;
	if (fed)
		ac_unwatch_(d);
	lay_over(m, d->transport);
	d->extra->meter = m;
	d->transport = &m->table;
	r = fed ? ac_watch_(d) : 0;
	if (r == -ECANCELED) /* a predicate has closed it */
		return 0;
	if (r < 0)
		ac_doom_(d, -r, true);
	return r;
}

/* Whoever waited asks anew. */
static void reseat(struct ac_dispatcher *d, struct ac_share *s, struct ac_seat *seat,
                   struct ac_rate *r)
{
	if (seat->link)
		s->waits = false;
	ac_seat_join_(seat, d, r);
}

static int make_own(struct ac_dispatcher *d, uint64_t rate, struct ac_rate **ret_rate)
{
	return rate ? ac_rate_make_(d->map, (double)rate, 0, ret_rate) : 0;
}

int ac_set_rate(struct ac_dispatcher *d, uint64_t in, uint64_t out)
{
	struct ac_rate *ins = NULL, *outs = NULL;
	int r;

	if (d->flags & AC_IS_CLOSING)
		return 0;
	r = make_own(d, in, &ins);
	if (r == 0)
		r = make_own(d, out, &outs);
	if (r == 0)
		r = ac_need_meter_(d);
	if (r == 0 && d->extra->meter) {
		reseat(d, &d->extra->meter->in, &d->extra->meter->in.own, ins);
		reseat(d, &d->extra->meter->out, &d->extra->meter->out.own, outs);
		ac_touch(d);
	}
	ac_rate_drop_(ins);
	ac_rate_drop_(outs);
	return r < 0 ? ac_raise(d, -r) : 0;
}

int ac_join_rate(struct ac_dispatcher *d, struct ac_rate *in, struct ac_rate *out)
{
	int r;

	if (d->flags & AC_IS_CLOSING)
		return 0;
	if ((in && in->map != d->map) || (out && out->map != d->map))
		return ac_raise(d, EINVAL);
	r = ac_need_meter_(d);
	if (r < 0)
		return ac_raise(d, -r);
	if (d->flags & AC_IS_CLOSING)
		return 0;
	reseat(d, &d->extra->meter->in, &d->extra->meter->in.group, in);
	reseat(d, &d->extra->meter->out, &d->extra->meter->out.group, out);
	ac_touch(d);
	return 0;
}
