/*
 * tls.h — the inside of libasyncore-tls: what a context holds, and what a channel on it has.
 *
 * Invariants:
 *  - a link exists <==> d->extra->secure points to it; ac_close_ ends both by transport->finish.
 *  - link->out is ciphertext that the kernel has not taken. Nothing more is encrypted while there is any.
 *  - link->held: the first byte of what the caller still has queued is in link->out already.
 */
#ifndef AC_TLS_H
#define AC_TLS_H

#include <asyncore/tls.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "../chat/chat.h"

/* What was read from the files: one SSL_CTX for each certificate, one at least. Never changed once made. */
struct ac_tls_set {
	atomic_uint refs;
	size_t count;
	SSL_CTX *at[];
};

struct ac_tls_files {
	char *cert, *key;
};

#define AC_TLS_OUT_MOST ((size_t)131072)
#define AC_TLS_SESSIONS 128 /* servers that a client's context remembers */

struct ac_tls_session {
	char *name;
	SSL_SESSION *session;
};

struct ac_tls {
	atomic_uint refs;
	struct ac_tls_opts opts; /* the strings are copies */
	char **alpn;
	unsigned char *protos; /* the same as it goes over the wire */
	unsigned protos_len;
	pthread_mutex_t lock; /* of what follows */
	struct ac_tls_set *set;
	struct ac_tls_files *files;
	size_t file_count;
	struct ac_tls_session sessions[AC_TLS_SESSIONS];
	char error[256];
};

/* One channel's. */
struct ac_tls_link {
	struct ac_dispatcher *d;
	struct ac_tls *tls;
	struct ac_tls_set *set;
	SSL *ssl;
	char *name;          /* of the server that is expected; NULL: none */
	struct ac_buf early; /* read by a poller before this began: comes first */
	struct ac_buf out;
	char *batch; /* ciphertext is put together here; NULL: it goes out as it comes */
	size_t batch_len;
	unsigned forks; /* when it spoke last: in another process the stream is not its own */
	size_t budget;  /* bytes that may still be read from the kernel for this call */
	struct ac_task deadline;
	int read_error, write_error; /* of the kernel's */
	int failed;                  /* of ours: it is over */
	bool dialed;                 /* handle_connect is owed */
	bool begun, open;            /* the handshake */
	bool asked;                  /* the kernel, in this call */
	bool eof;                    /* the kernel's */
	bool more;                   /* there may be bytes in memory that were not handed out */
	bool held;
	bool more_follows; /* MSG_MORE */
	bool fin, deaf; /* ac_shutdown: the output ends when `out` is gone; the input has ended */
	char detail[100];
};

/* context.c */
void ac_tls_unref_(struct ac_tls *t);
int ac_tls_fail_(struct ac_tls *t, int code, const char *what,
                 const char *file);                   /* keeps the text; -code */
struct ac_tls_set *ac_tls_set_get_(struct ac_tls *t); /* with a reference */
void ac_tls_set_put_(struct ac_tls_set *set);

/* settings.c: one SSL_CTX */
int ac_tls_ctx_new_(struct ac_tls *t, const struct ac_tls_files *files, SSL_CTX **ret_ctx);

/* names.c: SNI, ALPN */
void ac_tls_names_(struct ac_tls *t, SSL_CTX *ctx);

/* store.c: sessions of clients */
void ac_tls_store_(SSL_CTX *ctx);
SSL_SESSION *ac_tls_session_get_(struct ac_tls *t, const char *name); /* with a reference; NULL */
void ac_tls_sessions_drop_(struct ac_tls *t);                         /* locked by the caller */

/* pipe.c: between OpenSSL and the kernel */
BIO *ac_tls_bio_(struct ac_tls_link *l);
void ac_tls_begin_(struct ac_tls_link *l);              /* a call into OpenSSL begins */
void ac_tls_gather_(struct ac_tls_link *l);             /* puts what it writes together … */
void ac_tls_scatter_(struct ac_tls_link *l, bool last); /* … and sends it */
void ac_tls_flush_(struct ac_tls_link *l);              /* what was left */
static inline size_t ac_tls_left_(const struct ac_tls_link *l)
{
	return l->out.end - l->out.start;
}
/* The peer makes us answer and does not read: nothing more of it is taken. */
static inline bool ac_tls_is_clogged_(const struct ac_tls_link *l)
{
	return ac_tls_left_(l) > AC_TLS_OUT_MOST;
}

/* link.c */
static inline struct ac_tls_link *ac_tls_link_(const struct ac_dispatcher *d)
{
	return d->extra ? d->extra->secure : NULL;
}
int ac_tls_broken_(struct ac_tls_link *l, int code, const char *what); /* raises and dooms */
void ac_tls_explain_(struct ac_tls_link *l, const char *what);         /* OpenSSL's reason, kept */
void ac_tls_await_(struct ac_tls_link *l);                             /* starts the deadline */
void ac_tls_link_free_(struct ac_tls_link *l);
extern const struct ac_transport ac_transport_tls_dialing_, ac_transport_tls_;

/* bytes.c */
ssize_t ac_tls_recv_(struct ac_dispatcher *d, void *buffer, size_t size);
ssize_t ac_tls_send_(struct ac_dispatcher *d, const struct iovec *iov, int count, bool more);

#endif
