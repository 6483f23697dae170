/* test_resolve_dial.c — connecting to a name whose addresses are dead, slow or alive, by addresses that are given. */
#include "resolving.h"

#include <sys/socket.h>

#define HAS(text, part) assert_non_null(strstr(text, part))

/* The detail of the error, and what it was. */
static char detail[120];

static int keep_detail(struct rec *r)
{
	const struct ac_error *e = ac_last_error(r->c.d.map);

	snprintf(detail, sizeof(detail), "%s", e->detail);
	ac_close(&r->c.d);
	return 0;
}

static void a_name_needs_a_resolver(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d = ac_new(w->map, AC_DISPATCHER);

	assert_int_equal(ac_dial(d, "example.org:443"), -EINVAL);
	HAS(ac_last_error(w->map)->detail, "no resolver");
	assert_false(ac_connecting(d));
	assert_int_equal(ac_dial(d, "example.org"), -EINVAL);
	assert_null(strstr(ac_last_error(w->map)->detail, "no resolver"));
	assert_null(ac_resolve(w->map, "example.org:443", note_outcome, NULL));
	assert_int_equal(errno, EINVAL);
	ac_close(d);
}

static void numbers_and_localhost_need_none(void **state)
{
	struct world *w = *state;
	struct ac_addr addr;
	int listener = listen_tcp(&addr);
	char where[AC_ADDR_TEXT];
	struct ac_dispatcher *d;

	use_addresses(w, "localhost.test", 1, "127.0.0.1");
	snprintf(where, sizeof(where), "localhost:%d", ntohs(addr.in.sin_port));
	d = ac_new(w->map, AC_DISPATCHER);
	assert_int_equal(ac_dial(d, where), 0);
	assert_true(d->fd >= 0);
	ac_close(d);
	close(listener);
}

static void the_only_address_is_alive(void **state)
{
	struct world *w = *state;
	int port = 0, listener = listen_at("127.0.0.1", &port), peer;
	struct ac_addr addr;
	char text[AC_ADDR_TEXT];
	struct rec *r;

	use_addresses(w, "one.test", port, "127.0.0.1");
	r = dial(w, "ONE.test.", port);
	assert_int_equal(ac_push(&r->c, "hello", 5),
	                 0); /* output waits for it, as for any connect */
	UNTIL(w, ac_connected(&r->c.d));
	assert_string_equal(r->trace, "OD");
	assert_int_equal(ac_addr(&r->c.d, &addr), 0);
	assert_int_equal(addr.in.sin_port, htons((uint16_t)port));
	peer = accept(listener, NULL, NULL);
	assert_int_equal(get(peer, text, sizeof(text)), 5);
	assert_int_equal(ac_map_channels(w->map), 1); /* the attempt is gone */
	ac_close(&r->c.d);
	close(peer);
	close(listener);
}

/* Nobody listens at the first two: each refuses at once, and none of them is waited for. */
static void dead_first_addresses_that_refuse(void **state)
{
	struct world *w = *state;
	int port = 0, listener = listen_at("127.0.0.1", &port);
	double begun = ac_now(w->map);
	struct rec *r;

	use_addresses(w, "dead.test", port, "127.0.0.2,127.0.0.3,[::1],127.0.0.1");
	r = dial(w, "dead.test", port);
	UNTIL(w, ac_connected(&r->c.d));
	assert_string_equal(r->trace, "O");
	assert_true(ac_now(w->map) - begun < 1.0);
	ac_close(&r->c.d);
	close(listener);
}

/* The first accepts nobody: the second is tried 250 ms later and wins; the first is closed. */
static void dead_first_address_that_is_silent(void **state)
{
	static const char *const hosts[] = { "127.0.0.2", "127.0.0.1" };
	struct world *w = *state;
	int fds[2], fillers[FILLERS], port = listen_at_all(hosts, 2, fds), before;
	double begun;
	struct rec *r;

	fill("127.0.0.2", port, fillers);
	use_addresses(w, "silent.test", port, "127.0.0.2,127.0.0.1");
	before = count_fds();
	begun = ac_now(w->map);
	r = dial(w, "silent.test", port);
	UNTIL(w, ac_connected(&r->c.d));
	assert_string_equal(r->trace, "O");
	assert_true(ac_now(w->map) - begun > 0.2);
	assert_int_equal(count_fds(), before + 1);
	ac_close(&r->c.d);
	for (int i = 0; i < FILLERS; i++)
		close(fillers[i]);
	close(fds[0]);
	close(fds[1]);
}

