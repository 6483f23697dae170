/* certs.c — see certs.h. */
#include "certs.h"
#include "harness.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

#define FILES 64
#define DAY 86400L

struct authority {
	EVP_PKEY *key;
	X509 *cert;
};

static char dir[64], paths[FILES][160];
static unsigned path_count;
static struct {
	const char *names;
	enum cert_kind kind;
	const char *path;
} made[FILES];
static unsigned made_count;
static struct authority trusted, other;

static void remove_all(void)
{
	for (unsigned i = 0; i < path_count; i++)
		unlink(paths[i]);
	rmdir(dir);
	EVP_PKEY_free(trusted.key);
	X509_free(trusted.cert);
	EVP_PKEY_free(other.key);
	X509_free(other.cert);
}

static void extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
}

static X509 *certificate(EVP_PKEY *key, const char *cn, long from, long until)
{
	static long serial = 1;
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	X509_gmtime_adj(X509_getm_notBefore(x), from);
	X509_gmtime_adj(X509_getm_notAfter(x), until);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	return x;
}

static void authority(struct authority *a, const char *cn)
{
	a->key = EVP_EC_gen("P-256");
	a->cert = certificate(a->key, cn, -DAY, DAY);
	X509_set_issuer_name(a->cert, X509_get_subject_name(a->cert));
	extension(a->cert, a->cert, NID_basic_constraints, "critical,CA:TRUE");
	X509_sign(a->cert, a->key, EVP_sha256());
}

static void open_dir(void)
{
	FILE *f;

	if (dir[0])
		return;
	snprintf(dir, sizeof(dir), "/tmp/asyncore-certs-XXXXXX");
	assert_non_null(mkdtemp(dir));
	atexit(remove_all);
	authority(&trusted, "the tests' authority");
	authority(&other, "another authority");
	f = fopen(cert_path("ca.pem"), "w");
	assert_non_null(f);
	PEM_write_X509(f, trusted.cert);
	fclose(f);
}

const char *cert_path(const char *name)
{
	open_dir();
	for (unsigned i = 0; i < path_count; i++)
		if (strcmp(strrchr(paths[i], '/') + 1, name) == 0)
			return paths[i];
	assert_true(path_count < FILES);
	snprintf(paths[path_count], sizeof(paths[0]), "%s/%s", dir, name);
	return paths[path_count++];
}

const char *cert_ca(void)
{
	return cert_path("ca.pem");
}

static void sign(X509 *x, EVP_PKEY *key, const char *names, enum cert_kind kind)
{
	const struct authority self = { key, x };
	const struct authority *by = kind == CERT_SELF_SIGNED ? &self
	                             : kind == CERT_OTHER_CA  ? &other
	                                                      : &trusted;

	X509_set_issuer_name(x, X509_get_subject_name(by->cert));
	if (kind != CERT_NO_SAN)
		extension(x, by->cert, NID_subject_alt_name, names);
	X509_sign(x, by->key, EVP_sha256());
}

static const char *make(const char *names, enum cert_kind kind)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	long until = kind == CERT_EXPIRED ? -DAY / 2 : DAY;
	X509 *x = certificate(key, kind == CERT_NO_SAN ? names + 4 : "unnamed", -DAY, until);
	const char *path;
	char name[32];
	FILE *f;

	snprintf(name, sizeof(name), "%u.pem", made_count);
	path = cert_path(name);
	sign(x, key, names, kind);
	f = fopen(path, "w");
	assert_non_null(f);
	PEM_write_X509(f, x);
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	X509_free(x);
	EVP_PKEY_free(key);
	return path;
}

const char *cert_file(const char *names, enum cert_kind kind)
{
	open_dir();
	for (unsigned i = 0; i < made_count; i++)
		if (made[i].kind == kind && strcmp(made[i].names, names) == 0)
			return made[i].path;
	assert_true(made_count < FILES);
	made[made_count].names = names;
	made[made_count].kind = kind;
	made[made_count].path = make(names, kind);
	return made[made_count++].path;
}

void cert_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

void cert_copy(const char *from, const char *to)
{
	char text[8192];
	FILE *f = fopen(from, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	cert_write(to, text);
}
