/*
 * test_resolve_names.c — malformed answers, and names that are too long, empty or none: an error, and never a part
 * of the name in place of it.
 */
#include "resolving.h"

static const struct dns_rule no_rules[] = { { 0 } };

/* A name of so many bytes in labels of 63: "aaa….aaa". */
static char *make_name(size_t len, char *text)
{
	memset(text, 'a', len);
	for (size_t i = 63; i + 1 < len; i += 64)
		text[i] = '.';
	text[len] = '\0';
	return text;
}

static void refused(struct world *w, const char *name, const char *why)
{
	struct ac_dispatcher *d = ac_new(w->map, AC_DISPATCHER);
	char address[512];

	snprintf(address, sizeof(address), "%s:80", name);
	assert_null(ac_resolve(w->map, address, note_outcome, NULL));
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(ac_last_error(w->map)->detail, why));
	assert_int_equal(ac_dial(d, address), -EINVAL);
	assert_non_null(strstr(ac_last_error(w->map)->detail, why));
	assert_false(ac_connecting(d));
	ac_close(d);
	assert_int_equal(ac_map_channels(w->map), 0);
}

static void names_of_0_253_254_255_and_256_bytes(void **state)
{
	struct world *w = *state;
	struct dns_server *s = dns_start(no_rules);
	char name[300], address[310];
	struct outcome o;

	use_server(w, s);
	refused(w, "", "empty");
	refused(w, ".", "empty");
	refused(w, make_name(254, name), "253");
	refused(w, make_name(255, name), "253");
	refused(w, make_name(256, name), "253");
	assert_int_equal(dns_asked(s, NULL, 0), 0);
	snprintf(address, sizeof(address), "%s:80", make_name(253, name));
	ask(w, address, &o);
	assert_int_equal(o.result, -ENXIO);
	assert_int_equal(dns_asked(s, name, DNS_A), 1); /* all of it, and nothing else */
	assert_int_equal(dns_asked(s, NULL, DNS_A), 1);
	strcat(name, ".");
	snprintf(address, sizeof(address), "%s:80", name);
	ask(w, address, &o);
	assert_int_equal(dns_asked(s, make_name(253, name), DNS_A), 2);
	dns_stop(s);
}

static void labels_of_0_63_and_64_bytes(void **state)
{
	struct world *w = *state;
	struct dns_server *s = dns_start(no_rules);
	char name[80], address[100];
	struct outcome o;

	use_server(w, s);
	memset(name, 'b', 64);
	strcpy(name + 64, ".test");
	refused(w, name, "63");
	refused(w, "a..test", "empty");
	refused(w, ".test", "empty");
	refused(w, "test..", "empty");
	snprintf(address, sizeof(address), "%s:80", name + 1);
	ask(w, address, &o);
	assert_int_equal(dns_asked(s, name + 1, DNS_A), 1);
	dns_stop(s);
}

static void what_is_no_name_is_refused(void **state)
{
	static const char *const bad[] = { "a b.test",     "a\tb.test", "a\nb.test", "a\x7f.test",
		                           "a\\032b.test", "[a.test]",  "a/b.test",  "a%b.test",
		                           "a\x01.test",   "*.test" };
	static const char *const numbers[] = { "1.2.3", "300.1.1.1", "1.2.3.4.5", "1",
		                               "1.2.3.04." };
	static const char *const ports[] = { "a.test:",   "a.test:x",   "a.test:65536",
		                             "a.test:-1", "a.test:80x", "a.test: 80" };
	struct world *w = *state;
	struct dns_server *s = dns_start(no_rules);

	use_server(w, s);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(w, bad[i], "bytes");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		refused(w, numbers[i], "address");
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		assert_null(ac_resolve(w->map, ports[i], note_outcome, NULL));
		assert_non_null(strstr(ac_last_error(w->map)->detail, "port"));
	}
	assert_null(ac_resolve(w->map, NULL, note_outcome, NULL));
	assert_null(ac_resolve(w->map, "a.test:1", NULL, NULL));
	assert_int_equal(dns_asked(s, NULL, 0), 0);
	dns_stop(s);
}

