/*
 * convert.c — a channel whose bytes go another way from now on, at its beginning or in mid-conversation.
 *
 * Design: what was said before the change belongs to the old way and what comes after it to the new one. So
 * output goes first, and input that is here already ends the channel: somebody may have put it in front of what
 * the new way would have protected. Input that a poller read ahead is what the kernel might as well still have:
 * the new transport gets it.
 */
#include "chat.h"

#include <errno.h>

static bool is_in_use(const struct ac_dispatcher *d)
{
	return d->flags & AC_IS_CONNECTED;
}

static int refuse(struct ac_chat *c)
{
	ac_discard_input(c);
	ac_doom_(&c->d, EPROTO, false);
	return ac_raisef(c, EPROTO, "bytes came before the handshake");
}

/* Nothing is left that would have to go in clear. */
static int send_queued(struct ac_dispatcher *d, struct ac_chat *c)
{
	size_t left = 0;

	if (c) {
		ac_flush_(c);
		left = c->out ? 1 + ac_pending(c) : 0;
	} else if (ac_is_a_(d, AC_DISPATCHER_WITH_SEND)) {
		ac_sender_flush_((struct ac_sender *)d);
		left = ac_sender_pending((const struct ac_sender *)d);
	}
	if (left && !(d->flags & (AC_IS_DOOMED | AC_IS_CLOSING)))
		return ac_raisef(d, EBUSY, "output is queued that has to go first");
	return 0;
}

static int change(struct ac_dispatcher *d, struct ac_chat *c, const struct ac_transport *to,
                  struct ac_buf *early)
{
	if (is_in_use(d)) {
		AC_TRY(d, send_queued(d, c));
		if (c)
			AC_TRY(d, ac_chat_give_uncut_(c, early));
		d->flags ^= AC_IS_CONNECTED | AC_IS_CONNECTING;
	}
	ac_set_transport_(d, to);
	return 0;
}

int ac_convert_(struct ac_dispatcher *d, const struct ac_transport *to, struct ac_buf *early)
{
	struct ac_chat *c = ac_is_a_(d, &ac_chat_class.d) ? (struct ac_chat *)d : NULL;
	bool fed = (d->flags & AC_IS_FED) && (d->flags & AC_IS_COUNTED);
	int r, watched = 0;

	if (c && is_in_use(d) && ac_chat_has_uncut_(c))
		return refuse(c);
	if (fed)
		ac_unwatch_(d);
	d->flags &= ~(uint32_t)AC_IS_FED;
	r = change(d, c, to, early);
	if (fed)
		watched = ac_watch_(d);
	ac_touch(d);
	if (r < 0 || watched == 0 || watched == -ECANCELED) /* a predicate has closed it */
		return r;
	ac_doom_(d, -watched, false);
	return ac_raise(d, -watched);
}
