/* tls_options.c — the options for TLS, whether the build has it or not. */
#include "tls.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

bool tls_options_add(struct tls_options *o, const char *certificate, int argc, char **argv)
{
	if (o->count == TLS_CERTIFICATES_MOST || optind >= argc || argv[optind][0] == '-')
		return false;
	o->certificates[o->count] = certificate;
	o->keys[o->count++] = argv[optind++];
	return true;
}

const char *tls_host(const char *address, char *host, size_t size)
{
	const char *end = strrchr(address, ':');
	size_t skip = address[0] == '[', len = end ? (size_t)(end - address) : strlen(address);

	if (strncmp(address, "unix:", 5) == 0)
		len = skip = 0;
	if (skip && len > 1)
		len--;
	snprintf(host, size, "%.*s", (int)(len - skip), address + skip);
	return host;
}

const char *tls_why(const struct ac_error *e)
{
	bool ours = e->code == EPROTO || e->code == EACCES || e->code == EBADMSG;

	return ours && e->detail[0] ? e->detail : strerror(e->code);
}
