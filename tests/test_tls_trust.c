/* test_tls_trust.c — who is believed, which certificate is shown, and files that are read again. */
#include "tls_peer.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* A client of ours before a server of ours with that certificate. Returns the client's error, 0: all is well. */
static int meet(struct world *w, struct ac_tls *client, const char *cert, const char *name,
                struct end *e)
{
	struct ac_tls *server = tls_server(cert);
	struct end other;
	int fds[2];

	tcp_pair(fds);
	end_adopt(w, e, fds[0]);
	end_adopt(w, &other, fds[1]);
	assert_int_equal(ac_start_tls(&e->c->d, client, name), 0);
	assert_int_equal(ac_start_tls(&other.c->d, server, NULL), 0);
	ac_tls_free(server);
	UNTIL(w, e->closes || (e->secures && other.secures));
	if (e->closes) { /* it is told why, and so is the server, by an alert */
		UNTIL(w, other.closes);
		assert_int_equal(other.error, EPROTO);
		assert_int_equal(e->error, e->reason);
		assert_int_equal(e->secures + e->connects, 0);
		return e->reason;
	}
	ac_close(&e->c->d);
	UNTIL(w, other.closes);
	return 0;
}

static void refused_certificates(void **state)
{
	static const struct {
		const char *names;
		enum cert_kind kind;
		const char *asked, *detail;
	} rows[] = {
		{ A_TEST, CERT_GOOD, "b.test", "hostname mismatch" },
		{ A_TEST, CERT_GOOD, "test", "hostname mismatch" },
		{ A_TEST, CERT_GOOD, "x.a.test", "hostname mismatch" },
		{ A_TEST, CERT_GOOD, "127.0.0.1", "IP address mismatch" },
		{ "IP:127.0.0.1", CERT_GOOD, "127.0.0.2", "IP address mismatch" },
		{ "DNS:*.w.test", CERT_GOOD, "w.test", "hostname mismatch" },
		{ "DNS:*.w.test", CERT_GOOD, "a.b.w.test", "hostname mismatch" },
		{ A_TEST, CERT_SELF_SIGNED, "a.test", "self-signed" },
		{ A_TEST, CERT_OTHER_CA, "a.test", "unable to get local issuer" },
	};
	struct world *w = *state;
	struct ac_tls *client = tls_client();
	struct end e;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
			meet(w, client, cert_file(rows[i].names, rows[i].kind), rows[i].asked, &e),
			EACCES);
		assert_non_null(strstr(e.detail, rows[i].asked));
		assert_non_null(strstr(e.detail, rows[i].detail));
	}
	ac_tls_free(client);
}

static void accepted_certificates(void **state)
{
	struct world *w = *state;
	struct ac_tls *client = tls_client();
	struct ac_tls *careless = tls_with((struct ac_tls_opts){ .no_verify = true }, NULL);
	struct end e;

	assert_int_equal(meet(w, client, cert_file(A_TEST, CERT_GOOD), "a.test", &e), 0);
	assert_int_equal(meet(w, client, cert_file(A_TEST, CERT_GOOD), "A.Test", &e), 0);
	assert_int_equal(meet(w, client, cert_file(A_TEST, CERT_GOOD), "a.test.", &e), 0);
	assert_int_equal(meet(w, client, cert_file("DNS:*.w.test", CERT_GOOD), "x.w.test", &e), 0);
	assert_int_equal(
		meet(w, client, cert_file("IP:127.0.0.1,IP:::1", CERT_GOOD), "127.0.0.1", &e), 0);
	assert_int_equal(meet(w, client, cert_file("IP:127.0.0.1,IP:::1", CERT_GOOD), "::1", &e),
	                 0);
	assert_int_equal(meet(w, client, cert_file("DNS:cn.test", CERT_NO_SAN), "cn.test", &e), 0);
	assert_int_equal(meet(w, careless, cert_file(A_TEST, CERT_SELF_SIGNED), "b.test", &e), 0);
	assert_int_equal(meet(w, careless, cert_file(A_TEST, CERT_SELF_SIGNED), NULL, &e), 0);
	ac_tls_free(client);
	ac_tls_free(careless);
}

/* Trust is the system's unless something else is said: it does not know our authority. */
static void system_trust_by_default(void **state)
{
	struct world *w = *state;
	struct ac_tls *client;
	struct end e;

	assert_int_equal(ac_tls_new(NULL, &client), 0);
	assert_int_equal(meet(w, client, cert_file(A_TEST, CERT_GOOD), "a.test", &e), EACCES);
	ac_tls_free(client);
}

