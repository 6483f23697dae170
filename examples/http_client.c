/*
 * http_client.c — a very basic HTTP client: a dispatcher with a buffer of its own.
 *
 *	http_client [ADDRESS [PATH]]
 *
 * The example of asyncore's manual: writable as long as its buffer is not empty. (A chat, or a
 * dispatcher with send, would keep the buffer by itself.)
 */
#include <asyncore.h>

#include <errno.h>
#include <string.h>

struct http_client {
	struct ac_dispatcher d;
	char buffer[1024];
	size_t left; /* of the request; it stands at the buffer's beginning */
};

static int http_client_handle_read(struct ac_dispatcher *d)
{
	char data[8192];
	ssize_t n = ac_recv(d, data, sizeof(data));

	if (n > 0)
		fwrite(data, 1, (size_t)n, stdout);
	return (int)n; /* -errno is raised; 0: the peer has closed */
}

static bool http_client_writable(struct ac_dispatcher *d)
{
	return ((struct http_client *)d)->left > 0;
}

static int http_client_handle_write(struct ac_dispatcher *d)
{
	struct http_client *c = (struct http_client *)d;
	ssize_t sent = ac_send(d, c->buffer, c->left);

	if (sent < 0)
		return (int)sent;
	c->left -= (size_t)sent;
	memmove(c->buffer, c->buffer + sent, c->left);
	return 0;
}

static const struct ac_class http_client_class = {
	.super = AC_DISPATCHER,
	.name = "http_client",
	.size = sizeof(struct http_client),
	.handle_read = http_client_handle_read,
	.writable = http_client_writable,
	.handle_write = http_client_handle_write,
};

static int http_client_new(const char *host, const char *path)
{
	struct http_client *c = (struct http_client *)ac_new(NULL, &http_client_class);
	int n;

	if (!c)
		return -ENOMEM;
	n = snprintf(c->buffer, sizeof(c->buffer), "GET %s HTTP/1.0\r\n\r\n", path);
	if (n < 0 || (size_t)n >= sizeof(c->buffer))
		return ac_raisef(c, ENAMETOOLONG, "%.40s...", path);
	c->left = (size_t)n;
	return ac_dial(&c->d, host);
}

/* The default map remembers the error of whatever failed in it. */
int main(int argc, char **argv)
{
	if (http_client_new(argc > 1 ? argv[1] : "127.0.0.1:80", argc > 2 ? argv[2] : "/") < 0)
		ac_explain(NULL, "http_client");
	else
		ac_loop(NULL, NULL);
	return ac_last_error(NULL)->code != 0;
}
