/* test_datagram_out.c — net/datagram_out.c: datagrams that wait, are refused, or that nobody takes. */
#include "harness.h"

#include <asyncore/datagram.h>
#include <asyncore/overload.h>
#include <sys/un.h>

struct mouth {
	struct ac_datagram g;
	int unsent, code, drains, came;
	struct ac_addr to;
	int resend;
};

static int heard(struct ac_datagram *g, const struct ac_packet *p)
{
	(void)p;
	((struct mouth *)g)->came++;
	return 0;
}

static int unsent(struct ac_datagram *g, int code, const struct ac_addr *to)
{
	struct mouth *m = (struct mouth *)g;

	m->unsent++;
	m->code = code;
	m->to.len = 0;
	if (to)
		m->to = *to;
	if (m->resend-- > 0)
		return ac_datagram_send(g, "again", 5, to);
	return 0;
}

static int drained(struct ac_datagram *g)
{
	((struct mouth *)g)->drains++;
	return 0;
}

static const struct ac_datagram_class mouth_class = {
	.d = { .super = AC_DATAGRAM, .name = "mouth", .size = sizeof(struct mouth) },
	.handle_datagram = heard,
	.handle_unsent = unsent,
	.handle_drain = drained,
};

static const struct ac_datagram_class few_class = {
	.d = { .super = &mouth_class.d, .name = "few" },
	.max_queued = 3,
};

/* A Unix receiver that does not read, and its address. */
static int deaf(struct world *w, struct ac_addr *ret_addr, char *text, size_t size)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	snprintf(text, size, "unix:@asyncore-deaf-%d-%s", (int)getpid(), w->poller);
	assert_int_equal(ac_addr_parse(text, ret_addr), 0);
	assert_int_equal(bind(fd, &ret_addr->sa, ret_addr->len), 0);
	return fd;
}

static struct mouth *new_mouth(struct world *w, const struct ac_datagram_class *cls)
{
	struct mouth *m = (struct mouth *)ac_new(w->map, &cls->d);

	assert_non_null(m);
	return m;
}

static struct mouth *unix_mouth(struct world *w, const struct ac_datagram_class *cls)
{
	struct mouth *m = new_mouth(w, cls);

	assert_int_equal(ac_create_socket(&m->g.d, AF_UNIX, SOCK_DGRAM), 0);
	return m;
}

static int take_all(int fd, char *text, size_t size)
{
	int n = 0;
	ssize_t r;

	while ((r = recv(fd, text, size - 1, MSG_DONTWAIT)) >= 0) {
		text[r] = '\0';
		n++;
	}
	return n;
}

/* Its own socket is writable all the time: that must neither spin nor wait for ever. */
static void full_receiver_is_waited_for_in_order(void **state)
{
	struct world *w = *state;
	struct mouth *m = unix_mouth(w, &mouth_class);
	char where[64], text[16];
	struct ac_addr to;
	int fd = deaf(w, &to, where, sizeof(where)), taken = 0;
	double end;

	for (int i = 0; i < 100; i++) {
		int len = snprintf(text, sizeof(text), "%d", i);

		assert_int_equal(ac_datagram_send(&m->g, text, (size_t)len, &to), 0);
	}
	assert_true(waits_in(w, 0.1) < 60);
	assert_true(ac_datagram_pending(&m->g) > 0);
	end = ac_now(w->map) + 2;
	while (taken < 100 && ac_now(w->map) < end) {
		ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

		if (n >= 0) {
			text[n] = '\0';
			assert_int_equal(atoi(text), taken);
			taken++;
		} else {
			ac_poll(w->map, 0.01);
		}
	}
	assert_int_equal(taken, 100);
	UNTIL(w, m->drains == 1);
	assert_int_equal(m->g.sent, 100);
	assert_int_equal(ac_datagram_pending(&m->g), 0);
	close(fd);
}

