/* test_file_producer.c — a part of a file: which bytes, whose descriptor, files that cannot be read. */
#include "harness.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

#define PIECE 16384
#define MEGABYTE 1000000

static char content[MEGABYTE];

/* A file of the first bytes of `content`, open, without a name. */
static int file_of(size_t len)
{
	char name[] = "/tmp/asyncore-test-XXXXXX";
	int fd = mkstemp(name);
	unsigned seed = 4;

	assert_true(fd >= 0);
	unlink(name);
	for (size_t i = 0; i < len; i++)
		content[i] = (char)rand_r(&seed);
	assert_int_equal(write(fd, content, len), (ssize_t)len);
	return fd;
}

/* The bytes from `offset` on until it ends or fails; how many they were in *ret_len. */
static int read_all(struct ac_producer *p, size_t offset, size_t *ret_len)
{
	struct ac_slice s;
	int r;

	*ret_len = 0;
	assert_non_null(p);
	while ((r = p->cls->more(p, &s)) == 0 && s.len) {
		assert_true(s.len <= PIECE);
		assert_memory_equal(s.data, content + offset + *ret_len, s.len);
		*ret_len += s.len;
	}
	return r;
}

static void part(size_t size, size_t offset, size_t len)
{
	struct ac_producer *p = ac_file_producer(file_of(size), (int64_t)offset, (int64_t)len);
	struct ac_slice s;
	size_t n;

	assert_int_equal(read_all(p, offset, &n), 0);
	assert_int_equal(n, len);
	assert_int_equal(p->cls->more(p, &s), 0); /* exhausted, though the file goes on */
	assert_int_equal(s.len, 0);
	ac_producer_free(p);
}

static void exactly_the_part_that_was_asked_for(void **state)
{
	static const size_t lens[] = { 0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 40000 };

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		part(50000, 0, lens[i]);
		part(50000, 777, lens[i]);
		part(50000, 50000 - lens[i], lens[i]); /* up to its end */
	}
}

static void megabyte_whole(void **state)
{
	(void)state;
	part(MEGABYTE, 0, MEGABYTE);
}

static void two_share_an_open_file_and_its_position_stays(void **state)
{
	int fd = file_of(60000), other = dup(fd);
	struct ac_producer *a, *b;
	struct ac_slice s;
	size_t n;

	(void)state;
	assert_int_equal(lseek(fd, 5, SEEK_SET), 5);
	a = ac_file_producer(fd, 0, 60000);
	b = ac_file_producer(dup(fd), 30000, 30000);
	assert_int_equal(a->cls->more(a, &s), 0);
	assert_int_equal(read_all(b, 30000, &n), 0);
	assert_int_equal(n, 30000);
	assert_int_equal(s.len, PIECE); /* still lent */
	assert_memory_equal(s.data, content, PIECE);
	assert_int_equal(read_all(a, PIECE, &n), 0);
	assert_int_equal(n, 60000 - PIECE);
	assert_int_equal(lseek(other, 0, SEEK_CUR), 5);
	ac_producer_free(a);
	ac_producer_free(b);
	close(other);
}

static void shorter_than_promised_is_an_error_and_stays_one(void **state)
{
	struct ac_producer *p = ac_file_producer(file_of(20000), 0, 20001);
	struct ac_slice s;
	size_t n;

	(void)state;
	assert_int_equal(read_all(p, 0, &n), -EIO);
	assert_int_equal(n, 20000); /* what there was came first */
	assert_int_equal(p->cls->more(p, &s), -EIO);
	ac_producer_free(p);
	p = ac_file_producer(file_of(10), 11, 1); /* begins behind the end */
	assert_int_equal(read_all(p, 0, &n), -EIO);
	assert_int_equal(n, 0);
	ac_producer_free(p);
}

static void file_cut_or_grown_while_it_is_read(void **state)
{
	int fd = file_of(60000);
	struct ac_producer *p = ac_file_producer(dup(fd), 0, 60000);
	struct ac_slice s;
	size_t n;

	(void)state;
	assert_int_equal(p->cls->more(p, &s), 0);
	assert_int_equal(s.len, PIECE);
	assert_int_equal(ftruncate(fd, PIECE + 100), 0);
	assert_int_equal(read_all(p, PIECE, &n), -EIO);
	assert_int_equal(n, 100);
	ac_producer_free(p);
	p = ac_file_producer(dup(fd), 0, 200);
	assert_int_equal(ftruncate(fd, 100000), 0);
	assert_int_equal(read_all(p, 0, &n), 0);
	assert_int_equal(n, 200);
	ac_producer_free(p);
	close(fd);
}

static void what_cannot_be_read_raises_what_the_kernel_said(void **state)
{
	int pipes[2];
	struct ac_producer *p;
	struct ac_slice s;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	p = ac_file_producer(pipes[0], 0, 1);
	assert_int_equal(p->cls->more(p, &s), -ESPIPE);
	ac_producer_free(p);
	close(pipes[1]);
	p = ac_file_producer(open("/tmp", O_RDONLY | O_DIRECTORY), 0, 1);
	assert_int_equal(p->cls->more(p, &s), -EISDIR);
	ac_producer_free(p);
}

/* The descriptor must be closed when the call returns, however it ended. */
static void refused(int64_t offset, int64_t len)
{
	int fd = file_of(10);

	assert_null(ac_file_producer(fd, offset, len));
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
}

static void bad_part_closes_the_descriptor(void **state)
{
	(void)state;
	refused(-1, 1);
	refused(0, -1);
	refused(-1, -1);
	refused(INT64_MIN, 1);
	refused(0, INT64_MIN);
	refused(1, INT64_MAX); /* ends where no offset is */
	refused(INT64_MAX, 1);
	assert_null(ac_file_producer(-1, 0, 1));
	assert_null(ac_file_producer(-1, -1, -1));
}

static void no_memory_closes_the_descriptor(void **state)
{
	long before = allocations();

	(void)state;
	fail_allocation(1, false);
	refused(0, 10);
	assert_true(allocation_failed());
	assert_int_equal(allocations(), before);
}

static void freed_in_the_middle_closes_the_descriptor(void **state)
{
	int fd = file_of(50000);
	struct ac_producer *p = ac_file_producer(fd, 0, 50000);
	struct ac_slice s;

	(void)state;
	assert_int_equal(p->cls->more(p, &s), 0);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	ac_producer_free(p);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(exactly_the_part_that_was_asked_for, epoll),
		ON(megabyte_whole, epoll),
		ON(two_share_an_open_file_and_its_position_stays, epoll),
		ON(shorter_than_promised_is_an_error_and_stays_one, epoll),
		ON(file_cut_or_grown_while_it_is_read, epoll),
		ON(what_cannot_be_read_raises_what_the_kernel_said, epoll),
		ON(bad_part_closes_the_descriptor, epoll),
		ON(no_memory_closes_the_descriptor, epoll),
		ON(freed_in_the_middle_closes_the_descriptor, epoll),
	};

	return RUN(tests);
}