static void ipv6_is_first_and_the_families_take_turns(void **state)
{
	struct world *w = *state;
	struct outcome o;

	use_addresses(w, "both.test", 80, "127.0.0.2,127.0.0.3,127.0.0.4,::1");
	ask(w, "both.test:80", &o);
	assert_int_equal(o.result, 0);
	assert_string_equal(o.text, "[::1]:80 127.0.0.2:80 127.0.0.3:80 127.0.0.4:80");
	use_addresses(w, "both.test", 80, "127.0.0.2,127.0.0.3,::ffff:127.0.0.4,::1");
	ask(w, "both.test:80", &o);
	assert_string_equal(o.text, "[::1]:80 127.0.0.2:80 [::ffff:127.0.0.4]:80 127.0.0.3:80");
}

/* A link's address without a link has no source to be reached from. */
static void what_cannot_be_reached_is_last(void **state)
{
	struct world *w = *state;
	struct outcome o;

	use_addresses(w, "both.test", 80, "fe80::1,127.0.0.2");
	ask(w, "both.test:80", &o);
	assert_string_equal(o.text, "127.0.0.2:80 [fe80::1]:80");
}

static void ipv6_dead_and_ipv4_alive(void **state)
{
	struct world *w = *state;
	int port = 0, listener = listen_at("127.0.0.1", &port);
	struct ac_addr addr;
	struct rec *r;

	use_addresses(w, "six.test", port, "::1,127.0.0.1");
	r = dial(w, "six.test", port);
	UNTIL(w, ac_connected(&r->c.d));
	assert_int_equal(ac_addr(&r->c.d, &addr), 0);
	assert_int_equal(addr.sa.sa_family, AF_INET);
	ac_close(&r->c.d);
	close(listener);
}

static void all_refuse_and_the_detail_names_each(void **state)
{
	struct world *w = *state;
	int port = 0;
	struct rec *r;

	close(listen_at("127.0.0.1", &port));
	use_addresses(w, "no.test", port, "127.0.0.1,127.0.0.2");
	r = dial(w, "no.test", port);
	r->on_error = keep_detail;
	assert_string_equal(trace_of_end(r), "E(ECONNREFUSED)X");
	assert_int_equal(last_reason, ECONNREFUSED);
	HAS(detail, "no.test:");
	HAS(detail, "127.0.0.1 ECONNREFUSED, 127.0.0.2 ECONNREFUSED");
	passes(w, 3);
	assert_int_equal(ac_map_channels(w->map), 0);
}

static int stays_open(struct rec *r)
{
	(void)r;
	return 0;
}

static void a_failed_dial_ends_closed_whatever_handle_error_does(void **state)
{
	struct world *w = *state;
	int port = 0;
	struct rec *r;

	close(listen_at("127.0.0.1", &port));
	use_addresses(w, "no.test", port, "127.0.0.1");
	r = dial(w, "no.test", port);
	r->on_error = stays_open;
	assert_string_equal(trace_of_end(r), "E(ECONNREFUSED)X");
	assert_int_equal(last_reason, ECONNREFUSED);
}

/* What does not fit the detail is counted there and logged whole. */
static void more_failures_than_the_detail_holds(void **state)
{
	struct world *w = *state;
	int port = 0;
	struct rec *r;

	close(listen_at("127.0.0.1", &port));
	use_addresses(w, "a-name-that-is-rather-long-for-a-line-of-text.test", port,
	              "127.0.0.1,127.0.0.2,127.0.0.3,127.0.0.4,127.0.0.5,127.0.0.6");
	r = dial(w, "a-name-that-is-rather-long-for-a-line-of-text.test", port);
	r->on_error = keep_detail;
	trace_of_end(r);
	assert_true(strlen(detail) < sizeof(detail) - 1);
	HAS(detail, "127.0.0.1 ECONNREFUSED");
	HAS(detail, " more");
	HAS(w->log, "127.0.0.6 ECONNREFUSED");
}

static void the_deadline_ends_it(void **state)
{
	struct world *w = *state;
	int port = 0, listener = listen_at("127.0.0.1", &port), fillers[FILLERS];
	char one[64];
	const char *const all[] = { one, NULL };
	struct ac_resolver_opts o = { .addresses = all, .deadline = 0.3 };
	struct rec *r;

	fill("127.0.0.1", port, fillers);
	snprintf(one, sizeof(one), "full.test:%d:127.0.0.1", port);
	use_resolver(w, &o);
	r = dial(w, "full.test", port);
	r->on_error = keep_detail;
	assert_string_equal(trace_of_end(r), "E(ETIMEDOUT)X");
	HAS(detail, "127.0.0.1 ETIMEDOUT");
	for (int i = 0; i < FILLERS; i++)
		close(fillers[i]);
	close(listener);
}

