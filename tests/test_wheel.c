/*
 * test_wheel.c — wheel.c against a list that is kept sorted: never early, never lost, in order.
 *
 * The model holds the same tasks by deadline, equal ones as they were added; after each step the due list
 * must be exactly the model's front.
 */
#include "harness.h"

#include <math.h>
#include <stdlib.h>

#include "../src/base/base.h"

#define TASKS 400
#define MS 1000000ll

struct model {
	struct ac_task t;
	long number; /* in which order it was added */
};

static struct ac_wheel wheel;
static struct model tasks[TASKS];
static struct model *sorted[TASKS];
static int sorted_count;
static long added;
static int64_t now;

static void begin(int64_t at)
{
	now = at;
	ac_wheel_init_(&wheel, now);
	memset(tasks, 0, sizeof(tasks));
	sorted_count = 0;
	added = 0;
}

static void add(struct model *m, int64_t due)
{
	int at = sorted_count++;

	m->t.due = due;
	m->number = added++;
	ac_wheel_add_(&wheel, &m->t);
	for (; at > 0 && sorted[at - 1]->t.due > due; at--)
		sorted[at] = sorted[at - 1];
	sorted[at] = m;
}

static void take(struct model *m)
{
	int at = 0;

	ac_wheel_remove_(&wheel, &m->t);
	assert_null(m->t.link);
	while (sorted[at] != m)
		at++;
	for (sorted_count--; at < sorted_count; at++)
		sorted[at] = sorted[at + 1];
}

static int64_t ceil_ms(int64_t ns)
{
	return ns <= 0 ? 0 : (ns + MS - 1) / MS * MS;
}

/* What is in the due list is what the model has first, and that is all that is due. */
static void check_due(void)
{
	struct ac_task *const *link = &wheel.due.head;
	int count = 0;

	for (; *link; link = &(*link)->next, count++) {
		struct model *m = (struct model *)*link;

		assert_true(count < sorted_count);
		assert_ptr_equal(m, sorted[count]);
		assert_ptr_equal(m->t.link, link);
		assert_true(ceil_ms(m->t.due) <= now / MS * MS);
	}
	assert_ptr_equal(wheel.due.tail, link);
	assert_int_equal(wheel.count, sorted_count);
	if (count < sorted_count)
		assert_true(ceil_ms(sorted[count]->t.due) > now / MS * MS);
}

/* Never later than the first deadline, and never the present tick again. */
static void check_next(void)
{
	int64_t next = ac_wheel_next_(&wheel);

	if (sorted_count == 0)
		assert_int_equal(next, -1);
	else if (wheel.due.head)
		assert_int_equal(next, 0);
	else
		assert_true(next > wheel.tick * MS && next <= ceil_ms(sorted[0]->t.due));
}

static void go(int64_t to)
{
	now = to;
	ac_wheel_advance_(&wheel, now);
	check_due();
}

static void take_all_due(void)
{
	while (wheel.due.head)
		take((struct model *)wheel.due.head);
}

static int64_t some_time(unsigned *seed)
{
	static const int64_t reaches[] = { 1, 3, 250, 260, 65530, 66000, 17000000, 5000000000ll };
	int64_t reach = reaches[(unsigned)rand_r(seed) % 8];

	return ((int64_t)rand_r(seed) * 100003 + rand_r(seed)) % (reach * MS);
}

static void like_a_sorted_list(void **state)
{
	unsigned seed = 7;

	(void)state;
	begin(4294967290ll * MS); /* 32 bits of milliseconds are about to overflow */
	for (int round = 0; round < 100000; round++) {
		struct model *m = &tasks[(unsigned)rand_r(&seed) % TASKS];

		if (m->t.link)
			take(m); /* from its slot, or from among those that are due */
		else if (rand_r(&seed) % 4)
			add(m, now + some_time(&seed));
		else if (sorted_count) /* the same deadline as another one */
			add(m, sorted[(unsigned)rand_r(&seed) % (unsigned)sorted_count]->t.due);
		check_next();
		if (rand_r(&seed) % 3 == 0)
			go(now + some_time(&seed) % (70000 * MS));
		if (rand_r(&seed) % 5 == 0)
			take_all_due();
	}
	take_all_due();
	while (sorted_count) {
		go(ceil_ms(sorted[0]->t.due));
		assert_non_null(wheel.due.head);
		take_all_due();
	}
	check_next();
}

