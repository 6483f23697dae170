/* test_pick.c — pick.c: pollers by name, the best one, the room for what they find, and milliseconds. */
#include "poller_cases.h"

#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>

#ifdef AC_WITH_URING
#define NAMES "io_uring", "epoll", "poll", "select"
#else
#define NAMES "epoll", "poll", "select"
#endif
#define COUNT (sizeof((const char *[]){ NAMES }) / sizeof(char *))

static void every_name_gives_its_poller(void **state)
{
	static const char *const names[] = { NAMES };
	char listed[64] = "";

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		struct ac_poller *p = NULL;

		assert_int_equal(ac_poller_new_(names[i], &p), 0);
		assert_string_equal(p->cls->name, names[i]);
		assert_true(ac_has(names[i]));
		strcat(strcat(listed, i ? ", " : ""), names[i]);
		ac_poller_free_(p);
	}
	assert_string_equal(ac_poller_names_(),
	                    listed); /* what the log tells who asks for another */
}

static void no_name_gives_the_best(void **state)
{
	struct ac_poller *p = NULL;

	(void)state;
	assert_int_equal(ac_poller_new_(NULL, &p), 0);
	assert_string_equal(p->cls->name, p->refused ? "epoll" : ((const char *[]){ NAMES })[0]);
	ac_poller_free_(p);
}

static void unknown_name_is_refused(void **state)
{
	static const char *const bad[] = { "", "kqueue", "EPOLL", "epoll ", "epol", "epoll2" };
	struct ac_poller *p = made;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(ac_poller_new_(bad[i], &p), -EINVAL);
		assert_ptr_equal(p, made); /* untouched */
		assert_false(ac_has(bad[i]));
	}
}

static void features_are_words_and_nothing_is_none(void **state)
{
	(void)state;
	assert_true(ac_has("sendfile") && ac_has("ipv6") && ac_has("unix"));
	assert_false(ac_has(NULL)); /* not "the best one" */
	assert_false(ac_has("sendfiles"));
}

static void free_of_no_poller_is_fine(void **state)
{
	(void)state;
	ac_poller_free_(NULL);
}

/* The count of allocations and descriptors when the case is over tells what was left. */
static void poller_that_fails_leaves_nothing(void **state)
{
	static const char *const names[] = { NAMES };
	struct rlimit old, none;
	struct ac_poller *p = NULL;

	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		for (long nth = 1; nth <= 2; nth++) {
			fail_allocation(nth, false);
			assert_int_equal(ac_poller_new_(names[i], &p), -ENOMEM);
			assert_true(allocation_failed());
		}
	fail_allocation(0, false);
	getrlimit(RLIMIT_NOFILE, &old);
	none = (struct rlimit){ 0, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(ac_poller_new_("epoll", &p), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_null(p);
}

static void room_grows_and_keeps_what_is_in_it(void **state)
{
	size_t cap = made->cap;
	struct ac_found *before = made->found;

	(void)state;
	assert_int_equal(ac_poller_room_(made, cap), 0);
	assert_ptr_equal(made->found, before);
	for (size_t i = 0; i < cap; i++)
		made->found[i] = (struct ac_found){ i, AC_IN };
	fail_allocation(1, false);
	assert_int_equal(ac_poller_room_(made, cap + 1), -ENOMEM);
	assert_int_equal(made->cap, cap);
	assert_int_equal(ac_poller_room_(made, 5 * cap), 0);
	assert_true(made->cap >= 5 * cap);
	made->found[5 * cap - 1].token = 1;
	for (size_t i = 0; i < cap; i++)
		assert_int_equal(made->found[i].token, i);
}

static void milliseconds_are_rounded_up_and_clamped(void **state)
{
	(void)state;
	assert_int_equal(ac_poller_ms_(-1), -1);
	assert_int_equal(ac_poller_ms_(INT64_MIN), -1);
	assert_int_equal(ac_poller_ms_(-MS), -1);
	assert_int_equal(ac_poller_ms_(0), 0);
	assert_int_equal(ac_poller_ms_(1), 1);
	assert_int_equal(ac_poller_ms_(MS - 1), 1);
	assert_int_equal(ac_poller_ms_(MS), 1);
	assert_int_equal(ac_poller_ms_(MS + 1), 2);
	assert_int_equal(ac_poller_ms_(INT_MAX * MS), INT_MAX);
	assert_int_equal(ac_poller_ms_(INT_MAX * MS + 1), INT_MAX);
	assert_int_equal(ac_poller_ms_(INT64_MAX / 4), INT_MAX);
	assert_int_equal(ac_poller_ms_(INT64_MAX), INT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(every_name_gives_its_poller, epoll),
		ON(no_name_gives_the_best, epoll),
		ON_POLLER(unknown_name_is_refused, epoll),
		cmocka_unit_test(features_are_words_and_nothing_is_none),
		cmocka_unit_test(free_of_no_poller_is_fine),
		ON(poller_that_fails_leaves_nothing, epoll),
		ON_POLLER(room_grows_and_keeps_what_is_in_it, poll),
		cmocka_unit_test(milliseconds_are_rounded_up_and_clamped),
	};

	return RUN(tests);
}
