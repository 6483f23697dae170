/*
 * relay.c — passes every connection on to another server, and says how many bytes went each way.
 *
 *	relay 127.0.0.1:8080 127.0.0.1:80
 */
#include <asyncore/relay.h>

#include <errno.h>

static const char *target;

/* The client's side; the target's is its `other`, as long as that is there. */
static int client_closed(struct ac_dispatcher *d)
{
	struct ac_relay *r = (struct ac_relay *)d;
	char repr[AC_REPR_TEXT];

	printf("%s: %llu bytes from it, %llu to it\n", ac_repr(d, repr, sizeof(repr)),
	       (unsigned long long)r->received, (unsigned long long)r->sent);
	return AC_RELAY->handle_close(d);
}

static const struct ac_class client_class = {
	.super = AC_RELAY,
	.name = "client",
	.size = sizeof(struct ac_relay),
	.handle_close = client_closed,
};

static int accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct ac_relay *a = (struct ac_relay *)ac_adopt(d->map, &client_class, fd, peer);
	struct ac_relay *b = a ? (struct ac_relay *)ac_new(d->map, AC_RELAY) : NULL;

	if (!b)
		return ac_raise(d, ENOMEM);
	AC_TRY(a, ac_relay_join(a, b));
	AC_TRY(a, ac_set_timeout(&a->d, 60)); /* without a byte in either direction */
	AC_TRY(a, ac_set_timeout(&b->d, 60));
	return ac_dial(&b->d, target);
}

static const struct ac_class listener_class = {
	.super = AC_DISPATCHER,
	.name = "listener",
	.handle_accepted = accepted,
};

int main(int argc, char **argv)
{
	struct ac_map *map = ac_map_new(NULL);
	struct ac_dispatcher *listener = ac_new(map, &listener_class);
	int r;

	if (argc != 3) {
		fprintf(stderr, "usage: relay ADDRESS TARGET\n");
		ac_map_free(map);
		return 2;
	}
	target = argv[2];
	r = ac_serve(listener, argv[1]);
	if (r == 0) {
		struct ac_addr addr;
		char text[AC_ADDR_TEXT];

		ac_local_addr(listener, &addr);
		printf("listening on %s\n", ac_addr_format(&addr, text, sizeof(text)));
		fflush(stdout);
		r = ac_loop(map, NULL);
	}
	if (r < 0)
		ac_explain(map, "relay");
	ac_map_free(map);
	return r < 0;
}
