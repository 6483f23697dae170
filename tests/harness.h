/*
 * harness.h — what the tests stand on: each case on each poller, and nothing left behind.
 *
 * EACH(case) is the case on every poller, named "case/epoll" and so on. Its state is a struct world. When it
 * is over the map is freed, and as many descriptors must be open and allocations alive as before.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <asynchat.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRACES 64
#define TRACE_SIZE 2048

struct world {
	struct ac_map *map;
	const char *poller;
	int fds;         /* open before the case */
	char log[16384]; /* what was logged, a line each */
	size_t log_len;
	char traces[TRACES][TRACE_SIZE]; /* lent to chats that write down what happens */
	unsigned trace_count;
};

int world_setup(void **state);
int world_teardown(void **state);

#define ON(fn, poller)                                                                             \
	{                                                                                          \
#fn "/" #poller, fn, world_setup, world_teardown, (void *)#poller                  \
	}
#ifdef AC_WITH_URING
#define POLLERS "select", "poll", "epoll", "io_uring"
#define EACH(fn) ON(fn, select), ON(fn, poll), ON(fn, epoll), ON(fn, io_uring)
#else
#define POLLERS "select", "poll", "epoll"
#define EACH(fn) ON(fn, select), ON(fn, poll), ON(fn, epoll)
#endif

/* All of them, or those whose names begin as CASE in the environment says. */
#define RUN(tests) (choose_cases(), cmocka_run_group_tests_name(__FILE__, tests, NULL, NULL))
void choose_cases(void);

/* Passes until the condition holds, at most two seconds; fails if it never does. */
#define UNTIL(w, condition)                                                                        \
	do {                                                                                       \
		double until_ = ac_now((w)->map) + 2;                                              \
		while (!(condition) && ac_now((w)->map) < until_)                                  \
			ac_poll((w)->map, 0.01);                                                   \
		assert_true(condition);                                                            \
	} while (0)

void passes(struct world *w, int count);       /* that do not wait */
int waits_in(struct world *w, double seconds); /* passes in that time, of 50 ms if nothing spins */
bool falls_silent(struct world *w); /* soon nobody has anything to do: what spins never does */
int count_fds(void);

/* Allocations that are alive; and a fault: the nth from now fails (0: none), for ever if sticky. */
long allocations(void);
size_t allocated_bytes(void); /* and how much they hold, as malloc counts it */
void fail_allocation(long nth, bool sticky);
bool allocation_failed(void);

void unix_pair(int fds[2]);                           /* a stream socketpair, both non-blocking */
void tcp_pair(int fds[2]);                            /* over loopback, both non-blocking */
int listen_tcp(struct ac_addr *addr);                 /* a plain listener on a free port */
int connect_to(const struct ac_dispatcher *listener); /* a plain blocking client */
void put(int fd, const char *text);                   /* writes all of it */
size_t get(int fd, char *text, size_t size);          /* what is there now; 0: nothing or ended */
bool ended(int fd);                                   /* the peer has closed or reset it */
void reset(int fd);                                   /* closes with a reset */

/* A chat that writes down what happens to it: "C(ab)F" for collected and found, X for its close, E for an
 * error, D for drained. The hooks may be NULL; found's result is handed on. */
struct rec {
	struct ac_chat c;
	char *trace; /* the world's, TRACE_SIZE bytes: good until the case is over */
	int closes, errors, finals, *counter;
	int reason, error;
	int (*on_found)(struct rec *r);
	int (*on_connect)(struct rec *r);
	int (*on_close)(struct rec *r);
	int (*on_error)(struct rec *r);
	void *arg;
	int number;
};
extern const struct ac_chat_class rec_class;

/* On a new pair: the peer's end in *ret_fd. */
struct rec *rec_pair(struct world *w, int *ret_fd);
char *new_trace(struct world *w);

#endif
