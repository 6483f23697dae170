/*
 * test_resolve_thread.c — names looked up by getaddrinfo in a thread: found late, not found, wanted no more.
 *
 * The C library's function is replaced by one that answers by the name: "127-0-0-2.test" is that address.
 */
#include "resolving.h"

#include <netdb.h>
#include <stdatomic.h>

static atomic_int asked, slow_ms;

int __real_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret);
int __wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret);

int __wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret)
{
	static const struct {
		const char *name;
		int code;
	} bad[] = { { "nowhere.test", EAI_NONAME },
		    { "again.test", EAI_AGAIN },
		    { "memory.test", EAI_MEMORY } };
	char text[64];

	atomic_fetch_add(&asked, 1);
	usleep((unsigned)atomic_load(&slow_ms) * 1000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (strcmp(name, bad[i].name) == 0)
			return bad[i].code;
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(name, "."), name);
	for (char *c = text; *c; c++)
		*c = *c == '-' ? '.' : *c == '_' ? ':' : *c;
	return __real_getaddrinfo(text, service, hints, ret);
}

static void set(struct world *w, int ms, double deadline)
{
	struct ac_resolver_opts o = { .hosts_file = "", .deadline = deadline };

	atomic_store(&slow_ms, ms);
	use_resolver(w, &o);
}

static void found_late(void **state)
{
	struct world *w = *state;
	struct outcome o;

	set(w, 50, 0);
	ask(w, "127-0-0-2.test:80", &o);
	assert_string_equal(o.text, "127.0.0.2:80");
	ask(w, "__1.test:80", &o);
	assert_string_equal(o.text, "[::1]:80");
}

static void not_found_and_why(void **state)
{
	struct world *w = *state;
	struct outcome o;

	set(w, 0, 0);
	ask(w, "nowhere.test:80", &o);
	assert_int_equal(o.result, -ENXIO);
	ask(w, "again.test:80", &o);
	assert_int_equal(o.result, -EIO);
	ask(w, "memory.test:80", &o);
	assert_int_equal(o.result, -ENOMEM);
}

static void dialed(void **state)
{
	struct world *w = *state;
	int port = 0, listener = listen_at("127.0.0.1", &port);
	struct rec *r;

	set(w, 20, 0);
	r = dial(w, "127-0-0-1.test", port);
	UNTIL(w, ac_connected(&r->c.d));
	ac_close(&r->c.d);
	assert_string_equal(trace_of_end(dial(w, "nowhere.test", port)), "E(ENXIO)X");
	close(listener);
}

/* The loop can do without it, but not stop the thread. */
static void the_deadline_does_not_wait_for_the_thread(void **state)
{
	struct world *w = *state;
	struct outcome o = { .w = w };
	double begun;

	set(w, 400, 0.05);
	begun = ac_now(w->map);
	assert_non_null(ac_resolve(w->map, "127-0-0-2.test:80", note_outcome, &o));
	UNTIL(w, o.calls);
	assert_int_equal(o.result, -ETIMEDOUT);
	assert_true(ac_now(w->map) - begun < 0.35);
	assert_int_equal(ac_loop(w->map, NULL), 0);
	assert_int_equal(o.calls, 1);
}

static void cancelled_while_the_thread_looks(void **state)
{
	struct world *w = *state;
	struct outcome o = { .w = w };
	struct ac_query *q;
	struct rec *r;

	set(w, 50, 0);
	q = ac_resolve(w->map, "127-0-0-2.test:80", note_outcome, &o);
	r = dial(w, "127-0-0-2.test", 80);
	ac_poll(w->map, 0.01);
	ac_query_cancel(q);
	ac_close(&r->c.d);
	assert_int_equal(ac_loop(w->map, NULL), 0);
	assert_int_equal(o.calls, 0);
}

static void the_map_goes_while_the_thread_looks(void **state)
{
	struct world *w = *state;
	struct ac_map_opts opts = { .poller = w->poller };
	long before = allocations();
	struct world other = { .map = ac_map_new(&opts) };
	struct outcome o = { .w = &other };

	set(&other, 100, 0);
	assert_non_null(ac_resolve(other.map, "127-0-0-2.test:80", note_outcome, &o));
	dial(&other, "127-0-0-2.test", 80);
	ac_poll(other.map, 0.01);
	ac_map_free(other.map);
	assert_int_equal(o.result, -ECANCELED);
	for (int i = 0; i < 500 && allocations() != before; i++)
		usleep(10000);
	usleep(20000); /* and the thread ends */
}

static void servers_cannot_be_chosen(void **state)
{
	struct world *w = *state;
	const struct ac_resolver_opts bad[] = {
		{ .servers = "127.0.0.1" }, { .search = "" }, { .ndots = 1 },
		{ .timeout = 1 },           { .tries = 1 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ac_use_resolver(w->map, &bad[i]), -ENOTSUP);
	assert_non_null(strstr(ac_last_error(w->map)->detail, "c-ares"));
}

static void what_is_no_name_never_gets_to_the_thread(void **state)
{
	struct world *w = *state;
	char name[300];

	set(w, 0, 0);
	atomic_store(&asked, 0);
	memset(name, 'a', sizeof(name));
	for (size_t i = 63; i < sizeof(name); i += 64)
		name[i] = '.';
	strcpy(name + 256, ":80");
	assert_null(ac_resolve(w->map, name, note_outcome, NULL));
	assert_null(ac_resolve(w->map, ":80", note_outcome, NULL));
	assert_int_equal(atomic_load(&asked), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(found_late),
		EACH(not_found_and_why),
		EACH(dialed),
		EACH(the_deadline_does_not_wait_for_the_thread),
		EACH(cancelled_while_the_thread_looks),
		EACH(the_map_goes_while_the_thread_looks),
		EACH(servers_cannot_be_chosen),
		EACH(what_is_no_name_never_gets_to_the_thread),
	};

	return RUN(tests);
}
