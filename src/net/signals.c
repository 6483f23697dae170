/*
 * signals.c — signals as channels, by signalfd.
 *
 * Design: signals are read one at a time, so that a channel that closes or pauses in the middle leaves the
 * others to whoever comes next. How many channels hold a signal is counted for each thread, as the mask is the
 * thread's: the last one unblocks it, if the first one had blocked it.
 */
#include <asyncore/signals.h>

#include "../dispatcher/dispatcher.h"

#include <errno.h>
#include <signal.h>

#define SIGNALS 64
#define TURN_MOST 32 /* signals heard in one turn */

static _Thread_local struct {
	unsigned held[SIGNALS]; /* channels that hear it */
	uint64_t ours;          /* blocked by us */
} mask;

static uint64_t bit(int i)
{
	return (uint64_t)1 << i;
}

static void hold(uint64_t set)
{
	uint64_t fresh = 0;

	for (int i = 0; i < SIGNALS; i++)
		if ((set & bit(i)) && mask.held[i]++ == 0)
			fresh |= bit(i);
	mask.ours |= ac_sys_block_(fresh) & fresh;
}

static void let_go(uint64_t set)
{
	uint64_t last = 0;

	for (int i = 0; i < SIGNALS; i++)
		if ((set & bit(i)) && --mask.held[i] == 0)
			last |= bit(i);
	last &= mask.ours;
	mask.ours &= ~last;
	ac_sys_unblock_(last);
}

static int handle_read(struct ac_dispatcher *d)
{
	struct ac_signals *s = (struct ac_signals *)d;
	const struct ac_signals_class *cls = (const struct ac_signals_class *)(const void *)d->cls;
	struct ac_signal signal;

	d->flags |= AC_HAS_READ;
	for (int i = 0; i < TURN_MOST && !(d->flags & (AC_IS_CLOSING | AC_IS_PAUSED)); i++) {
		int r = ac_sys_signal_read_(d->fd, &signal);

		if (r == -EAGAIN)
			d->ready &= (uint8_t)~AC_IN;
		if (r < 0)
			return r == -EAGAIN ? 0 : ac_raise(d, -r);
		ac_moved_(d);
		r = cls->handle_signal(s, &signal);
		if (r < 0)
			return r;
	}
	return 0;
}

static int not_handled(struct ac_signals *s, const struct ac_signal *signal)
{
	ac_log_info(&s->d, AC_LOG_WARNING, "unhandled signal %d", signal->number);
	return 0;
}

/* Whatever closes it: a class of the user's may have a handle_close of its own. */
static int settle(struct ac_dispatcher *d)
{
	struct ac_signals *s = (struct ac_signals *)d;

	if (d->flags & AC_IS_CLOSING) {
		let_go(s->set);
		s->set = 0;
	}
	return 0;
}

static int handle_close(struct ac_dispatcher *d)
{
	return settle(d);
}

const struct ac_signals_class ac_signals_class = {
	.d = {
		.super = &ac_dispatcher_class,
		.name = "signals",
		.size = sizeof(struct ac_signals),
		.class_size = sizeof(struct ac_signals_class),
		.flags = AC_OURS,
		.readable = ac_base_readable_,
		.writable = ac_base_writable_,
		.handle_read = handle_read,
		.handle_write = ac_base_handle_write_,
		.handle_eof = ac_base_handle_eof_,
		.settle = settle,
		AC_BASE_METHODS_BUT_CLOSE,
		.handle_close = handle_close,
	},
	.handle_signal = not_handled,
};

/* Between the standard ones and SIGRTMIN libc has some of its own. */
static bool is_signal(int n)
{
	return n >= 1 && n <= SIGNALS && n != SIGKILL && n != SIGSTOP &&
	       (n < SIGNALS / 2 || n >= SIGRTMIN);
}

static int collect(const int *numbers, size_t count, uint64_t *ret_set)
{
	uint64_t set = 0;

	for (size_t i = 0; i < count; i++) {
		if (!is_signal(numbers[i]))
			return -EINVAL;
		set |= bit(numbers[i] - 1);
	}
	*ret_set = set;
	return set ? 0 : -EINVAL;
}

static struct ac_signals *failed(struct ac_map *map, int r)
{
	return (struct ac_signals *)ac_no_channel_(ac_map_of_(map), -r, "ac_signals_new");
}

/* Blocked before there is a descriptor to read them from: none is lost in between. */
struct ac_signals *ac_signals_new(struct ac_map *map, const struct ac_signals_class *cls,
                                  const int *numbers, size_t count)
{
	struct ac_signals *s;
	uint64_t set = 0;
	int r = collect(numbers, count, &set), fd;

	if (r < 0)
		return failed(map, r);
	hold(set);
	fd = ac_sys_signalfd_(set);
	s = fd < 0 ? NULL : (struct ac_signals *)ac_adopt(map, &cls->d, fd, NULL);
	if (s) {
		s->set = set;
		return s;
	}
	r = fd < 0 ? fd : -errno;
	let_go(set);
	return failed(map, r);
}
