/*
 * test_tls_start.c — TLS that begins in mid-conversation: what was said in clear goes in clear, and what somebody has
 * put in front of the handshake is never run.
 */
#include "tls_peer.h"

#include <stdio.h>

struct starts {
	struct end e;
	struct ac_tls *tls;
	const char *name;  /* NULL: a server */
	const char *reply; /* pushed before */
	int result;        /* 1: not asked for yet */
	int runs;          /* other commands that were found */
};

static int on_command(struct end *e)
{
	struct starts *s = (struct starts *)e;

	if (s->result != 1) {
		s->runs++;
		return 0;
	}
	if (s->reply)
		assert_int_equal(ac_push(e->c, s->reply, strlen(s->reply)), 0);
	s->result = ac_start_tls(&e->c->d, s->tls, s->name);
	return s->result;
}

static void begin(struct world *w, struct starts *s, int *ret_fd, bool server)
{
	int fds[2];

	tcp_pair(fds);
	end_adopt(w, &s->e, fds[0]);
	s->e.on_found = on_command;
	s->tls = server ? tls_server(cert_file(A_TEST, CERT_GOOD)) : tls_client();
	s->name = server ? NULL : "a.test";
	s->reply = server ? "220 go\n" : NULL;
	s->result = 1;
	s->runs = 0;
	*ret_fd = fds[1];
}

static bool has_reply(int fd, char *text, size_t size)
{
	size_t len = strlen(text);

	get(fd, text + len, size - len);
	return strcmp(text, "220 go\n") == 0;
}

static void server_starts_when_asked(void **state)
{
	struct world *w = *state;
	char text[64] = "";
	struct starts s;
	struct peer p;
	int fd;

	begin(w, &s, &fd, true);
	put(fd, "STARTTLS\n");
	UNTIL(w, has_reply(fd, text, sizeof(text))); /* in clear */
	assert_int_equal(s.result, 0);
	peer_client(&p, fd, "a.test");
	UNTIL(w, peer_shake(&p) && s.e.secures);
	assert_true(peer_put(&p, "hello\n"));
	UNTIL(w, strstr(s.e.trace, "C(STARTTLS)FDSC(hello)F"));
	assert_int_equal(ac_push(s.e.c, "welcome\n", 8), 0);
	UNTIL(w, peer_hears(&p, "welcome\n"));
	assert_int_equal(s.e.connects, 0);
	peer_close(&p);
	ac_tls_free(s.tls);
}

static void client_starts_when_told(void **state)
{
	struct world *w = *state;
	struct starts s;
	struct peer p;
	int fd;

	begin(w, &s, &fd, false);
	put(fd, "STARTTLS\n");
	peer_server(&p, fd, cert_file(A_TEST, CERT_GOOD));
	UNTIL(w, s.result == 0);
	assert_int_equal(ac_push(s.e.c, "hello\n", 6), 0); /* waits for the handshake */
	UNTIL(w, peer_shake(&p) && s.e.secures);
	UNTIL(w, peer_hears(&p, "hello\n"));
	peer_close(&p);
	ac_tls_free(s.tls);
}

/* From outside its handlers: a task, another channel. */
static void starts_from_outside(void **state)
{
	struct world *w = *state;
	struct starts s;
	struct peer p;
	int fd;

	begin(w, &s, &fd, true);
	s.result = 0;
	put(fd, "one\ntwo\n");
	UNTIL(w, s.runs == 2);
	assert_int_equal(ac_push(s.e.c, "220 go\n", 7), 0);
	assert_int_equal(ac_start_tls(&s.e.c->d, s.tls, NULL), 0);
	peer_client(&p, fd, "a.test");
	{
		char text[16] = "";

		UNTIL(w, has_reply(fd, text, sizeof(text)));
	}
	UNTIL(w, peer_shake(&p) && s.e.secures);
	assert_true(p.done);
	assert_true(peer_put(&p, "three\n"));
	UNTIL(w, s.runs == 3);
	peer_close(&p);
	ac_tls_free(s.tls);
}

