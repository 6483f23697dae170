/* run_environment.c — what a child of `asyncore run` finds in its environment. */
#include "run.h"

#include <stdlib.h>
#include <string.h>

#define OURS 4
#define TEXT (AC_ADDR_TEXT + 16)

extern char **environ;

static const char *const names[OURS] = { "REMOTE_ADDR", "REMOTE_PORT", "LOCAL_ADDR", "LOCAL_PORT" };

static bool is_ours(const char *variable)
{
	for (int i = 0; i < OURS; i++) {
		size_t len = strlen(names[i]);

		if (strncmp(variable, names[i], len) == 0 && variable[len] == '=')
			return true;
	}
	return false;
}

/* Two variables: "127.0.0.1" and "80"; a Unix socket's address has no port. */
static void describe(const struct ac_addr *addr, int first, char text[2][TEXT])
{
	char whole[AC_ADDR_TEXT], *host = whole, *colon = NULL;

	ac_addr_format(addr, whole, sizeof(whole));
	if (addr->len && addr->sa.sa_family != AF_UNIX)
		colon = strrchr(whole, ':');
	if (colon)
		*colon = '\0';
	if (colon && *host == '[') {
		host++;
		colon[-1] = '\0';
	}
	snprintf(text[0], TEXT, "%s=%s", names[first], host);
	snprintf(text[1], TEXT, "%s=%s", names[first + 1], colon ? colon + 1 : "");
}

const char **run_environment(const struct ac_addr *remote, const struct ac_addr *local)
{
	size_t count = 0, n = 0;
	const char **env;
	char(*text)[TEXT];

	while (environ[count])
		count++;
	env = malloc((count + OURS + 1) * sizeof(*env) + OURS * sizeof(*text));
	if (!env)
		return NULL;
	text = (void *)(env + count + OURS + 1);
	describe(remote, 0, text);
	describe(local, 2, text + 2);
	for (size_t i = 0; i < count; i++)
		if (!is_ours(environ[i]))
			env[n++] = environ[i];
	for (int i = 0; i < OURS; i++)
		env[n++] = text[i];
	env[n] = NULL;
	return env;
}
