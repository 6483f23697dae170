/* tls.c — see tls.h: with libasyncore-tls. */
#include "tls.h"

#include "program.h"

#include <asyncore/signals.h>
#include <asyncore/tls.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

static int fail(const char *name, const char *file, const char *why, int r)
{
	return program_fail(STATUS_FAILED, name, "%s%s%s", file ? file : "", file ? ": " : "",
	                    *why ? why : strerror(-r));
}

static int context(const char *name, const struct tls_options *o, bool server,
                   struct ac_tls **ret_tls)
{
	const struct ac_tls_opts opts = {
		.server = server,
		.ca_file = o->ca_file,
		.no_verify = o->insecure,
		.alpn = o->alpn,
		.handshake_timeout = o->handshake_timeout,
		.handle_secure = o->handle_secure,
	};
	int r = ac_tls_new(&opts, ret_tls);

	return r < 0 ? fail(name, o->ca_file, ac_tls_error(NULL), r) : STATUS_OK;
}

int tls_server(const char *name, const struct tls_options *o, struct ac_tls **ret_tls)
{
	int status;

	*ret_tls = NULL;
	if (o->count == 0)
		return STATUS_OK;
	status = context(name, o, true, ret_tls);
	for (size_t i = 0; i < o->count && status == STATUS_OK; i++) {
		int r = ac_tls_add_certificate(*ret_tls, o->certificates[i], o->keys[i]);

		if (r < 0)
			status = fail(name, o->certificates[i], ac_tls_error(*ret_tls), r);
	}
	return status;
}

int tls_client(const char *name, const struct tls_options *o, struct ac_tls **ret_tls)
{
	*ret_tls = NULL;
	return context(name, o, false, ret_tls);
}

void tls_free(struct ac_tls *tls)
{
	ac_tls_free(tls);
}

int tls_start(struct ac_dispatcher *d, struct ac_tls *tls, const char *server_name)
{
	return tls ? ac_start_tls(d, tls, server_name) : 0;
}

bool tls_is_secure(const struct ac_dispatcher *d)
{
	return ac_tls_version(d) != NULL;
}

struct reloader {
	struct ac_signals s;
	const char *name;
	struct ac_tls *tls;
};

static int hung_up(struct ac_signals *s, const struct ac_signal *signal)
{
	const struct reloader *r = (struct reloader *)s;

	(void)signal;
	if (ac_tls_reload(r->tls) < 0)
		program_fail(STATUS_FAILED, r->name, "certificates stay as they are: %s",
		             ac_tls_error(r->tls));
	else
		program_fail(STATUS_OK, r->name, "certificates are read again");
	return 0;
}

static const struct ac_signals_class reloader_class = {
	.d = { .super = AC_SIGNALS, .name = "reloader", .size = sizeof(struct reloader) },
	.handle_signal = hung_up,
};

int tls_reload_on_hangup(struct ac_map *map, const char *name, struct ac_tls *tls)
{
	static const int number = SIGHUP;
	struct reloader *r;

	if (!tls)
		return 0;
	r = (struct reloader *)ac_signals_new(map, &reloader_class, &number, 1);
	if (!r)
		return -errno;
	r->name = name;
	r->tls = tls;
	return 0;
}
