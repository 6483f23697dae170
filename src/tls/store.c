/*
 * store.c — what a client's context remembers of servers, so that the next connection to one is resumed.
 *
 * Design: the session that came last, by the name that was verified; a name's place follows from its hash, and
 * another name of the same place takes it over. So the store is bounded and needs no list.
 */
#include "tls.h"

#include <string.h>

static size_t place(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return hash % AC_TLS_SESSIONS;
}

static void forget(struct ac_tls_session *s)
{
	SSL_SESSION_free(s->session);
	ac_free_(s->name);
	s->session = NULL;
	s->name = NULL;
}

static bool is_of(const struct ac_tls_session *s, const char *name)
{
	return s->name && strcmp(s->name, name) == 0;
}

/* The session is ours if this says 1. */
static int came(SSL *ssl, SSL_SESSION *session)
{
	struct ac_tls_link *l = SSL_get_app_data(ssl);
	struct ac_tls_session *s;
	char *name;

	if (!l->name || !SSL_SESSION_is_resumable(session))
		return 0;
	name = ac_copy_(l->name);
	if (!name)
		return 0;
	pthread_mutex_lock(&l->tls->lock);
	if (l->set != l->tls->set) { /* what it was verified by is believed no more */
		pthread_mutex_unlock(&l->tls->lock);
		ac_free_(name);
		return 0;
	}
	s = &l->tls->sessions[place(name)];
	forget(s);
	s->name = name;
	s->session = session;
	pthread_mutex_unlock(&l->tls->lock);
	return 1;
}

void ac_tls_store_(SSL_CTX *ctx)
{
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, came);
}

SSL_SESSION *ac_tls_session_get_(struct ac_tls *t, const char *name)
{
	SSL_SESSION *session = NULL;
	struct ac_tls_session *s;

	pthread_mutex_lock(&t->lock);
	s = &t->sessions[place(name)];
	if (is_of(s, name) && SSL_SESSION_is_resumable(s->session) &&
	    SSL_SESSION_up_ref(s->session))
		session = s->session;
	pthread_mutex_unlock(&t->lock);
	return session;
}

void ac_tls_sessions_drop_(struct ac_tls *t)
{
	for (size_t i = 0; i < AC_TLS_SESSIONS; i++)
		forget(&t->sessions[i]);
}
