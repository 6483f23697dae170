/* test_workers.c — one loop a core: a shared port, a start that fails, stopping while busy, nothing left. */
#include "harness.h"

#include <asyncore/threads.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define WORKERS 3

/* What all workers know; atomic is what more than one writes. */
struct team {
	struct ac_map_opts opts;
	struct ac_addr addr;
	struct ac_dispatcher *listeners[WORKERS];
	pthread_t threads[WORKERS];
	atomic_int set_up, torn_down, accepted[WORKERS], open, shut;
	unsigned fails_at;
	bool graceful;
};

struct line {
	struct ac_chat c;
	struct team *team;
};

struct door {
	struct ac_dispatcher d;
	struct team *team;
	unsigned index;
};

static int echo(struct ac_chat *c)
{
	struct ac_slice s = ac_incoming(c);

	AC_TRY(c, ac_push(c, s.data, s.len));
	return ac_push(c, "\n", 1);
}

static int line_closed(struct ac_dispatcher *d)
{
	((struct line *)d)->team->open--;
	return 0;
}

static const struct ac_chat_class line_class = {
	.d = { .super = AC_CHAT,
	       .name = "line",
	       .size = sizeof(struct line),
	       .handle_close = line_closed },
	.found_terminator = echo,
};

static int accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct door *door = (struct door *)d;
	struct line *line = (struct line *)ac_chat_adopt(d->map, &line_class, fd, peer);

	if (!line)
		return ac_raise(d, ENOMEM);
	line->team = door->team;
	door->team->accepted[door->index]++;
	door->team->open++;
	return ac_set_terminator(&line->c, "\n", 1);
}

static const struct ac_class door_class = {
	.super = AC_DISPATCHER,
	.name = "door",
	.size = sizeof(struct door),
	.handle_accepted = accepted,
};

static int open_door(struct ac_map *map, unsigned index, void *arg)
{
	struct team *t = arg;
	struct door *door = (struct door *)ac_new(map, &door_class);

	if (index + 1 == t->fails_at)
		return -EDOM;
	t->set_up++;
	t->threads[index] = pthread_self();
	if (door) {
		door->team = t;
		door->index = index;
		t->listeners[index] = &door->d;
	}
	return ac_serve_shared(&door->d, "127.0.0.1:0", &t->addr);
}

static int close_door(struct ac_map *map, unsigned index, void *arg)
{
	struct team *t = arg;

	(void)map;
	ac_close(t->listeners[index]);
	t->shut++;
	return 0;
}

static void gone(struct ac_map *map, unsigned index, void *arg)
{
	struct team *t = arg;

	assert_non_null(map);
	assert_true(pthread_equal(pthread_self(), t->threads[index]));
	t->torn_down++;
}

static void quiet(void *arg, enum ac_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	(void)text;
}

static struct ac_workers *start(struct world *w, struct team *t)
{
	struct ac_workers *workers = NULL;

	t->opts = (struct ac_map_opts){ .poller = w->poller, .log = quiet };
	assert_int_equal(
		ac_workers_start(&(struct ac_workers_opts){ .count = WORKERS,
	                                                    .map = &t->opts,
	                                                    .setup = open_door,
	                                                    .stop = t->graceful ? close_door : NULL,
	                                                    .teardown = gone,
	                                                    .arg = t },
	                         &workers),
		0);
	assert_int_equal(ac_workers_count(workers), WORKERS);
	return workers;
}

static int dial(const struct team *t)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, &t->addr.sa, t->addr.len), 0);
	return fd;
}

static void echoes(int fd)
{
	char byte[2] = "";
	struct pollfd p = { fd, POLLIN, 0 };

	put(fd, "x\n");
	for (int n = 0; n < 2; n += (int)get(fd, byte, sizeof(byte)))
		assert_int_equal(poll(&p, 1, 5000), 1);
}

/* Sixty-four connections that all go to one of three would be a chance of 1 in 10^30. */
static void connections_are_spread_over_one_port(void **state)
{
	struct team t = { .set_up = 0 };
	struct ac_workers *workers = start(*state, &t);
	int fds[64], busy = 0;

	for (int i = 0; i < 64; i++)
		echoes(fds[i] = dial(&t));
	for (int i = 0; i < WORKERS; i++)
		busy += t.accepted[i] > 0;
	assert_in_range(busy, 2, WORKERS);
	assert_int_equal(t.open, 64);
	ac_workers_stop(workers);
	assert_int_equal(ac_workers_join(workers), 0);
	assert_int_equal(t.torn_down, WORKERS);
	assert_int_equal(t.open, 0);
	for (int i = 0; i < 64; i++) {
		assert_true(ended(fds[i]));
		close(fds[i]);
	}
}

