/* test_contract_life.c — connections from birth to death: scenarios 18 to 25 of the contract. */
#include "harness.h"

#include <stdlib.h>
#include <sys/resource.h>

/* ---- a plain dispatcher that counts ---- */
struct plain {
	struct ac_dispatcher d;
	int reads, writes, connects, closes, errors, error, reason;
	size_t bytes;
	int *reads_out, *writes_out, *closes_out;
	bool closes_in_read, closes_in_connect, fails_in_error;
	struct ac_dispatcher *victim;
	int replacement[2];
	struct plain *born;
};

static int plain_read(struct ac_dispatcher *d)
{
	struct plain *p = (struct plain *)d;
	char buffer[65536];
	ssize_t n;

	p->reads++;
	if (p->reads_out)
		++*p->reads_out;
	if (p->closes_in_read) {
		ac_close(d);
		return 0;
	}
	n = ac_recv(d, buffer, sizeof(buffer));
	if (n > 0)
		p->bytes += (size_t)n;
	return n < 0 ? (int)n : 0;
}

static int plain_write(struct ac_dispatcher *d)
{
	struct plain *p = (struct plain *)d;

	if (p->writes_out)
		++*p->writes_out;
	p->writes++;
	return 0;
}

static int plain_connect(struct ac_dispatcher *d)
{
	struct plain *p = (struct plain *)d;

	p->connects++;
	if (p->closes_in_connect)
		ac_close(d);
	return 0;
}

static int plain_close(struct ac_dispatcher *d)
{
	struct plain *p = (struct plain *)d;

	p->closes++;
	if (p->closes_out)
		++*p->closes_out;
	p->reason = ac_close_reason(d);
	return 0;
}

static int plain_error(struct ac_dispatcher *d, const struct ac_error *e)
{
	struct plain *p = (struct plain *)d;

	p->errors++;
	p->error = e->code;
	if (p->fails_in_error)
		return -EDOM;
	ac_close(d);
	return 0;
}

static const struct ac_class reader_class = {
	.super = AC_DISPATCHER,
	.name = "reader",
	.size = sizeof(struct plain),
	.handle_read = plain_read,
	.handle_connect = plain_connect,
	.handle_close = plain_close,
	.handle_error = plain_error,
};

static const struct ac_class both_class = {
	.super = &reader_class,
	.name = "both",
	.handle_write = plain_write,
};

static void all_bytes_before_the_close(void **state)
{
	struct world *w = *state;
	int fds[2], done = 0, size = 400000;
	char *text = calloc(1, 150000);
	struct plain *p;

	unix_pair(fds);
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	p = (struct plain *)ac_adopt(w->map, &reader_class, fds[0], NULL);
	p->closes_out = &done;
	while (done < 150000) {
		ssize_t n = send(fds[1], text, (size_t)(150000 - done), MSG_NOSIGNAL);

		if (n > 0)
			done += (int)n;
		else
			ac_poll(w->map, 0.01);
	}
	done = 0;
	close(fds[1]);
	for (int i = 0; i < 20 && !done; i++) {
		size_t before = p->bytes;

		ac_poll(w->map, 0.01);
		if (done)
			assert_int_equal(before, 150000);
	}
	assert_int_equal(done, 1);
	free(text);
}

static void self_close_in_read_hears_no_write(void **state)
{
	struct world *w = *state;
	int fds[2], reads = 0, writes = 0, closes = 0;
	struct plain *p;

	unix_pair(fds);
	p = (struct plain *)ac_adopt(w->map, &both_class, fds[0], NULL);
	p->closes_in_read = true;
	p->reads_out = &reads;
	p->writes_out = &writes;
	p->closes_out = &closes;
	put(fds[1], "x");
	close(fds[1]);
	passes(w, 3);
	assert_int_equal(reads, 1);
	assert_int_equal(writes, 0);
	assert_int_equal(closes, 1);
}

