/*
 * run_child.c — a connection of `asyncore run` and its child.
 *
 *	peer ─▶ conn (chat) ─push▶ child's stdin
 *	peer ◀─push─ conn ◀──────── child's stdout          stderr ─▶ our stderr, a line at a time
 *
 * Design: each side is paused while the other has much to take. An end of one direction is passed on, and the
 * other direction goes on. A child whose connection is gone is told to go, and killed after five seconds; a
 * connection whose child is gone closes when all is sent. Each may outlive the other: the one that goes last frees
 * their place.
 */
#include "run.h"

#include <asyncore/process.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define GRACE_SECONDS 5

struct child;

struct conn {
	struct ac_chat c;
	struct child *child; /* NULL: gone */
	struct run *run;     /* NULL: it has no place */
	bool last;           /* no more output will come */
	bool ended;          /* nor input */
};

struct child {
	struct ac_process p;
	struct conn *conn; /* NULL: gone */
	struct run *run;
	struct child *next, **link; /* of all */
	char peer[AC_ADDR_TEXT];
};

static void leave_place(struct run *r)
{
	r->places--;
	if (r->listener)
		ac_resume(r->listener);
	else if (r->places == 0)
		run_over(r);
}

static int hold_if_full(struct ac_chat *from, const struct ac_chat *to)
{
	if (from && ac_pending(to) >= ac_limit(&to->d, AC_HIGH_WATER))
		ac_pause(&from->d);
	return 0;
}

/* ---- the connection ---- */
static int conn_collect(struct ac_chat *c, const void *data, size_t len)
{
	struct child *k = ((struct conn *)c)->child;

	if (!k || !k->p.in)
		return 0;
	AC_TRY(c, ac_push(k->p.in, data, len));
	return hold_if_full(c, k->p.in);
}

static int conn_eof(struct ac_dispatcher *d)
{
	struct child *k = ((struct conn *)d)->child;

	((struct conn *)d)->ended = true;
	if (!k)
		return AC_CHAT->handle_eof(d);
	return k->p.in ? ac_close_when_done(k->p.in) : 0;
}

static int conn_drained(struct ac_chat *c)
{
	struct conn *conn = (struct conn *)c;

	if (conn->child && conn->child->p.out)
		ac_resume(&conn->child->p.out->d);
	if (conn->last && ac_pending(c) == 0)
		return ac_shutdown(&c->d, SHUT_WR);
	return 0;
}

/* Where both directions had ended all was said: the child has what is left of its input, and its time. */
static int conn_closed(struct ac_dispatcher *d)
{
	struct conn *conn = (struct conn *)d;
	struct child *k = conn->child;

	conn->child = NULL;
	if (!k && conn->run)
		leave_place(conn->run);
	if (!k)
		return 0;
	k->conn = NULL;
	if (conn->ended && conn->last)
		return 0;
	if (k->p.in)
		ac_close(&k->p.in->d);
	if (k->p.out)
		ac_close(&k->p.out->d);
	if (!k->p.exited)
		ac_terminate(&k->p, GRACE_SECONDS);
	return 0;
}

static const struct ac_chat_class conn_class = {
	.d = {
		.super = AC_CHAT,
		.name = "connection",
		.size = sizeof(struct conn),
		.handle_eof = conn_eof,
		.handle_close = conn_closed,
	},
	.collect_incoming_data = conn_collect,
	.handle_drain = conn_drained,
};

/* ---- the child ---- */
static int child_said(struct ac_process *p, struct ac_slice data)
{
	struct conn *conn = ((struct child *)p)->conn;

	if (!conn)
		return 0;
	AC_TRY(p, ac_push(&conn->c, data.data, data.len));
	return hold_if_full(p->out, &conn->c);
}

/* Nothing in a line can pretend to be another. */
static int child_complained(struct ac_process *p, struct ac_slice line)
{
	const unsigned char *at = line.data;

	fprintf(stderr, "%s: ", ((struct child *)p)->peer);
	for (size_t i = 0; i < line.len; i++)
		fputc(at[i] < ' ' || at[i] == 127 ? '?' : at[i], stderr);
	fputc('\n', stderr);
	return 0;
}

