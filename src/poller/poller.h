/*
 * poller.h — who asks the kernel which descriptors are ready. One class; one file for each poller.
 *
 * Contract: `set` tells a poller the events of one descriptor (AC_IN | AC_OUT | AC_PRI); AC_WATCH alone
 * watches for errors and hang-up only, 0 forgets the descriptor. `wait` fills `found` and returns how
 * many; the batch is complete before anything is dispatched. A token is handed back as it was given;
 * its bits 30 and 31 are clear.
 * A poller that `feeds` can be told AC_FEED: then the input itself is found, lent until it is given back.
 * A poller with `edge` reports changes, and all of them, whatever events were asked for; the caller keeps
 * what is ready. Others report what is ready and was asked for, at every wait.
 */
#ifndef AC_POLLER_H
#define AC_POLLER_H

#include "../base/base.h"

#define AC_FEED 64 /* to `set`: a stream's input, instead of AC_IN */
#define AC_WATCH 128
#define AC_LAPSED 256 /* found: what this came from is watched no more, set it anew */
#define AC_DATA 512   /* found: len bytes of input, 0: its end, or -errno */
#define AC_FULL 2048  /* found: with AC_DATA: a buffer was too small, there may be much more */
#define AC_SENT 1024 /* found: of what `send` was given, here lent, len bytes are sent, or -errno */

struct ac_found {
	uint64_t token;
	unsigned events;
	int32_t len;
	const char *data;
	unsigned buffer; /* AC_DATA: the poller's; AC_SENT: how many were given */
};

struct ac_poller {
	const struct ac_poller_class *cls;
	struct ac_found *found;
	size_t cap;
	unsigned forks;         /* when it was made */
	int refused;            /* a better one was, with this -errno */
	struct ac_poller *next; /* of those given up */
};

struct ac_poller_class {
	const char *name;
	size_t size;
	bool edge;
	bool feeds;
	bool vague;   /* AC_PRI may be said of any input */
	bool forgets; /* a descriptor that is closed, by itself */
	bool kernel; /* keeps what it was told in the kernel: a forked child needs one of its own */
	int (*init)(struct ac_poller *p);
	void (*fini)(struct ac_poller *p);
	/* -EPERM: a descriptor that is always ready; -EMFILE: one this poller cannot take */
	int (*set)(struct ac_poller *p, int fd, uint64_t token, unsigned old, unsigned events);
	/* negative: for ever. -EEXIST: this thread needs one of its own */
	int (*wait)(struct ac_poller *p, int64_t timeout_ns);
	int (*fd)(struct ac_poller *p); /* NULL: none */
	/* Copies output to be sent with the next wait, or flush; AC_SENT follows. False: no room. */
	bool (*send)(struct ac_poller *p, int fd, uint64_t token, struct ac_slice data);
	int (*flush)(struct ac_poller *p);
	void (*give_back)(struct ac_poller *p, const struct ac_found *f); /* what AC_DATA lent */
	/* It has been forgotten: the next AC_DATA or AC_SENT that is there already; false: none. */
	bool (*left_over)(struct ac_poller *p, uint64_t token, struct ac_found *ret_found);
};

extern const struct ac_poller_class ac_poller_select_, ac_poller_poll_, ac_poller_epoll_,
	ac_poller_uring_, ac_poller_level_;

/* In a forked child, one that was made before. It may only be freed, which harms the parent's in nothing. */
static inline bool ac_poller_is_stale_(const struct ac_poller *p)
{
	return p->cls->kernel && p->forks != ac_forks_;
}

/* pick.c: by name, NULL for the best one. -EINVAL: unknown; -ENOMEM and what init returns. */
int ac_poller_new_(const char *name, struct ac_poller **ret_poller);
int ac_poller_make_(const struct ac_poller_class *cls,
                    struct ac_poller **ret_poller); /* this one */
void ac_poller_free_(struct ac_poller *p);
const char *ac_poller_names_(void);                     /* "epoll, poll, select" */
int ac_poller_room_(struct ac_poller *p, size_t count); /* makes `found` at least so long */
int ac_poller_ms_(int64_t timeout_ns); /* rounded up: never wakes early; -1: for ever */

#endif
