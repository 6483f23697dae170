/* process.h — what is shared between a process, its ends and whoever waits for it. */
#ifndef AC_PROCESS_H
#define AC_PROCESS_H

#include <asyncore/process.h>

#include "../chat/chat.h"

static inline const struct ac_process_class *ac_process_cls_(const struct ac_process *p)
{
	return (const struct ac_process_class *)(const void *)p->d.cls;
}

/* process.c */
void ac_process_settled_(struct ac_process *p);  /* an end has closed, or it has exited */
int ac_process_let_go_(struct ac_dispatcher *d); /* its handle_close */

/* ends.c: the three chats */
struct ac_chat *ac_end_new_(struct ac_process *p, int fd, int which); /* takes fd; NULL: errno */
void ac_ends_close_(struct ac_process *p);                            /* nobody hears of it */

/* waiter.c: the pidfd, which may outlive the process to reap the child */
struct ac_waiter {
	struct ac_dispatcher d;
	struct ac_process *p; /* NULL: closed */
	pid_t pid;
	unsigned forks; /* when it was started: in another process it is nobody's child */
	bool group, leave, exited;
};
struct ac_waiter *ac_waiter_new_(struct ac_process *p, int pidfd, const struct ac_spawn_opts *o);
int ac_waiter_kill_(const struct ac_waiter *w, int signal);
void ac_waiter_leave_(struct ac_waiter *w); /* its process has closed */

#endif
