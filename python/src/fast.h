/*
 * fast.h — _asyncore, the part of asyncore and asynchat that is called for every event, in C.
 *
 * Design: asyncore and asynchat are Python text that is complete without this. What is here takes
 * the place of some of their functions (method.c); each looks whether all is as usual and if not
 * gives way to the Python function it stands for. A channel is a plain Python object: its state
 * stays in its __dict__.
 *
 *   map, a dict ─── followed by ──> struct watch ── one for each descriptor ──> struct entry
 *                   (follow.c)          │                                         what the channel wants,
 *                                   a poller of the library                       what the poller was told
 *
 * Who wants what is asked before each wait; the answers of those whose class says nothing else than
 * ours (kind.c) are kept until one of the attributes they depend on is set (attribute.c).
 *
 * Invariants:
 *  - an entry's obj is borrowed from the map. It is touched only while the map is as it was when it
 *    was last followed, or compared as a number.
 *  - no entry outlives a call that may run Python: it is looked for again by its generation. What
 *    makes an object that the collector knows may run Python too, up to 3.11.
 *  - what is ready is looked up in the map again before it is served.
 *  - all is kept in the state of the module, one for each interpreter; the GIL guards it.
 */
#ifndef FAST_H
#define FAST_H

#include "compat.h"

#include <poller/poller.h>

/* ---- module.c: strings that are asked for all the time ---- */
#define FAST_NAMES(X)                                                                              \
	X(append)                                                                                  \
	X(popleft)                                                                                 \
	X(accepting)                                                                               \
	X(ac_in_buffer)                                                                            \
	X(ac_in_buffer_size)                                                                       \
	X(ac_out_buffer_size)                                                                      \
	X(ac_cork)                                                                                 \
	X(collect_incoming_data)                                                                   \
	X(connected)                                                                               \
	X(connecting)                                                                              \
	X(fileno)                                                                                  \
	X(found_terminator)                                                                        \
	X(get_terminator)                                                                          \
	X(handle_accept)                                                                           \
	X(handle_close)                                                                            \
	X(handle_connect_event)                                                                    \
	X(handle_expt_event)                                                                       \
	X(handle_read)                                                                             \
	X(handle_read_event)                                                                       \
	X(handle_write)                                                                            \
	X(handle_write_event)                                                                      \
	X(incoming)                                                                                \
	X(initiate_send)                                                                           \
	X(producer_fifo)                                                                           \
	X(readable)                                                                                \
	X(recv)                                                                                    \
	X(send)                                                                                    \
	X(socket)                                                                                  \
	X(socket_map)                                                                              \
	X(terminator)                                                                              \
	X(writable)                                                                                \
	X(_fileno)                                                                                 \
	X(_map)                                                                                    \
	X(__getattribute__)                                                                        \
	X(__setattr__)

struct names {
#define X(name) PyObject *name;
	FAST_NAMES(X)
#undef X
};

/* What a class has from us, unchanged: a bit for each. */
enum {
	OUR_READABLE = 1 << 0,
	OUR_WRITABLE = 1 << 1,      /* always */
	OUR_CHAT_WRITABLE = 1 << 2, /* something to send, or not connected */
	OUR_STATE = 1 << 3,         /* connected and accepting, as attributes that we follow */
	OUR_FIFO = 1 << 4,
	OUR_READ_EVENT = 1 << 5,
	OUR_WRITE_EVENT = 1 << 6,
	OUR_CHAT_READ = 1 << 7,
	OUR_CHAT_WRITE = 1 << 8,
	OUR_RECV = 1 << 9,
	OUR_SEND = 1 << 10,
	OUR_INITIATE_SEND = 1 << 11,
	OUR_GET_TERMINATOR = 1 << 12,
	OUR_IN_BUFFER = 1 << 13,
	OUR_COLLECT = 1 << 14, /* collect_incoming_data = _collect_incoming_data */
	WITH_CORK = 1 << 15,
	OUR_SOCKET = 1 << 16, /* self.socket is what its __dict__ says */
};

/* A class and what it has from us, as long as its version is this. */
struct kind {
	PyTypeObject *type;
	unsigned version;
	unsigned ours;
	Py_ssize_t in_size, out_size; /* -1: not a plain number */
};

#define KINDS 256

/* A dict whose values must be the originals, or Python does the work. */
struct guard {
	PyObject *dict;
	uint64_t version;
	bool changed;
};

struct original {
	int guard;
	PyObject *name, *value;
};

enum { GUARD_ASYNCORE, GUARD_SELECT, GUARD_TIME, GUARDS };

