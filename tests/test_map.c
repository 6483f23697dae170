/* test_map.c — the map's own: map.c, slots.c, class.c, error.c, log.c, loop.c as a guest. */
#include "harness.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

static void keep_line(void *arg, enum ac_log_level level, const char *text)
{
	(void)level;
	snprintf(arg, 256, "%s", text);
}

static void unknown_poller_is_said_with_those_there_are(void **state)
{
	char line[256] = "";
	struct ac_map_opts opts = { .poller = "kqueue", .log = keep_line, .log_arg = line };

	(void)state;
	errno = 0;
	assert_null(ac_map_new(&opts));
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(line, "unknown poller \"kqueue\": this build has "));
}

static void poller_is_the_one_asked_for(void **state)
{
	struct world *w = *state;

	assert_string_equal(ac_map_poller(w->map), w->poller);
	if (strcmp(w->poller, "epoll") == 0 || strcmp(w->poller, "io_uring") == 0)
		assert_true(ac_fd(w->map) >= 0);
	else
		assert_int_equal(ac_fd(w->map), -ENOTSUP);
}

static void *thread(void *arg)
{
	struct ac_map **seen = arg;

	*seen = ac_map_default();
	assert_ptr_equal(*seen, ac_map_default());
	assert_int_equal(ac_loop(NULL, NULL), 0);
	return NULL;
}

static void each_thread_has_its_own_default_map(void **state)
{
	struct ac_map *mine, *other = NULL;
	pthread_t t;

	(void)state;
	mine = ac_map_default();
	assert_non_null(mine);
	pthread_create(&t, NULL, thread, &other);
	pthread_join(t, NULL); /* and its map is freed with it: the leak checkers would tell */
	assert_ptr_not_equal(mine, other);
	ac_map_free(mine);
	mine = ac_map_default();
	assert_non_null(mine);
	ac_map_free(mine);
	ac_map_free(NULL);
}

/* ---- classes ---- */
static int said;

static int base_read(struct ac_dispatcher *d)
{
	(void)d;
	said = said * 10 + 1;
	return -EAGAIN;
}

static int top_read(struct ac_dispatcher *d);

struct shape {
	struct ac_dispatcher d;
	int more[10];
};

struct shape_class {
	struct ac_class d;
	int (*area)(struct shape *s);
	int (*sides)(struct shape *s);
};

static int base_area(struct shape *s)
{
	(void)s;
	return 1;
}

static int base_sides(struct shape *s)
{
	(void)s;
	return 2;
}

static int top_sides(struct shape *s)
{
	(void)s;
	return 4;
}

static const struct shape_class base_shape = {
	.d = { .super = AC_DISPATCHER,
	       .name = "base-shape",
	       .size = sizeof(struct shape),
	       .class_size = sizeof(struct shape_class),
	       .handle_read = base_read,
	       .limits = { [AC_MAX_RECORD] = 99 } },
	.area = base_area,
	.sides = base_sides,
};

static const struct shape_class middle_shape = { .d = { .super = &base_shape.d } };

static const struct shape_class top_shape = {
	.d = { .super = &middle_shape.d, .name = "top-shape", .handle_read = top_read },
	.sides = top_sides,
};

static int top_read(struct ac_dispatcher *d)
{
	said = said * 10 + 2;
	return base_shape.d.handle_read(d);
}

static void methods_are_inherited_through_the_chain(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d = ac_new(w->map, &top_shape.d);
	const struct shape_class *cls = (const struct shape_class *)(const void *)d->cls;

	assert_int_equal(cls->area((struct shape *)d), 1);
	assert_int_equal(cls->sides((struct shape *)d), 4);
	assert_int_equal(ac_limit(d, AC_MAX_RECORD), 99);
	assert_int_equal(d->cls->size, sizeof(struct shape));
	said = 0;
	assert_int_equal(d->cls->handle_read(d), -EAGAIN);
	assert_int_equal(said, 21);
	assert_string_equal(d->cls->name, "top-shape");
}

