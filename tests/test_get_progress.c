/*
 * test_get_progress.c — the progress line of `asyncore get` never leaves its line.
 */
#include "../programs/get_progress.h"
#include "harness.h"

static void check(size_t width, int64_t done, int64_t total, double rate, const char *want)
{
	char text[256];

	progress_line(text, sizeof(text), width, done, total, rate, 61);
	assert_string_equal(text, want);
}

static void share_rate_and_time_left(void **state)
{
	(void)state;
	check(60, 512, 1024, 256, " 50% [==========>         ] 512 B/1.0 KiB  256 B/s  ETA 0:02");
	check(60, 0, 1024, 0, "  0% [>                       ] 0 B/1.0 KiB  0 B/s  ETA -:--");
	check(60, 1024, 1024, 1 << 20,
	      "100% [====================] 1.0 KiB/1.0 KiB  1.0 MiB/s  1:01");
}

static void numbers_are_left_out_not_cut(void **state)
{
	(void)state;
	check(43, 0, 360000000, 1e5, "  0% 0 B/343.3 MiB  97.7 KiB/s  ETA 1:00:00");
	check(42, 0, 360000000, 1e5, "  0% 0 B/343.3 MiB");
	check(18, 0, 360000000, 1e5, "  0% 0 B/343.3 MiB");
	check(17, 0, 360000000, 1e5, "  0% ");
}

static void unknown_total_has_no_share(void **state)
{
	(void)state;
	check(60, 1536, -1, 1024, "1.5 KiB  1.0 KiB/s  1:01");
}

static void empty_and_surplus_bodies(void **state)
{
	(void)state;
	check(30, 0, 0, 0, "100% 0 B/0 B  0 B/s  1:01");
	check(30, 9, 3, 1, "100% 9 B/3 B  1 B/s  1:01");
}

static void no_line_is_wider_than_the_terminal(void **state)
{
	static const int64_t sizes[] = { -1, 0, 1, 1023, 1024, 1048575, INT64_MAX };
	char text[256];
	size_t width, i, k;

	(void)state;
	for (width = 0; width < 600; width++) {
		for (i = 0; i < 7; i++) {
			for (k = 0; k < 7; k++) {
				int64_t done = sizes[k] < 0 ? 0 : sizes[k];

				progress_line(text, sizeof(text), width, done, sizes[i], 1e18,
				              1e18);
				assert_true(strlen(text) <= width);
				assert_true(strlen(text) < sizeof(text));
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(share_rate_and_time_left),
		cmocka_unit_test(numbers_are_left_out_not_cut),
		cmocka_unit_test(unknown_total_has_no_share),
		cmocka_unit_test(empty_and_surplus_bodies),
		cmocka_unit_test(no_line_is_wider_than_the_terminal),
	};

	return RUN(tests);
}
