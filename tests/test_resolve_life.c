/* test_resolve_life.c — dials and queries that are ended at each moment, by themselves and by everybody else. */
#include "resolving.h"

#ifdef WITH_CARES
#define STAGES 22
#else
#define STAGES 6
#endif

/* One name that is found, one that is dead, and one that nobody answers for. */
struct scene {
	struct world *w;
	struct dns_server *s;
	int port, listener, fillers[FILLERS], full;
};

static const struct dns_rule rules[] = {
	{ "www.test", DNS_A, DNS_ADDRS, "127.0.0.1", 5 },
	{ "full.test", DNS_A, DNS_ADDRS, "127.0.0.2", 5 },
	{ "never.test", 0, DNS_NEVER, NULL, 0 },
	{ "long.test", 0, DNS_TRUNCATED, "127.0.0.1", 0 },
	{ 0 },
};

static void set_resolver(struct scene *c, struct ac_map *map)
{
#ifdef WITH_CARES
	struct ac_resolver_opts o = { .servers = dns_address(c->s),
		                      .search = "",
		                      .hosts_file = "" };
#else
	char www[64], full[64], dead[64];
	const char *const given[] = { www, full, dead, NULL };
	struct ac_resolver_opts o = { .addresses = given };

	snprintf(www, sizeof(www), "www.test:%d:127.0.0.1", c->port);
	snprintf(full, sizeof(full), "full.test:%d:127.0.0.2", c->port);
	snprintf(dead, sizeof(dead), "www.test:1:127.0.0.3");
#endif
	assert_int_equal(ac_use_resolver(map, &o), 0);
}

static void begin(struct scene *c, struct world *w)
{
	static const char *const hosts[] = { "127.0.0.1", "127.0.0.2" };
	int fds[2];

	c->w = w;
	c->s = dns_start(rules);
	c->port = listen_at_all(hosts, 2, fds);
	c->listener = fds[0];
	c->full = fds[1];
	assert_int_equal(listen(c->listener, 64),
	                 0); /* there is room for all that nobody accepts */
	fill("127.0.0.2", c->port, c->fillers);
	set_resolver(c, w->map);
}

static void end(struct scene *c)
{
	for (int i = 0; i < FILLERS; i++)
		close(c->fillers[i]);
	close(c->listener);
	close(c->full);
	dns_stop(c->s);
}

/* So many passes, each long enough for something to happen. */
static void go(struct ac_map *map, int passes)
{
	while (passes-- > 0)
		ac_poll(map, 0.003);
}

static void close_at_each_stage(void **state)
{
	static const char *const names[] = { "www.test", "full.test", "never.test", "long.test" };
	struct world *w = *state;
	struct scene c;

	begin(&c, w);
	for (int n = 0; n < STAGES; n++) {
		struct rec *r[4];
		int alive = 0;

		for (int i = 0; i < 4; i++) {
#ifndef WITH_CARES
			if (i > 1)
				continue;
#endif
			r[i] = dial(w, names[i], c.port);
			alive = i;
		}
		go(w->map, n);
		for (int i = 0; i <= alive; i++) {
			const char *trace = r[i]->trace;

			ac_close(&r[i]->c.d);
			assert_non_null(strchr(trace, 'X'));
			assert_null(strchr(trace, 'E'));
		}
		passes(w, 1);
		assert_int_equal(ac_map_channels(w->map), 0);
	}
	end(&c);
}

static void del_channel_at_each_stage(void **state)
{
	struct world *w = *state;
	struct scene c;

	begin(&c, w);
	for (int n = 0; n < STAGES; n++) {
		struct rec *r = dial(w, "full.test", c.port);

		go(w->map, n);
		ac_del_channel(&r->c.d);
		assert_false(ac_connecting(&r->c.d));
		passes(w, 1);
		assert_int_equal(ac_map_channels(w->map), 0);
		assert_string_equal(r->trace, "");
		ac_close(&r->c.d);
	}
	end(&c);
}

static void cancel_a_query_at_each_stage(void **state)
{
	struct world *w = *state;
	struct outcome o = { .w = w };
	struct scene c;
	char name[32];

	begin(&c, w);
	snprintf(name, sizeof(name), "www.test:%d", c.port);
	for (int n = 0; n < STAGES; n++) {
		struct ac_query *q = ac_resolve(w->map, name, note_outcome, &o);

		assert_non_null(q);
		o.calls = 0;
		for (int i = 0; i < n && !o.calls; i++)
			go(w->map, 1);
		if (!o.calls)
			ac_query_cancel(q);
		o.calls = 0;
		go(w->map, 2);
		assert_int_equal(o.calls, 0);
		assert_int_equal(ac_map_channels(w->map), 0);
	}
	ac_query_cancel(NULL);
	end(&c);
}

