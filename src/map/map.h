/*
 * map.h — the map's inside: who owns channels, what waits for its turn, and the frame around each turn.
 *
 * Invariants:
 *  - slots[i].d->slot == i for every owned channel; a free slot has d NULL and the next generation.
 *  - a channel is QUEUED <==> its slot stands in the run queue. A slot is in one list at most.
 *  - live == number of channels that are COUNTED; they keep ac_loop going.
 *  - nothing is freed while depth > 0: a closed channel keeps its slot, with the next generation, and
 *    hangs on `grave` until the outermost pass ends.
 *  - d->watched is what the poller was told last; with an edge poller it is all or nothing.
 */
#ifndef AC_MAP_H
#define AC_MAP_H

#include <asyncore/overload.h>

#include "../poller/poller.h"
#include "../transport/transport.h"

#define AC_READ_SIZE 65536    /* the most one read brings */
#define AC_READ_HEADROOM 4096 /* room in front of it for what was held back */

struct ac_slot {
	struct ac_dispatcher *d;
	uint32_t generation, next; /* next: slot + 1 */
};

struct ac_name {
	uint32_t slot, generation;
};

struct ac_names {
	struct ac_name *at;
	size_t count, cap;
};

/* A class with every method filled in. The words of the table follow. */
struct ac_resolved {
	struct ac_resolved *next;
	const struct ac_class *key;
	uint32_t flags; /* what its channels begin with */
	bool feeds;     /* a poller may read for them */
	uintptr_t table[];
};

/* What connects to names: another of our libraries puts it on the map, which frees it. */
struct ac_dialer {
	/* Takes it on: ac_begin_dialing_ first, ac_dial_won_ or ac_dial_lost_ last, neither within this. */
	int (*dial)(struct ac_dialer *r, struct ac_dispatcher *d, const char *address);
	/* Every channel closes: what runs is given up, and nothing new begins until that is over. */
	void (*halt)(struct ac_dialer *r, bool on);
	void (*free)(struct ac_dialer *r);
};

/* A dial under way. While it hangs on a channel that is "connecting" and has no descriptor. */
struct ac_dialing {
	void (*cancel)(
		struct ac_dialing *g); /* nobody wants it any more, and it is off the channel */
};

/* What few channels have. */
struct ac_extra {
	double timeout;
	int64_t active;        /* when the last byte came or went */
	int64_t gave;          /* and when the last one went */
	int64_t record, waits; /* since when: a record is unfinished, output waits; 0: none */
	uint64_t pace;         /* bytes a second, at least; 0: any */
	double grace;          /* seconds before that counts */
	uint64_t in_before, out_before; /* bytes when a record, a wait began … */
	size_t held_before, held; /* … and what the kernel held then, and at the last look */
	bool looked;              /* it has been looked at in this wait */
	uint8_t late;             /* for ac_timed_out */
	bool stays;               /* on its map */
	struct ac_task deadline;  /* looks after them */
	struct ac_task rest;      /* ends a listener's rest, or that of what cannot be sent */
	struct ac_dialing *dialing;
	size_t limits[AC_LIMITS]; /* 0: the class's */
	void *secure;             /* the transport's */
	struct ac_meter *meter;   /* its rates; NULL: none */
};

/* A block of output memory that comes from the map's cache and goes back there. */
struct ac_chunk {
	struct ac_chunk *next;
};

#define AC_CHUNK_SIZE 16384
#define AC_CHUNKS_KEPT 16

/* How often, when a line last said so, and how often since. */
struct ac_tally {
	uint64_t count, unsaid;
	int64_t said;
};

/* A connection on its way from a listener to the channel that adopts it. */
struct ac_arrival {
	struct ac_arrival *outer; /* in the pass around this one */
	int fd;                   /* -1: adopted */
	bool counts;              /* it is let in, not rejected */
	const struct ac_addr *peer;
	struct ac_dispatcher *adopter;
};

