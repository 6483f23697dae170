/*
 * ring.h — the few things the library does to an io_uring, and nothing else of it.
 *
 * Contract: every function returns ≥ 0 or -errno. The ring is made disabled and belongs to the thread that
 * submits first; from another one -EEXIST comes back. After a fork the child has the descriptor but not the
 * ring's memory: it may only free what it has of it.
 */
#ifndef AC_RING_H
#define AC_RING_H

#include <errno.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define AC_RING_BUFFERS 128 /* a power of two */
#define AC_RING_BUFFER_SIZE 16384

struct ac_ring {
	struct io_uring uring;
	bool enabled;
	struct io_uring_buf_ring *lent; /* to the kernel, for input; NULL: not yet */
	char *buffers;
};

#define AC_RING_NOBODY UINT64_MAX /* a request whose answer nobody waits for */

/* DEFER_TASKRUN is what makes it fast (Linux 6.1): completions happen when we wait, not in between. */
static inline int ac_ring_init_(struct ac_ring *r, unsigned entries, unsigned answers)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
		         IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL,
		.cq_entries = answers,
	};
	int e = io_uring_queue_init_params(entries, &r->uring, &params);

	r->enabled = false;
	r->lent = NULL;
	r->buffers = NULL;
	if (e < 0)
		return e;
	e = io_uring_ring_dontfork(&r->uring);
	if (e < 0)
		io_uring_queue_exit(&r->uring);
	return e;
}

#define AC_RING_LENT_SIZE (AC_RING_BUFFERS * sizeof(struct io_uring_buf))
#define AC_RING_INPUT_SIZE ((size_t)AC_RING_BUFFERS * AC_RING_BUFFER_SIZE)

