/*
 * asynchat.h — chats: input cut at terminators, output from a FIFO of producers.
 *
 * What Python's asynchat was, for C. A chat is a dispatcher whose input is cut into records by a
 * *terminator*: a string, one of several strings, a number of bytes, or none. It may be changed
 * whenever a record was found; what has been read already is cut by the new one. Output goes through
 * a first-in-first-out queue of *producers*, which are asked for more as the peer takes it.
 *
 *	bytes ─▶ collect_incoming_data ─▶ found_terminator          push ─▶ fifo ─▶ more() ─▶ bytes
 *
 * Pushes made inside the chat's own handlers go out together, when the handler has returned; from
 * elsewhere they are tried at once. A push never calls a handler.
 */
#ifndef ASYNCHAT_H
#define ASYNCHAT_H

#include <asyncore.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ac_chat;
struct ac_inbuf;
struct ac_output;

/* A dispatcher whose fields behind `d` are the library's. Embed it first. */
struct ac_chat {
	struct ac_dispatcher d;
	struct ac_inbuf *in;   /* the unfinished record; NULL while there is none */
	struct ac_output *out; /* what is queued; NULL while nothing is */
	union {
		uint8_t bytes[8];
		uint64_t left;
		struct ac_terminator *heap;
	} term;
	uint8_t term_kind, term_len, term_found, chat_flags;
	uint32_t record_len; /* bytes collected since the last terminator */
};

struct ac_chat_class {
	struct ac_class d;
	/* Some bytes of the record, lent for the call. Not overridden: ac_pull, see ac_incoming. */
	int (*collect_incoming_data)(struct ac_chat *c, const void *data, size_t len);
	/* The record is complete. Must be overridden unless the terminator stays none. */
	int (*found_terminator)(struct ac_chat *c);
	/* Queued output has fallen to AC_LOW_WATER after it had reached AC_HIGH_WATER, or to nothing. */
	int (*handle_drain)(struct ac_chat *c);
};

/* The base class (Python: asynchat.async_chat). Say .d = { .super = AC_CHAT, … }. */
AC_API extern const struct ac_chat_class ac_chat_class;
#define AC_CHAT (&ac_chat_class.d)

/* ac_new and ac_adopt, typed: NULL as they. `cls` must have AC_CHAT among its supers. */
AC_API struct ac_chat *ac_chat_new(struct ac_map *map, const struct ac_chat_class *cls);
AC_API struct ac_chat *ac_chat_adopt(struct ac_map *map, const struct ac_chat_class *cls, int fd,
                                     const struct ac_addr *peer);

/* ---- terminators ------------------------------------------------------------------------- */

#define AC_TERMINATOR_MAX 4096 /* bytes of one terminator, and of all in a list together */

/*
 * Python: set_terminator(string | number | None | list). Copied. A string or list of length 0, count
 * 0 and none collect for ever. A count that would not fit AC_MAX_RECORD is -EMSGSIZE where the
 * default collector is in use. -EINVAL for NULL, an empty member of a list, or too long a string;
 * -ENOMEM. In a list the earliest match in the stream wins, the longest at the same place.
 */
AC_API int ac_set_terminator(struct ac_chat *c, const void *bytes, size_t len);
AC_API int ac_set_terminator_count(struct ac_chat *c, int64_t count); /* negative: -EINVAL */
AC_API int ac_set_terminator_none(struct ac_chat *c);
AC_API int ac_set_terminator_any(struct ac_chat *c, const struct ac_slice *list, size_t count);

enum ac_terminator_kind { AC_TERM_NONE, AC_TERM_STRING, AC_TERM_COUNT, AC_TERM_ANY };

/* What is set now: its kind; the string (or the list's members, one a call by `index`), or the bytes
 * still to come as len. Lent until the next set. Either result may be NULL. */
AC_API enum ac_terminator_kind ac_get_terminator(const struct ac_chat *c, size_t index,
                                                 struct ac_slice *ret_string, uint64_t *ret_left);

/* In found_terminator: which member of the list was found (0 for a string). */
AC_API size_t ac_found_index(const struct ac_chat *c);

/* Whether the record comes without its terminator: yes unless told otherwise (asynclib:
 * strip_terminator). */
AC_API void ac_set_strip_terminator(struct ac_chat *c, bool strip);

/* ---- input ------------------------------------------------------------------------------- */

/*
 * What the default collector holds since the last terminator. In found_terminator that is the record,
 * in place where it came in one piece; lent until the handler returns, then gone. Python: _get_data;
 * asynclib: inbox.
 */
AC_API struct ac_slice ac_incoming(const struct ac_chat *c);

/* The default collector, for those who override it only at times (Python: _collect_incoming_data;
 * asynclib: pull). */
AC_API int ac_pull(struct ac_chat *c, const void *data, size_t len);

/* ---- output ------------------------------------------------------------------------------ */

/*
 * Queue bytes. 0; -ENOBUFS over AC_MAX_OUTPUT, -ENOMEM, and then nothing is queued; 0 with nothing
 * done on a closed channel. ac_push copies. ac_push_owned takes the memory over at once, also when it
 * fails, and calls free_fn(arg) when it is no longer needed. ac_push_static lends for ever.
 * ac_push_file sends `len` bytes of a regular file from `offset` by sendfile and closes fd when done
 * or failed; a file that turns out shorter closes the channel with EIO. Python: push(data).
 */
