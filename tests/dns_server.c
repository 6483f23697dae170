/* dns_server.c — see dns_server.h. */
#include "dns_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE 65000
#define LATE 64
#define ASKED 256
#define NAME 300

/* What is sent when its time has come. */
struct late {
	long due; /* milliseconds; 0: free */
	struct sockaddr_in to;
	size_t len;
	unsigned char *data;
};

struct dns_server {
	const struct dns_rule *rules;
	int udp, tcp, stop[2];
	pthread_t thread;
	pthread_mutex_t lock; /* of what was asked */
	struct {
		char name[NAME];
		int type;
	} asked[ASKED];
	int asked_count;
	struct late late[LATE];
	char address[32];
};

/* A message being written. */
struct message {
	unsigned char data[MESSAGE];
	size_t len;
	unsigned owner;
};

struct question {
	const unsigned char *data; /* all of it */
	size_t len;                /* of header and question */
	char name[NAME];
	int type;
	bool tcp;
	struct sockaddr_in from;
	int fd;
};

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- reading ---- */

static bool read_question(struct question *q, const unsigned char *data, size_t len)
{
	size_t at = 12, n = 0;

	if (len < 17)
		return false;
	while (at < len && data[at]) {
		size_t label = data[at++];

		if (label > 63 || at + label >= len || n + label + 2 > sizeof(q->name))
			return false;
		if (n)
			q->name[n++] = '.';
		memcpy(q->name + n, data + at, label);
		n += label;
		at += label;
	}
	if (at + 5 > len)
		return false;
	q->name[n] = '\0';
	q->type = data[at + 1] << 8 | data[at + 2];
	q->data = data;
	q->len = at + 5;
	return true;
}

static const struct dns_rule *find_rule(const struct dns_server *s, const struct question *q)
{
	const struct dns_rule *r = s->rules;

	while (r->name && (strcasecmp(r->name, q->name) != 0 || (r->type && r->type != q->type)))
		r++;
	return r->name ? r : NULL;
}

static void note(struct dns_server *s, const struct question *q)
{
	pthread_mutex_lock(&s->lock);
	if (s->asked_count < ASKED) {
		snprintf(s->asked[s->asked_count].name, NAME, "%s", q->name);
		s->asked[s->asked_count++].type = q->type;
	}
	pthread_mutex_unlock(&s->lock);
}

int dns_asked(struct dns_server *s, const char *name, int type)
{
	int n = 0;

	pthread_mutex_lock(&s->lock);
	for (int i = 0; i < s->asked_count; i++)
		n += (!name || strcasecmp(name, s->asked[i].name) == 0) &&
		     (!type || type == s->asked[i].type);
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* ---- writing ---- */

static void put_bytes(struct message *m, const void *data, size_t len)
{
	memcpy(m->data + m->len, data, len);
	m->len += len;
}

static void put16(struct message *m, unsigned n)
{
	unsigned char two[2] = { (unsigned char)(n >> 8), (unsigned char)n };

	put_bytes(m, two, 2);
}

static void put_name(struct message *m, const char *name)
{
	while (*name) {
		unsigned char len = (unsigned char)strcspn(name, ".");

		put_bytes(m, &len, 1);
		put_bytes(m, name, len);
		name += len + (name[len] == '.');
	}
	put_bytes(m, "", 1);
}

static void begin(struct message *m, const struct question *q, unsigned flags)
{
	m->len = 0;
	m->owner = 12;
	put_bytes(m, q->data, q->len);
	m->data[2] = (unsigned char)(0x80 | (q->data[2] & 1) | flags >> 8);
	m->data[3] = (unsigned char)(0x80 | (flags & 0x7f));
	memset(m->data + 6, 0, 6);
}

/* The owner is a name, or where NULL the one that stands at m->owner, first the question's. Returns where the
 * length of its data stands. */
static size_t begin_record(struct message *m, const char *owner, int type)
{
	if (owner)
		put_name(m, owner);
	else
		put16(m, 0xc000 | m->owner);
	put16(m, (unsigned)type);
	put_bytes(m, "\0\1\0\0\0\74\0\0", 8); /* IN, a minute, no data yet */
	if (++m->data[7] == 0)
		m->data[6]++;
	return m->len - 2;
}

static void end_record(struct message *m, size_t length_at)
{
	size_t len = m->len - length_at - 2;

	m->data[length_at] = (unsigned char)(len >> 8);
	m->data[length_at + 1] = (unsigned char)len;
}

static void put_addr(struct message *m, const char *owner, const char *text)
{
	int type = strchr(text, ':') ? DNS_AAAA : DNS_A;
	unsigned char bytes[16];
	size_t at = begin_record(m, owner, type);

	inet_pton(type == DNS_A ? AF_INET : AF_INET6, text, bytes);
	put_bytes(m, bytes, type == DNS_A ? 4 : 16);
	end_record(m, at);
}

static void put_cname(struct message *m, const char *owner, const char *target)
{
	size_t at = begin_record(m, owner, 5);

	put_name(m, target);
	end_record(m, at);
}

/* Those of the type that was asked for. */
static void put_addrs(struct message *m, const struct question *q, const char *owner,
                      const char *data)
{
	char text[512], *rest = NULL;

	snprintf(text, sizeof(text), "%s", data ? data : "");
	for (char *one = strtok_r(text, " ", &rest); one; one = strtok_r(NULL, " ", &rest))
		if ((strchr(one, ':') ? DNS_AAAA : DNS_A) == q->type)
			put_addr(m, owner, one);
}

static void put_chain(struct message *m, const struct question *q, const char *data)
{
	char name[32], target[32];

	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "link%d.test", i);
		snprintf(target, sizeof(target), "link%d.test", i + 1);
		put_cname(m, i ? name : NULL, target);
	}
	put_addrs(m, q, target, data);
}

