/* test_offload.c — what blocks is done in another thread: its way back, its limits, its end, forks. */
#include "harness.h"

#include <asyncore/threads.h>
#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

/* One job, or several that share it. */
struct work {
	struct ac_map *map;
	pthread_t worker, owner;
	sem_t gate; /* what a job that blocks waits for */
	atomic_int started, at_once, most_at_once, cancelled, done;
	int result, answer;
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

/* Of many at once. */
static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int block(void *arg)
{
	struct work *k = arg;

	k->started++;
	while (sem_wait(&k->gate) < 0)
		;
	return 42;
}

static int count_at_once(void *arg)
{
	struct work *k = arg;
	int now = ++k->at_once, most = k->most_at_once;

	while (now > most && !atomic_compare_exchange_weak(&k->most_at_once, &most, now))
		;
	usleep(2000);
	k->at_once--;
	return 0;
}

static int take_answer(void *arg, int result)
{
	struct work *k = arg;

	k->owner = pthread_self();
	k->result = result;
	k->cancelled += result == -ECANCELED;
	k->done++;
	return k->answer;
}

/* Wherever it is called. */
static int count_done(void *arg, int result)
{
	(void)result;
	((struct work *)arg)->done++;
	return 0;
}

static int count_cancelled(void *arg, int result)
{
	((struct work *)arg)->cancelled += result == -ECANCELED;
	return count_done(arg, result);
}

static void wait_for(atomic_int *number, int least)
{
	for (int i = 0; i < 5000 && *number < least; i++)
		usleep(1000);
	assert_true(*number >= least);
}

/* A thread that outlives its map gives back what it holds. */
static void wait_until_given_back(long before)
{
	for (int i = 0; i < 5000 && allocations() != before; i++)
		usleep(1000);
	assert_int_equal(allocations(), before);
}

/* The loop has nothing but the job to wait for. */
static void job_runs_elsewhere_and_comes_back(void **state)
{
	struct world *w = *state;
	struct work k = { .result = 0 };

	assert_int_equal(ac_offload(w->map, answer, NULL, &k), -EINVAL);
	assert_int_equal(ac_offload(w->map, NULL, take_answer, &k), -EINVAL);
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(ac_offload(w->map, answer, take_answer, &k), 0);
		assert_int_equal(ac_loop(w->map, NULL), 0);
		assert_int_equal(k.done, i);
	}
	assert_int_equal(k.result, 42);
	assert_true(k.signals_blocked);
	assert_true(pthread_equal(k.owner, pthread_self()));
	assert_false(pthread_equal(k.worker, pthread_self()));
	assert_int_equal(ac_post(w->map, answer, &k),
	                 -ENOENT); /* it has not been opened for them */
}

static void result_of_done_is_taken_as_a_tasks(void **state)
{
	struct world *w = *state;
	struct work k = { .answer = -EDOM };

	assert_int_equal(ac_offload(w->map, answer, take_answer, &k), 0);
	assert_int_equal(ac_loop(w->map, NULL), 0);
	assert_non_null(strstr(w->log, "a job failed (EDOM"));
	k.answer = AC_EXIT;
	assert_int_equal(ac_offload(w->map, answer, take_answer, &k), 0);
	assert_int_equal(ac_open_posts(w->map), 0);
	assert_int_equal(ac_loop(w->map, NULL), 1);
	assert_int_equal(k.done, 2);
}

static void no_more_threads_than_allowed(void **state)
{
	struct world *w = *state;
	static const unsigned threads[] = { 0, 2 };
	static const int most[] = { 4, 2 };

	for (int n = 0; n < 2; n++) {
		struct work k = { .result = 0 };

		w->map = (ac_map_free(w->map),
		          ac_map_new(&(struct ac_map_opts){ .poller = w->poller }));
		assert_int_equal(ac_set_offload(w->map, threads[n], 0), 0);
		for (int i = 0; i < 40; i++)
			assert_int_equal(ac_offload(w->map, count_at_once, take_answer, &k), 0);
		assert_int_equal(ac_loop(w->map, NULL), 0);
		assert_int_equal(k.done, 40);
		assert_in_range(k.most_at_once, 2, most[n]);
	}
}