static inline void *ac_ring_map_(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static inline void ac_ring_unmap_(void *memory, size_t size)
{
	if (memory && memory != MAP_FAILED)
		munmap(memory, size);
}

/* A child has the descriptor, which is the parent's as well, and no memory but that of the input. */
static inline void ac_ring_fini_(struct ac_ring *r, bool in_child)
{
	if (in_child) {
		close(r->uring.ring_fd);
	} else {
		io_uring_queue_exit(&r->uring);
		ac_ring_unmap_(r->lent, AC_RING_LENT_SIZE);
	}
	ac_ring_unmap_(r->buffers, AC_RING_INPUT_SIZE);
}

static inline void ac_ring_lend_(struct ac_ring *r, unsigned buffer)
{
	io_uring_buf_ring_add(r->lent, r->buffers + (size_t)buffer * AC_RING_BUFFER_SIZE,
	                      AC_RING_BUFFER_SIZE, (unsigned short)buffer, AC_RING_BUFFERS - 1, 0);
	io_uring_buf_ring_advance(r->lent, 1);
}

/* The kernel holds on to the pages in which buffers are lent: a fork must not copy them. */
static inline int ac_ring_register_(struct ac_ring *r, void *lent)
{
	struct io_uring_buf_reg reg = { .ring_addr = (uintptr_t)lent,
		                        .ring_entries = AC_RING_BUFFERS };

	if (madvise(lent, AC_RING_LENT_SIZE, MADV_DONTFORK) < 0)
		return -errno;
	return io_uring_register_buf_ring(&r->uring, &reg, 0);
}

/* Memory for input, at first use. */
static inline int ac_ring_make_buffers_(struct ac_ring *r)
{
	void *lent, *buffers;
	int e;

	if (r->lent)
		return 0;
	lent = ac_ring_map_(AC_RING_LENT_SIZE);
	buffers = ac_ring_map_(AC_RING_INPUT_SIZE);
	e = lent == MAP_FAILED || buffers == MAP_FAILED ? -ENOMEM : ac_ring_register_(r, lent);
	if (e < 0) {
		ac_ring_unmap_(lent, AC_RING_LENT_SIZE);
		ac_ring_unmap_(buffers, AC_RING_INPUT_SIZE);
		return e;
	}
	r->lent = lent;
	r->buffers = buffers;
	for (unsigned i = 0; i < AC_RING_BUFFERS; i++)
		ac_ring_lend_(r, i);
	return 0;
}

/* liburing 2.3 declares a function for it and does not export it. */
static inline int ac_ring_enable_(struct ac_ring *r)
{
	if (!r->enabled && syscall(__NR_io_uring_register, r->uring.ring_fd,
	                           IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0)
		return -errno;
	r->enabled = true;
	return 0;
}

/* Answers that did not fit into the ring wait in the kernel. */
static inline bool ac_ring_overflows_(const struct ac_ring *r)
{
	return __atomic_load_n(r->uring.sq.kflags, __ATOMIC_RELAXED) & IORING_SQ_CQ_OVERFLOW;
}

/* Hands over what was requested and takes in what is there, without waiting. */
static inline int ac_ring_submit_(struct ac_ring *r)
{
	int e = ac_ring_enable_(r);

	if (e == 0)
		e = io_uring_submit_and_get_events(&r->uring);
	return e < 0 ? e : 0;
}

/* The same, and waits for an answer; timeout in nanoseconds, negative: for ever. */
static inline int ac_ring_wait_(struct ac_ring *r, int64_t timeout)
{
	struct __kernel_timespec t = { timeout / 1000000000, timeout % 1000000000 };
	struct io_uring_cqe *cqe;
	int e = timeout == 0 ? ac_ring_submit_(r) : ac_ring_enable_(r);

	if (e < 0 || timeout == 0)
		return e;
	if (timeout < 0)
		return io_uring_submit_and_wait(&r->uring, 1);
	e = io_uring_submit_and_wait_timeout(&r->uring, &cqe, 1, &t, NULL);
	return e == -ETIME ? 0 : e;
}

/* A place for a request; when there is none, those before it are handed over first. */
static inline int ac_ring_request_(struct ac_ring *r, struct io_uring_sqe **ret_sqe)
{
	int e = 0;

	*ret_sqe = io_uring_get_sqe(&r->uring);
	if (*ret_sqe)
		return 0;
	e = ac_ring_submit_(r);
	*ret_sqe = e < 0 ? NULL : io_uring_get_sqe(&r->uring);
	return *ret_sqe ? 0 : e < 0 ? e : -EBUSY;
}

/* Every change of this descriptor, until it is cancelled: answers have F_MORE while it goes on. */
static inline int ac_ring_poll_(struct ac_ring *r, int fd, unsigned events, uint64_t token)
{
	struct io_uring_sqe *sqe;
	int e = ac_ring_request_(r, &sqe);

	if (e < 0)
		return e;
	io_uring_prep_poll_multishot(sqe, fd, events);
	io_uring_sqe_set_data64(sqe, token);
	return 0;
}

/* Input of this stream, in the buffers that are lent, until it is cancelled or answers without F_MORE. */
static inline int ac_ring_recv_(struct ac_ring *r, int fd, uint64_t token)
{
	struct io_uring_sqe *sqe;
	int e = ac_ring_make_buffers_(r);

	if (e < 0)
		return e;
	e = ac_ring_request_(r, &sqe);
	if (e < 0)
		return e;
	io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
	io_uring_sqe_set_flags(sqe, IOSQE_BUFFER_SELECT);
	sqe->buf_group = 0;
	io_uring_sqe_set_data64(sqe, token);
	return 0;
}

/* Answered only if not all of it could be sent. */
static inline int ac_ring_send_(struct ac_ring *r, int fd, struct ac_slice data, uint64_t token)
{
	struct io_uring_sqe *sqe;
	int e = ac_ring_request_(r, &sqe);

	if (e < 0)
		return e;
	io_uring_prep_send(sqe, fd, data.data, data.len, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL);
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
	io_uring_sqe_set_data64(sqe, token);
	return 0;
}

static inline int ac_ring_cancel_(struct ac_ring *r, uint64_t token)
{
	struct io_uring_sqe *sqe;
	int e = ac_ring_request_(r, &sqe);

	if (e < 0)
		return e;
	io_uring_prep_cancel64(sqe, token, IORING_ASYNC_CANCEL_ALL);
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
	io_uring_sqe_set_data64(sqe, AC_RING_NOBODY);
	return 0;
}

#endif
