/*
 * context.c — a context: which files it stands on, and the set made of them that is in use now.
 *
 * Design: what was read is never changed. A further certificate and a reload make a new set, which takes the
 * place of the old one when it is whole; a link keeps the set it began with. The lock is held for no longer than it
 * takes to copy a pointer, except while files are added or read again.
 */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

#define DEFAULT_TIMEOUT 10.0

static _Thread_local char last_error[256]; /* of a context that was never made */

/* The text is for people: what, of which file, and OpenSSL's reason. */
int ac_tls_fail_(struct ac_tls *t, int code, const char *what, const char *file)
{
	unsigned long e = ERR_peek_error();
	const char *reason = e ? ERR_reason_error_string(e) : NULL;

	if (ERR_SYSTEM_ERROR(e)) {
		code = ERR_GET_REASON(e);
		reason = strerror(code);
	}
	snprintf(t->error, sizeof(t->error), "%s%s%s%s%s", what, file ? " " : "", file ? file : "",
	         reason ? ": " : "", reason ? reason : "");
	ERR_clear_error();
	return -code;
}

const char *ac_tls_error(const struct ac_tls *tls)
{
	return tls ? tls->error : last_error;
}

static bool copy_to(const char **at)
{
	return !*at || (*at = ac_copy_(*at)) != NULL;
}

void ac_tls_set_put_(struct ac_tls_set *set)
{
	if (!set || atomic_fetch_sub(&set->refs, 1) != 1)
		return;
	for (size_t i = 0; i < set->count; i++)
		SSL_CTX_free(set->at[i]);
	ac_free_(set);
}

struct ac_tls_set *ac_tls_set_get_(struct ac_tls *t)
{
	struct ac_tls_set *set;

	pthread_mutex_lock(&t->lock);
	set = t->set;
	atomic_fetch_add(&set->refs, 1);
	pthread_mutex_unlock(&t->lock);
	return set;
}

static struct ac_tls_set *set_new(size_t room)
{
	struct ac_tls_set *set = ac_alloc_(sizeof(*set) + room * sizeof(set->at[0]));

	if (set)
		atomic_init(&set->refs, 1);
	return set;
}

/* Those of `old` that it keeps, then what is in the files from `first` on; none at all is one without. */
static int set_make(struct ac_tls *t, const struct ac_tls_set *old, size_t first,
                    struct ac_tls_set **ret_set)
{
	static const struct ac_tls_files none = { NULL, NULL };
	struct ac_tls_set *set = set_new(t->file_count + 1);
	int r = set ? 0 : ac_tls_fail_(t, ENOMEM, "no memory", NULL);

	for (size_t i = 0; r == 0 && i < first; i++) {
		SSL_CTX_up_ref(old->at[i]);
		set->at[set->count++] = old->at[i];
	}
	for (size_t i = first; r == 0 && i < t->file_count; i++) {
		r = ac_tls_ctx_new_(t, &t->files[i], &set->at[set->count]);
		set->count += r == 0;
	}
	if (r == 0 && set->count == 0) {
		r = ac_tls_ctx_new_(t, &none, &set->at[0]);
		set->count += r == 0;
	}
	if (r < 0) {
		ac_tls_set_put_(set);
		return r;
	}
	*ret_set = set;
	return 0;
}

static void set_use(struct ac_tls *t, struct ac_tls_set *set)
{
	ac_tls_set_put_(t->set);
	t->set = set;
}

static size_t names(const char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

/* Each name goes behind its length, as the extension wants it. */
static int copy_alpn(struct ac_tls *t, const char *const *list)
{
	size_t count = names(list), room = 0;

	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(list[i]);

		if (len == 0 || len > 255 || room + 1 + len > UINT16_MAX)
			return ac_tls_fail_(t, EINVAL, "an ALPN name of no possible length", NULL);
		room += 1 + len;
	}
	t->opts.alpn = NULL;
	if (count == 0)
		return 0;
	t->alpn = ac_alloc_((count + 1) * sizeof(*t->alpn));
	t->protos = ac_alloc_(room);
	for (size_t i = 0; t->alpn && t->protos && i < count; i++) {
		size_t len = strlen(list[i]);

		t->alpn[i] = ac_copy_(list[i]);
		if (!t->alpn[i])
			break;
		t->protos[t->protos_len] = (unsigned char)len;
		memcpy(t->protos + t->protos_len + 1, list[i], len);
		t->protos_len += (unsigned)len + 1;
	}
	return t->protos_len == room ? 0 : ac_tls_fail_(t, ENOMEM, "no memory", NULL);
}

