/*
 * tls.h — TLS for the subcommands: the options they share, and contexts made of them.
 *
 * Design: one of two files stands behind it, tls.c where the build has libasyncore-tls, tls_none.c where it
 * has not: then whatever asks for TLS fails with a clear line.
 */
#ifndef PROGRAM_TLS_H
#define PROGRAM_TLS_H

#include <asyncore.h>

struct ac_tls;

#define TLS_CERTIFICATES_MOST 16

struct tls_options {
	const char *certificates[TLS_CERTIFICATES_MOST], *keys[TLS_CERTIFICATES_MOST]; /* --tls */
	size_t count;
	const char *ca_file; /* --cacert; NULL: the system's */
	bool insecure;       /* --insecure */
	const char *const *alpn;
	double handshake_timeout; /* 0: the library's */
	int (*handle_secure)(struct ac_dispatcher *d);
};

/* --tls CERT KEY: the key is the next word of the command line. False: there is none, or too many. */
bool tls_options_add(struct tls_options *o, const char *certificate, int argc, char **argv);

/* The host of an address, as a certificate names it; "" for a Unix socket. */
const char *tls_host(const char *address, char *host, size_t size);

/* "DETAIL", or what the code means where there is none. */
const char *tls_why(const struct ac_error *e);

/* A context, NULL for a server without certificates; a failure is said. The status. */
int tls_server(const char *name, const struct tls_options *o, struct ac_tls **ret_tls);
int tls_client(const char *name, const struct tls_options *o, struct ac_tls **ret_tls);
void tls_free(struct ac_tls *tls);

/* Puts a channel on it; without a context nothing is done. `server_name` is whom a client expects. */
int tls_start(struct ac_dispatcher *d, struct ac_tls *tls, const char *server_name);

/* Reads the files again at each SIGHUP, and says how that went. */
int tls_reload_on_hangup(struct ac_map *map, const char *name, struct ac_tls *tls);

/* Whether the channel has agreed with its peer: what fails before is the handshake. */
bool tls_is_secure(const struct ac_dispatcher *d);

#endif
