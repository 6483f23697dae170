/*
 * test_close_matrix.c — close anything anywhere: in each callback, each deed, on each poller.
 *
 * The subject runs the deed in one of its callbacks; a neighbour, a listener and a third channel stand by.
 * Whatever was done: one handle_close and one finalize for each channel, nothing after its close, and who was
 * not closed is still served.
 */
#include "harness.h"

#include <fcntl.h>

enum place {
	READ,
	WRITE,
	EXPT,
	CONNECT,
	ACCEPT,
	ACCEPTED,
	END_OF_INPUT,
	CLOSE,
	FAILURE,
	TIMEOUT,
	COLLECT,
	FOUND,
	DRAIN,
	MORE,
	HOOK,
	TASK,
	READABLE,
	WRITABLE,
	FINALIZE,
	PLACES
};
enum deed { CLOSE_SELF, CLOSE_NEIGHBOUR, CLOSE_LISTENER, NESTED, REUSE_FD, DEEDS };

static const char *const places[] = { "read",     "write",    "expt",     "connect", "accept",
	                              "accepted", "eof",      "close",    "error",   "timeout",
	                              "collect",  "found",    "drain",    "more",    "hook",
	                              "task",     "readable", "writable", "finalize" };
static const char *const deeds[] = { "close_self", "close_neighbour", "close_listener",
	                             "nested_poll", "new_channel_on_its_fd" };

struct life {
	int events, closes, finals, after_close;
	bool born, closed;
};

struct actor {
	struct ac_chat c;
	struct life *life;
};

static struct stage {
	struct world *w;
	enum place place;
	enum deed deed;
	int done; /* how often the deed was done */
	int accepted;
	struct actor *subject, *neighbour;
	struct ac_dispatcher *listener;
	struct life lives[4]; /* subject, neighbour, listener, born */
	int spare_fds[2];
} stage;

static const struct ac_chat_class actor_class;

/* From here on its handlers are counted in lives[i]. */
static void live(struct actor *a, int i)
{
	a->life = &stage.lives[i];
	a->life->born = true;
}

static void reuse_fd(void)
{
	struct actor *victim = stage.neighbour, *born;
	int fd = victim->c.d.fd;

	stage.neighbour = NULL;
	ac_close(&victim->c.d);
	assert_int_equal(dup2(stage.spare_fds[0], fd), fd);
	born = (struct actor *)ac_adopt(stage.w->map, &actor_class.d, fd, NULL);
	assert_non_null(born);
	live(born, 3);
}

static void close_listener(void)
{
	struct ac_dispatcher *d = stage.listener;

	stage.listener = NULL;
	ac_close(d);
}

static void act(void)
{
	if (stage.done++)
		return;
	switch (stage.deed) {
	case CLOSE_SELF:
		if (stage.place == ACCEPT)
			close_listener();
		else
			ac_close(&stage.subject->c.d);
		break;
	case CLOSE_NEIGHBOUR:
		ac_close(&stage.neighbour->c.d);
		stage.neighbour = NULL;
		break;
	case CLOSE_LISTENER:
		close_listener();
		break;
	case NESTED:
		ac_poll(stage.w->map, 0);
		ac_poll(stage.w->map, 0);
		break;
	default:
		reuse_fd();
	}
}

static void event(struct ac_dispatcher *d, enum place place)
{
	struct actor *a = (struct actor *)d;

	if (!a->life)
		return;
	a->life->events++;
	a->life->after_close += a->life->closed;
	if (a == stage.subject && place == stage.place)
		act();
}

static int actor_read(struct ac_dispatcher *d)
{
	event(d, READ);
	return ac_closing(d) ? 0 : AC_CHAT->handle_read(d);
}

static int actor_write(struct ac_dispatcher *d)
{
	event(d, WRITE);
	return ac_closing(d) ? 0 : AC_CHAT->handle_write(d);
}

static int actor_expt(struct ac_dispatcher *d)
{
	event(d, EXPT);
	return 0;
}

static int actor_connect(struct ac_dispatcher *d)
{
	event(d, CONNECT);
	return 0;
}

static int actor_eof(struct ac_dispatcher *d)
{
	event(d, END_OF_INPUT);
	return AC_CHAT->handle_eof(d);
}

static int actor_error(struct ac_dispatcher *d, const struct ac_error *e)
{
	(void)e;
	event(d, FAILURE);
	return 0;
}

static int actor_timeout(struct ac_dispatcher *d)
{
	event(d, TIMEOUT);
	ac_set_timeout(d, 0);
	return 0;
}

static int actor_close(struct ac_dispatcher *d)
{
	struct actor *a = (struct actor *)d;

	event(d, CLOSE);
	if (a->life) {
		a->life->closes++;
		a->life->closed = true;
	}
	return 0;
}

