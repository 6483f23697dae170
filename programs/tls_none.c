/* tls_none.c — see tls.h: this build has no TLS. */
#include "program.h"
#include "tls.h"

#include <errno.h>

static int no_tls(const char *name)
{
	return program_fail(STATUS_FAILED, name, "this build has no TLS");
}

int tls_server(const char *name, const struct tls_options *o, struct ac_tls **ret_tls)
{
	*ret_tls = NULL;
	return o->count ? no_tls(name) : STATUS_OK;
}

int tls_client(const char *name, const struct tls_options *o, struct ac_tls **ret_tls)
{
	(void)o;
	*ret_tls = NULL;
	return no_tls(name);
}

void tls_free(struct ac_tls *tls)
{
	(void)tls;
}

int tls_start(struct ac_dispatcher *d, struct ac_tls *tls, const char *server_name)
{
	(void)server_name;
	return tls ? ac_raise(d, ENOTSUP) : 0;
}

int tls_reload_on_hangup(struct ac_map *map, const char *name, struct ac_tls *tls)
{
	(void)map;
	(void)name;
	(void)tls;
	return 0;
}

bool tls_is_secure(const struct ac_dispatcher *d)
{
	(void)d;
	return false;
}
