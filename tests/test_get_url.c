/*
 * test_get_url.c — URLs of `asyncore get`: what is read, what is refused, how Location resolves.
 */
#include "../programs/get_url.h"
#include "harness.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct url parsed(const char *text)
{
	struct url u;
	const char *why = NULL;

	if (url_parse(text, &u, &why) < 0)
		fail_msg("%s: %s", text, why);
	return u;
}

static void check(const char *text, const char *address, const char *host, const char *target)
{
	struct url u = parsed(text);

	assert_string_equal(u.address, address);
	assert_string_equal(u.host, host);
	assert_string_equal(u.target, target);
}

static void parts_of_good_urls(void **state)
{
	(void)state;
	check("http://127.0.0.1/", "127.0.0.1:80", "127.0.0.1", "/");
	check("http://127.0.0.1", "127.0.0.1:80", "127.0.0.1", "/");
	check("HTTP://LocalHost:8007/a/b?c=d", "127.0.0.1:8007", "localhost:8007", "/a/b?c=d");
	check("http://127.0.0.1:/x", "127.0.0.1:80", "127.0.0.1", "/x");
	check("http://127.0.0.1:80?q=1", "127.0.0.1:80", "127.0.0.1", "/?q=1");
	check("http://[::1]:8080/x", "[::1]:8080", "[::1]:8080", "/x");
	check("http://[::1]", "[::1]:80", "[::1]", "/");
	check("127.0.0.1:8007/x?to=http://y", "127.0.0.1:8007", "127.0.0.1:8007", "/x?to=http://y");
	check("localhost", "127.0.0.1:80", "localhost", "/");
	check("http://127.0.0.1//a//b", "127.0.0.1:80", "127.0.0.1", "//a//b");
}

static void names_and_https(void **state)
{
	struct url u = parsed("https://Example.Org./x");

	(void)state;
	check("http://example.com/", "example.com:80", "example.com", "/");
	check("example.com:8000", "example.com:8000", "example.com:8000", "/");
	check("https://127.0.0.1/", "127.0.0.1:443", "127.0.0.1", "/");
	check("HTTPS://127.0.0.1:80/", "127.0.0.1:80", "127.0.0.1:80", "/");
	check("https://a_b.xn--p1ai:443", "a_b.xn--p1ai:443", "a_b.xn--p1ai", "/");
	assert_true(u.secure && u.named);
	assert_string_equal(u.name, "example.org"); /* as certificates have it */
	assert_string_equal(u.host, "example.org.");
	u = parsed("http://[::1]:443/");
	assert_false(u.secure || u.named);
	assert_string_equal(u.name, "::1");
}

/* A name of `len` bytes, its labels of 63 at most. */
static int parse_name(size_t len)
{
	char text[400] = "http://";
	const char *why;
	struct url u;

	for (size_t i = 0; i < len; i++)
		text[7 + i] = i % 64 == 63 && i + 1 < len ? '.' : 'a';
	return url_parse(text, &u, &why);
}

static void names_that_are_too_long(void **state)
{
	(void)state;
	assert_int_equal(parse_name(63), 0);
	assert_int_equal(parse_name(253), 0);
	assert_true(parse_name(255) < 0);
	assert_true(parse_name(300) < 0);
}

static void credentials_do_not_leave_https(void **state)
{
	struct url base = parsed("https://127.0.0.1:81/b/c"), u = base;
	const char *why;

	(void)state;
	assert_int_equal(url_resolve(&base, "//127.0.0.1:81/g", &u, &why), 0);
	assert_true(u.secure && url_same_server(&base, &u));
	assert_true(url_resolve(&base, "http://127.0.0.1:81/", &u, &why) < 0);
	assert_string_equal(why, "it leads from https to http");
	base = parsed("http://127.0.0.1:81/b/c");
	assert_int_equal(url_resolve(&base, "https://127.0.0.1:81/", &u, &why), 0);
	assert_false(url_same_server(&base, &u));
}

static void fragment_never_reaches_the_server(void **state)
{
	(void)state;
	check("http://127.0.0.1/a#b?c", "127.0.0.1:80", "127.0.0.1", "/a");
	check("http://127.0.0.1#b", "127.0.0.1:80", "127.0.0.1", "/");
}

static void unsafe_bytes_are_escaped(void **state)
{
	(void)state;
	check("http://127.0.0.1/a b\"<>", "127.0.0.1:80", "127.0.0.1", "/a%20b%22%3C%3E");
	check("http://127.0.0.1/\xc3\xa4", "127.0.0.1:80", "127.0.0.1", "/%C3%A4");
	check("http://127.0.0.1/%41%zz", "127.0.0.1:80", "127.0.0.1", "/%41%zz");
}

