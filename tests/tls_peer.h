/*
 * tls_peer.h — what the cases of TLS stand on: ends, which are chats whose story outlives them, and peers, which
 * are OpenSSL by hand on a non-blocking socket, driven between passes.
 */
#ifndef TLS_PEER_H
#define TLS_PEER_H

#include "certs.h"
#include "harness.h"

#include <asyncore/tls.h>
#include <openssl/err.h>

/* Channels that are left when a case ends close afterwards, when the ends on its stack are gone. */
#undef ON
#define ON(fn, poller)                                                                             \
	{                                                                                          \
#fn "/" #poller, fn, world_setup, tls_teardown, (void *)#poller                    \
	}
int tls_teardown(void **state);

/* The first handshake takes seconds where each instruction is looked at. */
#undef UNTIL
#define UNTIL(w, condition)                                                                        \
	do {                                                                                       \
		double until_ = ac_now((w)->map) + 60;                                             \
		while (!(condition) && ac_now((w)->map) < until_)                                  \
			ac_poll((w)->map, 0.01);                                                   \
		assert_true(condition);                                                            \
	} while (0)

#define A_TEST "DNS:a.test"

/* A chat that takes lines. "C(hello)F" and so on in trace, as the harness's chats. */
struct end {
	struct rec *r; /* NULL: closed */
	struct ac_chat *c;
	char *trace;
	int found, connects, secures, errors, closes, error, reason;
	char detail[120];
	int (*on_found)(struct end *e);
	int (*on_secure)(struct end *e);
};

extern int (*end_on_eof)(struct ac_dispatcher *d); /* NULL: the chat's */

void end_new(struct world *w, struct end *e); /* without a descriptor */
void end_adopt(struct world *w, struct end *e, int fd);
void end_dial(struct world *w, struct end *e, const struct ac_addr *to, struct ac_tls *tls,
              const char *name);
int end_secure(struct ac_dispatcher *d); /* for .handle_secure */
/* A client [0] and a server [1] on one map over TCP, not yet agreed. */
void end_pair(struct world *w, struct end e[2]);
void end_pair_with(struct world *w, struct end e[2], struct ac_tls *client, struct ac_tls *server,
                   const char *name);

struct peer {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	int records;
	size_t got; /* bytes of plaintext read by peer_read in all */
	bool done, ended, truncated, failed;
	char reason[128]; /* why it failed */
	char heard[4096]; /* by peer_hears */
};

void peer_client(struct peer *p, int fd, const char *name); /* trusts the tests' authority */
void peer_server(struct peer *p, int fd, const char *cert);
bool peer_shake(struct peer *p);                           /* one try; true: done or failed */
size_t peer_read(struct peer *p, char *text, size_t size); /* what there is, with a NUL behind */
bool peer_hears(struct peer *p, const char *text);         /* reads on; is it there by now? */
bool peer_put(struct peer *p, const char *text);           /* all of it at once, or false */
int peer_records(const struct peer *p);                    /* of data, read so far */
void peer_nonblock(struct peer *p);
void peer_close(struct peer *p); /* without a word */

/* Contexts, with end_secure; freed by the caller. */
struct ac_tls *tls_server(const char *cert);
struct ac_tls *tls_client(void);
struct ac_tls *tls_with(struct ac_tls_opts opts, const char *cert); /* cert may be NULL */

/* An end and a hand-driven peer over TCP, nothing said yet. */
void face_client(struct world *w, struct end *server, struct peer *client);
/* The same with the handshake done. */
void meet_client(struct world *w, struct end *server, struct peer *client);
void meet_server(struct world *w, struct end *client, struct peer *server);

#endif
