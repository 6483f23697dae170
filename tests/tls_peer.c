/* tls_peer.c — see tls_peer.h. */
#include "tls_peer.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

/* OpenSSL writes to its descriptor without MSG_NOSIGNAL; ours must not need this. */
static void hush(bool on)
{
	signal(SIGPIPE, on ? SIG_IGN : SIG_DFL);
}

static void failed(struct peer *p)
{
	unsigned long e = ERR_peek_error();

	p->failed = true;
	snprintf(p->reason, sizeof(p->reason), "%s", e ? ERR_reason_error_string(e) : "no reason");
	ERR_clear_error();
}

/* A record of data: its header is seen by what OpenSSL tells of each message. */
static void count_records(int written, int version, int type, const void *data, size_t len,
                          SSL *ssl, void *arg)
{
	(void)version;
	(void)ssl;
	if (!written && type == SSL3_RT_HEADER && len &&
	    *(const unsigned char *)data == SSL3_RT_APPLICATION_DATA)
		((struct peer *)arg)->records++;
}

static void begin(struct peer *p, int fd, const SSL_METHOD *method)
{
	memset(p, 0, sizeof(*p));
	p->fd = fd;
	p->ctx = SSL_CTX_new(method);
	assert_non_null(p->ctx);
	SSL_CTX_set_mode(p->ctx,
	                 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_msg_callback(p->ctx, count_records);
	SSL_CTX_set_msg_callback_arg(p->ctx, p);
	SSL_CTX_load_verify_file(p->ctx, cert_ca());
}

void peer_client(struct peer *p, int fd, const char *name)
{
	begin(p, fd, TLS_client_method());
	SSL_CTX_set_verify(p->ctx, SSL_VERIFY_PEER, NULL);
	p->ssl = SSL_new(p->ctx);
	SSL_set_fd(p->ssl, fd);
	if (name) {
		SSL_set1_host(p->ssl, name);
		SSL_set_tlsext_host_name(p->ssl, name);
	}
	SSL_set_connect_state(p->ssl);
}

void peer_server(struct peer *p, int fd, const char *cert)
{
	begin(p, fd, TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate_chain_file(p->ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(p->ctx, cert, SSL_FILETYPE_PEM), 1);
	p->ssl = SSL_new(p->ctx);
	SSL_set_fd(p->ssl, fd);
	SSL_set_accept_state(p->ssl);
}

bool peer_shake(struct peer *p)
{
	int r;

	if (p->done || p->failed)
		return true;
	ERR_clear_error();
	hush(true);
	r = SSL_do_handshake(p->ssl);
	hush(false);
	p->done = r == 1;
	if (r != 1) {
		int e = SSL_get_error(p->ssl, r);

		if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
			failed(p);
	}
	return p->done || p->failed;
}

size_t peer_read(struct peer *p, char *text, size_t size)
{
	size_t n = 0;
	int r = 1, e;

	while (r > 0 && n + 1 < size) {
		ERR_clear_error();
		hush(true);
		r = SSL_read(p->ssl, text + n, (int)(size - n - 1));
		hush(false);
		n += r > 0 ? (size_t)r : 0;
	}
	text[n] = '\0';
	p->got += n;
	e = r > 0 ? SSL_ERROR_NONE : SSL_get_error(p->ssl, r);
	p->ended |= e == SSL_ERROR_ZERO_RETURN;
	p->truncated |= e == SSL_ERROR_SSL &&
	                ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
	if (e == SSL_ERROR_SSL || e == SSL_ERROR_SYSCALL)
		failed(p);
	return n;
}

int peer_records(const struct peer *p)
{
	return p->records;
}

void peer_nonblock(struct peer *p)
{
	fcntl(p->fd, F_SETFL, O_NONBLOCK);
}

bool peer_hears(struct peer *p, const char *text)
{
	size_t len = strlen(p->heard);

	peer_read(p, p->heard + len, sizeof(p->heard) - len);
	return strstr(p->heard, text) != NULL;
}

bool peer_put(struct peer *p, const char *text)
{
	size_t len = strlen(text);

	int r;

	ERR_clear_error();
	hush(true);
	r = SSL_write(p->ssl, text, (int)len);
	hush(false);
	return r == (int)len;
}

void peer_close(struct peer *p)
{
	SSL_free(p->ssl);
	SSL_CTX_free(p->ctx);
	if (p->fd >= 0)
		close(p->fd);
	memset(p, 0, sizeof(*p));
	p->fd = -1;
}

struct ac_tls *tls_with(struct ac_tls_opts opts, const char *cert)
{
	struct ac_tls *tls;

	opts.handle_secure = end_secure;
	assert_int_equal(ac_tls_new(&opts, &tls), 0);
	if (cert)
		assert_int_equal(ac_tls_add_certificate(tls, cert, NULL), 0);
	return tls;
}

struct ac_tls *tls_server(const char *cert)
{
	return tls_with((struct ac_tls_opts){ .server = true }, cert);
}

struct ac_tls *tls_client(void)
{
	return tls_with((struct ac_tls_opts){ .ca_file = cert_ca() }, NULL);
}

static struct end *end_of(struct ac_dispatcher *d)
{
	return ((struct rec *)d)->arg;
}

int end_secure(struct ac_dispatcher *d)
{
	struct end *e;

	if (strcmp(d->cls->name, "end") != 0) /* another class's case */
		return 0;
	e = end_of(d);
	assert_true(ac_connected(d));
	assert_non_null(ac_tls_version(d));
	strcat(e->trace, "S");
	e->secures++;
	return e->on_secure ? e->on_secure(e) : 0;
}

static int end_connect(struct ac_dispatcher *d)
{
	end_of(d)->connects++;
	return rec_class.d.handle_connect(d);
}

static int end_error(struct ac_dispatcher *d, const struct ac_error *error)
{
	struct end *e = end_of(d);

	e->errors++;
	e->error = error->code;
	snprintf(e->detail, sizeof(e->detail), "%s", error->detail);
	return rec_class.d.handle_error(d, error);
}

static bool ends_are_gone;

int tls_teardown(void **state)
{
	int r;

	ends_are_gone = true;
	r = world_teardown(state);
	ends_are_gone = false;
	return r;
}

static int end_close(struct ac_dispatcher *d)
{
	struct end *e = end_of(d);

	if (ends_are_gone)
		return 0;
	e->closes++;
	e->reason = ac_close_reason(d);
	e->r = NULL;
	e->c = NULL;
	return rec_class.d.handle_close(d);
}

static int end_found(struct rec *r)
{
	struct end *e = r->arg;

	e->found++;
	return e->on_found ? e->on_found(e) : 0;
}

int (*end_on_eof)(struct ac_dispatcher *d);

static int end_eof(struct ac_dispatcher *d)
{
	return end_on_eof ? end_on_eof(d) : AC_CHAT->handle_eof(d);
}

static const struct ac_chat_class end_class = {
	.d = {
		.super = &rec_class.d,
		.name = "end",
		.size = sizeof(struct rec),
		.class_size = sizeof(struct ac_chat_class),
		.handle_connect = end_connect,
		.handle_eof = end_eof,
		.handle_error = end_error,
		.handle_close = end_close,
	},
};

static void begin_end(struct world *w, struct end *e, struct ac_chat *c)
{
	assert_non_null(c);
	memset(e, 0, sizeof(*e));
	e->c = c;
	e->r = (struct rec *)c;
	e->r->arg = e;
	e->r->trace = e->trace = new_trace(w);
	e->r->on_found = end_found;
	assert_int_equal(ac_set_terminator(c, "\n", 1), 0);
}

void end_new(struct world *w, struct end *e)
{
	begin_end(w, e, ac_chat_new(w->map, &end_class));
}

void end_adopt(struct world *w, struct end *e, int fd)
{
	begin_end(w, e, ac_chat_adopt(w->map, &end_class, fd, NULL));
}

void end_dial(struct world *w, struct end *e, const struct ac_addr *to, struct ac_tls *tls,
              const char *name)
{
	end_new(w, e);
	assert_int_equal(ac_create_socket(&e->c->d, to->sa.sa_family, SOCK_STREAM), 0);
	assert_int_equal(ac_start_tls(&e->c->d, tls, name), 0);
	assert_int_equal(ac_connect(&e->c->d, to), 0);
}

void face_client(struct world *w, struct end *server, struct peer *client)
{
	struct ac_tls *tls = tls_server(cert_file(A_TEST, CERT_GOOD));
	int fds[2];

	tcp_pair(fds);
	end_adopt(w, server, fds[1]);
	assert_int_equal(ac_start_tls(&server->c->d, tls, NULL), 0);
	ac_tls_free(tls);
	peer_client(client, fds[0], "a.test");
}

void meet_client(struct world *w, struct end *server, struct peer *client)
{
	face_client(w, server, client);
	UNTIL(w, peer_shake(client) && server->secures);
	assert_true(client->done);
}

void meet_server(struct world *w, struct end *client, struct peer *server)
{
	struct ac_tls *tls = tls_client();
	int fds[2];

	tcp_pair(fds);
	end_adopt(w, client, fds[0]);
	assert_int_equal(ac_start_tls(&client->c->d, tls, "a.test"), 0);
	ac_tls_free(tls);
	peer_server(server, fds[1], cert_file(A_TEST, CERT_GOOD));
	UNTIL(w, peer_shake(server) && client->secures);
	assert_true(server->done);
}

void end_pair_with(struct world *w, struct end e[2], struct ac_tls *client, struct ac_tls *server,
                   const char *name)
{
	int fds[2];

	tcp_pair(fds);
	end_adopt(w, &e[0], fds[0]);
	end_adopt(w, &e[1], fds[1]);
	assert_int_equal(ac_start_tls(&e[0].c->d, client, name), 0);
	assert_int_equal(ac_start_tls(&e[1].c->d, server, NULL), 0);
	ac_tls_free(client);
	ac_tls_free(server);
}

void end_pair(struct world *w, struct end e[2])
{
	end_pair_with(w, e, tls_client(), tls_server(cert_file(A_TEST, CERT_GOOD)), "a.test");
}
