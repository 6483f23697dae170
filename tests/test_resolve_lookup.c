/* test_resolve_lookup.c — lookups by a name server that answers late, wrongly, truncated, or not at all. */
#include "resolving.h"

/* Each question of a case, and the table it is answered by. */
static struct dns_server *start(struct world *w, const struct dns_rule *rules)
{
	struct dns_server *s = dns_start(rules);

	use_server(w, s);
	return s;
}

static void both_families_are_asked_for_at_once(void **state)
{
	static const struct dns_rule rules[] = {
		{ "www.test", DNS_A, DNS_ADDRS, "127.0.0.2 127.0.0.3", 0 },
		{ "www.test", DNS_AAAA, DNS_ADDRS, "::1", 0 },
		{ 0 },
	};
	struct world *w = *state;
	struct dns_server *s = start(w, rules);
	struct outcome o;

	ask(w, "www.test:80", &o);
	assert_int_equal(o.result, 0);
	assert_string_equal(o.text, "[::1]:80 127.0.0.2:80 127.0.0.3:80");
	assert_int_equal(dns_asked(s, "www.test", DNS_A), 1);
	assert_int_equal(dns_asked(s, "www.test", DNS_AAAA), 1);
	assert_int_equal(ac_map_channels(w->map), 0); /* and nothing is left open */
	dns_stop(s);
}

static void one_family_is_enough(void **state)
{
	static const struct dns_rule rules[] = {
		{ "four.test", DNS_A, DNS_ADDRS, "127.0.0.2", 0 },
		{ "four.test", DNS_AAAA, DNS_ADDRS, "", 0 },
		{ "six.test", DNS_A, DNS_SERVFAIL, NULL, 0 },
		{ "six.test", DNS_AAAA, DNS_ADDRS, "::1", 0 },
		{ "lone.test", DNS_A, DNS_ADDRS, "127.0.0.4", 0 },
		{ "lone.test", DNS_AAAA, DNS_NEVER, NULL, 0 },
		{ 0 },
	};
	struct world *w = *state;
	struct dns_server *s = start(w, rules);
	struct outcome o;

	ask(w, "four.test:1", &o);
	assert_string_equal(o.text, "127.0.0.2:1");
	ask(w, "six.test:1", &o);
	assert_string_equal(o.text, "[::1]:1");
	ask(w, "lone.test:1", &o);
	assert_string_equal(o.text, "127.0.0.4:1");
	dns_stop(s);
}

static void a_late_answer_is_waited_for(void **state)
{
	static const struct dns_rule rules[] = {
		{ "late.test", 0, DNS_ADDRS, "127.0.0.2 ::1", 120 },
		{ 0 },
	};
	struct world *w = *state;
	struct dns_server *s = start(w, rules);
	struct outcome o;

	ask(w, "late.test:1", &o);
	assert_string_equal(o.text, "[::1]:1 127.0.0.2:1");
	dns_stop(s);
}

/* It comes when nobody waits any more, to a descriptor that may be another's by then. */
static void an_answer_behind_the_end_is_nobodys(void **state)
{
	static const struct dns_rule rules[] = {
		{ "later.test", 0, DNS_ADDRS, "127.6.6.6", 500 },
		{ "www.test", 0, DNS_ADDRS, "127.0.0.2", 0 },
		{ 0 },
	};
	struct world *w = *state;
	struct dns_server *s = dns_start(rules);
	struct ac_resolver_opts opts = { .servers = dns_address(s), .search = "", .deadline = 0.2 };
	struct outcome o;

	use_resolver(w, &opts);
	ask(w, "later.test:1", &o);
	assert_int_equal(o.result, -ETIMEDOUT);
	usleep(350000);
	ask(w, "www.test:1", &o);
	assert_string_equal(o.text, "127.0.0.2:1");
	dns_stop(s);
}

static void no_answer_times_out_after_all_tries(void **state)
{
	static const struct dns_rule rules[] = { { "never.test", 0, DNS_NEVER, NULL, 0 }, { 0 } };
	struct world *w = *state;
	struct dns_server *s = start(w, rules);
	struct outcome o;

	ask(w, "never.test:1", &o);
	assert_int_equal(o.result, -ETIMEDOUT);
	assert_int_equal(dns_asked(s, "never.test", DNS_A), 2);
	dns_stop(s);
}