/* The handshake was good when it was made; now the certificate has expired on the way. */
static void expired_certificate(void **state)
{
	struct world *w = *state;
	struct ac_tls *client = tls_client();
	struct end e;
	struct peer p;
	int fds[2];

	tcp_pair(fds);
	end_adopt(w, &e, fds[0]);
	assert_int_equal(ac_start_tls(&e.c->d, client, "a.test"), 0);
	peer_server(&p, fds[1], cert_file(A_TEST, CERT_EXPIRED));
	UNTIL(w, peer_shake(&p) && e.closes);
	assert_int_equal(e.reason, EACCES);
	assert_non_null(strstr(e.detail, "expired"));
	assert_non_null(strstr(p.reason, "expired")); /* by an alert */
	peer_close(&p);
	ac_tls_free(client);
}

static const char *shown(const SSL *ssl, char *text, size_t size)
{
	X509 *x = SSL_get1_peer_certificate(ssl);
	const char *found = "none";
	static const char *const names[] = { "a.test", "b.test", "x.w.test" };

	(void)size;
	for (size_t i = 0; x && i < 3; i++)
		if (X509_check_host(x, names[i], 0, 0, NULL) == 1)
			found = names[i];
	X509_free(x);
	strcpy(text, found);
	return text;
}

/* What a client that asks for `name` is shown. */
static const char *ask(struct world *w, struct ac_tls *server, const char *name, char *text,
                       size_t size)
{
	struct end e;
	struct peer p;
	int fds[2];

	tcp_pair(fds);
	end_adopt(w, &e, fds[0]);
	assert_int_equal(ac_start_tls(&e.c->d, server, NULL), 0);
	peer_client(&p, fds[1], name);
	SSL_set_verify(p.ssl, SSL_VERIFY_NONE, NULL);
	UNTIL(w, peer_shake(&p) && e.secures);
	shown(p.ssl, text, size);
	peer_close(&p);
	UNTIL(w, e.closes);
	return text;
}

static void certificate_by_name(void **state)
{
	struct world *w = *state;
	struct ac_tls *server = tls_server(cert_file(A_TEST, CERT_GOOD));
	char text[32];

	assert_string_equal(ask(w, server, "b.test", text, sizeof(text)),
	                    "a.test"); /* the default */
	assert_int_equal(ac_tls_add_certificate(server, cert_file("DNS:*.w.test", CERT_GOOD), NULL),
	                 0);
	assert_int_equal(ac_tls_add_certificate(server, cert_file("DNS:b.test", CERT_GOOD), NULL),
	                 0);
	assert_string_equal(ask(w, server, "a.test", text, sizeof(text)), "a.test");
	assert_string_equal(ask(w, server, "b.test", text, sizeof(text)), "b.test");
	assert_string_equal(ask(w, server, "x.w.test", text, sizeof(text)), "x.w.test");
	assert_string_equal(ask(w, server, "B.TEST", text, sizeof(text)), "b.test");
	assert_string_equal(ask(w, server, "w.test", text, sizeof(text)), "a.test");
	assert_string_equal(ask(w, server, "nobody.test", text, sizeof(text)), "a.test");
	assert_string_equal(ask(w, server, NULL, text, sizeof(text)), "a.test");
	ac_tls_free(server);
}

/* New handshakes show what is in the file now; a connection that is there goes on. */
static void files_read_again(void **state)
{
	struct world *w = *state;
	const char *file = cert_path("changing.pem");
	struct ac_tls *server;
	char text[32];
	struct end e;
	struct peer p;
	int fds[2];

	cert_copy(cert_file(A_TEST, CERT_GOOD), file);
	server = tls_server(file);
	tcp_pair(fds);
	end_adopt(w, &e, fds[0]);
	assert_int_equal(ac_start_tls(&e.c->d, server, NULL), 0);
	peer_client(&p, fds[1], "a.test");
	UNTIL(w, peer_shake(&p) && e.secures);
	cert_copy(cert_file("DNS:b.test", CERT_GOOD), file);
	assert_string_equal(ask(w, server, "a.test", text, sizeof(text)), "a.test");
	assert_int_equal(ac_tls_reload(server), 0);
	assert_string_equal(ask(w, server, "a.test", text, sizeof(text)), "b.test");
	cert_write(file, "no certificate");
	assert_int_equal(ac_tls_reload(server), -EINVAL);
	assert_non_null(strstr(ac_tls_error(server), "changing.pem"));
	assert_string_equal(ask(w, server, "a.test", text, sizeof(text)), "b.test");
	unlink(file);
	assert_int_equal(ac_tls_reload(server), -ENOENT);
	assert_string_equal(ask(w, server, "a.test", text, sizeof(text)), "b.test");
	assert_true(peer_put(&p, "still here\n"));
	UNTIL(w, strstr(e.trace, "C(still here)F"));
	ac_tls_free(server); /* before the connections that are on it */
	assert_true(peer_put(&p, "and now\n"));
	UNTIL(w, strstr(e.trace, "C(and now)F"));
	peer_close(&p);
}

