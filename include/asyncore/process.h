/*
 * asyncore/process.h — child processes as channels: their input, their output, their end.
 *
 *	ac_push(p->in) ─▶ stdin ┌───────┐ stdout ─▶ handle_stdout, a record at a time
 *	                        │ child │ stderr ─▶ handle_stderr
 *	                        └───────┘ exit   ─▶ handle_exit, once, then the process closes
 *
 * The ends are chats: what p->out and p->err bring is cut at "\n" unless they are given another
 * terminator, with none it comes as it was read; ac_pause(&p->out->d) makes the child wait. The end of
 * a child is learnt from its pidfd: no SIGCHLD is needed, and no process id is ever mistaken for
 * another's. Needs Linux 5.4.
 */
#ifndef ASYNCORE_PROCESS_H
#define ASYNCORE_PROCESS_H

#include <asynchat.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ac_waiter;

/* How it ended: by exit with `status`, or by `signal`; status is -1 then. Both -1: nobody can tell,
 * because the program has waited for the child itself. */
struct ac_exit {
	int status, signal;
	bool core; /* the signal left a core file */
};

/* Where an end of the child leads to: a descriptor above 0, or one of these. */
enum ac_spawn_end {
	AC_SPAWN_PIPE = 0,     /* to us */
	AC_SPAWN_NULL = -1,    /* /dev/null */
	AC_SPAWN_INHERIT = -2, /* where ours leads to */
	AC_SPAWN_OUTPUT = -3   /* err only: where its output leads to */
};

/* What is not said is zero: three pipes, our environment and folder. */
struct ac_spawn_opts {
	const char *const *argv; /* ends with NULL; argv[0] without a slash is looked up in PATH */
	const char *const *env;  /* "NAME=value", ends with NULL; NULL: as ours */
	const char *cwd;         /* its folder, where argv[0] is looked up too; NULL: as ours */
	int in, out, err;
	double output_wait; /* seconds that handle_exit waits for the rest of the output, which others
	                       may hold open, since its last byte; 0: 5; negative: not at all */
	bool new_group;     /* a process group of its own: ac_kill means all of it */
	bool new_session;   /* a session of its own, without a terminal, and so a group too */
	bool leave;         /* it may live on when the process closes; else it is killed */
};

/* A channel without a descriptor of its own: ac_close is the verb for it. Embed it first. The ends and
 * `pid` may be read, the rest is the library's. */
struct ac_process {
	struct ac_dispatcher d;
	struct ac_chat *in, *out, *err; /* NULL: no pipe, or closed */
	pid_t pid;
	bool exited, finished;
	struct ac_exit exit;
	struct ac_waiter *waiter;
	struct ac_task later;
	double output_wait;
	int64_t heard; /* when output came last */
};

struct ac_process_class {
	struct ac_class d;
	/* A record without its terminator, lent; what comes before the end without one is one too. Not
	 * overridden: output is dropped, a line of stderr is logged as a warning. */
	int (*handle_stdout)(struct ac_process *p, struct ac_slice record);
	int (*handle_stderr)(struct ac_process *p, struct ac_slice record);
	/* As handle_drain of a chat, for p->in. */
	int (*handle_drain)(struct ac_process *p);
	/* An end has closed, and is NULL now: 0 stdin, 1 stdout, 2 stderr. */
	int (*handle_end)(struct ac_process *p, int end);
	/* It has ended, and its output was read to the end: last of all, but for handle_close. */
	int (*handle_exit)(struct ac_process *p, const struct ac_exit *how);
};

/* The base class. An error in an end is raised on the process, whose handle_error closes it. */
AC_API extern const struct ac_process_class ac_process_class;
#define AC_PROCESS (&ac_process_class.d)

/*
 * Starts a child with no signal blocked and SIGPIPE as the system has it. NULL: the error of exec
 * (ENOENT, EACCES …), EINVAL for no argv, ENOTSUP where there is no pidfd or it is refused, ECHILD where
 * SIGCHLD is ignored, EMFILE, EAGAIN, ENOMEM; see ac_last_error. Our descriptors that are not
 * close-on-exec go to the child too.
 */
AC_API struct ac_process *ac_spawn(struct ac_map *map, const struct ac_process_class *cls,
                                   const struct ac_spawn_opts *opts);

/* Sends a signal to it, or to its group. 0; -ESRCH when it has ended (what is left of a group hears it
 * all the same, unless the program has waited for the child itself); -EINVAL, -EPERM. 0 with nothing
 * done on a closed one. */
AC_API int ac_kill(struct ac_process *p, int signal);

/* SIGTERM now, SIGKILL after so many seconds if it is still there. As ac_kill. */
AC_API int ac_terminate(struct ac_process *p, double seconds);

#ifdef __cplusplus
}
#endif
#endif
