/* test_io.c — io.c and sender.c: datagrams, bytes, out-of-band data; and a chat's edges: discarding, setting. */
#include "harness.h"

struct echo {
	struct ac_dispatcher d;
	char *heard;
};

/* ---- datagrams ---- */
static int datagram(struct ac_dispatcher *d)
{
	struct echo *e = (struct echo *)d;
	struct ac_addr from;
	char text[64];
	ssize_t n = ac_recvfrom(d, text, sizeof(text), &from);

	if (n < 0)
		return (int)n;
	strncat(e->heard, text, (size_t)n);
	strcat(e->heard, ";");
	return (int)ac_sendto(d, "answer", 6, &from);
}

static const struct ac_class udp_class = {
	.super = AC_DISPATCHER,
	.name = "udp",
	.size = sizeof(struct echo),
	.handle_read = datagram,
};

static void datagrams_one_by_one_and_empty_ones_too(void **state)
{
	struct world *w = *state;
	struct echo *e = (struct echo *)ac_new(w->map, &udp_class);
	struct ac_addr addr;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char text[64];

	e->heard = new_trace(w);
	assert_int_equal(ac_create_socket(&e->d, AF_INET, SOCK_DGRAM), 0);
	assert_int_equal(ac_addr_parse("127.0.0.1:0", &addr), 0);
	assert_int_equal(ac_bind(&e->d, &addr), 0);
	assert_int_equal(ac_local_addr(&e->d, &addr), 0);
	assert_int_equal(connect(fd, &addr.sa, addr.len), 0);
	put(fd, "a");
	assert_int_equal(send(fd, "", 0, 0), 0);
	put(fd, "bc");
	UNTIL(w, strcmp(e->heard, "a;;bc;") == 0);
	assert_int_equal(recv(fd, text, sizeof(text), 0), 6);
	assert_int_equal(ac_sendto(&e->d, "x", 1, &addr), 1); /* to itself */
	UNTIL(w, strstr(e->heard, ";x;"));
	ac_close(&e->d);
	close(fd);
}

/* ---- the sender ---- */
static const struct ac_class out_class = {
	.super = AC_DISPATCHER_WITH_SEND,
	.name = "out",
	.size = sizeof(struct ac_sender),
};

static void sender_keeps_order_and_its_cap(void **state)
{
	struct world *w = *state;
	int fds[2], small = 4096;
	struct ac_sender *s;
	static char text[300000], came[300001];
	size_t n = 0;

	unix_pair(fds);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	s = (struct ac_sender *)ac_adopt(w->map, &out_class, fds[0], NULL);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 25);
	assert_int_equal(ac_sender_send(s, text, sizeof(text)), (ssize_t)sizeof(text));
	assert_true(ac_sender_pending(s) > 0);
	assert_int_equal(ac_set_limit(&s->d, AC_MAX_OUTPUT, ac_sender_pending(s)), 0);
	assert_int_equal(ac_sender_send(s, "x", 1), -ENOBUFS);
	shutdown(fds[1], SHUT_WR); /* end of input: what is queued is sent first */
	for (int i = 0; i < 1000 && n < sizeof(text); i++) {
		n += get(fds[1], came + n, sizeof(came) - n);
		ac_poll(w->map, 0.001);
	}
	assert_int_equal(n, sizeof(text));
	assert_memory_equal(text, came, n);
	UNTIL(w, ended(fds[1]));
	close(fds[1]);
}

/* ---- send, receive, out of band ---- */
static int closes, reason;
static char urgent[16];

static int note_close(struct ac_dispatcher *d)
{
	closes++;
	reason = ac_close_reason(d);
	return 0;
}

static int read_urgent(struct ac_dispatcher *d)
{
	char byte;
	ssize_t n = ac_recv_oob(d, &byte);

	if (n == 1)
		strncat(urgent, &byte, 1);
	return n < 0 ? (int)n : 0;
}

static int drop_input(struct ac_dispatcher *d)
{
	char text[64];
	ssize_t n = ac_recv(d, text, sizeof(text));

	return n < 0 ? (int)n : 0;
}

static const struct ac_class plain_class = {
	.super = AC_DISPATCHER,
	.name = "plain",
	.handle_read = drop_input,
	.handle_expt = read_urgent,
	.handle_close = note_close,
};

