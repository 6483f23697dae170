/*
 * loop.c — one pass, and passes until nothing is left.
 *
 *	ask predicates ─▶ wait ─▶ ready bits, queue ─▶ turns of those queued by then ─▶ tasks ─▶ graves
 *
 * Design: the poller's whole batch is taken over before anything is called. A turn queued during the run
 * belongs to the next pass: turns are counted, so that a nested pass may empty the queue under this one.
 */
#include "map.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/*
 * Drops the names of those who are gone, and brings the others' interest up to date. A predicate may make
 * channels: they join the end of the list. A pass it runs asks nobody, or it would not end.
 */
static void ask_predicates(struct ac_map *m)
{
	size_t kept = 0;

	if (m->asking)
		return;
	m->asking = true;
	for (size_t i = 0; i < m->asked.count; i++) {
		struct ac_name name = m->asked.at[i];
		struct ac_dispatcher *d = ac_find_channel_(m, name);

		if (!d)
			continue;
		m->asked.at[kept++] = name;
		if (!(d->flags & AC_IS_BUSY))
			ac_update_(d);
	}
	m->asked.count = kept;
	m->asking = false;
}

static void run_queue(struct ac_map *m, uint64_t limit)
{
	while (m->ran < limit && m->queue_first) {
		struct ac_dispatcher *d = ac_dequeue_(m);

		if (d)
			ac_turn_(d, 0);
	}
}

static int ask_poller(struct ac_map *m, int64_t timeout)
{
	int r = ac_poller_is_stale_(m->poller) ? ac_renew_poller_(m) : 0;

	if (r == 0)
		r = m->poller->cls->wait(m->poller, timeout);
	if (r == -EEXIST && (r = ac_renew_poller_(m)) == 0)
		r = m->poller->cls->wait(m->poller, 0);
	ac_take_over_(m, r < 0 ? 0 : r);
	return r;
}

/* A pass inside a delivery has the rest of that batch to deliver. */
static int wait_for_events(struct ac_map *m, int64_t timeout, bool held)
{
	if (m->batch_at < m->batch_end)
		return 0;
	if (m->queue_first || m->pushed.count || (m->live == 0 && m->wheel.count == 0))
		timeout = 0;
	else
		timeout = ac_tasks_wait_(m, held, timeout);
	return m->live == 0 && timeout == 0 ? 0 : ask_poller(m, timeout);
}

/* The frame around its handlers sends. Those that are given output meanwhile wait for the next pass. */
static void send_pushed(struct ac_map *m)
{
	size_t count = m->pushed.count, left;

	for (size_t i = 0; i < count && i < m->pushed.count; i++) {
		struct ac_dispatcher *d = ac_find_channel_(m, m->pushed.at[i]);

		if (d && ac_enter_(d))
			ac_leave_(d);
	}
	if (count == 0 || m->pushed.count < count) /* a nested pass has done it */
		return;
	left = m->pushed.count - count;
	memmove(m->pushed.at, m->pushed.at + count, left * sizeof(struct ac_name));
	m->pushed.count = left;
}

/* timeout in nanoseconds, negative: for ever. 0, 1: a handler wants to exit, or -errno. */
static int pass(struct ac_map *m, int64_t timeout, bool held)
{
	uint64_t limit;
	int n;

	m->depth++;
	m->now = 0;
	ask_predicates(m);
	n = wait_for_events(m, timeout, held);
	m->now = m->wheel.count ? ac_clock_() : AC_UNREAD;
	limit = m->queued;
	ac_deliver_(m);
	run_queue(m, limit);
	ac_tasks_run_(m, held);
	send_pushed(m);
	if (m->depth == 1) {
		ac_graves_empty_(m);
		ac_free_given_up_(m);
	}
	if (n < 0)
		ac_error_settle_(m, -n, m->poller->cls->name, "wait");
	n = n < 0 ? n : m->exit;
	m->exit = false;
	if (m->depth == 1)
		m->now = 0;
	if (m->depth == 1 && m->loops == 0) /* nobody knows when the next wait comes */
		ac_hand_over_(m);
	ac_map_release_(m);
	return n;
}

static int64_t wait_ns(double seconds)
{
	return seconds <= 0 || isnan(seconds) ? 0 : ac_ns_(seconds);
}

int ac_poll(struct ac_map *map, double timeout)
{
	struct ac_map *m = ac_map_of_(map);

	return m ? pass(m, wait_ns(timeout), false) : -ENOMEM;
}

static bool anything_left(const struct ac_map *m, enum ac_tasks tasks)
{
	return m->live > 0 || (tasks == AC_TASKS_RUN && m->wheel.count > m->inner_tasks);
}

int ac_loop(struct ac_map *map, const struct ac_loop_opts *opts)
{
	static const struct ac_loop_opts defaults = { .timeout = 30.0 };
	struct ac_map *m = ac_map_of_(map);
	const struct ac_loop_opts *o = opts ? opts : &defaults;
	int64_t wait = wait_ns(o->timeout == 0 ? defaults.timeout : o->timeout);
	long left = o->count;
	int r = 0;

	if (!m)
		return -ENOMEM;
	m->loops++;
	while (r == 0 && o->count >= 0 && anything_left(m, o->tasks) && !m->doomed) {
		/* a wait after which nobody would be asked or counted needs no timer in the kernel */
		r = pass(m, o->count == 0 && m->asked.count == 0 ? -1 : wait,
		         o->tasks == AC_TASKS_HOLD);
		if (o->count > 0 && --left == 0)
			break;
	}
	m->loops--;
	if (m->depth == 0)
		ac_hand_over_(m);
	ac_map_reap_(m);
	return r;
}

int ac_fd(struct ac_map *map)
{
	struct ac_map *m = ac_map_of_(map);

	int r;

	if (!m)
		return -ENOMEM;
	if (!m->poller->cls->fd)
		return -ENOTSUP;
	r = ac_poller_is_stale_(m->poller) ? -EEXIST : m->poller->cls->fd(m->poller);
	if (r == -EEXIST && (r = ac_renew_poller_(m)) == 0)
		r = m->poller->cls->fd(m->poller);
	return r;
}

double ac_next_timeout(struct ac_map *map)
{
	struct ac_map *m = ac_map_of_(map);
	int64_t wait;

	if (!m)
		return -1;
	if (m->queue_first || m->pushed.count)
		return 0;
	wait = ac_tasks_wait_(m, false, -1);
	return wait < 0 ? -1 : (double)wait / 1e9;
}

double ac_now(struct ac_map *map)
{
	struct ac_map *m = ac_map_of_(map);

	return (double)(m ? ac_map_time_(m) : ac_clock_()) / 1e9;
}

void ac_close_all(struct ac_map *map, bool ignore_all)
{
	struct ac_map *m = ac_map_of_(map);
	bool hushed, closing_all;

	if (!m)
		return;
	m->depth++;
	hushed = m->hushed;
	m->hushed = hushed || ignore_all;
	closing_all = m->closing_all;
	m->closing_all = true;
	if (m->dialer)
		m->dialer->halt(m->dialer, true);
	ac_close(m->mailbox);
	/* A handle_close that connects anew must not keep this going for ever. */
	for (size_t i = 0, used = m->slot_used; i < used; i++)
		ac_close(m->slots[i].d);
	ac_tasks_drop_(m);
	if (m->dialer)
		m->dialer->halt(m->dialer, false);
	m->hushed = hushed;
	m->closing_all = closing_all;
	ac_map_release_(m);
}
