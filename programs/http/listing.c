/*
 * listing.c — the page that shows what is in a folder.
 *
 * Limits: ENTRIES_MOST entries; the page says when there are more.
 */
#include "server.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRIES_MOST 10000

struct entries {
	struct dirent **list;
	int count;
};

static void put_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (strchr("<>&\"'", c) || c < ' ' || c == 127)
			fprintf(out, "&#%d;", c < ' ' || c == 127 ? 0xFFFD : c);
		else
			fputc(c, out);
	}
}

/* "./" keeps a name with a colon from being read as a scheme. */
static void put_entry(FILE *out, int folder, const char *name)
{
	char link[3 * 256 + 1], date[HTTP_DATE_TEXT] = "";
	struct stat st;
	bool is_folder;

	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	is_folder = S_ISDIR(st.st_mode);
	http_encode(name, link, sizeof(link));
	http_date_format(st.st_mtime, date);
	fprintf(out, "<tr><td><a href=\"./%s%s\">", link, is_folder ? "/" : "");
	put_escaped(out, name);
	fprintf(out, "%s</a></td>", is_folder ? "/" : "");
	if (!S_ISREG(st.st_mode)) /* what a link leads to may be none of the client's business */
		fprintf(out, "<td></td>");
	else
		fprintf(out, "<td align=\"right\">%lld</td>", (long long)st.st_size);
	fprintf(out, "<td>%s</td></tr>\n", date);
}

static int is_shown(const struct dirent *e)
{
	return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

static void put_page(FILE *out, int folder, const char *path, const struct entries *e)
{
	fprintf(out, "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>Index of ");
	put_escaped(out, path);
	fprintf(out, "</title>\n<style>body{font-family:sans-serif;margin:2em}"
	             "td{padding:0.1em 1em}</style></head>\n<body><h1>Index of ");
	put_escaped(out, path);
	fprintf(out, "</h1>\n<table>\n");
	if (strspn(path, "/") != strlen(path))
		fprintf(out, "<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
	for (int i = 0; i < e->count && i < ENTRIES_MOST; i++)
		put_entry(out, folder, e->list[i]->d_name);
	fprintf(out, "</table>\n");
	if (e->count > ENTRIES_MOST)
		fprintf(out, "<p>and %d more</p>\n", e->count - ENTRIES_MOST);
	fprintf(out, "</body></html>\n");
}

char *http_listing(int folder, const char *path, size_t *ret_len)
{
	struct entries e = { NULL, 0 };
	char *page = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&page, &len);

	if (!out)
		return NULL;
	e.count = scandirat(folder, ".", &e.list, is_shown, alphasort);
	put_page(out, folder, path, &e);
	for (int i = 0; i < e.count; i++)
		free(e.list[i]);
	free(e.list);
	if (fclose(out) != 0) {
		free(page);
		return NULL;
	}
	*ret_len = len;
	return page;
}
