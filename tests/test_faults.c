/*
 * test_faults.c — when memory runs out: every allocation of a short life fails once, and from there on for
 * ever. Whatever happens must be an error that was reported, never a crash, a leak or a descriptor left.
 */
#include "harness.h"

#include <stdlib.h>

static int line(struct ac_chat *c)
{
	struct ac_slice s = ac_incoming(c);

	AC_TRY(c, ac_push(c, s.data, s.len));
	AC_TRY(c, ac_pushf(c, "%0600d", 1));
	AC_TRY(c, ac_push_with_producer(c, ac_chunked_producer(ac_simple_producer("abc", 3, 0))));
	AC_TRY(c, ac_set_terminator(c, "longer than eight", 17));
	return ac_set_terminator(c, "\n", 1);
}

static const struct ac_chat_class server_class = {
	.d = { .super = AC_CHAT, .name = "server" },
	.found_terminator = line,
};

static int accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	static const struct ac_slice ends[] = { { "\r\n", 2 }, { "\n", 1 } };
	struct ac_chat *c = ac_chat_adopt(d->map, &server_class, fd, peer);

	if (!c)
		return ac_raise(d, errno);
	AC_TRY(c, ac_set_timeout(&c->d, 5));
	return ac_set_terminator_any(c, ends, 2);
}

static bool readable(struct ac_dispatcher *d)
{
	(void)d;
	return true;
}

static const struct ac_class listener_class = {
	.super = AC_DISPATCHER,
	.name = "listener",
	.readable = readable,
	.handle_accepted = accepted,
};

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static void ignore(void *arg, enum ac_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	(void)text;
}

static void answer_a_client(const char *poller)
{
	struct ac_map_opts opts = { .poller = poller, .log = ignore };
	struct ac_map *map = ac_map_new(&opts);
	struct ac_dispatcher *d = map ? ac_new(map, &listener_class) : NULL;
	int fd = -1;

	if (d && ac_serve(d, "127.0.0.1:0") == 0) {
		fd = connect_to(d);
		ac_call_later(map, 0, nothing, NULL);
		for (int i = 0; i < 3; i++)
			ac_poll(map, 0.002);
		send(fd, "hel", 3, MSG_NOSIGNAL);
		for (int i = 0; i < 3; i++)
			ac_poll(map, 0.002);
		send(fd, "lo\nagain\n", 9, MSG_NOSIGNAL);
		for (int i = 0; i < 4; i++)
			ac_poll(map, 0.002);
		close(fd);
		for (int i = 0; i < 2; i++)
			ac_poll(map, 0.002);
	}
	ac_map_free(map);
}

/* ---- a chat that says everything there is to say, beside a sender and a file dispatcher ---- */
static const struct ac_chat_class talker_class = { .d = { .super = AC_CHAT, .name = "talker" } };
static const struct ac_class sender_class = { .super = AC_DISPATCHER_WITH_SEND, .name = "sender" };

static ssize_t give_some(void *arg, void *buffer, size_t size)
{
	memset(buffer, 'f', size < 700 ? size : 700);
	return ++*(int *)arg <= 2 ? 700 : 0;
}

static void hook(void *arg, int64_t total)
{
	(void)total;
	++*(int *)arg;
}

static void push_everything(struct ac_chat *c, int *given, int *hooked)
{
	static const char *const lines[] = { "one", "two" };
	static char big[20000];
	struct ac_producer *parts[2];

	ac_push(c, "x", 1);
	ac_push(c, big, sizeof(big));
	ac_push_static(c, "static", 6);
	ac_pushf(c, "%01000d", 1);
	ac_push_file(c, dup(0), 0, 0);
	ac_push_with_producer(c, ac_escaping_producer(ac_lines_producer(lines, 2), "o", "oo"));
	ac_push_with_producer(c, ac_chunked_producer(ac_function_producer(give_some, given)));
	parts[0] = ac_simple_producer("a", 1, 0);
	parts[1] = ac_simple_producer("b", 1, 0);
	ac_push_with_producer(c, ac_composite_producer(parts, 2));
	ac_push_with_producer(c, ac_hooked_producer(ac_simple_producer("h", 1, 0), hook, hooked));
	ac_set_terminator(c, "a longer terminator", 19);
	ac_close_when_done(c);
}

/* Takes the descriptors over. */
static void talk_on(struct ac_map *map, int chat_fd, int sender_fd, int file_fd)
{
	int given = 0, hooked = 0;
	struct ac_chat *c = ac_chat_adopt(map, &talker_class, chat_fd, NULL);
	struct ac_dispatcher *d = ac_adopt(map, &sender_class, sender_fd, NULL);

	if (d)
		ac_sender_send((struct ac_sender *)d, "sent", 4);
	if (c)
		push_everything(c, &given, &hooked);
	d = ac_file_dispatcher(map, &talker_class.d, file_fd);
	close(file_fd); /* it has one of its own */
	if (d)
		ac_set_limit(d, AC_MAX_RECORD, 9);
	for (int i = 0; i < 8; i++)
		ac_poll(map, 0);
	ac_map_free(map);
	assert_in_range(hooked, 0, 1); /* at most once */
}

static void talk_to_a_client(const char *poller)
{
	struct ac_map_opts opts = { .poller = poller, .log = ignore };
	struct ac_map *map = ac_map_new(&opts);
	int chat[2], sender[2];

	if (!map)
		return;
	tcp_pair(chat);
	unix_pair(sender);
	talk_on(map, chat[0], sender[0], dup(sender[1]));
	close(chat[1]);
	close(sender[1]);
}

/* ---- each of them again and again ---- */
static void each_allocation_fails(struct world *w, void (*live)(const char *poller), bool sticky)
{
	long before = allocations(), nth = 0;
	int fds = count_fds();

	do {
		fail_allocation(++nth, sticky);
		live(w->poller);
		assert_int_equal(allocations(), before);
		assert_int_equal(count_fds(), fds);
	} while (allocation_failed());
	fail_allocation(0, false);
	assert_true(nth > 15); /* there were that many to fail */
}

static void each_allocation_fails_once(void **state)
{
	each_allocation_fails(*state, answer_a_client, false);
	each_allocation_fails(*state, talk_to_a_client, false);
}

static void each_allocation_fails_and_all_after_it(void **state)
{
	each_allocation_fails(*state, answer_a_client, true);
	each_allocation_fails(*state, talk_to_a_client, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(each_allocation_fails_once),
		EACH(each_allocation_fails_and_all_after_it),
	};

	return RUN(tests);
}
