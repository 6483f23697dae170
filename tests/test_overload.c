/*
 * test_overload.c — connections in all and of one address: who is let in, who is not, and that every place that
 * was taken is given back exactly once, whatever ends its channel.
 */
#include "../src/map/map.h"
#include "harness.h"

#include <stdio.h>

static int accepted, rejected;
static enum ac_limit why_rejected;
static enum { ADOPT, DROP, FAIL, FAIL_ADOPTED, ADOPT_CLOSED } manner;
static struct ac_dispatcher *last;
static const char *instead; /* the peer's address, as a proxy in front would tell it */

static int accept_one(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct ac_addr told;

	accepted++;
	if (instead) {
		assert_int_equal(ac_addr_parse(instead, &told), 0);
		peer = &told;
	}
	if (manner == DROP) {
		close(fd);
		return 0;
	}
	if (manner == FAIL)
		return ac_raise(d, EPROTO);
	last = (struct ac_dispatcher *)ac_chat_adopt(d->map, &rec_class, fd, peer);
	if (!last)
		return ac_raise(d, errno);
	if (manner == ADOPT_CLOSED)
		ac_close(last);
	return manner == FAIL_ADOPTED ? ac_raise(d, EPROTO) : 0;
}

static const struct ac_class listener_class = {
	.super = AC_DISPATCHER,
	.name = "listener",
	.handle_accepted = accept_one,
};

static int reject_with_a_word(struct ac_dispatcher *d, int fd, const struct ac_addr *peer,
                              enum ac_limit why)
{
	struct ac_chat *c = ac_chat_adopt(d->map, &rec_class, fd, peer);

	rejected++;
	why_rejected = why;
	AC_TRY(d, c ? ac_push(c, "busy", 4) : -ENOMEM);
	return ac_close_when_done(c);
}

static const struct ac_class polite_class = {
	.super = &listener_class,
	.name = "polite",
	.handle_rejected = reject_with_a_word,
};

static struct ac_dispatcher *serve_at(struct world *w, const struct ac_class *cls,
                                      const char *where)
{
	struct ac_dispatcher *d = ac_new(w->map, cls);

	accepted = rejected = 0;
	manner = ADOPT;
	assert_int_equal(ac_serve(d, where), 0);
	return d;
}

static struct ac_dispatcher *serve(struct world *w, const struct ac_class *cls)
{
	return serve_at(w, cls, "127.0.0.1:0");
}

static uint64_t count_of(struct world *w, enum ac_counter which)
{
	return ac_map_counter(w->map, which);
}

static int lines_with(const struct world *w, const char *text)
{
	int n = 0;

	for (const char *at = w->log; (at = strstr(at, text)) != NULL; at++)
		n++;
	return n;
}

static void come(struct world *w, struct ac_dispatcher *d, int *fds, int count)
{
	uint64_t seen = count_of(w, AC_COUNT_ACCEPTED) + count_of(w, AC_COUNT_OVER_TOTAL) +
	                count_of(w, AC_COUNT_OVER_ADDRESS);

	for (int i = 0; i < count; i++)
		fds[i] = connect_to(d);
	UNTIL(w, count_of(w, AC_COUNT_ACCEPTED) + count_of(w, AC_COUNT_OVER_TOTAL) +
	                         count_of(w, AC_COUNT_OVER_ADDRESS) ==
	                 seen + (uint64_t)count);
}

static void leave(struct world *w, int *fds, int count)
{
	for (int i = 0; i < count; i++)
		close(fds[i]);
	UNTIL(w, ac_map_connections(w->map) == 0);
}

static void limit_is_exact(struct world *w, enum ac_limit which, enum ac_counter counter)
{
	struct ac_dispatcher *d = serve(w, &listener_class);
	int fds[4];

	assert_int_equal(ac_set_limit(d, which, 3), 0);
	for (int n = 2; n <= 4; n++) {
		uint64_t before = count_of(w, counter);

		come(w, d, fds, n);
		assert_int_equal(ac_map_connections(w->map), n < 3 ? n : 3);
		assert_int_equal(count_of(w, counter) - before, n > 3);
		if (n > 3)
			UNTIL(w, ended(fds[3]));
		leave(w, fds, n);
	}
	assert_int_equal(lines_with(w, " rejected: 3 connections"), 1);
	assert_true(ac_accepting(d));
}

static void connections_in_all_are_bounded_exactly(void **state)
{
	limit_is_exact(*state, AC_MAX_CONNECTIONS, AC_COUNT_OVER_TOTAL);
}