static void free_the_map_at_each_stage(void **state)
{
	struct world *w = *state;
	struct ac_map_opts opts = { .poller = w->poller };
	struct scene c;

	begin(&c, w);
	for (int n = 0; n < STAGES; n++) {
		struct world other = { .map = ac_map_new(&opts) };
		struct outcome o = { .w = &other };
		char name[32];

		set_resolver(&c, other.map);
		snprintf(name, sizeof(name), "www.test:%d", c.port);
		dial(&other, "www.test", c.port);
		dial(&other, "full.test", c.port);
		assert_non_null(ac_resolve(other.map, name, note_outcome, &o));
		go(other.map, n);
		ac_map_free(other.map);
		assert_int_equal(o.calls, 1); /* found, or -ECANCELED */
		assert_true(o.result == 0 || o.result == -ECANCELED);
	}
	end(&c);
}

static int ask_again(struct outcome *o)
{
	assert_null(ac_resolve(o->w->map, "www.test:80", note_outcome, o));
	assert_int_equal(errno, ECANCELED);
	return 0;
}

static void close_all_ends_all_and_the_resolver_stays(void **state)
{
	struct world *w = *state;
	struct outcome o = { .w = w, .on_end = ask_again }, after;
	struct scene c;
	const char *trace;
	char name[32];

	begin(&c, w);
	snprintf(name, sizeof(name), "www.test:%d", c.port);
	for (int n = 0; n < 3; n++) {
		o.calls = 0;
		trace = dial(w, "full.test", c.port)->trace;
		assert_non_null(ac_resolve(w->map, name, note_outcome, &o));
		if (n == 0)
			ac_close_all(w->map, false);
		else
			ac_close_all(w->map, true);
		assert_int_equal(o.calls, 1);
		assert_int_equal(o.result, -ECANCELED);
		assert_string_equal(trace, "X");
		assert_int_equal(ac_map_channels(w->map), 0);
		assert_int_equal(ac_loop(w->map, NULL), 0);
		ask(w, name, &after);
		assert_int_equal(after.result, 0);
	}
	end(&c);
}

static int close_everything(struct outcome *o)
{
	ac_close_all(o->w->map, true);
	return 0;
}

static void close_all_in_a_query(void **state)
{
	struct world *w = *state;
	struct outcome o = { .w = w, .on_end = close_everything }, other = { .w = w };
	struct scene c;
	const char *trace;
	char name[32];

	begin(&c, w);
	snprintf(name, sizeof(name), "www.test:%d", c.port);
	trace = dial(w, "full.test", c.port)->trace;
	assert_non_null(ac_resolve(w->map, name, note_outcome, &o));
	assert_non_null(ac_resolve(w->map, "127.0.0.1:1", note_outcome, &other));
	UNTIL(w, o.calls);
	assert_string_equal(trace, "X");
	assert_int_equal(other.calls, 1);
	assert_int_equal(ac_map_channels(w->map), 0);
	end(&c);
}

static int free_map(struct outcome *o)
{
	ac_map_free(o->w->map);
	return 0;
}

static void free_the_map_in_a_query(void **state)
{
	struct world *w = *state;
	struct ac_map_opts opts = { .poller = w->poller };
	struct world other = { .map = ac_map_new(&opts) };
	struct outcome o = { .w = &other, .on_end = free_map };
	struct scene c;
	char name[32];

	begin(&c, w);
	set_resolver(&c, other.map);
	snprintf(name, sizeof(name), "www.test:%d", c.port);
	dial(&other, "full.test", c.port);
	assert_non_null(ac_resolve(other.map, name, note_outcome, &o));
	ac_loop(other.map, NULL);
	assert_int_equal(o.calls, 1);
	end(&c);
}

static int leave(struct outcome *o)
{
	(void)o;
	return AC_EXIT;
}

static int raise_it(struct outcome *o)
{
	(void)o;
	return -EPROTO;
}

static void a_query_may_leave_the_loop_or_raise(void **state)
{
	struct world *w = *state;
	struct outcome o = { .w = w, .on_end = leave };

	use_resolver(w, NULL);
	assert_non_null(ac_resolve(w->map, "127.0.0.1:1", note_outcome, &o));
	assert_int_equal(ac_loop(w->map, NULL), 1);
	o.on_end = raise_it;
	assert_non_null(ac_resolve(w->map, "127.0.0.1:1", note_outcome, &o));
	assert_int_equal(ac_loop(w->map, NULL), 0);
	assert_non_null(strstr(w->log, "EPROTO"));
}

static struct rec *first; /* to connect */

static int close_neighbour(struct rec *r)
{
	assert_null(first);
	first = r;
	ac_close(r->arg);
	return 0;
}

/* Whoever connects first closes the other: it hears of nothing but its close. */
static void close_a_neighbour_that_dials(void **state)
{
	struct world *w = *state;
	struct scene c;

	begin(&c, w);
	for (int i = 0; i < 5; i++) {
		struct rec *a = dial(w, "www.test", c.port), *b = dial(w, "www.test", c.port);
		char *traces[] = { a->trace, b->trace };
		int gone = 0;

		a->on_connect = b->on_connect = close_neighbour;
		a->counter = b->counter = &gone;
		a->arg = b;
		b->arg = a;
		first = NULL;
		UNTIL(w, gone == 1);
		assert_string_equal(first == a ? traces[1] : traces[0], "X");
		go(w->map, 5);
		ac_close(&first->c.d);
		UNTIL(w, gone == 2);
	}
	end(&c);
}

