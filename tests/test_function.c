/* test_function.c — a function that fills a buffer: what it may return, and what if it lies. */
#include "harness.h"

#include <limits.h>
#include <stdlib.h>

#define MEGABYTE 1000000
#define BUFFER 16384

/* Gives its results one after the other; those that are lengths with as many bytes. */
struct script {
	const ssize_t *results;
	int calls;
};

static ssize_t play(void *arg, void *buffer, size_t size)
{
	struct script *s = arg;
	ssize_t n = s->results[s->calls++];

	assert_int_equal(size, BUFFER);
	if (n > 0 && (size_t)n <= size)
		memset(buffer, 'a' + s->calls, (size_t)n);
	return n;
}

static void results_are_lengths_up_to_the_whole_buffer(void **state)
{
	static const ssize_t results[] = { 1, 2, BUFFER - 1, BUFFER, 1, 0 };
	struct script script = { results, 0 };
	struct ac_producer *p = ac_function_producer(play, &script);
	struct ac_slice s;

	(void)state;
	for (int i = 0; i < 6; i++) {
		assert_int_equal(p->cls->more(p, &s), 0);
		assert_int_equal(s.len, results[i]);
		for (size_t at = 0; at < s.len; at++)
			assert_int_equal(((const char *)s.data)[at], 'b' + i);
	}
	assert_int_equal(script.calls, 6);
	ac_producer_free(p);
}

static void nothing_yet_is_passed_on_and_nothing_is_lost(void **state)
{
	static const ssize_t results[] = { -EAGAIN, 3, -EAGAIN, -EAGAIN, 4, -EAGAIN, 0 };
	struct script script = { results, 0 };
	struct ac_producer *p = ac_function_producer(play, &script);
	struct ac_slice s;

	(void)state;
	for (int i = 0; i < 7; i++) {
		assert_int_equal(p->cls->more(p, &s), results[i] < 0 ? results[i] : 0);
		if (results[i] >= 0)
			assert_int_equal(s.len, results[i]);
	}
	ac_producer_free(p);
}

static int result_of(ssize_t n)
{
	struct script script = { &n, 0 };
	struct ac_producer *p = ac_function_producer(play, &script);
	struct ac_slice s = { "", 0 };
	int r = p->cls->more(p, &s);

	ac_producer_free(p);
	return r;
}

static void errors_are_raised_as_they_are(void **state)
{
	(void)state;
	assert_int_equal(result_of(-EPERM), -EPERM);
	assert_int_equal(result_of(-EDOM), -EDOM);
	assert_int_equal(result_of(INT_MIN), INT_MIN);
}

static void more_than_the_buffer_is_never_lent(void **state)
{
	(void)state;
	assert_int_equal(result_of(BUFFER), 0);
	assert_int_equal(result_of(BUFFER + 1), -EOVERFLOW);
	assert_int_equal(result_of(SSIZE_MAX), -EOVERFLOW);
}

/* Cut to an int, these would read as an end or as success. */
static void error_that_fits_no_int_does_not_become_success(void **state)
{
	(void)state;
	if (sizeof(ssize_t) == sizeof(int))
		return;
	assert_int_equal(result_of((ssize_t)INT_MIN - 1), -EOVERFLOW);
	assert_int_equal(result_of((ssize_t)INT_MIN * 2), -EOVERFLOW);
	assert_int_equal(result_of(-SSIZE_MAX - 1), -EOVERFLOW);
}

static void error_in_the_middle_then_free(void **state)
{
	static const ssize_t results[] = { 5, -ENOSPC };
	struct script script = { results, 0 };
	struct ac_producer *p = ac_function_producer(play, &script);
	struct ac_slice s;

	(void)state;
	assert_int_equal(p->cls->more(p, &s), 0);
	assert_int_equal(p->cls->more(p, &s), -ENOSPC);
	ac_producer_free(p);
	assert_int_equal(script.calls, 2); /* to be freed is not to be asked */
}

/* Random bytes by the seed that is its state, a megabyte in all. */
struct stream {
	unsigned seed;
	size_t left;
};

static ssize_t from_stream(void *arg, void *buffer, size_t size)
{
	struct stream *s = arg;
	size_t n = 1 + (size_t)rand_r(&s->seed) % size;

	if (n > s->left)
		n = s->left;
	for (size_t i = 0; i < n; i++)
		((char *)buffer)[i] = (char)((s->left - i) * 31 >> 3);
	s->left -= n;
	return (ssize_t)n;
}

static void megabyte_in_pieces_of_any_length(void **state)
{
	struct stream stream = { 6, MEGABYTE };
	struct ac_producer *p = ac_function_producer(from_stream, &stream);
	size_t left = MEGABYTE;
	struct ac_slice s;

	(void)state;
	while (p->cls->more(p, &s) == 0 && s.len)
		for (size_t i = 0; i < s.len; i++, left--)
			assert_int_equal(((const char *)s.data)[i], (char)(left * 31 >> 3));
	assert_int_equal(left, 0);
	ac_producer_free(p);
}

static void no_function_or_no_memory_no_producer(void **state)
{
	static const ssize_t results[] = { 0 };
	struct script script = { results, 0 };
	long before = allocations();

	(void)state;
	assert_null(ac_function_producer(NULL, &script));
	fail_allocation(1, false);
	assert_null(ac_function_producer(play, &script));
	assert_true(allocation_failed());
	assert_int_equal(allocations(), before);
	assert_int_equal(script.calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(results_are_lengths_up_to_the_whole_buffer, epoll),
		ON(nothing_yet_is_passed_on_and_nothing_is_lost, epoll),
		ON(errors_are_raised_as_they_are, epoll),
		ON(more_than_the_buffer_is_never_lent, epoll),
		ON(error_that_fits_no_int_does_not_become_success, epoll),
		ON(error_in_the_middle_then_free, epoll),
		ON(megabyte_in_pieces_of_any_length, epoll),
		ON(no_function_or_no_memory_no_producer, epoll),
	};

	return RUN(tests);
}
