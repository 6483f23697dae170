/* producer.h — what the producers share. */
#ifndef AC_PRODUCER_H
#define AC_PRODUCER_H

#include <asynchat.h>

#include "../base/base.h"

#define AC_PIECE_SIZE 16384

/* Zeroed, of `size` bytes, with its class. If memory is short, `inner` (which may be NULL) is freed. */
void *ac_producer_new_(size_t size, const struct ac_producer_class *cls, struct ac_producer *inner);

/* Asks a producer; an empty slice when it has nothing more. */
int ac_producer_more_(struct ac_producer *p, struct ac_slice *ret_slice);

#endif
