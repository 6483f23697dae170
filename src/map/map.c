/*
 * map.c — making and freeing maps, the thread's own one, and the memory channels borrow from it.
 *
 * Design: input buffers and output chunks belong to the map, so that an idle channel holds none. A map freed
 * from inside a pass is only marked; it goes when the last frame has left.
 */
#include "map.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static const size_t default_limits[AC_LIMITS] = {
	[AC_MAX_RECORD] = 65536,         [AC_HIGH_WATER] = 262144, [AC_LOW_WATER] = 65536,
	[AC_MAX_OUTPUT] = 1 << 24,       [AC_MAX_ACCEPTS] = 16,    [AC_MAX_PER_ADDRESS] = SIZE_MAX,
	[AC_MAX_RECORD_TIME] = SIZE_MAX, [AC_MAX_STALL] = 30000,
};

#define FEWEST_CONNECTIONS 16

/* The rest is for files, for what the program opens by itself, and for those who are rejected with a word. */
static size_t default_limit(enum ac_limit which)
{
	size_t files;

	if (which != AC_MAX_CONNECTIONS)
		return default_limits[which];
	files = ac_sys_files_() / 10 * 8;
	return files > 64 + FEWEST_CONNECTIONS ? files - 64 : FEWEST_CONNECTIONS;
}

static _Thread_local struct ac_map *own_map;
static pthread_once_t own_map_once = PTHREAD_ONCE_INIT;
static pthread_key_t own_map_key;
static bool own_map_key_made;

static void complain(const struct ac_map_opts *opts, int r)
{
	char text[256];

	if (r != -EINVAL || !opts)
		return;
	snprintf(text, sizeof(text), "unknown poller \"%.64s\": this build has %s", opts->poller,
	         ac_poller_names_());
	if (opts->log)
		opts->log(opts->log_arg, AC_LOG_ERROR, text);
	else
		ac_log_stderr_(NULL, AC_LOG_ERROR, text);
}

/* Whoever asked for it is told each time; whoever asked for the best, once in the process. */
static void tell_refusal(struct ac_map *m, bool asked_for)
{
	static atomic_flag told = ATOMIC_FLAG_INIT;

	if (asked_for || !atomic_flag_test_and_set(&told))
		ac_map_log(m, asked_for ? AC_LOG_WARNING : AC_LOG_INFO,
		           "io_uring is refused here (%s): %s instead",
		           ac_error_name(-m->poller->refused), m->poller->cls->name);
}

static int map_init(struct ac_map *m, const struct ac_map_opts *opts)
{
	int r = ac_poller_new_(opts ? opts->poller : NULL, &m->poller);

	if (r < 0)
		return r;
	m->spare = ac_sys_spare_();
	m->stress_percent = 90;
	m->stress_factor = 0.25;
	m->edge = m->poller->cls->edge;
	m->log = opts && opts->log ? opts->log : ac_log_stderr_;
	m->log_arg = opts ? opts->log_arg : NULL;
	for (int i = 0; i < AC_LIMITS; i++)
		m->limits[i] =
			opts && opts->limits[i] ? opts->limits[i] : default_limit((enum ac_limit)i);
	ac_wheel_init_(&m->wheel, ac_clock_());
	if (m->poller->refused)
		tell_refusal(m, opts && opts->poller);
	return 0;
}

struct ac_map *ac_map_new(const struct ac_map_opts *opts)
{
	struct ac_map *m = ac_alloc_(sizeof(*m));
	int r = m ? map_init(m, opts) : -ENOMEM;

	if (r < 0) {
		complain(opts, r);
		ac_free_(m);
		errno = -r;
		return NULL;
	}
	ac_maps_count_(1);
	return m;
}

static void chunks_free(struct ac_map *m)
{
	while (m->chunks) {
		struct ac_chunk *next = m->chunks->next;

		ac_free_(m->chunks);
		m->chunks = next;
	}
}

static void classes_free(struct ac_map *m)
{
	while (m->classes) {
		struct ac_resolved *next = m->classes->next;

		ac_free_(m->classes);
		m->classes = next;
	}
}

static void map_destroy(struct ac_map *m)
{
	ac_graves_empty_(m);
	if (m->dialer)
		m->dialer->free(m->dialer);
	ac_tasks_drop_(m);
	if (own_map == m) {
		own_map = NULL;
		pthread_setspecific(own_map_key, NULL);
	}
	ac_free_given_up_(m);
	ac_poller_free_(m->poller);
	if (m->spare >= 0)
		ac_sys_close_(m->spare);
	chunks_free(m);
	ac_pipes_free_(m);
	classes_free(m);
	ac_free_(m->asked.at);
	ac_free_(m->pushed.at);
	ac_free_(m->buffer);
	ac_free_(m->batch);
	ac_free_(m->idle_output);
	ac_free_(m->census);
	ac_free_(m->slots);
	ac_free_(m);
	ac_maps_count_(-1);
}

void ac_map_reap_(struct ac_map *m)
{
	if (m->doomed && m->depth == 0 && m->loops == 0)
		map_destroy(m);
}

/* From here on the map takes no new channels. */
void ac_map_free(struct ac_map *m)
{
	if (!m || m->doomed)
		return;
	m->depth++;
	m->doomed = true;
	ac_close_all(m, false);
	ac_map_release_(m);
}

