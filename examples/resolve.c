/* Names: resolve NAME:PORT... prints the addresses of each, in the order in which a dial would try them. */
#include <asyncore/resolve.h>

#include <string.h>

static int print(void *arg, int result, const struct ac_addr *addrs, size_t count)
{
	char text[AC_ADDR_TEXT];

	printf("%s\n", (const char *)arg);
	if (result < 0)
		printf("\t%s\n", strerror(-result));
	for (size_t i = 0; i < count; i++)
		printf("\t%s\n", ac_addr_format(&addrs[i], text, sizeof(text)));
	return 0;
}

int main(int argc, char **argv)
{
	struct ac_resolver_opts opts = { .deadline = 10 };
	struct ac_map *map = ac_map_new(NULL);
	int r = map ? ac_use_resolver(map, &opts) : -1;

	for (int i = 1; r == 0 && i < argc; i++) /* all at once; none waits for another */
		if (!ac_resolve(map, argv[i], print, argv[i]))
			r = -1;
	if (r < 0 || (r = ac_loop(map, NULL)) < 0)
		ac_explain(map, "resolve");
	ac_map_free(map);
	return r < 0;
}
