/*
 * ours.c — the bench's server by this library, as a user of it would write it.
 *
 *	ours WORK ADDRESS [ARG] [--poller NAME]
 *
 * Design: lines are an ordinary chat with CRLF for its terminator, memory to send is a producer that
 * lends it, a file is ac_push_file, and what only reads is a plain dispatcher.
 */
#include "common.h"

#include <asynchat.h>

#ifdef WITH_TLS
#include <asyncore/tls.h>

static struct ac_tls *tls;

static void read_certificate(const char *pem)
{
	const struct ac_tls_opts opts = { .server = true };

	if (pem && (ac_tls_new(&opts, &tls) < 0 || ac_tls_add_certificate(tls, pem, NULL) < 0))
		fail(pem);
}

static int begin_tls(struct ac_dispatcher *d)
{
	return tls ? ac_start_tls(d, tls, NULL) : 0;
}
#else
static void read_certificate(const char *pem)
{
	(void)pem;
}

static int begin_tls(struct ac_dispatcher *d)
{
	(void)d;
	return 0;
}
#endif

struct guest {
	struct ac_chat c;
	struct guest *next, **link;
};

static struct service service;
static struct guest *guests;

/* ---- lines ------------------------------------------------------------------------------- */

static int echo_line(struct ac_chat *c)
{
	struct ac_slice line = ac_incoming(c); /* with its CRLF: one push */

	return ac_push(c, line.data, line.len);
}

static const struct ac_chat_class echo_class = {
	.d = { .super = AC_CHAT, .name = "echo" },
	.found_terminator = echo_line,
};

static int echo_line_and_close(struct ac_chat *c)
{
	AC_TRY(c, echo_line(c));
	return ac_close_when_done(c);
}

static const struct ac_chat_class hangup_class = {
	.d = { .super = AC_CHAT, .name = "hangup" },
	.found_terminator = echo_line_and_close,
};

/* The record keeps its CRLF, so that a line is one push. Who does not read until a push fails is
 * closed; that unlinks only himself. */
static int tell_everybody(struct ac_chat *c)
{
	struct ac_slice line = ac_incoming(c);
	struct guest *next;

	for (struct guest *g = guests; g; g = next) {
		next = g->next;
		if (ac_push(&g->c, line.data, line.len) < 0)
			ac_close(&g->c.d);
	}
	return 0;
}

static int guest_left(struct ac_dispatcher *d)
{
	struct guest *g = (struct guest *)d;

	if (g->link) {
		*g->link = g->next;
		if (g->next)
			g->next->link = g->link;
	}
	return 0;
}

static const struct ac_chat_class guest_class = {
	.d = { .super = AC_CHAT,
	       .name = "guest",
	       .size = sizeof(struct guest),
	       .handle_close = guest_left },
	.found_terminator = tell_everybody,
};

static void guest_enters(struct guest *g)
{
	g->next = guests;
	g->link = &guests;
	if (guests)
		guests->link = &g->next;
	guests = g;
}

static int begin_lines(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	static const struct ac_chat_class *const classes[WORKS] = {
		[WORK_ECHO] = &echo_class,
		[WORK_HANGUP] = &hangup_class,
		[WORK_BROADCAST] = &guest_class,
	};
	struct ac_chat *c = ac_chat_adopt(d->map, classes[service.work], fd, peer);

	if (!c)
		return ac_raise(d, errno);
	AC_TRY(c, begin_tls(&c->d));
	if (service.work == WORK_BROADCAST)
		guest_enters((struct guest *)c);
	ac_set_strip_terminator(c, false);
	return ac_set_terminator(c, "\r\n", 2);
}

/* ---- bulk -------------------------------------------------------------------------------- */

struct block_producer {
	struct ac_producer p;
	uint64_t left;
};

static int block_more(struct ac_producer *p, struct ac_slice *ret_slice)
{
	struct block_producer *b = (struct block_producer *)p;
	size_t len = b->left < SOURCE_BLOCK ? (size_t)b->left : SOURCE_BLOCK;

	*ret_slice = (struct ac_slice){ block, len };
	b->left -= len;
	return 0;
}

static void block_free(struct ac_producer *p)
{
	free(p);
}

static const struct ac_producer_class block_class = {
	.name = "block",
	.more = block_more,
	.free = block_free,
};

static int push_blocks(struct ac_chat *c)
{
	struct block_producer *b = calloc(1, sizeof(*b));

	if (b) {
		b->p.cls = &block_class;
		b->left = service.bytes;
	}
	return ac_push_with_producer(c, b ? &b->p : NULL);
}

static int push_file(struct ac_chat *c)
{
	int file = open(service.path, O_RDONLY | O_CLOEXEC);

	return file < 0 ? ac_raise(c, errno) : ac_push_file(c, file, 0, (int64_t)service.bytes);
}

static const struct ac_chat_class bulk_class = {
	.d = { .super = AC_CHAT, .name = "bulk" },
};

static int begin_bulk(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct ac_chat *c = ac_chat_adopt(d->map, &bulk_class, fd, peer);

	if (!c)
		return ac_raise(d, errno);
	AC_TRY(c, begin_tls(&c->d));
	AC_TRY(c, service.work == WORK_FILE ? push_file(c) : push_blocks(c));
	return ac_close_when_done(c);
}

static int drop_input(struct ac_dispatcher *d)
{
	static char buffer[READ_SIZE];
	ssize_t n = ac_recv(d, buffer, sizeof(buffer));

	return n < 0 ? (int)n : 0;
}

static const struct ac_class sink_class = {
	.super = AC_DISPATCHER,
	.name = "sink",
	.handle_read = drop_input,
};

static int begin_sink(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct ac_dispatcher *sink = ac_adopt(d->map, &sink_class, fd, peer);

	return sink ? begin_tls(sink) : ac_raise(d, errno);
}

/* ---- the server -------------------------------------------------------------------------- */

static int accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	static int (*const begin[WORKS])(struct ac_dispatcher *, int, const struct ac_addr *) = {
		begin_lines, begin_lines, begin_bulk, begin_bulk, begin_sink, begin_lines,
	};

	return begin[service.work](d, fd, peer);
}

static const struct ac_class server_class = {
	.super = AC_DISPATCHER,
	.name = "bench-server",
	.handle_accepted = accepted,
};

/* Clients that are gone are no news here. */
static void no_log(void *arg, enum ac_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	(void)text;
}

int main(int argc, char **argv)
{
	struct ac_map_opts opts = { .poller = find_option(argc, argv, "--poller"), .log = no_log };
	struct ac_dispatcher *listener;
	struct ac_map *map;

	service = start_service(argc, argv, ALL_WORKS);
	read_certificate(find_option(argc, argv, "--tls"));
	map = ac_map_new(&opts);
	if (!map)
		fail("ac_map_new");
	listener = ac_new(map, &server_class);
	if (ac_serve(listener, service.address) < 0) {
		fprintf(stderr, "%s: %s\n", service.address,
		        ac_error_name(ac_last_error(map)->code));
		return 1;
	}
	announce(listener->fd, service.address);
	return ac_loop(map, NULL) < 0;
}
