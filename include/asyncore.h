/*
 * asyncore.h — channels on a map, one loop, dispatchers and tasks.
 *
 * What Python's asyncore was, for C. A *channel* is one file descriptor with methods; a *map* owns
 * channels; a *loop* asks the kernel which of them are ready and calls their methods. A class is a
 * const table of functions; what it leaves NULL is taken from its `super`.
 *
 *	map ──owns──▶ channel (struct ac_dispatcher, embedded first in your own struct)
 *	 │               │ cls
 *	 │ poller        ▼
 *	 ▼            class ──super──▶ class ──super──▶ AC_DISPATCHER
 *
 * Rules that hold everywhere:
 *  - Results: ≥ 0 is fine, a negative number is -errno. Nothing here exits or sets a signal handler.
 *  - A handler that returns a negative number raises it: the loop calls handle_error. -EAGAIN is no
 *    error; AC_EXIT leaves the loop.
 *  - Lifetime: the map owns a channel from ac_new on. ac_close may be called anywhere, on any
 *    channel; the memory lives until the outermost pass has ended and `finalize` has run.
 *  - Verbs on a closed channel do nothing and return 0.
 *  - Threads: a map and all that is on it belong to one thread. Where a map may be NULL, the calling
 *    thread's default map is meant.
 *  - Time is monotonic, in seconds, as double.
 */
#ifndef ASYNCORE_H
#define ASYNCORE_H

#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AC_VERSION_MAJOR 0
#define AC_VERSION_MINOR 1
#define AC_VERSION_PATCH 0
#define AC_VERSION "0.1.0"

#if defined(__GNUC__)
#define AC_API __attribute__((visibility("default")))
#define AC_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define AC_API
#define AC_PRINTF(fmt, args)
#endif

struct ac_map;
struct ac_dispatcher;
struct ac_class;
struct ac_task;
struct ac_transport;
struct ac_extra;
struct ac_found;

/* ---- the library ------------------------------------------------------------------------- */

/* The version the program runs with, as "0.1.0"; AC_VERSION is the one it was compiled with. */
AC_API const char *ac_version(void);

/* Whether this build has a feature: a poller ("io_uring", "epoll", "poll", "select"), "sendfile",
 * "ipv6", "unix". Unknown names are false. */
AC_API bool ac_has(const char *feature);

/*
 * Every allocation of the library goes through one function: realloc(ctx, NULL, n) allocates,
 * n == 0 frees and returns NULL. Set it before the first map is made; NULL restores the C library's.
 * -EBUSY when a map exists already. Process-wide.
 */
struct ac_allocator {
	void *(*realloc)(void *ctx, void *ptr, size_t size);
	void *ctx;
};
AC_API int ac_set_allocator(const struct ac_allocator *allocator);

/* Bytes lent by somebody else: good until the moment its giver names. */
struct ac_slice {
	const void *data;
	size_t len;
};

/* ---- addresses --------------------------------------------------------------------------- */

/* An address of any family; `len` as bind and connect want it, 0 where there is none. */
struct ac_addr {
	socklen_t len;
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
};

#define AC_ADDR_TEXT 136 /* room for any address as text */

/*
 * Reads "127.0.0.1:80", "[::1]:80", "localhost:80", "*:80" (every IPv4 address), "unix:/path" or
 * "unix:@abstract". Ports are 0–65535. -EINVAL for anything else, names other than localhost
 * included. Thread-safe.
 */
AC_API int ac_addr_parse(const char *text, struct ac_addr *ret_addr);

/* Writes what ac_addr_parse reads, cut to `size`; returns the text. Thread-safe. */
AC_API const char *ac_addr_format(const struct ac_addr *addr, char *text, size_t size);

/* ---- errors ------------------------------------------------------------------------------ */

/* What a handler returns to leave ac_loop (Python: raise ExitNow). The map stays as it is. */
#define AC_EXIT (-0x4000)

struct ac_frame {
	const char *file, *function;
	int line;
};

#define AC_FRAMES 12

/* An error on its way up, as handle_error sees it (Python: sys.exc_info() in handle_error). */
struct ac_error {
	int code;             /* an errno, positive; 0: none */
	unsigned frame_count; /* innermost first */
	struct ac_frame frames[AC_FRAMES];
	char detail[120]; /* what it was about, "" where nobody said */
};

