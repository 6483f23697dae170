/*
 * sys.c — the system calls the library makes; each returns ≥ 0 or -errno, with EINTR retried.
 *
 * Design: the only reader of errno, so that the list of calls can be held against `nm -u` and replaced in
 * a simulation. SIGPIPE never reaches the program: sockets are written with MSG_NOSIGNAL, other
 * descriptors, and sockets by sendfile, with the signal blocked and, where it became pending through us,
 * taken back.
 */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <time.h>
#include <unistd.h>

#define RETRY(type, call)                                                                          \
	do {                                                                                       \
		type r_;                                                                           \
		do                                                                                 \
			r_ = (call);                                                               \
		while (r_ < 0 && errno == EINTR);                                                  \
		return r_ < 0 ? -errno : r_;                                                       \
	} while (0)

static ssize_t recv_told(int fd, void *buf, size_t len, int flags, bool *ret_cut)
{
	struct iovec iov = { buf, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	do
		n = recvmsg(fd, &msg, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	*ret_cut = n >= 0 && (msg.msg_flags & MSG_CTRUNC);
	return n < 0 ? -errno : n;
}

ssize_t ac_sys_recv_(int fd, void *buf, size_t len, int flags, bool *ret_cut)
{
	if (ret_cut)
		return recv_told(fd, buf, len, flags, ret_cut);
	RETRY(ssize_t, recv(fd, buf, len, flags));
}

ssize_t ac_sys_send_(int fd, const struct iovec *iov, int count, bool more)
{
	int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);

	if (count > 1) {
		struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count };

		RETRY(ssize_t, sendmsg(fd, &msg, flags));
	}
	RETRY(ssize_t, send(fd, iov->iov_base, iov->iov_len, flags));
}

ssize_t ac_sys_read_(int fd, void *buf, size_t len)
{
	RETRY(ssize_t, read(fd, buf, len));
}

/* Blocks SIGPIPE. Whether one is pending already, which only a program that blocks it can have. */
static bool hold_pipe_signal(sigset_t *ret_old)
{
	sigset_t set, pending;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, ret_old);
	if (!sigismember(ret_old, SIGPIPE))
		return false;
	sigpending(&pending);
	return sigismember(&pending, SIGPIPE);
}

