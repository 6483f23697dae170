/*
 * base.h — what every room stands on: memory, system calls, clock, search, buffers, names of errors.
 *
 * Design: each function returns ≥ 0 or -errno; sys.c is the only reader of errno. Nothing here knows
 * of maps or channels.
 */
#ifndef AC_BASE_H
#define AC_BASE_H

#include <asyncore.h>
#include <sys/uio.h>

/* What is rarely called stays out of the frame of what often is. */
#if defined(__GNUC__)
#define AC_APART __attribute__((noinline))
#else
#define AC_APART
#endif

static inline size_t ac_iov_len_(const struct iovec *iov, int count)
{
	size_t len = 0;

	for (int i = 0; i < count; i++)
		len += iov[i].iov_len;
	return len;
}

/* ---- mem.c: the allocator hook; what our other libraries use is exported, but not for others ---- */
AC_API void *ac_alloc_(size_t size);              /* zeroed */
AC_API void *ac_realloc_(void *ptr, size_t size); /* as realloc */
AC_API void ac_free_(void *ptr);
AC_API char *ac_copy_(const char *text); /* NULL: no memory */
void ac_maps_count_(int delta);          /* maps alive: ac_set_allocator refuses while any */

/* ---- sys.c: system calls, -errno, EINTR retried ---- */
ssize_t ac_sys_recv_(int fd, void *buf, size_t len, int flags,
                     bool *ret_cut); /* cut: ancillary data */
ssize_t ac_sys_send_(int fd, const struct iovec *iov, int count, bool more); /* no SIGPIPE */
ssize_t ac_sys_read_(int fd, void *buf, size_t len);
ssize_t ac_sys_write_(int fd, const struct iovec *iov, int count); /* no SIGPIPE either */
ssize_t ac_sys_pread_(int fd, void *buf, size_t len, int64_t offset);
ssize_t ac_sys_sendfile_(int out, int in, int64_t *offset, size_t len);
/* Between a socket and a pipe, without waiting; no SIGPIPE. */
ssize_t ac_sys_splice_in_(int socket, int pipe, size_t len);
ssize_t ac_sys_splice_out_(int pipe, int socket, size_t len);
int ac_sys_pipe_(int ret_fds[2]);        /* non-blocking, close-on-exec: read from 0, write to 1 */
int ac_sys_pipe_grow_(int fd, int size); /* what it holds from now on */
int ac_sys_reset_on_close_(int fd);      /* a connection is not ended but broken off */
ssize_t ac_sys_recvfrom_(int fd, void *buf, size_t len, struct ac_addr *ret_from);
ssize_t ac_sys_sendto_(int fd, const void *buf, size_t len, const struct ac_addr *to);
AC_API int ac_sys_socket_(int family, int type); /* non-blocking, close-on-exec */
int ac_sys_accept_(int fd, struct ac_addr *ret_peer);
int ac_sys_bind_(int fd, const struct ac_addr *addr);
int ac_sys_listen_(int fd, int backlog);
AC_API int ac_sys_connect_(int fd, const struct ac_addr *addr);
AC_API int ac_sys_shutdown_(int fd, int how);
AC_API int ac_sys_close_(int fd);
void ac_sys_reset_(int fd);   /* closes a connection with a reset: nothing of it is left */
int ac_sys_dup_(int fd);      /* close-on-exec */
int ac_sys_nonblock_(int fd); /* sets O_NONBLOCK */
int ac_sys_mode_(int fd, bool *ret_blocking, bool *ret_write_only);
int ac_sys_getopt_(int fd, int level, int name, int *ret_value);
int ac_sys_setopt_(int fd, int level, int name, int value);
AC_API int ac_sys_sockname_(int fd, struct ac_addr *ret_addr);
int ac_sys_peername_(int fd, struct ac_addr *ret_addr);
bool ac_sys_is_tty_(int fd);
int ac_sys_unread_(int fd);                      /* bytes waiting (FIONREAD) */
int ac_sys_unsent_(int fd);                      /* bytes the peer has not taken yet */
bool ac_sys_at_mark_(int fd);                    /* the next byte is behind out-of-band data */
unsigned ac_sys_poll1_(int fd, unsigned events); /* AC_IN … ready now, without waiting */
int ac_sys_spare_(void);                         /* a descriptor to give up when they run out */
int ac_sys_unlink_(const char *path);
int ac_sys_event_(void);        /* an eventfd: readable once it is set, until it is cleared */
int ac_sys_event_anew_(int fd); /* another one under the same number */
void ac_sys_event_set_(int fd);
void ac_sys_event_clear_(int fd);

/* ---- sys_signal.c: sets are of bits, n - 1 for signal n ---- */
struct ac_signal;
uint64_t ac_sys_block_(uint64_t set); /* in this thread; which of them were not blocked before */
void ac_sys_unblock_(uint64_t set);
int ac_sys_signalfd_(uint64_t set);
int ac_sys_signal_read_(int fd, struct ac_signal *ret_signal);
size_t ac_sys_files_(void);                /* descriptors it may have (RLIMIT_NOFILE) */
int ac_sys_random_(void *buf, size_t len); /* that nobody can guess */

