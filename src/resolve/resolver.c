/* resolver.c — a resolver on a map: its settings, and its end. */
#include "resolver.h"

#include <errno.h>

#define DEADLINE 30.0
#define ATTEMPT_DELAY 0.25
#define MAX_QUERIES 256

void ac_in_(struct ac_task *t, struct ac_map *m, int64_t ns, ac_task_fn *fn, void *arg)
{
	int64_t now = ac_map_time_(m);

	/* no time at all means the next time tasks run, not the next tick */
	ac_task_start_inner_(t, m, ns ? now + ns : now - now % 1000000, fn, arg);
}

static void resolver_free(struct ac_dialer *dialer)
{
	struct ac_resolver *r = (struct ac_resolver *)dialer;

	ac_backend_free_(r->backend);
	ac_fixed_free_(r);
	ac_free_(r->hosts_file);
	ac_free_(r);
}

/* Dials end with their channels. */
static void resolver_halt(struct ac_dialer *dialer, bool on)
{
	struct ac_resolver *r = (struct ac_resolver *)dialer;

	if (on)
		r->halted++;
	else
		r->halted--;
	if (on)
		ac_queries_halt_(r);
}

struct ac_resolver *ac_resolver_of_(struct ac_map *m)
{
	return (struct ac_resolver *)m->dialer;
}

static const char *find_fault(const struct ac_resolver_opts *o)
{
	if (!ac_is_time_(o->timeout) || !ac_is_time_(o->deadline) || !ac_is_time_(o->attempt_delay))
		return "a time is negative";
	if (o->tries < 0 || o->tries > 100 || o->ndots < 0 || o->ndots > 15)
		return "tries are 0 to 100, ndots 0 to 15";
	return NULL;
}

static int resolver_init(struct ac_resolver *r, const struct ac_resolver_opts *o,
                         const char **ret_why)
{
	int code = 0;

	*ret_why = find_fault(o);
	if (*ret_why)
		return -EINVAL;
	r->dialer = (struct ac_dialer){ ac_dial_name_, resolver_halt, resolver_free };
	r->deadline = ac_ns_(o->deadline > 0 ? o->deadline : DEADLINE);
	r->attempt_delay = ac_ns_(o->attempt_delay > 0 ? o->attempt_delay : ATTEMPT_DELAY);
	r->most = o->max_queries ? o->max_queries : MAX_QUERIES;
	r->hosts_file = ac_copy_(o->hosts_file ? o->hosts_file : "/etc/hosts");
	if (!r->hosts_file)
		return -ENOMEM;
	for (size_t i = 0; code == 0 && o->addresses && o->addresses[i]; i++)
		code = ac_fixed_add_(r, o->addresses[i], ret_why);
	return code < 0 ? code : ac_backend_new_(r, o, ret_why);
}

static int refuse(struct ac_map *m, int code, const char *why)
{
	const struct ac_dispatcher about = { .map = m };

	return why ? ac_raisef(&about, code, "%s", why) : ac_raise(&about, code);
}

int ac_use_resolver(struct ac_map *map, const struct ac_resolver_opts *opts)
{
	static const struct ac_resolver_opts defaults;
	struct ac_map *m = ac_map_of_(map);
	const char *why = NULL;
	struct ac_resolver *r;
	int code;

	if (!m)
		return -ENOMEM;
	if (m->doomed)
		return refuse(m, ECANCELED, NULL);
	if (m->dialer && (ac_resolver_of_(m)->running || ac_resolver_of_(m)->halted))
		return refuse(m, EBUSY, "a name is being looked up");
	r = ac_alloc_(sizeof(*r));
	if (!r)
		return refuse(m, ENOMEM, NULL);
	r->map = m;
	code = resolver_init(r, opts ? opts : &defaults, &why);
	if (code < 0) {
		resolver_free(&r->dialer);
		return refuse(m, -code, why);
	}
	if (m->dialer)
		m->dialer->free(m->dialer);
	m->dialer = &r->dialer;
	return 0;
}
