/* poller_cases.c — see poller_cases.h. */
#include "poller_cases.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/wait.h>

struct ac_poller *made;

int poller_setup(void **state)
{
	const char *name = *state;
	bool level = strcmp(name, "level") == 0; /* no map's: the table does not know it */

	*state = level ? (void *)(uintptr_t) "epoll" : *state;
	if (world_setup(state) < 0)
		return -1;
	return level ? ac_poller_make_(&ac_poller_level_, &made) : ac_poller_new_(name, &made);
}

int poller_teardown(void **state)
{
	ac_poller_free_(made);
	made = NULL;
	return world_teardown(state);
}

int watch(int fd, uint64_t token, unsigned old, unsigned events)
{
	return made->cls->set(made, fd, token, old, events);
}

static int found;

int wait_for(int64_t timeout)
{
	found = made->cls->wait(made, timeout);
	assert_true(found <= (int)made->cap);
	return found;
}

int look(void)
{
	return wait_for(0);
}

unsigned events_of(uint64_t token)
{
	unsigned events = 0;

	for (int i = 0; i < found; i++)
		if (made->found[i].token == token) {
			assert_int_equal(events, 0);
			events = made->found[i].events;
			assert_true(events);
		}
	return events;
}

unsigned seen(uint64_t token)
{
	for (int i = 0; i < 1000; i++)
		if (wait_for(MS) > 0 && events_of(token))
			return events_of(token);
	return 0;
}

void let_high_descriptors(void)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_max < 2 * FD_SETSIZE)
		skip();
}

void close_both(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

void input_comes_with_its_token(void **state)
{
	const uint64_t token = 0xFEDCBA9836543210u; /* low word: a slot, never so many */
	int fds[2];

	(void)state;
	unix_pair(fds);
	assert_int_equal(watch(fds[0], token, 0, AC_IN), 0);
	look();
	assert_false(events_of(token) & AC_IN);
	put(fds[1], "x");
	assert_int_equal(look(), 1);
	assert_true(made->found[0].token == token);
	assert_true(made->found[0].events & AC_IN);
	assert_int_equal(look(), is_edge() ? 0 : 1); /* a change, or a state */
	close_both(fds);
}

void output_is_ready_until_it_is_full(void **state)
{
	char text[4096] = "";
	int fds[2];

	(void)state;
	unix_pair(fds);
	assert_int_equal(watch(fds[0], 7, 0, AC_OUT), 0);
	assert_int_equal(look(), 1);
	assert_int_equal(events_of(7), AC_OUT);
	while (send(fds[0], text, sizeof(text), 0) > 0)
		;
	assert_int_equal(look(), 0);
	while (get(fds[1], text, sizeof(text)) > 0)
		;
	assert_int_equal(look(), 1);
	assert_int_equal(events_of(7), AC_OUT);
	close_both(fds);
}

void end_of_input_is_reported(void **state)
{
	int fds[2];

	(void)state;
	tcp_pair(fds);
	assert_int_equal(watch(fds[0], 1, 0, AC_IN), 0);
	look();
	assert_int_equal(look(), 0);
	shutdown(fds[1], SHUT_WR);
	assert_true(seen(1) & AC_IN);
	close_both(fds);
}

void urgent_byte_is_reported(void **state)
{
	int fds[2];

	(void)state;
	tcp_pair(fds);
	assert_int_equal(watch(fds[0], 1, 0, AC_IN | AC_PRI), 0);
	look();
	assert_int_equal(send(fds[1], "!", 1, MSG_OOB), 1);
	assert_true(seen(1) & AC_PRI);
	close_both(fds);
}

void quiet_one_sees_its_peer_die_and_nothing_else(void **state)
{
	int fds[2];

	(void)state;
	unix_pair(fds);
	assert_int_equal(watch(fds[0], 1, 0, AC_WATCH), 0);
	look();
	put(fds[1], "unread");
	look();
	assert_false(events_of(1) & (AC_HUP | AC_ERR));
	assert_int_equal(look(), 0); /* what it does not want does not wake the loop again */
	close(fds[1]);
	assert_int_equal(look(), 1);
	assert_true(events_of(1) & AC_HUP);
	close(fds[0]);
}

void quiet_one_sees_a_reset(void **state)
{
	int fds[2];

	(void)state;
	tcp_pair(fds);
	assert_int_equal(watch(fds[0], 1, 0, AC_WATCH), 0);
	look();
	assert_int_equal(look(), 0);
	reset(fds[1]);
	assert_true(seen(1) & (AC_ERR | AC_HUP));
	close(fds[0]);
}

/* Paused, but with an ear for the urgent byte. */
void urgent_alone_sees_its_peer_die(void **state)
{
	int fds[2];

	(void)state;
	tcp_pair(fds);
	assert_int_equal(watch(fds[0], 1, 0, AC_PRI), 0);
	look();
	assert_int_equal(look(), 0);
	assert_int_equal(send(fds[1], "!", 1, MSG_OOB), 1);
	assert_true(seen(1) & AC_PRI);
	reset(fds[1]);
	for (int i = 0; i < 1000 && !(events_of(1) & (AC_ERR | AC_HUP)); i++)
		wait_for(MS);
	assert_true(events_of(1) & (AC_ERR | AC_HUP));
	close(fds[0]);
}

void refused_connect_is_reported(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), code = 0;
	socklen_t len = sizeof(code);
	struct ac_addr addr;

	(void)state;
	close(listen_tcp(&addr)); /* nobody listens there now */
	assert_int_equal(connect(fd, &addr.sa, addr.len), -1);
	assert_int_equal(watch(fd, 1, 0, AC_OUT), 0);
	assert_true(seen(1) & (AC_OUT | AC_ERR));
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len), 0);
	assert_int_equal(code, ECONNREFUSED);
	close(fd);
}

