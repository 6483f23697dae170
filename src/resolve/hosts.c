/*
 * hosts.c — names in /etc/hosts.
 *
 * Design: read anew for each lookup, as the C library does: it is small, and may have changed.
 * Limits: a line has at most 2047 bytes; what is longer is cut into lines, and comments, as it comes.
 */
#include "resolver.h"

#include <stdio.h>
#include <string.h>

#define LINE_SIZE 2048
#define BLANKS " \t\r\n"

static void read_line(struct ac_lookup *l, char *line)
{
	char *rest = NULL, *word;
	struct ac_addr addr;

	line[strcspn(line, "#")] = '\0';
	word = strtok_r(line, BLANKS, &rest);
	if (!word || word[0] == '[' || ac_name_addr_(word, strlen(word), 0, &addr) < 0)
		return;
	while ((word = strtok_r(NULL, BLANKS, &rest)) != NULL) {
		if (ac_name_same_(word, l->host)) {
			ac_lookup_add_(l, &addr.sa);
			return;
		}
	}
}

void ac_hosts_find_(struct ac_lookup *l)
{
	FILE *file = l->r->hosts_file[0] ? fopen(l->r->hosts_file, "re") : NULL;
	char line[LINE_SIZE];

	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		read_line(l, line);
	fclose(file);
}
