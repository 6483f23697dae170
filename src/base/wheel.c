/*
 * wheel.c — pending tasks in a hierarchical wheel of milliseconds.
 *
 * Design: a task waits at the level of the highest base-256 digit in which its tick differs from the
 * wheel's, in the slot of that digit. When the wheel comes to a slot of a higher level, its tasks move
 * down. Insert, cancel and expire are O(1); a bit for each slot finds the next busy one.
 *
 *	level 0   256 slots of 1 ms        level 1   256 slots of 256 ms      level 2 … 5
 *
 * Invariants:
 *  - every task in a slot has tick > w->tick, and shares with w->tick all digits above its level;
 *  - within a slot tasks stand in the order in which they were added: equal ticks always meet on the
 *    same path, so moving down keeps that order.
 *  - ticks are rounded up: a task is never early. Whenever the wheel has advanced, w->due is sorted by the
 *    exact deadline, stably; what is added when its time has passed already waits at the end until then.
 */
#include "base.h"

#define NS_PER_TICK 1000000

static int64_t tick_of(int64_t ns)
{
	return ns <= 0 ? 0 : (ns + NS_PER_TICK - 1) / NS_PER_TICK;
}

static void list_init(struct ac_wheel_list *l)
{
	l->head = NULL;
	l->tail = &l->head;
}

static void list_append(struct ac_wheel_list *l, struct ac_task *t)
{
	t->next = NULL;
	t->link = l->tail;
	*l->tail = t;
	l->tail = &t->next;
}

void ac_wheel_init_(struct ac_wheel *w, int64_t now)
{
	*w = (struct ac_wheel){ .tick = now / NS_PER_TICK };
	for (int level = 0; level < AC_WHEEL_LEVELS; level++)
		for (int slot = 0; slot < AC_WHEEL_SLOTS; slot++)
			list_init(&w->slots[level][slot]);
	list_init(&w->due);
}

static unsigned level_of(const struct ac_wheel *w, int64_t tick)
{
	uint64_t differ = (uint64_t)tick ^ (uint64_t)w->tick;

	return differ < AC_WHEEL_SLOTS ? 0 : (63 - (unsigned)__builtin_clzll(differ)) / 8;
}

static unsigned digit(int64_t tick, unsigned level)
{
	return (unsigned)((uint64_t)tick >> (8 * level)) & (AC_WHEEL_SLOTS - 1);
}

/* The list a task of this tick belongs to; slot is AC_WHEEL_SLOTS for the due list. */
static struct ac_wheel_list *home(struct ac_wheel *w, int64_t tick, unsigned *level, unsigned *slot)
{
	*level = 0;
	*slot = AC_WHEEL_SLOTS;
	if (tick <= w->tick)
		return &w->due;
	*level = level_of(w, tick);
	*slot = digit(tick, *level);
	return &w->slots[*level][*slot];
}

static void place(struct ac_wheel *w, struct ac_task *t)
{
	unsigned level, slot;
	struct ac_wheel_list *l = home(w, tick_of(t->due), &level, &slot);

	list_append(l, t);
	if (slot < AC_WHEEL_SLOTS)
		w->busy[level][slot / 64] |= 1ull << slot % 64;
}

void ac_wheel_add_(struct ac_wheel *w, struct ac_task *t)
{
	place(w, t);
	w->count++;
}

void ac_wheel_remove_(struct ac_wheel *w, struct ac_task *t)
{
	unsigned level, slot;

	if (t->next) {
		t->next->link = t->link;
	} else {
		struct ac_wheel_list *l = home(w, tick_of(t->due), &level, &slot);

		l->tail = t->link;
		if (slot < AC_WHEEL_SLOTS && l->tail == &l->head)
			w->busy[level][slot / 64] &= ~(1ull << slot % 64);
	}
	*t->link = t->next;
	t->next = NULL;
	t->link = NULL;
	w->count--;
}

static struct ac_task *take_slot(struct ac_wheel *w, unsigned level, unsigned slot)
{
	struct ac_wheel_list *l = &w->slots[level][slot];
	struct ac_task *head = l->head;

	list_init(l);
	w->busy[level][slot / 64] &= ~(1ull << slot % 64);
	return head;
}

/* Merges two sorted lists; of equals, a's come first. */
static struct ac_task *merge(struct ac_task *a, struct ac_task *b)
{
	struct ac_task *head = NULL, **at = &head;

	while (a && b) {
		struct ac_task **from = b->due < a->due ? &b : &a;

		*at = *from;
		at = &(*at)->next;
		*from = *at;
	}
	*at = a ? a : b;
	return head;
}

/* A stable merge sort by deadline over the `next` links alone. Runs of 2^i tasks wait in runs[i]. */
static struct ac_task *sort(struct ac_task *list)
{
	struct ac_task *runs[48] = { NULL };
	struct ac_task *sorted = NULL;
	unsigned i;

	while (list) {
		struct ac_task *run = list;

		list = list->next;
		run->next = NULL;
		for (i = 0; runs[i]; i++) {
			run = merge(runs[i], run);
			runs[i] = NULL;
		}
		runs[i] = run;
	}
	for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		sorted = merge(runs[i], sorted);
	return sorted;
}

static bool is_sorted(const struct ac_task *t)
{
	while (t && t->next) {
		if (t->next->due < t->due)
			return false;
		t = t->next;
	}
	return true;
}

static void sort_due(struct ac_wheel *w)
{
	struct ac_task *t, *next;

	if (is_sorted(w->due.head))
		return;
	t = sort(w->due.head);
	list_init(&w->due);
	for (; t; t = next) {
		next = t->next;
		list_append(&w->due, t);
	}
}

/* The first busy slot behind `after` at this level, or AC_WHEEL_SLOTS. */
static unsigned busy_after(const struct ac_wheel *w, unsigned level, unsigned after)
{
	unsigned slot = after + 1;

	while (slot < AC_WHEEL_SLOTS) {
		uint64_t bits = w->busy[level][slot / 64] >> slot % 64;

		if (bits)
			return slot + (unsigned)__builtin_ctzll(bits);
		slot = (slot / 64 + 1) * 64;
	}
	return AC_WHEEL_SLOTS;
}

/* The next tick at which a slot falls due or moves down; -1: none. */
static int64_t next_stop(const struct ac_wheel *w)
{
	for (unsigned level = 0; level < AC_WHEEL_LEVELS; level++) {
		unsigned slot = busy_after(w, level, digit(w->tick, level));

		if (slot < AC_WHEEL_SLOTS)
			return ((w->tick >> 8 * level >> 8 << 8) | (int64_t)slot) << 8 * level;
	}
	return -1;
}

static void empty_slot(struct ac_wheel *w, unsigned level)
{
	struct ac_task *t = take_slot(w, level, digit(w->tick, level)), *next;

	for (; t; t = next) {
		next = t->next;
		place(w, t);
	}
}

void ac_wheel_advance_(struct ac_wheel *w, int64_t now)
{
	int64_t target = now / NS_PER_TICK, stop;

	while (w->tick < target) {
		stop = next_stop(w);
		if (stop < 0 || stop > target) {
			w->tick = target;
			break;
		}
		w->tick = stop;
		for (unsigned level = AC_WHEEL_LEVELS; level-- > 0;)
			if ((stop & ((1ll << 8 * level) - 1)) == 0)
				empty_slot(w, level);
	}
	sort_due(w);
}

int64_t ac_wheel_next_(const struct ac_wheel *w)
{
	int64_t stop;

	if (w->due.head)
		return 0;
	stop = next_stop(w);
	return stop < 0 ? -1 : stop * NS_PER_TICK;
}
