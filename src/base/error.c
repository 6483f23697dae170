/* error.c — the names of errors, and a trace on one line. */
#include "base.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static const struct {
	int code;
	const char *name;
} names[] = {
#define NAME(code)                                                                                 \
	{                                                                                          \
		code, #code                                                                        \
	}
	NAME(EPERM),        NAME(ENOENT),      NAME(EINTR),           NAME(EIO),
	NAME(ENXIO),        NAME(E2BIG),       NAME(EBADF),           NAME(EAGAIN),
	NAME(ENOMEM),       NAME(EACCES),      NAME(EFAULT),          NAME(EBUSY),
	NAME(EEXIST),       NAME(ENODEV),      NAME(ENOTDIR),         NAME(EISDIR),
	NAME(EINVAL),       NAME(ENFILE),      NAME(EMFILE),          NAME(ENOTTY),
	NAME(EFBIG),        NAME(ENOSPC),      NAME(ESPIPE),          NAME(EROFS),
	NAME(EPIPE),        NAME(EDOM),        NAME(ERANGE),          NAME(ENAMETOOLONG),
	NAME(ENOSYS),       NAME(ELOOP),       NAME(EBADMSG),         NAME(EOVERFLOW),
	NAME(EILSEQ),       NAME(ENOTSOCK),    NAME(EDESTADDRREQ),    NAME(EMSGSIZE),
	NAME(EPROTOTYPE),   NAME(ENOPROTOOPT), NAME(EPROTONOSUPPORT), NAME(EOPNOTSUPP),
	NAME(EAFNOSUPPORT), NAME(EADDRINUSE),  NAME(EADDRNOTAVAIL),   NAME(ENETDOWN),
	NAME(ENETUNREACH),  NAME(ENETRESET),   NAME(ECONNABORTED),    NAME(ECONNRESET),
	NAME(ENOBUFS),      NAME(EISCONN),     NAME(ENOTCONN),        NAME(ETIMEDOUT),
	NAME(ECONNREFUSED), NAME(EHOSTDOWN),   NAME(EHOSTUNREACH),    NAME(EALREADY),
	NAME(EINPROGRESS),  NAME(ECANCELED),   NAME(EPROTO),          NAME(ESHUTDOWN),
#undef NAME
};

const char *ac_error_name(int code)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].code == code)
			return names[i].name;
	return "E?";
}

static size_t AC_PRINTF(4, 5) add(char *text, size_t size, size_t at, const char *format, ...)
{
	char *where = at < size ? text + at : NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(where, where ? size - at : 0, format, args);
	va_end(args);
	return at + (n > 0 ? (size_t)n : 0);
}

size_t ac_compact_traceback(const struct ac_error *e, char *text, size_t size)
{
	size_t at = add(text, size, 0, "(%s: %s", ac_error_name(e->code), strerror(e->code));

	if (e->detail[0])
		at = add(text, size, at, ": %s", e->detail);
	for (unsigned i = 0; i < e->frame_count; i++)
		at = add(text, size, at, " [%s|%s|%d]", e->frames[i].file, e->frames[i].function,
		         e->frames[i].line);
	return add(text, size, at, ")");
}