/*
 * ac_raise starts a trace at this line and returns -code; ac_raisef adds a detail for people.
 * AC_TRY runs a call and, if it failed, adds this line to the trace and returns the failure from the
 * function it stands in. `d` is a dispatcher, a chat or anything that begins with one.
 */
#define ac_raise(d, code) ac_raise_((d), (code), __FILE__, __func__, __LINE__)
#define ac_raisef(d, code, ...) ac_raisef_((d), (code), __FILE__, __func__, __LINE__, __VA_ARGS__)
#define AC_TRY(d, call)                                                                            \
	do {                                                                                       \
		int ac_try_ = (int)(call);                                                         \
		if (ac_try_ < 0)                                                                   \
			return ac_frame_((d), ac_try_, __FILE__, __func__, __LINE__);              \
	} while (0)

AC_API int ac_raise_(const void *d, int code, const char *file, const char *function, int line);
AC_API int ac_raisef_(const void *d, int code, const char *file, const char *function, int line,
                      const char *format, ...) AC_PRINTF(6, 7);
AC_API int ac_frame_(const void *d, int code, const char *file, const char *function, int line);

/* The map's pending (or last) error; its code is 0 where there was none. Lent until the next. */
AC_API const struct ac_error *ac_last_error(struct ac_map *map);

/* Logs the pending error as "PREFIX: EADDRINUSE: Address already in use: DETAIL". */
AC_API void ac_explain(struct ac_map *map, const char *prefix);

/*
 * One line: "(EPROTO: Protocol error: DETAIL [file|function|line] [file|function|line])". Returns the
 * length it has or would have had (Python: compact_traceback).
 */
AC_API size_t ac_compact_traceback(const struct ac_error *error, char *text, size_t size);

/* "ECONNRESET" for 104 and so on; "E?" for what has no name here. Thread-safe. */
AC_API const char *ac_error_name(int code);

/* ---- the map and the loop ---------------------------------------------------------------- */

enum ac_log_level { AC_LOG_DEBUG, AC_LOG_INFO, AC_LOG_WARNING, AC_LOG_ERROR };

typedef void ac_log_fn(void *arg, enum ac_log_level level, const char *text);

/* Limits, all on by default; SIZE_MAX turns one off. A channel's own goes before its class's, that
 * before the map's. */
enum ac_limit {
	AC_MAX_RECORD,  /* bytes of one record without its terminator: 64 KiB, then -EMSGSIZE */
	AC_HIGH_WATER,  /* queued output at which the channel's input is no longer read: 256 KiB */
	AC_LOW_WATER,   /* and at which it is read again: 64 KiB */
	AC_MAX_OUTPUT,  /* queued output at which a push returns -ENOBUFS: 16 MiB */
	AC_MAX_ACCEPTS, /* connections a listener accepts in one pass: 16 */
	AC_MAX_CONNECTIONS, /* open ones, on the listener's map: 80 % of RLIMIT_NOFILE, less 64 */
	AC_MAX_PER_ADDRESS, /* those of one peer's address, see asyncore/overload.h: off */
	AC_MAX_RECORD_TIME, /* milliseconds from a record's first byte to its end: off */
	AC_MAX_STALL,       /* milliseconds without a byte taken of output that waits: 30,000 */
	AC_LIMITS
};

/* All zero, or a NULL pointer: the defaults. */
struct ac_map_opts {
	const char *poller; /* "io_uring", "epoll", "poll", "select"; NULL: the best here */
	ac_log_fn *log;     /* NULL: lines on stderr */
	void *log_arg;
	size_t limits[AC_LIMITS]; /* 0: the default */
};

/* A new map. NULL with errno EINVAL for a poller that this build does not have (one line in the log
 * names those it has), else ENOMEM or EMFILE. Python: a dict used as map. */
AC_API struct ac_map *ac_map_new(const struct ac_map_opts *opts);

/* Closes every channel (handle_close runs), drops every task and frees the map. From inside a pass it
 * only does the first two: the map goes when the pass ends. NULL is fine. */
AC_API void ac_map_free(struct ac_map *map);

/* The calling thread's own map, made at first use (Python: asyncore.socket_map). Free it as any
 * other, or leave it to the end of the thread. NULL when memory ran out. */
AC_API struct ac_map *ac_map_default(void);

