/*
 * asyncore/signals.h — signals as channels: read from a descriptor, without a handler.
 *
 * A signal has to be blocked to be read: ac_signals_new blocks those it is given in the calling
 * thread, and what it blocked itself is unblocked when the last channel for it closes. Make it before
 * other threads start, or they take the signals that are sent to the process.
 */
#ifndef ASYNCORE_SIGNALS_H
#define ASYNCORE_SIGNALS_H

#include <asyncore.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One signal that came. Standard signals that come again before they are read are one. */
struct ac_signal {
	int number; /* SIGTERM … */
	int code;   /* si_code: SI_USER, CLD_EXITED … */
	pid_t pid;  /* who sent it, or the child; 0: the kernel */
	uid_t uid;
	int status;    /* SIGCHLD: exit status or signal */
	int value;     /* sigqueue: the number sent with it */
	void *pointer; /* sigqueue: the same as a pointer */
};

/* A dispatcher. Embed it first; the fields behind `d` are the library's. */
struct ac_signals {
	struct ac_dispatcher d;
	uint64_t set; /* bit n - 1: signal n */
};

struct ac_signals_class {
	struct ac_class d;
	int (*handle_signal)(struct ac_signals *s, const struct ac_signal *signal);
};

/* The base class; what is not overridden says so in the log. */
AC_API extern const struct ac_signals_class ac_signals_class;
#define AC_SIGNALS (&ac_signals_class.d)

/*
 * A channel that hears these signals from the next pass on. NULL: EINVAL for a number that is no
 * signal, SIGKILL and SIGSTOP, or none at all; EMFILE, ENOMEM; see ac_last_error. In a forked
 * child it hears the child's signals. Two channels for one signal share what comes: each is told to
 * one of them. Signals unread when the channel closes stay pending, and do what they do without it
 * where they are unblocked. Close it in the thread that made it.
 */
AC_API struct ac_signals *ac_signals_new(struct ac_map *map, const struct ac_signals_class *cls,
                                         const int *numbers, size_t count);

#ifdef __cplusplus
}
#endif
#endif