static void connections_of_an_address_are_bounded_exactly(void **state)
{
	limit_is_exact(*state, AC_MAX_PER_ADDRESS, AC_COUNT_OVER_ADDRESS);
}

static void one_too_many_is_answered_and_takes_no_place(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d = serve(w, &polite_class);
	int fds[3];
	char text[16];

	assert_int_equal(ac_set_limit(d, AC_MAX_CONNECTIONS, 1), 0);
	come(w, d, fds, 3);
	assert_int_equal(rejected, 2);
	assert_int_equal(why_rejected, AC_MAX_CONNECTIONS);
	for (int i = 1; i < 3; i++) {
		size_t n = 0;

		UNTIL(w, n == 4 || (n = get(fds[i], text, sizeof(text))) == 4);
		assert_string_equal(text, "busy");
	}
	assert_int_equal(ac_map_connections(w->map), 1);
	leave(w, fds, 3);
}

static void place_is_given_back_however_its_channel_ends(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d = serve(w, &listener_class);
	int fd;

	assert_int_equal(ac_set_limit(d, AC_MAX_CONNECTIONS, 2), 0);
	assert_int_equal(ac_set_limit(d, AC_MAX_PER_ADDRESS, 2), 0);
	for (manner = ADOPT; manner <= ADOPT_CLOSED; manner++) {
		for (int i = 0; i < 4; i++) {
			come(w, d, &fd, 1);
			assert_true(ac_map_connections(w->map) <= 1);
			if (manner == ADOPT && i == 0)
				ac_close(last);
			else if (manner == ADOPT && i == 1)
				reset(fd);
			if (manner != ADOPT || i != 1)
				close(fd);
			UNTIL(w, ac_map_channels(w->map) == 1);
			assert_int_equal(ac_map_connections(w->map), 0);
		}
	}
	assert_int_equal(accepted, 20);
	assert_int_equal(count_of(w, AC_COUNT_OVER_TOTAL), 0);
	assert_int_equal(count_of(w, AC_COUNT_OVER_ADDRESS), 0);
}

static void connection_that_moves_counts_where_it_is(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d = serve(w, &listener_class);
	struct ac_map *other = ac_map_new(&(struct ac_map_opts){ .poller = w->poller });
	int fds[2];

	assert_int_equal(ac_set_limit(d, AC_MAX_PER_ADDRESS, 1), 0);
	come(w, d, fds, 1);
	assert_int_equal(ac_add_channel(last, other), 0);
	assert_int_equal(ac_map_connections(w->map), 0);
	assert_int_equal(ac_map_connections(other), 1);
	come(w, d, fds + 1, 1);
	assert_int_equal(ac_map_connections(w->map), 1);
	ac_map_free(other);
	leave(w, fds, 2);
}

static void listener_with_a_higher_limit_has_a_reserve(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d = serve(w, &listener_class), *admin = serve(w, &listener_class);
	int fds[4];

	ac_map_set_limit(w->map, AC_MAX_CONNECTIONS, 2);
	assert_int_equal(ac_set_limit(admin, AC_MAX_CONNECTIONS, 3), 0);
	come(w, d, fds, 3);
	assert_int_equal(ac_map_connections(w->map), 2);
	come(w, admin, fds + 3, 1);
	assert_int_equal(ac_map_connections(w->map), 3);
	leave(w, fds, 4);
}

