/*
 * test_reentry.c — handlers that reach into the loop: passes inside passes, channels made and closed where nobody
 * expects it.
 */
#include "harness.h"

/* ---- passes in passes ---- */
static struct rec *outer;

static int run_a_pass(struct rec *r)
{
	ac_poll(r->c.d.map, 0);
	return ac_push(&r->c, "after", 5);
}

static int close_outer(struct rec *r)
{
	(void)r;
	ac_close(&outer->c.d);
	return 0;
}

static void channel_closed_in_a_pass_its_own_handler_runs(void **state)
{
	struct world *w = *state;
	int fd, other, total = 0;
	struct rec *inner;
	const char *trace;

	outer = rec_pair(w, &fd);
	inner = rec_pair(w, &other);
	outer->counter = &total;
	trace = outer->trace;
	ac_set_terminator(&outer->c, "\n", 1);
	ac_set_terminator(&inner->c, "\n", 1);
	outer->on_found = run_a_pass;
	inner->on_found = close_outer;
	put(fd, "a\nb\n");
	put(other, "x\n");
	passes(w, 2);
	assert_string_equal(trace, "C(a)FX");
	assert_string_equal(inner->trace, "C(x)F");
	assert_int_equal(total, 1);
	assert_true(ended(fd));
	close(fd);
	close(other);
}

static int free_the_map(struct rec *r)
{
	ac_map_free(r->c.d.map);
	return 0;
}

static void map_freed_in_an_inner_pass_lives_until_the_outer_has_ended(void **state)
{
	struct world *w = *state;
	int fd, other, total = 0;
	struct rec *inner;

	outer = rec_pair(w, &fd);
	inner = rec_pair(w, &other);
	outer->counter = inner->counter = &total;
	ac_set_terminator(&outer->c, "\n", 1);
	ac_set_terminator(&inner->c, "\n", 1);
	outer->on_found = run_a_pass;
	inner->on_found = free_the_map;
	put(fd, "a\n");
	put(other, "x\n");
	ac_poll(w->map, 0);
	assert_int_equal(total, 2);
	w->map = NULL;
	close(fd);
	close(other);
}

static int depth, deepest;

static int dive(void *arg)
{
	struct world *w = arg;

	deepest = ++depth > deepest ? depth : deepest;
	if (depth < 30) {
		ac_call_later(w->map, 0, dive, w);
		ac_poll(w->map, 0);
	}
	depth--;
	return 0;
}

static void thirty_passes_inside_each_other(void **state)
{
	struct world *w = *state;
	int fd;
	struct rec *r = rec_pair(w, &fd);

	depth = deepest = 0;
	ac_call_later(w->map, 0, dive, w);
	put(fd, "x");
	ac_poll(w->map, 0.01);
	assert_int_equal(deepest, 30);
	assert_string_equal(r->trace, "C(x)");
	close(fd);
}

/* ---- channels made where nobody expects it ---- */
static bool gate_is_open;
static int born_fd;
static struct rec *born;

static bool gate(struct ac_dispatcher *d)
{
	(void)d;
	return gate_is_open;
}

static const struct ac_chat_class gated_class = {
	.d = { .super = &rec_class.d, .name = "gated", .readable = gate },
};

static bool bear(struct ac_dispatcher *d)
{
	int fds[2];

	if (born || !ac_connected(d))
		return true;
	unix_pair(fds);
	born = (struct rec *)ac_adopt(d->map, &gated_class.d, fds[0], NULL);
	born_fd = fds[1];
	return true;
}

static const struct ac_chat_class mother_class = {
	.d = { .super = &rec_class.d, .name = "mother", .readable = bear },
};

static void channel_made_by_a_predicate_is_asked_like_any_other(void **state)
{
	struct world *w = *state;
	int fds[2];

	gate_is_open = false;
	born = (struct rec *)1; /* not yet */
	unix_pair(fds);
	assert_non_null(ac_adopt(w->map, &mother_class.d, fds[0], NULL));
	passes(w, 1);
	born = NULL;
	passes(w, 1); /* asked before the wait: here it is made */
	assert_non_null(born);
	born->trace = new_trace(w);
	put(born_fd, "hello");
	passes(w, 3);
	assert_string_equal(born->trace, "");
	gate_is_open = true;
	passes(w, 3);
	assert_string_equal(born->trace, "C(hello)");
	close(born_fd);
	close(fds[1]);
}

static int asked;

static bool poll_when_asked(struct ac_dispatcher *d)
{
	asked++;
	assert_true(asked < 1000);
	if (ac_connected(d))
		ac_poll(d->map, 0);
	return true;
}

static const struct ac_chat_class asking_class = {
	.d = { .super = &rec_class.d, .name = "asking", .readable = poll_when_asked },
};

static void predicate_that_runs_a_pass_does_so_once_each_time(void **state)
{
	struct world *w = *state;
	struct rec *r;
	int fds[2];

	asked = 0;
	unix_pair(fds);
	r = (struct rec *)ac_adopt(w->map, &asking_class.d, fds[0], NULL);
	r->trace = new_trace(w);
	put(fds[1], "x");
	passes(w, 3);
	assert_string_equal(r->trace, "C(x)");
	close(fds[1]);
}

static int births;

static int be_born_again(struct rec *r)
{
	struct rec *next;
	int fds[2];

	if (++births > 50)
		return 0;
	unix_pair(fds);
	next = (struct rec *)ac_adopt(r->c.d.map, &rec_class.d, fds[0], NULL);
	close(fds[1]);
	if (next)
		next->on_close = be_born_again;
	return 0;
}

static void closing_all_ends_though_handle_close_connects_anew(void **state)
{
	struct world *w = *state;
	int fd;
	struct rec *r = rec_pair(w, &fd);

	births = 0;
	r->on_close = be_born_again;
	ac_close_all(w->map, false);
	assert_int_equal(births, 1);
	assert_int_equal(ac_map_channels(w->map), 1); /* born meanwhile: it lives */
	ac_map_free(w->map);
	w->map = NULL;
	assert_int_equal(births, 2); /* and then the map takes no more */
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(channel_closed_in_a_pass_its_own_handler_runs),
		EACH(map_freed_in_an_inner_pass_lives_until_the_outer_has_ended),
		EACH(thirty_passes_inside_each_other),
		EACH(channel_made_by_a_predicate_is_asked_like_any_other),
		EACH(predicate_that_runs_a_pass_does_so_once_each_time),
		EACH(closing_all_ends_though_handle_close_connects_anew),
	};

	return RUN(tests);
}
