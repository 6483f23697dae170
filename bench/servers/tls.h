/*
 * tls.h — OpenSSL straight on the descriptor, as a server without a library has it; without -DWITH_TLS,
 * nothing: bytes go as they are, and there is no branch for it.
 *
 * Design: TLS 1.3, one certificate, read-ahead, so that a record is one recv; each record is one send. The
 * server keeps OpenSSL's buffers.
 */
#ifndef BENCH_TLS_H
#define BENCH_TLS_H

#include "common.h"

#ifdef WITH_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>

static SSL_CTX *tls_context;

/* `pem` holds the certificate and its key; NULL: no TLS. */
static inline void tls_begin(const char *pem)
{
	if (!pem)
		return;
	tls_context = SSL_CTX_new(TLS_server_method());
	if (!tls_context || SSL_CTX_use_certificate_chain_file(tls_context, pem) != 1 ||
	    SSL_CTX_use_PrivateKey_file(tls_context, pem, SSL_FILETYPE_PEM) != 1)
		fail(pem);
	SSL_CTX_set_mode(tls_context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(tls_context, 1);
}

static inline SSL *tls_accept(int fd)
{
	SSL *ssl = tls_context ? SSL_new(tls_context) : NULL;

	if (tls_context && (!ssl || SSL_set_fd(ssl, fd) != 1))
		fail("SSL_new");
	return ssl;
}

/* 1: done; 0: it waits for the peer; -1: it failed. */
static inline int tls_handshake(SSL *ssl)
{
	int r = SSL_accept(ssl), error = SSL_get_error(ssl, r);

	if (r == 1)
		return 1;
	ERR_clear_error();
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static inline ssize_t tls_result(SSL *ssl)
{
	int error = SSL_get_error(ssl, 0);

	if (error == SSL_ERROR_ZERO_RETURN)
		return 0;
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		errno = EAGAIN;
	else
		errno = EPROTO;
	ERR_clear_error();
	return -1;
}

static inline ssize_t tls_recv(SSL *ssl, int fd, char *data, size_t len)
{
	size_t got = 0, n;

	if (!ssl)
		return recv(fd, data, len, 0);
	while (got < len && SSL_read_ex(ssl, data + got, len - got, &n) == 1)
		got += n;
	return got > 0 ? (ssize_t)got : tls_result(ssl);
}

static inline ssize_t tls_send(SSL *ssl, int fd, const char *data, size_t len)
{
	size_t n;

	if (!ssl)
		return send(fd, data, len, MSG_NOSIGNAL);
	return SSL_write_ex(ssl, data, len, &n) == 1 ? (ssize_t)n : tls_result(ssl);
}

static inline bool tls_pending(SSL *ssl)
{
	return ssl && SSL_has_pending(ssl);
}

/* The peer has said so: epoll will not. */
static inline bool tls_ended(SSL *ssl)
{
	return ssl && (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN);
}

static inline void tls_close(SSL *ssl)
{
	if (ssl)
		SSL_shutdown(ssl);
	SSL_free(ssl);
}
#else
typedef void SSL;

static inline void tls_begin(const char *pem)
{
	(void)pem;
}

static inline SSL *tls_accept(int fd)
{
	(void)fd;
	return NULL;
}

static inline int tls_handshake(SSL *ssl)
{
	(void)ssl;
	return 1;
}

static inline ssize_t tls_recv(SSL *ssl, int fd, char *data, size_t len)
{
	(void)ssl;
	return recv(fd, data, len, 0);
}

static inline ssize_t tls_send(SSL *ssl, int fd, const char *data, size_t len)
{
	(void)ssl;
	return send(fd, data, len, MSG_NOSIGNAL);
}

static inline bool tls_pending(SSL *ssl)
{
	(void)ssl;
	return false;
}

static inline bool tls_ended(SSL *ssl)
{
	(void)ssl;
	return false;
}

static inline void tls_close(SSL *ssl)
{
	(void)ssl;
}
#endif

#endif
