/* test_offload.c — what blocks is done in another thread: its way back, its limits, its end. */
#include "harness.h"

#include <asyncore/threads.h>
#include <pthread.h>
#include <signal.h>

struct work {
	pthread_t worker, owner;
	int result, calls;
	bool signals_blocked;
};

static int answer(void *arg)
{
	struct work *k = arg;
	sigset_t now;

	k->worker = pthread_self();
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	k->signals_blocked = sigismember(&now, SIGTERM) == 1;
	return 42;
}

static int take_answer(void *arg, int result)
{
	struct work *k = arg;

	k->owner = pthread_self();
	k->result = result;
	k->calls++;
	return 0;
}

/* The loop has nothing but the job to wait for. */
static void job_runs_elsewhere_and_comes_back(void **state)
{
	struct world *w = *state;
	struct work k = { .calls = 0 };

	assert_int_equal(ac_offload(w->map, answer, NULL, &k), -EINVAL);
	assert_int_equal(ac_offload(w->map, answer, take_answer, &k), 0);
	assert_int_equal(ac_loop(w->map, NULL), 0);
	assert_int_equal(k.calls, 1);
	assert_int_equal(k.result, 42);
	assert_true(k.signals_blocked);
	assert_true(pthread_equal(k.owner, pthread_self()));
	assert_false(pthread_equal(k.worker, pthread_self()));
	assert_int_equal(ac_post(w->map, answer, &k), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(job_runs_elsewhere_and_comes_back),
	};

	return RUN(tests);
}
