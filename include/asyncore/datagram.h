/*
 * asyncore/datagram.h — datagrams in batches: UDP and Unix, one peer or many, and multicast groups.
 *
 *	kernel ─recvmmsg▶ up to 32 ─▶ handle_datagram, once each
 *	ac_datagram_send ─▶ queue ─▶ a batch when it is full, the rest when the handler has returned
 *
 * A datagram may be lost, and an error is about one datagram: it is counted and told to handle_unsent,
 * and the channel stays open. Whoever wants plain calls uses ac_recvfrom and ac_sendto of asyncore.h
 * with any class.
 */
#ifndef ASYNCORE_DATAGRAM_H
#define ASYNCORE_DATAGRAM_H

#include <asyncore.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ac_datagram_queue;

/* A datagram that came. Lent for the call. */
struct ac_packet {
	const void *data;
	size_t len;
	const struct ac_addr *from; /* len 0: its sender has no address (Unix) */
	bool truncated;             /* it was longer: in_buffer_size of the class is too small */
};

/* A dispatcher. Embed it first; the counters may be read, `out` is the library's. */
struct ac_datagram {
	struct ac_dispatcher d;
	struct ac_datagram_queue *out; /* NULL while nothing is queued */
	uint64_t received, truncated;  /* truncated ones are among the received */
	uint64_t sent, unsent;         /* unsent: the kernel would not have it */
	uint64_t refused;              /* -ENOBUFS of ac_datagram_send */
};

struct ac_datagram_class {
	struct ac_class d;
	size_t max_queued; /* datagrams that wait; 0: 1024. Bytes: AC_MAX_OUTPUT */
	/* One that came. After a pause the rest of its batch, 31 at most, is still told. */
	int (*handle_datagram)(struct ac_datagram *g, const struct ac_packet *p);
	/* One was not sent, with its address, or was not taken by the peer we are connected to, which is
	 * told later and without saying which: `to` is NULL then. Default: nothing but the count. */
	int (*handle_unsent)(struct ac_datagram *g, int code, const struct ac_addr *to);
	/* All that had to wait is sent. */
	int (*handle_drain)(struct ac_datagram *g);
};

/* The base class. Its in_buffer_size is the longest datagram: 65536. */
AC_API extern const struct ac_datagram_class ac_datagram_class;
#define AC_DATAGRAM (&ac_datagram_class.d)

/*
 * Short forms: socket and bind, or socket and connect, for an address as text. g NULL: -ENOMEM. A
 * stale Unix socket is replaced; a Unix socket that dials gets a name of its own, so that it can be
 * answered.
 */
AC_API int ac_datagram_serve(struct ac_datagram *g, const char *address);
AC_API int ac_datagram_dial(struct ac_datagram *g, const char *address);

/*
 * Queues a copy. `to` NULL: the peer it is connected to. Sent in order; where the kernel has no room
 * they wait. 0, also on a closed channel; -ENOBUFS over one of the limits, -ENOMEM, -EMSGSIZE for more
 * than any datagram holds, and then nothing is queued. Calls no handler. Closing sends what the kernel
 * takes at once and drops the rest.
 */
AC_API int ac_datagram_send(struct ac_datagram *g, const void *data, size_t len,
                            const struct ac_addr *to);
AC_API size_t ac_datagram_pending(const struct ac_datagram *g); /* datagrams that wait */

/*
 * Multicast, for any channel with a UDP socket. The interface is named ("eth0"), NULL: the kernel's
 * choice. With a source only what that address sends is heard. A channel that has joined one hears the
 * groups it has joined, not those of others on this machine. -EINVAL for what is no group or no
 * address of its family, -ENODEV for an unknown interface, -EADDRINUSE when it is a member already,
 * -EADDRNOTAVAIL when it is none.
 */
AC_API int ac_join_group(struct ac_dispatcher *d, const struct ac_addr *group,
                         const char *interface_name, const struct ac_addr *source);
AC_API int ac_leave_group(struct ac_dispatcher *d, const struct ac_addr *group,
                          const char *interface_name, const struct ac_addr *source);

/* How datagrams to a group leave: by which interface, over how many routers (0–255; the kernel's
 * default is 1: none), and whether members on this machine hear them too (default: yes). */
AC_API int ac_set_multicast(struct ac_dispatcher *d, const char *interface_name, int hops,
                            bool loop);

/* Whether it is the address of a group. Thread-safe. */
AC_API bool ac_addr_is_group(const struct ac_addr *addr);

#ifdef __cplusplus
}
#endif
#endif
