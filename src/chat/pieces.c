/*
 * pieces.c — what pushes are made of: a chunk that small pushes share, memory lent or given, a file.
 *
 * Invariant: the bytes still to be sent of the first two are p->slice, so that the queue treats them like
 * what any other producer gave. They are asked for more only when nothing is left: then they are exhausted.
 */
#include "chat.h"

#include <string.h>

struct lent {
	struct ac_producer p;
	void (*free_fn)(void *arg);
	void *arg;
	char copy[];
};

static int exhausted(struct ac_producer *p, struct ac_slice *ret_slice)
{
	(void)p;
	*ret_slice = (struct ac_slice){ NULL, 0 };
	return 0;
}

static void chunk_free(struct ac_producer *p)
{
	ac_chunk_give_(((struct ac_chunk_producer *)p)->map, p);
}

const struct ac_producer_class ac_chunk_class_ = { "chunk", exhausted, chunk_free };

/* The map it came from may be gone: its channel has changed to another meanwhile. */
void ac_piece_free_(struct ac_producer *p, struct ac_map *m)
{
	if (p->cls == &ac_chunk_class_)
		((struct ac_chunk_producer *)p)->map = m;
	ac_producer_free(p);
}

struct ac_chunk_producer *ac_chunk_new_(struct ac_map *m)
{
	struct ac_chunk_producer *k = ac_chunk_take_(m);

	if (!k)
		return NULL;
	k->p = (struct ac_producer){ .cls = &ac_chunk_class_, .slice = { k->data, 0 } };
	k->map = m;
	k->used = 0;
	return k;
}

static void lent_free(struct ac_producer *p)
{
	struct lent *l = (struct lent *)p;

	if (l->free_fn)
		l->free_fn(l->arg);
	ac_free_(l);
}

const struct ac_producer_class ac_lent_class_ = { "lent", exhausted, lent_free };

struct ac_producer *ac_lent_new_(const void *data, size_t len, void (*free_fn)(void *), void *arg)
{
	struct lent *l = ac_realloc_(NULL, sizeof(*l));

	if (!l)
		return NULL;
	*l = (struct lent){ .p = { .cls = &ac_lent_class_, .slice = { data, len } },
		            .free_fn = free_fn,
		            .arg = arg };
	return &l->p;
}

struct ac_producer *ac_copy_new_(const void *data, size_t len)
{
	struct lent *l = len > SIZE_MAX / 4 ? NULL : ac_realloc_(NULL, sizeof(*l) + len);

	if (!l)
		return NULL;
	*l = (struct lent){ .p = { .cls = &ac_lent_class_, .slice = { l->copy, len } } };
	memcpy(l->copy, data, len);
	return &l->p;
}

static void file_free(struct ac_producer *p)
{
	ac_sys_close_(((struct ac_whole_file *)p)->fd);
	ac_free_(p);
}

const struct ac_producer_class ac_file_class_ = { "file", exhausted, file_free };

struct ac_producer *ac_whole_file_new_(int fd, int64_t offset, int64_t len)
{
	struct ac_whole_file *f = ac_realloc_(NULL, sizeof(*f));

	if (!f)
		return NULL;
	*f = (struct ac_whole_file){ { .cls = &ac_file_class_ }, fd, offset, len };
	return &f->p;
}