static struct ac_dispatcher *plain_on(struct world *w, int fd)
{
	struct ac_dispatcher *d = ac_adopt(w->map, &plain_class, fd, NULL);

	assert_non_null(d);
	closes = reason = 0;
	urgent[0] = '\0';
	return d;
}

static void send_gives_what_the_kernel_took_and_then_nothing(void **state)
{
	struct world *w = *state;
	static char big[1 << 20];
	struct ac_dispatcher *d;
	int fds[2];
	ssize_t n;

	unix_pair(fds);
	d = plain_on(w, fds[0]);
	n = ac_send(d, big, sizeof(big));
	assert_true(n > 0 && n < (ssize_t)sizeof(big));
	while (ac_send(d, big, sizeof(big)) > 0)
		;
	assert_int_equal(ac_send(d, big, sizeof(big)), 0);
	assert_int_equal(closes, 0);
	close(fds[1]);
	assert_int_equal(ac_send(d, big, 1), 0); /* lost: closed right here */
	assert_int_equal(closes, 1);
	assert_int_equal(reason, EPIPE);
}

static void reset_while_reading_is_a_close_with_its_reason(void **state)
{
	struct world *w = *state;
	int fds[2];

	tcp_pair(fds);
	plain_on(w, fds[0]);
	passes(w, 1);
	reset(fds[1]);
	UNTIL(w, closes == 1);
	assert_int_equal(reason, ECONNRESET);
}

static void urgent_bytes_are_read_one_by_one(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d;
	char byte;
	int fds[2];

	tcp_pair(fds);
	d = plain_on(w, fds[0]);
	assert_int_equal(ac_recv_oob(d, &byte), -EAGAIN);
	assert_int_equal(send(fds[1], "1", 1, MSG_OOB), 1);
	UNTIL(w, strcmp(urgent, "1") == 0);
	assert_int_equal(send(fds[1], "2", 1, MSG_OOB), 1);
	UNTIL(w, strcmp(urgent, "12") == 0);
	close(fds[1]);
}

static void shutdown_leaves_the_channel_open_for_the_other_way(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d;
	int fds[2];

	tcp_pair(fds);
	d = plain_on(w, fds[0]);
	assert_int_equal(ac_shutdown(d, SHUT_WR), 0);
	passes(w, 3);
	assert_int_equal(closes, 0);
	assert_true(ended(fds[1]));
	put(fds[1], "still heard");
	passes(w, 3);
	assert_int_equal(closes, 0);
	close(fds[1]);
	UNTIL(w, closes == 1);
}

static const struct ac_class mute_class = { .super = AC_DISPATCHER, .name = "mute" };

static void what_nobody_handles_is_said_and_dropped(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *l = ac_new(w->map, &mute_class);
	int fds[2], fd;

	unix_pair(fds);
	assert_non_null(ac_adopt(w->map, &mute_class, fds[0], NULL));
	put(fds[1], "unwanted");
	UNTIL(w, strstr(w->log, "unhandled read event"));
	assert_int_equal(ac_serve(l, "127.0.0.1:0"), 0);
	fd = connect_to(l);
	UNTIL(w, strstr(w->log, "unhandled accepted connection from 127.0.0.1:"));
	UNTIL(w, ended(fd));
	close(fd);
	close(fds[1]);
}

/* ---- a chat's buffers thrown away ---- */
static void discarded_output_is_not_sent(void **state)
{
	struct world *w = *state;
	static char big[500000];
	char came[64];
	int fd, freed_fds;
	struct rec *r = rec_pair(w, &fd);
	size_t queued;

	freed_fds = count_fds();
	assert_int_equal(ac_push(&r->c, big, sizeof(big)), 0);
	queued = ac_pending(&r->c);
	assert_true(queued > 0);
	ac_discard_buffers(&r->c);
	assert_int_equal(ac_pending(&r->c), 0);
	while (recv(fd, came, sizeof(came), MSG_DONTWAIT) > 0)
		;
	passes(w, 3);
	assert_int_equal(get(fd, came, sizeof(came)), 0);
	assert_int_equal(ac_push(&r->c, "after", 5), 0);
	passes(w, 2);
	get(fd, came, sizeof(came));
	assert_string_equal(came, "after");
	assert_int_equal(count_fds(), freed_fds);
	close(fd);
}

static struct rec *asked;

