/* test_resolve_race.c — dials whose addresses come from a name server, late, one family before the other, or not;
 * and questions that race with those nobody waits for. */
#include "resolving.h"

#define HAS(text, part) assert_non_null(strstr(text, part))

static char detail[120];

static int keep_detail(struct rec *r)
{
	snprintf(detail, sizeof(detail), "%s", ac_last_error(r->c.d.map)->detail);
	ac_close(&r->c.d);
	return 0;
}

static void use_server_until(struct world *w, const struct dns_server *s, double deadline)
{
	struct ac_resolver_opts o = {
		.servers = dns_address(s), .search = "", .hosts_file = "", .deadline = deadline
	};

	use_resolver(w, &o);
}

/* Connects to www.test and says over which family; what is left then is the connection alone. */
static int family_of_dial(struct world *w, int port)
{
	struct rec *r = dial(w, "www.test", port);
	struct ac_addr addr;

	UNTIL(w, ac_connected(&r->c.d));
	assert_string_equal(r->trace, "O");
	assert_int_equal(ac_addr(&r->c.d, &addr), 0);
	assert_int_equal(ac_map_channels(w->map), 1);
	ac_close(&r->c.d);
	return addr.sa.sa_family;
}

/* Both are alive; how the answers come decides. The dial's seconds are given back too. */
static int who_wins(struct world *w, const struct dns_rule *rules, double *ret_took)
{
	static const char *const hosts[] = { "::1", "127.0.0.1" };
	struct dns_server *s = dns_start(rules);
	int fds[2], port = listen_at_all(hosts, 2, fds), family;
	double begun = ac_now(w->map);

	use_server_until(w, s, 2);
	family = family_of_dial(w, port);
	*ret_took = ac_now(w->map) - begun;
	close(fds[0]);
	close(fds[1]);
	dns_stop(s);
	return family;
}

static void ipv6_has_50_ms_to_come_behind_ipv4(void **state)
{
	static const struct dns_rule rules[] = {
		{ "www.test", DNS_A, DNS_ADDRS, "127.0.0.1", 0 },
		{ "www.test", DNS_AAAA, DNS_ADDRS, "::1", 15 },
		{ 0 },
	};
	int family = AF_INET;
	double took;

	/* a machine that is busy may be late once, but not each time */
	for (int i = 0; i < 5 && family == AF_INET; i++)
		family = who_wins(*state, rules, &took);
	assert_int_equal(family, AF_INET6);
}

static void ipv4_does_not_wait_longer(void **state)
{
	static const struct dns_rule rules[] = {
		{ "www.test", DNS_A, DNS_ADDRS, "127.0.0.1", 0 },
		{ "www.test", DNS_AAAA, DNS_ADDRS, "::1", 1500 },
		{ 0 },
	};
	double took;

	assert_int_equal(who_wins(*state, rules, &took), AF_INET);
	assert_true(took > 0.04 && took < 1.4);
}

static void ipv6_waits_for_nothing(void **state)
{
	static const struct dns_rule rules[] = {
		{ "www.test", DNS_A, DNS_ADDRS, "127.0.0.1", 1500 },
		{ "www.test", DNS_AAAA, DNS_ADDRS, "::1", 0 },
		{ 0 },
	};
	double took;

	assert_int_equal(who_wins(*state, rules, &took), AF_INET6);
	assert_true(took < 1.4);
}

static void a_family_that_fails_is_not_waited_for(void **state)
{
	static const struct dns_rule rules[] = {
		{ "www.test", DNS_A, DNS_ADDRS, "127.0.0.1", 0 },
		{ "www.test", DNS_AAAA, DNS_ADDRS, "", 0 },
		{ 0 },
	};
	double took;

	assert_int_equal(who_wins(*state, rules, &took), AF_INET);
}

static void one_family_never_answers(void **state)
{
	static const struct dns_rule rules[] = {
		{ "www.test", DNS_A, DNS_ADDRS, "127.0.0.1", 0 },
		{ "www.test", DNS_AAAA, DNS_NEVER, NULL, 0 },
		{ 0 },
	};
	double took;

	assert_int_equal(who_wins(*state, rules, &took), AF_INET);
	assert_true(took < 1.4);
}

/* The IPv4 address accepts nobody. The IPv6 one, which was not known when that began, is tried as it comes. */
static void a_late_family_joins_the_race(void **state)
{
	static const struct dns_rule rules[] = {
		{ "www.test", DNS_A, DNS_ADDRS, "127.0.0.2", 0 },
		{ "www.test", DNS_AAAA, DNS_ADDRS, "::1", 400 },
		{ 0 },
	};
	static const char *const hosts[] = { "127.0.0.2", "::1" };
	struct world *w = *state;
	struct dns_server *s = dns_start(rules);
	int fds[2], fillers[FILLERS], port = listen_at_all(hosts, 2, fds);

	fill("127.0.0.2", port, fillers);
	use_server_until(w, s, 5);
	assert_int_equal(family_of_dial(w, port), AF_INET6);
	for (int i = 0; i < FILLERS; i++)
		close(fillers[i]);
	close(fds[0]);
	close(fds[1]);
	dns_stop(s);
}