static int child_drained(struct ac_process *p)
{
	struct conn *conn = ((struct child *)p)->conn;

	if (conn)
		ac_resume(&conn->c.d);
	return 0;
}

static int child_end(struct ac_process *p, int end)
{
	struct conn *conn = ((struct child *)p)->conn;

	if (end == 0 && conn)
		ac_resume(&conn->c.d); /* what comes now is read and dropped */
	if (end != 1 || !conn || ac_closing(&conn->c.d))
		return 0;
	conn->last = true;
	return ac_pending(&conn->c) ? 0 : ac_shutdown(&conn->c.d, SHUT_WR);
}

static int child_exit(struct ac_process *p, const struct ac_exit *how)
{
	struct child *k = (struct child *)p;

	if (!k->run->quiet) {
		printf("%s pid %ld %s %d\n", k->peer, (long)p->pid,
		       how->signal ? "ended by signal" : "exited with",
		       how->signal ? how->signal : how->status);
		fflush(stdout);
	}
	return 0;
}

/* A line of stderr that is too long was dropped; whatever else goes wrong ends the conversation. */
static int child_failed(struct ac_dispatcher *d, const struct ac_error *e)
{
	fprintf(stderr, "%s: %s%s%s\n", ((struct child *)d)->peer, strerror(e->code),
	        e->detail[0] ? ": " : "", e->detail);
	if (e->code != EMSGSIZE)
		ac_close(d);
	return 0;
}

static int child_closed(struct ac_dispatcher *d)
{
	struct child *k = (struct child *)d;
	struct run *r = k->run;

	*k->link = k->next;
	if (k->next)
		k->next->link = k->link;
	if (k->conn) {
		k->conn->child = NULL;
		ac_close_when_done(&k->conn->c);
	} else {
		leave_place(r);
	}
	return AC_PROCESS->handle_close(d);
}

static const struct ac_process_class child_class = {
	.d = {
		.super = AC_PROCESS,
		.name = "child",
		.size = sizeof(struct child),
		.handle_error = child_failed,
		.handle_close = child_closed,
	},
	.handle_stdout = child_said,
	.handle_stderr = child_complained,
	.handle_drain = child_drained,
	.handle_end = child_end,
	.handle_exit = child_exit,
};

static struct child *start(struct conn *conn, struct run *r, const struct ac_addr *peer)
{
	struct ac_addr local = { .len = 0 };
	struct ac_spawn_opts o = { .argv = r->argv, .new_group = true };
	const char **env;
	struct child *k;

	ac_local_addr(&conn->c.d, &local);
	o.env = env = run_environment(peer, &local);
	k = env ? (struct child *)ac_spawn(r->map, &child_class, &o) : NULL;
	free(env);
	return k;
}

static void enlist(struct child *k, struct run *r)
{
	k->next = r->first;
	k->link = &r->first;
	if (k->next)
		k->next->link = &k->next;
	r->first = k;
}

static int accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct run *r = ((struct run_listener *)d)->run;
	struct conn *conn = (struct conn *)ac_chat_adopt(d->map, &conn_class, fd, peer);
	struct child *k = conn ? start(conn, r, peer) : NULL;

	if (!k) {
		fprintf(stderr, "asyncore run: %s: %s\n", r->argv[0], strerror(errno));
		ac_close(conn ? &conn->c.d : NULL);
		return 0;
	}
	k->conn = conn;
	k->run = r;
	ac_addr_format(peer, k->peer, sizeof(k->peer));
	conn->child = k;
	conn->run = r;
	enlist(k, r);
	if (++r->places >= r->max_connections)
		ac_pause(d);
	return ac_set_terminator_none(k->p.out);
}

const struct ac_class run_listener_class = {
	.super = AC_DISPATCHER,
	.name = "run-listener",
	.size = sizeof(struct run_listener),
	.handle_accepted = accepted,
};

/* Also those that have ended: others of their groups may go on. */
void run_end_all(struct run *r)
{
	for (struct child *k = r->first; k; k = k->next)
		ac_terminate(&k->p, GRACE_SECONDS);
}

void run_kill_all(struct run *r)
{
	for (struct child *k = r->first; k; k = k->next)
		ac_kill(&k->p, SIGKILL);
}
