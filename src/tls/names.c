/*
 * names.c — what is chosen by name: the certificate a client asks for (SNI), the protocol on top (ALPN).
 *
 * Design: which names a certificate has is asked of OpenSSL when a client comes, so that there is one opinion on
 * wildcards and odd bytes in names. An exact name goes before a wildcard, a name nobody has to the default.
 * Limits: looks through all certificates, a few microseconds each.
 */
#include "tls.h"

#include <openssl/x509v3.h>
#include <string.h>

static SSL_CTX *find(const struct ac_tls_set *set, const char *name, unsigned flags)
{
	for (size_t i = 0; i < set->count; i++) {
		X509 *x = SSL_CTX_get0_certificate(set->at[i]);

		if (x && X509_check_host(x, name, strlen(name), flags, NULL) == 1)
			return set->at[i];
	}
	return NULL;
}

static int pick_certificate(SSL *ssl, int *alert, void *arg)
{
	const struct ac_tls_link *l = SSL_get_app_data(ssl);
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	SSL_CTX *ctx;

	(void)alert;
	(void)arg;
	if (!name)
		return SSL_TLSEXT_ERR_NOACK;
	if (l->set->count == 1)
		return SSL_TLSEXT_ERR_OK;
	ctx = find(l->set, name, X509_CHECK_FLAG_NO_WILDCARDS);
	if (!ctx)
		ctx = find(l->set, name, 0);
	if (ctx && !SSL_set_SSL_CTX(ssl, ctx))
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

/* Ours come by preference. Nothing in common ends the handshake, as RFC 7301 wants it. */
static int pick_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                         const unsigned char *in, unsigned in_len, void *arg)
{
	const struct ac_tls_link *l = SSL_get_app_data(ssl);
	unsigned char *chosen = NULL;
	int r = SSL_select_next_proto(&chosen, out_len, l->tls->protos, l->tls->protos_len, in,
	                              in_len);

	(void)arg;
	*out = chosen;
	return r == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* A client's ALPN is set for each link, where running out of memory can be told. */
void ac_tls_names_(struct ac_tls *t, SSL_CTX *ctx)
{
	if (!t->opts.server)
		return;
	SSL_CTX_set_tlsext_servername_callback(ctx, pick_certificate);
	if (t->protos)
		SSL_CTX_set_alpn_select_cb(ctx, pick_protocol, NULL);
}

const char *ac_tls_alpn(const struct ac_dispatcher *d)
{
	const struct ac_tls_link *l = ac_tls_link_(d);
	const unsigned char *name = NULL;
	unsigned len = 0;

	if (!l || !l->open)
		return NULL;
	SSL_get0_alpn_selected(l->ssl, &name, &len);
	for (size_t i = 0; len && l->tls->alpn && l->tls->alpn[i]; i++)
		if (strlen(l->tls->alpn[i]) == len && memcmp(l->tls->alpn[i], name, len) == 0)
			return l->tls->alpn[i];
	return NULL;
}
