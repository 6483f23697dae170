/*
 * transport.h — how the bytes of a channel come and go, under the class: plain sockets and files here;
 * whatever encrypts or simulates is one more of these tables.
 *
 * Contract: each function returns bytes, 0 for the end of input (recv), or -errno. It is the only place that
 * learns whether the kernel has more, so it keeps AC_IN and AC_OUT in d->ready true: what is exhausted is
 * cleared. It calls no handler, `secured` apart.
 *
 * One that talks to the peer on its own account, as TLS does, has the functions behind `sendfile` too. NULL: there is
 * nothing to do. While it shakes hands the channel is AC_IS_CONNECTING, as while the kernel connects it. Its
 * state hangs on d->extra->secure.
 */
#ifndef AC_TRANSPORT_H
#define AC_TRANSPORT_H

#include "../base/base.h"

/* What a channel is and what has happened to it: d->flags. */
enum ac_channel_flag {
	AC_IS_CONNECTED = 1 << 0,
	AC_IS_ACCEPTING = 1 << 1,
	AC_IS_CONNECTING = 1 << 2,
	AC_IS_CLOSING = 1 << 3,   /* handle_close has begun: nothing is called any more */
	AC_IS_DOOMED = 1 << 4,    /* to be closed at its next turn, for d->reason */
	AC_IS_BUSY = 1 << 5,      /* a handler of it is on the stack */
	AC_IS_QUEUED = 1 << 6,    /* stands in the run queue */
	AC_IS_PAUSED = 1 << 7,    /* ac_pause */
	AC_IS_CHOKED = 1 << 8,    /* too much output is queued: no more input */
	AC_IS_ENDED = 1 << 9,     /* the peer's input has ended */
	AC_IS_LEAVING = 1 << 10,  /* closes when its output is sent */
	AC_IS_HOLDING = 1 << 11,  /* a chat has input in memory that waits to be cut */
	AC_IS_RESTING = 1 << 12,  /* a listener that ran out of descriptors */
	AC_IS_DETACHED = 1 << 13, /* ac_del_channel */
	AC_IS_NUMB = 1 << 14,   /* paused, its peer dead, input unread: not watched until resumed */
	AC_IS_ASKED = 1 << 15,  /* its predicates are asked before each wait */
	AC_IS_ALWAYS = 1 << 16, /* a descriptor that epoll refuses: always ready */
	AC_IS_COUNTED = 1 << 17,  /* keeps the loop going */
	AC_IS_STREAM = 1 << 18,   /* a short read means that there is no more */
	AC_IS_URGENT = 1 << 19,   /* hears out-of-band data */
	AC_IS_BLOCKING = 1 << 20, /* a descriptor whose flags are not ours: one read a readiness */
	AC_IS_MUTE = 1 << 21,     /* write-only: nothing can be read */
	AC_IS_DEBUGGED = 1 << 22,
	AC_HAS_READ = 1 << 23,    /* the handler has used our verbs to read … */
	AC_HAS_WRITTEN = 1 << 24, /* … to write */
	AC_IS_DRAINED = 1 << 25,  /* handle_drain is owed */
	AC_IS_RAISING = 1 << 26,  /* doomed by an error that handle_error is to hear first */
	AC_IS_UNIX = 1 << 27,     /* peer.path is a copy */
	AC_IS_BURIED = 1 << 28,   /* closed to the end: waits to be freed */
	AC_IS_FED = 1 << 29,      /* the poller reads for it */
	AC_ASKS_MARK =
		1 << 30, /* the poller does not say where out-of-band data cut a read short */
};
#define AC_IS_ADMITTED ((uint32_t)1 << 31) /* counts towards AC_MAX_CONNECTIONS; no int has it */

struct ac_transport {
	const char *name;
	ssize_t (*recv)(struct ac_dispatcher *d, void *buffer, size_t size);
	ssize_t (*send)(struct ac_dispatcher *d, const struct iovec *iov, int count, bool more);
	/* Into a pipe, and out of one that holds len bytes. Of what comes in only recv knows whether it is
	 * exhausted or has ended: 0 and -EAGAIN of splice_in mean "ask recv". An error of the connection is told
	 * once, by whoever is asked first. NULL: never. */
	ssize_t (*splice_in)(struct ac_dispatcher *d, int pipe, size_t len);
	ssize_t (*splice_out)(struct ac_dispatcher *d, int pipe, size_t len);
	/* -EINVAL where it cannot be done without a copy. NULL: never. */
	ssize_t (*sendfile)(struct ac_dispatcher *d, int fd, int64_t offset, size_t len);
	/*
	 * The descriptor is connected. 0: bytes may flow; 1: and handle_connect is owed; -EAGAIN: not yet; or
	 * -errno, raised and doomed. With `wants` NULL it is called once, when the kernel has connected.
	 */
	int (*handshake)(struct ac_dispatcher *d);
	int (*secured)(
		struct ac_dispatcher *d); /* the handshake is done: tells who wants to know */
	/* What has to be heard from the kernel so that the channel hears `wants`. */
	unsigned (*wants)(const struct ac_dispatcher *d, unsigned wants);
	/* AC_IN if it can give more without the kernel. */
	unsigned (*holds)(const struct ac_dispatcher *d);
	void (*progress)(struct ac_dispatcher *d); /* a turn begins: sends what it still has */
	int (*shutdown)(struct ac_dispatcher *d, int how);
	void (*discarded)(struct ac_dispatcher *d); /* queued output was thrown away */
	void (*moved)(struct ac_dispatcher *d);     /* to another map, whose tasks it needs now */
	void (*hurried)(struct ac_dispatcher *d);   /* its map is under stress from now on */
	void (*finish)(struct ac_dispatcher *d);    /* the descriptor is about to be closed */
};

AC_API extern const struct ac_transport ac_transport_socket_;
extern const struct ac_transport ac_transport_file_;

static inline unsigned ac_holds_(const struct ac_dispatcher *d)
{
	return d->transport->holds ? d->transport->holds(d) : 0;
}

#endif