static void graceful_stop_serves_who_is_there(void **state)
{
	struct team t = { .graceful = true };
	struct ac_workers *workers = start(*state, &t);
	int fds[8], late;

	for (int i = 0; i < 8; i++)
		echoes(fds[i] = dial(&t));
	ac_workers_stop(workers);
	while (t.shut < WORKERS)
		usleep(1000);
	late = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(late, &t.addr.sa, t.addr.len), -1);
	close(late);
	for (int i = 0; i < 8; i++) {
		echoes(fds[i]);
		close(fds[i]);
	}
	assert_int_equal(ac_workers_join(workers), 0);
	assert_int_equal(t.torn_down, WORKERS);
}

/* A second stop does not wait for anybody. */
static void second_stop_leaves_at_once(void **state)
{
	struct team t = { .graceful = true };
	struct ac_workers *workers = start(*state, &t);
	int fd = dial(&t);

	echoes(fd);
	ac_workers_stop(workers);
	while (ac_workers_map(workers, 0) && ac_workers_map(workers, 1) &&
	       ac_workers_map(workers, 2))
		usleep(1000); /* those that have nobody to serve go first */
	ac_workers_stop(workers);
	assert_int_equal(ac_workers_join(workers), 0);
	assert_true(ended(fd));
	close(fd);
}

static int never_run(void *arg)
{
	(void)arg;
	abort();
}

static int open_door_only(struct ac_map *map, unsigned index, void *arg)
{
	int r = open_door(map, index, arg);

	ac_close_posts(map);
	return r;
}

/* Or whoever joins waits for ever. */
static void worker_that_takes_no_posts_is_stopped(void **state)
{
	struct world *w = *state;
	struct team t = { .opts = { .poller = w->poller, .log = quiet } };
	struct ac_workers_opts o = { .count = WORKERS,
		                     .map = &t.opts,
		                     .setup = open_door_only,
		                     .teardown = gone,
		                     .arg = &t };
	struct ac_workers *workers = NULL;
	int fd;

	assert_int_equal(ac_workers_start(&o, &workers), 0);
	fd = dial(&t);
	echoes(fd);
	assert_int_equal(ac_post(ac_workers_map(workers, 0), NULL, NULL), -EINVAL);
	assert_int_equal(ac_post(ac_workers_map(workers, 0), never_run, NULL), -ENOENT);
	ac_workers_stop(workers);
	alarm(20);
	assert_int_equal(ac_workers_join(workers), 0);
	alarm(0);
	assert_int_equal(t.torn_down, WORKERS);
	close(fd);
}

static void failed_setup_stops_those_before(void **state)
{
	struct world *w = *state;

	for (unsigned which = 1; which <= WORKERS; which++) {
		struct team t = { .fails_at = which,
			          .opts = { .poller = w->poller, .log = quiet } };
		struct ac_workers *workers = NULL;
		struct ac_workers_opts o = { .count = WORKERS,
			                     .map = &t.opts,
			                     .setup = open_door,
			                     .teardown = gone,
			                     .arg = &t };

		assert_int_equal(ac_workers_start(&o, &workers), -EDOM);
		assert_null(workers);
		assert_int_equal(t.set_up, which - 1);
		assert_int_equal(t.torn_down, which - 1);
	}
}

static void wrong_options_are_refused(void **state)
{
	struct ac_workers *workers = NULL;
	struct ac_map_opts nonsense = { .poller = "nonsense", .log = quiet };
	struct team t = { .set_up = 0 };

	(void)state;
	assert_int_equal(ac_workers_start(&(struct ac_workers_opts){ .count = 1 }, &workers),
	                 -EINVAL);
	assert_int_equal(ac_workers_start(&(struct ac_workers_opts){ .count = AC_WORKERS_MOST + 1,
	                                                             .setup = open_door,
	                                                             .arg = &t },
	                                  &workers),
	                 -EINVAL);
	assert_int_equal(ac_workers_start(&(struct ac_workers_opts){ .map = &nonsense,
	                                                             .setup = open_door,
	                                                             .arg = &t },
	                                  &workers),
	                 -EINVAL);
	assert_null(workers);
	assert_int_equal(ac_workers_join(NULL), 0);
}

/* Eight clients keep asking while the workers are told to stop. */
static void *ask_until_ended(void *arg)
{
	const struct team *t = arg;
	int fd = dial(t);
	char byte[64];

	while (send(fd, "x\n", 2, MSG_NOSIGNAL) == 2 && recv(fd, byte, sizeof(byte), 0) > 0)
		;
	close(fd);
	return NULL;
}

static void stop_while_busy_leaves_nothing(void **state)
{
	struct team t = { .set_up = 0 };
	struct ac_workers *workers = start(*state, &t);
	pthread_t clients[8];

	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&clients[i], NULL, ask_until_ended, &t), 0);
	while (t.open < 8)
		usleep(1000);
	ac_workers_stop(workers);
	assert_int_equal(ac_workers_join(workers), 0);
	for (int i = 0; i < 8; i++)
		pthread_join(clients[i], NULL);
	assert_int_equal(t.open, 0);
}

