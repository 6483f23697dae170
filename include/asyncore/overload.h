/*
 * asyncore/overload.h — what a map does when more is asked of it than it should give, and what it counts.
 *
 * Whatever only slows a peer down is counted. Whatever refuses or ends something is counted and said: a line
 * of the log, at most one a second for each kind, which tells how many there were before it. What comes to a
 * handle_error of the program's own is the program's to tell, and an idle end is nothing to tell of.
 *
 * Connections: a listener hands on no more than AC_MAX_CONNECTIONS in all and AC_MAX_PER_ADDRESS of one
 * address. A connection counts, on its map, from the moment its channel was made in handle_accepted until
 * that has closed. The listener's limit is compared with the count of its map: one that lets in more than
 * the others has a reserve of its own. IPv6 counts by /64, the network one site has; IPv4 in IPv6 as IPv4;
 * Unix sockets count in all only. Those too many go to handle_rejected; what is adopted there does not count.
 */
#ifndef ASYNCORE_OVERLOAD_H
#define ASYNCORE_OVERLOAD_H

#include <asyncore.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- counters ---------------------------------------------------------------------------- */

enum ac_counter {
	AC_COUNT_ACCEPTED,        /* connections that listeners have handed on */
	AC_COUNT_OVER_TOTAL,      /* rejected for AC_MAX_CONNECTIONS */
	AC_COUNT_OVER_ADDRESS,    /* rejected for AC_MAX_PER_ADDRESS */
	AC_COUNT_NO_DESCRIPTOR,   /* times descriptors or kernel memory had run out at an accept */
	AC_COUNT_ACCEPTS_PUT_OFF, /* passes that ended at AC_MAX_ACCEPTS */
	AC_COUNT_RECORD_TOO_LONG, /* -EMSGSIZE for AC_MAX_RECORD */
	AC_COUNT_INPUT_HELD,      /* times AC_HIGH_WATER stopped a channel's input */
	AC_COUNT_OUTPUT_REFUSED,  /* -ENOBUFS for AC_MAX_OUTPUT */
	AC_COUNT_RATE_WAITS,      /* times a channel had to wait for its rate */
	AC_COUNT_IDLE,            /* ac_set_timeout */
	AC_COUNT_RECORD_LATE,     /* AC_MAX_RECORD_TIME */
	AC_COUNT_STALLED,         /* AC_MAX_STALL */
	AC_COUNT_TOO_SLOW,        /* ac_set_min_rate */
	AC_COUNT_STRESS,          /* times the map came under stress */
	AC_COUNTERS
};

/* How often that has happened on the map since it was made. */
AC_API uint64_t ac_map_counter(const struct ac_map *map, enum ac_counter which);

/* "accepted", "over total" … for people; "" for what is none. Thread-safe. */
AC_API const char *ac_counter_name(enum ac_counter which);

/* Connections that count towards AC_MAX_CONNECTIONS now. */
AC_API size_t ac_map_connections(const struct ac_map *map);

/* ---- rates ------------------------------------------------------------------------------- */

/*
 * Bytes a second, for what is read (the kernel's buffers then fill, and the peer waits) and what is sent.
 * A token bucket: over any time no more than the rate allows, plus a burst. A channel that has to wait is
 * not interested in the event meanwhile: nothing spins, and what is queued goes out when there are
 * tokens. Bytes are those of the application, above TLS. Datagrams are not cut, but the next one waits; those
 * of ac_recvfrom and ac_sendto are not counted.
 */

/* The channel's own, with a burst of a quarter of a second; 0: none. -ENOMEM. What a poller has read for the
 * channel before is not counted. */
AC_API int ac_set_rate(struct ac_dispatcher *d, uint64_t in, uint64_t out);

/* One that any number of channels of the map share, in turns. A burst of 0 is a quarter of a second's. NULL
 * with errno EINVAL for a rate of 0, or ENOMEM. Freed with the last of its channels: ac_rate_free only
 * says that the program needs it no more. NULL is fine. */
struct ac_rate;
AC_API struct ac_rate *ac_rate_new(struct ac_map *map, uint64_t bytes_per_second, uint64_t burst);
AC_API void ac_rate_free(struct ac_rate *rate);

/* The channel is one of those who share `in` for what it reads and `out` for what it sends, besides its own
 * rate; NULL: of none. They may be the same. On another map it shares none. -EINVAL for another map's rate,
 * -ENOMEM. */
AC_API int ac_join_rate(struct ac_dispatcher *d, struct ac_rate *in, struct ac_rate *out);

/* ---- time -------------------------------------------------------------------------------- */

/*
 * Besides ac_set_timeout, for a channel that is idle, there are AC_MAX_RECORD_TIME and AC_MAX_STALL, and a least
 * rate. Who exceeds one of them is raised ETIMEDOUT: the default handle_error closes the channel. If it is
 * not closed, it has as long again. Time while its input is not read, for it is paused, above high water or
 * waits for a rate of its own, is not counted against a peer.
 */
enum ac_timeout {
	AC_IN_TIME,
	AC_RECORD_LATE, /* a record has not come to its end: AC_MAX_RECORD_TIME */
	AC_STALLED,     /* nothing of the output was taken: AC_MAX_STALL */
	AC_TOO_SLOW     /* ac_set_min_rate */
};

/* In handle_error with ETIMEDOUT: which of them it was. AC_IN_TIME: none, it is the kernel's. */
AC_API enum ac_timeout ac_timed_out(const struct ac_dispatcher *d);

/* The least a peer has to send while a record is unfinished (chats), and to take while output waits (chats and
 * senders). It is late when more time has passed than `grace` seconds and what its bytes take at that rate.
 * 0 bytes: no such rate. -EINVAL, -ENOMEM. */
AC_API int ac_set_min_rate(struct ac_dispatcher *d, uint64_t bytes_per_second, double grace);

/* ---- stress ------------------------------------------------------------------------------ */

/*
 * With more connections than `percent` of AC_MAX_CONNECTIONS (90), until ten percent less are left, all these
 * times, ac_set_timeout's and those of TLS handshakes are multiplied by `factor` (0.25), but not below one
 * second. -EINVAL unless percent is 10 to 100, and factor above 0 and at most 1.
 */
AC_API int ac_map_set_stress(struct ac_map *map, unsigned percent, double factor);
AC_API bool ac_map_stressed(const struct ac_map *map);

#ifdef __cplusplus
}
#endif
#endif
