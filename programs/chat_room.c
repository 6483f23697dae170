/* chat_room.c — see chat_room.h. The list is the program's: one chat, one thread. */
#include "chat_room.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define LINE_SIZE 4096

static struct guest *guests;

struct guest *guest_first(void)
{
	return guests;
}

struct guest *guest_find(const char *nick)
{
	for (struct guest *g = guests; g; g = g->next)
		if (strcasecmp(g->nick, nick) == 0)
			return g;
	return NULL;
}

bool is_name(const char *text)
{
	size_t len =
		strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return len > 0 && len <= NAME_MOST && text[len] == '\0';
}

static int drop(void *arg)
{
	struct guest *g = arg;

	ac_log_info(&g->c.d, AC_LOG_WARNING, "%s reads too slowly and is dropped", g->nick);
	ac_close(&g->c.d);
	return 0;
}

/* The list may be being walked: who is dropped goes a moment later. */
static void send_line(struct guest *g, const char *line, size_t len)
{
	if (ac_push(&g->c, line, len) == -ENOBUFS && !ac_task_pending(&g->drop))
		ac_task_start(&g->drop, g->c.d.map, 0, drop, g);
}

static size_t make_line(char *line, const char *format, va_list args)
{
	int n = vsnprintf(line, LINE_SIZE - 2, format, args);
	size_t len = n < 0 ? 0 : n > LINE_SIZE - 3 ? LINE_SIZE - 3 : (size_t)n;

	memcpy(line + len, "\r\n", 2);
	return len + 2;
}

void tell(struct guest *g, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;
	size_t len;

	va_start(args, format);
	len = make_line(line, format, args);
	va_end(args);
	send_line(g, line, len);
}

void tell_room(const char *room, const struct guest *but, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;
	size_t len;

	va_start(args, format);
	len = make_line(line, format, args);
	va_end(args);
	for (struct guest *g = guests; g; g = g->next)
		if (g != but && strcasecmp(g->room, room) == 0)
			send_line(g, line, len);
}

void guest_enter(struct guest *g, const char *room)
{
	if (g->link) {
		tell_room(g->room, g, "* %s has left for %s", g->nick, room);
	} else {
		g->next = guests;
		g->link = &guests;
		if (guests)
			guests->link = &g->next;
		guests = g;
	}
	snprintf(g->room, sizeof(g->room), "%s", room);
	tell_room(g->room, g, "* %s has joined %s", g->nick, g->room);
}

void guest_leave(struct guest *g)
{
	ac_task_cancel(&g->drop);
	if (!g->link)
		return;
	*g->link = g->next;
	if (g->next)
		g->next->link = g->link;
	g->link = NULL;
	tell_room(g->room, g, "* %s has left", g->nick);
}