static void class_smaller_than_its_super_is_refused(void **state)
{
	static const struct ac_class small = { .super = &base_shape.d,
		                               .size = sizeof(struct ac_dispatcher) };
	static const struct ac_class orphan = { .size = 8 };
	static const struct ac_class odd = { .super = AC_DISPATCHER, .class_size = 11 };
	struct world *w = *state;

	assert_null(ac_new(w->map, &small));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ac_last_error(w->map)->code, EINVAL);
	assert_null(ac_new(w->map, &orphan));
	assert_null(ac_new(w->map, &odd));
	assert_null(ac_new(w->map, NULL));
}

/* ---- errors ---- */
static int deep(struct ac_dispatcher *d)
{
	return ac_raisef(d, EPROTO, "byte %d", 7);
}

static int middle(struct ac_dispatcher *d)
{
	AC_TRY(d, deep(d));
	return 0;
}

static int found_fails(struct rec *r)
{
	AC_TRY(r, middle(&r->c.d));
	return 0;
}

static void trace_goes_through_every_line(void **state)
{
	struct world *w = *state;
	char text[512];
	int fd;
	struct rec *r = rec_pair(w, &fd);

	ac_set_terminator(&r->c, "\n", 1);
	r->on_found = found_fails;
	put(fd, "x\n");
	passes(w, 2);
	ac_compact_traceback(ac_last_error(w->map), text, sizeof(text));
	assert_non_null(strstr(text, "(EPROTO: Protocol error: byte 7 ["));
	assert_non_null(strstr(text, "|deep|"));
	assert_non_null(strstr(text, "|middle|"));
	assert_non_null(strstr(text, "|found_fails|"));
	assert_true(strstr(text, "|deep|") < strstr(text, "|middle|"));
	ac_explain(w->map, "prefix");
	assert_non_null(strstr(w->log, "prefix: EPROTO: Protocol error: byte 7"));
	close(fd);
}

static int bare_error(struct ac_chat *c)
{
	(void)c;
	return -EDOM;
}

static const struct ac_chat_class bare_class = {
	.d = { .super = AC_CHAT, .name = "bare" },
	.found_terminator = bare_error,
};

static void bare_error_is_logged_with_its_channel_and_closes(void **state)
{
	struct world *w = *state;
	struct ac_chat *c;
	int fds[2];

	unix_pair(fds);
	c = ac_chat_adopt(w->map, &bare_class, fds[0], NULL);
	ac_set_terminator(c, "\n", 1);
	put(fds[1], "x\n");
	passes(w, 2);
	assert_non_null(strstr(w->log, "uncaptured error, closing channel <bare connected"));
	assert_non_null(strstr(w->log, "(EDOM: "));
	assert_true(ended(fds[1]));
	close(fds[1]);
}

static int fail_too(struct rec *r)
{
	(void)r;
	return -ERANGE;
}

static void error_in_handle_error_closes_and_the_loop_lives(void **state)
{
	struct world *w = *state;
	int fd, other;
	struct rec *r = rec_pair(w, &fd), *o = rec_pair(w, &other);
	const char *trace = r->trace;

	ac_set_terminator(&r->c, "\n", 1);
	ac_set_terminator(&o->c, "\n", 1);
	r->on_found = found_fails;
	r->on_error = fail_too;
	put(fd, "x\n");
	passes(w, 2);
	assert_string_equal(trace, "C(x)FE(EPROTO)X");
	assert_non_null(strstr(w->log, "handle_error failed"));
	put(other, "y\n");
	passes(w, 2);
	assert_string_equal(o->trace, "C(y)F");
	close(fd);
	close(other);
}

/* ---- the map as a whole ---- */
static int count_them(struct ac_dispatcher *d, void *arg)
{
	++*(int *)arg;
	if (*(int *)arg == 2)
		ac_close(d);
	return *(int *)arg == 3 ? 42 : 0;
}

static void walking_the_map_survives_closes(void **state)
{
	struct world *w = *state;
	int fds[5], n = 0;

	for (int i = 0; i < 5; i++)
		rec_pair(w, &fds[i]);
	assert_int_equal(ac_map_channels(w->map), 5);
	assert_int_equal(ac_map_each(w->map, count_them, &n), 42);
	assert_int_equal(n, 3);
	assert_int_equal(ac_map_channels(w->map), 4);
	assert_true(ac_map_memory(w->map) > 4 * sizeof(struct rec));
	for (int i = 0; i < 5; i++)
		close(fds[i]);
}

