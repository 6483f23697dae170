/*
 * rate.c — token buckets, alone or shared.
 *
 * Design: tokens are counted when somebody asks. Who finds none stands in the queue of the bucket, and one task
 * for each bucket gives those in front their turns: of a shared one a part of what there is, so that
 * everybody comes by, and nobody takes what another has waited for. What a turn gave stays with its owner.
 * Limits: turns are 20 ms apart or more, or 1 KiB large, so that a slow bucket with many in its queue does
 * not cost more than it lets through.
 */
#include "rate.h"

#include <errno.h>

#define TURNS_A_SECOND 50
#define TURN_LEAST 1024

int ac_rate_make_(struct ac_map *m, double rate, double burst, struct ac_rate **ret_rate)
{
	struct ac_rate *r = ac_alloc_(sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->map = m;
	r->refs = 1;
	r->rate = rate;
	r->burst = burst > 0 ? burst : rate / 4;
	if (r->burst < 1)
		r->burst = 1;
	r->tokens = r->burst;
	r->filled = ac_map_time_(m);
	r->tail = &r->head;
	*ret_rate = r;
	return 0;
}

void ac_rate_drop_(struct ac_rate *r)
{
	if (!r || --r->refs)
		return;
	ac_task_cancel(&r->task);
	ac_free_(r);
}

struct ac_rate *ac_rate_new(struct ac_map *map, uint64_t bytes_per_second, uint64_t burst)
{
	struct ac_map *m = ac_map_of_(map);
	struct ac_rate *r;

	if (!bytes_per_second) {
		errno = EINVAL;
		return NULL;
	}
	if (!m || ac_rate_make_(m, (double)bytes_per_second, (double)burst, &r) < 0) {
		errno = ENOMEM;
		return NULL;
	}
	return r;
}

void ac_rate_free(struct ac_rate *rate)
{
	ac_rate_drop_(rate);
}

static void refill(struct ac_rate *r)
{
	int64_t now = ac_map_time_(r->map);

	r->tokens += (double)(now - r->filled) * r->rate / 1e9;
	if (r->tokens > r->burst)
		r->tokens = r->burst;
	r->filled = now;
}

/* ---- the queue --------------------------------------------------------------------------- */

static void take_out(struct ac_seat *s)
{
	struct ac_rate *r = s->rate;

	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	else
		r->tail = s->link;
	s->link = NULL;
	r->waiting--;
}

/* What one turn is, if many wait. */
static double turn_of(const struct ac_rate *r)
{
	double even = r->rate / TURNS_A_SECOND / (double)(r->waiting ? r->waiting : 1);
	double least = r->burst < TURN_LEAST ? r->burst : TURN_LEAST;

	even = even > least ? even : least;
	return even < r->burst ? even : r->burst;
}

static int give_turns(void *arg);

/* Fewer tokens are not worth a turn: they would be spent byte by byte as they drop. */
static double worth_waking(const struct ac_rate *r)
{
	double need = r->rate / TURNS_A_SECOND;

	if (need > r->burst)
		need = r->burst;
	return need < 1 ? 1 : need;
}

static void wait_for_tokens(struct ac_rate *r)
{
	double need = worth_waking(r), turn = turn_of(r);
	int64_t wait;

	if (need < turn)
		need = turn;

	wait = need > r->tokens ? (int64_t)((need - r->tokens) * 1e9 / r->rate) : 0;
	ac_task_start_inner_(&r->task, r->map, r->filled + wait + 1000000, give_turns, r);
}

/* A predicate of a channel that is woken may do anything, but the bucket stays. */
static int give_turns(void *arg)
{
	struct ac_rate *r = arg;
	double turn = turn_of(r);

	r->refs++;
	refill(r);
	while (r->head && r->tokens >= turn) {
		struct ac_seat *s = r->head;

		s->credit += turn;
		r->tokens -= turn;
		take_out(s);
		ac_share_woken_(s);
	}
	if (r->head)
		wait_for_tokens(r);
	ac_rate_drop_(r);
	return 0;
}

static void stand_in_line(struct ac_seat *s)
{
	struct ac_rate *r = s->rate;

	s->next = NULL;
	s->link = r->tail;
	*r->tail = s;
	r->tail = &s->next;
	r->waiting++;
	if (!r->task.link)
		wait_for_tokens(r);
}

void ac_seat_leave_(struct ac_seat *s)
{
	struct ac_rate *r = s->rate;

	if (!r)
		return;
	if (s->link)
		take_out(s);
	if (!r->head)
		ac_task_cancel(&r->task);
	s->rate = NULL;
	s->credit = 0;
	ac_rate_drop_(r);
}

void ac_seat_join_(struct ac_seat *s, struct ac_dispatcher *d, struct ac_rate *r)
{
	ac_seat_leave_(s);
	s->d = d;
	s->rate = r;
	if (r)
		r->refs++;
}

/* ---- taking ------------------------------------------------------------------------------ */

/* What it may have now. While others stand in line, only what its own turn gave. */
static double available(const struct ac_seat *s)
{
	return s->credit + (s->rate->head ? 0 : s->rate->tokens);
}

static bool bound(struct ac_share *share, struct ac_seat *s, size_t *most)
{
	double n, least = (double)*most;

	if (!s->rate)
		return true;
	refill(s->rate);
	n = available(s);
	if (least > worth_waking(s->rate))
		least = worth_waking(s->rate);
	if (n < 1 || (s->credit < 1 && n < least)) {
		share->waits = true;
		ac_count_(s->d->map, AC_COUNT_RATE_WAITS);
		stand_in_line(s);
		return false;
	}
	if (n < (double)*most)
		*most = (size_t)n;
	return true;
}

size_t ac_share_take_(struct ac_share *s, size_t wanted)
{
	if (s->waits || !bound(s, &s->own, &wanted) || !bound(s, &s->group, &wanted))
		return 0;
	return wanted;
}

static void pay(struct ac_seat *s, double n)
{
	double own = s->credit < n ? s->credit : n;

	if (!s->rate)
		return;
	s->credit -= own;
	s->rate->tokens -= n - own;
}

void ac_share_spend_(struct ac_share *s, size_t n)
{
	pay(&s->own, (double)n);
	pay(&s->group, (double)n);
}