/* A CNAME of so many bytes on the wire, in labels of at most 63, and an address. */
static void put_long_name(struct message *m, int size)
{
	size_t at = begin_record(m, NULL, 5);
	char letters[64];

	memset(letters, 'a', sizeof(letters));
	for (int left = size - 1; left > 0;) {
		unsigned char len = (unsigned char)(left > 64 ? 63 : left - 1);

		if (left - len - 1 == 1) /* or one byte would be left, which is no label */
			len--;
		put_bytes(m, &len, 1);
		put_bytes(m, letters, len);
		left -= len + 1;
	}
	put_bytes(m, "", 1);
	end_record(m, at);
	m->owner = (unsigned)at + 2;
	put_addr(m, NULL, "127.0.0.1");
}

static void put_pointer(struct message *m, unsigned to)
{
	size_t at = begin_record(m, NULL, 5);

	put16(m, 0xc000 | (to ? to : (unsigned)m->len));
	end_record(m, at);
}

static void put_many(struct message *m, int count)
{
	char text[32];

	for (int i = 0; i < count; i++) {
		snprintf(text, sizeof(text), "127.1.%d.%d", i / 256, i % 256);
		put_addr(m, NULL, text);
	}
}

/* ---- sending ---- */

static void send_now(struct dns_server *s, const struct question *q, const struct message *m)
{
	unsigned char len[2] = { (unsigned char)(m->len >> 8), (unsigned char)m->len };

	if (q->tcp) {
		if (send(q->fd, len, 2, MSG_NOSIGNAL | MSG_MORE) == 2)
			send(q->fd, m->data, m->len, MSG_NOSIGNAL);
	} else {
		sendto(s->udp, m->data, m->len, 0, (const struct sockaddr *)&q->from,
		       sizeof(q->from));
	}
}

static void send_in(struct dns_server *s, const struct question *q, const struct message *m,
                    int delay)
{
	struct late *l = s->late;

	if (delay == 0 || q->tcp) {
		send_now(s, q, m);
		return;
	}
	while (l->due)
		if (++l == s->late + LATE)
			return;
	*l = (struct late){ now_ms() + delay, q->from, m->len, malloc(m->len) };
	memcpy(l->data, m->data, m->len);
}

/* Sends what is due; how long to wait for the next, -1: for ever. */
static int send_late(struct dns_server *s)
{
	long now = now_ms(), wait = -1;

	for (struct late *l = s->late; l < s->late + LATE; l++) {
		if (!l->due)
			continue;
		if (l->due <= now) {
			sendto(s->udp, l->data, l->len, 0, (struct sockaddr *)&l->to,
			       sizeof(l->to));
			free(l->data);
			*l = (struct late){ 0 };
		} else if (wait < 0 || l->due - now < wait) {
			wait = l->due - now;
		}
	}
	return (int)wait;
}

/* A lie first. It comes with an address that no test wants. */
static void send_lie(struct dns_server *s, const struct question *q, struct message *m,
                     enum dns_answer how)
{
	begin(m, q, 0);
	put_addr(m, NULL, q->type == DNS_A ? "127.6.6.6" : "::6");
	m->data[how == DNS_WRONG_ID ? 0 : 13] ^=
		0x02; /* the number, or the first letter of the name */
	send_now(s, q, m);
}

