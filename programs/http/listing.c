/*
 * listing.c — the page that shows what is in a folder.
 *
 * Limits: ENTRIES_MOST names are read, and the page ends soon after PAGE_MOST bytes; it says when there are
 * more.
 */
#include "server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRIES_MOST 10000
#define PAGE_MOST (4 << 20) /* well below what may be queued */

struct names {
	char *list[ENTRIES_MOST];
	size_t count;
	bool more; /* than there is room for */
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

/* 0, or -ENOMEM. */
static int add_name(struct names *n, const char *name)
{
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	n->more = n->count == ENTRIES_MOST;
	if (n->more)
		return 0;
	n->list[n->count] = strdup(name);
	if (!n->list[n->count])
		return -ENOMEM;
	n->count++;
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_names(int folder, struct names *n)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r == 0 && !n->more && (e = readdir(dir)) != NULL)
		r = add_name(n, e->d_name);
	closedir(dir);
	qsort(n->list, n->count, sizeof(*n->list), compare);
	return r;
}

static void free_names(struct names *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->list[i]);
	free(n);
}

static void put_page(FILE *out, int folder, const char *path, const struct names *n)
{
	size_t i = 0;

	fprintf(out, "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>Index of ");
	put_escaped(out, path);
	fprintf(out, "</title>\n<style>body{font-family:sans-serif;margin:2em}"
	             "td{padding:0.1em 1em}</style></head>\n<body><h1>Index of ");
	put_escaped(out, path);
	fprintf(out, "</h1>\n<table>\n");
	if (strspn(path, "/") != strlen(path))
		fprintf(out, "<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
	for (; i < n->count && ftello(out) < PAGE_MOST; i++)
		put_entry(out, folder, n->list[i]);
	fprintf(out, "</table>\n");
	if (n->more || i < n->count)
		fprintf(out, "<p>Not all of this folder is shown.</p>\n");
	fprintf(out, "</body></html>\n");
}

char *http_listing(int folder, const char *path, size_t *ret_len)
{
	struct names *n = calloc(1, sizeof(*n));
	char *page = NULL;
	FILE *out = NULL;
	size_t len = 0;
	bool bad;

	if (!n)
		return NULL;
	if (read_names(folder, n) == 0)
		out = open_memstream(&page, &len);
	if (out)
		put_page(out, folder, path, n);
	free_names(n);
	if (!out)
		return NULL;
	bad = ferror(out) != 0;
	bad |= fclose(out) != 0;
	if (bad) {
		free(page);
		return NULL;
	}
	*ret_len = len;
	return page;
}