static void the_deadline_gives_what_is_known(void **state)
{
	static const struct dns_rule rules[] = {
		{ "half.test", DNS_A, DNS_ADDRS, "127.0.0.2", 0 },
		{ "half.test", DNS_AAAA, DNS_NEVER, NULL, 0 },
		{ 0 },
	};
	struct world *w = *state;
	struct dns_server *s = dns_start(rules);
	struct ac_resolver_opts opts = { .servers = dns_address(s), .search = "", .deadline = 0.1 };
	struct outcome o;

	use_resolver(w, &opts);
	ask(w, "half.test:1", &o);
	assert_int_equal(o.result, 0);
	assert_string_equal(o.text, "127.0.0.2:1");
	dns_stop(s);
}

static void an_unknown_name_and_one_without_addresses(void **state)
{
	static const struct dns_rule rules[] = {
		{ "empty.test", 0, DNS_ADDRS, "", 0 },
		{ "broken.test", 0, DNS_SERVFAIL, NULL, 0 },
		{ "half.test", DNS_A, DNS_SERVFAIL, NULL, 0 },
		{ 0 },
	};
	struct world *w = *state;
	struct dns_server *s = start(w, rules);
	struct outcome o;

	ask(w, "nowhere.test:1", &o);
	assert_int_equal(o.result, -ENXIO);
	ask(w, "empty.test:1", &o);
	assert_int_equal(o.result, -ENXIO);
	ask(w, "broken.test:1", &o);
	assert_int_equal(o.result, -EIO);
	ask(w, "half.test:1", &o); /* that one family does not exist says nothing of the other */
	assert_int_equal(o.result, -EIO);
	dns_stop(s);
}

static void the_server_is_not_there(void **state)
{
	static const struct dns_rule rules[] = { { 0 } };
	struct world *w = *state;
	struct dns_server *s = start(w, rules);
	struct outcome o;

	dns_stop(s);
	ask(w, "www.test:1", &o);
	assert_true(o.result == -EIO || o.result == -ETIMEDOUT);
}

static void the_second_server_answers(void **state)
{
	static const struct dns_rule none[] = { { "www.test", 0, DNS_NEVER, NULL, 0 }, { 0 } };
	static const struct dns_rule rules[] = { { "www.test", 0, DNS_ADDRS, "127.0.0.2", 0 },
		                                 { 0 } };
	struct world *w = *state;
	struct dns_server *first = dns_start(none), *second = dns_start(rules);
	char servers[80];
	struct ac_resolver_opts opts = { .servers = servers, .search = "", .timeout = 0.2 };
	struct outcome o;

	snprintf(servers, sizeof(servers), "%s,%s", dns_address(first), dns_address(second));
	use_resolver(w, &opts);
	ask(w, "www.test:1", &o);
	assert_string_equal(o.text, "127.0.0.2:1");
	dns_stop(first);
	dns_stop(second);
}

/* A forged answer has to guess the number and the question. */
static void answers_to_other_questions_are_not_taken(void **state)
{
	static const struct dns_rule rules[] = {
		{ "id.test", 0, DNS_WRONG_ID, "127.0.0.2 ::1", 30 },
		{ "question.test", 0, DNS_WRONG_QUESTION, "127.0.0.2 ::1", 30 },
		{ 0 },
	};
	struct world *w = *state;
	struct dns_server *s = start(w, rules);
	struct outcome o;

	ask(w, "id.test:1", &o);
	assert_string_equal(o.text, "[::1]:1 127.0.0.2:1");
	ask(w, "question.test:1", &o);
	assert_string_equal(o.text, "[::1]:1 127.0.0.2:1");
	dns_stop(s);
}

static void a_truncated_answer_is_asked_for_over_tcp(void **state)
{
	static const struct dns_rule rules[] = {
		{ "long.test", 0, DNS_TRUNCATED, "127.0.0.2 127.0.0.3 ::1", 0 },
		{ "shut.test", 0, DNS_TRUNCATED_SHUT, NULL, 0 },
		{ 0 },
	};
	struct world *w = *state;
	struct dns_server *s = start(w, rules);
	struct outcome o;

	ask(w, "long.test:1", &o);
	assert_string_equal(o.text, "[::1]:1 127.0.0.2:1 127.0.0.3:1");
	assert_int_equal(dns_asked(s, "long.test", DNS_A), 2);
	ask(w, "shut.test:1", &o);
	assert_true(o.result == -EIO || o.result == -ETIMEDOUT);
	assert_int_equal(ac_map_channels(w->map), 0);
	dns_stop(s);
}

