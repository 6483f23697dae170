/*
 * micro_tasks.c — timers without sockets: nanoseconds to insert, to cancel, to set anew and to expire one.
 *
 *	micro_tasks [--quick]
 *
 * insert and cancel: from none to N pending, due at random between 1 and 60 seconds, and back in the order of
 * insertion. churn: with N pending, one at random is cancelled and set anew, as idle timeouts are; it pays
 * for the cache misses that the other two do not have. expire: N due at random within a second, all
 * run in one pass when it is over, the callback counts. Everything is done inside a handler of
 * the loop, where libraries need not ask the clock each time. Medians of several repetitions.
 */
#include "micro_tasks.h"
#include "micro.h"

#include <malloc.h>
#include <string.h>

#define REPETITIONS 64
#define CHURNED 100000
#define SECOND 1000000000.0

size_t fired;

static const struct timers *t;
static struct delay *long_delays, *short_delays;
static uint32_t *order;
static size_t count, churned;
static double insert_ns, cancel_ns, churn_ns; /* of the last repetition, in all */

static void set_delay(struct delay *d, double seconds)
{
	d->ms = (uint64_t)(seconds * 1000);
	d->seconds = (double)d->ms / 1000;
	d->tv.tv_sec = (time_t)(d->ms / 1000);
	d->tv.tv_usec = (suseconds_t)(d->ms % 1000 * 1000);
}

static void make_delays(void)
{
	uint64_t state = 88172645463325252u;

	long_delays = calloc(count, sizeof(*long_delays));
	short_delays = calloc(count, sizeof(*short_delays));
	order = calloc(count, sizeof(*order));
	if (!long_delays || !short_delays || !order)
		micro_die("no memory");
	for (size_t i = 0; i < count; i++) {
		size_t other = micro_random(&state) % (i + 1);

		set_delay(&long_delays[i], 1 + (double)(micro_random(&state) % 59000) / 1000);
		set_delay(&short_delays[i], (double)(1 + micro_random(&state) % 998) / 1000);
		order[i] = order[other];
		order[other] = (uint32_t)i;
	}
}

static void free_delays(void)
{
	free(long_delays);
	free(short_delays);
	free(order);
}

static void set_and_cancel(void)
{
	double start = micro_now(), filled, again;

	t->insert(long_delays, count);
	filled = micro_now();
	t->churn(order, long_delays, churned);
	again = micro_now();
	t->cancel(count);
	cancel_ns = micro_now() - again;
	churn_ns = again - filled;
	insert_ns = filled - start;
}

static void set_short(void)
{
	t->insert(short_delays, count);
}

static void wait_until(double when)
{
	double left = when - micro_now();
	struct timespec pause = { (time_t)(left / SECOND), 0 };

	if (left <= 0)
		return;
	pause.tv_nsec = (long)(left - (double)pause.tv_sec * SECOND);
	nanosleep(&pause, NULL);
}

static double expire_all(void)
{
	double start, due = 0;

	fired = 0;
	t->inside(set_short);
	due = micro_now() + 1.01 * SECOND;
	wait_until(due);
	start = micro_now();
	while (fired < count && micro_now() < due + 10 * SECOND)
		t->pass();
	if (fired != count)
		micro_die("timers did not all expire");
	return micro_now() - start;
}

static void measure_setting(unsigned repetitions)
{
	double insert[REPETITIONS], cancel[REPETITIONS], churn[REPETITIONS];

	for (unsigned i = 0; i < repetitions; i++) {
		t->inside(set_and_cancel);
		insert[i] = insert_ns / (double)count;
		cancel[i] = cancel_ns / (double)count;
		churn[i] = churn_ns / (double)churned;
	}
	micro_print("tasks", "insert", t->peer, count, micro_median(insert, repetitions), "ns");
	micro_print("tasks", "cancel", t->peer, count, micro_median(cancel, repetitions), "ns");
	micro_print("tasks", "churn", t->peer, count, micro_median(churn, repetitions), "ns");
}

static void measure_expiry(unsigned repetitions)
{
	double expire[REPETITIONS];

	for (unsigned i = 0; i < repetitions; i++)
		expire[i] = expire_all() / (double)count;
	micro_print("tasks", "expire", t->peer, count, micro_median(expire, repetitions), "ns");
}

static void measure(size_t n, int quick)
{
	unsigned setting = n <= 10000 ? REPETITIONS : 5;

	count = n;
	churned = n < CHURNED ? n : CHURNED;
	make_delays();
	t->init(n);
	measure_setting(quick && n > 10000 ? 2 : setting);
	measure_expiry(quick ? 1 : 3);
	t->done();
	free_delays();
}

int main(int argc, char **argv)
{
	int quick = argc > 1 && strcmp(argv[1], "--quick") == 0;

	/* Memory that was freed is kept for the next repetition, as it is in a program that goes on. */
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	for (size_t i = 0; all_timers[i]; i++) {
		t = all_timers[i];
		for (size_t n = 1000; n <= 1000000; n *= quick ? 1000 : 10)
			measure(n, quick);
	}
	return 0;
}
