/*
 * asyncore/relay.h — two channels joined: what comes from one goes to the other.
 *
 *	client ──▶ a ═══════ b ──▶ target         ac_relay_join(a, b)
 *	       ◀──   ═══════   ◀──
 *
 * Both are of the class AC_RELAY or of one below it. Nobody else reads or sends on them.
 *  - Neither is read before the other is connected, and while the other does not take what it was
 *    given: a slow reader makes its writer wait. At most 64 KiB, or what a pipe holds (1 MiB), are
 *    under way in each direction; an idle relay holds no buffer and no pipe.
 *  - Half-close: when one side's input ends and all of it is delivered, the other side's output is
 *    shut. When both have ended, both close, with the reason AC_PEER.
 *  - When one side closes otherwise, the other still gets what is under way and closes then. If
 *    the reason is an error, both connections are reset, so that nobody takes what he has for the
 *    whole.
 *  - Out-of-band bytes are dropped.
 *
 * Between plain sockets the kernel moves the bytes (splice) while there are many; else, and where
 * either side is encrypted, they are copied. Set what bounds a silent one with ac_set_timeout, on
 * each side: a byte in either direction counts for both.
 */
#ifndef ASYNCORE_RELAY_H
#define ASYNCORE_RELAY_H

#include <asyncore.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ac_flow;

/* Embed it first. `other` (NULL: not joined, or gone) and the counters may be read. */
struct ac_relay {
	struct ac_dispatcher d;
	struct ac_relay *other;
	uint64_t received, sent; /* bytes from this side, bytes to it */
	struct ac_flow *out;     /* what is on its way to it; the rest is the library's */
	int16_t end;
	uint16_t state;
};

/* A subclass that overrides handle_timeout or handle_error may call these methods; handle_read,
 * handle_write, handle_eof, settle and the predicates are the relay's. */
AC_API extern const struct ac_class ac_relay_class;
#define AC_RELAY (&ac_relay_class)

/*
 * Joins two channels of one map, stream sockets that are connected, connecting or to be connected
 * yet. -EINVAL: the same one twice, or two maps; -EISCONN: one is joined already; -ENOTCONN: one is
 * closed; -ENOMEM. From any handler. While they are joined both stay on that map, and then one that is left
 * while bytes are on their way to it: ac_add_channel to another is -EBUSY.
 */
AC_API int ac_relay_join(struct ac_relay *a, struct ac_relay *b);

/* Bytes on their way to this side: read from the other, not yet taken by the kernel. */
AC_API size_t ac_relay_pending(const struct ac_relay *r);

#ifdef __cplusplus
}
#endif
#endif