static void write_key(const char *path, const char *password)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	PEM_write_PrivateKey(f, key, password ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
	                     (void *)(uintptr_t)password);
	fclose(f);
	EVP_PKEY_free(key);
}

static void bad_files_say_why(void **state)
{
	const char *cert = cert_file(A_TEST, CERT_GOOD), *key = cert_path("key.pem");
	struct ac_tls_opts opts = { .ca_file = "/nonexistent/ca.pem" };
	struct ac_tls *tls = NULL, *server = tls_with((struct ac_tls_opts){ .server = true }, NULL);
	static const char *const too_long[] = { "", NULL };

	(void)state;
	assert_string_equal(ac_tls_error(server), "");
	assert_int_equal(ac_tls_new(&opts, &tls), -ENOENT);
	assert_non_null(strstr(ac_tls_error(NULL), "/nonexistent/ca.pem: No such file"));
	opts = (struct ac_tls_opts){ .handshake_timeout = -1 };
	assert_int_equal(ac_tls_new(&opts, &tls), -EINVAL);
	opts = (struct ac_tls_opts){ .alpn = too_long };
	assert_int_equal(ac_tls_new(&opts, &tls), -EINVAL);
	assert_null(tls);
	assert_int_equal(ac_tls_add_certificate(server, NULL, NULL), -EINVAL);
	assert_int_equal(ac_tls_add_certificate(server, "/nonexistent/c.pem", NULL), -ENOENT);
	assert_int_equal(ac_tls_add_certificate(server, cert, "/nonexistent/k.pem"), -ENOENT);
	write_key(key, NULL);
	assert_int_equal(ac_tls_add_certificate(server, cert, key), -EINVAL);
	assert_non_null(strstr(ac_tls_error(server), "key values mismatch"));
	write_key(key, "secret"); /* nobody is asked for it */
	assert_int_equal(ac_tls_add_certificate(server, cert, key), -EINVAL);
	assert_int_equal(ac_tls_add_certificate(server, cert_file(A_TEST, CERT_EXPIRED), NULL),
	                 -EINVAL);
	assert_non_null(strstr(ac_tls_error(server), "expired"));
	cert_write(key, "");
	assert_int_equal(ac_tls_add_certificate(server, key, NULL), -EINVAL);
	assert_int_equal(ac_tls_add_certificate(server, cert, NULL), 0);
	ac_tls_free(server);
}

static void client_certificates(void **state)
{
	struct world *w = *state;
	const char *good = cert_file("DNS:me.test", CERT_GOOD),
		   *bad = cert_file("DNS:me.test", CERT_OTHER_CA);
	const char *cert = cert_file(A_TEST, CERT_GOOD);
	const char *shows[] = { NULL, good, bad };
	static const int asked[] = { 0, 0, EACCES }, needed[] = { EACCES, 0, EACCES };

	for (int need = 0; need < 2; need++) {
		for (int i = 0; i < 3; i++) {
			struct ac_tls_opts ours = { .server = true,
				                    .ask_client_cert = true,
				                    .need_client_cert = need,
				                    .ca_file = cert_ca() };
			struct end e[2];
			int expected = need ? needed[i] : asked[i];

			end_pair_with(
				w, e,
				tls_with((struct ac_tls_opts){ .ca_file = cert_ca() }, shows[i]),
				tls_with(ours, cert), "a.test");
			UNTIL(w,
			      expected ? e[0].closes && e[1].closes : e[0].secures && e[1].secures);
			assert_int_equal(e[1].error, expected);
			assert_int_equal(e[0].error, expected ? EPROTO : 0); /* an alert */
			if (!expected)
				ac_close(&e[0].c->d);
		}
	}
}

static void contexts_without_memory(void **state)
{
	struct ac_tls_opts opts = { .server = true,
		                    .ca_file = cert_ca(),
		                    .ca_dir = "/tmp",
		                    .alpn = (const char *const[]){ "a", "b", NULL } };
	const char *cert = cert_file(A_TEST, CERT_GOOD);
	bool failed = true;

	(void)state;
	for (long n = 1; failed; n++) {
		struct ac_tls *tls = NULL;
		int r;

		fail_allocation(n, false);
		r = ac_tls_new(&opts, &tls);
		if (r == 0)
			r = ac_tls_add_certificate(tls, cert, NULL);
		failed = allocation_failed();
		fail_allocation(0, false);
		assert_int_equal(r, failed ? -ENOMEM : 0);
		ac_tls_free(tls);
		assert_true(n < 40);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(refused_certificates),    EACH(accepted_certificates),
		EACH(system_trust_by_default), EACH(expired_certificate),
		EACH(certificate_by_name),     EACH(files_read_again),
		EACH(bad_files_say_why),       EACH(client_certificates),
		EACH(contexts_without_memory),
	};

	return RUN(tests);
}
