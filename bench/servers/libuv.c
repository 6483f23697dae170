/*
 * libuv.c — the bench's server by libuv.
 *
 *	libuv WORK ADDRESS [ARG] [--joined]
 *
 * Design: uv_read_start into one buffer that all share, for its bytes are used up in the callback.
 * Each line goes out with a uv_write of its own, which tries to send at once; line and request are one
 * allocation, and in a broadcast the line is shared. With --joined the lines of one read are sent
 * together, straight from the buffer, by uv_try_write, and only what is left by uv_write. source has
 * one write under way, and so has file, which reads a piece in place before (a trip to libuv's threads
 * costs more than a read from the page cache). uv_fs_sendfile is no better here: libuv 1.44 tries
 * copy_file_range, which is not for sockets, and then copies 8 KB at a time.
 */
#include "common.h"

#include <uv.h>

#define HIGH_WATER (256 * 1024) /* queued output at which a connection is no longer read */

#define PIECE (256 * 1024) /* of a file, for one write */

struct peer {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} h;
	bool closing, paused;
	char *tail; /* the beginning of a line */
	size_t tail_len;
	struct peer *next, **link;
};

/* One of `source` or `file`: what the others need not carry. */
struct bulk_peer {
	struct peer p;
	uint64_t offset;
	uv_write_t write;
	char piece[]; /* of `file` */
};

/* A line that goes to many. */
struct text {
	unsigned users;
	char data[];
};

/* A write with its own bytes behind it, or those of a text. */
struct sending {
	uv_write_t request;
	struct text *text;
	char data[];
};

static struct service service;
static bool joined;
static uv_loop_t *loop;
static struct peer *everybody;
static char arena[LINE_LIMIT + READ_SIZE]; /* a kept tail, and what is read behind it */
static uv_file service_file = -1;

/* ---- the end ----------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
	struct peer *p = handle->data;

	free(p->tail);
	free(p);
}

static void hang_up(struct peer *p)
{
	if (p->closing && !p->link)
		return;
	p->closing = true;
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	p->link = NULL;
	uv_close(&p->h.handle, on_closed);
}

/* ---- output ------------------------------------------------------------------------------ */

static void start_reading(struct peer *p);

static void forget_text(struct text *t)
{
	if (t && --t->users == 0)
		free(t);
}

static void on_sent(uv_write_t *request, int status)
{
	struct sending *s = (struct sending *)request;
	struct peer *p = request->handle->data;

	forget_text(s->text);
	free(s);
	if (!p->link)
		return;
	if (status < 0 || (p->closing && p->h.stream.write_queue_size == 0)) {
		hang_up(p);
	} else if (p->paused && p->h.stream.write_queue_size == 0) {
		p->paused = false;
		start_reading(p);
	}
}

/* Copies the bytes, or uses the text where there is one. */
static void queue(struct peer *p, struct text *text, const char *data, size_t len)
{
	size_t queued = uv_stream_get_write_queue_size(&p->h.stream);
	struct sending *s = NULL;
	uv_buf_t buf;

	if (queued <= OUTPUT_LIMIT)
		s = malloc(sizeof(*s) + (text ? 0 : len));
	if (!s) {
		hang_up(p);
		return;
	}
	s->text = text;
	if (text)
		text->users++;
	else
		memcpy(s->data, data, len);
	buf = uv_buf_init(text ? text->data : s->data, (unsigned)len);
	if (uv_write(&s->request, &p->h.stream, &buf, 1, on_sent) < 0) {
		forget_text(text);
		free(s);
		hang_up(p);
	} else if (queued > HIGH_WATER && !p->paused) {
		p->paused = true;
		uv_read_stop(&p->h.stream);
	}
}

/* --joined: now what goes now, the rest as a write. */
static void try_send(struct peer *p, const char *data, size_t len)
{
	uv_buf_t buf = uv_buf_init((char *)data, (unsigned)len);
	int n = uv_try_write(&p->h.stream, &buf, 1);

	if (n < 0 && n != UV_EAGAIN)
		hang_up(p);
	else if (n < (int)len)
		queue(p, NULL, data + (n > 0 ? n : 0), len - (size_t)(n > 0 ? n : 0));
	else if (p->closing)
		hang_up(p);
}

static void tell_everybody(const char *data, size_t len)
{
	struct text *text = joined ? NULL : malloc(sizeof(*text) + len);
	struct peer *next;

	if (text) {
		text->users = 1;
		memcpy(text->data, data, len);
	}
	for (struct peer *p = everybody; p; p = next) {
		next = p->next;
		if (joined)
			try_send(p, data, len);
		else
			queue(p, text, data, len);
	}
	forget_text(text);
}

static void answer(struct peer *p, const char *data, size_t len)
{
	p->closing = service.work == WORK_HANGUP;
	if (service.work == WORK_BROADCAST)
		tell_everybody(data, len);
	else if (joined)
		try_send(p, data, len);
	else
		queue(p, NULL, data, len);
}

/* ---- input ------------------------------------------------------------------------------- */

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
	struct peer *p = handle->data;

	(void)suggested;
	*ret_buf = uv_buf_init(arena + p->tail_len, READ_SIZE);
}