static void the_loop_goes_on_until_it_is_decided(void **state)
{
	struct world *w = *state;
	struct ac_loop_opts held = { .tasks = AC_TASKS_HOLD };
	int port = 0;
	const char *trace;

	close(listen_at("127.0.0.1", &port));
	use_addresses(w, "no.test", port, "127.0.0.1");
	trace = dial(w, "no.test", port)->trace;
	assert_int_equal(ac_loop(w->map, NULL), 0);
	assert_string_equal(trace, "E(ECONNREFUSED)X");
	trace = dial(w, "no.test", port)->trace;
	assert_int_equal(ac_loop(w->map, &held),
	                 0); /* no task of the program's runs, but this goes on */
	assert_string_equal(trace, "E(ECONNREFUSED)X");
}

static void a_dialing_channel_takes_no_other_descriptor(void **state)
{
	struct world *w = *state;
	int port = 0, listener = listen_at("127.0.0.1", &port), fds[2];
	struct ac_map *other = ac_map_new(NULL);
	struct rec *r;

	use_addresses(w, "one.test", port, "127.0.0.1");
	r = dial(w, "one.test", port);
	assert_int_equal(ac_create_socket(&r->c.d, AF_INET, SOCK_STREAM), -EISCONN);
	assert_int_equal(ac_dial(&r->c.d, "one.test:1"), -EISCONN);
	assert_int_equal(ac_dial(&r->c.d, "127.0.0.1:1"), -EISCONN);
	unix_pair(fds);
	assert_int_equal(ac_set_socket(&r->c.d, fds[0]), -EISCONN);
	assert_int_equal(ac_add_channel(&r->c.d, other), -EBUSY);
	UNTIL(w, ac_connected(&r->c.d));
	ac_close(&r->c.d);
	ac_map_free(other);
	close(fds[1]);
	close(listener);
}

static void a_dial_can_be_begun_anew_after_del_channel(void **state)
{
	struct world *w = *state;
	int port = 0, listener = listen_at("127.0.0.1", &port);
	char where[64];
	struct rec *r;

	use_addresses(w, "one.test", port, "127.0.0.1");
	r = dial(w, "one.test", port);
	ac_del_channel(&r->c.d);
	assert_false(ac_connecting(&r->c.d));
	assert_int_equal(ac_loop(w->map, NULL), 0); /* nothing is left */
	assert_string_equal(r->trace, "");
	assert_int_equal(ac_add_channel(&r->c.d, w->map), 0);
	snprintf(where, sizeof(where), "one.test:%d", port);
	assert_int_equal(ac_dial(&r->c.d, where), 0);
	UNTIL(w, ac_connected(&r->c.d));
	ac_close(&r->c.d);
	close(listener);
}

/* Input that came with the connection is heard though the first event was another channel's. */
static void what_the_server_says_at_once_is_heard(void **state)
{
	struct world *w = *state;
	int port = 0, listener = listen_at("127.0.0.1", &port), peer;
	struct rec *r;

	use_addresses(w, "one.test", port, "127.0.0.1");
	r = dial(w, "one.test", port);
	ac_set_terminator(&r->c, "\n", 1);
	passes(w, 1);
	peer = accept(listener, NULL, NULL);
	put(peer, "220\n");
	usleep(20000);
	UNTIL(w, strchr(r->trace, 'F'));
	assert_string_equal(r->trace, "OC(220)F");
	close(peer);
	assert_string_equal(trace_of_end(r), "OC(220)FX");
	close(listener);
}

static void addresses_are_given_for_a_port(void **state)
{
	const char *const bad[][2] = {
		{ "x.test:1", NULL },
		{ "x.test:1:", NULL },
		{ "x.test:1:y.test", NULL },
		{ "x.test:99999:127.0.0.1", NULL },
		{ ":1:127.0.0.1", NULL },
		{ "x.test:1:127.0.0.1,", NULL },
		{ "x.test:1:[::1", NULL },
		{ "", NULL },
		{ "localhost:1:127.0.0.2", NULL },
	};
	struct world *w = *state;
	struct outcome o;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ac_resolver_opts opts = { .addresses = bad[i] };

		assert_int_equal(ac_use_resolver(w->map, &opts), -EINVAL);
		HAS(ac_last_error(w->map)->detail, " ");
	}
	use_addresses(w, "x.test", 81, "[::1],127.0.0.9");
	ask(w, "X.Test:81", &o);
	assert_string_equal(o.text, "[::1]:81 127.0.0.9:81");
}