/* A pipe through which bytes go from one channel to another; likewise, as long as they are under way. */
struct ac_pipe {
	struct ac_pipe *next;
	int fds[2];     /* out of it, into it */
	size_t size;    /* bytes it holds at most */
	unsigned forks; /* when it was made */
};

#define AC_PIPES_MOST 64 /* at a time; who gets none copies */
#define AC_PIPES_KEPT 8

#define AC_UNREAD (-1)

struct ac_map {
	struct ac_poller *poller;
	struct ac_poller
		*given_up; /* others before it, whose memory may still be lent to handlers */
	bool edge, exit, doomed;
	unsigned depth; /* passes and frames on the stack */
	unsigned loops; /* calls of ac_loop on the stack */
	int64_t now;    /* as the pass began; AC_UNREAD: nobody has asked yet; 0: outside */

	int batch_at, batch_end; /* of poller->found: what is not delivered yet */
	const struct ac_found
		*lent; /* input for the channel whose turn it is; NULL: it has had it */

	struct ac_slot *slots;
	size_t slot_cap, slot_used;
	uint32_t slot_free;
	size_t live;

	uint32_t queue_first, queue_last; /* slot + 1 */
	uint64_t queued, ran;             /* ever put into the queue, ever taken out */
	size_t queued_dead;               /* closed since they were put there */

	struct ac_names asked;
	bool asking;            /* they are being asked */
	struct ac_names pushed; /* chats that others gave output to in this pass */
	uint32_t grave;         /* slot of the channel closed last + 1; the others hang on it */
	struct ac_resolved *classes;

	struct ac_wheel wheel;
	uint32_t round;     /* of running tasks: those set in it wait for the next */
	size_t inner_tasks; /* the library's own among them: they keep no loop going */

	char *buffer; /* AC_READ_HEADROOM + AC_READ_SIZE */
	bool buffer_lent;
	void *batch;       /* of datagrams; NULL: there is none, or it is lent */
	size_t batch_size; /* 0: none */
	struct ac_chunk *chunks;
	unsigned chunk_count;
	struct ac_pipe *pipes;
	unsigned pipe_count, pipes_out; /* kept here, and lent */
	void *idle_output;              /* one chat's queue, kept for the next that needs one */
	struct ac_feed *feed;           /* inputs being cut, the innermost first */

	int spare;                  /* given up to shed a connection when descriptors run out */
	struct ac_arrival *arrival; /* the connection that a listener is handing on */
	size_t admitted;            /* channels that are ADMITTED … */
	struct ac_census *census;   /* … by address; NULL: nobody has asked */
	bool stressed, stress_said; /* nearly full: timeouts are shorter … */
	size_t stress_ends;         /* … until there are no more than these */
	unsigned stress_percent;
	double stress_factor;
	struct ac_tally counters[AC_COUNTERS];

	struct ac_dispatcher *mailbox; /* closed before all others; NULL: none */
	bool mailbox_stays; /* a worker's, which is stopped by it: ac_close_posts only refuses posts */
	size_t post_memory; /* what it holds */

	struct ac_dialer *dialer; /* NULL: names are no addresses */

	struct ac_error error;
	ac_log_fn *log;
	void *log_arg;
	bool hushed; /* ac_close_all(ignore_all) */
	bool closing_all;
	size_t limits[AC_LIMITS];
};

/* The limit in force: the channel's own, else its class's, else the map's. */
static inline size_t ac_limit_(const struct ac_dispatcher *d, enum ac_limit which)
{
	if (d->extra && d->extra->limits[which])
		return d->extra->limits[which];
	return d->cls->limits[which] ? d->cls->limits[which] : d->map->limits[which];
}

AC_API int64_t ac_map_time_(struct ac_map *m); /* the pass's, or now */

static inline struct ac_dispatcher *ac_find_channel_(const struct ac_map *m, struct ac_name name)
{
	if (name.slot >= m->slot_used || m->slots[name.slot].generation != name.generation)
		return NULL;
	return m->slots[name.slot].d;
}

/* Bytes came or went: not idle. */
static inline void ac_moved_(struct ac_dispatcher *d)
{
	if (d->extra)
		d->extra->active = ac_map_time_(d->map);
}

