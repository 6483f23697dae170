/* chat_room.h — who is in the chat, where, and who hears what. */
#ifndef CHAT_ROOM_H
#define CHAT_ROOM_H

#include "program.h"

#define NAME_MOST 32

struct guest {
	struct ac_chat c;
	struct guest *next, **link; /* among all guests; link NULL: not in yet, or gone */
	struct ac_task drop;        /* closes it where no list is being walked */
	char nick[NAME_MOST + 1];
	char room[NAME_MOST + 1];
};

void guest_enter(struct guest *g, const char *room); /* the first time, or from another room */
void guest_leave(struct guest *g);                   /* for good */
struct guest *guest_find(const char *nick);          /* NULL: nobody */
struct guest *guest_first(void);                     /* then ->next */

/* To one guest; to all in a room but one (NULL: to all). A guest who reads too slowly is dropped. */
void tell(struct guest *g, const char *format, ...) AC_PRINTF(2, 3);
void tell_room(const char *room, const struct guest *but, const char *format, ...) AC_PRINTF(3, 4);

/* 1 to NAME_MOST letters, digits, '_' and '-'. */
bool is_name(const char *text);

#endif