static int free_map(struct rec *r)
{
	struct world *w = r->arg;

	ac_map_free(w->map);
	w->map = NULL;
	return 0;
}

static void map_freed_in_a_handler_goes_when_the_pass_ends(void **state)
{
	struct world *w = *state;
	struct ac_map *map = w->map;
	int fd, other, finals = 0;
	struct rec *r = rec_pair(w, &fd), *o = rec_pair(w, &other);
	const char *trace = r->trace, *other_trace = o->trace;

	r->counter = o->counter = &finals;
	ac_set_terminator(&r->c, "\n", 1);
	r->on_found = free_map;
	r->arg = w;
	put(fd, "x\n");
	assert_int_equal(ac_loop(map, NULL), 0);
	assert_string_equal(trace, "C(x)FX");
	assert_string_equal(other_trace, "X");
	assert_int_equal(finals, 2);
	close(fd);
	close(other);
}

static int no_task(void *arg)
{
	(void)arg;
	return 0;
}

static void close_all_closes_all_and_drops_tasks(void **state)
{
	struct world *w = *state;
	int fd, finals = 0;
	struct rec *r = rec_pair(w, &fd);

	r->counter = &finals;
	r->on_close = fail_too;
	ac_chat_new(w->map, &rec_class);
	ac_call_later(w->map, 1, no_task, NULL);
	ac_close_all(w->map, true);
	assert_int_equal(ac_map_channels(w->map), 0);
	assert_int_equal(ac_map_tasks(w->map), 0);
	assert_string_equal(w->log, "");
	passes(w, 1);
	assert_int_equal(finals, 1);
	close(fd);
}

static void guest_in_another_loop(void **state)
{
	struct world *w = *state;
	int fd, calls = 0;
	struct rec *r = rec_pair(w, &fd);
	struct pollfd p = { .events = POLLIN };

	p.fd = ac_fd(w->map);
	ac_poll(w->map, 0);
	assert_true(ac_next_timeout(w->map) < 0);
	assert_int_equal(poll(&p, 1, 0), 0);
	put(fd, "x");
	while (!strstr(r->trace, "C(x)") && calls++ < 10) {
		assert_true(poll(&p, 1, 1000) >= 0);
		ac_poll(w->map, 0);
	}
	assert_string_equal(r->trace, "C(x)");
	close(fd);
}

static int poll_inside(struct rec *r)
{
	struct world *w = r->arg;

	ac_poll(w->map, 0);
	return 0;
}

static void nested_pass_serves_others_but_not_itself(void **state)
{
	struct world *w = *state;
	int fd, other;
	struct rec *r = rec_pair(w, &fd), *o = rec_pair(w, &other);

	ac_set_terminator(&r->c, "\n", 1);
	ac_set_terminator(&o->c, "\n", 1);
	r->on_found = poll_inside;
	r->arg = w;
	put(fd, "a\nb\n");
	passes(w, 1);
	put(other, "y\n");
	put(fd, "c\n");
	passes(w, 3);
	assert_string_equal(r->trace, "C(a)FC(b)FC(c)F");
	assert_string_equal(o->trace, "C(y)F");
	close(fd);
	close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(unknown_poller_is_said_with_those_there_are, epoll),
		EACH(poller_is_the_one_asked_for),
		cmocka_unit_test(each_thread_has_its_own_default_map),
		EACH(methods_are_inherited_through_the_chain),
		EACH(class_smaller_than_its_super_is_refused),
		EACH(trace_goes_through_every_line),
		EACH(bare_error_is_logged_with_its_channel_and_closes),
		EACH(error_in_handle_error_closes_and_the_loop_lives),
		EACH(walking_the_map_survives_closes),
		EACH(map_freed_in_a_handler_goes_when_the_pass_ends),
		EACH(close_all_closes_all_and_drops_tasks),
		ON(guest_in_another_loop, epoll), /* the one with a descriptor of its own */
		EACH(nested_pass_serves_others_but_not_itself),
	};

	return RUN(tests);
}