/* All that follows the command is refused, wherever the segment is cut, and none of it is run. */
static void injected(struct world *w, bool server, size_t cut)
{
	static const char bytes[] = "STARTTLS\nEVIL\nWORSE\n";
	struct starts s;
	int fd;

	begin(w, &s, &fd, server);
	s.reply = NULL;
	assert_int_equal(send(fd, bytes, cut, MSG_NOSIGNAL), (ssize_t)cut);
	passes(w, 3);
	send(fd, bytes + cut, sizeof(bytes) - 1 - cut, MSG_NOSIGNAL);
	UNTIL(w, s.e.closes);
	assert_int_equal(s.runs, 0);
	assert_null(strstr(s.e.trace, "EVIL"));
	assert_null(strstr(s.e.trace, "WORSE"));
	assert_int_equal(s.e.errors, 1);
	assert_int_equal(s.e.error, EPROTO);
	assert_int_equal(s.e.reason, EPROTO);
	/* what came with the command is refused at once; what follows alone is no handshake */
	assert_int_equal(s.result, cut == 9 ? 0 : -EPROTO);
	close(fd);
	ac_tls_free(s.tls);
}

static void injected_to_a_server(void **state)
{
	for (size_t cut = 1; cut <= 20; cut++)
		injected(*state, true, cut);
}

static void injected_to_a_client(void **state)
{
	for (size_t cut = 1; cut <= 20; cut++)
		injected(*state, false, cut);
}

/* An application that goes on after its error has not got them either: the channel closes. */
static int go_on(struct rec *r)
{
	(void)r;
	return 0;
}

static void injected_and_forgiven(void **state)
{
	struct world *w = *state;
	struct starts s;
	int fd;

	begin(w, &s, &fd, true);
	s.e.r->on_error = go_on;
	put(fd, "STARTTLS\nEVIL\n");
	UNTIL(w, s.e.closes);
	assert_int_equal(s.runs, 0);
	assert_null(strstr(s.e.trace, "EVIL"));
	close(fd);
	ac_tls_free(s.tls);
}

/* Part of a record has come when somebody else starts TLS. */
static void unfinished_record_is_refused(void **state)
{
	struct world *w = *state;
	struct starts s;
	int fd;

	begin(w, &s, &fd, true);
	put(fd, "EVI");
	UNTIL(w, strstr(s.e.trace, "C(EVI)"));
	assert_int_equal(ac_start_tls(&s.e.c->d, s.tls, NULL), -EPROTO);
	UNTIL(w, s.e.closes);
	assert_int_equal(s.e.reason, EPROTO);
	close(fd);
	ac_tls_free(s.tls);
}

static void held_by_a_pause_is_refused(void **state)
{
	struct world *w = *state;
	struct starts s;
	int fd;

	begin(w, &s, &fd, true);
	ac_pause(&s.e.c->d);
	s.result = 0;
	put(fd, "EVIL\n");
	passes(w, 5);
	ac_resume(&s.e.c->d);
	ac_pause(&s.e.c->d);
	passes(w, 5);
	(void)ac_start_tls(&s.e.c->d, s.tls, NULL);
	ac_resume(&s.e.c->d);
	UNTIL(w, s.e.closes); /* in its buffer: refused; in the kernel's: no ClientHello */
	assert_int_equal(s.e.reason, EPROTO);
	assert_int_equal(s.runs, 0);
	close(fd);
	ac_tls_free(s.tls);
}

/* Bytes and the end before any handshake: nothing of it comes through. */
static void bytes_and_end_before_the_handshake(void **state)
{
	struct world *w = *state;
	struct starts s;
	char text[101];
	int fd;

	begin(w, &s, &fd, true);
	assert_int_equal(ac_start_tls(&s.e.c->d, s.tls, NULL), 0);
	memset(text, 'a', 100);
	text[100] = '\0';
	text[49] = '\n';
	put(fd, text);
	shutdown(fd, SHUT_WR);
	UNTIL(w, s.e.closes);
	assert_int_equal(s.runs, 0);
	assert_null(strchr(s.e.trace, 'C'));
	assert_int_equal(s.e.reason, EPROTO);
	close(fd);
	ac_tls_free(s.tls);
}

/* What cannot go in clear now must not go later, encrypted or not: the caller is told. */
static void queued_output_that_does_not_go(void **state)
{
	struct world *w = *state;
	size_t size = 1 << 23;
	char *much = calloc(1, size);
	struct starts s;
	int fd;

	begin(w, &s, &fd, true);
	assert_int_equal(ac_push(s.e.c, much, size), 0);
	assert_int_equal(ac_start_tls(&s.e.c->d, s.tls, NULL), -EBUSY);
	assert_non_null(strstr(ac_last_error(w->map)->detail, "queued"));
	passes(w, 3);
	assert_true(ac_connected(&s.e.c->d));
	assert_null(ac_tls_ssl(&s.e.c->d));
	ac_discard_output(s.e.c);
	put(fd, "one\n"); /* it still reads, as before */
	s.result = 0;
	UNTIL(w, s.runs == 1);
	free(much);
	close(fd);
	ac_tls_free(s.tls);
}