static void bad_settings_are_refused_and_the_old_ones_kept(void **state)
{
	struct world *w = *state;
	const struct ac_resolver_opts bad[] = {
		{ .timeout = -1 }, { .deadline = -1 }, { .attempt_delay = -1 },
		{ .tries = -1 },   { .ndots = 99 },
	};
	struct outcome o;

	use_addresses(w, "x.test", 81, "127.0.0.9");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ac_use_resolver(w->map, &bad[i]), -EINVAL);
	ask(w, "x.test:81", &o);
	assert_int_equal(o.count, 1);
}

static void not_replaced_while_it_works(void **state)
{
	struct world *w = *state;
	struct rec *r;

	use_addresses(w, "x.test", 81, "127.0.0.9");
	r = dial(w, "x.test", 81);
	assert_int_equal(ac_use_resolver(w->map, NULL), -EBUSY);
	ac_close(&r->c.d);
	assert_int_equal(ac_use_resolver(w->map, NULL), 0);
}

static void queries_are_bounded(void **state)
{
	const char *const all[] = { "x.test:81:127.0.0.9", NULL };
	struct ac_resolver_opts o = { .addresses = all, .max_queries = 3 };
	struct world *w = *state;
	struct outcome ends = { .w = w };

	use_resolver(w, &o);
	for (int i = 0; i < 3; i++)
		assert_non_null(ac_resolve(w->map, "x.test:81", note_outcome, &ends));
	assert_null(ac_resolve(w->map, "x.test:81", note_outcome, &ends));
	assert_int_equal(errno, ENOBUFS);
	UNTIL(w, ends.calls == 3);
	assert_non_null(ac_resolve(w->map, "x.test:81", note_outcome, &ends));
	UNTIL(w, ends.calls == 4);
}

static void the_hosts_file_is_read(void **state)
{
	char path[] = "/tmp/asyncore-hosts.XXXXXX";
	static const char text[] = "# comment 127.0.0.5 here.test\n"
				   "127.0.0.6\tother.test here.test # here.test\n"
				   "nonsense here.test\n\n127.0.0.7"
				   "\n::1 Here.Test.\n127.0.0.6 here.test\n";
	struct ac_resolver_opts o = { .hosts_file = path };
	struct world *w = *state;
	struct outcome got;
	int fd = mkstemp(path);

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	use_resolver(w, &o);
	ask(w, "here.test:7", &got);
	assert_string_equal(got.text, "[::1]:7 127.0.0.6:7");
	unlink(path);
}

static void a_query_gives_numbers_back(void **state)
{
	struct world *w = *state;
	struct outcome o;

	use_resolver(w, NULL);
	ask(w, "127.0.0.1:80", &o);
	assert_string_equal(o.text, "127.0.0.1:80");
	ask(w, "[::1]:80", &o);
	assert_string_equal(o.text, "[::1]:80");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(a_name_needs_a_resolver),
		EACH(numbers_and_localhost_need_none),
		EACH(the_only_address_is_alive),
		EACH(dead_first_addresses_that_refuse),
		EACH(dead_first_address_that_is_silent),
		EACH(ipv6_is_first_and_the_families_take_turns),
		EACH(what_cannot_be_reached_is_last),
		EACH(ipv6_dead_and_ipv4_alive),
		EACH(all_refuse_and_the_detail_names_each),
		EACH(a_failed_dial_ends_closed_whatever_handle_error_does),
		EACH(more_failures_than_the_detail_holds),
		EACH(the_deadline_ends_it),
		EACH(the_loop_goes_on_until_it_is_decided),
		EACH(a_dialing_channel_takes_no_other_descriptor),
		EACH(a_dial_can_be_begun_anew_after_del_channel),
		EACH(what_the_server_says_at_once_is_heard),
		EACH(addresses_are_given_for_a_port),
		EACH(bad_settings_are_refused_and_the_old_ones_kept),
		EACH(not_replaced_while_it_works),
		EACH(queries_are_bounded),
		EACH(the_hosts_file_is_read),
		EACH(a_query_gives_numbers_back),
	};

	return RUN(tests);
}