static void connected_to_a_full_receiver_it_waits_for_room(void **state)
{
	struct world *w = *state;
	struct mouth *m = new_mouth(w, &mouth_class);
	char where[64], text[16];
	struct ac_addr to;
	int fd = deaf(w, &to, where, sizeof(where)), taken = 0;
	double end;

	assert_int_equal(ac_datagram_dial(&m->g, where), 0);
	for (int i = 0; i < 60; i++)
		assert_int_equal(ac_datagram_send(&m->g, "x", 1, NULL), 0);
	assert_true(waits_in(w, 0.1) < 60);
	assert_true(ac_datagram_pending(&m->g) > 0);
	end = ac_now(w->map) + 2;
	while (taken < 60 && ac_now(w->map) < end) {
		taken += take_all(fd, text, sizeof(text));
		ac_poll(w->map, 0.01);
	}
	assert_int_equal(taken, 60);
	close(fd);
}

static void count_limit_holds_at_n_and_not_before(void **state)
{
	struct world *w = *state;
	struct mouth *m = unix_mouth(w, &few_class);
	char where[64], text[16];
	struct ac_addr to;
	int fd = deaf(w, &to, where, sizeof(where));

	for (int i = 0; i < 3; i++)
		assert_int_equal(ac_datagram_send(&m->g, "x", 1, &to), 0);
	assert_int_equal(ac_datagram_send(&m->g, "x", 1, &to), -ENOBUFS);
	assert_int_equal(ac_datagram_send(&m->g, "x", 1, &to), -ENOBUFS);
	assert_int_equal(m->g.refused, 2);
	assert_int_equal(ac_datagram_pending(&m->g), 3);
	assert_int_equal(ac_map_counter(w->map, AC_COUNT_OUTPUT_REFUSED), 2);
	assert_non_null(strstr(w->log, "output refused"));
	UNTIL(w, m->drains == 1);
	assert_int_equal(take_all(fd, text, sizeof(text)), 3);
	assert_int_equal(ac_datagram_send(&m->g, "x", 1, &to), 0);
	close(fd);
}

static void byte_limit_holds_at_n_and_not_before(void **state)
{
	static char big[1000];
	struct world *w = *state;
	struct mouth *m = unix_mouth(w, &mouth_class);
	char where[64];
	struct ac_addr to;
	int fd = deaf(w, &to, where, sizeof(where));

	assert_int_equal(ac_set_limit(&m->g.d, AC_MAX_OUTPUT, 1000), 0);
	assert_int_equal(ac_datagram_send(&m->g, big, 1001, &to), -ENOBUFS);
	assert_int_equal(ac_datagram_send(&m->g, big, 1000, &to), 0);
	assert_int_equal(ac_datagram_send(&m->g, big, 1, &to), -ENOBUFS);
	passes(w, 2);
	assert_int_equal(ac_datagram_pending(&m->g), 0);
	assert_int_equal(ac_datagram_send(&m->g, big, 999, &to), 0);
	assert_int_equal(m->g.refused, 2);
	close(fd);
}

static void datagram_too_long_harms_no_other(void **state)
{
	static char big[70000];
	struct world *w = *state;
	struct mouth *m = new_mouth(w, &mouth_class);
	struct ac_addr to;

	assert_int_equal(ac_datagram_serve(&m->g, "127.0.0.1:0"), 0);
	assert_int_equal(ac_local_addr(&m->g.d, &to), 0);
	assert_int_equal(ac_datagram_send(&m->g, "one", 3, &to), 0);
	assert_int_equal(ac_datagram_send(&m->g, big, sizeof(big), &to), 0);
	assert_int_equal(ac_datagram_send(&m->g, "two", 3, &to), 0);
	UNTIL(w, m->came == 2);
	assert_int_equal(m->unsent, 1);
	assert_int_equal(m->code, EMSGSIZE);
	assert_int_equal(m->to.len, to.len);
	assert_int_equal(m->g.unsent, 1);
	assert_int_equal(m->g.sent, 2);
	assert_int_equal(ac_datagram_send(&m->g, big, (size_t)1 << 30, &to), -EMSGSIZE);
}