/* ---- sys_process.c ---- */
struct ac_spawn_opts;
struct ac_exit;
int ac_sys_pipe_for_child_(int ret_fds[2]); /* it blocks; close-on-exec */
int ac_sys_dup_above_(int fd, int least);
int ac_sys_spawn_(const struct ac_spawn_opts *o, const int ends[3]); /* its id */
void ac_sys_abandon_(pid_t pid);                                     /* kills it and waits */
bool ac_sys_children_vanish_(void); /* SIGCHLD is ignored: nobody can wait for them */
pid_t ac_sys_pid_(void);
int ac_sys_pidfd_(pid_t pid);
int ac_sys_pidfd_kill_(int pidfd, int signal);
int ac_sys_kill_(pid_t pid, int signal);
/* -EAGAIN while it runs; it stays a zombie unless it is reaped */
int ac_sys_exit_of_(int pidfd, bool reap, struct ac_exit *ret_exit);
void ac_sys_pidfd_wait_(int pidfd, int ms); /* until it has ended, at most so long */

/* ---- sys_datagram.c ---- */
#define AC_BATCH 32
struct ac_parcel {
	void *data;
	size_t size, len; /* size: room, when one is received */
	struct ac_addr addr;
	bool truncated;
};
/* How many, or what is wrong with the first. Never waits. */
int ac_sys_recv_parcels_(int fd, struct ac_parcel *parcels, unsigned count);
int ac_sys_send_parcels_(int fd, struct ac_parcel *parcels, unsigned count);
int ac_sys_autobind_(int fd);                                 /* a Unix socket: a free name */
int ac_sys_interface_(const char *name, unsigned *ret_index); /* NULL: 0 */
int ac_sys_member_(int fd, bool joins, const struct ac_addr *group, unsigned interface_index);
int ac_sys_source_member_(int fd, bool joins, const struct ac_addr *group,
                          const struct ac_addr *source, unsigned interface_index);
int ac_sys_multicast_interface_(int fd, unsigned interface_index); /* of an IPv4 socket */

/* ---- addr.c ---- */
AC_API int ac_parse_port_(const char *text, uint16_t *ret_port);

/* ---- fork.c ---- */
AC_API extern unsigned ac_forks_; /* how many lie between the first process and this one … */
void ac_count_forks_(void);       /* … counted from the first call on */

/* ---- cpu.c ---- */
unsigned ac_sys_processors_(void); /* that this thread may use; at least 1 */
int ac_sys_pin_(unsigned n);       /* this thread to the nth of them, counted round */

/* ---- clock.c ---- */
int64_t ac_clock_(void);               /* nanoseconds, monotonic */
AC_API int64_t ac_ns_(double seconds); /* rounded up, clamped to ±INT64_MAX/4; NaN: -1 */
/* Not negative, and no NaN. */
static inline bool ac_is_time_(double seconds)
{
	return seconds >= 0;
}

/* ---- find.c ---- */
#define AC_NOT_FOUND ((size_t)-1)
size_t ac_find_(const void *haystack, size_t len, const void *needle, size_t needle_len);
size_t ac_find_portable_(const void *haystack, size_t len, const void *needle, size_t needle_len);

/* ---- buf.c: bytes that grow, read from the front ---- */
struct ac_buf {
	char *data;
	size_t start, end, cap;
};
AC_API int ac_buf_append_(struct ac_buf *b, const void *data, size_t len); /* -ENOMEM; -EOVERFLOW */
AC_API void ac_buf_drop_(struct ac_buf *b, size_t len);                    /* from the front */
AC_API void ac_buf_done_(struct ac_buf *b);
struct ac_slice ac_buf_all_(const struct ac_buf *b); /* lent; never NULL */

/* ---- wheel.c: pending tasks by deadline ---- */
#define AC_WHEEL_LEVELS 6
#define AC_WHEEL_SLOTS 256
struct ac_wheel_list {
	struct ac_task *head, **tail;
};
struct ac_wheel {
	int64_t tick; /* milliseconds up to which all has been taken out */
	size_t count;
	uint64_t busy[AC_WHEEL_LEVELS][AC_WHEEL_SLOTS / 64];
	struct ac_wheel_list slots[AC_WHEEL_LEVELS][AC_WHEEL_SLOTS];
	struct ac_wheel_list due; /* taken out of the slots, not yet run, in order */
};
void ac_wheel_init_(struct ac_wheel *w, int64_t now);
void ac_wheel_add_(struct ac_wheel *w, struct ac_task *t);    /* t->due is set */
void ac_wheel_remove_(struct ac_wheel *w, struct ac_task *t); /* wherever it waits */
/* Moves what is due at `now` to w->due, by deadline, equal ones as they were added. Never early. */
void ac_wheel_advance_(struct ac_wheel *w, int64_t now);
int64_t ac_wheel_next_(const struct ac_wheel *w); /* when to look again; -1: never */

#endif
