/* lines.c — strings, each with CRLF behind it, put together once. */
#include "producer.h"

#include <string.h>

struct lines {
	struct ac_producer p;
	size_t len;
	bool given;
	char text[];
};

static int lines_more(struct ac_producer *p, struct ac_slice *ret_slice)
{
	struct lines *l = (struct lines *)p;

	*ret_slice = (struct ac_slice){ l->text, l->given ? 0 : l->len };
	l->given = true;
	return 0;
}

static void lines_free(struct ac_producer *p)
{
	ac_free_(p);
}

static const struct ac_producer_class lines_class = { "lines_producer", lines_more, lines_free };

struct ac_producer *ac_lines_producer(const char *const *lines, size_t count)
{
	struct lines *l;
	size_t len = 0;
	char *end;

	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(lines[i]) + 2;

		if (n > SIZE_MAX - sizeof(*l) - len)
			return NULL;
		len += n;
	}
	l = ac_producer_new_(sizeof(*l) + len, &lines_class, NULL);
	if (!l)
		return NULL;
	l->len = len;
	end = l->text;
	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(lines[i]);

		memcpy(end, lines[i], n);
		memcpy(end + n, "\r\n", 2);
		end += n + 2;
	}
	return &l->p;
}
