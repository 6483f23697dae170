/* dispatcher.h — what the rooms above need of a channel beyond its public verbs. */
#ifndef AC_DISPATCHER_H
#define AC_DISPATCHER_H

#include "../map/map.h"

/* open.c */
/* The error is pending and in errno; NULL. */
struct ac_dispatcher *ac_no_channel_(struct ac_map *m, int code, const char *function);
int ac_take_fd_(struct ac_dispatcher *d, int fd,
                const struct ac_addr *peer); /* closes fd on failure */
int ac_watch_open_(struct ac_dispatcher *d); /* watches it if there is anything to hear */
void ac_lose_fd_(struct ac_dispatcher *d);   /* as if it had never been opened */

/* Its name is being looked up, or an address of it tried. */
static inline bool ac_is_dialing_(const struct ac_dispatcher *d)
{
	return d->fd < 0 && (d->flags & AC_IS_CONNECTING) && !(d->flags & AC_IS_CLOSING);
}

/* dial.c: for the map's dialer */
AC_API int ac_begin_dialing_(struct ac_dispatcher *d, struct ac_dialing *g);
AC_API int ac_dial_won_(struct ac_dispatcher *d, struct ac_dispatcher *winner);
AC_API bool ac_dial_lost_(struct ac_dispatcher *d, int code, const char *detail);

/* serve.c */
int ac_parse_(struct ac_dispatcher *d, const char *address, struct ac_addr *ret_addr);
/* Also where a Unix socket of that type was left behind. */
int ac_bind_anew_(struct ac_dispatcher *d, const struct ac_addr *addr, int type);

/* accept.c */
void ac_rest_(struct ac_dispatcher *d);         /* a listener accepts nothing for 100 ms */
int ac_handle_accept_(struct ac_dispatcher *d); /* the default handle_accept … */
int ac_handle_accepted_(struct ac_dispatcher *d, int fd, const struct ac_addr *peer);
int ac_handle_rejected_(struct ac_dispatcher *d, int fd, const struct ac_addr *peer,
                        enum ac_limit why);

/* io.c: results of the transport made into those of the verbs */
ssize_t ac_received_(struct ac_dispatcher *d, ssize_t n); /* end of input and loss are handled */
AC_API void ac_unsent_(struct ac_dispatcher *d, int r);   /* a send failed: dooms, calls nobody */
int ac_close_reason_when_sent_(const struct ac_dispatcher *d);

/* sender.c */
void ac_sender_flush_(struct ac_sender *s); /* failures doom the channel */

/* linger.c: for a transport's finish. Its last bytes, sent when the channel is gone */
AC_API void ac_linger_(struct ac_dispatcher *d, const void *data, size_t len);
void ac_linger_hurry_(struct ac_dispatcher *d); /* its map is under stress; others do not mind */

/* events.c: what AC_DISPATCHER does, for the other classes of the library */
bool ac_base_readable_(struct ac_dispatcher *d);
bool ac_base_writable_(struct ac_dispatcher *d);
int ac_base_nothing_(struct ac_dispatcher *d);
int ac_base_handle_read_(struct ac_dispatcher *d);
int ac_base_handle_write_(struct ac_dispatcher *d);
int ac_base_handle_expt_(struct ac_dispatcher *d);
int ac_base_handle_eof_(struct ac_dispatcher *d);
int ac_base_handle_timeout_(struct ac_dispatcher *d);
int ac_base_handle_error_(struct ac_dispatcher *d, const struct ac_error *e);
int ac_base_handle_read_event_(struct ac_dispatcher *d);
int ac_base_handle_write_event_(struct ac_dispatcher *d);
int ac_base_handle_expt_event_(struct ac_dispatcher *d);
int ac_base_handle_connect_event_(struct ac_dispatcher *d);
void ac_base_finalize_(struct ac_dispatcher *d);

/* The rows that the library's classes above AC_DISPATCHER share with it; some have their own end. */
#define AC_BASE_METHODS AC_BASE_METHODS_BUT_CLOSE, .handle_close = ac_base_nothing_
#define AC_BASE_METHODS_BUT_CLOSE                                                                  \
	.in_buffer_size = 65536, .out_buffer_size = 16384, .handle_expt = ac_base_handle_expt_,    \
	.handle_connect = ac_base_nothing_, .handle_accept = ac_handle_accept_,                    \
	.handle_accepted = ac_handle_accepted_, .handle_rejected = ac_handle_rejected_,            \
	.handle_timeout = ac_base_handle_timeout_, .handle_error = ac_base_handle_error_,          \
	.handle_read_event = ac_base_handle_read_event_,                                           \
	.handle_write_event = ac_base_handle_write_event_,                                         \
	.handle_expt_event = ac_base_handle_expt_event_,                                           \
	.handle_connect_event = ac_base_handle_connect_event_, .log = ac_log_default_,             \
	.finalize = ac_base_finalize_

/* meter.c: the transport below a channel's rates */
AC_API const struct ac_transport *ac_bare_transport_(const struct ac_dispatcher *d);
AC_API void ac_set_transport_(struct ac_dispatcher *d, const struct ac_transport *transport);

/* deadline.c */
enum ac_counter ac_counter_of_(enum ac_timeout what);
void ac_look_later_(struct ac_dispatcher *d);    /* extra is there */
void ac_record_begins_(struct ac_dispatcher *d); /* its first bytes are here */
void ac_output_waits_(struct ac_dispatcher *d);  /* the kernel takes no more for now */
/* Nothing is unfinished, nothing waits. */
static inline void ac_record_ends_(struct ac_dispatcher *d)
{
	if (d->extra)
		d->extra->record = 0;
}
static inline void ac_output_goes_(struct ac_dispatcher *d)
{
	if (d->extra)
		d->extra->waits = 0;
}

/* stress.c */
void ac_weigh_stress_(struct ac_dispatcher *listener);

/* state.c, limit.c */
void ac_refuse_output_(struct ac_dispatcher *d, size_t queued, size_t more); /* counts and says */
void ac_set_peer_(struct ac_dispatcher *d, const struct ac_addr *addr);
AC_API struct ac_extra *ac_extra_(struct ac_dispatcher *d); /* made at first use; NULL: no memory */

#endif