static void aliases_are_followed(void **state)
{
	static const struct dns_rule rules[] = {
		{ "alias.test", 0, DNS_CNAME, "real.test 127.0.0.2 ::1", 0 },
		{ "chain.test", 0, DNS_CHAIN, "127.0.0.3", 0 },
		{ 0 },
	};
	struct world *w = *state;
	struct dns_server *s = start(w, rules);
	struct outcome o;

	ask(w, "alias.test:1", &o);
	assert_string_equal(o.text, "[::1]:1 127.0.0.2:1");
	ask(w, "chain.test:1", &o);
	assert_string_equal(o.text, "127.0.0.3:1");
	dns_stop(s);
}

static void no_more_addresses_than_64(void **state)
{
	static const struct dns_rule rules[] = {
		{ "n63.test", 0, DNS_MANY, "63", 0 },
		{ "n64.test", 0, DNS_MANY, "64", 0 },
		{ "n65.test", 0, DNS_MANY, "65", 0 },
		{ "n1000.test", 0, DNS_MANY, "1000", 0 },
		{ 0 },
	};
	static const char *const names[] = { "n63.test:1", "n64.test:1", "n65.test:1",
		                             "n1000.test:1" };
	static const size_t counts[] = { 63, 64, 64, 64 };
	struct world *w = *state;
	struct dns_server *s = start(w, rules);
	struct outcome o;

	for (int i = 0; i < 4; i++) {
		ask(w, names[i], &o);
		assert_int_equal(o.count, counts[i]);
	}
	dns_stop(s);
}

static void domains_are_searched(void **state)
{
	static const struct dns_rule rules[] = {
		{ "www.second.test", 0, DNS_ADDRS, "127.0.0.2", 0 },
		{ "www", 0, DNS_ADDRS, "127.0.0.3", 0 },
		{ "a.b", 0, DNS_ADDRS, "127.0.0.4", 0 },
		{ "a.b.second.test", 0, DNS_ADDRS, "127.0.0.5", 0 },
		{ 0 },
	};
	struct world *w = *state;
	struct dns_server *s = dns_start(rules);
	struct ac_resolver_opts opts = { .servers = dns_address(s),
		                         .search = "first.test,second.test",
		                         .timeout = 0.5 };
	struct outcome o;

	use_resolver(w, &opts);
	ask(w, "www:1", &o);
	assert_string_equal(o.text, "127.0.0.2:1");
	assert_int_equal(dns_asked(s, "www.first.test", DNS_A), 1);
	ask(w, "www.:1", &o); /* a dot at its end: just this one */
	assert_string_equal(o.text, "127.0.0.3:1");
	ask(w, "a.b:1", &o);
	assert_string_equal(o.text, "127.0.0.4:1");
	opts.ndots = 2;
	use_resolver(w, &opts);
	ask(w, "a.b:1", &o);
	assert_string_equal(o.text, "127.0.0.5:1");
	dns_stop(s);
}

static void the_hosts_file_comes_first(void **state)
{
	static const struct dns_rule rules[] = { { "here.test", 0, DNS_ADDRS, "127.6.6.6", 0 },
		                                 { 0 } };
	char path[] = "/tmp/asyncore-hosts.XXXXXX";
	struct world *w = *state;
	struct dns_server *s = dns_start(rules);
	struct ac_resolver_opts opts = { .servers = dns_address(s), .hosts_file = path };
	int fd = mkstemp(path);
	struct outcome o;

	assert_int_equal(write(fd, "127.0.0.7 here.test\n", 20), 20);
	close(fd);
	use_resolver(w, &opts);
	ask(w, "here.test:1", &o);
	assert_string_equal(o.text, "127.0.0.7:1");
	assert_int_equal(dns_asked(s, NULL, 0), 0);
	unlink(path);
	dns_stop(s);
}

static void servers_are_addresses(void **state)
{
	struct world *w = *state;
	struct ac_resolver_opts opts = { .servers = "no address" };

	assert_int_equal(ac_use_resolver(w->map, &opts), -EINVAL);
	assert_int_equal(ac_map_channels(w->map), 0);
}