/* Silent, refusing, silent, alive. */
static void dead_first_addresses_from_a_server(void **state)
{
	static const struct dns_rule rules[] = {
		{ "www.test", DNS_A, DNS_ADDRS, "127.0.0.2 127.0.0.3 127.0.0.4 127.0.0.1", 10 },
		{ 0 },
	};
	static const char *const hosts[] = { "127.0.0.2", "127.0.0.4", "127.0.0.1" };
	struct world *w = *state;
	struct dns_server *s = dns_start(rules);
	int fds[3], one[FILLERS], two[FILLERS], port = listen_at_all(hosts, 3, fds);

	fill("127.0.0.2", port, one);
	fill("127.0.0.4", port, two);
	use_server_until(w, s, 5);
	assert_int_equal(family_of_dial(w, port), AF_INET);
	for (int i = 0; i < FILLERS; i++) {
		close(one[i]);
		close(two[i]);
	}
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	dns_stop(s);
}

static void fails_with(struct world *w, const char *name, const char *trace, const char *why)
{
	struct rec *r = dial(w, name, 80);

	r->on_error = keep_detail;
	assert_string_equal(trace_of_end(r), trace);
	HAS(detail, name);
	HAS(detail, why);
	assert_int_equal(ac_loop(w->map, NULL), 0);
}

static void what_the_servers_said_is_in_the_error(void **state)
{
	static const struct dns_rule rules[] = {
		{ "broken.test", 0, DNS_SERVFAIL, NULL, 0 },
		{ "short.test", 0, DNS_SHORT, NULL, 0 },
		{ "never.test", 0, DNS_NEVER, NULL, 0 },
		{ 0 },
	};
	struct world *w = *state;
	struct dns_server *s = dns_start(rules);

	use_server_until(w, s, 0.4);
	fails_with(w, "nowhere.test", "E(ENXIO)X", "no such name");
	fails_with(w, "broken.test", "E(EIO)X", "failed");
	fails_with(w, "short.test", "E(EBADMSG)X", "malformed");
	fails_with(w, "never.test", "E(ETIMEDOUT)X", "no answer");
	dns_stop(s);
}

static struct ac_query *never(struct world *w)
{
	return ac_resolve(w->map, "never.test:1", note_outcome, NULL);
}

/* Of those nobody waits for as many as there may be; then one is refused, until they are gone. */
static void nothing_is_asked_anew_a_third_time(void **state)
{
	static const struct dns_rule rules[] = { { "never.test", 0, DNS_NEVER, NULL, 0 }, { 0 } };
	struct world *w = *state;
	struct dns_server *s = dns_start(rules);
	const struct ac_resolver_opts opts = { .servers = dns_address(s),
		                               .search = "",
		                               .timeout = 60,
		                               .hosts_file = "",
		                               .max_queries = 4 };
	struct ac_query *silent;

	use_resolver(w, &opts);
	silent = never(w);
	UNTIL(w, dns_asked(s, "never.test", 0) == 2);
	for (int i = 0; i < 4; i++) {
		struct ac_query *q = never(w);

		assert_non_null(q);
		ac_query_cancel(q);
	}
	for (int i = 0; i < 2; i++) {
		assert_null(never(w));
		assert_int_equal(errno, ENOBUFS);
		assert_non_null(strstr(ac_last_error(w->map)->detail, "too many names"));
	}
	UNTIL(w, dns_asked(s, "never.test", 0) == 2 + 2 * 4 + 2);
	passes(w, 5);
	assert_int_equal(dns_asked(s, "never.test", 0), 2 + 2 * 4 + 2);
	ac_query_cancel(silent);
	silent = never(w);
	assert_non_null(silent);
	ac_query_cancel(silent);
	dns_stop(s);
}

/* The first server is dead. However many come and go meanwhile, who waits gets as far as the second. */
static void who_waits_is_not_starved(void **state)
{
	static const struct dns_rule nothing[] = { { "www.test", 0, DNS_NEVER, NULL, 0 },
		                                   { "never.test", 0, DNS_NEVER, NULL, 0 },
		                                   { 0 } };
	static const struct dns_rule rules[] = { { "www.test", 0, DNS_ADDRS, "127.0.0.2 ::1", 0 },
		                                 { "never.test", 0, DNS_NEVER, NULL, 0 },
		                                 { 0 } };
	struct world *w = *state;
	struct dns_server *s[2] = { dns_start(nothing), dns_start(rules) };
	char servers[64];
	const struct ac_resolver_opts opts = { .servers = servers,
		                               .search = "",
		                               .timeout = 0.3,
		                               .hosts_file = "",
		                               .deadline = 6,
		                               .max_queries = 4 };
	struct outcome kept = { .w = w };
	int refused = 0;

	snprintf(servers, sizeof(servers), "%s,%s", dns_address(s[0]), dns_address(s[1]));
	use_resolver(w, &opts);
	assert_non_null(ac_resolve(w->map, "www.test:1", note_outcome, &kept));
	while (!kept.calls) {
		struct ac_query *q = never(w);

		refused += !q;
		ac_poll(w->map, 0.01);
		ac_query_cancel(q);
	}
	assert_int_equal(kept.result, 0);
	assert_true(refused);
	dns_stop(s[0]);
	dns_stop(s[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(ipv6_has_50_ms_to_come_behind_ipv4),
		EACH(ipv4_does_not_wait_longer),
		EACH(ipv6_waits_for_nothing),
		EACH(a_family_that_fails_is_not_waited_for),
		EACH(one_family_never_answers),
		EACH(a_late_family_joins_the_race),
		EACH(dead_first_addresses_from_a_server),
		EACH(what_the_servers_said_is_in_the_error),
		EACH(nothing_is_asked_anew_a_third_time),
		EACH(who_waits_is_not_starved),
	};

	return RUN(tests);
}
