/*
 * uring.h — the ring of raw_uring.c, and its ring of buffers for input.
 *
 * Design: SINGLE_ISSUER and DEFER_TASKRUN: one thread asks, and completions are made when it waits.
 * Buffers are given back with return_buffer, and publish_buffers shows them to the kernel together.
 */
#ifndef BENCH_URING_H
#define BENCH_URING_H

#include "common.h"

#include <liburing.h>
#include <sys/mman.h>

#define SQES 4096
#define CQES 32768 /* every connection of the bench may have some at once */
#define GROUP 0    /* of buffers */

static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static char *buffer_memory;
static unsigned buffer_count, buffer_size, returned;

/* ---- the ring ---------------------------------------------------------------------------- */

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	errno = -r;
	fail(what);
}

static struct io_uring_sqe *next_sqe(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (sqe)
		return sqe;
	check(io_uring_submit(&ring), "io_uring_submit");
	sqe = io_uring_get_sqe(&ring);
	if (!sqe)
		fail("io_uring_get_sqe");
	return sqe;
}

static char *buffer_at(int id)
{
	return buffer_memory + (size_t)id * buffer_size;
}

/* The kernel sees it when the batch is handled. */
static void return_buffer(int id)
{
	io_uring_buf_ring_add(buffers, buffer_at(id), buffer_size, (unsigned short)id,
	                      io_uring_buf_ring_mask(buffer_count), (int)returned++);
}

/* Before the next wait. */
static void publish_buffers(void)
{
	io_uring_buf_ring_advance(buffers, (int)returned);
	returned = 0;
}

static void open_ring(void)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
		         IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
		.cq_entries = CQES,
	};

	check(io_uring_queue_init_params(SQES, &ring, &params), "io_uring");
	check(io_uring_register_ring_fd(&ring), "io_uring_register_ring_fd");
}

static void open_buffers(unsigned count, unsigned bytes)
{
	struct io_uring_buf_reg reg = { .bgid = GROUP };
	size_t size;

	buffer_count = count;
	buffer_size = bytes;
	size = buffer_count * (sizeof(struct io_uring_buf) + buffer_size);
	buffers = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffers == MAP_FAILED)
		fail("mmap");
	buffer_memory = (char *)buffers + buffer_count * sizeof(struct io_uring_buf);
	reg.ring_addr = (uintptr_t)buffers;
	reg.ring_entries = buffer_count;
	check(io_uring_register_buf_ring(&ring, &reg, 0), "io_uring_register_buf_ring");
	io_uring_buf_ring_init(buffers);
	for (unsigned i = 0; i < buffer_count; i++)
		return_buffer((int)i);
	publish_buffers();
}

#endif
