/* test_resolve_race.c — dials whose addresses come from a name server, late, one family before the other, or not. */
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
	};

	return RUN(tests);
}