static void equal_deadlines_come_as_they_were_added(void **state)
{
	static const int64_t away[] = { 1, 255, 256, 65536, 16777216 };

	(void)state;
	for (size_t i = 0; i < sizeof(away) / sizeof(away[0]); i++) {
		int64_t due;

		begin(1000 * MS);
		due = now + away[i] * MS;
		for (int k = 0; k < 10; k++)
			add(&tasks[k], due);
		go(due - MS); /* those that follow take another path */
		for (int k = 10; k < 20; k++)
			add(&tasks[k], due);
		take(&tasks[5]);
		add(&tasks[5], due);
		go(due);
		assert_int_equal(sorted_count, 20);
		for (int k = 0; k < 5; k++)
			assert_ptr_equal(sorted[k], &tasks[k]);
		assert_ptr_equal(sorted[19], &tasks[5]);
	}
}

static void deadlines_within_one_tick_are_sorted(void **state)
{
	unsigned seed = 2;

	(void)state;
	begin(77 * MS);
	for (int i = 0; i < TASKS; i++)
		add(&tasks[i], 300 * MS + 1 + rand_r(&seed) % MS);
	go(300 * MS);
	assert_null(wheel.due.head);
	go(301 * MS);
	assert_non_null(wheel.due.head);
}

/* Set when its time has passed already: by deadline with all that is due, not in order of setting. */
static void overdue_ones_are_sorted_too(void **state)
{
	(void)state;
	begin(1000 * MS);
	add(&tasks[0], 1001 * MS);
	add(&tasks[1], 900 * MS);
	add(&tasks[2], 100 * MS);
	add(&tasks[3], 0);
	add(&tasks[4], -5);
	add(&tasks[5], 100 * MS);
	assert_int_equal(ac_wheel_next_(&wheel), 0);
	go(1000 * MS);
	assert_ptr_equal(wheel.due.head, &tasks[4].t);
	go(1001 * MS);
	assert_ptr_equal(sorted[5], &tasks[0]);
	add(&tasks[6], 950 * MS);
	go(1001 * MS); /* also where the clock has not moved */
	take_all_due();
	check_next();
}

static void never_a_nanosecond_early(void **state)
{
	static const int64_t away[] = { 1, 999999, MS, MS + 1, 255 * MS, 256 * MS + 1, 65536 * MS };

	(void)state;
	for (int64_t base = 0; base < 3 * MS; base += 499999)
		for (size_t i = 0; i < sizeof(away) / sizeof(away[0]); i++) {
			begin(base);
			add(&tasks[0], base + away[i]);
			go(base + away[i] - 1);
			assert_null(wheel.due.head);
			go(ceil_ms(base + away[i]));
			assert_non_null(wheel.due.head);
		}
}

/* From and to each side of where one level of the wheel hands over to the next. */
static void every_boundary_from_every_boundary(void **state)
{
	static const int64_t ticks[] = { 0,        1,        254,      255,        256,
		                         257,      511,      512,      65534,      65535,
		                         65536,    65537,    65791,    65792,      16777215,
		                         16777216, 16777217, 16842752, 4294967295, 4294967296 };
	const size_t count = sizeof(ticks) / sizeof(ticks[0]);

	(void)state;
	for (size_t from = 0; from < count; from++)
		for (size_t over = from; over < count; over++) {
			begin(ticks[from] * MS);
			for (size_t to = 0; to < count; to++)
				add(&tasks[to], ticks[to] * MS);
			go(ticks[over] * MS); /* in one leap */
			for (size_t to = over + 1; to < count; to++) {
				go(ticks[to] * MS - 1);
				go(ticks[to] * MS);
			}
			assert_int_equal(wheel.count, count);
			take_all_due();
			assert_int_equal(wheel.count, 0);
		}
}

