/* function.c — a producer that asks a function to fill a buffer. */
#include "producer.h"

#include <errno.h>
#include <limits.h>

struct function {
	struct ac_producer p;
	ssize_t (*fn)(void *arg, void *buffer, size_t size);
	void *arg;
	char buffer[AC_PIECE_SIZE];
};

static int function_more(struct ac_producer *p, struct ac_slice *ret_slice)
{
	struct function *f = (struct function *)p;
	ssize_t n = f->fn(f->arg, f->buffer, sizeof(f->buffer));

	if (n > (ssize_t)sizeof(f->buffer) || n < INT_MIN)
		return -EOVERFLOW;
	if (n < 0)
		return (int)n;
	*ret_slice = (struct ac_slice){ f->buffer, (size_t)n };
	return 0;
}

static void function_free(struct ac_producer *p)
{
	ac_free_(p);
}

static const struct ac_producer_class function_class = { "function_producer", function_more,
	                                                 function_free };

struct ac_producer *ac_function_producer(ssize_t (*fn)(void *arg, void *buffer, size_t size),
                                         void *arg)
{
	struct function *f = fn ? ac_producer_new_(sizeof(*f), &function_class, NULL) : NULL;

	if (!f)
		return NULL;
	f->fn = fn;
	f->arg = arg;
	return &f->p;
}
