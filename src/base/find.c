/*
 * find.c — where a needle begins in a haystack, and how much of one may have begun at its end.
 *
 * Design: one byte by memchr; longer needles by SSE2 on their first and last byte together, sixteen places at
 * a time; two bytes that are not near by memchr and a compare. Candidates are verified with memcmp under a
 * budget: when a hostile text makes too many of them fail, memmem, which is linear, takes over.
 * The portable twin gives the same results and is what other machines use.
 */
#include "base.h"

#include <asynchat.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static size_t place(const char *haystack, const char *found)
{
	return found ? (size_t)(found - haystack) : AC_NOT_FOUND;
}

static size_t find_two(const char *h, size_t len, const char *needle)
{
	const char *p = h, *end = h + len - 1;

	while (p < end && (p = memchr(p, needle[0], (size_t)(end - p))) != NULL) {
		if (p[1] == needle[1])
			return (size_t)(p - h);
		p++;
	}
	return AC_NOT_FOUND;
}

size_t ac_find_portable_(const void *haystack, size_t len, const void *needle, size_t n)
{
	if (n == 0 || n > len)
		return AC_NOT_FOUND;
	if (n == 1)
		return place(haystack, memchr(haystack, *(const char *)needle, len));
	if (n == 2)
		return find_two(haystack, len, needle);
	return place(haystack, memmem(haystack, len, needle, n));
}

#ifdef __SSE2__
#define BLOCK 16
#define PAIR_NEAR 128 /* further on memchr, whose registers are wider, is faster for two bytes */

static inline __m128i load(const char *h)
{
	return _mm_loadu_si128((const __m128i *)(const void *)h);
}

/* Where the first and the last byte of the needle stand at their distance. */
static inline __m128i match(const char *h, size_t n, __m128i first, __m128i last)
{
	return _mm_and_si128(_mm_cmpeq_epi8(load(h), first), _mm_cmpeq_epi8(load(h + n - 1), last));
}

/* A bit for each of the places h .. h + 15. */
static inline unsigned hits(const char *h, size_t n, __m128i first, __m128i last)
{
	return (unsigned)_mm_movemask_epi8(match(h, n, first, last));
}

/*
 * Two bytes: every hit is a match. The last block overlaps the one before it, so that there is no rest.
 * Far ones are memchr's, whose registers are wider.
 */
static size_t find_pair(const char *h, size_t len, const char *want)
{
	const __m128i first = _mm_set1_epi8(want[0]), last = _mm_set1_epi8(want[1]);
	size_t end = len - 1 - BLOCK, near = end < PAIR_NEAR ? end : PAIR_NEAR, i, at;
	unsigned found;

	for (i = 0; i < near; i += BLOCK) {
		found = hits(h + i, 2, first, last);
		if (found)
			return i + (size_t)__builtin_ctz(found);
	}
	found = hits(h + near, 2, first, last);
	if (found)
		return near + (size_t)__builtin_ctz(found);
	if (near == end)
		return AC_NOT_FOUND;
	at = find_two(h + near, len - near, want);
	return at == AC_NOT_FOUND ? at : near + at;
}

/* The first of the candidates that is one. */
static size_t verify(const char *h, const char *want, size_t n, unsigned found, size_t *budget)
{
	for (; found && *budget >= n; found &= found - 1) {
		size_t at = (size_t)__builtin_ctz(found);

		if (memcmp(h + at + 1, want + 1, n - 2) == 0)
			return at;
		*budget -= n;
	}
	return AC_NOT_FOUND;
}

/* How many bytes from h on hold no candidate; in steps of four blocks, up to the last place. */
static size_t skip(const char *h, size_t places, size_t n, __m128i first, __m128i last)
{
	size_t i;

	for (i = 0; i + 4 * BLOCK <= places; i += 4 * BLOCK) {
		__m128i a = match(h + i, n, first, last), b = match(h + i + BLOCK, n, first, last);
		__m128i c = match(h + i + 2 * BLOCK, n, first, last),
			d = match(h + i + 3 * BLOCK, n, first, last);

		if (_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d))))
			break;
	}
	return i;
}

AC_APART static size_t find_long(const char *h, size_t len, const char *want, size_t n)
{
	const __m128i first = _mm_set1_epi8(want[0]), last = _mm_set1_epi8(want[n - 1]);
	size_t end = len - n + 1 - BLOCK, budget = 64 + len / 8, i = 0, at;

	for (;;) {
		i += skip(h + i, end - i, n, first, last);
		for (int block = 0; block < 4; block++) {
			at = verify(h + i, want, n, hits(h + i, n, first, last), &budget);
			if (at != AC_NOT_FOUND)
				return i + at;
			if (budget < n)
				goto linear;
			if (i == end)
				return AC_NOT_FOUND;
			i = i + BLOCK < end ? i + BLOCK : end;
		}
	}
linear:
	at = ac_find_portable_(h + i, len - i, want, n);
	return at == AC_NOT_FOUND ? at : i + at;
}

size_t ac_find_(const void *haystack, size_t len, const void *needle, size_t n)
{
	if (n < 2 || n > len || len - n < BLOCK - 1)
		return ac_find_portable_(haystack, len, needle, n);
	return n == 2 ? find_pair(haystack, len, needle) : find_long(haystack, len, needle, n);
}
#else
size_t ac_find_(const void *haystack, size_t len, const void *needle, size_t n)
{
	return ac_find_portable_(haystack, len, needle, n);
}
#endif

size_t ac_find_prefix_at_end(const void *haystack, size_t haystack_len, const void *needle,
                             size_t needle_len)
{
	const char *h = haystack, *want = needle;
	size_t n = needle_len ? needle_len - 1 : 0;

	if (n > haystack_len)
		n = haystack_len;
	while (n > 0 &&
	       (h[haystack_len - n] != *want || memcmp(h + haystack_len - n, want, n) != 0))
		n--;
	return n;
}
