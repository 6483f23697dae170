/* error.c — the names of errors, and a trace on one line. */
#include "base.h"

#include <errno.h>
#include <string.h>

#define NAME(code)                                                                                 \
	case code:                                                                                 \
		return #code

const char *ac_error_name(int code)
{
	switch (code) {
		NAME(EPERM);
		NAME(ENOENT);
		NAME(EINTR);
		NAME(EIO);
		NAME(ENXIO);
		NAME(E2BIG);
		NAME(EBADF);
		NAME(EAGAIN);
		NAME(ENOMEM);
		NAME(EACCES);
		NAME(EFAULT);
		NAME(EBUSY);
		NAME(EEXIST);
		NAME(ENODEV);
		NAME(ENOTDIR);
		NAME(EISDIR);
		NAME(EINVAL);
		NAME(ENFILE);
		NAME(EMFILE);
		NAME(ENOTTY);
		NAME(EFBIG);
		NAME(ENOSPC);
		NAME(ESPIPE);
		NAME(EROFS);
		NAME(EPIPE);
		NAME(EDOM);
		NAME(ERANGE);
		NAME(ENAMETOOLONG);
		NAME(ENOSYS);
		NAME(ELOOP);
		NAME(EBADMSG);
		NAME(EOVERFLOW);
		NAME(EILSEQ);
		NAME(ENOTSOCK);
		NAME(EDESTADDRREQ);
		NAME(EMSGSIZE);
		NAME(EPROTOTYPE);
		NAME(ENOPROTOOPT);
		NAME(EPROTONOSUPPORT);
		NAME(EOPNOTSUPP);
		NAME(EAFNOSUPPORT);
		NAME(EADDRINUSE);
		NAME(EADDRNOTAVAIL);
		NAME(ENETDOWN);
		NAME(ENETUNREACH);
		NAME(ENETRESET);
		NAME(ECONNABORTED);
		NAME(ECONNRESET);
		NAME(ENOBUFS);
		NAME(EISCONN);
		NAME(ENOTCONN);
		NAME(ETIMEDOUT);
		NAME(ECONNREFUSED);
		NAME(EHOSTDOWN);
		NAME(EHOSTUNREACH);
		NAME(EALREADY);
		NAME(EINPROGRESS);
		NAME(ECANCELED);
		NAME(EPROTO);
		NAME(ESHUTDOWN);
	default:
		return "E?";
	}
}

static size_t add(char *text, size_t size, size_t at, const char *format, const char *a,
                  const char *b, int line)
{
	char *where = at < size ? text + at : NULL;
	int n = snprintf(where, where ? size - at : 0, format, a, b, line);

	return at + (n > 0 ? (size_t)n : 0);
}

size_t ac_compact_traceback(const struct ac_error *e, char *text, size_t size)
{
	size_t at = add(text, size, 0, "(%s: %s", ac_error_name(e->code), strerror(e->code), 0);

	if (e->detail[0])
		at = add(text, size, at, ": %s%s", e->detail, "", 0);
	for (unsigned i = 0; i < e->frame_count; i++)
		at = add(text, size, at, " [%s|%s|%d]", e->frames[i].file, e->frames[i].function,
		         e->frames[i].line);
	return add(text, size, at, ")%s%s", "", "", 0);
}
