/*
 * mem.c — the one door to the allocator.
 *
 * Invariant: the allocator does not change while a map is alive, so that what one function gave the
 * same one takes back. The count of maps is atomic because maps belong to different threads.
 */
#include "base.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static void *libc_realloc(void *ctx, void *ptr, size_t size)
{
	(void)ctx;
	if (size == 0) {
		free(ptr);
		return NULL;
	}
	return realloc(ptr, size);
}

static const struct ac_allocator libc_allocator = { libc_realloc, NULL };
static struct ac_allocator allocator = { libc_realloc, NULL };
static atomic_int maps_alive;

int ac_set_allocator(const struct ac_allocator *a)
{
	if (atomic_load(&maps_alive) > 0)
		return -EBUSY;
	allocator = a ? *a : libc_allocator;
	return 0;
}

void ac_maps_count_(int delta)
{
	atomic_fetch_add(&maps_alive, delta);
}

void *ac_realloc_(void *ptr, size_t size)
{
	return allocator.realloc(allocator.ctx, ptr, size);
}

void *ac_alloc_(size_t size)
{
	void *p = ac_realloc_(NULL, size);

	if (p)
		memset(p, 0, size);
	return p;
}

void ac_free_(void *ptr)
{
	if (ptr)
		ac_realloc_(ptr, 0);
}

char *ac_copy_(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = ac_realloc_(NULL, size);

	return copy ? memcpy(copy, text, size) : NULL;
}