/* The lines in the arena are answered; where the last one ends. */
static size_t answer_lines(struct peer *p, size_t len, size_t searched)
{
	bool only_first = service.work == WORK_HANGUP;
	size_t done = 0, end;

	if (joined) {
		done = lines_end(arena, len, searched, only_first);
		if (done > 0)
			answer(p, arena, done);
		return done;
	}
	while ((end = line_end(arena + done, len - done, done ? 0 : searched)) > 0) {
		answer(p, arena + done, end);
		done += end;
		if (only_first || !p->link)
			break;
	}
	return done;
}

static bool keep_tail(struct peer *p, const char *data, size_t len)
{
	char *tail = NULL;

	if (len > 0) {
		tail = len > LINE_LIMIT ? NULL : realloc(p->tail, len);
		if (!tail)
			return false;
		memcpy(tail, data, len);
	} else {
		free(p->tail);
	}
	p->tail = tail;
	p->tail_len = len;
	return true;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct peer *p = stream->data;
	size_t had = p->tail_len, done;

	(void)buf;
	if (n < 0)
		hang_up(p);
	if (n <= 0 || service.work == WORK_SINK)
		return;
	if (had > 0)
		memcpy(arena, p->tail, had);
	done = answer_lines(p, had + (size_t)n, had);
	if (!p->link)
		return;
	if (p->closing)
		uv_read_stop(stream);
	else if (!keep_tail(p, arena + done, had + (size_t)n - done))
		hang_up(p);
}

static void start_reading(struct peer *p)
{
	if (uv_read_start(&p->h.stream, give_buffer, on_read) < 0)
		hang_up(p);
}

/* ---- source and file --------------------------------------------------------------------- */

static void send_piece(struct bulk_peer *b);

static void on_piece_sent(uv_write_t *request, int status)
{
	struct bulk_peer *b = (struct bulk_peer *)request->handle->data;

	if (!b->p.link)
		return;
	if (status < 0 || b->offset == service.bytes)
		hang_up(&b->p);
	else
		send_piece(b);
}

static int read_piece(struct bulk_peer *b)
{
	uv_buf_t buf = uv_buf_init(b->piece, PIECE);
	uv_fs_t request;
	int n = uv_fs_read(loop, &request, service_file, &buf, 1, (int64_t)b->offset, NULL);

	uv_fs_req_cleanup(&request);
	return n;
}

static void send_piece(struct bulk_peer *b)
{
	size_t at = (size_t)(b->offset % SOURCE_BLOCK);
	uint64_t left = service.bytes - b->offset;
	int len = left < SOURCE_BLOCK - at ? (int)left : (int)(SOURCE_BLOCK - at);
	uv_buf_t buf;

	if (service.work == WORK_FILE)
		len = read_piece(b);
	if (len <= 0) {
		hang_up(&b->p);
		return;
	}
	b->offset += (unsigned)len;
	buf = uv_buf_init(service.work == WORK_FILE ? b->piece : block + at, (unsigned)len);
	if (uv_write(&b->write, &b->p.h.stream, &buf, 1, on_piece_sent) < 0)
		hang_up(&b->p);
}

/* ---- the server -------------------------------------------------------------------------- */

/* The listener's TCP_NODELAY is inherited. */
static void init_stream(uv_stream_t *stream, bool is_tcp)
{
	if (is_tcp)
		uv_tcp_init(loop, (uv_tcp_t *)stream);
	else
		uv_pipe_init(loop, (uv_pipe_t *)stream, 0);
}

static void on_connection(uv_stream_t *listener, int status)
{
	bool bulk = service.work == WORK_SOURCE || service.work == WORK_FILE;
	size_t piece = service.work == WORK_FILE ? PIECE : 0;
	size_t size = bulk ? sizeof(struct bulk_peer) + piece : sizeof(struct peer);
	struct peer *p = status < 0 ? NULL : calloc(1, size);

	if (!p)
		return;
	init_stream(&p->h.stream, listener->type == UV_TCP);
	p->h.handle.data = p;
	p->next = everybody;
	p->link = &everybody;
	if (everybody)
		everybody->link = &p->next;
	everybody = p;
	if (uv_accept(listener, &p->h.stream) < 0)
		hang_up(p);
	else if (bulk)
		send_piece((struct bulk_peer *)p);
	else
		start_reading(p);
}

int main(int argc, char **argv)
{
	static union {
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} listener;
	bool is_tcp;
	int fd, r;

	loop = uv_default_loop();
	service = start_service(argc, argv, ALL_WORKS);
	joined = find_option(argc, argv, "--joined") != NULL;
	is_tcp = strncmp(service.address, "unix:", 5) != 0;
	if (service.work == WORK_FILE && (service_file = open(service.path, O_RDONLY)) < 0)
		fail(service.path);
	init_stream(&listener.stream, is_tcp);
	fd = listen_on(service.address);
	r = is_tcp ? uv_tcp_open(&listener.tcp, fd) : uv_pipe_open(&listener.pipe, fd);
	if (r < 0 || (r = uv_listen(&listener.stream, BACKLOG, on_connection)) < 0) {
		fprintf(stderr, "libuv: %s\n", uv_strerror(r));
		return 1;
	}
	return uv_run(loop, UV_RUN_DEFAULT);
}
