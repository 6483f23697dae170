/* chat.c — the class of chats, and the states of its end. */
#include "chat.h"

static struct ac_chat *chat_of(struct ac_dispatcher *d)
{
	return (struct ac_chat *)d;
}

static int found_nothing(struct ac_chat *c)
{
	(void)c;
	return 0;
}

static bool writable(struct ac_dispatcher *d)
{
	const struct ac_output *out = chat_of(d)->out;

	return out && !out->dry && !(chat_of(d)->chat_flags & AC_CHAT_IS_AFLOAT) &&
	       !ac_fifo_is_empty(&out->fifo);
}

static int handle_write(struct ac_dispatcher *d)
{
	struct ac_chat *c = chat_of(d);

	if (c->out)
		c->out->blocked = false;
	ac_flush_(c);
	return 0;
}

/* What is queued still goes to a peer that only ended its own output. */
static int handle_eof(struct ac_dispatcher *d)
{
	d->flags |= AC_IS_LEAVING;
	ac_flush_(chat_of(d));
	return 0;
}

static void release(struct ac_chat *c)
{
	ac_input_done_(c);
	ac_output_done_(c);
	ac_terminator_done_(c);
}

static int settle(struct ac_dispatcher *d)
{
	struct ac_chat *c = chat_of(d);
	int r = 0;

	c->chat_flags &= (uint8_t)~AC_CHAT_IS_LISTED;
	if (d->flags & AC_IS_CLOSING) {
		release(c);
		return 0;
	}
	if (!c->out && !(d->flags & (AC_IS_LEAVING | AC_IS_CHOKED | AC_IS_DRAINED)))
		return 0;
	ac_flush_(c);
	if ((d->flags & AC_IS_DRAINED) && !(d->flags & AC_IS_DOOMED)) {
		d->flags &= ~(uint32_t)AC_IS_DRAINED;
		r = ac_chat_cls_(c)->handle_drain(c);
		ac_flush_(c);
	}
	return r;
}

static int answered(struct ac_dispatcher *d, const struct ac_found *f)
{
	if (f->events & AC_SENT)
		ac_chat_sent_(chat_of(d), f);
	else if (f->len > 0)
		return ac_chat_keep_(chat_of(d), f->data, (size_t)f->len);
	return 0;
}

const struct ac_chat_class ac_chat_class = {
	.d = {
		.super = &ac_dispatcher_class,
		.name = "chat",
		.size = sizeof(struct ac_chat),
		.class_size = sizeof(struct ac_chat_class),
		.flags = AC_OURS | AC_FEEDS,
		.readable = ac_base_readable_,
		.writable = writable,
		.handle_read = ac_chat_read_,
		.handle_write = handle_write,
		.handle_eof = handle_eof,
		.settle = settle,
		.answered = answered,
		AC_BASE_METHODS,
	},
	.collect_incoming_data = ac_pull,
	.found_terminator = found_nothing,
	.handle_drain = found_nothing,
};

struct ac_chat *ac_chat_new(struct ac_map *map, const struct ac_chat_class *cls)
{
	return chat_of(ac_new(map, &cls->d));
}

struct ac_chat *ac_chat_adopt(struct ac_map *map, const struct ac_chat_class *cls, int fd,
                              const struct ac_addr *peer)
{
	return chat_of(ac_adopt(map, &cls->d, fd, peer));
}

int ac_close_when_done(struct ac_chat *c)
{
	struct ac_dispatcher *d = &c->d;

	if (d->flags & AC_IS_CLOSING)
		return 0;
	d->flags |= AC_IS_LEAVING;
	if (!(d->flags & AC_IS_BUSY)) {
		ac_flush_(c);
		ac_update_(d);
	}
	return 0;
}

void ac_discard_buffers(struct ac_chat *c)
{
	ac_discard_input(c);
	ac_discard_output(c);
}