static void bytes_beyond_ascii_go_out_as_they_are(void **state)
{
	struct world *w = *state;
	struct dns_server *s = dns_start(no_rules);
	struct outcome o;

	use_server(w, s);
	ask(w,
	    "b\xc3\xbc"
	    "cher.test:80",
	    &o);
	assert_int_equal(dns_asked(s,
	                           "b\xc3\xbc"
	                           "cher.test",
	                           DNS_A),
	                 1);
	dns_stop(s);
}

/* A search domain may make a name too long that was none before. */
static void a_searched_name_that_becomes_too_long(void **state)
{
	struct world *w = *state;
	struct dns_server *s = dns_start(no_rules);
	struct ac_resolver_opts opts = { .servers = dns_address(s),
		                         .search = "domain.test",
		                         .ndots = 15 };
	char name[300], address[310];
	struct outcome o;

	use_resolver(w, &opts);
	snprintf(address, sizeof(address), "%s:80", make_name(250, name));
	ask(w, address, &o);
	assert_true(o.result < 0);
	assert_int_equal(dns_asked(s, NULL, DNS_A),
	                 dns_asked(s, name, DNS_A)); /* nothing was cut */
	dns_stop(s);
}

static void malformed_answers_are_errors(void **state)
{
	static const struct dns_rule rules[] = {
		{ "garbage.test", 0, DNS_GARBAGE, NULL, 0 },
		{ "short.test", 0, DNS_SHORT, NULL, 0 },
		{ "loop.test", 0, DNS_LOOP, NULL, 0 },
		{ "forward.test", 0, DNS_FORWARD, NULL, 0 },
		{ "good.test", 0, DNS_ADDRS, "127.0.0.2", 0 },
		{ 0 },
	};
	struct world *w = *state;
	struct dns_server *s = dns_start(rules);
	struct outcome o;

	use_server(w, s);
	for (int i = 0; rules[i + 1].name; i++) {
		char address[40];

		snprintf(address, sizeof(address), "%s:80", rules[i].name);
		ask(w, address, &o);
		assert_int_equal(o.count, 0);
		assert_int_equal(o.result,
		                 i == 0 ? -ETIMEDOUT : -EBADMSG); /* garbage is no answer */
	}
	ask(w, "good.test:80", &o); /* and it goes on */
	assert_int_equal(o.count, 1);
	dns_stop(s);
}

/* 255 bytes on the wire are a name, 256 are none. */
static void names_of_255_and_256_bytes_in_answers(void **state)
{
	static const struct dns_rule rules[] = {
		{ "n254.test", 0, DNS_LONG_NAME, "254", 0 },
		{ "n255.test", 0, DNS_LONG_NAME, "255", 0 },
		{ "n256.test", 0, DNS_LONG_NAME, "256", 0 },
		{ "n257.test", 0, DNS_LONG_NAME, "257", 0 },
		{ "n1000.test", 0, DNS_LONG_NAME, "1000", 0 },
		{ 0 },
	};
	struct world *w = *state;
	struct dns_server *s = dns_start(rules);
	struct outcome o;

	use_server(w, s);
	for (int i = 0; rules[i].name; i++) {
		char address[40];

		snprintf(address, sizeof(address), "%s:80", rules[i].name);
		ask(w, address, &o);
		if (i < 2)
			assert_string_equal(o.text, "127.0.0.1:80");
		else
			assert_int_equal(o.result, -EBADMSG);
	}
	dns_stop(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(names_of_0_253_254_255_and_256_bytes),
		EACH(labels_of_0_63_and_64_bytes),
		EACH(what_is_no_name_is_refused),
		EACH(bytes_beyond_ascii_go_out_as_they_are),
		EACH(a_searched_name_that_becomes_too_long),
		EACH(malformed_answers_are_errors),
		EACH(names_of_255_and_256_bytes_in_answers),
	};

	return RUN(tests);
}