void what_is_forgotten_is_not_reported(void **state)
{
	static const unsigned sets[] = { AC_IN, AC_IN | AC_OUT | AC_PRI, AC_WATCH };
	int fds[2];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		unix_pair(fds);
		assert_int_equal(watch(fds[0], 1, 0, sets[i]), 0);
		put(fds[1], "x");
		look();
		assert_int_equal(watch(fds[0], 1, sets[i], 0), 0);
		assert_int_equal(watch(fds[0], 1, 0, 0), 0); /* twice; and who never was watched */
		assert_int_equal(watch(fds[1], 1, 0, 0), 0);
		close(fds[1]);
		assert_int_equal(look(), 0);
		close(fds[0]);
	}
}

void watched_anew_has_its_new_token(void **state)
{
	int fds[2];

	(void)state;
	unix_pair(fds);
	assert_int_equal(watch(fds[0], 1, 0, AC_IN), 0);
	put(fds[1], "x");
	assert_int_equal(watch(fds[0], 1, AC_IN, 0), 0);
	assert_int_equal(watch(fds[0], 2, 0, AC_IN), 0);
	assert_int_equal(look(), 1); /* input that was there before is news to it */
	assert_true(events_of(2) & AC_IN);
	close_both(fds);
}

void events_asked_for_can_change(void **state)
{
	int fds[2];

	(void)state;
	unix_pair(fds);
	put(fds[1], "x");
	assert_int_equal(watch(fds[0], 1, 0, AC_WATCH), 0);
	assert_int_equal(watch(fds[0], 1, AC_WATCH, AC_IN | AC_OUT), 0);
	assert_int_equal(look(), 1);
	assert_int_equal(events_of(1), AC_IN | AC_OUT);
	assert_int_equal(watch(fds[0], 1, AC_IN | AC_OUT, AC_OUT), 0);
	assert_int_equal(look(), !is_edge());
	assert_int_equal(events_of(1), is_edge() ? 0 : AC_OUT);
	assert_int_equal(watch(fds[0], 1, AC_OUT, AC_WATCH), 0);
	assert_int_equal(look(), 0);
	assert_int_equal(watch(fds[0], 1, AC_WATCH, 0), 0);
	close_both(fds);
}

/* A program that closes a descriptor by itself harms nobody else. */
void closed_one_does_not_silence_the_others(void **state)
{
	static const unsigned sets[] = { AC_IN, AC_OUT, AC_WATCH, AC_PRI };
	int fds[2], other[2];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		unix_pair(fds);
		unix_pair(other);
		assert_int_equal(watch(fds[0], 1, 0, sets[i]), 0);
		assert_int_equal(watch(other[0], 2, 0, AC_IN), 0);
		look();
		close(fds[0]);
		put(other[1], "x");
		assert_true(seen(2) & AC_IN);
		if (!is_edge() && !made->cls->forgets) /* epoll has lost it without a word */
			assert_true(seen(1) & AC_ERR);
		watch(fds[0], 1, sets[i], 0);
		watch(other[0], 2, AC_IN, 0);
		assert_int_equal(look(), 0);
		close(fds[1]);
		close_both(other);
	}
}

void number_used_again_belongs_to_the_new_one(void **state)
{
	int fds[2], again[2];

	(void)state;
	unix_pair(fds);
	unix_pair(again);
	assert_int_equal(watch(fds[0], 1, 0, AC_IN), 0);
	look();
	assert_int_equal(dup2(again[0], fds[0]), fds[0]); /* closed without a word */
	assert_int_equal(watch(fds[0], 2, 0, AC_IN), 0);
	look();
	put(again[1], "x");
	look();
	assert_int_equal(events_of(1), 0);
	assert_true(events_of(2) & AC_IN);
	assert_int_equal(watch(fds[0], 2, AC_IN, 0), 0);
	assert_int_equal(look(), 0);
	close_both(fds);
	close_both(again);
}

void wait_is_never_early(void **state)
{
	static const int64_t waits[] = { 1, 1000, 500000, MS, MS + 1, 3 * MS, 20 * MS + 1 };
	int fds[2];

	(void)state;
	unix_pair(fds);
	for (int watched = 0; watched < 2; watched++) {
		for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
			int64_t begin = ac_clock_();

			assert_int_equal(wait_for(waits[i]), 0);
			assert_true(ac_clock_() - begin >= waits[i]);
		}
		assert_int_equal(watch(fds[0], 1, watched ? AC_IN : 0, AC_IN), 0);
		look();
	}
	close_both(fds);
}

