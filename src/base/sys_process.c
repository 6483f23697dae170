/*
 * sys_process.c — the system calls of child processes, as in sys.c: each returns ≥ 0 or -errno.
 *
 * Design: posix_spawn, which is as fast as vfork and tells when exec fails. The descriptors it is to have are
 * above 2 by then, so that none is overwritten before it was copied to its place.
 */
#include <asyncore/process.h>

#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BY_PIDFD ((idtype_t)3) /* P_PIDFD, where libc does not name it */

extern char **environ;

int ac_sys_pipe_for_child_(int ret_fds[2])
{
	return pipe2(ret_fds, O_CLOEXEC) < 0 ? -errno : 0;
}

int ac_sys_dup_above_(int fd, int least)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, least);

	return copy < 0 ? -errno : copy;
}

static int set_attributes(posix_spawnattr_t *attr, const struct ac_spawn_opts *o)
{
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	sigset_t none, pipe;

	sigemptyset(&none);
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	if (o->new_session)
		flags |= POSIX_SPAWN_SETSID;
	else if (o->new_group)
		flags |= POSIX_SPAWN_SETPGROUP;
	posix_spawnattr_setsigmask(attr, &none);
	posix_spawnattr_setsigdefault(attr, &pipe);
	posix_spawnattr_setpgroup(attr, 0);
	return posix_spawnattr_setflags(attr, flags);
}

static int place_end(posix_spawn_file_actions_t *actions, int from, int to)
{
	if (from == AC_SPAWN_INHERIT)
		return 0;
	if (from == AC_SPAWN_NULL)
		return posix_spawn_file_actions_addopen(actions, to, "/dev/null", O_RDWR, 0);
	return posix_spawn_file_actions_adddup2(actions,
	                                        from == AC_SPAWN_OUTPUT ? STDOUT_FILENO : from, to);
}

static int set_actions(posix_spawn_file_actions_t *actions, const struct ac_spawn_opts *o,
                       const int ends[3])
{
	int r = 0;

	for (int i = 0; r == 0 && i < 3; i++)
		r = place_end(actions, ends[i], i);
	if (r == 0 && o->cwd)
		r = posix_spawn_file_actions_addchdir_np(actions, o->cwd);
	return r;
}

int ac_sys_spawn_(const struct ac_spawn_opts *o, const int ends[3])
{
	char *const *env = o->env ? (char *const *)(uintptr_t)o->env : environ;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	pid_t pid = 0;
	int r = posix_spawn_file_actions_init(&actions);

	if (r)
		return -r;
	r = posix_spawnattr_init(&attr);
	if (r) {
		posix_spawn_file_actions_destroy(&actions);
		return -r;
	}
	r = set_attributes(&attr, o);
	if (r == 0)
		r = set_actions(&actions, o, ends);
	if (r == 0)
		r = posix_spawnp(&pid, o->argv[0], &actions, &attr,
		                 (char *const *)(uintptr_t)o->argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return r ? -r : (int)pid;
}

int ac_sys_pidfd_(pid_t pid)
{
	long r = syscall(SYS_pidfd_open, pid, 0);

	return r < 0 ? -errno : (int)r;
}

bool ac_sys_children_vanish_(void)
{
	struct sigaction on;

	if (sigaction(SIGCHLD, NULL, &on) < 0)
		return false;
	return (on.sa_flags & SA_NOCLDWAIT) || on.sa_handler == SIG_IGN;
}

pid_t ac_sys_pid_(void)
{
	return getpid();
}

int ac_sys_pidfd_kill_(int pidfd, int signal)
{
	return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int ac_sys_kill_(pid_t pid, int signal)
{
	return kill(pid, signal) < 0 ? -errno : 0;
}

void ac_sys_abandon_(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int wait_retry(int pidfd, siginfo_t *info, int options)
{
	int r;

	do
		r = waitid(BY_PIDFD, (id_t)pidfd, info, options);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int ac_sys_exit_of_(int pidfd, bool reap, struct ac_exit *ret_exit)
{
	siginfo_t info = { 0 };
	int r = wait_retry(pidfd, &info, WEXITED | WNOHANG | (reap ? 0 : WNOWAIT));

	if (r == -ECHILD) {
		*ret_exit = (struct ac_exit){ -1, -1, false };
		return 0;
	}
	if (r < 0)
		return r;
	if (info.si_pid == 0)
		return -EAGAIN;
	if (info.si_code == CLD_EXITED)
		*ret_exit = (struct ac_exit){ info.si_status, 0, false };
	else
		*ret_exit = (struct ac_exit){ -1, info.si_status, info.si_code == CLD_DUMPED };
	return 0;
}

void ac_sys_pidfd_wait_(int pidfd, int ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	while (poll(&p, 1, ms) < 0 && errno == EINTR)
		;
}