static void answer(struct dns_server *s, const struct question *q, const struct dns_rule *r)
{
	static const unsigned codes[] = { [DNS_NXDOMAIN] = 3, [DNS_SERVFAIL] = 2 };
	enum dns_answer how = r ? r->answer : DNS_NXDOMAIN;
	static struct message m;
	char target[NAME] = "";

	if (how == DNS_WRONG_ID || how == DNS_WRONG_QUESTION)
		send_lie(s, q, &m, how);
	begin(&m, q, how == DNS_NXDOMAIN || how == DNS_SERVFAIL ? codes[how] : 0);
	switch (how) {
	case DNS_NEVER:
		return;
	case DNS_TRUNCATED_SHUT:
	case DNS_TRUNCATED:
		if (!q->tcp)
			m.data[2] |= 2;
		else if (how == DNS_TRUNCATED)
			put_addrs(&m, q, NULL, r->data);
		else
			return;
		break;
	case DNS_CNAME:
		sscanf(r->data, "%299s", target);
		put_cname(&m, NULL, target);
		put_addrs(&m, q, target, r->data + strcspn(r->data, " "));
		break;
	case DNS_CHAIN:
		put_chain(&m, q, r->data);
		break;
	case DNS_GARBAGE:
		memset(m.data + 12, 0xff, m.len);
		m.data[5] = m.data[7] = 77;
		break;
	case DNS_SHORT:
		put_addr(&m, NULL, "127.0.0.1");
		m.len -= 2;
		break;
	case DNS_LOOP:
		put_pointer(&m, 0);
		break;
	case DNS_FORWARD:
		put_pointer(&m, 0x3fff);
		break;
	case DNS_LONG_NAME:
		put_long_name(&m, atoi(r->data));
		break;
	case DNS_MANY:
		put_many(&m, q->type == DNS_A ? atoi(r->data) : 0);
		break;
	case DNS_NXDOMAIN:
	case DNS_SERVFAIL:
		break;
	default:
		put_addrs(&m, q, NULL, r->data);
	}
	send_in(s, q, &m, r ? r->delay : 0);
}

static void take_question(struct dns_server *s, struct question *q, const unsigned char *data,
                          size_t len)
{
	if (!read_question(q, data, len))
		return;
	note(s, q);
	answer(s, q, find_rule(s, q));
}

static void serve_udp(struct dns_server *s)
{
	struct question q = { .fd = -1 };
	unsigned char data[4096];
	socklen_t size = sizeof(q.from);
	ssize_t n = recvfrom(s->udp, data, sizeof(data), 0, (struct sockaddr *)&q.from, &size);

	if (n > 0)
		take_question(s, &q, data, (size_t)n);
}

/* One question a connection, which has a second to come. */
static void serve_tcp(struct dns_server *s)
{
	struct timeval second = { 1, 0 };
	struct question q = { .tcp = true };
	unsigned char data[4096];
	ssize_t n;

	q.fd = accept(s->tcp, NULL, NULL);
	if (q.fd < 0)
		return;
	setsockopt(q.fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
	n = recv(q.fd, data, 2, MSG_WAITALL);
	if (n == 2 && (data[0] << 8 | data[1]) <= (int)sizeof(data)) {
		n = recv(q.fd, data, (size_t)(data[0] << 8 | data[1]), MSG_WAITALL);
		if (n > 0)
			take_question(s, &q, data, (size_t)n);
	}
	close(q.fd);
}

static void *serve(void *arg)
{
	struct dns_server *s = arg;
	struct pollfd p[] = { { s->udp, POLLIN, 0 },
		              { s->tcp, POLLIN, 0 },
		              { s->stop[0], POLLIN, 0 } };

	while (poll(p, 3, send_late(s)) >= 0 && !p[2].revents) {
		if (p[0].revents)
			serve_udp(s);
		if (p[1].revents)
			serve_tcp(s);
	}
	return NULL;
}

/* ---- beginning and end ---- */

/* A port that both protocols have free. */
static int bind_both(struct dns_server *s)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(in);

	for (int i = 0; i < 20; i++) {
		in.sin_port = 0;
		s->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		s->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (bind(s->udp, (struct sockaddr *)&in, sizeof(in)) == 0 &&
		    getsockname(s->udp, (struct sockaddr *)&in, &size) == 0 &&
		    bind(s->tcp, (struct sockaddr *)&in, sizeof(in)) == 0 &&
		    listen(s->tcp, 16) == 0)
			return ntohs(in.sin_port);
		close(s->udp);
		close(s->tcp);
	}
	abort();
}

struct dns_server *dns_start(const struct dns_rule *rules)
{
	struct dns_server *s = calloc(1, sizeof(*s));

	s->rules = rules;
	pthread_mutex_init(&s->lock, NULL);
	snprintf(s->address, sizeof(s->address), "127.0.0.1:%d", bind_both(s));
	if (pipe(s->stop) < 0 || pthread_create(&s->thread, NULL, serve, s) != 0)
		abort();
	return s;
}

void dns_stop(struct dns_server *s)
{
	close(s->stop[1]);
	pthread_join(s->thread, NULL);
	close(s->stop[0]);
	close(s->udp);
	close(s->tcp);
	for (int i = 0; i < LATE; i++)
		free(s->late[i].data);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

const char *dns_address(const struct dns_server *s)
{
	return s->address;
}