/* Twenty at once, over the one socket of the server. */
static void many_at_once(void **state)
{
	static const struct dns_rule rules[] = { { "www.test", 0, DNS_ADDRS, "127.0.0.2 ::1", 20 },
		                                 { 0 } };
	struct world *w = *state;
	struct dns_server *s = start(w, rules);
	struct outcome o = { .w = w };
	int fds = count_fds();

	for (int i = 0; i < 20; i++)
		assert_non_null(ac_resolve(w->map, "www.test:1", note_outcome, &o));
	assert_true(count_fds() <= fds + 1);
	UNTIL(w, o.calls == 20);
	assert_string_equal(o.text, "[::1]:1 127.0.0.2:1");
	dns_stop(s);
}

static int close_inner(struct ac_dispatcher *d, void *arg)
{
	(void)arg;
	ac_close(d);
	return 0;
}

/* c-ares finds its sockets gone and tries others, or gives up; it never uses a descriptor that is another's. */
static void somebody_closes_the_servers_channels(void **state)
{
	static const struct dns_rule rules[] = {
		{ "www.test", 0, DNS_ADDRS, "127.0.0.2", 5 },
		{ "long.test", 0, DNS_TRUNCATED, "127.0.0.2", 0 },
		{ 0 },
	};
	struct world *w = *state;
	struct dns_server *s = start(w, rules);

	for (int n = 0; n < 6; n++) {
		struct outcome o = { .w = w };

		assert_non_null(
			ac_resolve(w->map, n % 2 ? "long.test:1" : "www.test:1", note_outcome, &o));
		for (int i = 0; i < n / 2; i++)
			ac_poll(w->map, 0.003);
		ac_map_each(w->map, close_inner, NULL);
		UNTIL(w, o.calls);
		assert_int_equal(ac_map_channels(w->map), 0);
	}
	dns_stop(s);
}

/* Clients that come and go, where no server answers: questions that nobody waits for do not pile up, and whoever
 * does wait has the answer. */
static void questions_given_up_do_not_pile_up(void **state)
{
	static const struct dns_rule rules[] = {
		{ "never.test", 0, DNS_NEVER, NULL, 0 },
		{ "www.test", 0, DNS_ADDRS, "127.0.0.2 ::1", 0 },
		{ 0 },
	};
	struct world *w = *state;
	struct dns_server *s = dns_start(rules);
	const struct ac_resolver_opts opts = { .servers = dns_address(s),
		                               .search = "",
		                               .timeout = 60,
		                               .hosts_file = "",
		                               .max_queries = 4 };
	struct outcome kept = { .w = w };
	struct ac_query *silent;
	long before;

	use_resolver(w, &opts);
	assert_non_null(ac_resolve(w->map, "www.test:1", note_outcome, &kept));
	for (int i = 0; i < 11; i++)
		ac_query_cancel(ac_resolve(w->map, "never.test:1", note_outcome, NULL));
	UNTIL(w, kept.calls);
	assert_string_equal(kept.text, "[::1]:1 127.0.0.2:1");
	silent = ac_resolve(w->map, "never.test:1", note_outcome, NULL);
	passes(w, 1);
	before = allocations();
	for (int i = 0; i < 100; i++, passes(w, 1))
		ac_query_cancel(ac_resolve(w->map, "never.test:1", note_outcome, NULL));
	assert_in_range(allocations() + 4 - before, 0, 4 + 10);
	ac_query_cancel(silent);
	passes(w, 1);
	assert_int_equal(ac_map_channels(w->map), 0);
	dns_stop(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(both_families_are_asked_for_at_once),
		EACH(one_family_is_enough),
		EACH(a_late_answer_is_waited_for),
		EACH(an_answer_behind_the_end_is_nobodys),
		EACH(no_answer_times_out_after_all_tries),
		EACH(the_deadline_gives_what_is_known),
		EACH(an_unknown_name_and_one_without_addresses),
		EACH(the_server_is_not_there),
		EACH(the_second_server_answers),
		EACH(answers_to_other_questions_are_not_taken),
		EACH(a_truncated_answer_is_asked_for_over_tcp),
		EACH(aliases_are_followed),
		EACH(no_more_addresses_than_64),
		EACH(domains_are_searched),
		EACH(the_hosts_file_comes_first),
		EACH(servers_are_addresses),
		EACH(many_at_once),
		EACH(questions_given_up_do_not_pile_up),
		EACH(somebody_closes_the_servers_channels),
	};

	return RUN(tests);
}
