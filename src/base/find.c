/*
 * find.c — where a needle begins in a haystack, and how much of one may have begun at its end.
 *
 * Design: one and two bytes by memchr and a compare; longer needles by SSE2 on their first and last byte
 * together, sixteen places at a time. Candidates are verified with memcmp under a budget: when a hostile
 * text makes too many of them fail, memmem, which is linear, takes over.
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
size_t ac_find_(const void *haystack, size_t len, const void *needle, size_t n)
{
	const char *h = haystack, *want = needle;
	size_t i, last, budget;
	__m128i first_byte, last_byte;

	if (n < 3 || n > len || len - n < 16)
		return ac_find_portable_(haystack, len, needle, n);
	first_byte = _mm_set1_epi8(want[0]);
	last_byte = _mm_set1_epi8(want[n - 1]);
	last = len - n + 1; /* places where it could begin */
	budget = 64 + len / 8;
	for (i = 0; i + 16 <= last; i += 16) {
		__m128i a = _mm_loadu_si128((const __m128i *)(const void *)(h + i));
		__m128i b = _mm_loadu_si128((const __m128i *)(const void *)(h + i + n - 1));
		unsigned hits = (unsigned)_mm_movemask_epi8(
			_mm_and_si128(_mm_cmpeq_epi8(a, first_byte), _mm_cmpeq_epi8(b, last_byte)));

		for (; hits; hits &= hits - 1) {
			size_t at = i + (size_t)__builtin_ctz(hits);

			if (memcmp(h + at + 1, want + 1, n - 2) == 0)
				return at;
			if (budget < n)
				goto linear;
			budget -= n;
		}
	}
linear:
	last = ac_find_portable_(h + i, len - i, needle, n);
	return last == AC_NOT_FOUND ? last : i + last;
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
