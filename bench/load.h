/*
 * load.h — the load generator's parts.
 *
 *	load.c        options, the run of a measurement, what is printed
 *	load_lines.c  works of lines: echo, broadcast, memory       load_bulk.c  source, file, sink, hangup
 *	load_net.c    connections                                   load_proc.c  what /proc says of the server
 *	load_hist.c   latencies                                     load_tls.c   bytes, plain or under TLS
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

#define BATCH 512
#define PATIENCE 10 /* seconds without a byte, then it is an error */
#define SECOND 1000000000ll

struct load;
struct client;

/* ---- load_hist.c: a histogram of nanoseconds, exact to 1/64 ------------------------------ */

#define HIST_FINE 64
#define HIST_ROWS 40

struct hist {
	uint64_t count;
	uint64_t cells[HIST_ROWS * HIST_FINE];
};
void hist_add(struct hist *h, int64_t ns, uint64_t times);
double hist_us(const struct hist *h, double share); /* 0.99: so many are not longer; 0 if empty */

/* ---- load_proc.c ------------------------------------------------------------------------- */

int64_t server_cpu_ns(int pid);  /* of all threads that live */
size_t server_files(int pid);    /* open descriptors */
uint64_t server_memory(int pid); /* anonymous bytes, as soon as they stay the same */

/* ---- load_net.c -------------------------------------------------------------------------- */

__attribute__((noreturn)) void die(const char *what); /* with errno */
__attribute__((noreturn, format(printf, 1, 2))) void wrong(const char *format, ...); /* without */
int64_t now_ns(void);
int dial(const char *address, bool tls, void **ret_tls); /* a non-blocking descriptor, connected */
void wait_accepted(int pid, size_t files_before, size_t more);

/* ---- load_tls.c: as recv, send, shutdown and close ---------------------------------------- */

void *tls_connect(int fd); /* blocks until the handshake is done */
ssize_t net_recv(struct client *c, void *buffer, size_t len);
ssize_t net_send(struct client *c, const void *data, size_t len);
bool net_pending(const struct client *c); /* there is input that epoll does not know of */
void net_end(struct client *c);
void net_close(struct client *c);

/* ---- load.c ------------------------------------------------------------------------------ */

struct work {
	const char *name;
	bool renews;                     /* its connections end, and others are made for them */
	bool bulk;                       /* counts bytes, of which there may be a given number */
	void (*prepare)(struct load *l); /* before the connections */
	void (*opened)(struct load *l, struct client *c); /* each, also those made anew */
	void (*begin)(struct load *l, struct client *c, int64_t now); /* each, when all are there */
	void (*event)(struct load *l, struct client *c, uint32_t events);
	void (*finish)(struct load *l); /* after the clock: what is still on its way */
};
extern const struct work work_echo, work_broadcast, work_memory;         /* load_lines.c */
extern const struct work work_hangup, work_source, work_file, work_sink; /* load_bulk.c */

/* One connection. Positions are in bytes since it began. */
struct client {
	int fd;
	void *tls; /* NULL: none */
	uint32_t watched;
	size_t index, start; /* where in the pattern its stream begins */
	uint64_t allowed, sent, got;
	int64_t began; /* the batch, or the connection */
};

struct load {
	const char *address;
	int pid, ep;
	const struct work *work;
	size_t connections, idle, depth, size;
	double seconds, warmup, rate;
	uint64_t bytes;   /* in all; 0: as many as fit the time */
	const char *path; /* of `file`: what ought to come; NULL: not compared */
	size_t tls;       /* 1: under TLS */

	struct client *clients;
	char *pattern; /* twice the period, so that what is sent lies in one piece */
	size_t period;
	int64_t clock_start, interval; /* open loop: batch b is due at clock_start + b * interval */
	uint64_t batches;              /* batches begun */
	bool once;                     /* memory: what comes back calls for no other batch */
	size_t waiting;                /* broadcast: clients that have not got the batch */

	uint64_t count; /* of lines, bytes or connections, since the measurement began */
	struct hist hist;
	int64_t last_progress;
	bool done; /* all bytes have been moved */
};

void client_watch(struct load *l, struct client *c, uint32_t events);
void client_open(struct load *l, struct client *c);
void progress(struct load *l, int64_t now);
int64_t next_due(const struct load *l);     /* INT64_MAX in a closed loop */
void send_due(struct load *l, int64_t now); /* load_lines.c */
void make_line_pattern(struct load *l);     /* load_lines.c */
void one_line_each(struct load *l);         /* load_lines.c: and waits for them to come back */
void turn(struct load *l, int64_t until);   /* one wait, and what it brings */

#endif
