/*
 * get_progress.c — the line on the terminal that shows how far `asyncore get` has come.
 *
 * Design: bytes are only counted as they come; a task draws every tenth of a second, so that a fast
 * transfer pays nothing for it. The rate is that of a window of samples, one taken at each drawing.
 */
#include "get_progress.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MIN_BAR 10 /* columns; with less room there is no bar */

static void write_bytes(char *text, size_t size, double bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	size_t unit = 0;

	while (bytes >= 1023.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, size, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

static void write_time(char *text, size_t size, double seconds)
{
	unsigned long s = seconds < 360000 ? (unsigned long)(seconds + 0.5) : 359999;

	if (s < 3600)
		snprintf(text, size, "%lu:%02lu", s / 60, s % 60);
	else
		snprintf(text, size, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
}

/* "[=====>    ] " in so many columns. */
static void write_bar(char *text, size_t columns, double share)
{
	size_t inner = columns - 3, full = (size_t)(share * (double)inner);

	memset(text, ' ', columns);
	text[0] = '[';
	memset(text + 1, '=', full);
	if (full < inner)
		text[1 + full] = '>';
	text[1 + inner] = ']';
	text[columns] = '\0';
}

/* The first of three texts that fits: a number cut short would be a wrong one. */
static void write_fitting(char *text, size_t width, const char *bar, int percent,
                          const char *const tails[3])
{
	char share[16] = "";
	size_t i = 0;

	if (percent >= 0)
		snprintf(share, sizeof(share), "%3d%% ", percent);
	while (i < 2 && strlen(share) + strlen(tails[i]) > width)
		i++;
	snprintf(text, width + 1, "%s%s%s", share, bar, tails[i]);
}

static double clamp(double share)
{
	return share < 0 ? 0 : share > 1 ? 1 : share;
}

void progress_line(char *text, size_t size, size_t width, int64_t done, int64_t total, double rate,
                   double elapsed)
{
	char bytes[32], of[32] = "", speed[32], time[32], bar[256] = "", all[160], middle[72];
	const char *const tails[] = { all, middle, "" };
	double share = total > 0 ? clamp((double)done / (double)total) : 1;
	size_t used;

	if (width >= size)
		width = size - 1;
	write_bytes(bytes, sizeof(bytes), (double)done);
	write_bytes(speed, sizeof(speed), rate);
	if (total >= 0) {
		of[0] = '/';
		write_bytes(of + 1, sizeof(of) - 1, (double)total);
	}
	if (total < 0 || done >= total)
		write_time(time, sizeof(time), elapsed);
	else if (rate > 0)
		write_time(time, sizeof(time), (double)(total - done) / rate);
	else
		snprintf(time, sizeof(time), "-:--");
	snprintf(middle, sizeof(middle), "%s%s", bytes, of);
	snprintf(all, sizeof(all), "%s  %s/s  %s%s", middle, speed, done < total ? "ETA " : "",
	         time);
	used = strlen(all) + 5; /* "100% " */
	if (total >= 0 && width >= used + MIN_BAR && width - used < sizeof(bar))
		write_bar(bar, width - used, share);
	write_fitting(text, width, bar, total < 0 ? -1 : (int)(share * 100), tails);
}

/* Bytes a second between the oldest sample kept and now; in the end over the whole time. */
static double rate_now(const struct progress *p, double now)
{
	size_t oldest = p->samples > PROGRESS_SAMPLES ? p->samples % PROGRESS_SAMPLES : 0;
	double seconds = now - p->sample[oldest].when;

	if (p->samples == 0 || p->done == p->total || seconds <= 0) {
		seconds = now - p->started;
		return seconds > 0 ? (double)(p->done - p->from) / seconds : 0;
	}
	return (double)(p->done - p->sample[oldest].done) / seconds;
}

static size_t terminal_width(void)
{
	struct winsize w;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_col < 2)
		return 79;
	return w.ws_col - 1u; /* the last column would wrap on some */
}

static void draw(struct progress *p)
{
	double now = ac_now(p->map);
	char line[256];

	progress_line(line, sizeof(line), terminal_width(), p->done, p->total, rate_now(p, now),
	              now - p->started);
	fprintf(stderr, "\r%s\033[K", line);
	fflush(stderr);
}

static int tick(void *arg)
{
	struct progress *p = arg;
	size_t i = p->samples++ % PROGRESS_SAMPLES;

	draw(p);
	p->sample[i].when = ac_now(p->map);
	p->sample[i].done = p->done;
	return 0;
}

void progress_init(struct progress *p, struct ac_map *map, bool on)
{
	memset(p, 0, sizeof(*p));
	p->map = map;
	p->on = on;
}

int progress_begin(struct progress *p, int64_t from, int64_t total)
{
	p->from = p->done = from;
	p->total = total;
	p->samples = 0;
	p->started = ac_now(p->map);
	if (!p->on)
		return 0;
	p->task = ac_call_every(p->map, 0.1, tick, p);
	return p->task ? 0 : -ENOMEM;
}

void progress_add(struct progress *p, size_t bytes)
{
	p->done += (int64_t)bytes;
}

void progress_end(struct progress *p)
{
	if (!p->task)
		return;
	ac_task_cancel(p->task);
	p->task = NULL;
	draw(p);
	fputc('\n', stderr);
}
