/* test_datagram.c — net/datagram.c: batches that come, from whom, whole or said to be cut. */
#include "harness.h"

#include <asyncore/datagram.h>
#include <sys/wait.h>

struct ear {
	struct ac_datagram g;
	char *heard; /* "text;" for each, "text!" for one that was cut */
	int count, unsent, code, drains;
	struct ac_addr to;
	int (*act)(struct ear *e, const struct ac_packet *p);
};

static int heard(struct ac_datagram *g, const struct ac_packet *p)
{
	struct ear *e = (struct ear *)g;
	size_t len = strlen(e->heard);

	e->count++;
	snprintf(e->heard + len, TRACE_SIZE - len, "%.*s%c", (int)p->len, (const char *)p->data,
	         p->truncated ? '!' : ';');
	return e->act ? e->act(e, p) : 0;
}

static int unsent(struct ac_datagram *g, int code, const struct ac_addr *to)
{
	struct ear *e = (struct ear *)g;

	e->unsent++;
	e->code = code;
	e->to.len = 0;
	if (to)
		e->to = *to;
	return 0;
}

static int drained(struct ac_datagram *g)
{
	((struct ear *)g)->drains++;
	return 0;
}

static const struct ac_datagram_class ear_class = {
	.d = { .super = AC_DATAGRAM, .name = "ear", .size = sizeof(struct ear) },
	.handle_datagram = heard,
	.handle_unsent = unsent,
	.handle_drain = drained,
};

static const struct ac_datagram_class small_class = {
	.d = { .super = &ear_class.d, .name = "small", .in_buffer_size = 8 },
	.max_queued = 3,
};

static struct ear *ear_of(struct world *w, const struct ac_datagram_class *cls, const char *where)
{
	struct ear *e = (struct ear *)ac_new(w->map, &cls->d);

	assert_non_null(e);
	e->heard = new_trace(w);
	if (where)
		assert_int_equal(ac_datagram_serve(&e->g, where), 0);
	return e;
}

static struct ear *ear(struct world *w)
{
	return ear_of(w, &ear_class, "127.0.0.1:0");
}

static const char *text_of(const struct ear *e)
{
	static char text[AC_ADDR_TEXT];
	struct ac_addr addr;

	assert_int_equal(ac_local_addr(&e->g.d, &addr), 0);
	return ac_addr_format(&addr, text, sizeof(text));
}

static int mouth_to(const struct ear *e)
{
	struct ac_addr addr;
	int fd;

	assert_int_equal(ac_local_addr(&e->g.d, &addr), 0);
	fd = socket(addr.sa.sa_family, SOCK_DGRAM, 0);
	assert_int_equal(connect(fd, &addr.sa, addr.len), 0);
	return fd;
}

static int answer(struct ear *e, const struct ac_packet *p)
{
	return ac_datagram_send(&e->g, p->data, p->len, p->from);
}

static void each_sender_gets_its_own_answers_in_order(void **state)
{
	static const char *const where[] = { "127.0.0.1:0", "[::1]:0", "unix:@asyncore-%d-%s" };
	struct world *w = *state;

	for (int i = 0; i < 3; i++) {
		char name[64], text[16];
		struct ear *e, *one, *two;

		snprintf(name, sizeof(name), where[i], (int)getpid(), w->poller);
		e = ear_of(w, &ear_class, name);
		e->act = answer;
		one = ear_of(w, &ear_class, NULL);
		two = ear_of(w, &ear_class, NULL);
		assert_int_equal(ac_datagram_dial(&one->g, text_of(e)), 0);
		assert_int_equal(ac_datagram_dial(&two->g, text_of(e)), 0);
		for (int k = 0; k < 50; k++) {
			int len = snprintf(text, sizeof(text), "%d", k);

			assert_int_equal(ac_datagram_send(&one->g, text, (size_t)len, NULL), 0);
			if (k < 2)
				assert_int_equal(ac_datagram_send(&two->g, "x", 1, NULL), 0);
		}
		UNTIL(w, one->count == 50 && two->count == 2);
		assert_string_equal(two->heard, "x;x;");
		assert_int_equal(strncmp(one->heard, "0;1;2;3;4;5;6;7;8;9;10;", 23), 0);
		assert_int_equal(e->g.sent, 52);
		assert_int_equal(e->g.received, 52);
		ac_close(&e->g.d);
		ac_close(&one->g.d);
		ac_close(&two->g.d);
	}
}