static void who_cannot(void **state)
{
	struct world *w = *state;
	struct ac_dispatcher *listener = ac_new(w->map, AC_DISPATCHER);
	struct ac_dispatcher *udp = ac_new(w->map, AC_DISPATCHER), *file;
	struct ac_tls *server = tls_server(cert_file(A_TEST, CERT_GOOD)), *client = tls_client();
	struct ac_tls *bare = tls_with((struct ac_tls_opts){ .server = true }, NULL);
	struct end e;
	int fds[2], pipes[2];
	char name[300];

	assert_int_equal(ac_serve(listener, "127.0.0.1:0"), 0);
	assert_int_equal(ac_start_tls(listener, server, NULL), -EINVAL);
	assert_int_equal(ac_create_socket(udp, AF_INET, SOCK_DGRAM), 0);
	assert_int_equal(ac_start_tls(udp, server, NULL), -EINVAL);
	assert_int_equal(pipe(pipes), 0);
	file = ac_file_dispatcher(w->map, AC_DISPATCHER, pipes[0]);
	assert_int_equal(ac_start_tls(file, server, NULL), -EINVAL);
	tcp_pair(fds);
	end_adopt(w, &e, fds[0]);
	assert_int_equal(ac_start_tls(&e.c->d, NULL, NULL), -EINVAL);
	assert_int_equal(ac_start_tls(&e.c->d, bare, NULL), -EINVAL);
	assert_int_equal(ac_start_tls(&e.c->d, client, NULL), -EINVAL);
	assert_int_equal(ac_start_tls(&e.c->d, client, ""), -EINVAL);
	assert_int_equal(ac_start_tls(&e.c->d, client, "."), -EINVAL); /* the root is nobody */
	assert_int_equal(ac_start_tls(&e.c->d, client, ".peer.test"), -EINVAL);
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(ac_start_tls(&e.c->d, client, name), -EINVAL);
	assert_int_equal(ac_start_tls(&e.c->d, client, "a.test"), 0);
	assert_int_equal(ac_start_tls(&e.c->d, client, "a.test"), -EALREADY);
	ac_close(&e.r->c.d);
	close(fds[1]);
	close(pipes[0]);
	close(pipes[1]);
	ac_tls_free(server);
	ac_tls_free(client);
	ac_tls_free(bare);
	ac_tls_free(NULL);
}

static int close_and_start(struct end *e)
{
	struct starts *s = (struct starts *)e;
	struct ac_dispatcher *d = &e->c->d;

	ac_close(d);
	s->result = ac_start_tls(d, s->tls, NULL);
	return 0;
}

static void closed_is_nothing(void **state)
{
	struct world *w = *state;
	struct starts s;
	int fd;

	begin(w, &s, &fd, true);
	s.e.on_found = close_and_start;
	put(fd, "x\n");
	UNTIL(w, s.e.closes);
	assert_int_equal(s.result, 0);
	close(fd);
	ac_tls_free(s.tls);
}

/* Allocations fail one after the other: each time an error and no harm. */
static void without_memory(void **state)
{
	struct world *w = *state;
	struct ac_tls *tls = tls_server(cert_file(A_TEST, CERT_GOOD));
	bool failed = true;

	for (long n = 1; failed; n++) {
		struct end e;
		int fds[2], r;

		tcp_pair(fds);
		end_adopt(w, &e, fds[0]);
		fail_allocation(n, false);
		r = ac_start_tls(&e.c->d, tls, NULL);
		failed = allocation_failed();
		fail_allocation(0, false);
		assert_int_equal(r, failed ? -ENOMEM : 0);
		ac_close(&e.c->d);
		close(fds[1]);
		assert_true(n < 20);
	}
	ac_tls_free(tls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(server_starts_when_asked),
		EACH(client_starts_when_told),
		EACH(starts_from_outside),
		EACH(injected_to_a_server),
		EACH(injected_to_a_client),
		EACH(injected_and_forgiven),
		EACH(unfinished_record_is_refused),
		EACH(held_by_a_pause_is_refused),
		EACH(bytes_and_end_before_the_handshake),
		EACH(queued_output_that_does_not_go),
		EACH(who_cannot),
		EACH(closed_is_nothing),
		EACH(without_memory),
	};

	return RUN(tests);
}