static int close_and_reuse(struct ac_dispatcher *d)
{
	struct plain *p = (struct plain *)d;
	int old;

	plain_read(d);
	if (!p->victim)
		return 0;
	old = p->victim->fd;
	ac_close(p->victim);
	p->victim = NULL;
	assert_int_equal(dup2(p->replacement[0], old), old);
	p->born = (struct plain *)ac_adopt(d->map, &reader_class, old, NULL);
	assert_non_null(p->born);
	assert_int_equal(p->born->reads, 0);
	return 0;
}

static const struct ac_class reuser_class = {
	.super = &reader_class,
	.name = "reuser",
	.handle_read = close_and_reuse,
};

static int reads_seen_in_pass;

static int check_born(void *arg)
{
	reads_seen_in_pass = ((struct plain *)arg)->born->reads;
	return 0;
}

static void fd_reused_in_the_same_pass_hears_nothing(void **state)
{
	struct world *w = *state;
	int a[2], b[2], extra[2];
	struct plain *pa, *pb;

	unix_pair(a);
	unix_pair(b);
	unix_pair(extra);
	pa = (struct plain *)ac_adopt(w->map, &reuser_class, a[0], NULL);
	pb = (struct plain *)ac_adopt(w->map, &reuser_class, b[0], NULL);
	pa->victim = &pb->d;
	pa->replacement[0] = extra[0];
	put(extra[1], "early");
	put(a[1], "x");
	put(b[1], "y");
	ac_call_later(w->map, 0, check_born, pa);
	reads_seen_in_pass = -1;
	ac_poll(w->map, 0.01);
	assert_non_null(pa->born);
	assert_int_equal(reads_seen_in_pass, 0);
	UNTIL(w, pa->born->bytes == 5);
	close(extra[0]);
	close(extra[1]);
	close(a[1]);
	close(b[1]);
}

static void refused_connect_is_an_error_then_a_close(void **state)
{
	struct world *w = *state;
	struct ac_addr addr;
	char where[AC_ADDR_TEXT];
	struct rec *r = (struct rec *)ac_chat_new(w->map, &rec_class);
	const char *trace = r->trace = new_trace(w);

	close(listen_tcp(&addr));
	assert_int_equal(ac_dial(&r->c.d, ac_addr_format(&addr, where, sizeof(where))), 0);
	UNTIL(w, strchr(trace, 'X'));
	assert_string_equal(trace, "E(ECONNREFUSED)X");
}

static int go_on(struct rec *r)
{
	r->number++;
	return 0;
}

static void failed_connect_ends_closed_whatever_handle_error_does(void **state)
{
	struct world *w = *state;
	struct ac_addr addr;
	char where[AC_ADDR_TEXT];
	struct rec *r = (struct rec *)ac_chat_new(w->map, &rec_class);
	const char *trace = r->trace = new_trace(w);

	close(listen_tcp(&addr));
	r->on_error = go_on;
	assert_int_equal(ac_dial(&r->c.d, ac_addr_format(&addr, where, sizeof(where))), 0);
	UNTIL(w, strchr(trace, 'X'));
	assert_string_equal(trace, "E(ECONNREFUSED)X");
}

static void connect_that_fails_at_once_leaves_nothing_watched(void **state)
{
	struct world *w = *state;
	struct rec *r = (struct rec *)ac_chat_new(w->map, &rec_class);

	r->trace = new_trace(w);
	assert_int_equal(ac_dial(&r->c.d, "unix:/nowhere/at/all"), -ENOENT);
	assert_int_equal(ac_last_error(w->map)->code, ENOENT);
	assert_int_equal(r->c.d.fd, -1);
	assert_int_equal(ac_map_channels(w->map), 0);
	assert_int_equal(ac_loop(w->map, NULL), 0); /* nothing is left: returns at once */
	assert_string_equal(r->trace, "");
}

