/* feeds.c — see feeds.h. */
#include "feeds.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#define TOKEN(i) (((uint64_t)7 << 32) + 5000 + (uint64_t)(i)) /* nobody's in a map */

char byte_at(int stream, size_t place)
{
	return (char)((place * 7 + place / 251 + (size_t)stream * 13) & 0x7F);
}

void streams_open(struct streams *s, struct ac_poller *p)
{
	memset(s, 0, sizeof(*s));
	s->p = p;
	for (int i = 0; i < STREAMS; i++)
		unix_pair(s->at[i].fds);
}

void streams_write(struct streams *s)
{
	static char text[4096];

	for (int i = 0; i < STREAMS; i++) {
		struct stream *t = &s->at[i];
		ssize_t n = 1;

		while (n > 0 && t->wrote < STREAM_SIZE) {
			size_t len = STREAM_SIZE - t->wrote;

			len = len < sizeof(text) ? len : sizeof(text);
			for (size_t j = 0; j < len; j++)
				text[j] = byte_at(i, t->wrote + j);
			n = send(t->fds[1], text, len, MSG_NOSIGNAL);
			t->wrote += n > 0 ? (size_t)n : 0;
		}
	}
}

void streams_arm(struct streams *s)
{
	for (int i = 0; i < STREAMS; i++) {
		struct stream *t = &s->at[i];

		if (!t->armed)
			assert_int_equal(s->p->cls->set(s->p, t->fds[0], TOKEN(i), 0, AC_FEED), 0);
		t->armed = true;
	}
}

static void take(struct streams *s, const struct ac_found *f, bool keep)
{
	int i = (int)(f->token - TOKEN(0));
	struct stream *t = &s->at[i];

	assert_in_range(i, 0, STREAMS - 1);
	assert_true(f->events & AC_DATA);
	if (f->events & AC_LAPSED)
		t->armed = false;
	if (f->len == -EAGAIN) {
		assert_false(t->armed);
		s->short_of++;
		return;
	}
	assert_in_range(f->len, 1, AC_RING_BUFFER_SIZE);
	for (int j = 0; j < f->len; j++)
		if (f->data[j] != byte_at(i, t->read + (size_t)j))
			fail_msg("stream %d differs at %zu", i, t->read + (size_t)j);
	t->read += (size_t)f->len;
	if (keep)
		s->lent[s->lent_count++] = *f;
	else
		s->p->cls->give_back(s->p, f);
}

int streams_read(struct streams *s, bool keep)
{
	int n = s->p->cls->wait(s->p, 0);

	for (int i = 0; i < n; i++)
		take(s, &s->p->found[i], keep);
	return n;
}

void streams_give_back(struct streams *s)
{
	while (s->lent_count > 0)
		s->p->cls->give_back(s->p, &s->lent[--s->lent_count]);
}

void streams_close(struct streams *s)
{
	for (int i = 0; i < STREAMS; i++) {
		struct stream *t = &s->at[i];

		if (t->armed)
			s->p->cls->set(s->p, t->fds[0], TOKEN(i), AC_FEED, 0);
		close(t->fds[0]);
		close(t->fds[1]);
	}
	while (streams_read(s, false) > 0)
		;
}

int usable_buffers(struct ac_poller *p)
{
	struct streams s;
	int count;

	streams_open(&s, p);
	streams_arm(&s);
	for (int i = 0; i < 20; i++) {
		streams_write(&s);
		streams_read(&s, true);
	}
	count = s.lent_count;
	streams_give_back(&s);
	streams_close(&s);
	return count;
}

bool has_ring(const struct ac_poller *p)
{
	return strcmp(p->cls->name, "io_uring") == 0;
}

static int fed_line(struct ac_chat *c)
{
	struct fed *f = (struct fed *)c;
	struct ac_slice s = ac_incoming(c);
	char text[LINE] = "";

	if (s.len == LINE - 1)
		memcpy(text, s.data, s.len);
	f->differs |= strtoul(text, NULL, 10) != f->lines++;
	return f->on_line ? f->on_line(f) : 0;
}

static const struct ac_chat_class fed_class = {
	.d = { .super = AC_CHAT, .name = "fed", .size = sizeof(struct fed) },
	.found_terminator = fed_line,
};

struct fed *adopt(struct ac_map *map, int fd, int (*on_line)(struct fed *f))
{
	struct fed *f = (struct fed *)ac_chat_adopt(map, &fed_class, fd, NULL);

	assert_non_null(f);
	f->on_line = on_line;
	assert_int_equal(ac_set_terminator(&f->c, "\n", 1), 0);
	return f;
}

int echo(struct fed *f)
{
	struct ac_slice s = ac_incoming(&f->c);

	AC_TRY(f, ac_push(&f->c, s.data, s.len));
	return ac_push(&f->c, "\n", 1);
}

/* Numbered lines from *wrote on, up to `most` bytes; what the kernel takes. */
void write_lines(int fd, size_t *wrote, size_t most)
{
	char text[400 * LINE + 1];

	while (*wrote < most) {
		size_t first = *wrote - *wrote % LINE, len = 0, skip = *wrote % LINE;
		ssize_t n;

		while (len < sizeof(text) - 1 && first + len < most) {
			size_t line = (first + len) / LINE;

			len += (size_t)snprintf(text + len, LINE + 1, "%09zu\n", line);
		}
		n = send(fd, text + skip, len - skip, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n <= 0)
			return;
		*wrote += (size_t)n;
	}
}

size_t queued(int fd, unsigned long which)
{
	int n = 0;

	assert_int_equal(ioctl(fd, which, &n), 0);
	return (size_t)n;
}

size_t unread(int fd)
{
	return queued(fd, SIOCINQ);
}

/* What the peer has written and nobody has read; part of it has not left the peer's side. */
size_t in_kernel(int fd, int peer)
{
	return queued(fd, SIOCINQ) + queued(peer, SIOCOUTQNSD);
}

void talk(struct world *w, int fd, size_t line)
{
	char text[24], back[24] = "";
	size_t len = 0;

	snprintf(text, sizeof(text), "%09zu\n", line);
	put(fd, text);
	for (int i = 0; i < 200 && len < LINE; i++) {
		ac_poll(w->map, 0.01);
		len += get(fd, back + len, sizeof(back) - len);
	}
	assert_string_equal(back, text);
}
