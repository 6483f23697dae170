/* sys_signal.c — the system calls of signals, as in sys.c: each returns ≥ 0 or -errno. */
#include <asyncore/signals.h>

#include "base.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define SIGNALS 64

static void fill(sigset_t *ret, uint64_t set)
{
	sigemptyset(ret);
	for (int i = 0; i < SIGNALS; i++)
		if (set >> i & 1)
			sigaddset(ret, i + 1);
}

uint64_t ac_sys_block_(uint64_t set)
{
	uint64_t fresh = 0;
	sigset_t signals, old;

	fill(&signals, set);
	pthread_sigmask(SIG_BLOCK, &signals, &old);
	for (int i = 0; i < SIGNALS; i++)
		if ((set >> i & 1) && !sigismember(&old, i + 1))
			fresh |= (uint64_t)1 << i;
	return fresh;
}

void ac_sys_unblock_(uint64_t set)
{
	sigset_t signals;

	fill(&signals, set);
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
}

int ac_sys_signalfd_(uint64_t set)
{
	sigset_t signals;
	int fd;

	fill(&signals, set);
	fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int ac_sys_signal_read_(int fd, struct ac_signal *ret_signal)
{
	struct signalfd_siginfo info;
	ssize_t n = ac_sys_read_(fd, &info, sizeof(info));

	if (n < 0)
		return (int)n;
	memset(ret_signal, 0, sizeof(*ret_signal));
	ret_signal->number = (int)info.ssi_signo;
	ret_signal->code = info.ssi_code;
	ret_signal->pid = (pid_t)info.ssi_pid;
	ret_signal->uid = (uid_t)info.ssi_uid;
	ret_signal->status = info.ssi_status;
	ret_signal->value = info.ssi_int;
	ret_signal->pointer = (void *)(uintptr_t)info.ssi_ptr;
	return 0;
}