static void close_in_connect_stays_closed(void **state)
{
	struct world *w = *state;
	struct ac_addr addr;
	char where[AC_ADDR_TEXT];
	int listener = listen_tcp(&addr), fd, closes = 0, reads = 0;
	struct plain *p = (struct plain *)ac_new(w->map, &both_class);

	p->closes_in_connect = true;
	p->closes_out = &closes;
	p->reads_out = &reads;
	p->writes_out = &reads;
	assert_int_equal(ac_dial(&p->d, ac_addr_format(&addr, where, sizeof(where))), 0);
	fd = accept(listener, NULL, NULL);
	put(fd, "hello");
	UNTIL(w, closes == 1);
	passes(w, 3);
	assert_int_equal(closes, 1);
	assert_int_equal(reads, 0);
	close(fd);
	close(listener);
}

/* ---- listeners ---- */
static int accepted_count, accept_fails;

static int count_accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct plain *p;

	accepted_count++;
	if (accept_fails == 1)
		return ac_raise(d, EDOM);
	p = (struct plain *)ac_adopt(d->map, &reader_class, fd, peer);
	assert_non_null(p);
	return accept_fails == 2 ? ac_raise(d, EDOM) : 0;
}

static const struct ac_class listener_class = {
	.super = AC_DISPATCHER,
	.name = "listener",
	.handle_accepted = count_accepted,
};

static struct ac_dispatcher *serve(struct world *w)
{
	struct ac_dispatcher *d = ac_new(w->map, &listener_class);

	accepted_count = accept_fails = 0;
	assert_int_equal(ac_serve(d, "127.0.0.1:0"), 0);
	return d;
}

static void listener_survives_a_failing_handle_accepted(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d = serve(w);
	int one, two, three;

	accept_fails = 1;
	one = connect_to(d);
	UNTIL(w, accepted_count == 1);
	assert_true(ended(one));
	assert_non_null(strstr(w->log, "EDOM"));
	accept_fails = 2; /* after it was adopted: the error is the channel's */
	two = connect_to(d);
	UNTIL(w, accepted_count == 2);
	passes(w, 2);
	assert_true(ended(two));
	accept_fails = 0;
	three = connect_to(d);
	UNTIL(w, accepted_count == 3);
	assert_false(ended(three));
	assert_true(ac_accepting(d));
	close(one);
	close(two);
	close(three);
}

static void descriptors_run_out_and_the_listener_recovers(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d = serve(w);
	struct rlimit old, low;
	int clients[6], lowest_free, waits = 0;

	for (int i = 0; i < 6; i++)
		clients[i] = connect_to(d);
	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	lowest_free = dup(0);
	close(lowest_free);
	low.rlim_cur = (rlim_t)lowest_free;
	setrlimit(RLIMIT_NOFILE, &low);
	for (double end = ac_now(w->map) + 0.35; ac_now(w->map) < end; waits++)
		ac_poll(w->map, 0.05);
	assert_true(waits < 30); /* each wait was one, not a return at once */
	setrlimit(RLIMIT_NOFILE, &old);
	assert_non_null(strstr(w->log, "EMFILE"));
	assert_null(strstr(strstr(w->log, "EMFILE") + 1, "EMFILE")); /* one line a second */
	assert_true(ac_accepting(d));
	close(clients[0]);
	clients[0] = connect_to(d);
	{
		int seen = accepted_count;

		UNTIL(w, accepted_count > seen);
	}
	for (int i = 0; i < 6; i++)
		close(clients[i]);
}

static void accepts_are_bounded_in_a_pass(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d = serve(w);
	int clients[9];

	assert_int_equal(ac_set_limit(d, AC_MAX_ACCEPTS, 4), 0);
	for (int i = 0; i < 9; i++)
		clients[i] = connect_to(d);
	ac_poll(w->map, 0.05);
	assert_int_equal(accepted_count, 4);
	ac_poll(w->map, 0.05);
	assert_int_equal(accepted_count, 8);
	ac_poll(w->map, 0.05);
	assert_int_equal(accepted_count, 9);
	for (int i = 0; i < 9; i++)
		close(clients[i]);
}

