/* names.h — host names for the subcommands. */
#ifndef NAMES_H
#define NAMES_H

#include <asyncore.h>

/* From now on ac_dial on this map takes names. `addresses` ("HOST:PORT:ADDRESS" …, then NULL; or NULL)
 * go before what the resolver says. A failure is said; the status. */
int names_use(struct ac_map *map, const char *name, const char *const *addresses);

/* HOST:PORT as far as can be told before it is dialed: an address, or what may be a name. */
bool names_may_be(const char *address);

/* What a dial of `address` came to, if the error tells it: each attempt, without the address. NULL: it is
 * another error. */
const char *names_tell(const struct ac_error *e, const char *address);

#endif
