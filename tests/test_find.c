/* test_find.c — find.c against the obvious way, and never a byte behind the end. */
#include "harness.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "../src/base/base.h"

static size_t naive(const char *h, size_t len, const char *n, size_t n_len)
{
	for (size_t i = 0; n_len && i + n_len <= len; i++)
		if (memcmp(h + i, n, n_len) == 0)
			return i;
	return AC_NOT_FOUND;
}

static size_t naive_prefix(const char *h, size_t len, const char *n, size_t n_len)
{
	size_t k = n_len ? n_len - 1 : 0;

	for (k = k > len ? len : k; k > 0; k--)
		if (memcmp(h + len - k, n, k) == 0)
			break;
	return k;
}

/* The text ends where a page ends that may not be touched. */
static char *guarded(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (size + page - 1) / page * page;
	char *p = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	               0);

	assert_true(p != MAP_FAILED);
	assert_int_equal(mprotect(p + whole, page, PROT_NONE), 0);
	return p + whole - size;
}

static void same_as_the_obvious_way(void **state)
{
	char *area = guarded(4096), *end = area + 4096;
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 60000; round++) {
		size_t len = (size_t)rand_r(&seed) % 200, n = (size_t)rand_r(&seed) % 40;
		unsigned letters = 1 + (unsigned)rand_r(&seed) % 3;
		char *text = end - len, needle[40];

		for (size_t i = 0; i < len; i++)
			text[i] = (char)('a' + (unsigned)rand_r(&seed) % letters);
		for (size_t i = 0; i < n; i++)
			needle[i] = (char)('a' + (unsigned)rand_r(&seed) % letters);
		if (n && len > n && rand_r(&seed) % 2)
			memcpy(needle, text + (size_t)rand_r(&seed) % (len - n), n);
		assert_int_equal(ac_find_(text, len, needle, n), naive(text, len, needle, n));
		assert_int_equal(ac_find_portable_(text, len, needle, n),
		                 naive(text, len, needle, n));
		assert_int_equal(ac_find_prefix_at_end(text, len, needle, n),
		                 naive_prefix(text, len, needle, n));
	}
}

/* First and last byte match everywhere: the budget runs out, and the result is the same. */
static void hostile_text_exhausts_the_budget(void **state)
{
	static char text[1 << 20];
	char needle[64];

	(void)state;
	memset(text, 'a', sizeof(text));
	memset(needle, 'a', sizeof(needle));
	needle[30] = 'b';
	assert_int_equal(ac_find_(text, sizeof(text), needle, sizeof(needle)), AC_NOT_FOUND);
	memcpy(text + sizeof(text) - 64, needle, 64);
	assert_int_equal(ac_find_(text, sizeof(text), needle, sizeof(needle)), sizeof(text) - 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_as_the_obvious_way),
		cmocka_unit_test(hostile_text_exhausts_the_budget),
	};

	return RUN(tests);
}