/* Bytes of its output went: nor stalled. */
static inline void ac_gave_(struct ac_dispatcher *d)
{
	if (d->extra)
		d->extra->active = d->extra->gave = ac_map_time_(d->map);
}

/* ---- map.c ---- */
AC_API struct ac_map *ac_map_of_(
	struct ac_map *map);         /* itself, or the thread's own; NULL: no memory */
void ac_map_reap_(struct ac_map *m); /* frees it if it is doomed and nobody is inside */
/* Leaves it; a doomed one is freed by the last who leaves: touch it no more. */
static inline void ac_map_release_(struct ac_map *m)
{
	if (--m->depth == 0 && m->doomed)
		ac_map_reap_(m);
}
AC_API void *ac_chunk_take_(struct ac_map *m); /* AC_CHUNK_SIZE bytes; NULL: no memory */
AC_API void ac_chunk_give_(struct ac_map *m, void *chunk);
AC_API char *ac_buffer_take_(struct ac_map *m); /* for one read: behind the headroom */
AC_API void ac_buffer_give_(struct ac_map *m, char *buffer);
void *ac_batch_take_(struct ac_map *m, size_t *size); /* the size it has */
void ac_batch_give_(struct ac_map *m, void *batch, size_t size);

/* ---- pipes.c ---- */
struct ac_pipe *ac_pipe_take_(struct ac_map *m); /* NULL: none to be had */
void ac_pipe_give_(struct ac_map *m, struct ac_pipe *pipe, bool empty);
void ac_pipes_free_(struct ac_map *m);

/* ---- slots.c: ownership, the run queue, graves ---- */
int ac_own_(struct ac_map *m, struct ac_dispatcher *d); /* sets d->map and d->slot */
void ac_disown_(struct ac_dispatcher *d);
void ac_free_slot_(struct ac_map *m, uint32_t slot);
struct ac_name ac_name_of_(const struct ac_dispatcher *d);
uint64_t ac_token_(const struct ac_dispatcher *d);
void ac_queue_(struct ac_dispatcher *d); /* its turn comes in the next run */
void ac_unqueue_(struct ac_dispatcher *d);
struct ac_dispatcher *ac_dequeue_(struct ac_map *m); /* NULL: gone meanwhile */
int ac_names_add_(struct ac_names *n, struct ac_name name);
void ac_bury_(struct ac_dispatcher *d);
void ac_graves_empty_(struct ac_map *m);

/* ---- class.c ---- */
struct ac_resolved *ac_resolve_(struct ac_map *m, const struct ac_class *cls, int *ret_error);
const struct ac_class *ac_class_key_(
	const struct ac_class *resolved); /* the table it was made of */
#define AC_OURS ((size_t)1 << 16)         /* class flag: one of the library's own */
#define AC_FEEDS ((size_t)1 << 17)        /* its handle_read takes what a poller has read */
#define AC_INNER ((size_t)1 << 18)        /* the map's own: nobody is shown it */
bool ac_class_feeds_(const struct ac_class *resolved);
AC_API bool ac_is_a_(const struct ac_dispatcher *d, const struct ac_class *cls); /* or below it */

/* ---- channel.c: interest, the frame, closing ---- */
unsigned ac_wants_(struct ac_dispatcher *d); /* the events it is interested in now */
bool ac_ask_(struct ac_dispatcher *d);       /* sets d->interest; false: closed meanwhile */
void ac_update_(struct ac_dispatcher *d);    /* interest, poller and queue agree with its state */
void ac_debug_(struct ac_dispatcher *d, const char *what);
AC_API bool ac_enter_(struct ac_dispatcher *d); /* false: a handler of it is on the stack already */
AC_API void ac_leave_(struct ac_dispatcher *d);
AC_API void ac_failed_(struct ac_dispatcher *d, int r,
                       const char *name); /* a handler returned this */