/* Loopback has a whole network of addresses to come from. */
static int come_from(const struct ac_dispatcher *d, uint32_t host)
{
	struct ac_addr to, from = { .len = sizeof(from.in) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	from.in.sin_family = AF_INET;
	from.in.sin_addr.s_addr = htonl(0x7f000000u + host);
	assert_int_equal(ac_local_addr(d, &to), 0);
	assert_int_equal(bind(fd, &from.sa, from.len), 0);
	assert_int_equal(connect(fd, &to.sa, to.len), 0);
	return fd;
}

static void addresses_are_told_apart_and_forgotten(void **state)
{
	enum { HOSTS = 200 };
	struct world *w = *state;
	struct ac_dispatcher *d = serve(w, &listener_class);
	int fds[HOSTS], second[HOSTS];
	uint64_t over;

	come(w, d, fds, 1); /* before anybody asks whence it came */
	assert_int_equal(ac_set_limit(d, AC_MAX_PER_ADDRESS, 1), 0);
	for (uint32_t i = 1; i < HOSTS; i++)
		fds[i] = come_from(d, i + 1);
	UNTIL(w, ac_map_connections(w->map) == HOSTS);
	for (uint32_t i = 0; i < HOSTS; i++) {
		second[i] = come_from(d, i + 1);
		passes(w, 1);
	}
	UNTIL(w, count_of(w, AC_COUNT_OVER_ADDRESS) == HOSTS);
	for (int i = 0; i < HOSTS; i += 3)
		close(fds[i]);
	UNTIL(w, ac_map_connections(w->map) == HOSTS - (HOSTS + 2) / 3);
	over = count_of(w, AC_COUNT_OVER_ADDRESS);
	for (int i = 0; i < HOSTS; i += 3)
		fds[i] = come_from(d, (uint32_t)i + 1);
	UNTIL(w, ac_map_connections(w->map) == HOSTS);
	assert_int_equal(count_of(w, AC_COUNT_OVER_ADDRESS), over);
	for (int i = 0; i < HOSTS; i++)
		close(second[i]);
	leave(w, fds, HOSTS);
}

static void ipv4_is_the_same_through_ipv6(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d = ac_new(w->map, &listener_class), *four;
	struct ac_addr any, own;
	char where[32];
	int fds[2];

	accepted = 0;
	manner = ADOPT;
	assert_int_equal(ac_addr_parse("[::]:0", &any), 0);
	if (ac_create_socket(d, AF_INET6, SOCK_STREAM) < 0 || ac_bind(d, &any) < 0) {
		ac_close(d);
		skip();
	}
	assert_int_equal(ac_listen(d, 0), 0);
	assert_int_equal(ac_local_addr(d, &own), 0);
	four = serve(w, &listener_class);
	ac_map_set_limit(w->map, AC_MAX_PER_ADDRESS, 1);
	come(w, four, fds, 1);
	snprintf(where, sizeof(where), "127.0.0.1:%d", ntohs(own.in6.sin6_port));
	assert_int_equal(ac_addr_parse(where, &any), 0);
	fds[1] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fds[1], &any.sa, any.len), 0);
	UNTIL(w, count_of(w, AC_COUNT_OVER_ADDRESS) == 1);
	assert_int_equal(ac_map_connections(w->map), 1);
	leave(w, fds, 2);
}

static size_t residents(struct world *w, const char *text)
{
	struct ac_addr a;

	assert_int_equal(ac_addr_parse(text, &a), 0);
	return ac_admitted_from_(w->map, &a);
}

static void ipv6_is_counted_by_network(void **state)
{
	static const char *const from[] = { "[2001:db8:1:2::1]:1", "[2001:db8:1:2:ffff::]:9",
		                            "[2001:db8:1:3::1]:1", "[::ffff:10.0.0.1]:5",
		                            "10.0.0.1:5",          "10.0.0.2:5",
		                            "[fe80::1]:1",         "[fe80::2]:1",
		                            "[::ffff:10.0.0.2]:5" };
	struct world *w = *state;
	struct ac_dispatcher *d = serve(w, &listener_class);
	int fds[9];

	for (int i = 0; i < 9; i++) {
		instead = from[i];
		come(w, d, fds + i, 1);
	}
	instead = NULL;
	assert_int_equal(residents(w, "[2001:db8:1:2::77]:0"), 2);
	assert_int_equal(residents(w, "[2001:db8:1:3::]:0"), 1);
	assert_int_equal(residents(w, "[2001:db8:1:4::]:0"), 0);
	assert_int_equal(residents(w, "10.0.0.1:0"), 2);
	assert_int_equal(residents(w, "[::ffff:10.0.0.2]:0"), 2);
	assert_int_equal(residents(w, "[fe80::1]:0"), 1);
	close(fds[1]);
	UNTIL(w, residents(w, "[2001:db8:1:2::77]:0") == 1);
	close(fds[0]);
	UNTIL(w, residents(w, "[2001:db8:1:2::77]:0") == 0);
	leave(w, fds + 2, 7);
}

static void unix_peers_have_no_address_to_count(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d = serve_at(w, &listener_class, "unix:@asyncore-test-overload");
	int fds[3];

	assert_int_equal(ac_set_limit(d, AC_MAX_PER_ADDRESS, 1), 0);
	assert_int_equal(ac_set_limit(d, AC_MAX_CONNECTIONS, 2), 0);
	come(w, d, fds, 3);
	assert_int_equal(count_of(w, AC_COUNT_OVER_ADDRESS), 0);
	assert_int_equal(count_of(w, AC_COUNT_OVER_TOTAL), 1);
	leave(w, fds, 3);
}

