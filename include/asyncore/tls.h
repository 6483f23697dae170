/*
 * asyncore/tls.h — TLS under any dispatcher or chat, in a library of its own (libasyncore-tls, OpenSSL 3),
 * so that the core needs nothing but libc.
 *
 * A *context* holds certificates, trust and settings for any number of channels. ac_start_tls puts a channel
 * on it; from then on the class sees what it would see without: the same events, the same verbs.
 *
 *	ac_start_tls before ac_dial, ac_connect   the handshake follows the connect, then handle_connect
 *	             in handle_accepted           at once; no event of its own but handle_secure
 *	             in found_terminator …        output queued before goes in clear, then the handshake
 *
 * While the handshake is under way the channel is *connecting*: a chat queues what is pushed, ac_send
 * gives 0. What ac_send did not take has to be sent next, as it was: its first byte may be in a record
 * already, and is passed over when it comes again. What goes wrong is raised (handle_error), then the
 * channel closes whatever handle_error does:
 *  - EPROTO: the handshake, an alert, a bad record, or bytes that came before the handshake;
 *  - EACCES: the peer's certificate does not verify, or it has none; the detail says why;
 *  - EBADMSG: the stream ended without the peer's close_notify. It is never handle_eof. What was decrypted
 *    before has been delivered;
 *  - ETIMEDOUT: the handshake took too long.
 *
 * A close says close_notify, so that the peer knows that it has everything, unless an error ends the
 * channel, output that a chat, a sender or a relay had queued is thrown away, or the last ac_send was short and
 * nothing was sent since. If the socket has no room for it, or for what ac_send took, the channel is gone
 * as ever, but its descriptor stays until they are sent, for five seconds at most (less under stress;
 * AC_COUNT_STALLED counts those that were not). Until then it keeps the loop going and counts as the connection
 * it was; a child forked meanwhile sends nothing of it. ac_close_all and ac_map_free do not wait for it. But what
 * was closed before by the caller itself may: of a channel whose handle_close calls ac_close_all it stays behind.
 *
 * TLS 1.2 and 1.3 only; renegotiation and compression are refused.
 */
#ifndef ASYNCORE_TLS_H
#define ASYNCORE_TLS_H

#include <asyncore.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A context. Thread-safe: channels on the maps of many threads may share it. */
struct ac_tls;

/* All zero, or a NULL pointer: a client that verifies by the system's trust store. Strings are copied. */
struct ac_tls_opts {
	bool server;
	bool no_verify;           /* client: takes any certificate, of any name */
	bool ask_client_cert;     /* server: one that is given has to verify */
	bool need_client_cert;    /* server: and one has to be given */
	const char *ca_file;      /* trusted certificates (PEM); with ca_dir NULL … */
	const char *ca_dir;       /* … and both NULL: the system's */
	const char *const *alpn;  /* protocols by preference, the last is NULL; NULL: none */
	double handshake_timeout; /* seconds; 0: 10; INFINITY: none; less under stress */
	/* The handshake is done: before handle_connect where that is called. As a handler: may push, close, fail. */
	int (*handle_secure)(struct ac_dispatcher *d);
};

/*
 * A new context, or -EINVAL (an option, a file that cannot be used), -ENOENT and the like (a file that cannot be
 * read), -ENOMEM; ac_tls_error(NULL) says more. ac_tls_free gives it back; channels that use it keep it alive.
 */
AC_API int ac_tls_new(const struct ac_tls_opts *opts, struct ac_tls **ret_tls);
AC_API void ac_tls_free(struct ac_tls *tls);

/*
 * A certificate with its chain and its key (PEM; key_file NULL: in the same file). A server needs one at least:
 * the first is the default, others are taken when the name the client asks for is theirs (subject alternative
 * names with wildcards, or the common name). A client shows its first where it is asked for one. Errors as
 * ac_tls_new; a key of another certificate, an encrypted key and an expired certificate are -EINVAL.
 */
AC_API int ac_tls_add_certificate(struct ac_tls *tls, const char *cert_file, const char *key_file);

/*
 * Reads all files again, for SIGHUP. New handshakes use them; connections that are there keep what they have.
 * If any file cannot be used nothing changes. Clients' remembered sessions are forgotten, and tickets given
 * out by a server are good no more.
 */
AC_API int ac_tls_reload(struct ac_tls *tls);

/* Why the last of the three above failed on this context; NULL: why ac_tls_new did in this thread. "" if none
 * did. Lent until the next failure. */
AC_API const char *ac_tls_error(const struct ac_tls *tls);

/*
 * From here on the channel's bytes go through TLS; the role is the context's. server_name is whom a client
 * expects: a host name (asked for by SNI) or an address; a client that verifies has to give it. Servers give NULL.
 *
 * In mid-conversation what is queued is sent in clear first: -EBUSY, with nothing changed, if the kernel does
 * not take all of it. Input that was received and not consumed yet is refused: the channel raises EPROTO and
 * closes, and those bytes are never handed out. Other errors: -EALREADY the second time, -EINVAL for listeners,
 * datagrams, files, a missing or impossible name, a server's context without certificate, -ENOMEM. On a closed
 * channel: 0.
 */
AC_API int ac_start_tls(struct ac_dispatcher *d, struct ac_tls *tls, const char *server_name);

/* What was agreed on; NULL before the handshake is done and on channels without TLS. Lent until it closes. */
AC_API const char *ac_tls_version(const struct ac_dispatcher *d); /* "TLSv1.3" */
AC_API const char *ac_tls_cipher(const struct ac_dispatcher *d);  /* "TLS_AES_256_GCM_SHA384" */
AC_API const char *ac_tls_alpn(
	const struct ac_dispatcher *d);                    /* NULL also where none was agreed on */
AC_API bool ac_tls_resumed(const struct ac_dispatcher *d); /* by a ticket, without certificates */

/* OpenSSL's own object, for all that is not here: to look at, not to read, write or free. NULL: none. */
struct ssl_st;
AC_API struct ssl_st *ac_tls_ssl(const struct ac_dispatcher *d);

#ifdef __cplusplus
}
#endif
#endif