static void actor_finalize(struct ac_dispatcher *d)
{
	struct actor *a = (struct actor *)d;

	if (a->life)
		a->life->finals++;
	if (a == stage.subject && stage.place == FINALIZE)
		act();
	if (a == stage.subject)
		stage.subject = NULL;
}

static int actor_collect(struct ac_chat *c, const void *data, size_t len)
{
	(void)data;
	(void)len;
	event(&c->d, COLLECT);
	return 0;
}

static int actor_found(struct ac_chat *c)
{
	event(&c->d, FOUND);
	return stage.place == FAILURE && (struct actor *)c == stage.subject ? -EDOM : 0;
}

static int actor_drain(struct ac_chat *c)
{
	event(&c->d, DRAIN);
	return 0;
}

static void asked(struct ac_dispatcher *d, enum place place)
{
	if (stage.place == place && (struct actor *)d == stage.subject && stage.done == 0 &&
	    ac_connected(d))
		act();
}

static bool actor_readable(struct ac_dispatcher *d)
{
	asked(d, READABLE);
	return true;
}

static bool actor_writable(struct ac_dispatcher *d)
{
	asked(d, WRITABLE);
	return AC_CHAT->writable(d);
}

static const struct ac_chat_class actor_class = {
	.d = {
		.super = AC_CHAT,
		.name = "actor",
		.size = sizeof(struct actor),
		.handle_read = actor_read,
		.handle_write = actor_write,
		.handle_expt = actor_expt,
		.handle_connect = actor_connect,
		.handle_eof = actor_eof,
		.handle_error = actor_error,
		.handle_timeout = actor_timeout,
		.handle_close = actor_close,
		.finalize = actor_finalize,
	},
	.collect_incoming_data = actor_collect,
	.found_terminator = actor_found,
	.handle_drain = actor_drain,
};

static const struct ac_chat_class asked_actor_class = {
	.d = { .super = &actor_class.d,
	       .name = "asked-actor",
	       .readable = actor_readable,
	       .writable = actor_writable },
};

static ssize_t give_once(void *arg, void *buffer, size_t size)
{
	int *given = arg;

	(void)size;
	if (stage.place == MORE && stage.subject)
		act();
	memcpy(buffer, "p", 1);
	return (*given)++ == 0;
}

static void hook(void *arg, int64_t total)
{
	(void)arg;
	(void)total;
	if (stage.place == HOOK && stage.subject && !ac_closing(&stage.subject->c.d))
		act();
}

static int task(void *arg)
{
	(void)arg;
	if (stage.place == TASK)
		act();
	return 0;
}

static int listener_accept(struct ac_dispatcher *d)
{
	if (stage.place == ACCEPT)
		act();
	return ac_closing(d) ? 0 : AC_DISPATCHER->handle_accept(d);
}

static int listener_accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct actor *a = (struct actor *)ac_adopt(d->map, &actor_class.d, fd, peer);

	assert_non_null(a);
	stage.accepted++;
	if ((stage.place != ACCEPTED && stage.place != ACCEPT) || stage.accepted > 1)
		return 0;
	live(a, 0);
	stage.subject = a;
	if (stage.place == ACCEPTED)
		act();
	return 0;
}

static int listener_close(struct ac_dispatcher *d)
{
	(void)d;
	stage.lives[2].closes++;
	return 0;
}

static void listener_finalize(struct ac_dispatcher *d)
{
	(void)d;
	stage.lives[2].finals++;
}

static const struct ac_class listener_class = {
	.super = AC_DISPATCHER,
	.name = "listener",
	.handle_accept = listener_accept,
	.handle_accepted = listener_accepted,
	.handle_close = listener_close,
	.finalize = listener_finalize,
};

static struct actor *actor_on(int fd, const struct ac_chat_class *cls, int i)
{
	struct actor *a = (struct actor *)ac_adopt(stage.w->map, &cls->d, fd, NULL);

	assert_non_null(a);
	live(a, i);
	ac_set_terminator(&a->c, "\n", 1);
	return a;
}

/* Makes the subject and brings it to the callback in question; returns the peer's descriptor. */
static int set_scene(void)
{
	static int given;
	bool is_asked = stage.place == READABLE || stage.place == WRITABLE;
	struct ac_addr addr;
	int fds[2] = { -1, -1 };

	given = 0;
	if (stage.place == ACCEPTED || stage.place == ACCEPT)
		return connect_to(stage.listener);
	if (stage.place == CONNECT) {
		stage.subject = (struct actor *)ac_new(stage.w->map, &actor_class.d);
		live(stage.subject, 0);
		fds[1] = listen_tcp(&addr);
		assert_int_equal(ac_create_socket(&stage.subject->c.d, AF_INET, SOCK_STREAM), 0);
		assert_int_equal(ac_connect(&stage.subject->c.d, &addr), 0);
		return fds[1];
	}
	tcp_pair(fds);
	stage.subject = actor_on(fds[0], is_asked ? &asked_actor_class : &actor_class, 0);
	put(fds[1], "line\n");
	if (stage.place == END_OF_INPUT)
		shutdown(fds[1], SHUT_WR);
	if (stage.place == EXPT)
		assert_int_equal(send(fds[1], "!", 1, MSG_OOB), 1);
	if (stage.place == TIMEOUT)
		ac_set_timeout(&stage.subject->c.d, 0.005);
	if (stage.place == WRITE) {
		static char big[600000];
		int small = 4096;

		setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
		ac_push(&stage.subject->c, big, sizeof(big));
	} else if (stage.place == MORE) {
		ac_push_with_producer(&stage.subject->c, ac_function_producer(give_once, &given));
	} else {
		ac_push_with_producer(
			&stage.subject->c,
			ac_hooked_producer(ac_simple_producer("x", 1, 0), hook, NULL));
	}
	if (stage.place == TASK)
		ac_call_later(stage.w->map, 0, task, NULL);
	return fds[1];
}

