/* udp.h — `asyncore echo --udp` and `asyncore talk --udp`. */
#ifndef UDP_H
#define UDP_H

#include <asynchat.h>

/* Answers each datagram with itself; NULL after one clear line on stderr. */
struct ac_dispatcher *udp_echo(struct ac_map *map, const char *address);

/* The whole conversation; the status to end with. */
int udp_talk(struct ac_map *map, const char *address);

#endif