static void without_memory_for_the_census_nobody_slips_in(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *d = serve(w, &listener_class);
	int fds[2];

	come(w, d, fds, 1); /* what is made once is there now */
	assert_int_equal(ac_set_limit(d, AC_MAX_PER_ADDRESS, 2), 0);
	fail_allocation(1, false);
	come(w, d, fds + 1, 1);
	assert_true(allocation_failed());
	assert_int_equal(count_of(w, AC_COUNT_OVER_ADDRESS), 1);
	close(fds[1]);
	come(w, d, fds + 1, 1);
	assert_int_equal(ac_map_connections(w->map), 2);
	leave(w, fds, 2);
}

static void every_old_limit_is_counted(void **state)
{
	static char text[4096];
	struct world *w = *state;
	struct ac_sender *s = (struct ac_sender *)ac_new(w->map, AC_DISPATCHER_WITH_SEND);
	struct ac_dispatcher *d = serve(w, &listener_class);
	struct rec *r;
	int fd, fds[3];

	r = rec_pair(w, &fd);
	assert_int_equal(ac_set_limit(&r->c.d, AC_MAX_OUTPUT, 1 << 22), 0);
	assert_int_equal(ac_set_limit(&r->c.d, AC_HIGH_WATER, 1000), 0);
	assert_int_equal(ac_set_limit(&r->c.d, AC_MAX_RECORD, 10), 0);
	assert_int_equal(ac_set_terminator(&r->c, "\n", 1), 0);
	while (ac_push(&r->c, text, sizeof(text)) == 0)
		;
	assert_int_equal(ac_push(&r->c, text, sizeof(text)), -ENOBUFS);
	assert_int_equal(count_of(w, AC_COUNT_OUTPUT_REFUSED), 2);
	assert_int_equal(count_of(w, AC_COUNT_INPUT_HELD), 1);
	assert_int_equal(lines_with(w, "output refused"), 1);
	assert_int_equal(ac_set_limit(&s->d, AC_MAX_OUTPUT, 10), 0);
	assert_int_equal(ac_sender_send(s, text, 11), -ENOBUFS);
	assert_int_equal(count_of(w, AC_COUNT_OUTPUT_REFUSED), 3);
	ac_close(&s->d);
	ac_discard_output(&r->c);
	put(fd, "0123456789x");
	UNTIL(w, count_of(w, AC_COUNT_RECORD_TOO_LONG) == 1);
	close(fd);
	assert_int_equal(ac_set_limit(d, AC_MAX_ACCEPTS, 2), 0);
	for (int i = 0; i < 3; i++)
		fds[i] = connect_to(d);
	UNTIL(w, accepted == 3);
	assert_int_equal(count_of(w, AC_COUNT_ACCEPTS_PUT_OFF), 1);
	leave(w, fds, 3);
}

static void counters_have_names_and_bounds(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < AC_COUNTERS; i++) {
		assert_true(*ac_counter_name((enum ac_counter)i));
		assert_int_equal(count_of(w, (enum ac_counter)i), 0);
	}
	assert_string_equal(ac_counter_name(AC_COUNTERS), "");
	assert_int_equal(count_of(w, AC_COUNTERS), 0);
	assert_int_equal(ac_map_connections(w->map), 0);
}

/* ---- logs ---- */
static void flood_of_long_records_is_said_once_a_second(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 50; i++) {
		struct ac_chat *c;
		int fds[2];

		unix_pair(fds);
		c = ac_chat_adopt(w->map, &ac_chat_class, fds[0], NULL);
		assert_int_equal(ac_set_limit(&c->d, AC_MAX_RECORD, 4), 0);
		assert_int_equal(ac_set_terminator(c, "\n", 1), 0);
		put(fds[1], "12345");
		UNTIL(w, ac_map_channels(w->map) == 0);
		close(fds[1]);
	}
	assert_int_equal(count_of(w, AC_COUNT_RECORD_TOO_LONG), 50);
	assert_in_range(lines_with(w, "EMSGSIZE"), 1, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(connections_in_all_are_bounded_exactly),
		EACH(connections_of_an_address_are_bounded_exactly),
		EACH(one_too_many_is_answered_and_takes_no_place),
		EACH(place_is_given_back_however_its_channel_ends),
		EACH(connection_that_moves_counts_where_it_is),
		EACH(listener_with_a_higher_limit_has_a_reserve),
		EACH(addresses_are_told_apart_and_forgotten),
		EACH(ipv4_is_the_same_through_ipv6),
		EACH(ipv6_is_counted_by_network),
		EACH(unix_peers_have_no_address_to_count),
		EACH(without_memory_for_the_census_nobody_slips_in),
		EACH(every_old_limit_is_counted),
		EACH(counters_have_names_and_bounds),
		EACH(flood_of_long_records_is_said_once_a_second),
	};

	return RUN(tests);
}