/* The news of the first stands in the way of the second, which is sent all the same. */
static void refusal_is_told_and_the_next_one_is_sent(void **state)
{
	struct world *w = *state;
	struct mouth *m = new_mouth(w, &mouth_class), *gone = new_mouth(w, &mouth_class);
	char text[AC_ADDR_TEXT];
	struct ac_addr to;
	int fd;

	assert_int_equal(ac_datagram_serve(&gone->g, "127.0.0.1:0"), 0);
	assert_int_equal(ac_local_addr(&gone->g.d, &to), 0);
	ac_close(&gone->g.d);
	assert_int_equal(ac_datagram_dial(&m->g, ac_addr_format(&to, text, sizeof(text))), 0);
	UNTIL(w, ac_connected(&m->g.d));
	ac_pause(&m->g.d); /* so that the send finds it, not the read */
	assert_int_equal(ac_datagram_send(&m->g, "anybody?", 8, NULL), 0);
	passes(w, 3);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(fd, &to.sa, to.len), 0);
	assert_int_equal(ac_datagram_send(&m->g, "hello", 5, NULL), 0);
	UNTIL(w, m->unsent == 1);
	assert_int_equal(m->code, ECONNREFUSED);
	assert_int_equal(m->to.len, 0);
	assert_int_equal(recv(fd, text, sizeof(text), MSG_DONTWAIT), 5);
	assert_int_equal(m->g.sent, 2);
	close(fd);
	ac_resume(&m->g.d);
	assert_int_equal(ac_datagram_send(&m->g, "anybody?", 8, NULL), 0);
	UNTIL(w, m->unsent == 2); /* now the read finds it */
	assert_true(waits_in(w, 0.1) < 10);
	assert_int_equal(m->unsent, 2);
	assert_int_equal(ac_map_channels(w->map), 1);
}

static void receiver_that_is_not_there_is_told_with_its_address(void **state)
{
	struct world *w = *state;
	struct mouth *m = unix_mouth(w, &mouth_class);
	char where[64], text[16];
	struct ac_addr to, nobody;
	int fd = deaf(w, &to, where, sizeof(where));

	assert_int_equal(ac_addr_parse("unix:@asyncore-nobody", &nobody), 0);
	assert_int_equal(ac_datagram_send(&m->g, "a", 1, &nobody), 0);
	assert_int_equal(ac_datagram_send(&m->g, "b", 1, &to), 0);
	UNTIL(w, m->unsent == 1);
	assert_int_equal(m->code, ECONNREFUSED);
	assert_int_equal(m->to.len, nobody.len);
	assert_memory_equal(&m->to.un, &nobody.un, nobody.len);
	assert_int_equal(take_all(fd, text, sizeof(text)), 1);
	assert_string_equal(text, "b");
	close(fd);
}

static void resending_in_the_hook_does_not_go_on_for_ever_in_one_pass(void **state)
{
	struct world *w = *state;
	struct mouth *m = unix_mouth(w, &mouth_class);
	struct ac_addr nobody;

	m->resend = 1000;
	assert_int_equal(ac_addr_parse("unix:@asyncore-nobody", &nobody), 0);
	assert_int_equal(ac_datagram_send(&m->g, "a", 1, &nobody), 0);
	ac_poll(w->map, 0);
	assert_true(m->unsent > 0 && m->unsent < 10);
	m->resend = 0;
	UNTIL(w, ac_datagram_pending(&m->g) == 0);
}

static void closing_sends_what_goes_at_once(void **state)
{
	struct world *w = *state;
	struct mouth *m = unix_mouth(w, &mouth_class);
	char where[64], text[16];
	struct ac_addr to;
	int fd = deaf(w, &to, where, sizeof(where));

	assert_int_equal(ac_datagram_send(&m->g, "last", 4, &to), 0);
	ac_close(&m->g.d);
	assert_int_equal(ac_datagram_send(&m->g, "late", 4, &to), 0);
	assert_int_equal(take_all(fd, text, sizeof(text)), 1);
	assert_string_equal(text, "last");
	close(fd);
}

