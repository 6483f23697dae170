/* test_compress.c — what comes out unpacks to what went in, for each format and level. */
#include "harness.h"
#include "strict.h"

#include <asyncore/compress.h>
#include <stdlib.h>
#include <zlib.h>

#define MEGABYTE 1000000
#define BUFFER 16384

static const int window_bits[] = { [AC_GZIP] = 15 + 16, [AC_ZLIB] = 15, [AC_DEFLATE] = -15 };

static char packed[2 * MEGABYTE], plain[2 * MEGABYTE], noise[MEGABYTE], text[MEGABYTE];
static size_t packed_len;

/* Asks until it is empty or fails, and joins what it gave; -EAGAIN is counted and asked again. */
static int drain(struct ac_producer *p, int *ret_waits)
{
	struct ac_slice s = { NULL, 0 };
	int r;

	assert_non_null(p);
	packed_len = 0;
	*ret_waits = 0;
	while ((r = p->cls->more(p, &s)) == -EAGAIN || (r == 0 && s.len)) {
		if (r == -EAGAIN) {
			++*ret_waits;
			continue;
		}
		assert_true(s.len <= BUFFER && s.len <= sizeof(packed) - packed_len);
		memcpy(packed + packed_len, s.data, s.len);
		packed_len += s.len;
	}
	return r;
}

/* The whole of it and nothing behind; the format's own checksum is verified by inflate. */
static void unpacks_to(const char *data, size_t len, enum ac_compression format)
{
	z_stream z = { 0 };

	assert_int_equal(inflateInit2(&z, window_bits[format]), Z_OK);
	z.next_in = (Bytef *)packed;
	z.avail_in = (uInt)packed_len;
	z.next_out = (Bytef *)plain;
	z.avail_out = sizeof(plain);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	assert_int_equal(z.total_out, len);
	if (len)
		assert_memory_equal(plain, data, len);
	inflateEnd(&z);
}

static void there_and_back(const char *data, size_t len, size_t most, enum ac_compression format,
                           int level)
{
	struct ac_producer *p;
	struct ac_slice s;
	int waited;

	made = freed = waits = 0;
	p = ac_compressed_producer(strict(data, len, most, (unsigned)most, 0), format, level);
	assert_int_equal(drain(p, &waited), 0);
	unpacks_to(data, len, format);
	assert_int_equal(waited, waits);
	assert_int_equal(p->cls->more(p, &s), 0); /* exhausted stays exhausted */
	assert_int_equal(s.len, 0);
	ac_producer_free(p);
	assert_int_equal(freed, made);
}

static void fill(void)
{
	unsigned seed = 12;

	for (size_t i = 0; i < MEGABYTE; i++) {
		noise[i] = (char)(rand_r(&seed) >> 8);
		text[i] = "the quick brown fox "[i % 20 + (i / 20 % 7 == 0 && i % 20 < 19)];
	}
}

static void every_format_and_level_there_and_back(void **state)
{
	(void)state;
	for (int format = AC_GZIP; format <= AC_DEFLATE; format++)
		for (int level = 0; level <= 9; level++) {
			there_and_back(text, 30000, 3000, (enum ac_compression)format, level);
			there_and_back(noise, 30000, 3000, (enum ac_compression)format, level);
			there_and_back("", 0, 1, (enum ac_compression)format, level);
			there_and_back("x", 1, 1, (enum ac_compression)format, level);
		}
}

static void formats_begin_as_they_are_known(void **state)
{
	(void)state;
	there_and_back("x", 1, 1, AC_GZIP, 0);
	assert_memory_equal(packed, "\x1f\x8b\x08", 3);
	there_and_back("x", 1, 1, AC_ZLIB, 0);
	assert_memory_equal(packed, "\x78", 1);
	there_and_back("x", 1, 1, AC_DEFLATE, 0);
	assert_true(packed_len < 5); /* no header, no checksum */
}

static void level_is_used(void **state)
{
	size_t fast, standard;

	(void)state;
	there_and_back(text, MEGABYTE, 50000, AC_GZIP, 1);
	fast = packed_len;
	there_and_back(text, MEGABYTE, 50000, AC_GZIP, 0);
	standard = packed_len;
	there_and_back(text, MEGABYTE, 50000, AC_GZIP, 6);
	assert_int_equal(packed_len, standard);
	assert_true(standard < fast);
}

static void megabyte_of_noise_does_not_overflow_the_buffer(void **state)
{
	static const size_t most[] = { 1000, 16384, 100000, MEGABYTE };

	(void)state;
	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		there_and_back(noise, MEGABYTE, most[i], AC_GZIP, 1);
		assert_true(packed_len > MEGABYTE);
	}
}