/* Going from one stop to the next reaches every deadline, and does not stand still. */
static void stops_lead_to_every_deadline(void **state)
{
	static const int64_t ms[] = { 1,     255,   256,      257,      65535,
		                      65536, 65537, 16777215, 16777216, 4294967296 };
	int stops = 0;

	(void)state;
	begin(0);
	for (int i = 0; i < 10; i++)
		add(&tasks[i], ms[i] * MS);
	for (int i = 0; i < 10;) {
		int64_t next = ac_wheel_next_(&wheel);

		assert_true(next > now);
		assert_true(++stops < 60);
		go(next);
		if (now < ms[i] * MS) {
			assert_null(wheel.due.head);
			continue;
		}
		assert_ptr_equal(wheel.due.head, &tasks[i].t);
		assert_int_equal(now, ms[i] * MS);
		take(&tasks[i++]);
	}
	check_next();
}

static void seventy_three_years_are_kept_and_reached(void **state)
{
	int stops = 0;

	(void)state;
	begin(5 * MS);
	add(&tasks[0], now + ac_ns_(INFINITY));
	add(&tasks[1], now + 2 * ac_ns_(INFINITY));
	go(86400000 * MS);
	assert_null(wheel.due.head);
	for (int i = 0; i < 2; i++) {
		while (!wheel.due.head) {
			assert_true(++stops < 20);
			go(ac_wheel_next_(&wheel));
		}
		assert_int_equal(now, ceil_ms(tasks[i].t.due));
		take(&tasks[i]);
	}
	check_next();
}

static void removal_keeps_first_middle_and_last(void **state)
{
	static const int orders[][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 0, 2 }, { 1, 2, 0 } };

	(void)state;
	for (int due = 0; due < 2; due++)
		for (size_t i = 0; i < 4; i++) {
			begin(0);
			for (int k = 0; k < 3; k++)
				add(&tasks[k], 300 * MS);
			if (due)
				go(300 * MS);
			for (int k = 0; k < 3; k++) {
				take(&tasks[orders[i][k]]);
				check_due();
				check_next();
			}
			add(&tasks[3], 300 * MS); /* the emptied list takes another */
			go(300 * MS);
			assert_ptr_equal(wheel.due.head, &tasks[3].t);
		}
}

static void clock_that_stands_or_steps_back_changes_nothing(void **state)
{
	(void)state;
	begin(1000 * MS);
	add(&tasks[0], 1300 * MS);
	go(1200 * MS);
	ac_wheel_advance_(&wheel, 500 * MS);
	ac_wheel_advance_(&wheel, 1200 * MS);
	check_due();
	assert_int_equal(wheel.tick, 1200);
	add(&tasks[1], 1250 * MS);
	go(1250 * MS);
	assert_ptr_equal(wheel.due.head, &tasks[1].t);
	go(1300 * MS);
	assert_int_equal(wheel.count, 2);
}

int main(void)
{
	const struct CMUnitTest tests_[] = {
		cmocka_unit_test(like_a_sorted_list),
		cmocka_unit_test(equal_deadlines_come_as_they_were_added),
		cmocka_unit_test(deadlines_within_one_tick_are_sorted),
		cmocka_unit_test(overdue_ones_are_sorted_too),
		cmocka_unit_test(never_a_nanosecond_early),
		cmocka_unit_test(every_boundary_from_every_boundary),
		cmocka_unit_test(stops_lead_to_every_deadline),
		cmocka_unit_test(seventy_three_years_are_kept_and_reached),
		cmocka_unit_test(removal_keeps_first_middle_and_last),
		cmocka_unit_test(clock_that_stands_or_steps_back_changes_nothing),
	};

	return RUN(tests_);
}
