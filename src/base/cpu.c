/* cpu.c — the processors this thread may use, and staying on one of them. */
#include "base.h"

#include <errno.h>
#include <sched.h>

unsigned ac_sys_processors_(void)
{
	cpu_set_t mine;
	int n = sched_getaffinity(0, sizeof(mine), &mine) < 0 ? 1 : CPU_COUNT(&mine);

	return n > 0 ? (unsigned)n : 1;
}

/* The nth of those this thread may use, and again from the first. */
int ac_sys_pin_(unsigned n)
{
	unsigned left = n % ac_sys_processors_();
	cpu_set_t mine, one;
	size_t cpu = 0;

	if (sched_getaffinity(0, sizeof(mine), &mine) < 0)
		return -errno;
	for (; cpu < CPU_SETSIZE - 1; cpu++)
		if (CPU_ISSET(cpu, &mine) && left-- == 0)
			break;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one) < 0 ? -errno : 0;
}
