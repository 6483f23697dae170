/*
 * test_http_date.c — times as HTTP writes them: three forms read to the byte, one written.
 */
#include "../programs/http/http.h"
#include "harness.h"

#include <limits.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MOMENT 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */

static bool read_text(const char *text, time_t *ret_time)
{
	size_t len = strlen(text);
	char *exact = malloc(len ? len : 1);
	bool good;

	assert_non_null(exact);
	memcpy(exact, text, len);
	good = http_date_read((struct ac_slice){ exact, len }, ret_time);
	free(exact);
	return good;
}

static void is_time(const char *text, time_t expected)
{
	time_t t = -7;

	if (!read_text(text, &t) || t != expected)
		fail_msg("%s: %lld", text, (long long)t);
}

static void three_forms_of_one_moment(void **state)
{
	(void)state;
	is_time("Sun, 06 Nov 1994 08:49:37 GMT", MOMENT);
	is_time("Sunday, 06-Nov-94 08:49:37 GMT", MOMENT);
	is_time("Sun Nov  6 08:49:37 1994", MOMENT);
	is_time("Wed Nov 16 08:49:37 1994", MOMENT + 864000);
}

static void years_of_two_digits(void **state)
{
	(void)state;
	is_time("Thursday, 01-Jan-70 00:00:00 GMT", 0);
	is_time("Saturday, 01-Jan-00 00:00:00 GMT", 946684800);
	is_time("Tuesday, 01-Jan-69 00:00:00 GMT", 3124224000);
}

static void edges_of_months(void **state)
{
	(void)state;
	is_time("Thu, 29 Feb 2024 23:59:59 GMT", 1709251199);
	is_time("Sat, 31 Dec 2016 23:59:60 GMT", 1483228799);
	is_time("Fri, 31 Dec 9999 23:59:59 GMT", 253402300799);
}

static void what_is_no_date(void **state)
{
	static const char *const bad[] = {
		"",
		"never",
		"0",
		"Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 Nov 1994 08:49:37 UTC",
		"Sun, 06 Nov 1994 08:49:37 GMT ",
		" Sun, 06 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 GMTx",
		"Sun,06 Nov 1994 08:49:37 GMT",
		"Sun, 6 Nov 1994 08:49:37 GMT",
		"Sun, -6 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 -1:49:37 GMT",
		"Sun, 06 Nov 1994 +8:49:37 GMT",
		"Sun, 06 Nov 1994 24:49:37 GMT",
		"Sun, 06 Nov 1994 08:60:37 GMT",
		"Sun, 06 Nov 1994 08:49:61 GMT",
		"Sun, 00 Nov 1994 08:49:37 GMT",
		"Thu, 31 Feb 2024 00:00:00 GMT",
		"Thu, 31 Feb 2024 00:00:60 GMT",
		"Wed, 29 Feb 2023 00:00:00 GMT",
		"Sun, 06 nov 1994 08:49:37 GMT",
		"Xxx, 06 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 94 08:49:37 GMT",
		"Sun, 06 Nov 11994 08:49:37 GMT",
		"Sun, 06-Nov-94 08:49:37 GMT",
		"Sundays, 06-Nov-94 08:49:37 GMT",
		"Sun Nov 6 08:49:37 1994",
		"Sun Nov  6 08:49:37 94",
		"Sun Nov  6 08:49:37 1994 GMT",
		"Sun, 06 Nov 1994 08:49:37 GMT and so on for very long",
	};
	time_t t = 7;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (read_text(bad[i], &t))
			fail_msg("%s", bad[i]);
	assert_int_equal(t, 7);
	assert_false(
		http_date_read((struct ac_slice){ "Sun, 06 Nov\0 1994 08:49:37 GMT", 30 }, &t));
}

static void written_and_read_again(void **state)
{
	char text[HTTP_DATE_TEXT];

	(void)state;
	http_date_format(MOMENT, text);
	assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
	for (time_t t = 0; t < 253402300800; t += 7654321) {
		http_date_format(t, text);
		is_time(text, t);
	}
}

static void times_that_no_calendar_has(void **state)
{
	static const time_t times[] = { -1,           INT64_MIN,   INT64_MAX, 67767976233532799,
		                        253402300800, -62167219201 };
	char text[HTTP_DATE_TEXT + 1];

	(void)state;
	http_date_format(INT64_MAX, text);
	assert_string_equal(text, "Fri, 31 Dec 9999 23:59:59 GMT");
	for (size_t i = 0; i < COUNT(times); i++) {
		text[HTTP_DATE_TEXT] = 'x';
		http_date_format(times[i], text);
		assert_true(strlen(text) < HTTP_DATE_TEXT);
		assert_int_equal(text[HTTP_DATE_TEXT], 'x');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_forms_of_one_moment),
		cmocka_unit_test(years_of_two_digits),
		cmocka_unit_test(edges_of_months),
		cmocka_unit_test(what_is_no_date),
		cmocka_unit_test(written_and_read_again),
		cmocka_unit_test(times_that_no_calendar_has),
	};

	return RUN(tests);
}