AC_API int ac_push(struct ac_chat *c, const void *data, size_t len);
AC_API int ac_push_owned(struct ac_chat *c, const void *data, size_t len,
                         void (*free_fn)(void *arg), void *arg);
AC_API int ac_push_static(struct ac_chat *c, const void *data, size_t len);
AC_API int ac_pushf(struct ac_chat *c, const char *format, ...) AC_PRINTF(2, 3);
AC_API int ac_push_file(struct ac_chat *c, int fd, int64_t offset, int64_t len);

struct ac_producer;
/* The queue owns the producer from here, also on failure. NULL: -ENOMEM. Python: push_with_producer. */
AC_API int ac_push_with_producer(struct ac_chat *c, struct ac_producer *p);

/* Tries to send all that is queued, and asks a producer that had nothing again. What the peer does not
 * take is sent later; a failure is raised at the channel's next turn. 0. Python: initiate_send; asynclib:
 * flush. */
AC_API int ac_flush(struct ac_chat *c);

/* Closes when all that was pushed before is sent; what is pushed later is dropped, and no more records
 * are found: input is read on and discarded. 0. Python: close_when_done. */
AC_API int ac_close_when_done(struct ac_chat *c);

/* In emergencies: drop what has been read, what is queued, or both. Python: discard_buffers. */
AC_API void ac_discard_buffers(struct ac_chat *c);
AC_API void ac_discard_input(struct ac_chat *c);
AC_API void ac_discard_output(struct ac_chat *c);

/* Bytes queued, files with their lengths; a producer of unknown length counts out_buffer_size. */
AC_API size_t ac_pending(const struct ac_chat *c);

/* ---- producers --------------------------------------------------------------------------- */

/*
 * Something that has output to give. `more` lends the next bytes until it is called again or the
 * producer is freed; an empty slice means exhausted, and the producer is freed. A negative result is
 * raised on the chat; -EAGAIN: nothing yet, ac_flush when there is. Embed struct ac_producer first.
 */
struct ac_producer_class {
	const char *name;
	int (*more)(struct ac_producer *p, struct ac_slice *ret_slice);
	void (*free)(struct ac_producer *p);
};

struct ac_producer {
	const struct ac_producer_class *cls;
	struct ac_producer *next; /* the fifo's */
	struct ac_slice slice;    /* the queue's: what `more` gave and the peer has not taken yet */
};

/* All return NULL when memory ran out; a producer given to another is owned by it, and freed also
 * when the outer one could not be made. */

/* Successive pieces of a copy of the data, at most `piece` bytes each (0: 512 as in Python). */
AC_API struct ac_producer *ac_simple_producer(const void *data, size_t len, size_t piece);
/* `len` bytes of fd from `offset`, read a piece at a time; closes fd. For sending without a copy see
 * ac_push_file. */
AC_API struct ac_producer *ac_file_producer(int fd, int64_t offset, int64_t len);
/* Each of the strings with CRLF behind it; the strings are copied. */
AC_API struct ac_producer *ac_lines_producer(const char *const *lines, size_t count);
/* One after the other. The array is copied, the producers are owned. */
AC_API struct ac_producer *ac_composite_producer(struct ac_producer *const *parts, size_t count);
/* Calls hook(arg, total) once, when the inner producer is exhausted; with total -1 if it is freed
 * before that. */
AC_API struct ac_producer *ac_hooked_producer(struct ac_producer *inner,
                                              void (*hook)(void *arg, int64_t total), void *arg);
/* HTTP/1.1 chunks around what the inner one gives, the last chunk included. */
AC_API struct ac_producer *ac_chunked_producer(struct ac_producer *inner);
/* Puts `replacement` for each `from` in the stream, also where pieces cut it apart. */
AC_API struct ac_producer *ac_escaping_producer(struct ac_producer *inner, const char *from,
                                                const char *replacement);
/* Asks a function: fn(arg, buffer, size) gives bytes written, 0 at the end, -errno. */
AC_API struct ac_producer *ac_function_producer(ssize_t (*fn)(void *arg, void *buffer, size_t size),
                                                void *arg);
AC_API void ac_producer_free(struct ac_producer *p); /* NULL is fine */

/* ---- fifo ------------------------------------------------------------------------------- */

/* A queue of producers (Python: fifo). It owns what is in it. */
struct ac_fifo {
	struct ac_producer *head, **tail;
	size_t count;
};
AC_API void ac_fifo_init(struct ac_fifo *f);
AC_API void ac_fifo_done(struct ac_fifo *f); /* frees what is left */
AC_API bool ac_fifo_is_empty(const struct ac_fifo *f);
AC_API struct ac_producer *ac_fifo_first(const struct ac_fifo *f); /* NULL: empty */
AC_API void ac_fifo_push(struct ac_fifo *f, struct ac_producer *p);
AC_API struct ac_producer *ac_fifo_pop(struct ac_fifo *f); /* yours; NULL: empty */

/* Length of the longest suffix of the haystack that is a prefix of the needle, but not all of it.
 * Python: find_prefix_at_end. Thread-safe. */
AC_API size_t ac_find_prefix_at_end(const void *haystack, size_t haystack_len, const void *needle,
                                    size_t needle_len);

#ifdef __cplusplus
}
#endif
#endif
