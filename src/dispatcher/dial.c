/*
 * dial.c — connecting to an address as text.
 *
 * Design: an address is connected to here. A name is left to the map's dialer, if it has one: until that has
 * found a connection the channel is connecting without a descriptor. Then it gets the winner's and hears of
 * it as of any other connect.
 */
#include "dispatcher.h"

#include <errno.h>
#include <string.h>

/* Whether it may be "name:port"; the dialer looks closer. */
static bool is_name(const char *address)
{
	return address && strncmp(address, "unix:", 5) != 0 && strchr(address, ':');
}

static int dial_name(struct ac_dispatcher *d, const char *address)
{
	struct ac_dialer *r = d->map->dialer;

	if (d->fd >= 0 || ac_is_dialing_(d))
		return ac_raise(d, EISCONN);
	if (r && is_name(address))
		return r->dial(r, d, address);
	return ac_raisef(d, EINVAL, "\"%.60s\" is no address%s", address ? address : "",
	                 is_name(address) ? ", and no resolver is set" : "");
}

int ac_dial(struct ac_dispatcher *d, const char *address)
{
	struct ac_addr addr;

	if (!d)
		return -ENOMEM;
	if (d->flags & AC_IS_CLOSING)
		return 0;
	if (ac_addr_parse(address, &addr) < 0) {
		AC_TRY(d, dial_name(d, address));
		return 0;
	}
	AC_TRY(d, ac_create_socket(d, addr.sa.sa_family, SOCK_STREAM));
	return ac_connect(d, &addr);
}

/* It counts as a channel of the map from here on, so that the loop goes on. */
int ac_begin_dialing_(struct ac_dispatcher *d, struct ac_dialing *g)
{
	if (!ac_extra_(d))
		return ac_raise(d, ENOMEM);
	d->extra->dialing = g;
	d->flags |= AC_IS_CONNECTING;
	d->map->live++;
	return 0;
}

static int release_fd(struct ac_dispatcher *d)
{
	int fd = d->fd;

	ac_unwatch_(d);
	d->fd = -1;
	ac_lose_fd_(d);
	return fd;
}

/* The descriptor of the one that has connected becomes its own; the event of a connect follows. If it cannot
 * be watched the dialing goes on. */
int ac_dial_won_(struct ac_dispatcher *d, struct ac_dispatcher *winner)
{
	struct ac_dialing *g = d->extra->dialing;
	struct ac_addr peer;
	bool known = ac_addr(winner, &peer) == 0;
	int r;

	ac_end_dialing_(d, false);
	d->fd = release_fd(winner);
	d->flags |= AC_IS_CONNECTING | AC_IS_STREAM;
	if (known)
		ac_set_peer_(d, &peer);
	ac_moved_(d);
	r = ac_watch_(d);
	if (r < 0 && !(d->flags & AC_IS_CLOSING)) {
		ac_lose_fd_(d);
		ac_begin_dialing_(d, g);
		return r;
	}
	ac_update_(d);
	return 0;
}

/* As a connect that fails later: handle_error, then closed. False: not now, a handler of it runs. */
bool ac_dial_lost_(struct ac_dispatcher *d, int code, const char *detail)
{
	if (!ac_enter_(d))
		return false;
	ac_end_dialing_(d, false);
	ac_doom_(d, code, false);
	ac_failed_(d, ac_raisef(d, code, "%s", detail), "ac_dial");
	ac_leave_(d);
	return true;
}
