/* harness.c — see harness.h. */
#include "harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define ALLOCATION_MOST ((size_t)1 << 32) /* a sanitizer ends a program that asks malloc for more */

/* Threads of the library's own allocate as well. */
static atomic_long alive;
static atomic_size_t bytes_alive;
static long until_failure;
static bool stays_failed, has_failed;

static bool fails_now(void)
{
	if (until_failure == 0)
		return false;
	if (until_failure > 1) {
		until_failure--;
		return false;
	}
	has_failed = true;
	if (!stays_failed)
		until_failure = 0;
	return true;
}

static void *counting_realloc(void *ctx, void *ptr, size_t size)
{
	size_t before = ptr ? malloc_usable_size(ptr) : 0;
	void *p;

	(void)ctx;
	if (size == 0) {
		alive -= ptr != NULL;
		bytes_alive -= before;
		free(ptr);
		return NULL;
	}
	if (fails_now() || size > ALLOCATION_MOST)
		return NULL;
	p = realloc(ptr, size);
	alive += p && !ptr;
	if (p)
		bytes_alive += malloc_usable_size(p) - before;
	return p;
}

long allocations(void)
{
	return alive;
}

size_t allocated_bytes(void)
{
	return bytes_alive;
}

void fail_allocation(long nth, bool sticky)
{
	until_failure = nth;
	stays_failed = sticky;
	has_failed = false;
}

bool allocation_failed(void)
{
	return has_failed;
}

int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void remember(void *arg, enum ac_log_level level, const char *text)
{
	struct world *w = arg;
	size_t left = sizeof(w->log) - w->log_len;

	(void)level;
	if (left > 1)
		w->log_len += (size_t)snprintf(w->log + w->log_len, left, "%s\n", text);
	if (w->log_len >= sizeof(w->log))
		w->log_len = sizeof(w->log) - 1;
}

int world_setup(void **state)
{
	static const struct ac_allocator counting = { counting_realloc, NULL };
	struct world *w = calloc(1, sizeof(*w));
	struct ac_map_opts opts = { .poller = *state, .log = remember, .log_arg = w };

	assert_int_equal(ac_set_allocator(&counting), 0);
	fail_allocation(0, false);
	w->poller = *state;
	w->fds = count_fds();
	w->map = ac_map_new(&opts);
	*state = w;
	return w->map ? 0 : -1;
}

int world_teardown(void **state)
{
	struct world *w = *state;
	int before = w->fds, now;

	fail_allocation(0, false);
	ac_map_free(w->map);
	free(w);
	now = count_fds();
	if (now != before)
		print_error("%d descriptors before, %d after\n", before, now);
	if (alive != 0)
		print_error("%ld allocations left\n", alive);
	return now == before && alive == 0 ? 0 : -1;
}

void choose_cases(void)
{
	static char pattern[256];
	const char *beginning = getenv("CASE");

	snprintf(pattern, sizeof(pattern), "%s*", beginning ? beginning : "");
	cmocka_set_test_filter(pattern);
}

void passes(struct world *w, int count)
{
	while (count-- > 0)
		ac_poll(w->map, 0);
}

int waits_in(struct world *w, double seconds)
{
	int n = 0;

	for (double end = ac_now(w->map) + seconds; ac_now(w->map) < end; n++)
		ac_poll(w->map, 0.05);
	return n;
}

/* The kernel may have something to tell for a while after the last byte. */
bool falls_silent(struct world *w)
{
	for (int i = 0; i < 10; i++)
		if (waits_in(w, 0.2) <= 6)
			return true;
	return false;
}

static void nonblock(int fd)
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
}

void unix_pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
}

int listen_tcp(struct ac_addr *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(ac_addr_parse("127.0.0.1:0", addr), 0);
	assert_int_equal(bind(fd, &addr->sa, addr->len), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, &addr->sa, &addr->len), 0);
	return fd;
}

void tcp_pair(int fds[2])
{
	struct ac_addr addr;
	int listener = listen_tcp(&addr);

	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fds[0], &addr.sa, addr.len), 0);
	fds[1] = accept(listener, NULL, NULL);
	assert_true(fds[1] >= 0);
	close(listener);
	nonblock(fds[0]);
	nonblock(fds[1]);
}

int connect_to(const struct ac_dispatcher *listener)
{
	struct ac_addr addr;
	int fd;

	assert_int_equal(ac_local_addr(listener, &addr), 0);
	fd = socket(addr.sa.sa_family, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, &addr.sa, addr.len), 0);
	return fd;
}

void put(int fd, const char *text)
{
	size_t len = strlen(text);

	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

size_t get(int fd, char *text, size_t size)
{
	size_t n = 0;
	ssize_t r;

	while (n + 1 < size && (r = recv(fd, text + n, size - n - 1, MSG_DONTWAIT)) > 0)
		n += (size_t)r;
	text[n] = '\0';
	return n;
}

bool ended(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

void reset(int fd)
{
	struct linger at_once = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

static void note(struct rec *r, const char *format, ...)
{
	size_t len = r->trace ? strlen(r->trace) : 0;
	va_list args;

	if (!r->trace)
		return;
	va_start(args, format);
	vsnprintf(r->trace + len, TRACE_SIZE - len, format, args);
	va_end(args);
}

static int rec_collect(struct ac_chat *c, const void *data, size_t len)
{
	note((struct rec *)c, "C(%.*s)", (int)len, (const char *)data);
	return 0;
}

static int rec_found(struct ac_chat *c)
{
	struct rec *r = (struct rec *)c;

	note(r, "F");
	return r->on_found ? r->on_found(r) : 0;
}

static int rec_drain(struct ac_chat *c)
{
	note((struct rec *)c, "D");
	return 0;
}

static int rec_connect(struct ac_dispatcher *d)
{
	struct rec *r = (struct rec *)d;

	note(r, "O");
	return r->on_connect ? r->on_connect(r) : 0;
}

static int rec_close(struct ac_dispatcher *d)
{
	struct rec *r = (struct rec *)d;

	r->closes++;
	r->reason = ac_close_reason(d);
	note(r, "X");
	return r->on_close ? r->on_close(r) : 0;
}

static int rec_error(struct ac_dispatcher *d, const struct ac_error *e)
{
	struct rec *r = (struct rec *)d;

	r->errors++;
	r->error = e->code;
	note(r, "E(%s)", ac_error_name(e->code));
	if (r->on_error)
		return r->on_error(r);
	ac_close(d);
	return 0;
}

static void rec_finalize(struct ac_dispatcher *d)
{
	struct rec *r = (struct rec *)d;

	r->finals++;
	if (r->counter)
		++*r->counter;
}

const struct ac_chat_class rec_class = {
	.d = {
		.super = AC_CHAT,
		.name = "rec",
		.size = sizeof(struct rec),
		.handle_connect = rec_connect,
		.handle_close = rec_close,
		.handle_error = rec_error,
		.finalize = rec_finalize,
	},
	.collect_incoming_data = rec_collect,
	.found_terminator = rec_found,
	.handle_drain = rec_drain,
};

char *new_trace(struct world *w)
{
	char *trace = w->traces[w->trace_count++ % TRACES];

	trace[0] = '\0';
	return trace;
}

struct rec *rec_pair(struct world *w, int *ret_fd)
{
	struct rec *r;
	int fds[2];

	unix_pair(fds);
	r = (struct rec *)ac_chat_adopt(w->map, &rec_class, fds[0], NULL);
	assert_non_null(r);
	r->trace = new_trace(w);
	*ret_fd = fds[1];
	return r;
}