AC_API const char *ac_map_poller(const struct ac_map *map); /* "epoll" … */
AC_API size_t ac_map_channels(const struct ac_map *map);    /* open ones (Python: len(map)) */
AC_API size_t ac_map_tasks(const struct ac_map *map);       /* pending ones */
AC_API size_t ac_map_memory(const struct ac_map *map);      /* bytes held for map and channels */
AC_API void ac_map_set_limit(struct ac_map *map, enum ac_limit which, size_t value);

/* Calls fn for every open channel until it returns non-zero, and returns that (Python: iterating
 * over map.values()). fn may close channels, the one it is given included. */
AC_API int ac_map_each(struct ac_map *map, int (*fn)(struct ac_dispatcher *d, void *arg),
                       void *arg);

/* How pending tasks count for ac_loop. */
enum ac_tasks {
	AC_TASKS_RUN,     /* run when due; the loop goes on until the last is gone */
	AC_TASKS_PASSIVE, /* run when due, but only channels keep the loop going */
	AC_TASKS_HOLD     /* not run at all */
};

struct ac_loop_opts {
	double timeout; /* of one wait, seconds; 0: 30.0; negative: never waits */
	long count;     /* passes; 0: until nothing is left; negative: none (Python: count=0) */
	enum ac_tasks tasks;
};

/*
 * Serves channels until the last channel and task are gone, or `count` passes were made, or a handler
 * returned AC_EXIT. Returns 0, 1 after AC_EXIT, or -errno if the poller itself failed. May be nested:
 * a channel whose handler is on the stack hears nothing meanwhile. Python: loop(timeout, map, count).
 */
AC_API int ac_loop(struct ac_map *map, const struct ac_loop_opts *opts);

/* One pass that waits at most `timeout` seconds (≤ 0: not at all; INFINITY is fine), less when a task
 * is due. Returns as ac_loop. Python: poll, poll2. */
AC_API int ac_poll(struct ac_map *map, double timeout);

/* For a loop inside another one: wait until ac_fd is readable or ac_next_timeout seconds have passed
 * (negative: nothing is pending), then call ac_poll(map, 0). -ENOTSUP without an fd (select, poll). */
AC_API int ac_fd(struct ac_map *map);
AC_API double ac_next_timeout(struct ac_map *map);

/* Seconds on the monotonic clock, as the pass began; outside a pass: now. */
AC_API double ac_now(struct ac_map *map);

/* Closes every channel and drops every task. Errors raised on the way are handled as ever; with
 * ignore_all they are not even logged. Python: close_all(map, ignore_all). */
AC_API void ac_close_all(struct ac_map *map, bool ignore_all);

/* ---- tasks ------------------------------------------------------------------------------- */

/* What a task calls. A negative result is logged, AC_EXIT leaves the loop. */
typedef int ac_task_fn(void *arg);

/*
 * A call to be made later, once or at an interval (Python, astm.asynclib: call_later). Allocated by
 * ac_call_…: freed when it has fired for the last time or was cancelled, so do not keep the pointer
 * longer. Embedded in your own struct (zeroed, then ac_task_start): yours; cancel it before its
 * memory goes. Tasks with equal deadlines run in the order they were set. Resolution 1 ms, never
 * early. A task set while tasks run waits for the next pass. The fields are the library's.
 */
struct ac_task {
	struct ac_task *next, **link; /* the list it waits in; link NULL: not pending */
	struct ac_map *map;
	ac_task_fn *fn;
	void *arg;
	int64_t due;      /* nanoseconds, monotonic */
	int64_t interval; /* 0: once */
	uint32_t flags, round;
};

/* NULL with errno EINVAL (negative or NaN) or ENOMEM. */
AC_API struct ac_task *ac_call_later(struct ac_map *map, double seconds, ac_task_fn *fn, void *arg);
AC_API struct ac_task *ac_call_at(struct ac_map *map, double when, ac_task_fn *fn, void *arg);
AC_API struct ac_task *ac_call_every(struct ac_map *map, double seconds, ac_task_fn *fn, void *arg);

/* Starts an embedded task, or starts it anew. -EINVAL, else 0. */
AC_API int ac_task_start(struct ac_task *task, struct ac_map *map, double seconds, ac_task_fn *fn,
                         void *arg);
