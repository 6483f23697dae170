/* resolving.c — see resolving.h. */
#include "resolving.h"

#include <arpa/inet.h>

int note_outcome(void *arg, int result, const struct ac_addr *addrs, size_t count)
{
	struct outcome *o = arg;
	size_t at = 0;

	o->calls++;
	o->result = result;
	o->count = count;
	o->text[0] = '\0';
	for (size_t i = 0; i < count && at + 2 * AC_ADDR_TEXT < sizeof(o->text); i++) {
		if (i)
			o->text[at++] = ' ';
		ac_addr_format(&addrs[i], o->text + at, AC_ADDR_TEXT);
		at += strlen(o->text + at);
	}
	return o->on_end ? o->on_end(o) : 0;
}

void ask(struct world *w, const char *address, struct outcome *ret_o)
{
	memset(ret_o, 0, sizeof(*ret_o));
	ret_o->w = w;
	assert_non_null(ac_resolve(w->map, address, note_outcome, ret_o));
	assert_int_equal(ret_o->calls, 0);
	assert_int_equal(ac_loop(w->map, NULL),
	                 0); /* it keeps the loop going, and nothing else does */
	assert_int_equal(ret_o->calls, 1);
}

void use_resolver(struct world *w, const struct ac_resolver_opts *o)
{
	int r = ac_use_resolver(w->map, o);

	if (r < 0)
		ac_explain(w->map, "ac_use_resolver");
	assert_int_equal(r, 0);
}

void use_server(struct world *w, const struct dns_server *s)
{
	struct ac_resolver_opts o = { .servers = dns_address(s),
		                      .search = "",
		                      .hosts_file = "",
		                      .timeout = 0.2,
		                      .tries = 2 };

	use_resolver(w, &o);
}

void use_addresses(struct world *w, const char *name, int port, const char *addrs)
{
	char one[256];
	const char *const all[] = { one, NULL };
	struct ac_resolver_opts o = { .addresses = all, .hosts_file = "" };

	snprintf(one, sizeof(one), "%s:%d:%s", name, port, addrs);
	use_resolver(w, &o);
}

static struct ac_addr address(const char *host, int port)
{
	char text[64];
	struct ac_addr addr;

	snprintf(text, sizeof(text), strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, port);
	assert_int_equal(ac_addr_parse(text, &addr), 0);
	return addr;
}

int listen_at(const char *host, int *port)
{
	struct ac_addr addr = address(host, *port);
	int fd = socket(addr.sa.sa_family, SOCK_STREAM, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, &addr.sa, addr.len) < 0 || listen(fd, 0) < 0) {
		close(fd);
		return -1;
	}
	assert_int_equal(getsockname(fd, &addr.sa, &addr.len), 0);
	*port = ntohs(addr.in.sin_port);
	return fd;
}

int listen_at_all(const char *const *hosts, int count, int *fds)
{
	for (int round = 0; round < 50; round++) {
		int port = 0, n = 0;

		while (n < count && (fds[n] = listen_at(hosts[n], &port)) >= 0)
			n++;
		if (n == count)
			return port;
		while (n > 0)
			close(fds[--n]);
	}
	fail_msg("no port is free on all addresses");
	return 0;
}

void fill(const char *host, int port, int fds[FILLERS])
{
	struct ac_addr addr = address(host, port);

	for (int i = 0; i < FILLERS; i++) {
		fds[i] = socket(addr.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fds[i], &addr.sa, addr.len);
	}
}

int last_reason;

static int note_reason(struct rec *r)
{
	last_reason = r->reason;
	return 0;
}

const char *trace_of_end(struct rec *r)
{
	struct ac_map *map = r->c.d.map;
	const char *trace = r->trace;

	for (double until = ac_now(map) + 2; !strchr(trace, 'X') && ac_now(map) < until;)
		ac_poll(map, 0.01);
	return trace;
}

struct rec *dial(struct world *w, const char *name, int port)
{
	struct rec *r = (struct rec *)ac_chat_new(w->map, &rec_class);
	char text[300];

	assert_non_null(r);
	r->trace = new_trace(w);
	r->on_close = note_reason;
	snprintf(text, sizeof(text), "%s:%d", name, port);
	assert_int_equal(ac_dial(&r->c.d, text), 0);
	assert_true(ac_connecting(&r->c.d));
	assert_int_equal(r->c.d.fd, -1);
	return r;
}
