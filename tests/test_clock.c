/* test_clock.c — clock.c: rounded up, never wrapped, never back. */
#include "harness.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "../src/base/base.h"

#define FAR_AWAY (INT64_MAX / 4)

static void part_of_a_nanosecond_is_a_whole_one(void **state)
{
	(void)state;
	assert_int_equal(ac_ns_(1e-9), 1);
	assert_int_equal(ac_ns_(1e-10), 1);
	assert_int_equal(ac_ns_(DBL_MIN), 1);
	assert_int_equal(ac_ns_(nextafter(0, 1)), 1);
	assert_int_equal(ac_ns_(1.5e-9), 2);
	assert_int_equal(ac_ns_(0.0005), 500000);
	assert_int_equal(ac_ns_(1.5), 1500000000);
}

static void zero_is_zero_with_either_sign(void **state)
{
	(void)state;
	assert_int_equal(ac_ns_(0.0), 0);
	assert_int_equal(ac_ns_(-0.0), 0);
}

static void negative_is_rounded_up_too(void **state)
{
	(void)state;
	assert_int_equal(ac_ns_(-1.0), -1000000000);
	assert_int_equal(ac_ns_(-1.5e-9), -1);
	assert_int_equal(ac_ns_(-0.5e-9), 0);
	assert_int_equal(ac_ns_(nextafter(0, -1)), 0);
}

/* A task that is due a nanosecond early is early. */
static void never_less_than_asked_and_less_than_one_more(void **state)
{
	unsigned seed = 5;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		double s = ldexp((double)rand_r(&seed) - RAND_MAX / 2, rand_r(&seed) % 34 - 50);
		double ns = s * 1e9;

		assert_true((double)ac_ns_(s) >= ns);
		assert_true((double)ac_ns_(s) - ns < 1);
	}
}

static void not_a_number_is_told(void **state)
{
	(void)state;
	assert_int_equal(ac_ns_(NAN), -1);
	assert_int_equal(ac_ns_(-NAN), -1);
}

static void infinity_and_what_is_huge_are_far_away(void **state)
{
	static const double huge[] = { INFINITY, DBL_MAX, 1e300, 1e30, 1e10, 2305843009.3 };

	(void)state;
	for (size_t i = 0; i < sizeof(huge) / sizeof(huge[0]); i++) {
		assert_int_equal(ac_ns_(huge[i]), FAR_AWAY);
		assert_int_equal(ac_ns_(-huge[i]), -FAR_AWAY);
	}
}

static void edge_of_far_away_is_no_jump(void **state)
{
	double edge = ldexp(1, 61) / 1e9; /* FAR_AWAY + 1 nanoseconds */
	int64_t last = 0;

	(void)state;
	for (double s = edge * (1 - 1e-12); s < edge * (1 + 1e-12); s = nextafter(s, INFINITY)) {
		int64_t ns = ac_ns_(s);

		assert_true(ns >= last && ns <= FAR_AWAY);
		assert_true(ac_ns_(-s) <= -last);
		last = ns;
	}
	assert_int_equal(last, FAR_AWAY);
}

/* 73 years from now, and that long from there, still fits. */
static void far_away_can_be_added_to_now(void **state)
{
	int64_t due, later;

	(void)state;
	assert_false(__builtin_add_overflow(ac_clock_(), ac_ns_(INFINITY), &due));
	assert_false(__builtin_add_overflow(due, ac_ns_(INFINITY), &later));
	assert_true(later > due);
}

static void clock_does_not_go_back(void **state)
{
	int64_t last = ac_clock_(), begin = last, now = last;
	struct timespec t;

	(void)state;
	for (int i = 0; i < 100000; i++, last = now)
		assert_true((now = ac_clock_()) >= last);
	assert_true(now > begin);
	clock_gettime(CLOCK_MONOTONIC, &t);
	assert_true((int64_t)t.tv_sec * 1000000000 + t.tv_nsec >= now);
	usleep(20000);
	assert_true(ac_clock_() - now >= 20000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(part_of_a_nanosecond_is_a_whole_one),
		cmocka_unit_test(zero_is_zero_with_either_sign),
		cmocka_unit_test(negative_is_rounded_up_too),
		cmocka_unit_test(never_less_than_asked_and_less_than_one_more),
		cmocka_unit_test(not_a_number_is_told),
		cmocka_unit_test(infinity_and_what_is_huge_are_far_away),
		cmocka_unit_test(edge_of_far_away_is_no_jump),
		cmocka_unit_test(far_away_can_be_added_to_now),
		cmocka_unit_test(clock_does_not_go_back),
	};

	return RUN(tests);
}
