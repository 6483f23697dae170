/*
 * fifo.c — a queue of producers, linked through them.
 *
 * Invariant: tail points at the link in which the next producer goes: &head while the queue is empty.
 */
#include <asynchat.h>

void ac_fifo_init(struct ac_fifo *f)
{
	f->head = NULL;
	f->tail = &f->head;
	f->count = 0;
}

void ac_fifo_done(struct ac_fifo *f)
{
	struct ac_producer *p;

	while ((p = ac_fifo_pop(f)) != NULL)
		ac_producer_free(p);
}

bool ac_fifo_is_empty(const struct ac_fifo *f)
{
	return !f->head;
}

struct ac_producer *ac_fifo_first(const struct ac_fifo *f)
{
	return f->head;
}

void ac_fifo_push(struct ac_fifo *f, struct ac_producer *p)
{
	p->next = NULL;
	*f->tail = p;
	f->tail = &p->next;
	f->count++;
}

struct ac_producer *ac_fifo_pop(struct ac_fifo *f)
{
	struct ac_producer *p = f->head;

	if (!p)
		return NULL;
	f->head = p->next;
	if (!f->head)
		f->tail = &f->head;
	f->count--;
	p->next = NULL;
	return p;
}
