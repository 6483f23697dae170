/*
 * micro.c — the library without the kernel: lines cut out of a block, and the search beside memmem.
 *
 *	micro [--quick]
 *
 * Design: framing goes the whole way of a channel's read event, but for the system call: the chat stands on a
 * socket nobody writes to, and its transport is a table of its own that says "64 KB have come". The bytes
 * are copied into the map's buffer once and then lie there, warm as a read leaves them; the library does
 * not write on them, which is checked. Each figure is the median of several slices of time.
 */
#include "micro.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../include/asynchat.h"
#include "../src/base/base.h"
#include "../src/transport/transport.h"

#define BLOCK 65536
#define LINE 64
#define SLICES 9

static double slice_ns = 30e6;
static char block[BLOCK];

/* ---- time for one call ---- */

typedef void work_fn(void *arg);

static double slice(work_fn *fn, void *arg, unsigned long calls)
{
	double start = micro_now();

	for (unsigned long i = 0; i < calls; i++)
		fn(arg);
	return micro_now() - start;
}

static double ns_a_call(work_fn *fn, void *arg)
{
	double values[SLICES];
	unsigned long calls = 1;

	while (slice(fn, arg, calls) < slice_ns / 4)
		calls *= 2;
	calls *= 4;
	for (int i = 0; i < SLICES; i++)
		values[i] = slice(fn, arg, calls) / (double)calls;
	return micro_median(values, SLICES);
}

/* ---- framing ---- */

struct reader {
	struct ac_chat c;
	size_t lines, bytes, reads;
	const void *filled; /* the buffer that holds the block already */
};

static int line_found(struct ac_chat *c)
{
	struct reader *r = (struct reader *)c;

	r->lines++;
	r->bytes += ac_incoming(c).len;
	return 0;
}

static ssize_t block_recv(struct ac_dispatcher *d, void *buffer, size_t size)
{
	struct reader *r = (struct reader *)d;

	if (size < BLOCK)
		return -EINVAL;
	if (buffer != r->filled)
		memcpy(buffer, block, BLOCK);
	r->filled = buffer;
	r->reads++;
	d->flags |= AC_HAS_READ;
	return BLOCK;
}

static ssize_t block_send(struct ac_dispatcher *d, const struct iovec *iov, int count, bool more)
{
	(void)d;
	(void)iov;
	(void)count;
	(void)more;
	return -EAGAIN;
}

static const struct ac_transport block_transport = {
	.name = "block",
	.recv = block_recv,
	.send = block_send,
};

static const struct ac_chat_class reader_class = {
	.d = { .super = AC_CHAT, .name = "reader", .size = sizeof(struct reader) },
	.found_terminator = line_found,
};

static void read_block(void *arg)
{
	struct ac_dispatcher *d = arg;

	if (d->cls->handle_read_event(d) < 0)
		micro_die("a read event failed");
}

static void fill_with_lines(void)
{
	for (size_t i = 0; i < BLOCK; i++)
		block[i] = (char)('a' + i % 26);
	for (size_t i = LINE; i <= BLOCK; i += LINE)
		memcpy(block + i - 2, "\r\n", 2);
}

static void measure_framing(void)
{
	/* a poller that leaves the reading to the chat, that is, to our transport */
	struct ac_map *map = ac_map_new(&(struct ac_map_opts){ .poller = "epoll" });
	struct reader *r = NULL;
	int fds[2];
	double ns;

	if (!map || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		micro_die("no map or no sockets");
	r = (struct reader *)ac_chat_adopt(map, &reader_class, fds[0], NULL);
	if (!r || ac_set_terminator(&r->c, "\r\n", 2) < 0)
		micro_die("no chat");
	fill_with_lines();
	r->c.d.transport = &block_transport;
	ns = ns_a_call(read_block, r);
	if (r->lines != r->reads * (BLOCK / LINE) || r->bytes != r->lines * (LINE - 2) ||
	    memcmp(r->filled, block, BLOCK) != 0)
		micro_die("framing found other lines than there are");
	micro_print("framing", "64-byte CRLF lines", "ours", BLOCK / LINE, ns / (BLOCK / LINE),
	            "ns/line");
	ac_map_free(map);
	close(fds[1]);
}

/* ---- search ---- */

struct search {
	const char *needle;
	size_t len, found;
};

/* The barriers keep the compiler from finding once and believing it ever after. */
static void by_library(void *arg)
{
	struct search *s = arg;

	__asm__ volatile("" ::: "memory");
	s->found += ac_find_(block, BLOCK, s->needle, s->len) != AC_NOT_FOUND;
}

static void by_memmem(void *arg)
{
	struct search *s = arg;

	__asm__ volatile("" ::: "memory");
	s->found += memmem(block, BLOCK, s->needle, s->len) != NULL;
}

static void measure_search(const char *name, const char *needle)
{
	struct search s = { .needle = needle, .len = strlen(needle) };

	micro_print("search", name, "ours", 0, BLOCK / ns_a_call(by_library, &s), "GB/s");
	micro_print("search", name, "memmem", 0, BLOCK / ns_a_call(by_memmem, &s), "GB/s");
	if (s.found)
		micro_die("the search found what is not there");
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--quick") == 0)
		slice_ns = 5e6;
	measure_framing();
	fill_with_lines();
	measure_search("CRLFCRLF in lines", "\r\n\r\n");
	for (size_t i = 0; i < BLOCK; i++)
		block[i] = (char)('a' + i % 26);
	measure_search("CRLF, no match", "\r\n");
	return 0;
}
