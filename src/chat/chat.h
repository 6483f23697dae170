/*
 * chat.h — the inside of a chat: what has come and is not cut yet, what is queued and not sent yet.
 *
 * Invariants:
 *  - c->in is NULL while it would be empty: [collected][rest], the record so far and what is not cut yet.
 *  - the rest is at most as long as a terminator, unless AC_IS_HOLDING says that cutting was stopped.
 *  - c->out is NULL while nothing is queued; out->total is the sum of what its producers are charged.
 *  - no producer is freed while its `more` is on the stack: out->flushing.
 */
#ifndef AC_CHAT_H
#define AC_CHAT_H

#include <asynchat.h>
#include <string.h>

#include "../dispatcher/dispatcher.h"

struct ac_inbuf {
	size_t cap, len, rest;
	char data[];
};

/* Input on its way through the terminators: lives on the stack of handle_read. */
struct ac_feed {
	struct ac_feed *outer;
	struct ac_chat *chat;
	const char *data;
	size_t len, pos;
	const char *lent; /* the record so far, where it lies in `data` in one piece */
	size_t lent_len;
	size_t ended;   /* behind the record found last */
	bool discarded; /* by the handler that is being called */
};

struct ac_member {
	uint16_t at, len; /* of its bytes, behind the members */
	size_t next;      /* where it comes next in the data fed last; AC_NOT_FOUND */
	bool known;
};

/* A terminator that does not fit into the chat: a long string, or a list. */
struct ac_terminator {
	size_t count;
	struct ac_member members[];
};

struct ac_output {
	struct ac_fifo fifo;
	struct ac_chunk_producer *last; /* the last in the queue, if it is a chunk */
	size_t memory;                  /* bytes held: what AC_MAX_OUTPUT bounds */
	size_t total; /* those and the lengths of files: what the water marks look at */
	bool blocked; /* the kernel takes no more for now */
	bool dry;     /* the first producer has nothing yet */
	bool flushing;
	bool discarded; /* while flushing: to be emptied afterwards */
};

enum ac_chat_flag {
	AC_CHAT_KEEPS_TERMINATOR = 1,
	AC_CHAT_IS_LISTED = 2, /* others have pushed: its frame is run when the pass ends */
	AC_CHAT_IS_AFLOAT = 4, /* the poller has output of it that goes before what is queued */
};

static inline const struct ac_chat_class *ac_chat_cls_(const struct ac_chat *c)
{
	return (const struct ac_chat_class *)(const void *)c->d.cls;
}

/* terminator.c */
struct ac_cut {
	size_t at, len; /* where the terminator was found; AC_NOT_FOUND */
	size_t index;
	size_t held; /* not found: bytes at the end that may become one */
};
static inline const char *ac_member_(const struct ac_terminator *t, size_t i)
{
	return (const char *)(t->members + t->count) + t->members[i].at;
}
/* The string that is set, wherever it lies. */
static inline struct ac_slice ac_string_(const struct ac_chat *c)
{
	if (c->term_len)
		return (struct ac_slice){ c->term.bytes, c->term_len };
	return (struct ac_slice){ ac_member_(c->term.heap, 0), c->term.heap->members[0].len };
}
void ac_find_any_(struct ac_chat *c, const struct ac_feed *f, bool last, struct ac_cut *ret);
void ac_forget_places_(struct ac_chat *c); /* of a list: other data is fed from now on */
void ac_terminator_done_(struct ac_chat *c);

/* input.c */
int ac_chat_read_(struct ac_dispatcher *d);
int ac_chat_keep_(struct ac_chat *c, const void *data, size_t len);
void ac_input_done_(struct ac_chat *c);
bool ac_chat_has_uncut_(const struct ac_chat *c); /* input that no handler has been given */
/* Moves what a poller had read and nobody has seen to *to. */
int ac_chat_give_uncut_(struct ac_chat *c, struct ac_buf *to);

/* convert.c */
/*
 * From now on the bytes of a channel go by another transport. Connected: what is queued is sent first, -EBUSY
 * if that cannot be; received and not consumed input is refused by -EPROTO, and the channel doomed; what a
 * poller had read for it and not told goes to *early; it is connecting again. Else it waits for the kernel's connect.
 */
AC_API int ac_convert_(struct ac_dispatcher *d, const struct ac_transport *to,
                       struct ac_buf *early);

/* pieces.c: the producers that the queue knows from inside */
extern const struct ac_producer_class ac_chunk_class_, ac_lent_class_, ac_file_class_;
struct ac_chunk_producer {
	struct ac_producer p;
	struct ac_map *map; /* whose cache it goes back to */
	size_t used;
	char data[];
};
struct ac_chunk_producer *ac_chunk_new_(struct ac_map *m);
/* false: no room */
static inline bool ac_chunk_add_(struct ac_chunk_producer *k, const void *data, size_t len)
{
	if (len > AC_CHUNK_SIZE - sizeof(*k) - k->used)
		return false;
	memcpy(k->data + k->used, data, len);
	k->used += len;
	k->p.slice.len += len;
	return true;
}
void ac_piece_free_(struct ac_producer *p, struct ac_map *m); /* a chunk goes to the cache of m */
struct ac_producer *ac_copy_new_(const void *data, size_t len);
struct ac_producer *ac_lent_new_(const void *data, size_t len, void (*free_fn)(void *), void *arg);
struct ac_producer *ac_whole_file_new_(int fd, int64_t offset, int64_t len);
struct ac_whole_file {
	struct ac_producer p;
	int fd;
	int64_t offset, left;
};

/* output.c */
struct ac_output *ac_output_(struct ac_chat *c); /* made where there is none; NULL: no memory */
void ac_queue_producer_(struct ac_chat *c, struct ac_producer *p);
size_t ac_charge_(const struct ac_chat *c, const struct ac_producer *p); /* memory it stands for */
void ac_flush_(struct ac_chat *c); /* failures doom the channel */
void ac_output_done_(struct ac_chat *c);
void ac_chat_sent_(struct ac_chat *c, const struct ac_found *f); /* what was afloat */

#endif
