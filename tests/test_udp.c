/* test_udp.c — datagram channels: each datagram once, whole and from whom; errors that close nobody else. */
#include "harness.h"

struct ear {
	struct ac_dispatcher d;
	char *heard;
	int reads, errors, error;
	size_t room; /* bytes taken of each datagram; 0: as many as there are */
	bool answers;
};

static int ear_read(struct ac_dispatcher *d)
{
	struct ear *e = (struct ear *)d;
	struct ac_addr from;
	char text[2048];
	ssize_t n = ac_recvfrom(d, text, e->room ? e->room : sizeof(text), &from);

	if (n < 0)
		return (int)n;
	e->reads++;
	if (strlen(e->heard) + (size_t)n + 2 < TRACE_SIZE) {
		strncat(e->heard, text, (size_t)n);
		strcat(e->heard, ";");
	}
	if (e->answers)
		AC_TRY(d, ac_sendto(d, text, (size_t)n, &from));
	return 0;
}

/* It stays: a datagram socket outlives its errors. */
static int ear_error(struct ac_dispatcher *d, const struct ac_error *error)
{
	struct ear *e = (struct ear *)d;

	e->errors++;
	e->error = error->code;
	return 0;
}

static const struct ac_class ear_class = {
	.super = AC_DISPATCHER,
	.name = "ear",
	.size = sizeof(struct ear),
	.handle_read = ear_read,
	.handle_error = ear_error,
};

static struct ear *ear_at(struct world *w, const char *where, struct ac_addr *ret_addr)
{
	struct ear *e = (struct ear *)ac_new(w->map, &ear_class);
	struct ac_addr addr;

	assert_non_null(e);
	e->heard = new_trace(w);
	assert_int_equal(ac_addr_parse(where, &addr), 0);
	assert_int_equal(ac_create_socket(&e->d, addr.sa.sa_family, SOCK_DGRAM), 0);
	assert_int_equal(ac_bind(&e->d, &addr), 0);
	assert_int_equal(ac_local_addr(&e->d, ret_addr), 0);
	return e;
}

static int mouth_to(const struct ac_addr *addr)
{
	int fd = socket(addr->sa.sa_family, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &addr->sa, addr->len), 0);
	return fd;
}

static void each_sender_gets_its_own_answer(void **state)
{
	static const char *const where[] = { "127.0.0.1:0", "[::1]:0" };
	struct world *w = *state;

	for (int i = 0; i < 2; i++) {
		struct ac_addr addr;
		struct ear *e = ear_at(w, where[i], &addr);
		int one = mouth_to(&addr), two = mouth_to(&addr);
		char text[64];

		e->answers = true;
		put(one, "from one");
		put(two, "from two");
		UNTIL(w, e->reads == 2);
		get(one, text, sizeof(text));
		assert_string_equal(text, "from one");
		get(two, text, sizeof(text));
		assert_string_equal(text, "from two");
		close(one);
		close(two);
		ac_close(&e->d);
	}
}

static void unix_datagrams_keep_their_bounds(void **state)
{
	struct world *w = *state;
	struct ac_addr addr;
	char where[64];
	struct ear *e;
	int fd;

	snprintf(where, sizeof(where), "unix:@asyncore-udp-%d-%s", (int)getpid(), w->poller);
	e = ear_at(w, where, &addr);
	fd = mouth_to(&addr);
	put(fd, "a");
	put(fd, "bc");
	UNTIL(w, strcmp(e->heard, "a;bc;") == 0);
	close(fd);
	passes(w, 3); /* nobody is connected: nothing ends */
	assert_int_equal(ac_map_channels(w->map), 1);
	ac_close(&e->d);
}

/* One a call: an edge that was told once must not leave the others lying. */
static void burst_is_heard_to_its_last_datagram(void **state)
{
	struct world *w = *state;
	struct ac_addr addr;
	struct ear *e = ear_at(w, "127.0.0.1:0", &addr);
	int fd = mouth_to(&addr);

	for (int i = 0; i < 100; i++)
		put(fd, "x");
	UNTIL(w, e->reads == 100);
	passes(w, 3);
	assert_int_equal(e->reads, 100);
	assert_int_equal(e->errors, 0);
	close(fd);
}

static void empty_datagram_is_no_end(void **state)
{
	struct world *w = *state;
	struct ac_addr addr;
	struct ear *e = ear_at(w, "127.0.0.1:0", &addr);
	int fd = mouth_to(&addr);

	for (int i = 0; i < 3; i++)
		assert_int_equal(send(fd, "", 0, 0), 0);
	put(fd, "after");
	UNTIL(w, strcmp(e->heard, ";;;after;") == 0);
	assert_true(ac_map_channels(w->map) == 1);
	close(fd);
}

static void datagram_longer_than_the_buffer_harms_no_other(void **state)
{
	struct world *w = *state;
	struct ac_addr addr;
	struct ear *e = ear_at(w, "127.0.0.1:0", &addr);
	int fd = mouth_to(&addr);

	e->room = 4;
	put(fd, "0123456789");
	put(fd, "next");
	UNTIL(w, strcmp(e->heard, "0123;next;") == 0);
	close(fd);
}

