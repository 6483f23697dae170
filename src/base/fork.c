/* fork.c — whether this process is still the one in which something of the kernel's was made. */
#include "base.h"

#include <pthread.h>

unsigned ac_forks_;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void in_child(void)
{
	ac_forks_++;
}

static void prepare(void)
{
	pthread_atfork(NULL, NULL, in_child);
}

void ac_count_forks_(void)
{
	pthread_once(&once, prepare);
}
