/*
 * chat.c — `asyncore chat`: a chat server with rooms, for nc and telnet.
 *
 * Design: each line is a command, or is said in the guest's room. What terminals could take for
 * commands is dropped from lines: telnet's negotiations, control characters, what is not UTF-8.
 * Limits: lines of 1024 bytes, 256 KiB of unread output for each guest, ten minutes of silence.
 */
#include "chat_room.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINE_MOST 1024
#define HALL "lobby"

static double silence = 600;

enum telnet { SE = 240, SB = 250, IAC = 255 };

/* A telnet command is IAC and one or two bytes, or all from IAC SB to IAC SE. Returns its length. */
static size_t telnet_command(const unsigned char *s, size_t len)
{
	size_t i = 2;

	if (len < 2)
		return len;
	if (s[1] != SB)
		return s[1] > SB && s[1] != IAC && len > 2 ? 3 : 2;
	while (i < len && !(s[i - 1] == IAC && s[i] == SE))
		i++;
	return i < len ? i + 1 : len;
}

/* The length of the UTF-8 character that begins here; 0: none does, or one that steers terminals. */
static size_t character(const unsigned char *s, size_t len)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	unsigned least = s[0] == 0xc2 || s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;

	if (n == 1)
		return (s[0] >= ' ' && s[0] != 127) || s[0] == '\t';
	if (s[0] < 0xc2 || s[0] > 0xf4 || n > len || s[1] < least)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

static void clean(char *text, struct ac_slice line)
{
	const unsigned char *s = line.data, *end = s + line.len;
	size_t n;

	while (s < end) {
		if (*s == IAC) {
			s += telnet_command(s, (size_t)(end - s));
			continue;
		}
		n = character(s, (size_t)(end - s));
		memcpy(text, s, n);
		text += n;
		s += n ? n : 1;
	}
	*text = '\0';
}

static void do_nick(struct guest *g, char *rest)
{
	struct guest *other = guest_find(rest);

	if (!is_name(rest)) {
		tell(g, "* A nickname is 1 to %d letters, digits, _ or -.", NAME_MOST);
	} else if (other && other != g) {
		tell(g, "* %s is taken.", rest);
	} else {
		tell_room(g->room, NULL, "* %s is now known as %s", g->nick, rest);
		snprintf(g->nick, sizeof(g->nick), "%s", rest);
	}
}

static void do_join(struct guest *g, char *rest)
{
	if (!is_name(rest)) {
		tell(g, "* A room's name is 1 to %d letters, digits, _ or -.", NAME_MOST);
		return;
	}
	guest_enter(g, rest);
	tell(g, "* You are in %s.", g->room);
}

static void do_who(struct guest *g, char *rest)
{
	const char *room = *rest ? rest : g->room;

	for (struct guest *o = guest_first(); o; o = o->next)
		if (strcasecmp(o->room, room) == 0)
			tell(g, "* %s", o->nick);
	tell(g, "* End of %s.", room);
}

static bool is_first_in_room(const struct guest *g)
{
	for (struct guest *o = guest_first(); o != g; o = o->next)
		if (strcasecmp(o->room, g->room) == 0)
			return false;
	return true;
}

static void do_rooms(struct guest *g, char *rest)
{
	(void)rest;
	for (struct guest *o = guest_first(); o; o = o->next)
		if (is_first_in_room(o))
			tell(g, "* %s", o->room);
	tell(g, "* End of rooms.");
}

static void do_msg(struct guest *g, char *rest)
{
	char *text = strchr(rest, ' ');
	struct guest *to;

	if (text)
		*text++ = '\0';
	to = guest_find(rest);
	if (!text || !*text) {
		tell(g, "* /msg NICK TEXT");
	} else if (!to) {
		tell(g, "* There is no %s.", rest);
	} else {
		tell(to, "[%s] %s", g->nick, text);
		tell(g, "[to %s] %s", to->nick, text);
	}
}

static void do_quit(struct guest *g, char *rest)
{
	(void)rest;
	tell(g, "* Goodbye.");
	ac_close_when_done(&g->c);
}

static void do_help(struct guest *g, char *rest);

static const struct {
	const char *name, *what;
	void (*run)(struct guest *g, char *rest);
} commands[] = {
	{ "/nick", "NAME: be called so", do_nick },
	{ "/join", "ROOM: go to another room", do_join },
	{ "/rooms", ": which rooms there are", do_rooms },
	{ "/who", "[ROOM]: who is there", do_who },
	{ "/msg", "NICK TEXT: tell one person", do_msg },
	{ "/quit", ": leave", do_quit },
	{ "/help", ": this list", do_help },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void do_help(struct guest *g, char *rest)
{
	(void)rest;
	for (size_t i = 0; i < COMMANDS; i++)
		tell(g, "* %s %s", commands[i].name, commands[i].what);
}

static void do_command(struct guest *g, char *line)
{
	char *rest = line + strcspn(line, " ");

	while (*rest == ' ')
		*rest++ = '\0';
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcasecmp(line, commands[i].name) == 0) {
			commands[i].run(g, rest);
			return;
		}
	}
	tell(g, "* There is no %s; /help lists what there is.", line);
}