static void release_pipe_signal(const sigset_t *old, bool take)
{
	const struct timespec no_time = { 0, 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	while (take && sigtimedwait(&set, NULL, &no_time) < 0 && errno == EINTR)
		;
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

/* The signal comes also with a part written, when the reader left in the middle. */
static bool may_be_broken(ssize_t n, size_t wanted)
{
	return n < 0 ? n == -EPIPE : (size_t)n < wanted;
}

static ssize_t writev_retry(int fd, const struct iovec *iov, int count)
{
	RETRY(ssize_t, writev(fd, iov, count));
}

ssize_t ac_sys_write_(int fd, const struct iovec *iov, int count)
{
	sigset_t old;
	bool was_pending = hold_pipe_signal(&old);
	ssize_t n = writev_retry(fd, iov, count);

	release_pipe_signal(&old, !was_pending && may_be_broken(n, ac_iov_len_(iov, count)));
	return n;
}

ssize_t ac_sys_pread_(int fd, void *buf, size_t len, int64_t offset)
{
	RETRY(ssize_t, pread(fd, buf, len, offset));
}

static ssize_t sendfile_retry(int out, int in, int64_t *offset, size_t len)
{
	RETRY(ssize_t, sendfile(out, in, offset, len));
}

/* sendfile knows no MSG_NOSIGNAL. */
ssize_t ac_sys_sendfile_(int out, int in, int64_t *offset, size_t len)
{
	sigset_t old;
	bool was_pending = hold_pipe_signal(&old);
	ssize_t n = sendfile_retry(out, in, offset, len);

	release_pipe_signal(&old, !was_pending && may_be_broken(n, len));
	return n;
}

#define SPLICE_FLAGS (SPLICE_F_MOVE | SPLICE_F_NONBLOCK)

ssize_t ac_sys_splice_in_(int socket, int pipe, size_t len)
{
	RETRY(ssize_t, splice(socket, NULL, pipe, NULL, len, SPLICE_FLAGS));
}

static ssize_t splice_retry(int pipe, int socket, size_t len)
{
	RETRY(ssize_t, splice(pipe, NULL, socket, NULL, len, SPLICE_FLAGS));
}

/* Nor does splice know it. */
ssize_t ac_sys_splice_out_(int pipe, int socket, size_t len)
{
	sigset_t old;
	bool was_pending = hold_pipe_signal(&old);
	ssize_t n = splice_retry(pipe, socket, len);

	release_pipe_signal(&old, !was_pending && may_be_broken(n, len));
	return n;
}

int ac_sys_pipe_(int ret_fds[2])
{
	return pipe2(ret_fds, O_NONBLOCK | O_CLOEXEC) < 0 ? -errno : 0;
}

int ac_sys_pipe_grow_(int fd, int size)
{
	int r = fcntl(fd, F_SETPIPE_SZ, size);

	return r < 0 ? -errno : r;
}

int ac_sys_reset_on_close_(int fd)
{
	struct linger at_once = { 1, 0 };

	return setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) < 0 ? -errno : 0;
}

/* Linux reports one byte more than there is for a path that fills sun_path. */
static void give_addr(struct ac_addr *ret_addr, struct ac_addr *addr)
{
	if (addr->len > sizeof(addr->un))
		addr->len = sizeof(addr->un);
	if (ret_addr)
		*ret_addr = *addr;
}

ssize_t ac_sys_recvfrom_(int fd, void *buf, size_t len, struct ac_addr *ret_from)
{
	struct ac_addr from = { .len = sizeof(from.un) };
	ssize_t n;

	do
		n = recvfrom(fd, buf, len, 0, &from.sa, &from.len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	give_addr(ret_from, &from);
	return n;
}

ssize_t ac_sys_sendto_(int fd, const void *buf, size_t len, const struct ac_addr *to)
{
	RETRY(ssize_t, sendto(fd, buf, len, MSG_NOSIGNAL, &to->sa, to->len));
}

int ac_sys_socket_(int family, int type)
{
	RETRY(int, socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

static int accept_retry(int fd, struct ac_addr *peer)
{
	RETRY(int, accept4(fd, &peer->sa, &peer->len, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

int ac_sys_accept_(int fd, struct ac_addr *ret_peer)
{
	struct ac_addr peer = { .len = sizeof(peer.un) };
	int r = accept_retry(fd, &peer);

	if (r >= 0)
		give_addr(ret_peer, &peer);
	return r;
}

int ac_sys_bind_(int fd, const struct ac_addr *addr)
{
	return bind(fd, &addr->sa, addr->len) < 0 ? -errno : 0;
}

int ac_sys_listen_(int fd, int backlog)
{
	return listen(fd, backlog) < 0 ? -errno : 0;
}

/* Not retried: an interrupted connect goes on by itself, as EINPROGRESS does. */
int ac_sys_connect_(int fd, const struct ac_addr *addr)
{
	if (connect(fd, &addr->sa, addr->len) == 0)
		return 0;
	return errno == EINTR ? -EINPROGRESS : -errno;
}

int ac_sys_shutdown_(int fd, int how)
{
	return shutdown(fd, how) < 0 ? -errno : 0;
}

/* Not retried: on Linux the descriptor is gone whatever close says. */
int ac_sys_close_(int fd)
{
	return close(fd) < 0 ? -errno : 0;
}

void ac_sys_reset_(int fd)
{
	ac_sys_reset_on_close_(fd);
	ac_sys_close_(fd);
}

int ac_sys_dup_(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? -errno : copy;
}

int ac_sys_mode_(int fd, bool *ret_blocking, bool *ret_write_only)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	*ret_blocking = !(flags & O_NONBLOCK);
	*ret_write_only = (flags & O_ACCMODE) == O_WRONLY;
	return 0;
}

int ac_sys_nonblock_(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	if (flags & O_NONBLOCK)
		return 0;
	return fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int ac_sys_getopt_(int fd, int level, int name, int *ret_value)
{
	int value = 0;
	socklen_t len = sizeof(value);

	if (getsockopt(fd, level, name, &value, &len) < 0)
		return -errno;
	*ret_value = value;
	return 0;
}

int ac_sys_setopt_(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

int ac_sys_sockname_(int fd, struct ac_addr *ret_addr)
{
	struct ac_addr addr = { .len = sizeof(addr.un) };

	if (getsockname(fd, &addr.sa, &addr.len) < 0)
		return -errno;
	give_addr(ret_addr, &addr);
	return 0;
}

int ac_sys_peername_(int fd, struct ac_addr *ret_addr)
{
	struct ac_addr addr = { .len = sizeof(addr.un) };

	if (getpeername(fd, &addr.sa, &addr.len) < 0)
		return -errno;
	give_addr(ret_addr, &addr);
	return 0;
}

bool ac_sys_at_mark_(int fd)
{
	int at = 0;

	return ioctl(fd, SIOCATMARK, &at) == 0 && at;
}

bool ac_sys_is_tty_(int fd)
{
	return isatty(fd);
}

int ac_sys_unread_(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) < 0 ? -errno : n;
}

int ac_sys_unsent_(int fd)
{
	int n = 0;

	return ioctl(fd, TIOCOUTQ, &n) < 0 ? -errno : n;
}

unsigned ac_sys_poll1_(int fd, unsigned events)
{
	struct pollfd p = { .fd = fd };
	unsigned ready = 0;

	p.events = (short)((events & AC_IN ? POLLIN : 0) | (events & AC_OUT ? POLLOUT : 0) |
	                   (events & AC_PRI ? POLLPRI : 0));
	if (poll(&p, 1, 0) <= 0)
		return 0;
	ready |= p.revents & POLLIN ? AC_IN : 0;
	ready |= p.revents & POLLOUT ? AC_OUT : 0;
	ready |= p.revents & POLLPRI ? AC_PRI : 0;
	ready |= p.revents & (POLLERR | POLLNVAL) ? AC_ERR : 0;
	ready |= p.revents & POLLHUP ? AC_HUP : 0;
	return ready;
}

int ac_sys_spare_(void)
{
	RETRY(int, open("/dev/null", O_RDONLY | O_CLOEXEC));
}

int ac_sys_unlink_(const char *path)
{
	return unlink(path) < 0 ? -errno : 0;
}

int ac_sys_event_(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The other is closed first, so that there is a descriptor to be had. */
int ac_sys_event_anew_(int fd)
{
	int r, made;

	close(fd);
	made = ac_sys_event_();
	if (made < 0 || made == fd)
		return made;
	r = dup3(made, fd, O_CLOEXEC) < 0 ? -errno : fd;
	close(made);
	return r;
}

void ac_sys_event_set_(int fd)
{
	uint64_t one = 1;

	while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void ac_sys_event_clear_(int fd)
{
	uint64_t count;

	while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}

size_t ac_sys_files_(void)
{
	const size_t most = 1048576; /* of the kernel, where nobody has set another */
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur > most)
		return most;
	return (size_t)files.rlim_cur;
}

int ac_sys_random_(void *buf, size_t len)
{
	return getrandom(buf, len, GRND_NONBLOCK) == (ssize_t)len ? 0 : -EIO;
}
