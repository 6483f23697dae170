/*
 * libev.c — the bench's server by libev: its watchers, and recv and send of one's own.
 *
 * Design: two ev_io watchers for each connection, one for input and one for room, of which one is
 * active: libev hands what has changed to the kernel once in a pass. What is closed is freed before
 * the next wait. What is done with the bytes is in conn.h.
 */
#include "conn.h"

#include <ev.h>

#define ACCEPTS 64

struct ev_conn {
	struct conn c;
	ev_io input, room;
};

static struct ev_loop *loop;

static void hook_output(struct conn *c, bool wait)
{
	struct ev_conn *e = (struct ev_conn *)c;

	ev_io_stop(loop, wait ? &e->input : &e->room);
	ev_io_start(loop, wait ? &e->room : &e->input);
}

static void hook_close(struct conn *c)
{
	struct ev_conn *e = (struct ev_conn *)c;

	ev_io_stop(loop, &e->input);
	ev_io_stop(loop, &e->room);
}

static void on_input(struct ev_loop *l, ev_io *w, int events)
{
	(void)l;
	(void)events;
	conn_read(w->data);
}

static void on_room(struct ev_loop *l, ev_io *w, int events)
{
	(void)l;
	(void)events;
	conn_write(w->data);
}

static void begin(int fd)
{
	struct ev_conn *e = calloc(1, sizeof(*e));

	if (!e) {
		close(fd);
		return;
	}
	ev_io_init(&e->input, on_input, fd, EV_READ);
	ev_io_init(&e->room, on_room, fd, EV_WRITE);
	e->input.data = e->room.data = &e->c;
	conn_begin(&e->c, fd);
	ev_io_start(loop, e->c.blocked ? &e->room : &e->input);
}

static void on_connection(struct ev_loop *l, ev_io *w, int events)
{
	(void)l;
	(void)events;
	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		begin(fd);
	}
}

static void before_wait(struct ev_loop *l, ev_prepare *w, int events)
{
	(void)l;
	(void)w;
	(void)events;
	conn_bury();
}

int main(int argc, char **argv)
{
	static ev_io listener;
	static ev_prepare prepare;

	loop = ev_default_loop(EVFLAG_AUTO);
	if (!loop)
		fail("ev_default_loop");
	ev_prepare_init(&prepare, before_wait);
	ev_prepare_start(loop, &prepare);
	ev_io_init(&listener, on_connection, conn_serve(argc, argv), EV_READ);
	ev_io_start(loop, &listener);
	return ev_run(loop, 0);
}
