/*
 * test_http_target.c — targets to paths, paths to links, names to types.
 */
#include "../programs/http/http.h"
#include "harness.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int path_of(const char *target, char *path, size_t size)
{
	size_t len = strlen(target);
	char *exact = malloc(len ? len : 1); /* so that a byte behind its end is found out */
	struct http_head h = { .target = { exact, len } };
	int status;

	assert_non_null(exact);
	memcpy(exact, target, len);
	status = http_target_path(&h, path, size);
	free(exact);
	return status;
}

static void is_path(const char *target, const char *path)
{
	char got[256];

	assert_int_equal(path_of(target, got, sizeof(got)), 0);
	assert_string_equal(got, path);
}

static void is_status(const char *target, int status)
{
	char got[256];

	if (path_of(target, got, sizeof(got)) != status)
		fail_msg("%s: %d", target, path_of(target, got, sizeof(got)));
}

static void paths_of_good_targets(void **state)
{
	(void)state;
	is_path("/", "/");
	is_path("/a/b.txt", "/a/b.txt");
	is_path("/a%20b", "/a b");
	is_path("/%C3%a4", "/\xc3\xa4");
	is_path("/a?b=c?d", "/a");
	is_path("/a+b", "/a+b");
	is_path("/a?q=%0A%7f%00", "/a");
	is_path("//a", "//a");
	is_path("/...", "/...");
	is_path("/..a/a..", "/..a/a..");
	is_path("/?../..", "/");
}

static void decoded_exactly_once(void **state)
{
	(void)state;
	is_path("/%2541", "/%41");
	is_path("/%252e%252e/x", "/%2e%2e/x");
	is_path("/%25", "/%");
}

static void no_way_up(void **state)
{
	static const char *const up[] = { "/..",       "/../x",   "/a/..",   "/a/../../b",
		                          "/%2e%2e/x", "/%2E./x", "/.%2e",   "/a%2f..",
		                          "/..%2fx",   "//..//x", "/a/..?b", "http://x/..",
		                          "/./../x" };

	(void)state;
	for (size_t i = 0; i < COUNT(up); i++)
		is_status(up[i], 403);
}

static void what_may_not_stand_in_a_target(void **state)
{
	static const char *const bad[] = { "a",      "*",    "?",      "/a b",      "/a#b",  "/\"",
		                           "/<",     "/>",   "/\x01",  "/\x7f",     "/\x80", "/%",
		                           "/%4",    "/%g0", "/%0g",   "/%00",      "/%0a",  "/%1F",
		                           "/%7f",   "/a|b", "/a?%zz", "/a?b#",     "/%-1",  "/% 1",
		                           "x://y/", "/^",   "/a?{}",  "https://x/" };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		is_status(bad[i], 400);
}

static void absolute_form(void **state)
{
	(void)state;
	is_path("http://x/a", "/a");
	is_path("HTTP://x:80/a?b", "/a");
	is_path("http://[::1]:8000/a", "/a");
	is_path("http://x", "/");
	is_path("http://x?a=/b", "/");
	is_status("http://", 400);
	is_status("http:///a", 400);
	is_status("http://?a", 400);
	is_status("http://x@y/a", 400);
	is_status("http://x#/a", 400);
	is_status("http:/x", 400);
}

static void path_at_its_limit(void **state)
{
	char path[8];

	(void)state;
	assert_int_equal(path_of("/123456", path, sizeof(path)), 0);
	assert_string_equal(path, "/123456");
	assert_int_equal(path_of("/1234567", path, sizeof(path)), 414);
	assert_int_equal(path_of("/%61%62%63%64%65%66?longer", path, sizeof(path)), 0);
	assert_string_equal(path, "/abcdef");
}

static void every_byte_survives_a_link(void **state)
{
	char name[2] = "", link[8], target[16], path[16];
	size_t len;

	(void)state;
	for (int c = ' '; c < 256; c++) {
		if (c == 127)
			continue;
		name[0] = (char)c;
		len = http_encode(name, link, sizeof(link));
		assert_int_equal(len, strlen(link));
		snprintf(target, sizeof(target), "/%s", link);
		assert_int_equal(path_of(target, path, sizeof(path)), 0);
		assert_string_equal(path + 1, name);
	}
}

static void encoded_text_is_cut_between_its_bytes(void **state)
{
	char text[8];

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(http_encode("<<<<", text, 7), 6);
	assert_string_equal(text, "%3C%3C");
	assert_int_equal(text[7], 'x');
}

static void types_by_the_last_suffix(void **state)
{
	(void)state;
	assert_string_equal(http_mime_type("/a.html"), "text/html; charset=utf-8");
	assert_string_equal(http_mime_type("/A.HTML"), "text/html; charset=utf-8");
	assert_string_equal(http_mime_type("/a.html.gz"), "application/gzip");
	assert_string_equal(http_mime_type("/a.png/b"), "application/octet-stream");
	assert_string_equal(http_mime_type("/a"), "application/octet-stream");
	assert_string_equal(http_mime_type("/a."), "application/octet-stream");
	assert_string_equal(http_mime_type(""), "application/octet-stream");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_of_good_targets),
		cmocka_unit_test(decoded_exactly_once),
		cmocka_unit_test(no_way_up),
		cmocka_unit_test(what_may_not_stand_in_a_target),
		cmocka_unit_test(absolute_form),
		cmocka_unit_test(path_at_its_limit),
		cmocka_unit_test(every_byte_survives_a_link),
		cmocka_unit_test(encoded_text_is_cut_between_its_bytes),
		cmocka_unit_test(types_by_the_last_suffix),
	};

	return RUN(tests);
}