static void closed_while_it_waits_it_leaves_nothing_behind(void **state)
{
	struct world *w = *state;
	struct mouth *m = unix_mouth(w, &mouth_class);
	char where[64];
	struct ac_addr to;
	int fd = deaf(w, &to, where, sizeof(where));

	for (int i = 0; i < 100; i++)
		assert_int_equal(ac_datagram_send(&m->g, "x", 1, &to), 0);
	passes(w, 2);
	assert_true(ac_datagram_pending(&m->g) > 0);
	ac_close(&m->g.d);
	waits_in(w, 0.02);
	assert_int_equal(ac_map_channels(w->map), 0);
	close(fd);
}

/* The next try was to be the first map's, which is gone. */
static void moved_to_another_map_while_it_waits(void **state)
{
	struct world *w = *state;
	struct ac_map_opts opts = { .poller = w->poller };
	struct ac_map *first = ac_map_new(&opts), *map = w->map;
	char where[64], text[16];
	struct ac_addr to;
	int fd = deaf(w, &to, where, sizeof(where));
	struct mouth *m;

	w->map = first;
	m = unix_mouth(w, &mouth_class);
	for (int i = 0; i < 100; i++)
		assert_int_equal(ac_datagram_send(&m->g, "x", 1, &to), 0);
	passes(w, 2);
	assert_true(ac_datagram_pending(&m->g) > 0);
	w->map = map;
	assert_int_equal(ac_add_channel(&m->g.d, map), 0);
	ac_map_free(first);
	UNTIL(w, (take_all(fd, text, sizeof(text)), ac_datagram_pending(&m->g) == 0));
	close(fd);
}

/* What a task sends goes out with the pass, and a guest loop is told not to wait. */
static void sent_from_outside_it_goes_with_the_next_pass(void **state)
{
	struct world *w = *state;
	struct mouth *m = unix_mouth(w, &mouth_class);
	char where[64], text[16];
	struct ac_addr to;
	int fd = deaf(w, &to, where, sizeof(where));

	assert_int_equal(ac_datagram_send(&m->g, "x", 1, &to), 0);
	assert_int_equal(take_all(fd, text, sizeof(text)), 0);
	assert_true(ac_next_timeout(w->map) == 0);
	ac_poll(w->map, 1);
	assert_int_equal(take_all(fd, text, sizeof(text)), 1);
	close(fd);
}

static void stale_unix_socket_is_replaced_and_a_live_one_is_not(void **state)
{
	struct world *w = *state;
	struct mouth *one = new_mouth(w, &mouth_class), *two = new_mouth(w, &mouth_class);
	char where[80], path[64];

	snprintf(path, sizeof(path), "/tmp/asyncore-dgram-%d-%s", (int)getpid(), w->poller);
	snprintf(where, sizeof(where), "unix:%s", path);
	assert_int_equal(ac_datagram_serve(&one->g, where), 0);
	assert_int_equal(ac_datagram_serve(&two->g, where), -EADDRINUSE);
	assert_int_equal(two->g.d.fd, -1);
	ac_close(&one->g.d);
	assert_int_equal(ac_datagram_serve(&two->g, where), 0);
	unlink(path);
	assert_int_equal(ac_datagram_serve(NULL, where), -ENOMEM);
	one = new_mouth(w, &mouth_class);
	assert_int_equal(ac_datagram_dial(&one->g, "nowhere"), -EINVAL);
	assert_int_equal(ac_datagram_dial(&one->g, "unix:/no/such"), -ENOENT);
	assert_int_equal(one->g.d.fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(full_receiver_is_waited_for_in_order),
		EACH(connected_to_a_full_receiver_it_waits_for_room),
		EACH(moved_to_another_map_while_it_waits),
		EACH(count_limit_holds_at_n_and_not_before),
		EACH(byte_limit_holds_at_n_and_not_before),
		EACH(datagram_too_long_harms_no_other),
		EACH(refusal_is_told_and_the_next_one_is_sent),
		EACH(receiver_that_is_not_there_is_told_with_its_address),
		EACH(resending_in_the_hook_does_not_go_on_for_ever_in_one_pass),
		EACH(closing_sends_what_goes_at_once),
		EACH(closed_while_it_waits_it_leaves_nothing_behind),
		EACH(sent_from_outside_it_goes_with_the_next_pass),
		EACH(stale_unix_socket_is_replaced_and_a_live_one_is_not),
	};

	return RUN(tests);
}
