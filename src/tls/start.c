/*
 * start.c — how a channel comes to its TLS, and what can be asked of it then.
 */
#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#define NAME_MOST 253 /* of DNS */

static bool is_address(const char *name)
{
	unsigned char ip[16];

	return inet_pton(AF_INET, name, ip) == 1 || inet_pton(AF_INET6, name, ip) == 1;
}

/* Nobody is asked for by an address, but a certificate may hold one. */
static bool expect(struct ac_tls_link *l)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(l->ssl);

	if (!l->name)
		return true;
	if (is_address(l->name))
		return X509_VERIFY_PARAM_set1_ip_asc(param, l->name);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, l->name, 0) &&
	       SSL_set_tlsext_host_name(l->ssl, l->name);
}

static bool be_client(struct ac_tls_link *l)
{
	SSL_SESSION *session = l->name ? ac_tls_session_get_(l->tls, l->name) : NULL;
	bool good = expect(l);

	SSL_set_connect_state(l->ssl);
	if (l->tls->protos && SSL_set_alpn_protos(l->ssl, l->tls->protos, l->tls->protos_len) != 0)
		good = false;
	if (session)
		SSL_set_session(l->ssl, session);
	SSL_SESSION_free(session);
	return good;
}

static bool set_up(struct ac_tls_link *l)
{
	BIO *pipe;

	ERR_clear_error();
	l->ssl = SSL_new(l->set->at[0]);
	pipe = l->ssl ? ac_tls_bio_(l) : NULL;
	if (!pipe)
		return false;
	SSL_set_bio(l->ssl, pipe, pipe);
	if (!SSL_set_app_data(l->ssl, l))
		return false;
	if (!l->tls->opts.server)
		return be_client(l);
	SSL_set_accept_state(l->ssl);
	return true;
}

/* The dot of the root belongs to the DNS, not to the name. */
static size_t name_length(const char *name)
{
	size_t len = name ? strlen(name) : 0;

	return len && name[len - 1] == '.' ? len - 1 : len;
}

static bool copy_name(struct ac_tls_link *l, const char *name)
{
	size_t len = name_length(name);

	if (len == 0)
		return true;
	l->name = ac_copy_(name);
	if (l->name)
		l->name[len] = '\0';
	return l->name != NULL;
}

static struct ac_tls_link *link_new(struct ac_dispatcher *d, struct ac_tls *tls, const char *name)
{
	struct ac_tls_link *l = ac_extra_(d) ? ac_alloc_(sizeof(*l)) : NULL;

	if (!l)
		return NULL;
	l->d = d;
	l->tls = tls;
	atomic_fetch_add(&tls->refs, 1);
	l->set = ac_tls_set_get_(tls);
	if (copy_name(l, tls->opts.server ? NULL : name) && set_up(l))
		return l;
	ac_tls_link_free_(l);
	ERR_clear_error();
	return NULL;
}

static bool has_certificate(struct ac_tls *tls)
{
	bool has;

	pthread_mutex_lock(&tls->lock);
	has = tls->file_count > 0;
	pthread_mutex_unlock(&tls->lock);
	return has;
}

static int check(struct ac_dispatcher *d, struct ac_tls *tls, const char *name)
{
	bool datagrams = d->fd >= 0 && d->family && !(d->flags & AC_IS_STREAM);
	size_t len = name_length(name);

	if (ac_tls_link_(d))
		return ac_raise(d, EALREADY);
	if (!tls || (d->flags & AC_IS_ACCEPTING) || datagrams ||
	    ac_bare_transport_(d) != &ac_transport_socket_)
		return ac_raisef(d, EINVAL, "TLS needs a stream socket that does not listen");
	if (tls->opts.server)
		return has_certificate(tls) ? 0 : ac_raisef(d, EINVAL, "TLS without a certificate");
	if (len == 0 && !tls->opts.no_verify)
		return ac_raisef(d, EINVAL, "TLS needs the name of the server to verify it");
	if (name && name[0] == '.') /* OpenSSL would take it for any name below */
		return ac_raisef(d, EINVAL, "\"%.60s\" is no server's name", name);
	if (len > NAME_MOST)
		return ac_raisef(d, EINVAL, "a server's name of %zu bytes", len);
	return 0;
}

int ac_start_tls(struct ac_dispatcher *d, struct ac_tls *tls, const char *server_name)
{
	struct ac_tls_link *l;
	bool connected;
	int r;

	if (d->flags & (AC_IS_CLOSING | AC_IS_DOOMED))
		return 0;
	AC_TRY(d, check(d, tls, server_name));
	l = link_new(d, tls, server_name);
	if (!l)
		return ac_raise(d, ENOMEM);
	connected = d->flags & AC_IS_CONNECTED;
	l->dialed = !connected;
	d->extra->secure = l;
	r = ac_convert_(d, connected ? &ac_transport_tls_ : &ac_transport_tls_dialing_, &l->early);
	if (r < 0 && ac_tls_link_(d) == l && ac_bare_transport_(d) == &ac_transport_socket_) {
		d->extra->secure = NULL;
		ac_tls_link_free_(l);
	} else if (connected && ac_tls_link_(d)) {
		ac_tls_await_(l);
	}
	return r;
}

static const struct ac_tls_link *open_link(const struct ac_dispatcher *d)
{
	const struct ac_tls_link *l = ac_tls_link_(d);

	return l && l->open ? l : NULL;
}

const char *ac_tls_version(const struct ac_dispatcher *d)
{
	const struct ac_tls_link *l = open_link(d);

	return l ? SSL_get_version(l->ssl) : NULL;
}

const char *ac_tls_cipher(const struct ac_dispatcher *d)
{
	const struct ac_tls_link *l = open_link(d);

	return l ? SSL_get_cipher_name(l->ssl) : NULL;
}

bool ac_tls_resumed(const struct ac_dispatcher *d)
{
	const struct ac_tls_link *l = open_link(d);

	return l && SSL_session_reused(l->ssl);
}

struct ssl_st *ac_tls_ssl(const struct ac_dispatcher *d)
{
	const struct ac_tls_link *l = ac_tls_link_(d);

	return l ? l->ssl : NULL;
}