/* More than a batch, an exact batch, one more: an edge is told once for all of them. */
static void burst_is_heard_to_its_last_datagram(void **state)
{
	static const int bursts[] = { 1, 31, 32, 33, 64, 200 };
	struct world *w = *state;
	struct ear *e = ear(w);
	int fd = mouth_to(e), sum = 0;

	for (size_t i = 0; i < sizeof(bursts) / sizeof(bursts[0]); i++) {
		for (int k = 0; k < bursts[i]; k++)
			put(fd, "x");
		sum += bursts[i];
		UNTIL(w, e->count == sum);
	}
	assert_true(waits_in(w, 0.1) < 10);
	assert_int_equal(e->count, sum);
	close(fd);
}

static void one_flood_does_not_starve_another_channel(void **state)
{
	struct world *w = *state;
	struct ear *loud = ear(w), *quiet = ear(w);
	int one = mouth_to(loud), two = mouth_to(quiet);

	passes(w, 2);
	for (int i = 0; i < 150; i++)
		put(one, "x");
	put(two, "hello");
	for (int i = 0; i < 2 && !quiet->count; i++)
		ac_poll(w->map, 0);
	assert_int_equal(quiet->count, 1);
	assert_true(loud->count < 150);
	UNTIL(w, loud->count == 150);
	close(one);
	close(two);
}

static void empty_datagram_is_no_end(void **state)
{
	struct world *w = *state;
	struct ear *e = ear(w);
	int fd = mouth_to(e);
	struct ac_addr to;

	assert_int_equal(send(fd, "", 0, 0), 0);
	put(fd, "after");
	UNTIL(w, strcmp(e->heard, ";after;") == 0);
	assert_int_equal(ac_local_addr(&e->g.d, &to), 0);
	assert_int_equal(ac_datagram_send(&e->g, "", 0, &to), 0);
	UNTIL(w, strcmp(e->heard, ";after;;") == 0);
	close(fd);
}

static void cut_datagram_says_so_and_harms_no_other(void **state)
{
	struct world *w = *state;
	struct ear *e = ear_of(w, &small_class, "127.0.0.1:0");
	int fd = mouth_to(e);

	put(fd, "1234567");
	put(fd, "12345678");
	put(fd, "123456789");
	put(fd, "next");
	UNTIL(w, e->count == 4);
	assert_string_equal(e->heard, "1234567;12345678;12345678!next;");
	assert_int_equal(e->g.truncated, 1);
	close(fd);
}

static size_t longest;

static int note_length(struct ear *e, const struct ac_packet *p)
{
	(void)e;
	if (p->len > longest)
		longest = p->len;
	return 0;
}

static void longest_datagram_arrives_whole(void **state)
{
	static char big[65507];
	struct world *w = *state;
	struct ear *e = ear(w);
	struct ac_addr to;

	longest = 0;
	e->act = note_length;
	assert_int_equal(ac_local_addr(&e->g.d, &to), 0);
	assert_int_equal(ac_datagram_send(&e->g, big, sizeof(big), &to), 0);
	UNTIL(w, e->count == 1);
	assert_int_equal(longest, 65507);
	assert_int_equal(e->g.truncated, 0);
}

static int fail_at_two(struct ear *e, const struct ac_packet *p)
{
	(void)p;
	return e->count == 2 ? -EPROTO : 0;
}

static int stay(struct ac_dispatcher *d, const struct ac_error *error)
{
	((struct ear *)d)->code = error->code;
	return 0;
}

static const struct ac_datagram_class stayer_class = {
	.d = { .super = &ear_class.d, .name = "stayer", .handle_error = stay },
};

static void handler_that_fails_loses_only_its_own_datagram(void **state)
{
	struct world *w = *state;
	struct ear *e = ear_of(w, &stayer_class, "127.0.0.1:0");
	int fd = mouth_to(e);

	e->act = fail_at_two;
	put(fd, "a");
	put(fd, "b");
	put(fd, "c");
	UNTIL(w, e->count == 3);
	assert_string_equal(e->heard, "a;b;c;");
	assert_int_equal(e->code, EPROTO);
	close(fd);
}

static int close_it(struct ear *e, const struct ac_packet *p)
{
	(void)p;
	ac_close(&e->g.d);
	return 0;
}

static void closed_in_mid_batch_it_hears_nothing_more(void **state)
{
	struct world *w = *state;
	struct ear *e = ear(w);
	const char *text = e->heard;
	int fd = mouth_to(e);

	e->act = close_it;
	put(fd, "a");
	put(fd, "b");
	UNTIL(w, ac_map_channels(w->map) == 0);
	assert_string_equal(text, "a;");
	close(fd);
}

static struct world *world;

