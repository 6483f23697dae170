/*
 * proxy_relay.c — the connections of `asyncore proxy`: one to each side, and the line that is left of both.
 *
 * Design: the target is dialled when a client was accepted; what the client says meanwhile waits in the
 * kernel. The first side to close knows why; when both have, the line is written:
 *
 *	CLIENT BYTES-UP BYTES-DOWN SECONDS WHY
 *
 * Limits: at max_connections the listener rests; clients wait in its queue.
 */
#include "proxy.h"

#include "names.h"
#include "program.h"
#include "tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct passage {
	struct proxy *proxy;
	char client[AC_ADDR_TEXT], why[256];
	double began;
	uint64_t up, down;
	int open; /* sides */
};

struct side {
	struct ac_relay r;
	struct passage *passage;
	bool is_target;
};

static const char *name_of(const struct side *s)
{
	return s->is_target ? "target" : "client";
}

static void say_why(struct side *s, const char *format, ...) AC_PRINTF(2, 3);

static void say_why(struct side *s, const char *format, ...)
{
	struct passage *p = s->passage;
	va_list args;

	if (p->why[0])
		return;
	va_start(args, format);
	vsnprintf(p->why, sizeof(p->why), format, args);
	va_end(args);
}

static void passage_over(struct passage *p)
{
	struct proxy *proxy = p->proxy;

	if (!proxy->quiet) {
		printf("%s %llu %llu %.3f %s\n", p->client, (unsigned long long)p->up,
		       (unsigned long long)p->down, ac_now(proxy->map) - p->began, p->why);
		fflush(stdout);
	}
	free(p);
	proxy->connections--;
	if (proxy->listener)
		ac_resume(proxy->listener);
	if (proxy->stopping && proxy->connections == 0)
		program_leave(proxy->map, 0);
}

static int side_closed(struct ac_dispatcher *d)
{
	struct side *s = (struct side *)d;
	struct passage *p = s->passage;
	int reason = ac_close_reason(d);

	if (reason > 0)
		say_why(s, "%s: %s", name_of(s), strerror(reason));
	else
		say_why(s, "%s", reason == AC_PEER ? "closed" : "stopped");
	if (s->is_target)
		p->up = s->r.sent;
	else
		p->down = s->r.sent;
	if (--p->open == 0)
		passage_over(p);
	return AC_RELAY->handle_close(d);
}

static int side_failed(struct ac_dispatcher *d, const struct ac_error *e)
{
	struct side *s = (struct side *)d;

	const char *told = names_tell(e, s->passage->proxy->target);

	say_why(s, "%s: %s", name_of(s), told ? told : tls_why(e));
	return AC_RELAY->handle_error(d, e);
}

static int side_timeout(struct ac_dispatcher *d)
{
	struct side *s = (struct side *)d;
	const struct proxy *proxy = s->passage->proxy;

	if (s->is_target && !ac_connected(d))
		say_why(s, "target: no connection within %g s", proxy->connect_timeout);
	else
		say_why(s, "idle for %g s", proxy->idle_timeout);
	return AC_RELAY->handle_timeout(d);
}

static int target_connected(struct ac_dispatcher *d)
{
	return ac_set_timeout(d, ((struct side *)d)->passage->proxy->idle_timeout);
}

/* The passage's line tells. */
static void say_nothing(struct ac_dispatcher *d, enum ac_log_level level, const char *text)
{
	(void)d;
	(void)level;
	(void)text;
}

static const struct ac_class side_class = {
	.super = AC_RELAY,
	.name = "proxy",
	.size = sizeof(struct side),
	.handle_connect = target_connected,
	.handle_timeout = side_timeout,
	.handle_error = side_failed,
	.handle_close = side_closed,
	.log = say_nothing,
};

static struct passage *passage_new(struct proxy *proxy, const struct ac_addr *client)
{
	struct passage *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->proxy = proxy;
	p->began = ac_now(proxy->map);
	ac_addr_format(client, p->client, sizeof(p->client));
	return p;
}

static struct side *enter(struct ac_dispatcher *d, struct passage *p, bool is_target)
{
	struct side *s = (struct side *)d;

	if (!s)
		return NULL;
	s->passage = p;
	s->is_target = is_target;
	p->open++;
	return s;
}

static int dial(struct side *client, struct side *target)
{
	const struct proxy *proxy = client->passage->proxy;
	int r;

	AC_TRY(client, ac_relay_join(&client->r, &target->r));
	AC_TRY(client, ac_set_timeout(&client->r.d, proxy->idle_timeout));
	AC_TRY(client, ac_set_timeout(&target->r.d, proxy->connect_timeout));
	r = tls_start(&target->r.d, proxy->dials, proxy->server_name);
	if (r == 0)
		r = ac_dial(&target->r.d, proxy->target);
	if (r < 0)
		say_why(target, "target: %s", strerror(-r));
	return r == 0 ? tls_start(&client->r.d, proxy->accepts, NULL) : r;
}

static int accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	struct proxy *proxy = ((struct proxy_listener *)d)->proxy;
	struct passage *p = passage_new(proxy, peer);
	struct ac_dispatcher *c = p ? ac_adopt(d->map, &side_class, fd, peer) : NULL;
	struct side *client, *target;

	if (!c) {
		free(p);
		return ac_raise(d, ENOMEM);
	}
	if (++proxy->connections >= proxy->max_connections)
		ac_pause(d);
	client = enter(c, p, false);
	target = enter(ac_new(d->map, &side_class), p, true);
	return target ? dial(client, target) : ac_raise(d, ENOMEM);
}

const struct ac_class proxy_listener_class = {
	.super = AC_DISPATCHER,
	.name = "proxy-listener",
	.size = sizeof(struct proxy_listener),
	.handle_accepted = accepted,
};

static int break_off(struct ac_dispatcher *d, void *arg)
{
	const struct linger at_once = { 1, 0 };

	(void)arg;
	if (d->cls->handle_close == side_closed)
		setsockopt(d->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	return 0;
}

void proxy_break_off(struct proxy *p)
{
	ac_map_each(p->map, break_off, NULL);
}
