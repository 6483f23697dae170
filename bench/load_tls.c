/*
 * load_tls.c — bytes of a connection, as they are or under TLS.
 *
 * Design: what the load costs is not measured, so it is plain: the handshake blocks, reading goes on until
 * OpenSSL has nothing more, and no certificate is verified. Without OpenSSL there is no --tls.
 */
#include "load.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef WITH_TLS
#include <openssl/ssl.h>

static SSL_CTX *context;

static SSL_CTX *make_context(void)
{
	SSL_CTX *made = SSL_CTX_new(TLS_client_method());

	if (!made)
		wrong("no TLS context");
	SSL_CTX_set_min_proto_version(made, TLS1_3_VERSION);
	SSL_CTX_set_mode(made, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_ENABLE_PARTIAL_WRITE);
	return made;
}

void *tls_connect(int fd)
{
	SSL *ssl;

	if (!context)
		context = make_context();
	ssl = SSL_new(context);
	if (!ssl || SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1)
		wrong("the TLS handshake failed");
	return ssl;
}

/* As recv and send tell it. */
static ssize_t result(SSL *ssl, int r)
{
	int error = SSL_get_error(ssl, r);

	if (error == SSL_ERROR_ZERO_RETURN)
		return 0;
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		errno = EAGAIN;
	else if (error != SSL_ERROR_SYSCALL || errno == 0)
		wrong("the TLS stream is broken or has no end");
	return -1;
}

static ssize_t tls_recv(SSL *ssl, char *buffer, size_t len)
{
	size_t got = 0, n;

	while (got < len && SSL_read_ex(ssl, buffer + got, len - got, &n) == 1)
		got += n;
	return got > 0 ? (ssize_t)got : result(ssl, 0);
}

static ssize_t tls_send(SSL *ssl, const void *data, size_t len)
{
	size_t n;

	return SSL_write_ex(ssl, data, len, &n) == 1 ? (ssize_t)n : result(ssl, 0);
}

bool net_pending(const struct client *c)
{
	return c->fd >= 0 && c->tls && SSL_pending(c->tls) > 0;
}

static void tls_end(SSL *ssl)
{
	SSL_shutdown(ssl);
}

static void tls_free(SSL *ssl)
{
	SSL_free(ssl);
}
#else
typedef void SSL;

void *tls_connect(int fd)
{
	(void)fd;
	wrong("this load was built without TLS");
}

static ssize_t tls_recv(SSL *ssl, char *buffer, size_t len)
{
	(void)ssl, (void)buffer, (void)len;
	return 0;
}

static ssize_t tls_send(SSL *ssl, const void *data, size_t len)
{
	(void)ssl, (void)data, (void)len;
	return 0;
}

bool net_pending(const struct client *c)
{
	(void)c;
	return false;
}

static void tls_end(SSL *ssl)
{
	(void)ssl;
}

static void tls_free(SSL *ssl)
{
	(void)ssl;
}
#endif

ssize_t net_recv(struct client *c, void *buffer, size_t len)
{
	return c->tls ? tls_recv(c->tls, buffer, len) : recv(c->fd, buffer, len, 0);
}

ssize_t net_send(struct client *c, const void *data, size_t len)
{
	return c->tls ? tls_send(c->tls, data, len) : send(c->fd, data, len, MSG_NOSIGNAL);
}

void net_end(struct client *c)
{
	if (c->tls)
		tls_end(c->tls);
	else if (shutdown(c->fd, SHUT_WR) < 0)
		die("shutdown");
}

void net_close(struct client *c)
{
	if (c->tls)
		tls_free(c->tls);
	c->tls = NULL;
	close(c->fd);
	c->fd = -1;
}