static void own_map_gone(void *m)
{
	ac_map_free(m);
}

static void own_map_prepare(void)
{
	own_map_key_made = pthread_key_create(&own_map_key, own_map_gone) == 0;
}

struct ac_map *ac_map_default(void)
{
	if (own_map)
		return own_map;
	pthread_once(&own_map_once, own_map_prepare);
	own_map = ac_map_new(NULL);
	if (own_map && own_map_key_made)
		pthread_setspecific(own_map_key, own_map);
	return own_map;
}

struct ac_map *ac_map_of_(struct ac_map *map)
{
	return map ? map : ac_map_default();
}

int64_t ac_map_time_(struct ac_map *m)
{
	if (m->now == AC_UNREAD)
		m->now = ac_clock_();
	return m->depth && m->now ? m->now : ac_clock_();
}

const char *ac_map_poller(const struct ac_map *map)
{
	const struct ac_map *m = ac_map_of_((struct ac_map *)map);

	return m ? m->poller->cls->name : "";
}

size_t ac_map_channels(const struct ac_map *map)
{
	const struct ac_map *m = ac_map_of_((struct ac_map *)map);

	return m ? m->live : 0;
}

size_t ac_map_tasks(const struct ac_map *map)
{
	const struct ac_map *m = ac_map_of_((struct ac_map *)map);

	return m ? m->wheel.count - m->inner_tasks : 0;
}

size_t ac_map_memory(const struct ac_map *map)
{
	const struct ac_map *m = ac_map_of_((struct ac_map *)map);
	size_t sum;

	if (!m)
		return 0;
	sum = sizeof(*m) + m->poller->cls->size + m->poller->cap * sizeof(struct ac_found) +
	      m->slot_cap * sizeof(struct ac_slot) +
	      (m->asked.cap + m->pushed.cap) * sizeof(struct ac_name) +
	      (size_t)m->chunk_count * AC_CHUNK_SIZE +
	      (m->buffer ? AC_READ_HEADROOM + AC_READ_SIZE : 0) + m->batch_size + m->post_memory +
	      ac_census_memory_(m);
	for (size_t i = 0; i < m->slot_used; i++)
		if (m->slots[i].d)
			sum += m->slots[i].d->cls->size +
			       (m->slots[i].d->extra ? sizeof(struct ac_extra) : 0);
	return sum;
}

void ac_map_set_limit(struct ac_map *map, enum ac_limit which, size_t value)
{
	struct ac_map *m = ac_map_of_(map);

	if (m && (unsigned)which < AC_LIMITS)
		m->limits[which] = value ? value : default_limit(which);
}

int ac_map_each(struct ac_map *map, int (*fn)(struct ac_dispatcher *d, void *arg), void *arg)
{
	struct ac_map *m = ac_map_of_(map);
	int r = 0;

	if (!m)
		return 0;
	m->depth++;
	for (size_t i = 0; r == 0 && i < m->slot_used; i++) {
		struct ac_dispatcher *d = m->slots[i].d;

		if (d && d->fd >= 0 && !(d->flags & AC_IS_CLOSING) && !(d->cls->flags & AC_INNER))
			r = fn(d, arg);
	}
	ac_map_release_(m);
	return r;
}

void *ac_chunk_take_(struct ac_map *m)
{
	struct ac_chunk *chunk = m->chunks;

	if (!chunk)
		return ac_realloc_(NULL, AC_CHUNK_SIZE);
	m->chunks = chunk->next;
	m->chunk_count--;
	return chunk;
}

void ac_chunk_give_(struct ac_map *m, void *chunk)
{
	if (m->chunk_count == AC_CHUNKS_KEPT) {
		ac_free_(chunk);
		return;
	}
	((struct ac_chunk *)chunk)->next = m->chunks;
	m->chunks = chunk;
	m->chunk_count++;
}

/* A read inside a nested pass finds the map's buffer lent and gets one of its own. */
char *ac_buffer_take_(struct ac_map *m)
{
	if (m->buffer_lent)
		return ac_realloc_(NULL, AC_READ_HEADROOM + AC_READ_SIZE);
	if (!m->buffer)
		m->buffer = ac_realloc_(NULL, AC_READ_HEADROOM + AC_READ_SIZE);
	m->buffer_lent = m->buffer != NULL;
	return m->buffer;
}

void ac_buffer_give_(struct ac_map *m, char *buffer)
{
	if (buffer == m->buffer)
		m->buffer_lent = false;
	else
		ac_free_(buffer);
}

/* As with the buffer. One is kept; it may be larger than what is asked for, and is so when it comes back. */
void *ac_batch_take_(struct ac_map *m, size_t *size)
{
	void *batch = m->batch;

	if (m->batch_size < *size)
		return ac_realloc_(NULL, *size);
	*size = m->batch_size;
	m->batch = NULL;
	m->batch_size = 0;
	return batch;
}

void ac_batch_give_(struct ac_map *m, void *batch, size_t size)
{
	void *smaller = m->batch_size < size ? m->batch : batch;

	if (m->batch_size < size) {
		m->batch = batch;
		m->batch_size = size;
	}
	ac_free_(smaller);
}