/* Calls one of its methods; false: it is closed now. */
static inline bool ac_call_(struct ac_dispatcher *d, int (*method)(struct ac_dispatcher *),
                            const char *name)
{
	int r;

	d->map->error.code = 0;
	r = method(d);
	if (r < 0)
		ac_failed_(d, r, name);
	return !(d->flags & AC_IS_CLOSING);
}
void ac_close_(struct ac_dispatcher *d, int reason);
void ac_end_dialing_(struct ac_dispatcher *d, bool cancel);
AC_API void ac_doom_(struct ac_dispatcher *d, int reason, bool raise); /* closes at its next turn */
AC_API bool ac_lost_(int code); /* errnos that mean: the connection is gone */

/* ---- watch.c: what the poller is told ---- */
int ac_watch_(struct ac_dispatcher *d); /* a descriptor has come: count and watch it */
void ac_unwatch_(struct ac_dispatcher *d);
void ac_tell_poller_(struct ac_dispatcher *d); /* a level one: of a change of interest */
void ac_mute_(struct ac_dispatcher *d);        /* not to be told of until it is told of again */
void ac_lapsed_(struct ac_dispatcher *d, bool feed);
void ac_feed_no_more_(struct ac_dispatcher *d); /* it reads much: one large read is better */
int ac_renew_poller_(struct ac_map *m);
void ac_free_given_up_(struct ac_map *m);
/* Output that the poller was to send with the next wait is sent now. */
static inline void ac_hand_over_(struct ac_map *m)
{
	if (m->poller->cls->flush && !ac_poller_is_stale_(m->poller))
		m->poller->cls->flush(m->poller);
}

/* ---- deliver.c: what it has found ---- */
void ac_take_over_(struct ac_map *m, int count);  /* readiness; input it leaves … */
void ac_deliver_(struct ac_map *m);               /* … to this */
void ac_take_left_over_(struct ac_dispatcher *d); /* that came before it was forgotten */

/* ---- turn.c ---- */
void ac_turn_(struct ac_dispatcher *d,
              unsigned forced); /* forced: events it hears whatever it wants */

/* ---- deadline.c ---- */
/* What is left of a time under stress; all of it without. */
AC_API int64_t ac_patience_(const struct ac_map *m, int64_t time);

/* ---- task.c ---- */
#define AC_TASK_INNER 2u /* the library's own: keeps no loop going, runs also under AC_TASKS_HOLD */
AC_API void ac_task_start_inner_(struct ac_task *t, struct ac_map *m, int64_t due, ac_task_fn *fn,
                                 void *arg);
void ac_called_(struct ac_map *m, int r, const char *what); /* a task or a post returned this */
void ac_tasks_run_(struct ac_map *m, bool held);
void ac_tasks_drop_(struct ac_map *m);
int64_t ac_tasks_wait_(struct ac_map *m, bool held, int64_t timeout); /* less when one is due */

/* ---- census.c: accepted connections ---- */
void ac_admit_(struct ac_dispatcher *d);     /* it is one … */
void ac_discharge_(struct ac_dispatcher *d); /* … and no more, if it was */
size_t ac_admitted_from_(struct ac_map *m, const struct ac_addr *peer);
size_t ac_census_memory_(const struct ac_map *m);

/* ---- count.c ---- */
static inline void ac_count_(struct ac_map *m, enum ac_counter which)
{
	m->counters[which].count++;
}
/* Whether a line may be logged now, one a second at most; `said`: when the last one was, 0: never. */
bool ac_once_a_second_(struct ac_map *m, int64_t *said);
/* The same for a line about what is counted; and that line. */
bool ac_may_say_(struct ac_map *m, enum ac_counter which);
void ac_say_(struct ac_dispatcher *d, enum ac_counter which, enum ac_log_level level,
             const char *format, ...) AC_PRINTF(4, 5);

/* ---- log.c, error.c ---- */
ac_log_fn ac_log_stderr_;
void ac_log_default_(struct ac_dispatcher *d, enum ac_log_level level, const char *text);
void ac_error_settle_(struct ac_map *m, int code, const char *where, const char *method);

#endif