static int free_the_map(struct ear *e, const struct ac_packet *p)
{
	(void)p;
	world->map = NULL;
	ac_map_free(e->g.d.map);
	return 0;
}

static void map_may_go_in_mid_batch(void **state)
{
	struct world *w = *state;
	struct ac_map_opts opts = { .poller = w->poller };
	struct ac_map *map = w->map;
	struct ear *e = ear(w);
	const char *text = e->heard;
	int fd = mouth_to(e);

	world = w;
	e->act = free_the_map;
	put(fd, "a");
	put(fd, "b");
	for (int i = 0; i < 200 && w->map; i++)
		ac_poll(map, 0.01);
	assert_null(w->map);
	assert_string_equal(text, "a;");
	w->map = ac_map_new(&opts);
	close(fd);
}

static int poll_within(struct ear *e, const struct ac_packet *p)
{
	const char first = *(const char *)p->data;

	for (int i = 0; i < 3; i++)
		ac_poll(e->g.d.map, 0);
	assert_int_equal(*(const char *)p->data, first); /* a batch of its own */
	return 0;
}

static void nested_pass_reads_into_other_memory(void **state)
{
	struct world *w = *state;
	struct ear *e = ear(w), *other = ear_of(w, &small_class, "127.0.0.1:0");
	int one = mouth_to(e), two = mouth_to(other);

	e->act = poll_within;
	other->act = poll_within;
	for (int i = 0; i < 40; i++) {
		put(one, "a");
		put(two, "b");
	}
	UNTIL(w, e->count == 40 && other->count == 40);
	close(one);
	close(two);
}

static void pause_holds_what_comes_later(void **state)
{
	struct world *w = *state;
	struct ear *e = ear(w);
	int fd = mouth_to(e);

	ac_pause(&e->g.d);
	put(fd, "a");
	assert_true(waits_in(w, 0.05) < 10);
	assert_int_equal(e->count, 0);
	ac_resume(&e->g.d);
	UNTIL(w, e->count == 1);
	close(fd);
}

static void failed_allocation_is_an_error_and_loses_nothing(void **state)
{
	struct world *w = *state;
	struct ear *e = ear_of(w, &stayer_class, "127.0.0.1:0");
	int fd = mouth_to(e);

	passes(w, 1);
	put(fd, "a");
	fail_allocation(1, true);
	UNTIL(w, e->code == ENOMEM);
	assert_int_equal(e->count, 0);
	fail_allocation(0, false);
	UNTIL(w, e->count == 1);
	fail_allocation(1, true);
	assert_int_equal(ac_datagram_send(&e->g, "x", 1, NULL), -ENOMEM);
	fail_allocation(0, false);
	assert_int_equal(ac_datagram_pending(&e->g), 0);
	close(fd);
}

/* ---- groups ---- */
static struct ear *member(struct world *w, const char *group, const char *port_of,
                          struct ac_addr *ret_group)
{
	char where[AC_ADDR_TEXT];
	struct ear *e;

	snprintf(where, sizeof(where), "%s:%s", group, port_of ? port_of : "0");
	e = ear_of(w, &ear_class, where);
	assert_int_equal(ac_local_addr(&e->g.d, ret_group), 0);
	return e;
}

static void group_is_heard_by_its_members_only(void **state)
{
	struct world *w = *state;
	struct ac_addr group, other;
	struct ear *one = member(w, "239.255.77.1", NULL, &group), *two;
	char port[8];

	snprintf(port, sizeof(port), "%u", ntohs(group.in.sin_port));
	two = member(w, "239.255.77.1", port, &other);
	assert_true(ac_addr_is_group(&group));
	assert_int_equal(ac_set_multicast(&one->g.d, "lo", 1, true), 0);
	assert_int_equal(ac_join_group(&one->g.d, &group, "lo", NULL), 0);
	assert_int_equal(ac_join_group(&two->g.d, &group, "lo", NULL), 0);
	assert_int_equal(ac_join_group(&two->g.d, &group, "lo", NULL), -EADDRINUSE);
	assert_int_equal(ac_datagram_send(&one->g, "all", 3, &group), 0);
	UNTIL(w, one->count == 1 && two->count == 1);
	assert_int_equal(ac_leave_group(&two->g.d, &group, "lo", NULL), 0);
	assert_int_equal(ac_leave_group(&two->g.d, &group, "lo", NULL), -EADDRNOTAVAIL);
	assert_int_equal(ac_datagram_send(&one->g, "fewer", 5, &group), 0);
	UNTIL(w, one->count == 2);
	waits_in(w, 0.05);
	assert_int_equal(two->count, 1); /* although another here is a member */
	assert_int_equal(ac_set_multicast(&one->g.d, "lo", 0, false), 0);
}

