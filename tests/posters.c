/* posters.c — see posters.h. */
#include "posters.h"

#include <sched.h>

int run_number(void *arg)
{
	const struct number *n = arg;

	n->poster->out_of_order |= n->number != n->poster->next;
	n->poster->next++;
	return 0;
}

int count_up(void *arg)
{
	++*(int *)arg;
	return 0;
}

int leave(void *arg)
{
	(void)arg;
	return AC_EXIT;
}

/* Until all are posted, or the map is gone. */
static void *post_numbers(void *arg)
{
	struct poster *p = arg;

	for (int i = 0; i < p->count && p->refused == 0; i++) {
		int r;

		while ((r = ac_post(p->map, p->fn, &p->numbers[i])) == -ENOBUFS)
			sched_yield();
		p->posted += r == 0;
		p->refused += r != 0;
	}
	return NULL;
}

struct poster *poster_new(struct ac_map *map, ac_task_fn *fn, int count)
{
	struct poster *p = calloc(1, sizeof(*p) + (size_t)count * sizeof(p->numbers[0]));

	assert_non_null(p);
	p->map = map;
	p->fn = fn;
	p->count = count;
	for (int i = 0; i < count; i++)
		p->numbers[i] = (struct number){ p, i };
	return p;
}

void go(struct poster *p)
{
	assert_int_equal(pthread_create(&p->thread, NULL, post_numbers, p), 0);
}

void finish(struct poster *p)
{
	pthread_join(p->thread, NULL);
	assert_int_equal(p->next, p->posted);
	assert_false(p->out_of_order);
	free(p);
}

int all_run(struct poster *posters[])
{
	int n = 0;

	for (int i = 0; i < THREADS; i++)
		n += posters[i]->next;
	return n;
}

void quiet(void *arg, enum ac_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	(void)text;
}
