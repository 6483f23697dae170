/*
 * terminators.c — a terminator that changes in the middle of the input: netstrings, "5:hello,".
 *
 *	printf '5:hello,0:,3:abc,' | terminators
 *
 * A colon ends the length, so many bytes are the string, and one more is its comma. All of it may
 * come in one read or byte by byte: what has been read is cut by the terminator that is set last.
 */
#include <asynchat.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum part { LENGTH, STRING, COMMA };

struct reader {
	struct ac_chat c;
	enum part part;
};

static int status;

/* A string of no bytes has no record of its own: its comma comes next. */
static int length_came(struct reader *r, struct ac_slice text)
{
	char digits[8] = "", *end;
	long length;

	if (text.len == 0 || text.len >= sizeof(digits))
		return ac_raisef(r, EPROTO, "a length of %zu digits", text.len);
	for (size_t i = 0; i < text.len; i++)
		digits[i] = ((const char *)text.data)[i];
	length = strtol(digits, &end, 10);
	if (*end || length < 0)
		return ac_raisef(r, EPROTO, "'%s' is no length", digits);
	if (length == 0)
		puts("");
	r->part = length ? STRING : COMMA;
	return ac_set_terminator_count(&r->c, length ? length : 1);
}

static int found(struct ac_chat *c)
{
	struct reader *r = (struct reader *)c;
	struct ac_slice data = ac_incoming(c);

	switch (r->part) {
	case LENGTH:
		return length_came(r, data);
	case STRING:
		printf("%.*s\n", (int)data.len, (const char *)data.data);
		r->part = COMMA;
		return ac_set_terminator_count(c, 1);
	default:
		if (*(const char *)data.data != ',')
			return ac_raisef(r, EPROTO, "no comma");
		r->part = LENGTH;
		return ac_set_terminator(c, ":", 1);
	}
}

static int failed(struct ac_dispatcher *d, const struct ac_error *e)
{
	status = 1;
	return AC_DISPATCHER->handle_error(d, e);
}

static const struct ac_chat_class reader_class = {
	.d = { .super = AC_CHAT,
	       .name = "netstrings",
	       .size = sizeof(struct reader),
	       .handle_error = failed },
	.found_terminator = found,
};

int main(void)
{
	struct ac_map *map = ac_map_new(NULL);
	struct ac_chat *c =
		(struct ac_chat *)ac_file_dispatcher(map, &reader_class.d, STDIN_FILENO);
	int r = c ? ac_set_terminator(c, ":", 1) : -1;

	if (r < 0 || (r = ac_loop(map, NULL)) < 0)
		ac_explain(map, "terminators");
	ac_map_free(map);
	return r < 0 ? 1 : status;
}
