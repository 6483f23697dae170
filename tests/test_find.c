/*
 * test_find.c — find.c against the obvious way, and never a byte outside the text.
 *
 * The texts stand against a page that may not be touched, behind their end or in front of their beginning.
 */
#include "harness.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "../src/base/base.h"

#define AREA 4096

static char *before_a_wall, *behind_a_wall; /* AREA bytes each */
static char *walls;

static int setup(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), area = (AREA + page - 1) / page * page;

	(void)state;
	walls = mmap(NULL, 2 * area + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	             0);
	if (walls == MAP_FAILED || mprotect(walls + area, page, PROT_NONE) < 0)
		return -1;
	before_a_wall = walls + area - AREA;
	behind_a_wall = walls + area + page;
	return 0;
}

static int teardown(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), area = (AREA + page - 1) / page * page;

	(void)state;
	return munmap(walls, 2 * area + page);
}

static size_t naive(const char *h, size_t len, const char *n, size_t n_len)
{
	for (size_t i = 0; n_len && i + n_len <= len; i++)
		if (h[i] == n[0] && memcmp(h + i, n, n_len) == 0)
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

static void check(const char *text, size_t len, const char *needle, size_t n)
{
	size_t at = naive(text, len, needle, n);

	assert_int_equal(ac_find_(text, len, needle, n), at);
	assert_int_equal(ac_find_portable_(text, len, needle, n), at);
	assert_int_equal(ac_find_prefix_at_end(text, len, needle, n),
	                 naive_prefix(text, len, needle, n));
}

static void letters(char *text, size_t len, unsigned count, unsigned *seed)
{
	for (size_t i = 0; i < len; i++)
		text[i] = (char)('a' + (unsigned)rand_r(seed) % count);
}

/* Lengths and alignments at which blocks of sixteen begin, end and overlap: every one of them. */
static void every_length_at_every_alignment(void **state)
{
	unsigned seed = 11;
	char needle[40];

	(void)state;
	for (size_t n = 1; n <= sizeof(needle); n++) {
		letters(needle, n, 2, &seed);
		for (size_t len = 0; len <= 200; len++) {
			char *text = before_a_wall + AREA - len - (len + n) % 16;

			letters(text, len, 2, &seed);
			check(text, len, needle, n);
			if (len >= n)
				memcpy(text + (size_t)rand_r(&seed) % (len - n + 1), needle, n);
			check(text, len, needle, n);
			for (size_t shift = 0; shift < 16; shift++) {
				memmove(before_a_wall + shift, text, len);
				check(before_a_wall + shift, len, needle, n);
			}
		}
	}
}

static void last_place_touches_the_wall_and_no_byte_more(void **state)
{
	char needle[40];

	(void)state;
	memset(needle, 'n', sizeof(needle));
	for (size_t n = 1; n <= sizeof(needle); n++) {
		for (size_t len = 0; len <= 200; len++) {
			char *text = before_a_wall + AREA - len;

			memset(text, '.', len);
			check(text, len, needle, n);
			memset(behind_a_wall, '.', len);
			check(behind_a_wall, len, needle, n);
			if (len < n)
				continue;
			memset(text + len - n, 'n', n);
			assert_int_equal(ac_find_(text, len, needle, n), len - n);
			memset(behind_a_wall, 'n', n);
			assert_int_equal(ac_find_(behind_a_wall, len, needle, n), 0);
			memset(text, 'n',
			       len); /* everything begins a match, and the end one more */
			check(text, len, needle, n);
			text[len - 1] = '.';
			check(text, len, needle, n);
		}
	}
}

/* The needle stands against the wall too. */
static void needle_is_not_read_past_its_end(void **state)
{
	unsigned seed = 3;

	(void)state;
	for (size_t n = 0; n <= 64; n++) {
		char *needle = before_a_wall + AREA - n;

		letters(needle, n, 1, &seed);
		letters(behind_a_wall, 300, 1, &seed);
		check(behind_a_wall, 300, needle, n);
		behind_a_wall[150] = 'z';
		check(behind_a_wall, n + 16, needle, n);
		check(behind_a_wall, 300, needle, n);
	}
}

/* Texts of few letters and needles taken from them, one letter of the needle changed. */
static void near_misses(void **state)
{
	unsigned seed = 1;
	char needle[64];

	(void)state;
	for (int round = 0; round < 40000; round++) {
		size_t len = (size_t)rand_r(&seed) % 300,
		       n = (size_t)rand_r(&seed) % sizeof(needle);
		char *text = before_a_wall + AREA - len;
		unsigned count = 1 + (unsigned)rand_r(&seed) % 3;

		letters(text, len, count, &seed);
		letters(needle, n, count, &seed);
		if (n && len > n) {
			memcpy(needle, text + (size_t)rand_r(&seed) % (len - n), n);
			if (rand_r(&seed) % 2)
				needle[(size_t)rand_r(&seed) % n] = 'b';
		}
		check(text, len, needle, n);
	}
}

static void bytes_are_not_signed_and_nul_is_one_of_them(void **state)
{
	char *text = before_a_wall + AREA - 256, needle[5];

	(void)state;
	for (int i = 0; i < 256; i++)
		text[i] = (char)i;
	for (size_t n = 1; n <= 5; n++)
		for (size_t at = 0; at + n <= 256; at++) {
			memcpy(needle, text + at, n);
			check(text, 256, needle, n);
		}
	memset(text, 0, 256);
	check(text, 256, "\0\0\0\1", 4);
	check(text, 256, "\0\0\0\0", 4);
}

static void nothing_is_found_in_nothing(void **state)
{
	(void)state;
	assert_int_equal(ac_find_("", 0, "a", 1), AC_NOT_FOUND);
	assert_int_equal(ac_find_("abc", 3, "", 0), AC_NOT_FOUND);
	assert_int_equal(ac_find_("abc", 3, "abcd", 4), AC_NOT_FOUND);
	assert_int_equal(ac_find_(NULL, 0, "abc", 3), AC_NOT_FOUND);
	assert_int_equal(ac_find_prefix_at_end(NULL, 0, "abc", 3), 0);
	assert_int_equal(ac_find_prefix_at_end("abc", 3, NULL, 0), 0);
	assert_int_equal(ac_find_prefix_at_end("abc", 3, "abc", 3), 0); /* whole: not a prefix */
	assert_int_equal(ac_find_prefix_at_end("qwerty\r", 7, "\r\n", 2), 1);
}

/* First and last byte match everywhere: the budget runs out, and the result is the same. */
static void hostile_text_exhausts_the_budget(void **state)
{
	enum { SIZE = 1 << 16 };
	static char text[SIZE];
	char needle[64];

	(void)state;
	for (size_t n = 3; n <= sizeof(needle); n++) {
		memset(text, 'a', SIZE);
		memset(needle, 'a', n);
		needle[n / 2] = 'b';
		assert_int_equal(ac_find_(text, SIZE, needle, n), AC_NOT_FOUND);
		memcpy(text + SIZE - n, needle, n);
		assert_int_equal(ac_find_(text, SIZE, needle, n), SIZE - n);
	}
}

/* Candidates that fail late, everywhere: 2^39 bytes for who compares each of them. */
static void hostile_text_takes_no_square_of_time(void **state)
{
	enum { SIZE = 1 << 22, NEEDLE = 1 << 17 };
	char *text = malloc(SIZE), *needle = malloc(NEEDLE);
	clock_t begin = clock();

	(void)state;
	memset(text, 'a', SIZE);
	memset(needle, 'a', NEEDLE);
	needle[NEEDLE - 2] = 'b';
	assert_int_equal(ac_find_(text, SIZE, needle, NEEDLE), AC_NOT_FOUND);
	assert_true(clock() - begin < 2 * CLOCKS_PER_SEC);
	free(text);
	free(needle);
}

#define WALLED(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WALLED(every_length_at_every_alignment),
		WALLED(last_place_touches_the_wall_and_no_byte_more),
		WALLED(needle_is_not_read_past_its_end),
		WALLED(near_misses),
		WALLED(bytes_are_not_signed_and_nul_is_one_of_them),
		cmocka_unit_test(nothing_is_found_in_nothing),
		cmocka_unit_test(hostile_text_exhausts_the_budget),
		cmocka_unit_test(hostile_text_takes_no_square_of_time),
	};

	return RUN(tests);
}