/* What modules and classes had when they handed over: of classes our_, the rest of Python's part. */
#define FAST_OBJECTS(X)                                                                            \
	X(globals)                                                                                 \
	X(our_readable)                                                                            \
	X(our_writable)                                                                            \
	X(our_chat_readable)                                                                       \
	X(our_chat_writable)                                                                       \
	X(our_connected)                                                                           \
	X(our_accepting)                                                                           \
	X(our_socket)                                                                              \
	X(our_fifo)                                                                                \
	X(our_in_buffer)                                                                           \
	X(our_read_event)                                                                          \
	X(our_write_event)                                                                         \
	X(our_chat_read)                                                                           \
	X(our_chat_write)                                                                          \
	X(our_recv)                                                                                \
	X(our_send)                                                                                \
	X(our_initiate_send)                                                                       \
	X(our_get_terminator)                                                                      \
	X(our_collect)                                                                             \
	X(object_getattribute)                                                                     \
	X(object_setattr)                                                                          \
	X(socket_recv)                                                                             \
	X(socket_send)                                                                             \
	X(failed)                                                                                  \
	X(failed_steps)                                                                            \
	X(select_pass)                                                                             \
	X(poll_pass)                                                                               \
	X(recv_failed)                                                                             \
	X(send_failed)                                                                             \
	X(read_failed)                                                                             \
	X(chat_send_failed)                                                                        \
	X(cut)                                                                                     \
	X(cut_round)                                                                               \
	X(empty)

struct watch;
struct entry;
struct reading;

struct state {
	struct state *next; /* of all there are */
	struct names names;
	struct kind kinds[KINDS];
	PyTypeObject *method_type, *attribute_type, *deque_type, *socket_type;
	PyTypeObject *mark; /* kind.c; a class nobody looks at but us */
	unsigned clearings; /* of all versions */
	PyObject *self;     /* our module; borrowed */
	bool attached;
	unsigned attachment; /* which one: what an earlier one replaced is Python's again */
	unsigned socket_version;
	struct guard guards[GUARDS];
	struct original originals[16];
	int original_count;
	bool usual; /* all of them are in place */
#define X(name) PyObject *name;
	FAST_OBJECTS(X)
#undef X
	size_t few; /* maps of up to so many are watched by poll, larger ones by epoll */
	size_t socket_timeout_at; /* where a socket keeps it */
	int watcher;
	struct watch *watches;
	size_t watch_count;
	uint64_t watch_uses;
	struct entry **buckets; /* all entries by the object in them */
	size_t bucket_count, entry_count;
	struct reading *readings, *spare_reading;
};

/* ---- method.c: a function in C in the place of one in Python ---- */
typedef PyObject *fast_fn(struct state *st, PyObject *const *args, Py_ssize_t count);
extern PyObject fast_decline_; /* an fn returns its address: call Python's */
#define DECLINE (&fast_decline_)
int fast_method_type_(struct state *st);
PyObject *fast_method_(struct state *st, PyObject *function, fast_fn *fn);

/* ---- attribute.c: attributes that notice when they are set ---- */
enum fast_what { FAST_STATE, FAST_FIFO, FAST_BUFFER, FAST_SOCKET, FAST_METHOD };
int fast_attribute_type_(struct state *st);
/* value: what it is where the instance has none; NULL: missing there */
PyObject *fast_attribute_(struct state *st, const char *name, PyObject *value, enum fast_what what);

/* ---- object.c: a look into an instance ---- */
PyObject *fast_dict_(PyObject *obj); /* new; its __dict__ */
/* Borrowed until anything else is called, or NULL without an exception: of dict only. */
PyObject *fast_peek_(PyObject *dict, PyObject *name);
bool fast_overrides_(PyObject *dict, PyObject *name);
int fast_truth_(PyObject *obj, PyObject *name); /* bool(obj.name); -1: raised */
bool fast_get_size_(PyObject *dict, PyObject *name, Py_ssize_t cls, Py_ssize_t *ret);

/* ---- socket.c ---- */
void fast_learn_sockets_(struct state *st, PyObject *type);
int fast_socket_(struct state *st, PyObject *dict); /* its descriptor; -1: not one for us */

/* ---- kind.c ---- */
struct kind *fast_kind_(struct state *st, PyTypeObject *type);
int fast_kind_init_(struct state *st);

/* ---- watch.c: what is known of a map ---- */
enum { WANT_R = 1, WANT_W = 2, WANT_E = 4 };
enum fast_mode { BY_SELECT, BY_POLL };

struct entry {
	PyObject *obj;
	PyTypeObject *kept_as; /* whose answer is kept; compared only */
	struct watch *watch;
	struct entry *next_same;     /* in the same bucket of all objects */
	struct entry *before, *next; /* in the order of the map */
	struct entry *asked_before, *asked_next;
	struct entry *dirty_next;
	uint64_t order;
	int fd;
	uint32_t generation;
	uint32_t seen; /* the round of following in which it was there */
	uint8_t want, told;
	bool asked, dirty, always, bad;
	bool unsure; /* whether the poller has it still */
};