static void refused_datagram_is_told_once_and_closes_nobody(void **state)
{
	struct world *w = *state;
	struct ac_addr gone, addr;
	struct ear *e = ear_at(w, "127.0.0.1:0", &gone), *other;
	int fd;

	ac_close(&e->d);
	e = ear_at(w, "127.0.0.1:0", &addr);
	assert_int_equal(ac_connect(&e->d, &gone), 0);
	other = ear_at(w, "127.0.0.1:0", &addr);
	UNTIL(w, ac_connected(&e->d));
	assert_int_equal(ac_send(&e->d, "anybody?", 8), 8);
	UNTIL(w, e->errors == 1);
	assert_int_equal(e->error, ECONNREFUSED);
	assert_true(waits_in(w, 0.1) < 10);
	assert_int_equal(e->errors, 1);
	fd = mouth_to(&addr);
	put(fd, "hello");
	UNTIL(w, strcmp(other->heard, "hello;") == 0);
	assert_int_equal(ac_map_channels(w->map), 2);
	close(fd);
}

static void paused_datagram_socket_keeps_its_error_for_the_resume(void **state)
{
	struct world *w = *state;
	struct ac_addr gone, addr;
	struct ear *e = ear_at(w, "127.0.0.1:0", &gone);

	ac_close(&e->d);
	e = ear_at(w, "127.0.0.1:0", &addr);
	assert_int_equal(ac_connect(&e->d, &gone), 0);
	UNTIL(w, ac_connected(&e->d));
	ac_pause(&e->d);
	assert_int_equal(ac_send(&e->d, "anybody?", 8), 8);
	assert_true(waits_in(w, 0.1) < 10);
	assert_int_equal(ac_map_channels(w->map), 1);
	assert_int_equal(e->errors, 0);
	ac_resume(&e->d);
	UNTIL(w, e->errors == 1); /* it was kept for whoever listens again */
	assert_int_equal(e->error, ECONNREFUSED);
}

static void idle_datagram_socket_does_not_spin(void **state)
{
	struct world *w = *state;
	struct ac_addr addr;
	struct ear *e = ear_at(w, "127.0.0.1:0", &addr);

	assert_true(waits_in(w, 0.1) < 10);
	ac_pause(&e->d);
	assert_true(waits_in(w, 0.1) < 10);
}

static void paused_datagrams_wait_for_the_resume(void **state)
{
	struct world *w = *state;
	struct ac_addr addr;
	struct ear *e = ear_at(w, "127.0.0.1:0", &addr);
	int fd = mouth_to(&addr);

	ac_pause(&e->d);
	put(fd, "a");
	put(fd, "b");
	assert_true(waits_in(w, 0.05) < 10);
	assert_string_equal(e->heard, "");
	ac_resume(&e->d);
	UNTIL(w, strcmp(e->heard, "a;b;") == 0);
	close(fd);
}

static void datagram_too_long_to_send_is_an_error_of_the_verb(void **state)
{
	static char big[70000];
	struct world *w = *state;
	struct ac_addr addr;
	struct ear *e = ear_at(w, "127.0.0.1:0", &addr);

	assert_int_equal(ac_sendto(&e->d, big, sizeof(big), &addr), -EMSGSIZE);
	assert_int_equal(ac_last_error(w->map)->code, EMSGSIZE);
	assert_int_equal(ac_sendto(&e->d, "to itself", 9, &addr), 9);
	UNTIL(w, strcmp(e->heard, "to itself;") == 0);
	ac_close(&e->d);
	assert_int_equal(ac_sendto(&e->d, "x", 1, &addr), 0);
	assert_int_equal(ac_recvfrom(&e->d, big, 1, NULL), 0);
}

static void full_receiver_is_no_room_and_not_an_error(void **state)
{
	struct world *w = *state;
	struct ac_addr addr;
	char where[64], drop[64];
	struct ear *e = (struct ear *)ac_new(w->map, &ear_class);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0), sent = 0;
	ssize_t n;

	snprintf(where, sizeof(where), "unix:@asyncore-full-%d-%s", (int)getpid(), w->poller);
	assert_int_equal(ac_addr_parse(where, &addr), 0);
	assert_int_equal(bind(fd, &addr.sa, addr.len), 0);
	e->heard = new_trace(w);
	assert_int_equal(ac_create_socket(&e->d, AF_UNIX, SOCK_DGRAM), 0);
	while ((n = ac_sendto(&e->d, "x", 1, &addr)) == 1 && sent < 100000)
		sent++;
	assert_int_equal(n, -EAGAIN);
	assert_true(sent > 0);
	assert_int_equal(recv(fd, drop, sizeof(drop), 0), 1);
	assert_int_equal(ac_sendto(&e->d, "x", 1, &addr), 1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(each_sender_gets_its_own_answer),
		EACH(unix_datagrams_keep_their_bounds),
		EACH(burst_is_heard_to_its_last_datagram),
		EACH(empty_datagram_is_no_end),
		EACH(datagram_longer_than_the_buffer_harms_no_other),
		EACH(refused_datagram_is_told_once_and_closes_nobody),
		EACH(paused_datagram_socket_keeps_its_error_for_the_resume),
		EACH(idle_datagram_socket_does_not_spin),
		EACH(paused_datagrams_wait_for_the_resume),
		EACH(datagram_too_long_to_send_is_an_error_of_the_verb),
		EACH(full_receiver_is_no_room_and_not_an_error),
	};

	return RUN(tests);
}