/* ---- the loop ---- */
static void empty_map_returns_at_once(void **state)
{
	struct world *w = *state;
	double begin = ac_now(w->map);

	assert_int_equal(ac_loop(w->map, NULL), 0);
	assert_int_equal(ac_poll(w->map, 5), 0);
	assert_true(ac_now(w->map) - begin < 1);
}

static int count_call(void *arg)
{
	++*(int *)arg;
	return 0;
}

static void negative_count_makes_no_pass(void **state)
{
	struct world *w = *state;
	int calls = 0;

	ac_call_later(w->map, 0, count_call, &calls);
	assert_int_equal(ac_loop(w->map, &(struct ac_loop_opts){ .count = -1 }), 0);
	assert_int_equal(calls, 0);
	assert_int_equal(ac_loop(w->map, &(struct ac_loop_opts){ .count = 1, .timeout = 0.01 }), 0);
	assert_int_equal(calls, 1);
}

static int leave(struct rec *r)
{
	(void)r;
	return AC_EXIT;
}

static void exit_from_a_handler_leaves_the_map_intact(void **state)
{
	struct world *w = *state;
	int fd;
	struct rec *r = rec_pair(w, &fd);

	ac_set_terminator(&r->c, "\n", 1);
	r->on_found = leave;
	put(fd, "a\nb\n");
	assert_int_equal(ac_loop(w->map, NULL), 1);
	assert_string_equal(r->trace, "C(a)F");
	assert_int_equal(ac_map_channels(w->map), 1);
	r->on_found = NULL;
	passes(w, 2);
	assert_string_equal(r->trace, "C(a)FC(b)F");
	close(fd);
}

static void task_bounds_the_wait_of_idle_channels(void **state)
{
	struct world *w = *state;
	int fd, calls = 0;
	double begin;

	rec_pair(w, &fd);
	passes(w, 1);
	begin = ac_now(w->map);
	ac_call_later(w->map, 0.05, count_call, &calls);
	while (!calls)
		ac_loop(w->map, &(struct ac_loop_opts){ .timeout = 30, .count = 1 });
	assert_true(ac_now(w->map) - begin >= 0.05);
	assert_true(ac_now(w->map) - begin < 1);
	close(fd);
}

static void empty_map_sleeps_until_its_task_is_due(void **state)
{
	struct world *w = *state;
	int calls = 0, waits = 0;
	double begin = ac_now(w->map);

	ac_call_later(w->map, 0.1, count_call, &calls);
	while (!calls) {
		assert_int_equal(ac_loop(w->map, &(struct ac_loop_opts){ .count = 1 }), 0);
		waits++;
	}
	assert_true(ac_now(w->map) - begin >= 0.1);
	assert_true(waits <= 3);
	assert_int_equal(ac_loop(w->map, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(all_bytes_before_the_close),
		EACH(self_close_in_read_hears_no_write),
		EACH(fd_reused_in_the_same_pass_hears_nothing),
		EACH(refused_connect_is_an_error_then_a_close),
		EACH(failed_connect_ends_closed_whatever_handle_error_does),
		EACH(connect_that_fails_at_once_leaves_nothing_watched),
		EACH(close_in_connect_stays_closed),
		EACH(listener_survives_a_failing_handle_accepted),
		EACH(descriptors_run_out_and_the_listener_recovers),
		EACH(accepts_are_bounded_in_a_pass),
		EACH(empty_map_returns_at_once),
		EACH(negative_count_makes_no_pass),
		EACH(exit_from_a_handler_leaves_the_map_intact),
		EACH(task_bounds_the_wait_of_idle_channels),
		EACH(empty_map_sleeps_until_its_task_is_due),
	};

	return RUN(tests);
}