static void jobs_that_wait_are_bounded(void **state)
{
	struct world *w = *state;
	struct work k = { .result = 0 };
	const char *line;

	sem_init(&k.gate, 0, 0);
	assert_int_equal(ac_set_offload(w->map, 1, 3), 0);
	assert_int_equal(ac_offload(w->map, block, take_answer, &k), 0);
	wait_for(&k.started, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ac_offload(w->map, block, take_answer, &k), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(ac_offload(w->map, block, take_answer, &k), -ENOBUFS);
	line = strstr(w->log, "jobs are refused: 3 wait");
	assert_non_null(line);
	assert_null(strstr(line + 1, "jobs are refused"));
	sem_post(&k.gate);
	UNTIL(w, k.done == 1);
	wait_for(&k.started, 2);
	assert_int_equal(ac_offload(w->map, block, take_answer, &k), 0);
	for (int i = 0; i < 4; i++)
		sem_post(&k.gate);
	assert_int_equal(ac_loop(w->map, NULL), 0);
	assert_int_equal(k.done, 5);
	sem_destroy(&k.gate);
}

/* The gate opens only afterwards: freeing waits for nobody. What runs comes back in its own thread. */
static void map_goes_while_jobs_run_and_wait(void **state)
{
	struct world *w = *state;
	long before = allocations();
	struct ac_map *map = ac_map_new(&(struct ac_map_opts){ .poller = w->poller });
	struct work runs = { .result = 0 }, waits = { .result = 0 };

	sem_init(&runs.gate, 0, 0);
	assert_int_equal(ac_set_offload(map, 2, 0), 0);
	assert_int_equal(ac_offload(map, block, count_cancelled, &runs), 0);
	assert_int_equal(ac_offload(map, block, count_cancelled, &runs), 0);
	wait_for(&runs.started, 2);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ac_offload(map, answer, take_answer, &waits), 0);
	ac_map_free(map);
	assert_int_equal(waits.done, 3);
	assert_int_equal(waits.cancelled, 3);
	assert_true(pthread_equal(waits.owner, pthread_self()));
	assert_int_equal(runs.done, 0);
	assert_int_equal(ac_set_allocator(NULL),
	                 -EBUSY); /* what they hold is still to be given back */
	sem_post(&runs.gate);
	sem_post(&runs.gate);
	wait_for(&runs.done, 2);
	assert_int_equal(runs.cancelled, 2);
	wait_until_given_back(before);
	sem_destroy(&runs.gate);
}

/* A job that has come back, but was not delivered yet, keeps its result. */
static void finished_job_is_told_when_the_map_goes(void **state)
{
	struct world *w = *state;
	struct work k = { .result = 0 };

	sem_init(&k.gate, 0, 1);
	assert_int_equal(ac_offload(w->map, block, take_answer, &k), 0);
	wait_for(&k.started, 1);
	usleep(50000);
	ac_close_all(w->map, false);
	wait_for(&k.done, 1);
	assert_true(k.result == 42 || k.result == -ECANCELED);
	ac_map_free(w->map);
	w->map = NULL;
	wait_until_given_back(0);
	sem_destroy(&k.gate);
}

static int offload_again(void *arg, int result)
{
	struct work *k = arg;

	(void)result;
	if (++k->done < 100)
		return ac_offload(k->map, answer, offload_again, k);
	ac_close_all(k->map, false);
	return 0;
}

