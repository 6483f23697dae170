/*
 * poller_cases.h — what is asked of every poller; each poller's own tests add what is its alone.
 *
 * A case finds the poller in `made`; descriptors and allocations are counted as in the harness.
 */
#ifndef POLLER_CASES_H
#define POLLER_CASES_H

#include "harness.h"

#include "../src/poller/poller.h"

#define MS 1000000ll

extern struct ac_poller *made;

int poller_setup(void **state);
int poller_teardown(void **state);

int watch(int fd, uint64_t token, unsigned old, unsigned events);
int look(void);                /* waits not at all */
int wait_for(int64_t timeout); /* nanoseconds */
static inline bool is_edge(void)
{
	return made->cls->edge;
}
unsigned events_of(uint64_t token); /* in the last batch; fails if it is there twice */
unsigned seen(uint64_t token);      /* looks up to a second until it is reported */
void close_both(const int fds[2]);
void let_high_descriptors(void); /* skips the case where there are none over FD_SETSIZE */

void input_comes_with_its_token(void **state);
void output_is_ready_until_it_is_full(void **state);
void end_of_input_is_reported(void **state);
void urgent_byte_is_reported(void **state);
void quiet_one_sees_its_peer_die_and_nothing_else(void **state);
void quiet_one_sees_a_reset(void **state);
void urgent_alone_sees_its_peer_die(void **state);
void refused_connect_is_reported(void **state);
void what_is_forgotten_is_not_reported(void **state);
void watched_anew_has_its_new_token(void **state);
void events_asked_for_can_change(void **state);
void closed_one_does_not_silence_the_others(void **state);
void number_used_again_belongs_to_the_new_one(void **state);
void wait_is_never_early(void **state);
void half_a_millisecond_does_not_spin(void **state);
void long_wait_ends_with_the_event(void **state);
void signal_is_no_error(void **state);
void thousand_descriptors_while_allocations_fail(void **state);

#define ON_POLLER(fn, poller)                                                                      \
	{                                                                                          \
#fn "/" #poller, fn, poller_setup, poller_teardown, (void *)#poller                \
	}

/* clang-format off */
#define POLLER_CASES(poller)                                                                       \
	ON_POLLER(input_comes_with_its_token, poller),                                             \
	ON_POLLER(output_is_ready_until_it_is_full, poller),                                       \
	ON_POLLER(end_of_input_is_reported, poller),                                               \
	ON_POLLER(urgent_byte_is_reported, poller),                                                \
	ON_POLLER(quiet_one_sees_its_peer_die_and_nothing_else, poller),                           \
	ON_POLLER(quiet_one_sees_a_reset, poller),                                                 \
	ON_POLLER(urgent_alone_sees_its_peer_die, poller),                                         \
	ON_POLLER(refused_connect_is_reported, poller),                                            \
	ON_POLLER(what_is_forgotten_is_not_reported, poller),                                      \
	ON_POLLER(watched_anew_has_its_new_token, poller),                                         \
	ON_POLLER(events_asked_for_can_change, poller),                                            \
	ON_POLLER(closed_one_does_not_silence_the_others, poller),                                 \
	ON_POLLER(number_used_again_belongs_to_the_new_one, poller),                               \
	ON_POLLER(wait_is_never_early, poller),                                                    \
	ON_POLLER(half_a_millisecond_does_not_spin, poller),                                       \
	ON_POLLER(long_wait_ends_with_the_event, poller),                                          \
	ON_POLLER(signal_is_no_error, poller),                                                     \
	ON_POLLER(thousand_descriptors_while_allocations_fail, poller)
/* clang-format on */

#endif