static void source_that_is_not_asked_for_is_not_heard(void **state)
{
	struct world *w = *state;
	struct ac_addr group, here, elsewhere;
	struct ear *e = member(w, "239.255.77.2", NULL, &group);
	struct ear *speaker = ear(w);

	assert_int_equal(ac_addr_parse("127.0.0.1:0", &here), 0);
	assert_int_equal(ac_addr_parse("127.0.0.9:0", &elsewhere), 0);
	assert_int_equal(ac_set_multicast(&speaker->g.d, "lo", 1, true), 0);
	assert_int_equal(ac_join_group(&e->g.d, &group, "lo", &elsewhere), 0);
	assert_int_equal(ac_datagram_send(&speaker->g, "first", 5, &group), 0);
	waits_in(w, 0.05);
	assert_int_equal(e->count, 0);
	assert_int_equal(ac_join_group(&e->g.d, &group, "lo", &here), 0);
	assert_int_equal(ac_datagram_send(&speaker->g, "second", 6, &group), 0);
	UNTIL(w, strcmp(e->heard, "second;") == 0);
	assert_int_equal(ac_leave_group(&e->g.d, &group, "lo", &here), 0);
}

static void what_is_no_group_is_refused(void **state)
{
	struct world *w = *state;
	struct ac_addr group, addr, none = { 0 };
	struct ear *e = ear(w);

	assert_int_equal(ac_addr_parse("239.1.2.3:4", &group), 0);
	assert_int_equal(ac_join_group(&e->g.d, &group, "no-such-if", NULL), -ENODEV);
	assert_int_equal(ac_set_multicast(&e->g.d, "no-such-if", 1, true), -ENODEV);
	assert_int_equal(ac_set_multicast(&e->g.d, NULL, 256, true), -EINVAL);
	assert_int_equal(ac_set_multicast(&e->g.d, NULL, -1, true), -EINVAL);
	assert_int_equal(ac_addr_parse("127.0.0.1:4", &addr), 0);
	assert_int_equal(ac_join_group(&e->g.d, &addr, NULL, NULL), -EINVAL);
	assert_int_equal(ac_addr_parse("[ff02::1]:4", &addr), 0);
	assert_true(ac_addr_is_group(&addr));
	assert_int_equal(ac_join_group(&e->g.d, &addr, NULL, NULL), -EINVAL); /* other family */
	assert_false(ac_addr_is_group(&none));
	ac_close(&e->g.d);
	assert_int_equal(ac_join_group(&e->g.d, &group, NULL, NULL), 0);
}

static void group_of_ipv6_has_members(void **state)
{
	struct world *w = *state;
	struct ear *e = ear_of(w, &ear_class, "[::]:0");
	struct ac_addr group, port;

	assert_int_equal(ac_addr_parse("[ff01::77]:0", &group), 0);
	assert_int_equal(ac_local_addr(&e->g.d, &port), 0);
	assert_int_equal(ac_join_group(&e->g.d, &group, "lo", NULL), 0);
	assert_int_equal(ac_set_multicast(&e->g.d, "lo", 1, true), 0);
	group.in6.sin6_port = port.in6.sin6_port;
	assert_int_equal(ac_datagram_send(&e->g, "six", 3, &group), 0);
	UNTIL(w, e->count == 1 || e->unsent == 1);
	if (e->unsent) /* no route to groups on this machine */
		assert_int_equal(e->code, ENETUNREACH);
	assert_int_equal(ac_leave_group(&e->g.d, &group, "lo", NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(each_sender_gets_its_own_answers_in_order),
		EACH(burst_is_heard_to_its_last_datagram),
		EACH(one_flood_does_not_starve_another_channel),
		EACH(empty_datagram_is_no_end),
		EACH(cut_datagram_says_so_and_harms_no_other),
		EACH(longest_datagram_arrives_whole),
		EACH(handler_that_fails_loses_only_its_own_datagram),
		EACH(closed_in_mid_batch_it_hears_nothing_more),
		EACH(map_may_go_in_mid_batch),
		EACH(nested_pass_reads_into_other_memory),
		EACH(pause_holds_what_comes_later),
		EACH(failed_allocation_is_an_error_and_loses_nothing),
		EACH(group_is_heard_by_its_members_only),
		EACH(source_that_is_not_asked_for_is_not_heard),
		EACH(what_is_no_group_is_refused),
		EACH(group_of_ipv6_has_members),
	};

	return RUN(tests);
}