AC_API int ac_task_reset(struct ac_task *task, double seconds); /* due that long from now */
AC_API int ac_task_delay(struct ac_task *task, double seconds); /* due that much later */
AC_API void ac_task_cancel(struct ac_task *task);               /* NULL and idle ones: nothing */
AC_API int ac_task_call(struct ac_task *task);                  /* runs it now; it stays pending */
AC_API bool ac_task_pending(const struct ac_task *task);        /* Python: not cancelled */
AC_API double ac_task_timeout(const struct ac_task *task);      /* seconds left; < 0: overdue */

/* ---- the dispatcher ---------------------------------------------------------------------- */

/* A channel over one descriptor. Embed it first. `map` and `fd` (-1: none) may be read; the rest is
 * the library's. Field order: what every event touches comes first. */
struct ac_dispatcher {
	const struct ac_class *cls; /* with every method filled in */
	struct ac_map *map;
	int fd;
	uint32_t slot; /* where the map keeps it */
	uint32_t flags;
	uint8_t ready, interest, watched; /* sets of AC_IN … */
	uint8_t family;
	const struct ac_transport *transport; /* how bytes come and go */
	struct ac_extra *extra;               /* what few channels have: timeout, own limits */
	union {
		uint8_t ip[16];
		char *path;
	} peer; /* the address, packed */
	uint32_t scope;
	uint16_t port;
	int16_t reason;
};

/* Events, as sets. */
enum ac_event { AC_IN = 1, AC_OUT = 2, AC_PRI = 4, AC_ERR = 8, AC_HUP = 16, AC_RDHUP = 32 };

/*
 * A class: one const table for all its channels, which must outlive the map. NULL and 0 are taken
 * from `super`. Every field is one machine word; a class of your own may go on with more function
 * pointers (say class_size then), which its subclasses inherit in the same way. To call the method
 * you override: AC_DISPATCHER->handle_error(d, error), AC_CHAT->readable(d).
 */
struct ac_class {
	const struct ac_class *super;
	const char *name;       /* for repr and traces */
	size_t size;            /* of the whole object */
	size_t class_size;      /* of the whole class table */
	size_t flags;           /* AC_STEADY … */
	size_t in_buffer_size;  /* most bytes for one read: 65536 (Python: ac_in_buffer_size) */
	size_t out_buffer_size; /* bytes of one piece of output: 16384 (ac_out_buffer_size) */
	size_t limits[AC_LIMITS];

	/* Predicates. Not overridden: interest is kept as the channel's state changes and costs nothing.
	 * Overridden: asked before every wait, unless the class is AC_STEADY. */
	bool (*readable)(struct ac_dispatcher *d);
	bool (*writable)(struct ac_dispatcher *d);

	/* Events of the protocol. */
	int (*handle_read)(struct ac_dispatcher *d);
	int (*handle_write)(struct ac_dispatcher *d);
	int (*handle_expt)(struct ac_dispatcher *d);    /* out-of-band data; once a byte */
	int (*handle_connect)(struct ac_dispatcher *d); /* already connected: a push goes out */
	int (*handle_accept)(struct ac_dispatcher *d);
	int (*handle_accepted)(struct ac_dispatcher *d, int fd, const struct ac_addr *peer);
	int (*handle_rejected)(struct ac_dispatcher *d, int fd, const struct ac_addr *peer,
	                       enum ac_limit why);  /* one too many; default: reset */
	int (*handle_eof)(struct ac_dispatcher *d); /* end of input; default: send, then close */
	int (*handle_timeout)(struct ac_dispatcher *d); /* idle; default: close, ETIMEDOUT */
	int (*handle_close)(struct ac_dispatcher *d); /* exactly once; the descriptor is open yet */
	int (*handle_error)(struct ac_dispatcher *d, const struct ac_error *error);

	/* The low-level ones, which turn readiness into the above. */
	int (*handle_read_event)(struct ac_dispatcher *d);
	int (*handle_write_event)(struct ac_dispatcher *d);
	int (*handle_expt_event)(struct ac_dispatcher *d);
	int (*handle_connect_event)(struct ac_dispatcher *d);
	int (*settle)(struct ac_dispatcher *d); /* its handlers have returned: send */
	int (*answered)(struct ac_dispatcher *d, const struct ac_found *f); /* the library's own */

