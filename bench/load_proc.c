/*
 * load_proc.c — what /proc says of the server: processor time, descriptors, memory.
 */
#include "load.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static DIR *open_list(int pid, const char *what)
{
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	dir = opendir(path);
	if (!dir)
		die(path);
	return dir;
}

/* First field of a thread's schedstat. A thread that has just ended had next to nothing to say. */
static int64_t thread_cpu_ns(int pid, const char *tid)
{
	char path[320];
	long long ns = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", pid, tid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fscanf(f, "%lld", &ns) != 1)
		ns = 0;
	fclose(f);
	return ns;
}

int64_t server_cpu_ns(int pid)
{
	DIR *dir = open_list(pid, "task");
	int64_t sum = 0;

	for (struct dirent *e; (e = readdir(dir));)
		if (e->d_name[0] != '.')
			sum += thread_cpu_ns(pid, e->d_name);
	closedir(dir);
	return sum;
}

size_t server_files(int pid)
{
	DIR *dir = open_list(pid, "fd");
	size_t count = 0;

	for (struct dirent *e; (e = readdir(dir));)
		count += e->d_name[0] != '.';
	closedir(dir);
	return count;
}

static uint64_t anonymous_bytes(int pid)
{
	char path[64], line[256];
	unsigned long long kilobytes = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	f = fopen(path, "r");
	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Anonymous: %llu", &kilobytes) == 1)
			break;
	fclose(f);
	return kilobytes * 1024;
}

/* What a server does when its last event has been handled takes a moment. */
uint64_t server_memory(int pid)
{
	const struct timespec moment = { 0, 50000000 };
	uint64_t bytes = anonymous_bytes(pid), before;
	int tries = 40;

	do {
		before = bytes;
		nanosleep(&moment, NULL);
		bytes = anonymous_bytes(pid);
	} while (bytes != before && --tries > 0);
	return bytes;
}
