/*
 * libevent.c — the bench's server by libevent: bufferevents and evbuffers.
 *
 * Design: evbuffer_readln takes the lines out of the input, evbuffer_add puts them into the output,
 * which the bufferevent sends when the callback is over: many lines in one write. source lends its
 * block (evbuffer_add_reference) and asks for more when one block is left, file is evbuffer_add_file,
 * which comes to sendfile; both raise the limit of a single write, 16 KB by default. sink raises that
 * of a single read, though evbuffer_read of libevent 2.1 takes 4 KB at a time whatever is set.
 */
#include "common.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#define HIGH_WATER (256 * 1024) /* queued output at which a connection is no longer read */
#define LOW_WATER (64 * 1024)

struct peer {
	struct bufferevent *bev;
	uint64_t left; /* of `source` */
	struct peer *next, **link;
};

static struct service service;
static struct peer *everybody;

static void hang_up(struct peer *p)
{
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	bufferevent_free(p->bev);
	free(p);
}

static void on_all_sent(struct bufferevent *bev, void *arg)
{
	if (evbuffer_get_length(bufferevent_get_output(bev)) == 0)
		hang_up(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		hang_up(arg);
}

/* The end of input is no reason to lose what has not been sent. */
static void on_line_event(struct bufferevent *bev, short what, void *arg)
{
	bool left = evbuffer_get_length(bufferevent_get_output(bev)) > 0;

	if ((what & BEV_EVENT_ERROR) || ((what & BEV_EVENT_EOF) && !left)) {
		hang_up(arg);
	} else if (what & BEV_EVENT_EOF) {
		bufferevent_setwatermark(bev, EV_WRITE, 0, 0);
		bufferevent_setcb(bev, NULL, on_all_sent, on_event, arg);
	}
}

/* ---- lines ------------------------------------------------------------------------------- */

static void on_lines(struct bufferevent *bev, void *arg);

static void on_drained(struct bufferevent *bev, void *arg)
{
	bufferevent_setcb(bev, on_lines, NULL, on_line_event, arg);
	bufferevent_enable(bev, EV_READ);
}

/* Who does not take his answers is asked no more, until he does. */
static void rest_if_full(struct peer *p)
{
	if (evbuffer_get_length(bufferevent_get_output(p->bev)) < HIGH_WATER)
		return;
	bufferevent_disable(p->bev, EV_READ);
	bufferevent_setwatermark(p->bev, EV_WRITE, LOW_WATER, 0);
	bufferevent_setcb(p->bev, on_lines, on_drained, on_line_event, p);
}

static void put_line(struct bufferevent *bev, const char *line, size_t len)
{
	struct evbuffer *output = bufferevent_get_output(bev);

	evbuffer_add(output, line, len);
	evbuffer_add(output, "\r\n", 2);
}

/* Whoever is too far behind is closed. He may be the one who talks: then `talker` becomes NULL. */
static void tell_everybody(const char *line, size_t len, struct peer **talker)
{
	struct peer *next;

	for (struct peer *p = everybody; p; p = next) {
		next = p->next;
		put_line(p->bev, line, len);
		if (evbuffer_get_length(bufferevent_get_output(p->bev)) <= OUTPUT_LIMIT)
			continue;
		if (p == *talker)
			*talker = NULL;
		hang_up(p);
	}
}

static void on_lines(struct bufferevent *bev, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(bev);
	struct peer *p = arg;
	size_t len;
	char *line;

	while (p && (line = evbuffer_readln(input, &len, EVBUFFER_EOL_CRLF_STRICT))) {
		if (service.work == WORK_BROADCAST)
			tell_everybody(line, len, &p);
		else
			put_line(bev, line, len);
		free(line);
		if (service.work == WORK_HANGUP) {
			bufferevent_disable(bev, EV_READ);
			bufferevent_setcb(bev, NULL, on_all_sent, on_event, p);
			return;
		}
	}
	if (p && evbuffer_get_length(input) > LINE_LIMIT)
		hang_up(p);
	else if (p)
		rest_if_full(p);
}

static void begin_lines(struct peer *p)
{
	bufferevent_setcb(p->bev, on_lines, NULL, on_line_event, p);
	bufferevent_enable(p->bev, EV_READ | EV_WRITE);
}

/* ---- bulk -------------------------------------------------------------------------------- */

static void on_source_room(struct bufferevent *bev, void *arg)
{
	struct evbuffer *output = bufferevent_get_output(bev);
	struct peer *p = arg;

	while (p->left > 0 && evbuffer_get_length(output) <= SOURCE_BLOCK) {
		size_t len = p->left < SOURCE_BLOCK ? (size_t)p->left : SOURCE_BLOCK;

		if (evbuffer_add_reference(output, block, len, NULL, NULL) < 0)
			break;
		p->left -= len;
	}
	if (p->left > 0)
		return;
	bufferevent_setwatermark(bev, EV_WRITE, 0, 0);
	bufferevent_setcb(bev, NULL, on_all_sent, on_event, p);
}

static void begin_source(struct peer *p)
{
	p->left = service.bytes;
	bufferevent_set_max_single_write(p->bev, 2 * SOURCE_BLOCK);
	bufferevent_setwatermark(p->bev, EV_WRITE, SOURCE_BLOCK, 0);
	bufferevent_setcb(p->bev, NULL, on_source_room, on_event, p);
	bufferevent_enable(p->bev, EV_WRITE);
	on_source_room(p->bev, p);
}

static void begin_file(struct peer *p)
{
	int fd = open(service.path, O_RDONLY | O_CLOEXEC);

	bufferevent_set_max_single_write(p->bev, 1 << 30);
	bufferevent_setcb(p->bev, NULL, on_all_sent, on_event, p);
	bufferevent_enable(p->bev, EV_WRITE);
	if (fd < 0 ||
	    evbuffer_add_file(bufferevent_get_output(p->bev), fd, 0, (ev_off_t)service.bytes) < 0)
		hang_up(p);
}

static void on_sink(struct bufferevent *bev, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(bev);

	(void)arg;
	evbuffer_drain(input, evbuffer_get_length(input));
}

static void begin_sink(struct peer *p)
{
	bufferevent_set_max_single_read(p->bev, READ_SIZE);
	bufferevent_setcb(p->bev, on_sink, NULL, on_event, p);
	bufferevent_enable(p->bev, EV_READ);
}

/* ---- the server -------------------------------------------------------------------------- */

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa,
                          int len, void *arg)
{
	static void (*const begin[WORKS])(struct peer *) = {
		begin_lines, begin_lines, begin_source, begin_file, begin_sink, begin_lines,
	};
	struct peer *p = calloc(1, sizeof(*p));

	(void)sa;
	(void)len;
	(void)arg;
	if (p)
		p->bev = bufferevent_socket_new(evconnlistener_get_base(listener), fd,
		                                BEV_OPT_CLOSE_ON_FREE);
	if (!p || !p->bev) {
		free(p);
		close(fd);
		return;
	}
	p->next = everybody;
	p->link = &everybody;
	if (everybody)
		everybody->link = &p->next;
	everybody = p;
	begin[service.work](p);
}

int main(int argc, char **argv)
{
	struct event_base *base = event_base_new();
	struct evconnlistener *listener;

	service = start_service(argc, argv, ALL_WORKS);
	if (!base)
		fail("event_base_new");
	listener = evconnlistener_new(base, on_connection, NULL,
	                              LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0,
	                              listen_on(service.address));
	if (!listener)
		fail("evconnlistener_new");
	return event_base_dispatch(base);
}
