/* pick.c — the table of pollers, best first, and what they share. */
#include "poller.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static const struct ac_poller_class *const pollers[] = {
#ifdef AC_WITH_URING
	&ac_poller_uring_,
#endif
	&ac_poller_epoll_,
	&ac_poller_poll_,
	&ac_poller_select_,
};

const char *ac_poller_names_(void)
{
#ifdef AC_WITH_URING
	return "io_uring, epoll, poll, select";
#else
	return "epoll, poll, select";
#endif
}

static const struct ac_poller_class *by_name(const char *name)
{
	for (size_t i = 0; i < sizeof(pollers) / sizeof(pollers[0]); i++)
		if (!name || strcmp(name, pollers[i]->name) == 0)
			return pollers[i];
	return NULL;
}

bool ac_has(const char *feature)
{
	static const char *const features[] = { "sendfile", "ipv6", "unix" };

	if (!feature)
		return false;
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (strcmp(feature, features[i]) == 0)
			return true;
	return by_name(feature) != NULL;
}

int ac_poller_make_(const struct ac_poller_class *cls, struct ac_poller **ret_poller)
{
	struct ac_poller *p = ac_alloc_(cls->size);
	int r;

	ac_count_forks_();
	if (!p)
		return -ENOMEM;
	p->cls = cls;
	p->forks = ac_forks_;
	r = cls->init(p);
	if (r < 0) {
		ac_free_(p->found);
		ac_free_(p);
		return r;
	}
	*ret_poller = p;
	return 0;
}

/* What an old kernel, a sandbox or an administrator answer. */
static bool is_refusal(int r)
{
	return r == -ENOSYS || r == -EPERM || r == -EACCES || r == -EINVAL || r == -EOPNOTSUPP;
}

int ac_poller_new_(const char *name, struct ac_poller **ret_poller)
{
	const struct ac_poller_class *cls = by_name(name);
	int r, refused;

	if (!cls)
		return -EINVAL;
	r = ac_poller_make_(cls, ret_poller);
	if (!is_refusal(r))
		return r;
	refused = r;
	r = ac_poller_make_(&ac_poller_epoll_, ret_poller);
	if (r == 0)
		(*ret_poller)->refused = refused;
	return r;
}

void ac_poller_free_(struct ac_poller *p)
{
	if (!p)
		return;
	p->cls->fini(p);
	ac_free_(p->found);
	ac_free_(p);
}

int ac_poller_room_(struct ac_poller *p, size_t count)
{
	size_t cap = p->cap ? p->cap : 64;
	struct ac_found *found;

	if (count <= p->cap)
		return 0;
	while (cap < count)
		cap *= 2;
	found = ac_realloc_(p->found, cap * sizeof(*found));
	if (!found)
		return -ENOMEM;
	p->found = found;
	p->cap = cap;
	return 0;
}

int ac_poller_ms_(int64_t timeout_ns)
{
	int64_t ms = timeout_ns / 1000000 + (timeout_ns % 1000000 != 0);

	if (timeout_ns < 0)
		return -1;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}