/* Who was closed, and nobody else; at the end all who were born. */
static void check_lives(bool all)
{
	const int gone[4] = { stage.lives[0].closes, !stage.neighbour, !stage.listener, 0 };

	for (int i = 0; i < 4; i++) {
		const struct life *l = &stage.lives[i];

		assert_int_equal(l->closes, all ? l->born : gone[i]);
		assert_true(l->closes <= 1);
		assert_int_equal(l->closes, l->finals);
		assert_int_equal(l->after_close, 0);
	}
}

static void others_are_served(int fd)
{
	int before = stage.lives[1].events, accepted = stage.accepted, client;

	if (stage.neighbour) {
		put(fd, "more\n");
		UNTIL(stage.w, stage.lives[1].events > before);
	}
	if (stage.listener) {
		client = connect_to(stage.listener);
		UNTIL(stage.w, stage.accepted > accepted);
		close(client);
	}
}

static void cell(void **state)
{
	int peer, next[2];
	char drop[65536];

	(void)state;
	unix_pair(next);
	unix_pair(stage.spare_fds);
	stage.neighbour = actor_on(next[0], &actor_class, 1);
	stage.listener = ac_new(stage.w->map, &listener_class);
	stage.lives[2].born = true;
	assert_int_equal(ac_serve(stage.listener, "127.0.0.1:0"), 0);
	put(next[1], "line\n");
	peer = set_scene();
	if (stage.place == CLOSE || stage.place == FINALIZE)
		ac_close(&stage.subject->c.d);
	for (int i = 0; i < 200 && (stage.done == 0 || i < 5); i++) {
		ac_poll(stage.w->map, 0.005);
		if (stage.place != CONNECT && stage.place != ACCEPTED && stage.place != ACCEPT)
			while (recv(peer, drop, sizeof(drop), MSG_DONTWAIT) > 0)
				;
	}
	assert_true(stage.done >= 1);
	others_are_served(next[1]);
	if (stage.deed == REUSE_FD) {
		put(stage.spare_fds[1], "hello\n");
		UNTIL(stage.w, stage.lives[3].events > 0);
	}
	if (stage.deed == CLOSE_SELF && stage.place != ACCEPT)
		assert_int_equal(stage.lives[0].closes, 1);
	check_lives(false);
	ac_close_all(stage.w->map, false);
	ac_poll(stage.w->map, 0);
	check_lives(true);
	close(peer);
	close(next[1]);
	close(stage.spare_fds[0]);
	close(stage.spare_fds[1]);
}

static const char *const pollers[] = { POLLERS };

#define COUNT ((int)(sizeof(pollers) / sizeof(pollers[0])) * PLACES * DEEDS)
_Static_assert(sizeof(places) / sizeof(places[0]) == PLACES, "a name for each place");

static int cell_setup(void **state)
{
	const char *key = *state; /* poller, place and deed, a letter each */

	memset(&stage, 0, sizeof(stage));
	stage.place = (enum place)(key[1] - 'A');
	stage.deed = (enum deed)(key[2] - 'A');
	*state = (void *)pollers[key[0] - 'A'];
	if (world_setup(state) < 0)
		return -1;
	stage.w = *state;
	return 0;
}

int main(void)
{
	static struct CMUnitTest tests[COUNT];
	static char names[COUNT][64], keys[COUNT][4];
	for (int n = 0; n < COUNT; n++) {
		int poller = n / (PLACES * DEEDS), place = n / DEEDS % PLACES, deed = n % DEEDS;

		snprintf(names[n], sizeof(names[n]), "%s_in_%s/%s", deeds[deed], places[place],
		         pollers[poller]);
		keys[n][0] = (char)('A' + poller);
		keys[n][1] = (char)('A' + place);
		keys[n][2] = (char)('A' + deed);
		tests[n] =
			(struct CMUnitTest){ names[n], cell, cell_setup, world_teardown, keys[n] };
	}
	return RUN(tests);
}
