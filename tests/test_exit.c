/* test_exit.c — AC_EXIT from each handler: the loop is left, the map stays as it is, the next loop goes on. */
#include "harness.h"

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
	TASK,
	PLACES
};

static enum place exit_in;
static int exits, finals;

static int leave(enum place place)
{
	if (place != exit_in || exits++)
		return 0;
	return AC_EXIT;
}

static int quitter_read(struct ac_dispatcher *d)
{
	int r = AC_CHAT->handle_read(d);

	return r < 0 ? r : leave(READ);
}

static int quitter_write(struct ac_dispatcher *d)
{
	int r = AC_CHAT->handle_write(d);

	return r < 0 ? r : leave(WRITE);
}

static int quitter_expt(struct ac_dispatcher *d)
{
	(void)d;
	return leave(EXPT);
}

static int quitter_connect(struct ac_dispatcher *d)
{
	(void)d;
	return leave(CONNECT);
}

static int quitter_eof(struct ac_dispatcher *d)
{
	(void)d;
	return leave(END_OF_INPUT);
}

static int quitter_close(struct ac_dispatcher *d)
{
	(void)d;
	return leave(CLOSE);
}

static int quitter_error(struct ac_dispatcher *d, const struct ac_error *error)
{
	(void)d;
	assert_int_equal(error->code, EDOM);
	return leave(FAILURE);
}

static int quitter_timeout(struct ac_dispatcher *d)
{
	ac_set_timeout(d, 0);
	return leave(TIMEOUT);
}

static int quitter_collect(struct ac_chat *c, const void *data, size_t len)
{
	(void)c;
	(void)data;
	(void)len;
	return leave(COLLECT);
}

static int quitter_found(struct ac_chat *c)
{
	if (exit_in == CLOSE)
		ac_close(&c->d);
	return exit_in == FAILURE ? -EDOM : leave(FOUND);
}

static int quitter_drain(struct ac_chat *c)
{
	(void)c;
	return leave(DRAIN);
}

static void quitter_finalize(struct ac_dispatcher *d)
{
	(void)d;
	finals++;
}

static const struct ac_chat_class quitter_class = {
	.d = {
		.super = AC_CHAT,
		.name = "quitter",
		.handle_read = quitter_read,
		.handle_write = quitter_write,
		.handle_expt = quitter_expt,
		.handle_connect = quitter_connect,
		.handle_eof = quitter_eof,
		.handle_close = quitter_close,
		.handle_error = quitter_error,
		.handle_timeout = quitter_timeout,
		.finalize = quitter_finalize,
	},
	.collect_incoming_data = quitter_collect,
	.found_terminator = quitter_found,
	.handle_drain = quitter_drain,
};

static int listener_accept(struct ac_dispatcher *d)
{
	int r = AC_DISPATCHER->handle_accept(d);

	return r < 0 && r != -EAGAIN ? r : leave(ACCEPT);
}

static int listener_accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	return ac_adopt(d->map, &quitter_class.d, fd, peer) ? leave(ACCEPTED) : -ENOMEM;
}

static const struct ac_class listener_class = {
	.super = AC_DISPATCHER,
	.name = "listener",
	.handle_accept = listener_accept,
	.handle_accepted = listener_accepted,
};

static int task(void *arg)
{
	(void)arg;
	return leave(TASK);
}

struct scene {
	struct ac_dispatcher *listener;
	struct ac_chat *c;
	int client, peer;
};

/* Somebody connects to us, we connect to ourselves, and a chat has a peer. */
static struct scene prepare(struct world *w)
{
	struct scene s = { .listener = ac_new(w->map, &listener_class) };
	struct ac_chat *dialled;
	struct ac_addr addr;
	int fds[2];

	assert_int_equal(ac_serve(s.listener, "127.0.0.1:0"), 0);
	assert_int_equal(ac_local_addr(s.listener, &addr), 0);
	s.client = connect_to(s.listener);
	tcp_pair(fds);
	s.peer = fds[1];
	s.c = ac_chat_adopt(w->map, &quitter_class, fds[0], NULL);
	assert_int_equal(ac_set_terminator(s.c, "\n", 1), 0);
	dialled = ac_chat_new(w->map, &quitter_class);
	assert_int_equal(ac_create_socket(&dialled->d, AF_INET, SOCK_STREAM), 0);
	assert_int_equal(ac_connect(&dialled->d, &addr), 0);
	return s;
}

/* More than the kernel takes, so that the rest is written when there is room. */
static void push_much(const struct scene *s)
{
	static char big[300000];
	int small = 4096;

	assert_int_equal(setsockopt(s->c->d.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	assert_int_equal(ac_push(s->c, big, sizeof(big)), 0);
	for (int i = 0; i < 10; i++)
		recv(s->peer, big, sizeof(big), MSG_DONTWAIT);
}

/* Something of everything: whatever `place` says is going to be called. */
static void let_happen(struct world *w, const struct scene *s, enum place place)
{
	if (place == WRITE)
		push_much(s);
	else
		assert_int_equal(ac_push(s->c, "0123456789", 10), 0);
	if (place == TIMEOUT)
		ac_set_timeout(&s->c->d, 0.01);
	if (place == TASK)
		ac_call_later(w->map, 0, task, NULL);
	if (place == EXPT)
		assert_int_equal(send(s->peer, "!", 1, MSG_OOB), 1);
	put(s->peer, "line\n");
	if (place == END_OF_INPUT)
		shutdown(s->peer, SHUT_WR);
}

static void exit_from(struct world *w, enum place place)
{
	struct ac_loop_opts once = { .count = 1, .timeout = 0.01 };
	struct ac_loop_opts many = { .count = 100, .timeout = 0.01 };
	struct scene s;

	exit_in = place;
	exits = finals = 0;
	s = prepare(w);
	let_happen(w, &s, place);
	if (ac_loop(w->map, &many) != 1 || exits != 1)
		fail_msg("place %d: %d exits", place, exits);
	assert_true(ac_map_channels(w->map) >= (place == CLOSE ? 2 : 3));
	assert_int_equal(finals, place == CLOSE);
	/* It is over with that: the next loop goes on. */
	exit_in = PLACES;
	assert_int_equal(ac_loop(w->map, &once), 0);
	ac_close_all(w->map, false);
	passes(w, 1);
	close(s.client);
	close(s.peer);
}

static void exit_from_each_handler_leaves_the_map_intact(void **state)
{
	for (enum place place = READ; place < PLACES; place++)
		exit_from(*state, place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(exit_from_each_handler_leaves_the_map_intact),
	};

	return RUN(tests);
}