static void dot_segments_never_climb_above_the_root(void **state)
{
	(void)state;
	check("http://127.0.0.1/../../x", "127.0.0.1:80", "127.0.0.1", "/x");
	check("http://127.0.0.1/a/./b/../c/..", "127.0.0.1:80", "127.0.0.1", "/a/");
	check("http://127.0.0.1/..", "127.0.0.1:80", "127.0.0.1", "/");
	check("http://127.0.0.1/a/..?x=/../y", "127.0.0.1:80", "127.0.0.1", "/?x=/../y");
	check("http://127.0.0.1/.../..a", "127.0.0.1:80", "127.0.0.1", "/.../..a");
}

static void bad_urls_say_why(void **state)
{
	static const char *const bad[][2] = {
		{ "ftp://127.0.0.1/", "only http" },
		{ "httpss://127.0.0.1/", "only http" },
		{ "http://u:p@127.0.0.1/", "user names" },
		{ "http:///x", "no host" },
		{ "", "no host" },
		{ "http://127.0.0.1:0/", "bad host or port" },
		{ "http://127.0.0.1:65536/", "bad host or port" },
		{ "http://127.0.0.1:-1/", "bad host or port" },
		{ "http://127.0.0.1:80x/", "bad host or port" },
		{ "http://127.0.0.1:999999999999/", "bad host or port" },
		{ "http://*:80/", "bad host or port" },
		{ "http://127.0.0.256/", "bad host or port" },
		{ "http://a..b/", "bad host or port" },
		{ "http://.a/", "bad host or port" },
		{ "http://a.1/", "bad host or port" },
		{ "http://a%00b/", "bad host or port" },
		{ "http://a,b/", "bad host or port" },
		{ "http://[::1/", "bad host or port" },
		{ "http://[::1]x:80/", "bad host or port" },
		{ "http://[]/", "bad host or port" },
		{ "http://[127.0.0.1]/", "bad host or port" },
		{ "http://127.0.0.1/a\r\nX: y", "control characters" },
		{ "http://127.0.0.1/a\x7f", "control characters" },
	};
	struct url u;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		const char *why = NULL;

		if (url_parse(bad[i][0], &u, &why) == 0)
			fail_msg("accepted: %s", bad[i][0]);
		assert_non_null(why);
		if (!strstr(why, bad[i][1]))
			fail_msg("%s: %s", bad[i][0], why);
	}
}

/* A URL of exactly `len` bytes. */
static int parse_long(size_t len)
{
	char *text = malloc(len + 1);
	const char *why;
	struct url u;
	int r;

	assert_non_null(text);
	memset(text, 'a', len);
	memcpy(text, "http://127.0.0.1/", 17);
	text[len] = '\0';
	r = url_parse(text, &u, &why);
	free(text);
	return r;
}

static void long_urls_are_refused_whole(void **state)
{
	struct url u;
	const char *why;
	char text[3 * URL_MAX];

	(void)state;
	assert_int_equal(parse_long(8000), 0);
	assert_true(parse_long(URL_MAX) < 0);
	assert_true(parse_long(100000) < 0);
	memset(text, '\xff', sizeof(text)); /* each takes three */
	memcpy(text, "http://127.0.0.1/", 17);
	text[3000] = '\0';
	assert_true(url_parse(text, &u, &why) < 0);
	memset(text, '1', sizeof(text)); /* a host */
	memcpy(text, "http://", 7);
	text[7000] = '\0';
	assert_true(url_parse(text, &u, &why) < 0);
}

/* The examples of RFC 3986, 5.4, as far as they stay on http. */
static void references_resolve_as_in_rfc3986(void **state)
{
	static const char *const cases[][2] = {
		{ "g", "/b/c/g" },
		{ "./g", "/b/c/g" },
		{ "g/", "/b/c/g/" },
		{ "/g", "/g" },
		{ "?y", "/b/c/d;p?y" },
		{ "g?y", "/b/c/g?y" },
		{ "#s", "/b/c/d;p?q" },
		{ "g#s", "/b/c/g" },
		{ "g?y#s", "/b/c/g?y" },
		{ ";x", "/b/c/;x" },
		{ "g;x?y#s", "/b/c/g;x?y" },
		{ "", "/b/c/d;p?q" },
		{ ".", "/b/c/" },
		{ "./", "/b/c/" },
		{ "..", "/b/" },
		{ "../", "/b/" },
		{ "../g", "/b/g" },
		{ "../..", "/" },
		{ "../../", "/" },
		{ "../../g", "/g" },
		{ "../../../g", "/g" },
		{ "../../../../g", "/g" },
		{ "/./g", "/g" },
		{ "/../g", "/g" },
		{ "g.", "/b/c/g." },
		{ ".g", "/b/c/.g" },
		{ "g..", "/b/c/g.." },
		{ "..g", "/b/c/..g" },
		{ "./../g", "/b/g" },
		{ "./g/.", "/b/c/g/" },
		{ "g/./h", "/b/c/g/h" },
		{ "g/../h", "/b/c/h" },
		{ "g;x=1/./y", "/b/c/g;x=1/y" },
		{ "g;x=1/../y", "/b/c/y" },
		{ "g?y/./x", "/b/c/g?y/./x" },
		{ "g?y/../x", "/b/c/g?y/../x" },
	};
	struct url base = parsed("http://127.0.0.1:81/b/c/d;p?q"), u;
	const char *why;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		assert_int_equal(url_resolve(&base, cases[i][0], &u, &why), 0);
		if (strcmp(u.target, cases[i][1]) != 0)
			fail_msg("%s: %s, not %s", cases[i][0], u.target, cases[i][1]);
		assert_string_equal(u.host, "127.0.0.1:81");
	}
}