static int quit(void *arg)
{
	*(bool *)arg = true;
	return AC_EXIT;
}

/* Row E13: a child frees the map of the thread that forked, and ends; nobody else notices. */
static void child_frees_its_map_while_workers_serve(void **state)
{
	struct world *w = *state;
	struct team t = { .set_up = 0 };
	struct ac_workers *workers = start(w, &t);
	pthread_t clients[8];

	assert_int_equal(ac_open_posts(w->map), 0);
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&clients[i], NULL, ask_until_ended, &t), 0);
	while (t.open < 8)
		usleep(1000);
	for (int i = 0; i < 20; i++) {
		int status, fd = dial(&t);
		pid_t child = fork();

		if (child == 0) {
			ac_map_free(w->map);
			_exit(ac_post(w->map, quit, NULL) != -ENOENT);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		echoes(fd);
		close(fd);
	}
	ac_workers_stop(workers);
	assert_int_equal(ac_workers_join(workers), 0);
	for (int i = 0; i < 8; i++)
		pthread_join(clients[i], NULL);
	assert_int_equal(t.open, 0);
}

/* One that ends by itself takes nobody with it; its map answers to nobody. */
static void post_to_one_worker_ends_that_one(void **state)
{
	struct team t = { .set_up = 0 };
	struct ac_workers *workers = start(*state, &t);
	struct ac_map *map = ac_workers_map(workers, 1);
	bool ran = false;
	int fds[32];

	assert_int_equal(ac_post(map, quit, &ran), 0);
	while (ac_workers_map(workers, 1))
		usleep(1000);
	while (ac_post(map, quit, &ran) != -ENOENT)
		usleep(1000);
	for (int i = 0; i < 32; i++)
		echoes(fds[i] = dial(&t));
	assert_int_equal(t.accepted[1], 0);
	assert_int_equal(t.accepted[0] + t.accepted[2], 32);
	ac_workers_stop(workers);
	assert_int_equal(ac_workers_join(workers), 0);
	assert_true(ran);
	for (int i = 0; i < 32; i++)
		close(fds[i]);
}

static int refuse_signals(struct ac_map *map, unsigned index, void *arg)
{
	sigset_t now;

	(void)map;
	(void)index;
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	*(bool *)arg = sigismember(&now, SIGTERM) == 1 && sigismember(&now, SIGUSR1) == 1;
	return 0;
}

static void pinned_workers_hear_no_signals(void **state)
{
	struct world *w = *state;
	struct ac_map_opts map = { .poller = w->poller, .log = quiet };
	struct ac_workers *workers = NULL;
	bool blocked = false;
	struct ac_workers_opts o = {
		.pin = true, .map = &map, .setup = refuse_signals, .arg = &blocked
	};

	assert_int_equal(ac_workers_start(&o, &workers), 0);
	assert_true(ac_workers_count(workers) >= 1);
	ac_workers_stop(workers);
	assert_int_equal(ac_workers_join(workers), 0);
	assert_true(blocked);
}

/* The port is somebody's: sharing it would take half of his connections. */
static void port_that_is_taken_is_refused(void **state)
{
	struct world *w = *state;
	struct ac_addr taken, none = { .len = 0 };
	int fd = listen_tcp(&taken);
	struct ac_dispatcher *d = ac_new(w->map, AC_DISPATCHER);
	char text[AC_ADDR_TEXT];

	assert_int_equal(ac_serve_shared(d, ac_addr_format(&taken, text, sizeof(text)), &none),
	                 -EADDRINUSE);
	assert_int_equal(none.len, 0);
	close(fd);
	assert_int_equal(ac_serve_shared(d, "unix:@x", &none), -EOPNOTSUPP);
	assert_int_equal(ac_serve_shared(d, "nonsense", &none), -EINVAL);
	assert_int_equal(ac_serve_shared(NULL, text, &none), -ENOMEM);
	assert_int_equal(d->fd, -1);
	assert_int_equal(ac_set_reuse_port(d), -EBADF);
	assert_int_equal(ac_serve_shared(d, text, &none), 0);
	assert_int_equal(none.in.sin_port, taken.in.sin_port);
	ac_close(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(connections_are_spread_over_one_port),
		EACH(graceful_stop_serves_who_is_there),
		EACH(second_stop_leaves_at_once),
		EACH(worker_that_takes_no_posts_is_stopped),
		EACH(failed_setup_stops_those_before),
		EACH(wrong_options_are_refused),
		EACH(stop_while_busy_leaves_nothing),
		EACH(child_frees_its_map_while_workers_serve),
		EACH(post_to_one_worker_ends_that_one),
		EACH(pinned_workers_hear_no_signals),
		EACH(port_that_is_taken_is_refused),
	};

	return RUN(tests);
}
