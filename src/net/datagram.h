/* datagram.h — what receiving and sending of datagrams share. */
#ifndef AC_DATAGRAM_H
#define AC_DATAGRAM_H

#include <asyncore/datagram.h>

#include "../dispatcher/dispatcher.h"

static inline const struct ac_datagram_class *ac_datagram_cls_(const struct ac_datagram *g)
{
	return (const struct ac_datagram_class *)(const void *)g->d.cls;
}

/* datagram_out.c */
bool ac_datagram_writable_(struct ac_dispatcher *d);
int ac_datagram_write_(struct ac_dispatcher *d);
int ac_datagram_settle_(struct ac_dispatcher *d);
int ac_datagram_close_(struct ac_dispatcher *d);

/* Errors that ICMP brings: about a datagram sent earlier. */
bool ac_is_news_(int code);

#endif