static int line_came(struct ac_chat *c)
{
	struct guest *g = (struct guest *)c;
	char line[LINE_MOST + 1];

	clean(line, ac_incoming(c));
	if (line[0] == '/')
		do_command(g, line);
	else if (line[0])
		tell_room(g->room, NULL, "<%s> %s", g->nick, line);
	return 0;
}

static int guest_closed(struct ac_dispatcher *d)
{
	guest_leave((struct guest *)d);
	return 0;
}

static int line_too_long(struct ac_dispatcher *d, const struct ac_error *e)
{
	struct guest *g = (struct guest *)d;

	if (e->code != EMSGSIZE)
		return AC_DISPATCHER->handle_error(d, e);
	tell(g, "* A line has at most %d bytes.", LINE_MOST);
	return ac_close_when_done(&g->c);
}

/* To one who does not even read, a goodbye would never arrive, and the end behind it neither. */
static int guest_silent(struct ac_dispatcher *d)
{
	struct guest *g = (struct guest *)d;

	if (ac_pending(&g->c)) {
		ac_log_info(d, AC_LOG_WARNING, "%s does not read and is closed", g->nick);
		ac_close(d);
		return 0;
	}
	tell(g, "* You have been silent for long. Goodbye.");
	return ac_close_when_done(&g->c);
}

static const struct ac_chat_class guest_class = {
	.d = {
		.super = AC_CHAT,
		.name = "guest",
		.size = sizeof(struct guest),
		.limits = { [AC_MAX_RECORD] = LINE_MOST, [AC_MAX_OUTPUT] = 256 * 1024 },
		.handle_close = guest_closed,
		.handle_error = line_too_long,
		.handle_timeout = guest_silent,
	},
	.found_terminator = line_came,
};

/* Once who it is can be told from who only tries the port. */
static int welcome(struct ac_dispatcher *d)
{
	static unsigned number;
	struct guest *g = (struct guest *)d;

	do
		snprintf(g->nick, sizeof(g->nick), "guest%u", ++number);
	while (guest_find(g->nick));
	tell(g, "* Welcome. You are %s; /nick NAME changes that, /help lists the rest.", g->nick);
	guest_enter(g, HALL);
	return 0;
}

static int accepted(struct ac_dispatcher *d, int fd, const struct ac_addr *peer)
{
	static const struct ac_slice line_ends[] = { { "\r\n", 2 }, { "\n", 1 } };
	struct guest *g = (struct guest *)ac_adopt(d->map, &guest_class.d, fd, peer);
	int r;

	if (!g)
		return ac_raise(d, errno);
	AC_TRY(g, ac_set_terminator_any(&g->c, line_ends, 2));
	AC_TRY(g, ac_set_timeout(&g->c.d, silence));
	r = program_secure(&g->c.d);
	return r == 0 ? welcome(&g->c.d) : r;
}

static const struct ac_class listener_class = {
	.super = AC_DISPATCHER,
	.name = "chat-listener",
	.handle_accepted = accepted,
};

static void say_goodbye(struct ac_map *map)
{
	(void)map;
	for (struct guest *g = guest_first(); g; g = g->next)
		tell(g, "* The server stops. Goodbye.");
}

static int set_option(int c, const char *value)
{
	char *end = NULL;

	if (c != 't')
		return -EINVAL;
	silence = strtod(value, &end);
	if (end == value || *end || !(silence >= 0)) {
		program_fail(STATUS_USAGE, "chat", "bad timeout '%s'", value);
		return -EINVAL;
	}
	return 0;
}

static const struct program_server server = {
	.name = "chat",
	.address = "127.0.0.1:8008",
	.listener = &listener_class,
	.stopping = say_goodbye,
	.option = set_option,
	.handle_secure = welcome,
	.help = "usage: asyncore chat [--poller NAME] [--timeout SECONDS] [--tls CERT KEY]... "
		"[ADDRESS]\n\n"
		"A chat server with rooms: connect with nc, telnet or 'asyncore talk', and type "
		"/help.\n"
		"ADDRESS is HOST:PORT, [IPV6]:PORT or unix:PATH; 127.0.0.1:8008 if it is not "
		"given.\n"
		"Who neither says nor hears anything for SECONDS (600; 0: for ever) is sent "
		"away.\n"
		"With --tls over TLS, by the certificate and key in these files.\n",
};

int cmd_chat(int argc, char **argv)
{
	return program_run_server(&server, argc, argv);
}
