/*
 * get_url.h — http and https URLs of `asyncore get`: read, resolved against a base, turned into a file name.
 *
 * Pure: no allocation, no system call. A URL read here is safe to put into a request: its parts
 * hold visible ASCII only.
 */
#ifndef GET_URL_H
#define GET_URL_H

#include <asyncore.h>

#define URL_MAX 8192     /* bytes of a URL, its end included */
#define URL_HOST_MAX 280 /* a name of 253 bytes, and a port */

struct url {
	bool secure, named;             /* https; its host is to be resolved */
	char address[URL_HOST_MAX + 8]; /* as ac_dial takes it: "127.0.0.1:80", "example.org:443" */
	char name[URL_HOST_MAX];        /* the host alone, as a certificate has it */
	char host[URL_HOST_MAX];        /* as the Host field wants it: no default port, no zone */
	char target[URL_MAX];           /* path and query, at least "/" */
};

/* "http", "https" */
const char *url_scheme(const struct url *url);

/*
 * Each returns 0, or -EINVAL with a phrase for people in ret_why. `reference` is what a Location
 * field holds: absolute, or relative as RFC 3986 section 5 has it. A fragment is dropped. ret_url
 * may be the base.
 */
int url_parse(const char *text, struct url *ret_url, const char **ret_why);
int url_resolve(const struct url *base, const char *reference, struct url *ret_url,
                const char **ret_why);

/* Whether both name the same server: what is meant for one may be sent to the other. */
bool url_same_server(const struct url *a, const struct url *b);

/* The last component of the path, %XX decoded, as a file name for this folder: -EINVAL where there
 * is none or it could not be one ("..", a slash, a control byte), -ENAMETOOLONG. */
int url_file_name(const struct url *url, char *name, size_t size);

#endif
