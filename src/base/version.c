/* version.c — what this build is. */
#include "base.h"

const char *ac_version(void)
{
	return AC_VERSION;
}
