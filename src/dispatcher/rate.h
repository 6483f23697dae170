/*
 * rate.h — so many bytes a second: buckets that tokens drop into, and the queues of those who wait for some.
 *
 * Invariants:
 *  - a seat is in its rate's queue <==> seat->link; its rate's task is pending while anybody is.
 *  - whoever waits for tokens stands in one queue for each direction: share->waits.
 */
#ifndef AC_RATE_H
#define AC_RATE_H

#include "dispatcher.h"

struct ac_rate {
	struct ac_map *map; /* whose task it is */
	unsigned refs;
	double rate, burst; /* bytes a second; the most that is saved up */
	double tokens;      /* bytes; negative: debt */
	int64_t filled;     /* when they were counted */
	size_t waiting;
	struct ac_seat *head, **tail;
	struct ac_task task;
};

/* One direction of a channel, as one of those who share a rate. */
struct ac_seat {
	struct ac_rate *rate; /* NULL: none */
	struct ac_dispatcher *d;
	double credit; /* what its turn in the queue gave it */
	struct ac_seat *next, **link;
};

struct ac_share {
	struct ac_seat own, group;
	bool waits;
	uint64_t bytes; /* ever moved */
};

int ac_rate_make_(struct ac_map *m, double rate, double burst, struct ac_rate **ret_rate);
void ac_rate_drop_(struct ac_rate *r); /* NULL is fine */
void ac_seat_leave_(struct ac_seat *s);
void ac_seat_join_(struct ac_seat *s, struct ac_dispatcher *d, struct ac_rate *r);
size_t ac_share_take_(struct ac_share *s, size_t wanted); /* 0: waits now */
void ac_share_spend_(struct ac_share *s, size_t n);

/* meter.c. Without a meter: 0, and nobody waits. */
int ac_need_meter_(struct ac_dispatcher *d);
uint64_t ac_metered_in_(const struct ac_dispatcher *d);
uint64_t ac_metered_out_(const struct ac_dispatcher *d);
bool ac_metered_waits_(const struct ac_dispatcher *d, unsigned event);
void ac_share_woken_(struct ac_seat *s); /* its turn has come */

#endif
