/*
 * select.c — POSIX select.
 *
 * Design: three sets kept up to date, copied for each wait. select cannot report a hang-up without being
 * asked for input, so descriptors watched with no events, or for urgent ones alone ("quiet" ones), are
 * looked at with poll(2) before each wait, and while there are any a wait is cut at a quarter of a second.
 * One bad descriptor makes select fail as a whole: then poll(2) is asked about each.
 * Limits: descriptors below FD_SETSIZE; others are refused with -EMFILE.
 */
#include "poller.h"

#include <errno.h>
#include <sys/select.h>

#define QUIET_NS 250000000

struct select_poller {
	struct ac_poller p;
	fd_set in, out, pri, quiet;
	uint64_t tokens[FD_SETSIZE];
	int top; /* one more than the highest descriptor watched */
	int quiet_count;
};

static int select_init(struct ac_poller *p)
{
	struct select_poller *s = (struct select_poller *)p;

	FD_ZERO(&s->in);
	FD_ZERO(&s->out);
	FD_ZERO(&s->pri);
	FD_ZERO(&s->quiet);
	return ac_poller_room_(p, FD_SETSIZE);
}

static void select_fini(struct ac_poller *p)
{
	(void)p;
}

static void put(fd_set *set, int fd, bool in)
{
	if (in)
		FD_SET(fd, set);
	else
		FD_CLR(fd, set);
}

static bool watched(struct select_poller *s, int fd)
{
	return FD_ISSET(fd, &s->in) || FD_ISSET(fd, &s->out) || FD_ISSET(fd, &s->pri) ||
	       FD_ISSET(fd, &s->quiet);
}

static int select_set(struct ac_poller *p, int fd, uint64_t token, unsigned old, unsigned events)
{
	struct select_poller *s = (struct select_poller *)p;
	bool quiet;

	(void)old;
	if (fd >= FD_SETSIZE)
		return events ? -EMFILE : 0;
	quiet = events && !(events & (AC_IN | AC_OUT));
	s->quiet_count += quiet - (FD_ISSET(fd, &s->quiet) != 0);
	put(&s->in, fd, events & AC_IN);
	put(&s->out, fd, events & AC_OUT);
	put(&s->pri, fd, events & AC_PRI);
	put(&s->quiet, fd, quiet);
	s->tokens[fd] = token;
	if (events && fd >= s->top)
		s->top = fd + 1;
	while (s->top > 0 && !watched(s, s->top - 1))
		s->top--;
	return 0;
}

/* Those found are taken out of `pri`: one report for each. */
static int find_quiet(struct select_poller *s, fd_set *pri)
{
	int n = 0;

	for (int fd = 0; s->quiet_count && fd < s->top; fd++) {
		unsigned urgent = FD_ISSET(fd, pri) ? AC_PRI : 0;
		unsigned events = FD_ISSET(fd, &s->quiet) ? ac_sys_poll1_(fd, urgent) : 0;

		if (!events)
			continue;
		s->p.found[n++] = (struct ac_found){ s->tokens[fd], events };
		FD_CLR(fd, pri);
	}
	return n;
}

/* One by one, where one of them spoils it for all. */
static int find_each(struct select_poller *s)
{
	int n = 0;

	for (int fd = 0; fd < s->top; fd++) {
		unsigned wanted = (FD_ISSET(fd, &s->in) ? AC_IN : 0u) |
		                  (FD_ISSET(fd, &s->out) ? AC_OUT : 0u) |
		                  (FD_ISSET(fd, &s->pri) ? AC_PRI : 0u);
		unsigned events = watched(s, fd) ? ac_sys_poll1_(fd, wanted) : 0;

		if (events)
			s->p.found[n++] = (struct ac_found){ s->tokens[fd], events };
	}
	return n;
}

/* NULL: for ever. Rounded up, and cut to what every select takes. */
static struct timeval *time_of(int64_t timeout_ns, struct timeval *t)
{
	const int64_t most = 1000000 * (int64_t)1000000000;

	if (timeout_ns < 0)
		return NULL;
	timeout_ns = (timeout_ns < most ? timeout_ns : most) + 999;
	t->tv_sec = (time_t)(timeout_ns / 1000000000);
	t->tv_usec = (suseconds_t)(timeout_ns % 1000000000 / 1000);
	return t;
}

static int select_wait(struct ac_poller *p, int64_t timeout_ns)
{
	struct select_poller *s = (struct select_poller *)p;
	fd_set in = s->in, out = s->out, pri = s->pri;
	struct timeval t;
	int n = find_quiet(s, &pri), ready;

	if (n > 0)
		timeout_ns = 0;
	else if (s->quiet_count && (timeout_ns < 0 || timeout_ns > QUIET_NS))
		timeout_ns = QUIET_NS;
	ready = select(s->top, &in, &out, &pri, time_of(timeout_ns, &t));
	if (ready < 0 && errno == EBADF)
		return find_each(s);
	if (ready < 0)
		return errno == EINTR ? n : -errno;
	for (int fd = 0; ready > 0 && fd < s->top; fd++) {
		unsigned events = (FD_ISSET(fd, &in) ? AC_IN : 0u) |
		                  (FD_ISSET(fd, &out) ? AC_OUT : 0u) |
		                  (FD_ISSET(fd, &pri) ? AC_PRI : 0u);

		if (events)
			p->found[n++] = (struct ac_found){ s->tokens[fd], events };
	}
	return n;
}

const struct ac_poller_class ac_poller_select_ = {
	.name = "select",
	.size = sizeof(struct select_poller),
	.init = select_init,
	.fini = select_fini,
	.set = select_set,
	.wait = select_wait,
};
