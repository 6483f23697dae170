/*
 * guest_epoll.c — asyncore inside somebody else's loop: here one of a few lines, over epoll.
 *
 *	guest_epoll unix:/tmp/s [POLLER]      an echo server, until somebody says quit
 *
 * The host waits for the map's descriptor beside its own ones, and no longer than ac_next_timeout. It asks for
 * that before each wait: its own callbacks may have pushed, closed or resumed.
 */
#include <asynchat.h>

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* The guest: what a program on asyncore is anyway. */
static int echo_line(struct ac_chat *c)
{
	struct ac_slice line = ac_incoming(c);

	if (line.len == 4 && memcmp(line.data, "quit", 4) == 0)
		return AC_EXIT;
	AC_TRY(c, ac_push(c, line.data, line.len));
	return ac_push(c, "\r\n", 2);
}

static const struct ac_chat_class echo_class = {
	.d = { .super = AC_CHAT, .name = "echo" },
	.found_terminator = echo_line,
};

static int accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct ac_chat *c = ac_chat_adopt(d->map, &echo_class, fd, peer);

	return c ? ac_set_terminator(c, "\r\n", 2) : ac_raise(d, ENOMEM);
}

static const struct ac_class listener_class = {
	.super = AC_DISPATCHER,
	.name = "listener",
	.handle_accepted = accepted,
};

static int tick(void *arg)
{
	printf("guest %d\n", ++*(int *)arg);
	fflush(stdout);
	return 0;
}

/* Milliseconds, rounded up; for ever where no task is pending. */
static int wait_ms(struct ac_map *map)
{
	double seconds = ac_next_timeout(map);

	return seconds < 0 ? -1 : (int)ceil(fmin(seconds, 3600) * 1000);
}

static void tell_time(int timer)
{
	uint64_t times;

	if (read(timer, &times, sizeof(times)) > 0)
		puts("host");
}

static int serve(struct ac_map *map, int ep, int timer)
{
	struct epoll_event e[8];
	int r = 0;

	while (r == 0) {
		int n = epoll_wait(ep, e, 8, wait_ms(map));

		for (int i = 0; i < n; i++)
			if (e[i].data.fd == timer)
				tell_time(timer);
		r = ac_poll(map, 0);
	}
	return r;
}

static int add(int ep, int fd)
{
	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &(struct epoll_event){ EPOLLIN, { .fd = fd } });
}

static int host(struct ac_map *map)
{
	const struct itimerspec often = { { 0, 100000000 }, { 0, 100000000 } };
	int ep = epoll_create1(EPOLL_CLOEXEC),
	    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	int r = -errno;

	if (timerfd_settime(timer, 0, &often, NULL) == 0 && add(ep, timer) == 0 &&
	    add(ep, ac_fd(map)) == 0)
		r = serve(map, ep, timer);
	close(timer);
	close(ep);
	return r;
}

int main(int argc, char **argv)
{
	/* NULL is the best there is. select and poll have no descriptor: do not ask for them. */
	struct ac_map *map =
		ac_map_new(&(struct ac_map_opts){ .poller = argc > 2 ? argv[2] : NULL });
	int ticks = 0,
	    r = ac_serve(ac_new(map, &listener_class), argc > 1 ? argv[1] : "127.0.0.1:8007");

	if (r == 0 && !ac_call_every(map, 0.05, tick, &ticks))
		r = -ENOMEM;
	if (r == 0)
		r = host(map);
	else
		ac_explain(map, "guest_epoll");
	ac_map_free(map);
	return r != 1; /* somebody has said quit */
}
