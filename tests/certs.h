/* certs.h — certificates made while the tests run, in a directory that is gone when they end. */
#ifndef CERTS_H
#define CERTS_H

#include <openssl/ssl.h>
#include <stdbool.h>

enum cert_kind {
	CERT_GOOD,
	CERT_EXPIRED,
	CERT_SELF_SIGNED,
	CERT_OTHER_CA, /* signed by an authority that nobody trusts */
	CERT_NO_SAN    /* the name is the common name only */
};

/* "DNS:a.test,IP:127.0.0.1" and the like. The path of a file with certificate and key, good until exit. */
const char *cert_file(const char *names, enum cert_kind kind);
const char *cert_ca(void);                        /* the authority's */
const char *cert_path(const char *name);          /* a file of that name in the directory */
void cert_copy(const char *from, const char *to); /* paths */
void cert_write(const char *path, const char *text);

#endif
