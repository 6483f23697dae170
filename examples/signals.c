/*
 * signals.c — signals as events: SIGHUP is counted, SIGINT and SIGTERM end the program in good order.
 *
 *	signals
 */
#include <asyncore/signals.h>

#include <signal.h>

struct hearer {
	struct ac_signals s;
	int hangups;
};

static int heard(struct ac_signals *s, const struct ac_signal *signal)
{
	struct hearer *h = (struct hearer *)s;

	if (signal->number != SIGHUP)
		return AC_EXIT;
	printf("hang-up %d\n", ++h->hangups);
	return fflush(stdout);
}

static const struct ac_signals_class hearer_class = {
	.d = { .super = AC_SIGNALS, .name = "hearer", .size = sizeof(struct hearer) },
	.handle_signal = heard,
};

int main(void)
{
	static const int numbers[] = { SIGHUP, SIGINT, SIGTERM };
	struct ac_map *map = ac_map_new(NULL);
	int r = ac_signals_new(map, &hearer_class, numbers, 3) ? 0 : -1;

	if (r == 0) {
		puts("ready");
		fflush(stdout);
	}
	if (r < 0 || (r = ac_loop(map, NULL)) < 0)
		ac_explain(map, "signals");
	else
		puts("done");
	ac_map_free(map);
	return r < 0;
}
