/* test_wheel.c — wheel.c against a list that is searched: never early, never lost, in order. */
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
static long added;

static void add(struct model *m, int64_t due)
{
	m->t.due = due;
	m->number = added++;
	ac_wheel_add_(&wheel, &m->t);
}

static int64_t ceil_ms(int64_t ns)
{
	return (ns + MS - 1) / MS * MS;
}

static int64_t earliest(void)
{
	int64_t least = -1;

	for (int i = 0; i < TASKS; i++)
		if (tasks[i].t.link && (least < 0 || tasks[i].t.due < least))
			least = tasks[i].t.due;
	return least;
}

/* Takes out what is due: by deadline, equal ones as they were added; nothing that is not yet due. */
static void take_due(int64_t now)
{
	int64_t last = -1;
	long last_number = -1;

	ac_wheel_advance_(&wheel, now);
	while (wheel.due.head) {
		struct model *m = (struct model *)wheel.due.head;

		assert_true(m->t.due <= now);
		assert_true(m->t.due > last || (m->t.due == last && m->number > last_number));
		last = m->t.due;
		last_number = m->number;
		ac_wheel_remove_(&wheel, &m->t);
	}
	if (earliest() >= 0)
		assert_true(ceil_ms(earliest()) > now / MS * MS);
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
	int64_t now = 4294967290ll * MS; /* 32 bits of milliseconds are about to overflow */

	(void)state;
	ac_wheel_init_(&wheel, now);
	memset(tasks, 0, sizeof(tasks));
	for (int round = 0; round < 60000; round++) {
		struct model *m = &tasks[(unsigned)rand_r(&seed) % TASKS];
		int64_t next;

		if (m->t.link)
			ac_wheel_remove_(&wheel, &m->t);
		else
			add(m, now + some_time(&seed));
		next = ac_wheel_next_(&wheel);
		assert_int_equal(next < 0, earliest() < 0);
		if (next > 0)
			assert_true(next <= ceil_ms(earliest()));
		if (rand_r(&seed) % 3 == 0) {
			now += some_time(&seed) % (70000 * MS);
			take_due(now);
		}
	}
}

/* Going from one stop to the next reaches every deadline, and does not stand still. */
static void stops_lead_to_every_deadline(void **state)
{
	static const int64_t ms[] = { 1,     255,   256,      257,      65535,
		                      65536, 65537, 16777215, 16777216, 4294967296 };
	int64_t now = 0;
	int stops = 0;

	(void)state;
	ac_wheel_init_(&wheel, now);
	memset(tasks, 0, sizeof(tasks));
	for (int i = 0; i < 10; i++)
		add(&tasks[i], ms[i] * MS);
	for (int i = 0; i < 10;) {
		int64_t next = ac_wheel_next_(&wheel);

		assert_true(next > now);
		assert_true(++stops < 60);
		now = next;
		ac_wheel_advance_(&wheel, now);
		if (now < ms[i] * MS) {
			assert_null(wheel.due.head);
			continue;
		}
		assert_ptr_equal(wheel.due.head, &tasks[i].t);
		assert_int_equal(now, ms[i] * MS);
		ac_wheel_remove_(&wheel, &tasks[i++].t);
	}
	assert_int_equal(ac_wheel_next_(&wheel), -1);
	assert_int_equal(wheel.count, 0);
}

static void far_away_is_kept(void **state)
{
	(void)state;
	ac_wheel_init_(&wheel, 5 * MS);
	memset(tasks, 0, sizeof(tasks));
	add(&tasks[0], ac_ns_(INFINITY));
	ac_wheel_advance_(&wheel, 86400000 * MS);
	assert_null(wheel.due.head);
	assert_true(ac_wheel_next_(&wheel) > 0);
	ac_wheel_remove_(&wheel, &tasks[0].t);
	assert_int_equal(ac_wheel_next_(&wheel), -1);
}

int main(void)
{
	const struct CMUnitTest tests_[] = {
		cmocka_unit_test(like_a_sorted_list),
		cmocka_unit_test(stops_lead_to_every_deadline),
		cmocka_unit_test(far_away_is_kept),
	};

	return RUN(tests_);
}
