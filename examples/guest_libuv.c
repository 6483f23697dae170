/*
 * guest_libuv.c — asyncore inside a program of libuv's.
 *
 *	guest_libuv unix:/tmp/s [POLLER]      an echo server, until somebody says quit
 *
 * A poll handle on the map's descriptor, a timer for its next task, and a prepare handle, which sets that timer
 * before each wait: callbacks of the host may have pushed, closed or resumed.
 */
#include <asynchat.h>

#include <errno.h>
#include <math.h>
#include <string.h>
#include <uv.h>

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

struct guest {
	struct ac_map *map;
	uv_poll_t input;
	uv_timer_t task;
	uv_prepare_t before_wait;
	int result;
};

static void run(struct guest *g, uv_loop_t *loop)
{
	g->result = ac_poll(g->map, 0);
	if (g->result != 0)
		uv_stop(loop);
}

static void input_came(uv_poll_t *handle, int status, int events)
{
	(void)status;
	(void)events;
	run(handle->data, handle->loop);
}

static void task_is_due(uv_timer_t *handle)
{
	run(handle->data, handle->loop);
}

static void before_wait(uv_prepare_t *handle)
{
	struct guest *g = handle->data;
	double seconds = ac_next_timeout(g->map);

	if (seconds < 0)
		uv_timer_stop(&g->task);
	else
		uv_timer_start(&g->task, task_is_due, (uint64_t)ceil(seconds * 1000), 0);
}

static void tell_time(uv_timer_t *handle)
{
	(void)handle;
	puts("host");
}

static void let_go(uv_handle_t *handle, void *arg)
{
	(void)arg;
	uv_close(handle, NULL);
}

static int host(struct ac_map *map)
{
	struct guest g = { .map = map };
	uv_timer_t clock;
	uv_loop_t loop;
	int r = uv_loop_init(&loop);

	if (r < 0)
		return r;
	uv_timer_init(&loop, &clock);
	uv_timer_start(&clock, tell_time, 100, 100);
	uv_timer_init(&loop, &g.task);
	uv_prepare_init(&loop, &g.before_wait);
	g.input.data = g.task.data = g.before_wait.data = &g;
	r = uv_poll_init(&loop, &g.input, ac_fd(map));
	if (r == 0) {
		g.input.data = &g;
		uv_poll_start(&g.input, UV_READABLE, input_came);
		uv_prepare_start(&g.before_wait, before_wait);
		uv_run(&loop, UV_RUN_DEFAULT);
	}
	uv_walk(&loop, let_go, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	return r < 0 ? r : g.result;
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
		ac_explain(map, "guest_libuv");
	ac_map_free(map);
	return r != 1; /* somebody has said quit */
}
