/*
 * load_hist.c — latencies: a row for each power of two, 64 cells in each row. Exact to 1.6 %.
 */
#include "load.h"

static size_t cell_of(uint64_t ns)
{
	unsigned row = 0;
	size_t cell;

	if (ns >= HIST_FINE)
		row = 63u - (unsigned)__builtin_clzll(ns) - 5u;
	cell = row == 0 ? (size_t)ns : row * HIST_FINE + (size_t)((ns >> (row - 1)) - HIST_FINE);
	return cell < HIST_ROWS * HIST_FINE ? cell : HIST_ROWS * HIST_FINE - 1;
}

/* The middle of a cell. */
static double ns_of(size_t cell)
{
	size_t row = cell / HIST_FINE, at = cell % HIST_FINE;

	if (row == 0)
		return (double)at;
	return ((double)(at + HIST_FINE) + 0.5) * (double)(1ull << (row - 1));
}

void hist_add(struct hist *h, int64_t ns, uint64_t times)
{
	h->cells[cell_of(ns > 0 ? (uint64_t)ns : 0)] += times;
	h->count += times;
}

double hist_us(const struct hist *h, double share)
{
	double wanted = share * (double)h->count, seen = 0;

	for (size_t i = 0; i < HIST_ROWS * HIST_FINE && h->count > 0; i++) {
		seen += (double)h->cells[i];
		if (seen >= wanted && h->cells[i] > 0)
			return ns_of(i) / 1000;
	}
	return 0;
}
