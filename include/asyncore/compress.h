/*
 * asyncore/compress.h — a producer that compresses, in a library of its own (libasyncore-compress,
 * zlib), so that the core needs nothing but libc.
 */
#ifndef ASYNCORE_COMPRESS_H
#define ASYNCORE_COMPRESS_H

#include <asynchat.h>

#ifdef __cplusplus
extern "C" {
#endif

enum ac_compression { AC_GZIP, AC_ZLIB, AC_DEFLATE };

/*
 * Compresses what the inner producer gives. level 1–9, 0: zlib's default. Owns the inner one, also
 * when it fails: NULL when memory ran out or the level is none.
 */
AC_API struct ac_producer *ac_compressed_producer(struct ac_producer *inner,
                                                  enum ac_compression format, int level);

#ifdef __cplusplus
}
#endif
#endif