static void references_may_leave_the_server(void **state)
{
	struct url base = parsed("http://127.0.0.1:81/b/c"), u = base, same;
	const char *why;

	(void)state;
	assert_int_equal(url_resolve(&base, "//[::1]:82/g", &u, &why), 0);
	assert_string_equal(u.host, "[::1]:82");
	assert_string_equal(u.target, "/g");
	assert_false(url_same_server(&base, &u));
	assert_int_equal(url_resolve(&base, "http://127.0.0.1:82", &u, &why), 0);
	assert_string_equal(u.target, "/");
	assert_false(url_same_server(&base, &u));
	assert_int_equal(url_resolve(&base, "HTTP://localhost:81/x", &same, &why), 0);
	assert_true(url_same_server(&base, &same));
}

static void base_may_be_the_result(void **state)
{
	struct url u = parsed("http://127.0.0.1/a/b/c?d");
	const char *why;

	(void)state;
	assert_int_equal(url_resolve(&u, "../x", &u, &why), 0);
	assert_string_equal(u.target, "/a/x");
	assert_int_equal(url_resolve(&u, "?y", &u, &why), 0);
	assert_string_equal(u.target, "/a/x?y");
}

static void double_slash_in_the_base_is_no_authority(void **state)
{
	struct url u = parsed("http://127.0.0.1//evil/x");
	const char *why;

	(void)state;
	assert_int_equal(url_resolve(&u, "?y", &u, &why), 0);
	assert_string_equal(u.target, "//evil/x?y");
	assert_string_equal(u.host, "127.0.0.1");
}

static void bad_references_leave_the_result_alone(void **state)
{
	static const char *const bad[] = { "ftp://127.0.0.1/", "http:g", "mailto:a", "//",
		                           "//a..b/",          "/a\tb" };
	struct url base = parsed("http://127.0.0.1/a"), u = base;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		const char *why = NULL;

		if (url_resolve(&base, bad[i], &u, &why) == 0)
			fail_msg("accepted: %s", bad[i]);
		assert_non_null(why);
		assert_string_equal(u.target, "/a");
	}
}

static void file_names_stay_in_the_folder(void **state)
{
	static const char *const good[][2] = {
		{ "http://127.0.0.1/a/b.txt?c", "b.txt" }, { "http://127.0.0.1/a%20b", "a b" },
		{ "http://127.0.0.1/%c3%A4", "\xc3\xa4" }, { "http://127.0.0.1/a%2", "a%2" },
		{ "http://127.0.0.1/x?y/z", "x" },
	};
	static const char *const bad[] = {
		"http://127.0.0.1/",       "http://127.0.0.1/a/",    "http://127.0.0.1/%2e%2e",
		"http://127.0.0.1/..%2fx", "http://127.0.0.1/a%00b", "http://127.0.0.1/%0a",
	};
	char name[256];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		struct url u = parsed(good[i][0]);

		assert_int_equal(url_file_name(&u, name, sizeof(name)), 0);
		assert_string_equal(name, good[i][1]);
	}
	for (i = 0; i < COUNT(bad); i++) {
		struct url u = parsed(bad[i]);

		if (url_file_name(&u, name, sizeof(name)) == 0)
			fail_msg("accepted: %s as %s", bad[i], name);
	}
}

static void file_name_longer_than_its_room(void **state)
{
	struct url u = parsed("http://127.0.0.1/abcd");
	char name[5];

	(void)state;
	assert_int_equal(url_file_name(&u, name, 5), 0);
	assert_true(url_file_name(&u, name, 4) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_of_good_urls),
		cmocka_unit_test(names_and_https),
		cmocka_unit_test(names_that_are_too_long),
		cmocka_unit_test(credentials_do_not_leave_https),
		cmocka_unit_test(fragment_never_reaches_the_server),
		cmocka_unit_test(unsafe_bytes_are_escaped),
		cmocka_unit_test(dot_segments_never_climb_above_the_root),
		cmocka_unit_test(bad_urls_say_why),
		cmocka_unit_test(long_urls_are_refused_whole),
		cmocka_unit_test(references_resolve_as_in_rfc3986),
		cmocka_unit_test(references_may_leave_the_server),
		cmocka_unit_test(base_may_be_the_result),
		cmocka_unit_test(double_slash_in_the_base_is_no_authority),
		cmocka_unit_test(bad_references_leave_the_result_alone),
		cmocka_unit_test(file_names_stay_in_the_folder),
		cmocka_unit_test(file_name_longer_than_its_room),
	};

	return RUN(tests);
}