static ssize_t discard_while_asked(void *arg, void *buffer, size_t size)
{
	(void)size;
	ac_discard_output(&asked->c);
	memcpy(buffer, "x", 1);
	return ++*(int *)arg < 3;
}

static void producer_that_discards_its_own_queue_is_freed_afterwards(void **state)
{
	struct world *w = *state;
	int fd, calls = 0;

	asked = rec_pair(w, &fd);
	assert_int_equal(
		ac_push_with_producer(&asked->c, ac_function_producer(discard_while_asked, &calls)),
		0);
	assert_int_equal(calls, 1);
	assert_int_equal(ac_pending(&asked->c), 0);
	passes(w, 2);
	assert_int_equal(calls, 1);
	close(fd);
}

/* ---- terminators as set ---- */
static void terminators_are_told_as_they_were_set(void **state)
{
	static const struct ac_slice list[] = { { "one", 3 }, { "two", 3 } }, bad[] = { { "", 0 } };
	struct world *w = *state;
	static char text[AC_TERMINATOR_MAX + 1];
	struct ac_slice s;
	uint64_t left;
	int fd;
	struct ac_chat *c = &rec_pair(w, &fd)->c;

	assert_int_equal(ac_get_terminator(c, 0, &s, &left), AC_TERM_NONE);
	assert_int_equal(ac_set_terminator(c, "ab", 2), 0);
	assert_int_equal(ac_get_terminator(c, 0, &s, &left), AC_TERM_STRING);
	assert_memory_equal(s.data, "ab", 2);
	assert_int_equal(ac_set_terminator(c, s.data, s.len), 0); /* what was lent */
	assert_int_equal(ac_set_terminator_any(c, list, 2), 0);
	assert_int_equal(ac_get_terminator(c, 1, &s, &left), AC_TERM_ANY);
	assert_memory_equal(s.data, "two", 3);
	ac_get_terminator(c, 2, &s, NULL);
	assert_int_equal(s.len, 0);
	assert_int_equal(ac_set_terminator_any(c, bad, 1), -EINVAL);
	assert_int_equal(ac_set_terminator_any(c, NULL, 2), -EINVAL);
	assert_int_equal(ac_set_terminator(c, text, sizeof(text)), -EINVAL);
	assert_int_equal(
		ac_set_terminator_any(c, (struct ac_slice[]){ { text, 4000 }, { text, 97 } }, 2),
		-EINVAL);
	assert_int_equal(ac_get_terminator(c, 0, &s, NULL), AC_TERM_ANY); /* as before */
	assert_int_equal(ac_set_terminator_count(c, 7), 0);
	assert_int_equal(ac_get_terminator(c, 0, &s, &left), AC_TERM_COUNT);
	assert_int_equal(left, 7);
	assert_int_equal(ac_set_terminator_any(c, list, 0), 0);
	assert_int_equal(ac_get_terminator(c, 0, NULL, NULL), AC_TERM_NONE);
	close(fd);
}

static const struct ac_chat_class lending_class = { .d = { .super = AC_CHAT, .name = "lending" } };

static void count_over_the_limit_is_refused_where_it_would_be_kept(void **state)
{
	struct world *w = *state;
	int fd, fds[2];
	struct rec *r = rec_pair(w, &fd);
	struct ac_chat *c;

	unix_pair(fds);
	c = ac_chat_adopt(w->map, &lending_class, fds[0], NULL);
	assert_int_equal(ac_set_terminator_count(c, 65536), 0);
	assert_int_equal(ac_set_terminator_count(c, 65537), -EMSGSIZE);
	assert_int_equal(ac_set_terminator_count(&r->c, 1 << 30), 0); /* it collects by itself */
	close(fd);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(datagrams_one_by_one_and_empty_ones_too),
		EACH(sender_keeps_order_and_its_cap),
		EACH(send_gives_what_the_kernel_took_and_then_nothing),
		EACH(reset_while_reading_is_a_close_with_its_reason),
		EACH(urgent_bytes_are_read_one_by_one),
		EACH(shutdown_leaves_the_channel_open_for_the_other_way),
		EACH(what_nobody_handles_is_said_and_dropped),
		EACH(discarded_output_is_not_sent),
		EACH(producer_that_discards_its_own_queue_is_freed_afterwards),
		EACH(terminators_are_told_as_they_were_set),
		EACH(count_over_the_limit_is_refused_where_it_would_be_kept),
	};

	return RUN(tests);
}
