/* test_io.c — io.c and sender.c: datagrams, and a dispatcher with a buffer. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(datagrams_one_by_one_and_empty_ones_too),
		EACH(sender_keeps_order_and_its_cap),
	};

	return RUN(tests);
}