static void files_free(struct ac_tls_files *f)
{
	ac_free_(f->cert);
	ac_free_(f->key);
}

static void destroy(struct ac_tls *t)
{
	ac_tls_sessions_drop_(t);
	ac_tls_set_put_(t->set);
	for (size_t i = 0; i < t->file_count; i++)
		files_free(&t->files[i]);
	for (size_t i = 0; t->alpn && t->alpn[i]; i++)
		ac_free_(t->alpn[i]);
	ac_free_(t->alpn);
	ac_free_(t->protos);
	ac_free_(t->files);
	ac_free_((char *)(uintptr_t)t->opts.ca_file);
	ac_free_((char *)(uintptr_t)t->opts.ca_dir);
	pthread_mutex_destroy(&t->lock);
	ac_free_(t);
}

void ac_tls_unref_(struct ac_tls *t)
{
	if (atomic_fetch_sub(&t->refs, 1) == 1)
		destroy(t);
}

void ac_tls_free(struct ac_tls *tls)
{
	if (tls)
		ac_tls_unref_(tls);
}

static int take_opts(struct ac_tls *t, const struct ac_tls_opts *o)
{
	const struct ac_tls_opts given = o ? *o : (struct ac_tls_opts){ .server = false };

	t->opts = given;
	t->opts.ca_file = t->opts.ca_dir = NULL;
	if (t->opts.handshake_timeout == 0)
		t->opts.handshake_timeout = DEFAULT_TIMEOUT;
	if (!ac_is_time_(t->opts.handshake_timeout))
		return ac_tls_fail_(t, EINVAL, "a handshake timeout that is no time", NULL);
	t->opts.ca_file = given.ca_file;
	if (!copy_to(&t->opts.ca_file))
		return ac_tls_fail_(t, ENOMEM, "no memory", NULL);
	t->opts.ca_dir = given.ca_dir;
	if (!copy_to(&t->opts.ca_dir))
		return ac_tls_fail_(t, ENOMEM, "no memory", NULL);
	return copy_alpn(t, given.alpn);
}

int ac_tls_new(const struct ac_tls_opts *opts, struct ac_tls **ret_tls)
{
	struct ac_tls *t = ac_alloc_(sizeof(*t));
	int r;

	last_error[0] = '\0';
	if (!t)
		return -ENOMEM;
	atomic_init(&t->refs, 1);
	pthread_mutex_init(&t->lock, NULL);
	r = take_opts(t, opts);
	if (r == 0)
		r = set_make(t, NULL, 0, &t->set);
	if (r < 0) {
		memcpy(last_error, t->error, sizeof(last_error));
		destroy(t);
		return r;
	}
	*ret_tls = t;
	return 0;
}

/* As if the file had never been named, if it cannot be used. */
static int add(struct ac_tls *t, struct ac_tls_files f)
{
	size_t kept = t->file_count;
	struct ac_tls_files *files;
	struct ac_tls_set *set;
	int r;

	files = ac_realloc_(t->files, (kept + 1) * sizeof(*files));
	if (!files)
		return ac_tls_fail_(t, ENOMEM, "no memory", NULL);
	t->files = files;
	files[t->file_count++] = f;
	r = set_make(t, t->set, kept, &set);
	if (r < 0)
		t->file_count--;
	else
		set_use(t, set);
	return r;
}

int ac_tls_add_certificate(struct ac_tls *tls, const char *cert_file, const char *key_file)
{
	struct ac_tls_files f = { NULL, NULL };
	int r = -ENOMEM;

	if (!tls || !cert_file)
		return -EINVAL;
	f.cert = ac_copy_(cert_file);
	f.key = ac_copy_(key_file ? key_file : cert_file);
	pthread_mutex_lock(&tls->lock);
	if (f.cert && f.key)
		r = add(tls, f);
	pthread_mutex_unlock(&tls->lock);
	if (r < 0)
		files_free(&f);
	return r;
}

int ac_tls_reload(struct ac_tls *tls)
{
	struct ac_tls_set *set;
	int r;

	pthread_mutex_lock(&tls->lock);
	r = set_make(tls, NULL, 0, &set);
	if (r == 0) {
		set_use(tls, set);
		ac_tls_sessions_drop_(tls);
	}
	pthread_mutex_unlock(&tls->lock);
	return r;
}