/* Zeros compress a thousand times: most pieces yield nothing, which must not read as the end. */
static void long_silence_is_not_the_end(void **state)
{
	char *zeros = calloc(1, MEGABYTE);

	(void)state;
	there_and_back(zeros, MEGABYTE, 100, AC_GZIP, 9);
	assert_true(packed_len < 2000);
	there_and_back(zeros, MEGABYTE, MEGABYTE, AC_DEFLATE, 1);
	free(zeros);
}

static void byte_by_byte_with_waits(void **state)
{
	(void)state;
	there_and_back(text, 5000, 1, AC_GZIP, 9);
	there_and_back(noise, 5000, 1, AC_ZLIB, 1);
}

static void error_is_passed_on_and_it_can_be_freed(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 10; seed++) {
		struct ac_producer *p;
		int waited;

		made = freed = 0;
		p = ac_compressed_producer(strict(noise, seed * 9000, 5000, seed, -EDOM), AC_GZIP,
		                           1);
		assert_int_equal(drain(p, &waited), -EDOM);
		ac_producer_free(p);
		assert_int_equal(freed, made);
	}
}

static void freed_in_the_middle(void **state)
{
	(void)state;
	for (int steps = 0; steps < 4; steps++) {
		struct ac_producer *p;
		struct ac_slice s;

		made = freed = 0;
		p = ac_compressed_producer(strict(noise, MEGABYTE, 50000, 1, 0), AC_ZLIB, 1);
		for (int i = 0; i < steps;)
			i += p->cls->more(p, &s) == 0;
		ac_producer_free(p);
		assert_int_equal(freed, 1);
	}
}

static void refused(enum ac_compression format, int level)
{
	made = freed = 0;
	assert_null(ac_compressed_producer(strict("x", 1, 1, 1, 0), format, level));
	assert_int_equal(freed, 1);
}

static void no_such_level_or_format(void **state)
{
	(void)state;
	refused(AC_GZIP, -1);
	refused(AC_GZIP, 10);
	refused(AC_ZLIB, -2147483647 - 1);
	refused(AC_DEFLATE, 2147483647);
	refused((enum ac_compression)(AC_DEFLATE + 1), 1);
	refused((enum ac_compression) - 1, 1);
	assert_null(ac_compressed_producer(NULL, AC_GZIP, 1));
}

static void every_allocation_fails_once(void **state)
{
	long before = allocations(), nth = 0;
	struct ac_producer *p;
	int waited;

	(void)state;
	for (;;) {
		made = freed = 0;
		fail_allocation(++nth, false);
		p = ac_compressed_producer(strict("abc", 3, 3, 1, 0), AC_GZIP, 9);
		if (!allocation_failed())
			break;
		assert_null(p);
		assert_int_equal(freed, 1);
		assert_int_equal(allocations(), before);
	}
	assert_true(nth > 2);     /* zlib's too */
	fail_allocation(1, true); /* once it was made, it needs no more */
	assert_int_equal(drain(p, &waited), 0);
	assert_false(allocation_failed());
	fail_allocation(0, false);
	unpacks_to("abc", 3, AC_GZIP);
	ac_producer_free(p);
	assert_int_equal(freed, 1);
}

static void compressed_inside_chunks(void **state)
{
	struct ac_producer *p = ac_chunked_producer(
		ac_compressed_producer(strict(noise, 50000, 9000, 2, 0), AC_GZIP, 1));
	char *at = packed, *end;
	size_t size, n = 0;
	int waited;

	(void)state;
	assert_int_equal(drain(p, &waited), 0);
	ac_producer_free(p);
	while ((size = strtoul(at, &end, 16)) > 0) {
		memmove(packed + n, end + 2, size);
		n += size;
		at = end + 2 + size + 2;
	}
	packed_len = n;
	unpacks_to(noise, 50000, AC_GZIP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(every_format_and_level_there_and_back, epoll),
		ON(formats_begin_as_they_are_known, epoll),
		ON(level_is_used, epoll),
		ON(megabyte_of_noise_does_not_overflow_the_buffer, epoll),
		ON(long_silence_is_not_the_end, epoll),
		ON(byte_by_byte_with_waits, epoll),
		ON(error_is_passed_on_and_it_can_be_freed, epoll),
		ON(freed_in_the_middle, epoll),
		ON(no_such_level_or_format, epoll),
		ON(every_allocation_fails_once, epoll),
		ON(compressed_inside_chunks, epoll),
	};

	fill();
	return RUN(tests);
}
