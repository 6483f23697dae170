/* test_fed_cost.c — every kind of descriptor beside chats that are fed; and what chats cost: no allocation. */
#include "harness.h"

#include "../src/map/map.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>

/* ---- kinds ---- */
static size_t bytes_read;
static int accepts;

static int read_any(struct ac_dispatcher *d)
{
	char text[4096];
	ssize_t n = ac_recv(d, text, sizeof(text));

	bytes_read += n > 0 ? (size_t)n : 0;
	return n < 0 ? (int)n : 0;
}

static int read_datagram(struct ac_dispatcher *d)
{
	char text[4096];
	ssize_t n = ac_recvfrom(d, text, sizeof(text), NULL);

	bytes_read += n > 0 ? (size_t)n : 0;
	return n < 0 ? (int)n : 0;
}

static bool never(struct ac_dispatcher *d)
{
	(void)d;
	return false;
}

static const struct ac_class reader_class = { .super = AC_DISPATCHER,
	                                      .name = "reader",
	                                      .writable = never,
	                                      .flags = AC_STEADY,
	                                      .handle_read = read_any };
static const struct ac_class datagram_class = { .super = AC_DISPATCHER,
	                                        .name = "datagram",
	                                        .writable = never,
	                                        .flags = AC_STEADY,
	                                        .handle_read = read_datagram };

static int echo(struct ac_chat *c)
{
	struct ac_slice s = ac_incoming(c);

	AC_TRY(c, ac_push(c, s.data, s.len));
	return ac_push(c, "\n", 1);
}

static const struct ac_chat_class echo_class = {
	.d = { .super = AC_CHAT, .name = "echo" },
	.found_terminator = echo,
};

static struct ac_chat *adopt_echo(struct ac_map *map, int fd)
{
	struct ac_chat *c = ac_chat_adopt(map, &echo_class, fd, NULL);

	assert_non_null(c);
	assert_int_equal(ac_set_terminator(c, "\n", 1), 0);
	return c;
}

static int accept_echo(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	(void)peer;
	accepts++;
	adopt_echo(d->map, fd);
	return 0;
}

static const struct ac_class listener_class = { .super = AC_DISPATCHER,
	                                        .name = "listener",
	                                        .handle_accepted = accept_echo };

static void files_pipes_and_datagrams_are_read(void **state)
{
	struct world *w = *state;
	struct stat s;
	struct ac_addr addr;
	int ends[2], fd = open("/proc/self/exe", O_RDONLY);
	struct ac_dispatcher *d;

	bytes_read = 0;
	assert_int_equal(fstat(fd, &s), 0);
	assert_non_null(ac_adopt(w->map, &reader_class, fd, NULL));
	UNTIL(w, bytes_read == (size_t)s.st_size);
	assert_non_null(
		ac_adopt(w->map, &reader_class, open("/dev/null", O_RDWR), NULL)); /* at its end */
	passes(w, 5);
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	assert_non_null(ac_adopt(w->map, &reader_class, ends[0], NULL));
	bytes_read = 0;
	passes(w, 2);
	assert_int_equal(write(ends[1], "12345", 5), 5);
	UNTIL(w, bytes_read == 5);
	d = ac_new(w->map, &datagram_class);
	assert_int_equal(ac_create_socket(d, AF_INET, SOCK_DGRAM), 0);
	ac_addr_parse("127.0.0.1:0", &addr);
	assert_int_equal(ac_bind(d, &addr), 0);
	assert_int_equal(ac_local_addr(d, &addr), 0);
	passes(w, 2);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	for (int i = 0; i < 50; i++)
		assert_int_equal(sendto(fd, "123456789", 9, 0, &addr.sa, addr.len), 9);
	UNTIL(w, bytes_read == 5 + 50 * 9);
	close(fd);
	close(ends[1]);
	passes(w, 5);
}

static void listener_gives_chats_that_are_fed(void **state)
{
	enum { CLIENTS = 40 };
	struct world *w = *state;
	struct ac_dispatcher *d = ac_new(w->map, &listener_class);
	int fds[CLIENTS];
	char text[8];

	accepts = 0;
	assert_int_equal(ac_serve(d, "127.0.0.1:0"), 0);
	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = connect_to(d);
		put(fds[i], "hi\n");
	}
	for (int i = 0; i < CLIENTS; i++) {
		UNTIL(w, recv(fds[i], text, 3, MSG_PEEK | MSG_DONTWAIT) == 3);
		assert_int_equal(get(fds[i], text, sizeof(text)), 3);
		assert_string_equal(text, "hi\n");
	}
	assert_int_equal(accepts, CLIENTS);
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
	UNTIL(w, ac_map_channels(w->map) == 1);
}

