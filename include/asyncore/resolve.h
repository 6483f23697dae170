/*
 * asyncore/resolve.h — names: looked up without waiting, and connected to at whichever address answers
 * first. In a library of its own, libasyncore-resolve: c-ares, or where that is missing getaddrinfo in
 * a thread of ac_offload.
 *
 *	ac_use_resolver(map, NULL);
 *	ac_dial(d, "example.org:443");   -- handle_connect, or handle_error and handle_close, as ever
 */
#ifndef ASYNCORE_RESOLVE_H
#define ASYNCORE_RESOLVE_H

#include <asyncore.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All zero, or a NULL pointer: the defaults. Strings are copied. */
struct ac_resolver_opts {
	const char *servers; /* "192.0.2.53,[2001:db8::53]:5353"; NULL: those of /etc/resolv.conf */
	const char *search;  /* "a.example,b.example"; "": none; NULL: those of /etc/resolv.conf */
	int ndots;           /* names with fewer dots are searched for first; 0: as configured */
	double timeout;      /* of the first try of a server, seconds; 0: as configured, or 5 */
	int tries;           /* of each server; 0: as configured, or 4 */
	const char *hosts_file;       /* NULL: /etc/hosts; "": none */
	const char *const *addresses; /* "example.org:443:192.0.2.1,[2001:db8::1]" …, then NULL: for
	                                 that name and port nothing else is asked. NULL: none.
	                                 -EINVAL for localhost, which is an address already */
	double deadline;              /* of a dial or a query in all, seconds; 0: 30 */
	double attempt_delay;         /* from one address of a dial to the next; 0: 0.25 */
	size_t max_queries;           /* dials and queries under way; 0: 256 */
};

/*
 * Puts a resolver on the map; it goes with the map. From then on ac_dial takes "example.org:443" on it.
 * A second call replaces the first, and reads /etc/resolv.conf again. NULL as map: the thread's default.
 * -EINVAL (the pending error says what of), -EBUSY while a dial or query is under way, -ENOTSUP for
 * servers, search, ndots, timeout or tries where getaddrinfo is used, -ENOMEM, -EMFILE.
 *
 * A name has 1–253 bytes, its labels 1–63; a dot at its end keeps it from being searched for. Bytes
 * that are no ASCII go out as they are: whoever has an international name gives it as "xn--…". What is no
 * name is refused at once, -EINVAL, never cut. -ENOBUFS: more than max_queries. When as many questions of dials and
 * queries that have ended wait for servers, they are dropped, and what somebody waits for is asked anew: once. Where
 * that has been asked anew before, nothing is dropped, and what is new is refused, -ENOBUFS, until it has its answer,
 * or the servers or c-ares have answered those.
 *
 * A dial asks for IPv6 and IPv4 at once and follows RFC 8305: addresses in the order of RFC 6724, the
 * families in turn, IPv6 has 50 ms to come behind IPv4; an attempt each attempt_delay, or as soon as the
 * last has failed; the first to connect wins, the others are closed. At most 64 addresses. Meanwhile the
 * channel is connecting and has no descriptor; the attempts are channels of the map too. Closing
 * the channel, or ac_del_channel, ends it all. When every address has failed, or the deadline has passed,
 * the error's detail is "example.org:443: [2001:db8::1] ENETUNREACH, 192.0.2.1 ECONNREFUSED". Its code:
 *   ENXIO      there is no such name, or it has no address
 *   ETIMEDOUT  the deadline has passed, no server answered in time, or no host
 *   EBADMSG    a server's answer was malformed
 *   EIO        the servers failed or refused to answer
 *   else       of the attempts' errors the one of the host that was nearest to answering
 */
AC_API int ac_use_resolver(struct ac_map *map, const struct ac_resolver_opts *opts);

/*
 * What a query ends with: 0 and at least one address, in the order in which to try them, lent until it
 * returns; or -errno as above, and none. Its own result is taken as a task's.
 */
typedef int ac_resolve_fn(void *arg, int result, const struct ac_addr *addrs, size_t count);

struct ac_query;

/*
 * Looks up "example.org:443"; "127.0.0.1:80" and what else ac_addr_parse reads gives itself. fn is called once,
 * never before this returns: when both families are known or the deadline has passed; with
 * -ECANCELED by ac_close_all and ac_map_free. NULL with the pending error explained and errno EINVAL (no
 * resolver on the map, no fn, no name), ENOBUFS, ECANCELED (within ac_close_all) or ENOMEM.
 */
AC_API struct ac_query *ac_resolve(struct ac_map *map, const char *address, ac_resolve_fn *fn,
                                   void *arg);

/* Ends a query that has not called fn yet: it never does then. NULL: nothing. */
AC_API void ac_query_cancel(struct ac_query *query);

#ifdef __cplusplus
}
#endif
#endif
