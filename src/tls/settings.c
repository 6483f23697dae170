/*
 * settings.c — one SSL_CTX: what this library makes of OpenSSL's defaults, and what is read from files.
 *
 * Design: nothing that could be set weaker is left to a configuration file. With TLS 1.2 only suites with
 * forward secrecy and authenticated encryption; 1.3 has no others. A server remembers no sessions: tickets make it the
 * client that does.
 */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#define SUITES                                                                                     \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                               \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                               \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

static const unsigned char context_name[] = "asyncore";

/* Asked for an encrypted key's password: nobody is there. */
static int no_password(char *buffer, int size, int writing, void *arg)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static bool set_protocol(SSL_CTX *ctx)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_clear_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_LEGACY_SERVER_CONNECT);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_default_passwd_cb(ctx, no_password);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) &&
	       SSL_CTX_set_cipher_list(ctx, SUITES) &&
	       SSL_CTX_set_session_id_context(ctx, context_name, sizeof(context_name) - 1);
}

static int set_trust(struct ac_tls *t, SSL_CTX *ctx)
{
	const struct ac_tls_opts *o = &t->opts;

	if (o->ca_file && !SSL_CTX_load_verify_file(ctx, o->ca_file))
		return ac_tls_fail_(t, EINVAL, "trusted certificates", o->ca_file);
	if (o->ca_dir && !SSL_CTX_load_verify_dir(ctx, o->ca_dir))
		return ac_tls_fail_(t, EINVAL, "trusted certificates", o->ca_dir);
	if (!o->ca_file && !o->ca_dir && !SSL_CTX_set_default_verify_paths(ctx))
		return ac_tls_fail_(t, EINVAL, "the system's trusted certificates", NULL);
	if (o->server && o->ca_file)
		SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(o->ca_file));
	return 0;
}

static int set_verification(struct ac_tls *t, SSL_CTX *ctx)
{
	const struct ac_tls_opts *o = &t->opts;
	bool asks = o->server ? o->ask_client_cert || o->need_client_cert : !o->no_verify;

	SSL_CTX_set_verify(ctx,
	                   (asks ? SSL_VERIFY_PEER : SSL_VERIFY_NONE) |
	                           (o->need_client_cert ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
	                   NULL);
	return asks ? set_trust(t, ctx) : 0;
}

static int set_certificate(struct ac_tls *t, const struct ac_tls_files *f, SSL_CTX *ctx)
{
	X509 *x;

	if (SSL_CTX_use_certificate_chain_file(ctx, f->cert) != 1)
		return ac_tls_fail_(t, EINVAL, "certificate", f->cert);
	if (SSL_CTX_use_PrivateKey_file(ctx, f->key, SSL_FILETYPE_PEM) != 1)
		return ac_tls_fail_(t, EINVAL, "key", f->key);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return ac_tls_fail_(t, EINVAL, "key", f->key);
	x = SSL_CTX_get0_certificate(ctx);
	if (X509_cmp_current_time(X509_get0_notAfter(x)) < 0)
		return ac_tls_fail_(t, EINVAL, "expired: certificate", f->cert);
	return 0;
}

int ac_tls_ctx_new_(struct ac_tls *t, const struct ac_tls_files *files, SSL_CTX **ret_ctx)
{
	bool server = t->opts.server;
	SSL_CTX *ctx;
	int r;

	ERR_clear_error();
	ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	if (!ctx)
		return ac_tls_fail_(t, ENOMEM, "no memory for TLS", NULL);
	r = set_protocol(ctx) ? set_verification(t, ctx) : ac_tls_fail_(t, EINVAL, "TLS", NULL);
	if (r == 0 && files->cert)
		r = set_certificate(t, files, ctx);
	if (r < 0) {
		SSL_CTX_free(ctx);
		return r;
	}
	ac_tls_names_(t, ctx);
	if (!server)
		ac_tls_store_(ctx);
	*ret_ctx = ctx;
	return 0;
}
