/* names.c — see names.h. */
#include "names.h"

#include "program.h"

#include <asyncore/resolve.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int names_use(struct ac_map *map, const char *name, const char *const *addresses)
{
	const struct ac_resolver_opts opts = { .addresses = addresses };
	int r = ac_use_resolver(map, &opts);

	if (r == 0)
		return STATUS_OK;
	if (r == -EINVAL)
		return program_fail(STATUS_USAGE, name, "%s", ac_last_error(map)->detail);
	return program_fail(STATUS_FAILED, name, "names: %s", strerror(-r));
}

bool names_may_be(const char *address)
{
	struct ac_addr addr;
	const char *port = strrchr(address, ':');
	char *end;
	unsigned long number;

	if (ac_addr_parse(address, &addr) == 0)
		return true;
	if (!port || port == address || strchr(address, ':') != port || address[0] == '[')
		return false;
	number = strtoul(port + 1, &end, 10);
	return port[1] >= '0' && port[1] <= '9' && !*end && number > 0 && number < 65536;
}

const char *names_tell(const struct ac_error *e, const char *address)
{
	size_t len = strlen(address);

	return strncmp(e->detail, address, len) == 0 && strncmp(e->detail + len, ": ", 2) == 0
	               ? e->detail + len + 2
	               : NULL;
}