	void (*log)(struct ac_dispatcher *d, enum ac_log_level level, const char *text);
	void (*finalize)(struct ac_dispatcher *d); /* last: release what the object owns */
};

/* Class flag: readable and writable change only in the channel's own handlers or with ac_touch. */
#define AC_STEADY ((size_t)1)

/* The base classes (Python: asyncore.dispatcher, dispatcher_with_send, file_dispatcher). */
AC_API extern const struct ac_class ac_dispatcher_class;
AC_API extern const struct ac_class ac_sender_class;
#define AC_DISPATCHER (&ac_dispatcher_class)
#define AC_DISPATCHER_WITH_SEND (&ac_sender_class)

/* A new channel without a descriptor, zeroed behind the dispatcher. NULL: ENOMEM, or -EINVAL for a
 * class smaller than its super; see ac_last_error. Python: dispatcher(map=map). */
AC_API struct ac_dispatcher *ac_new(struct ac_map *map, const struct ac_class *cls);

/*
 * A new channel on an open descriptor, which it owns from now on, also when this fails (NULL): it is
 * made non-blocking and closed with the channel. `peer` NULL: asked from the socket. Watched at once;
 * first heard in the next pass. Python: dispatcher(sock).
 */
AC_API struct ac_dispatcher *ac_adopt(struct ac_map *map, const struct ac_class *cls, int fd,
                                      const struct ac_addr *peer);

/* A channel on a duplicate of any descriptor: pipe, tty, stdin, regular file. The descriptor's own
 * flags stay as they are; yours stays open. Python: file_dispatcher(fd), file_wrapper. */
AC_API struct ac_dispatcher *ac_file_dispatcher(struct ac_map *map, const struct ac_class *cls,
                                                int fd);

/* Opens; each returns 0 or -errno with the pending error explained. A failed connect leaves the
 * channel without descriptor and nothing watched. */
AC_API int ac_create_socket(struct ac_dispatcher *d, int family, int type);
AC_API int ac_set_socket(struct ac_dispatcher *d, int fd); /* takes fd over, as ac_adopt */
AC_API int ac_set_reuse_addr(struct ac_dispatcher *d);
AC_API int ac_bind(struct ac_dispatcher *d, const struct ac_addr *addr);
AC_API int ac_listen(struct ac_dispatcher *d, int backlog); /* ≤ 0: the most there is */
AC_API int ac_connect(struct ac_dispatcher *d, const struct ac_addr *addr);

/* Short forms: socket, reuse, bind and listen; socket and connect. d NULL: -ENOMEM, so that ac_new
 * may stand inside the call. A stale Unix socket that nobody listens on is replaced. */
AC_API int ac_serve(struct ac_dispatcher *d, const char *address);
AC_API int ac_dial(struct ac_dispatcher *d, const char *address);

/* The next connection as a non-blocking descriptor, or -EAGAIN: also when the peer is gone already,
 * or descriptors have run out (one is shed and the listener rests 100 ms). Python: accept(). */
AC_API int ac_accept(struct ac_dispatcher *d, struct ac_addr *ret_peer);

/* Bytes read; 0 when the peer has ended or lost the connection (handle_eof or handle_close has run);
 * -EAGAIN when there is nothing yet; another -errno to be raised. Python: recv(buffer_size). */
AC_API ssize_t ac_recv(struct ac_dispatcher *d, void *buffer, size_t size);

/* Bytes the kernel took, 0 when it took none or the connection is lost (handle_close has run).
 * Never raises SIGPIPE. Python: send(data). */
AC_API ssize_t ac_send(struct ac_dispatcher *d, const void *data, size_t len);

/* Datagrams: as recvfrom and sendto; -EAGAIN when there is none, or no room. ret_from may be NULL. */
AC_API ssize_t ac_recvfrom(struct ac_dispatcher *d, void *buffer, size_t size,
                           struct ac_addr *ret_from);
AC_API ssize_t ac_sendto(struct ac_dispatcher *d, const void *data, size_t len,
                         const struct ac_addr *to);

/* One byte of out-of-band data: 1, or -EAGAIN. */
AC_API ssize_t ac_recv_oob(struct ac_dispatcher *d, void *byte);

/* Ends the output, the input or both (SHUT_WR …); the channel stays. */
AC_API int ac_shutdown(struct ac_dispatcher *d, int how);