static int dial_again(struct rec *r)
{
	struct scene *c = r->arg;

	if (++r->number == 1)
		dial(c->w, "www.test", c->port);
	return 0;
}

/* Port 1 of an address where nobody listens. */
static void dial_anew_in_handle_error_and_handle_close(void **state)
{
	struct world *w = *state;
	struct scene c;
	struct rec *r;

	begin(&c, w);
	for (int i = 0; i < 2; i++) {
		r = dial(w, "www.test", 1);
		r->arg = &c;
		if (i == 0)
			r->on_error = dial_again;
		else
			r->on_close = dial_again;
		trace_of_end(r);
	}
	UNTIL(w, ac_map_channels(w->map) == 2);
	ac_close_all(w->map, true);
	end(&c);
}

/* It is dialing while a handler of it is on the stack, and that runs the loop until the dial has failed. */
static int run_the_loop(struct ac_dispatcher *d)
{
	struct ac_map *map = d->map;

	ac_set_timeout(d, 0);
	for (double until = ac_now(map) + 0.15; ac_now(map) < until;)
		ac_poll(map, 0.01);
	return 0;
}

static int errors, closes;

static int count_error(struct ac_dispatcher *d, const struct ac_error *e)
{
	(void)d;
	errors += e->code == ECONNREFUSED;
	return 0;
}

static int count_close(struct ac_dispatcher *d)
{
	(void)d;
	closes++;
	return 0;
}

static const struct ac_class slow_class = {
	.super = AC_DISPATCHER,
	.name = "slow",
	.handle_timeout = run_the_loop,
	.handle_error = count_error,
	.handle_close = count_close,
};

static void fails_while_its_handler_runs_the_loop(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d;
	struct scene c;

	begin(&c, w);
	errors = closes = 0;
	d = ac_new(w->map, &slow_class);
	assert_int_equal(ac_dial(d, "www.test:1"), 0);
	assert_int_equal(ac_set_timeout(d, 0.0001), 0);
	while (ac_poll(w->map, 0.01) == 0 && !closes)
		;
	assert_int_equal(errors, 1);
	assert_int_equal(closes, 1);
	end(&c);
}

static void the_channels_own_timeout_ends_a_dial(void **state)
{
	struct world *w = *state;
	struct scene c;
	struct rec *r;

	begin(&c, w);
	r = dial(w, "full.test", c.port);
	assert_int_equal(ac_set_timeout(&r->c.d, 0.1), 0);
	assert_string_equal(trace_of_end(r), "X");
	assert_int_equal(last_reason, ETIMEDOUT);
	passes(w, 1);
	assert_int_equal(ac_map_channels(w->map), 0);
	end(&c);
}

/* Each allocation of a dial fails once: it is refused, or fails later, or gets over it. Nothing is left. */
static void allocations_fail(void **state)
{
	struct world *w = *state;
	struct scene c;
	char name[32];
	int n = 0;

	begin(&c, w);
	snprintf(name, sizeof(name), "www.test:%d", c.port);
	for (bool failed = true; failed; n++) {
		struct rec *r = (struct rec *)ac_chat_new(w->map, &rec_class);
		struct outcome o = { .w = w };
		struct ac_query *q;
		int gone = 0;

		assert_non_null(r);
		r->counter = &gone;
		fail_allocation(n + 1, false);
		q = ac_resolve(w->map, name, note_outcome, &o);
		if (ac_dial(&r->c.d, name) == 0)
			UNTIL(w, gone || ac_connected(&r->c.d));
		if (q)
			UNTIL(w, o.calls);
		failed = allocation_failed();
		fail_allocation(0, false);
		if (!gone)
			ac_close(&r->c.d);
		UNTIL(w, gone);
		assert_int_equal(ac_map_channels(w->map), 0);
	}
	assert_true(n > 5);
	for (int i = 1; i < 6; i++) {
		fail_allocation(i, false);
		ac_use_resolver(w->map, NULL);
	}
	fail_allocation(0, false);
	end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(close_at_each_stage),
		EACH(del_channel_at_each_stage),
		EACH(cancel_a_query_at_each_stage),
		EACH(free_the_map_at_each_stage),
		EACH(close_all_ends_all_and_the_resolver_stays),
		EACH(close_all_in_a_query),
		EACH(free_the_map_in_a_query),
		EACH(a_query_may_leave_the_loop_or_raise),
		EACH(close_a_neighbour_that_dials),
		EACH(dial_anew_in_handle_error_and_handle_close),
		EACH(fails_while_its_handler_runs_the_loop),
		EACH(the_channels_own_timeout_ends_a_dial),
		EACH(allocations_fail),
	};

	return RUN(tests);
}