static void file_of_a_megabyte_is_pushed_between_lines(void **state)
{
	enum { SIZE = 1 << 20 };
	static char text[SIZE + 64], sent[SIZE];
	struct world *w = *state;
	FILE *file = tmpfile();
	size_t len = 0;
	struct ac_chat *c;
	int fds[2];

	for (size_t i = 0; i < SIZE; i++)
		sent[i] = (char)(i * 31 + i / 977);
	assert_int_equal(fwrite(sent, 1, SIZE, file), SIZE);
	fflush(file);
	tcp_pair(fds);
	c = adopt_echo(w->map, fds[0]);
	put(fds[1], "one\n");
	passes(w, 3);
	assert_int_equal(ac_push_file(c, dup(fileno(file)), 0, SIZE), 0);
	put(fds[1], "two\n");
	for (int i = 0; i < 10000 && len < SIZE + 8; i++) {
		ac_poll(w->map, 0.001);
		len += get(fds[1], text + len, sizeof(text) - len);
	}
	assert_int_equal(len, SIZE + 8);
	assert_memory_equal(text, "one\n", 4);
	assert_memory_equal(text + 4, sent, SIZE);
	assert_memory_equal(text + 4 + SIZE, "two\n", 4);
	fclose(file);
	close(fds[1]);
	passes(w, 5);
}

/* ---- costs ---- */
static void talk_all(struct world *w, const int *fds, int count)
{
	char text[24];

	for (int i = 0; i < count; i++)
		put(fds[i], "a line that is no longer than others\n");
	for (int i = 0; i < count; i++) {
		size_t len = 0;

		for (int pass = 0; pass < 1000 && len < 37; pass++) {
			ac_poll(w->map, 0.001);
			while (len < 37 && recv(fds[i], text, 1, MSG_DONTWAIT) == 1)
				len++;
		}
		assert_int_equal(len, 37);
	}
}

static void talk_that_is_under_way_allocates_nothing(void **state)
{
	enum { CHATS = 50 };
	struct world *w = *state;
	int fds[CHATS];

	for (int i = 0; i < CHATS; i++) {
		int pair[2];

		unix_pair(pair);
		adopt_echo(w->map, pair[0]);
		fds[i] = pair[1];
	}
	for (int i = 0; i < 3; i++)
		talk_all(w, fds, CHATS);
	fail_allocation(1, true);
	for (int i = 0; i < 20; i++)
		talk_all(w, fds, CHATS);
	assert_false(allocation_failed());
	fail_allocation(0, false);
	for (int i = 0; i < CHATS; i++)
		close(fds[i]);
	passes(w, 5);
}

static int chats_for(const struct world *w)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	return strcmp(w->poller, "select") == 0 || files.rlim_max < 2100 ? FD_SETSIZE / 2 - 50
	                                                                 : 1000;
}

static void idle_chat_holds_at_most_128_bytes(void **state)
{
	static int fds[1000];
	struct world *w = *state;
	int pair[2], count = chats_for(w);
	size_t before, most;

	for (int i = 0; i < 2; i++) { /* what the map needs once */
		unix_pair(pair);
		adopt_echo(w->map, pair[0]);
		talk_all(w, &pair[1], 1);
		close(pair[1]);
		passes(w, 5);
	}
	before = allocated_bytes();
	for (int i = 0; i < count; i++) {
		unix_pair(pair);
		adopt_echo(w->map, pair[0]);
		fds[i] = pair[1];
	}
	passes(w, 200);
	most = (size_t)count *
	       (strcmp(w->poller, "poll") == 0 ? 192 : 128); /* its tables are user memory */
	print_message("# %zu bytes a chat, sizeof %zu\n",
	              (allocated_bytes() - before) / (size_t)count, sizeof(struct ac_chat));
	assert_true(allocated_bytes() - before <= most);
	for (int i = 0; i < 2; i++)
		talk_all(w, fds, count);
	passes(w, 5);
	assert_true(allocated_bytes() - before <= most);
	for (int i = 0; i < count; i++)
		close(fds[i]);
	passes(w, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(files_pipes_and_datagrams_are_read),
		EACH(listener_gives_chats_that_are_fed),
		EACH(file_of_a_megabyte_is_pushed_between_lines),
		EACH(talk_that_is_under_way_allocates_nothing),
		EACH(idle_chat_holds_at_most_128_bytes),
	};
	return RUN(tests);
}