/* Python's poll2 made it 0 ms, and the loop ran hot until the task was due. */
void half_a_millisecond_does_not_spin(void **state)
{
	int64_t begin = ac_clock_();
	int waits = 0, fds[2];

	(void)state;
	unix_pair(fds);
	assert_int_equal(watch(fds[0], 1, 0, AC_IN), 0);
	look();
	while (ac_clock_() - begin < 20 * MS) {
		wait_for(MS / 2);
		waits++;
	}
	assert_in_range(waits, 1, 40); /* each at least so long */
	close_both(fds);
}

/* The writer is a process: valgrind lets no thread run beside one in a call it does not know to wait. */
void long_wait_ends_with_the_event(void **state)
{
	static const int64_t waits[] = { -1, INT32_MAX * MS, (INT32_MAX + 1ll) * MS, INT64_MAX / 4,
		                         INT64_MAX };
	pid_t child;
	int fds[2];

	(void)state;
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		unix_pair(fds);
		assert_int_equal(watch(fds[0], 1, 0, AC_IN), 0);
		look();
		child = fork();
		if (child == 0)
			_exit(usleep(50000) != 0 || write(fds[1], "x", 1) != 1);
		assert_true(child > 0);
		assert_int_equal(wait_for(waits[i]), 1);
		assert_true(events_of(1) & AC_IN);
		assert_int_equal(waitpid(child, NULL, 0), child);
		assert_int_equal(watch(fds[0], 1, AC_IN, 0), 0);
		close_both(fds);
	}
}

static volatile sig_atomic_t alarms;

static void count_alarm(int signo)
{
	(void)signo;
	alarms++;
}

void signal_is_no_error(void **state)
{
	struct sigaction action = { .sa_handler = count_alarm };
	struct itimerval soon = { { 0, 0 }, { 0, 20000 } };

	(void)state;
	alarms = 0;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_int_equal(wait_for(5000 * MS), 0);
	for (int i = 0; i < 100 && !alarms; i++) /* valgrind hands it on later */
		usleep(1000);
	assert_int_equal(alarms, 1);
}

#define MANY 1000

static int many[MANY];

/* Where an allocation fails nothing has happened, and it may be tried again. */
static int watch_while_allocations_fail(int fd, uint64_t token)
{
	for (long nth = 1;; nth++) {
		int r;

		fail_allocation(nth, false);
		r = watch(fd, token, 0, AC_IN);
		fail_allocation(0, false);
		if (r == 0)
			return (int)nth - 1;
		assert_int_equal(r, -ENOMEM);
		look();
	}
}

static int watch_many(void)
{
	int failures = 0;

	for (int i = 0; i < MANY; i++) {
		many[i] = eventfd(0, EFD_NONBLOCK);
		assert_true(many[i] >= 0);
		failures += watch_while_allocations_fail(many[i], (uint64_t)i + 1000);
	}
	while (look() > 0)
		assert_true(is_edge()); /* that they can be written to */
	return failures;
}

static void wake_every(int step)
{
	for (int i = 0; i < MANY; i += step)
		assert_int_equal(eventfd_write(many[i], 1), 0);
}

/* Reports of input, each of one that was woken, until all of them have come. */
static void expect_input(int step, int left)
{
	static bool came[MANY];

	memset(came, 0, sizeof(came));
	while (left > 0) {
		assert_true(look() > 0);
		for (int i = 0; i < found; i++) {
			int at = (int)(made->found[i].token - 1000);
			eventfd_t value;

			assert_in_range(at, 0, MANY - 1);
			if (is_edge() && !(made->found[i].events & AC_IN))
				continue; /* that there is room again */
			assert_true(made->found[i].events & AC_IN);
			assert_int_equal(at % step, 0);
			assert_false(came[at]);
			came[at] = true;
			assert_int_equal(eventfd_read(many[at], &value), 0);
			left--;
		}
	}
	while (look() > 0)
		for (int i = 0; i < found; i++)
			assert_int_equal(made->found[i].events, is_edge() ? AC_OUT : 0);
}

void thousand_descriptors_while_allocations_fail(void **state)
{
	int failures = watch_many();

	(void)state;
	/* the others do not grow, or only in a wait */
	assert_int_equal(failures > 4, !is_edge() && made->cls != &ac_poller_select_ &&
	                                       made->cls != &ac_poller_level_);
	wake_every(1);
	expect_input(1, MANY);
	wake_every(3);
	expect_input(3, (MANY + 2) / 3);
	for (int i = 0; i < MANY; i++) /* holes everywhere */
		if (i % 7)
			assert_int_equal(watch(many[i], (uint64_t)i + 1000, AC_IN, 0), 0);
	wake_every(1);
	expect_input(7, (MANY + 6) / 7);
	for (int i = MANY; i-- > 0;) {
		if (i % 7 == 0)
			assert_int_equal(watch(many[i], (uint64_t)i + 1000, AC_IN, 0), 0);
		close(many[i]);
	}
	assert_int_equal(look(), 0);
}