struct kind_use {
	PyObject *type; /* a weak reference */
	unsigned version;
};

struct watch {
	struct watch *next; /* of all there are */
	struct state *st;
	PyObject *map; /* borrowed; a number where it is freed */
	uint64_t version, used;
	bool stale;       /* the map has changed in a way that was not followed */
	bool strange;     /* it has keys that are no descriptors */
	bool redo;        /* the poller is to be made anew */
	bool dead;        /* freed by whoever is in it last */
	unsigned busy;    /* who waits in the poller, or is in a pass */
	unsigned waiting; /* up to one; nobody else touches the poller meanwhile, but to forget */
	unsigned forks;   /* when it was used last: nobody waits in a child that was forked since */
	uint64_t changes; /* entries taken out */
	int waker;        /* an eventfd that ends the wait; 0: none */
	int64_t looked;   /* at all of them, because nothing came */
	enum fast_mode mode;
	struct ac_poller *poller;
	struct entry **by_fd;
	size_t room, count, wanting, bads, always;
	struct entry *first, *last, *asked_first, *asked_last, *dirty, *look_at;
	uint64_t order;
	uint32_t generation, round;
	struct kind_use *kinds;
	size_t kind_count, kind_room;
	unsigned clearings; /* when kinds were looked at */
};

struct watch *fast_watch_(struct state *st, PyObject *map);             /* NULL: MemoryError */
struct watch *fast_watch_known_(const struct state *st, PyObject *map); /* NULL: there is none */
void fast_watch_free_(struct watch *w);
void fast_watch_enter_(struct watch *w);
void fast_watch_leave_(struct watch *w);
void fast_watches_done_(struct state *st);
void fast_woken_(struct watch *w); /* the wait is over */
#define FAST_WAKER 0x3fffffff      /* its token */
int fast_entry_add_(struct watch *w, int fd, PyObject *obj);
void fast_entry_drop_(struct watch *w, struct entry *e);
void fast_entries_drop_(struct watch *w);
void fast_entry_dirty_(struct entry *e);
void fast_touch_(struct state *st, PyObject *obj); /* an attribute of it has changed */
struct entry *fast_entry_(const struct watch *w, int fd);
void fast_asked_(struct entry *e, bool asked);

/* ---- follow.c: the map as it is ---- */
bool fast_has_changed_(struct watch *w); /* since it was followed */
int fast_follow_(struct watch *w);       /* brings the entries up to date; -1: raised */
int fast_follow_init_(struct state *st);
void fast_follow_done_(struct state *st);
void fast_follow_begin_(struct watch *w);
void fast_follow_end_(struct watch *w);
int fast_map_put_(struct state *st, PyObject *map, PyObject *key, PyObject *obj);
int fast_map_remove_(struct state *st, PyObject *map, PyObject *key);
void fast_guard_(struct state *st, int which, PyObject *dict);
void fast_unguard_(struct state *st);
bool fast_usual_(struct state *st); /* the modules are as they were */

/* ---- want.c: who wants what ---- */
int fast_ask_(struct watch *w); /* all whose answer may have changed; -1: raised */
int fast_tell_(struct watch *w, struct entry *e); /* the poller, what it wants */
int fast_poller_(struct watch *w);                /* there is one that is good for it; -1: raised */
void fast_recheck_(struct watch *w, bool all);

/* ---- pass.c ---- */
fast_fn fast_poll_, fast_poll2_;

/* ---- deliver.c ---- */
enum fast_event { FIRE_READ, FIRE_WRITE, FIRE_EXPT, FIRE_CLOSE };
int fast_fire_(struct state *st, PyObject *obj, enum fast_event event); /* -1: leaves the loop */
int fast_steps_(struct state *st, PyObject *obj, unsigned events);

/* ---- io.c ---- */
fast_fn fast_recv_method_, fast_send_method_, fast_add_channel_, fast_del_channel_;
ssize_t fast_recv_into_(int fd, void *buf, size_t len); /* -errno */
ssize_t fast_send_to_(int fd, const void *buf, size_t len);
PyObject *fast_tell_error_(PyObject *function, PyObject *channel, ssize_t error);

/* ---- input.c ---- */
fast_fn fast_chat_read_, fast_collect_;
bool fast_reading_get_(struct state *st, PyObject *chat, PyObject **ret_rest); /* false: none */
void fast_readings_done_(struct state *st);
void fast_reading_replaced_(struct state *st, PyObject *chat);
/* What it pushes is sent when it has handled all it has read. */
bool fast_is_corked_(const struct state *st, PyObject *chat);

/* ---- output.c ---- */
fast_fn fast_push_, fast_initiate_send_;
void fast_uncork_(struct state *st, PyObject *chat); /* sends now what is corked, if it can */

#endif