static void done_may_offload_and_close_all(void **state)
{
	struct world *w = *state;
	struct work k = { .map = w->map }, rest = { .result = 0 };

	assert_int_equal(ac_offload(w->map, answer, offload_again, &k), 0);
	for (int i = 0; i < 50; i++)
		assert_int_equal(ac_offload(w->map, nothing, count_done, &rest), 0);
	assert_int_equal(ac_loop(w->map, NULL), 0);
	assert_int_equal(k.done, 100);
	wait_for(&rest.done, 50);
	ac_map_free(w->map);
	w->map = NULL;
	wait_until_given_back(0);
}

static int thread_count(void)
{
	DIR *dir = opendir("/proc/self/task");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void threads_end_with_the_map(void **state)
{
	struct world *w = *state;
	struct ac_map *map = ac_map_new(&(struct ac_map_opts){ .poller = w->poller });
	struct work k = { .result = 0 };
	int with_them;

	sem_init(&k.gate, 0, 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(ac_offload(map, block, count_done, &k), 0);
	wait_for(&k.started, 4);
	with_them = thread_count();
	for (int i = 0; i < 4; i++)
		sem_post(&k.gate);
	assert_int_equal(ac_loop(map, NULL), 0);
	ac_map_free(map);
	for (int i = 0; i < 5000 && thread_count() > with_them - 4; i++)
		usleep(1000);
	assert_in_range(thread_count(), 1, with_them - 4);
	sem_destroy(&k.gate);
}

static void no_memory_is_an_error(void **state)
{
	struct world *w = *state;
	struct work k = { .result = 0 };
	int n = 0;

	for (int nth = 1; nth < 100; nth++) {
		int r;

		fail_allocation(nth, true);
		r = ac_offload(w->map, answer, take_answer, &k);
		if (!allocation_failed())
			break;
		assert_int_equal(r, -ENOMEM);
		n++;
	}
	fail_allocation(0, false);
	assert_in_range(n, 2, 90);
	assert_int_equal(ac_loop(w->map, NULL), 0);
	assert_int_equal(k.done, 1);
}

/* None of the threads is here: all comes back, once. */
static int child_serves(struct world *w, struct work *k)
{
	if (ac_loop(w->map, NULL) != 0 || k->done != 3 || k->cancelled != 3)
		return 1;
	if (ac_offload(w->map, answer, take_answer, k) != 0 || ac_loop(w->map, NULL) != 0)
		return 2;
	return k->done == 4 && k->result == 42 ? 0 : 3;
}

static int child_frees(struct world *w, struct work *k)
{
	ac_map_free(w->map);
	return k->done == 3 && k->cancelled == 3 ? 0 : 4;
}

static void child_finds(struct world *w, int (*look)(struct world *w, struct work *k),
                        struct work *k)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(look(w, k));
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void forked_child_has_its_jobs_back(void **state)
{
	struct world *w = *state;
	struct work k = { .result = 0 };

	sem_init(&k.gate, 0, 0);
	assert_int_equal(ac_set_offload(w->map, 1, 0), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ac_offload(w->map, block, take_answer, &k), 0);
	wait_for(&k.started, 1);
	child_finds(w, child_serves, &k);
	child_finds(w, child_frees, &k);
	assert_int_equal(k.done, 0);
	for (int i = 0; i < 3; i++)
		sem_post(&k.gate);
	assert_int_equal(ac_loop(w->map, NULL), 0);
	assert_int_equal(k.done, 3);
	assert_int_equal(k.cancelled, 0);
	sem_destroy(&k.gate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(job_runs_elsewhere_and_comes_back),
		EACH(result_of_done_is_taken_as_a_tasks),
		EACH(no_more_threads_than_allowed),
		EACH(jobs_that_wait_are_bounded),
		EACH(map_goes_while_jobs_run_and_wait),
		EACH(finished_job_is_told_when_the_map_goes),
		EACH(done_may_offload_and_close_all),
		EACH(threads_end_with_the_map),
		EACH(no_memory_is_an_error),
		EACH(forked_child_has_its_jobs_back),
	};

	return RUN(tests);
}
