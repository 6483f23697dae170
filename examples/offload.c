/*
 * offload.c — a server whose answers take long: they are worked out in other threads, and nobody waits for
 * somebody else's.
 *
 *	offload unix:/tmp/s      each line is a number; the answer is how many primes there are below it
 *
 * A client may be gone when its answer is there: whoever goes first tells the other.
 */
#include <asynchat.h>
#include <asyncore/threads.h>

#include <errno.h>
#include <stdlib.h>

struct question {
	struct client *client; /* NULL: gone */
	unsigned long below;
};

struct client {
	struct ac_chat c;
	struct question *asked; /* NULL: none is open */
};

/* In another thread: it has the question's number and nothing else. */
static int count_primes(void *arg)
{
	unsigned long below = ((struct question *)arg)->below;
	int n = 0;

	for (unsigned long k = 2; k < below; k++) {
		unsigned long d = 2;

		while (d * d <= k && k % d)
			d++;
		n += d * d > k;
	}
	return n;
}

/* Cancelled, the map is going: what belongs to the question is freed, and nothing else is touched. */
static int answer(void *arg, int result)
{
	struct question *q = arg;
	struct client *k = result == -ECANCELED ? NULL : q->client;

	free(q);
	if (!k)
		return 0;
	k->asked = NULL;
	ac_resume(&k->c.d);
	return (int)ac_pushf(&k->c, "%d\r\n", result);
}

/* One at a time: the next line waits, and when many wait the peer does. */
static int asked(struct ac_chat *c)
{
	struct client *k = (struct client *)c;
	struct ac_slice line = ac_incoming(c);
	struct question *q = malloc(sizeof(*q));
	char text[16];
	int r;

	if (!q)
		return ac_raise(c, ENOMEM);
	snprintf(text, sizeof(text), "%.*s", (int)line.len, (const char *)line.data);
	*q = (struct question){ k, strtoul(text, NULL, 10) };
	r = ac_offload(c->d.map, count_primes, answer, q);
	if (r < 0) {
		free(q);
		return ac_raise(c, -r);
	}
	k->asked = q;
	ac_pause(&c->d);
	return 0;
}

static int client_closed(struct ac_dispatcher *d)
{
	struct client *k = (struct client *)d;

	if (k->asked)
		k->asked->client = NULL;
	return 0;
}

static const struct ac_chat_class client_class = {
	.d = { .super = AC_CHAT,
	       .name = "client",
	       .size = sizeof(struct client),
	       .handle_close = client_closed },
	.found_terminator = asked,
};

static int accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct ac_chat *c = ac_chat_adopt(d->map, &client_class, fd, peer);

	return c ? ac_set_terminator(c, "\r\n", 2) : ac_raise(d, ENOMEM);
}

static const struct ac_class listener_class = {
	.super = AC_DISPATCHER,
	.name = "listener",
	.handle_accepted = accepted,
};

int main(int argc, char **argv)
{
	struct ac_map *map = ac_map_new(NULL);
	int r = ac_serve(ac_new(map, &listener_class), argc > 1 ? argv[1] : "127.0.0.1:8007");

	if (r < 0 || (r = ac_loop(map, NULL)) < 0)
		ac_explain(map, "offload");
	ac_map_free(map);
	return r < 0;
}