/* Closes now: handle_close runs (once, whatever closed the channel), the descriptor is gone when this
 * returns, the memory at the end of the pass. NULL and closed channels: nothing. Python: close(). */
AC_API void ac_close(struct ac_dispatcher *d);

/* Why it closed: 0 the program, AC_PEER the peer ended it, else an errno (ETIMEDOUT …). */
#define AC_PEER (-1)
AC_API int ac_close_reason(const struct ac_dispatcher *d);

/* A dispatcher with an output buffer of its own (Python: dispatcher_with_send). */
struct ac_sender {
	struct ac_dispatcher d;
	struct ac_outbuf *out; /* the library's */
};
/* Queues len bytes and sends what goes at once; len, or -ENOBUFS over AC_MAX_OUTPUT with nothing
 * queued, or -ENOMEM. */
AC_API ssize_t ac_sender_send(struct ac_sender *s, const void *data, size_t len);
AC_API size_t ac_sender_pending(const struct ac_sender *s);

/* State (Python: the flags connected, accepting, connecting, closing, addr, debug). */
AC_API bool ac_connected(const struct ac_dispatcher *d);
AC_API bool ac_accepting(const struct ac_dispatcher *d);
AC_API bool ac_connecting(const struct ac_dispatcher *d);
AC_API bool ac_closing(const struct ac_dispatcher *d); /* closed, or about to be */
AC_API int ac_addr(const struct ac_dispatcher *d,
                   struct ac_addr *ret_addr); /* the peer's, or own */
AC_API int ac_local_addr(const struct ac_dispatcher *d, struct ac_addr *ret_addr); /* getsockname */
AC_API void ac_set_debug(struct ac_dispatcher *d, bool on); /* logs its opening and closing */

/* Interest. ac_pause stops reading, whatever readable says, until ac_resume; a chat keeps what it has
 * already read. ac_touch has the predicates asked again. */
AC_API bool ac_readable(struct ac_dispatcher *d);
AC_API bool ac_writable(struct ac_dispatcher *d);
AC_API void ac_pause(struct ac_dispatcher *d);
AC_API void ac_resume(struct ac_dispatcher *d);
AC_API void ac_touch(struct ac_dispatcher *d);

/* Takes the channel off the watch and out of what keeps the loop going; the map still owns it. And
 * puts it back, on another map too: -EBUSY from inside its own handlers, for a joined relay, a child
 * process and its ends. Python: del_channel, add_channel. */
AC_API void ac_del_channel(struct ac_dispatcher *d);
AC_API int ac_add_channel(struct ac_dispatcher *d, struct ac_map *map);

/* handle_timeout after so many seconds without a byte in or out; 0: never. -EINVAL, -ENOMEM. */
AC_API int ac_set_timeout(struct ac_dispatcher *d, double seconds);

/* A limit for this channel alone; and the one in force. */
AC_API int ac_set_limit(struct ac_dispatcher *d, enum ac_limit which, size_t value);
AC_API size_t ac_limit(const struct ac_dispatcher *d, enum ac_limit which);

/* "<echo connected 127.0.0.1:80 at 0x…>"; returns the text (Python: __repr__). */
#define AC_REPR_TEXT 224
AC_API const char *ac_repr(const struct ac_dispatcher *d, char *text, size_t size);

/* Through the class's log method (Python: log, log_info). */
AC_API void ac_log(struct ac_dispatcher *d, const char *format, ...) AC_PRINTF(2, 3);
AC_API void ac_log_info(struct ac_dispatcher *d, enum ac_log_level level, const char *format, ...)
	AC_PRINTF(3, 4);
/* The same without a channel, to the map's hook. */
AC_API void ac_map_log(struct ac_map *map, enum ac_log_level level, const char *format, ...)
	AC_PRINTF(3, 4);

/* Fire one channel's events as the loop would, errors caught (Python: read, write, _exception,
 * readwrite). `events` is a set of AC_IN … */
AC_API void ac_read(struct ac_dispatcher *d);
AC_API void ac_write(struct ac_dispatcher *d);
AC_API void ac_exception(struct ac_dispatcher *d);
AC_API void ac_readwrite(struct ac_dispatcher *d, unsigned events);

#ifdef __cplusplus
}
#endif
#endif
