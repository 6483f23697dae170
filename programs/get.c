/*
 * get.c — `asyncore get`: fetches a URL into a file; the command line, the loop, the exit status.
 *
 * Design: the job's struct is made from the command line and then belongs to the connections, one
 * after the other; the loop ends when the last is closed. The task that draws the progress does not
 * keep it going.
 */
#include "get_job.h"
#include "names.h"
#include "program.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT 30.0

static const char help[] =
	"usage: asyncore get [OPTION]... URL\n"
	"\n"
	"Fetches URL, http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH, and writes it to the\n"
	"standard output. The server's certificate is verified.\n"
	"\n"
	"  -o, --output FILE      write to FILE (- is the standard output)\n"
	"  -O, --remote-name      write to a file named as the last part of the URL's path\n"
	"  -c, --continue         fetch only what FILE does not have yet\n"
	"  -I, --head             ask for the head alone and write that\n"
	"  -H, --header 'NAME: VALUE'\n"
	"                         send this field too, or instead of the usual one\n"
	"      --timeout SECONDS  give up when nothing came for so long (30; 0: never)\n"
	"      --connect-timeout SECONDS\n"
	"                         give up when there was no connection for so long (as --timeout)\n"
	"      --resolve HOST:PORT:ADDRESS\n"
	"                         connect to ADDRESS for HOST:PORT; may be repeated\n"
	"      --cacert FILE      trust the certificates in FILE, not the system's\n"
	"  -k, --insecure         take any certificate\n"
	"  -p, --poller NAME      io_uring, epoll, poll or select instead of the best\n"
	"  -q, --quiet            no progress and no notes, errors only\n"
	"      --help             this text\n"
	"\n"
	"At most 10 redirects are followed. On a terminal a line shows the progress.\n"
	"\n"
	"Exit status: 0 done; 1 a local error (a file, a URL that is not supported); 2 bad\n"
	"arguments; 3 no connection; 4 a bad response or a partial body; 5 the server's answer\n"
	"was an error (status 400 and above), nothing was written; 6 too many redirects;\n"
	"7 timeout.\n";

enum long_only { CONNECT_TIMEOUT = 256, CACERT, RESOLVE };

struct options {
	const char *url, *output, *poller, **addresses; /* for names; the last is NULL */
	size_t address_count;
	bool remote_name;
};

static void say(const char *format, va_list args)
{
	fputs("asyncore get: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void get_fail(struct get_job *job, enum get_outcome outcome, const char *format, ...)
{
	va_list args;

	if (job->failed)
		return;
	job->failed = true;
	job->outcome = outcome;
	progress_end(&job->progress);
	va_start(args, format);
	say(format, args);
	va_end(args);
}

void get_note(struct get_job *job, const char *format, ...)
{
	va_list args;

	if (job->quiet)
		return;
	va_start(args, format);
	say(format, args);
	va_end(args);
}

const char *get_field(const struct get_job *job, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < job->field_count; i++)
		if (strncasecmp(job->fields[i], name, len) == 0 && job->fields[i][len] == ':')
			return job->fields[i];
	return NULL;
}

#define USAGE(job, ...) (get_fail((job), GET_USAGE, __VA_ARGS__), -EINVAL)

/* "Name: value", without anything that would end the line or the head. */
static int add_field(struct get_job *job, const char **fields, const char *text)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789"
				    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t name = strspn(text, token);

	if (name == 0 || text[name] != ':')
		return USAGE(job, "a header field is 'Name: value'");
	for (const char *c = text + name; *c; c++)
		if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
			return USAGE(job, "a header field cannot hold control characters");
	if (strncasecmp(text, "Content-Length:", 15) == 0 ||
	    strncasecmp(text, "Transfer-Encoding:", 18) == 0)
		return USAGE(job, "the request has no body: %.*s cannot be sent", (int)name, text);
	fields[job->field_count++] = text;
	return 0;
}

static int read_timeout(struct get_job *job, const char *text, double *ret_seconds)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !isfinite(seconds) || seconds < 0 || seconds > 1e6)
		return USAGE(job, "bad timeout: %s", text);
	*ret_seconds = seconds;
	return 0;
}

static int set_output(struct get_job *job, struct options *o, const char *file)
{
	if (o->output || o->remote_name)
		return USAGE(job, "more than one output");
	if (file && !*file)
		return USAGE(job, "the output has no name");
	o->output = file;
	o->remote_name = !file;
	return 0;
}

static int read_option(struct get_job *job, struct options *o, const char **fields, int option)
{
	switch (option) {
	case 'o':
		return set_output(job, o, optarg);
	case 'O':
		return set_output(job, o, NULL);
	case 'c':
		job->resume = true;
		return 0;
	case 'I':
		job->head_only = true;
		return 0;
	case 'H':
		return add_field(job, fields, optarg);
	case 't':
		return read_timeout(job, optarg, &job->timeout);
	case CONNECT_TIMEOUT:
		return read_timeout(job, optarg, &job->connect_timeout);
	case RESOLVE:
		o->addresses[o->address_count++] = optarg;
		return 0;
	case CACERT:
		job->tls_options.ca_file = optarg;
		return 0;
	case 'k':
		job->tls_options.insecure = true;
		return 0;
	case 'p':
		o->poller = optarg;
		return 0;
	case 'q':
		job->quiet = true;
		return 0;
	default: /* getopt has said what is wrong */
		job->failed = true;
		job->outcome = GET_USAGE;
		return -EINVAL;
	}
}

/* 1: help was asked for and given. */
static int read_options(struct get_job *job, struct options *o, const char **fields, int argc,
                        char **argv)
{
	static const struct option names[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "remote-name", no_argument, NULL, 'O' },
		{ "continue", no_argument, NULL, 'c' },
		{ "head", no_argument, NULL, 'I' },
		{ "header", required_argument, NULL, 'H' },
		{ "timeout", required_argument, NULL, 't' },
		{ "connect-timeout", required_argument, NULL, CONNECT_TIMEOUT },
		{ "resolve", required_argument, NULL, RESOLVE },
		{ "cacert", required_argument, NULL, CACERT },
		{ "insecure", no_argument, NULL, 'k' },
		{ "poller", required_argument, NULL, 'p' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option, r = 0;

	optind = 0; /* main may have used it */
	argv[0] = (char *)"asyncore get";
	while (r == 0 && (option = getopt_long(argc, argv, "o:OcIH:kp:q", names, NULL)) != -1) {
		if (option == 'h') {
			program_help(help);
			return 1;
		}
		r = read_option(job, o, fields, option);
	}
	if (r < 0)
		return r;
	if (job->connect_timeout < 0)
		job->connect_timeout = job->timeout;
	if (optind != argc - 1)
		return USAGE(job, optind < argc ? "more than one URL" : "no URL (see --help)");
	o->url = argv[optind];
	return 0;
}

static int check_options(struct get_job *job, const struct options *o)
{
	bool to_file = o->remote_name || (o->output && strcmp(o->output, "-") != 0);

	if (job->resume && !to_file)
		return USAGE(job, "-c needs a file: -o FILE or -O");
	if (job->resume && job->head_only)
		return USAGE(job, "-c and -I exclude each other");
	if (job->resume && get_field(job, "Range"))
		return USAGE(job, "-c and a Range field exclude each other");
	return 0;
}

/* What an earlier run left; a file that is not there, or empty, is fetched from its beginning. */
static int look_for_rest(struct get_job *job)
{
	int r = output_stat(&job->out, &job->have, &job->have_since);

	if (r == 0 || r == -ENOENT)
		return 0;
	get_fail(job, GET_LOCAL, "cannot continue %s: %s", output_name(&job->out),
	         r == -EINVAL ? "not a regular file" : strerror(-r));
	return r;
}

static int prepare(struct get_job *job, const struct options *o, char *name, size_t size)
{
	const char *why, *path = o->output;
	int r = url_parse(o->url, &job->url, &why);

	if (r < 0) {
		get_fail(job, GET_LOCAL, "%s", why);
		return r;
	}
	if (o->remote_name) {
		r = url_file_name(&job->url, name, size);
		if (r < 0) {
			get_fail(job, GET_LOCAL, "the URL does not end in a file name: use -o");
			return r;
		}
		path = name;
	}
	output_init(&job->out, path);
	return job->resume ? look_for_rest(job) : 0;
}

/* A line on the terminal would stand in the middle of what is written there. */
static bool shows_progress(const struct get_job *job)
{
	bool mixed = !job->out.path && isatty(STDOUT_FILENO);

	return !job->quiet && !job->head_only && !mixed && isatty(STDERR_FILENO);
}

static void run(struct get_job *job, const struct options *o)
{
	const struct ac_loop_opts passive = { .tasks = AC_TASKS_PASSIVE };
	int r;

	job->map = program_map("get", o->poller);
	if (!job->map) { /* and that was said */
		job->outcome = o->poller && !ac_has(o->poller) ? GET_USAGE : GET_LOCAL;
		return;
	}
	r = names_use(job->map, "get", o->addresses);
	if (r != STATUS_OK) { /* and that was said too */
		job->outcome = r == STATUS_USAGE ? GET_USAGE : GET_LOCAL;
		ac_map_free(job->map);
		return;
	}
	signal(SIGPIPE, SIG_IGN); /* a reader that went away is an error of write */
	progress_init(&job->progress, job->map, shows_progress(job));
	get_fetch(job);
	r = ac_loop(job->map, &passive);
	if (r < 0)
		get_fail(job, GET_LOCAL, "%s: %s", ac_map_poller(job->map), strerror(-r));
	progress_end(&job->progress);
	output_end(&job->out);
	ac_map_free(job->map);
	tls_free(job->tls);
}

int cmd_get(int argc, char **argv)
{
	static const char *const alpn[] = { "http/1.1", NULL };
	struct get_job job = {
		.timeout = TIMEOUT,
		.connect_timeout = -1,
		.tls_options.alpn = alpn,
		.whole = -1,
		.out = { .fd = -1 },
	};
	const char **fields = calloc((size_t)argc + 1, sizeof(*fields));
	const char **addresses = calloc((size_t)argc + 1, sizeof(*addresses));
	struct options o = { .addresses = addresses };
	char name[256];
	int r;

	if (!fields || !addresses) {
		get_fail(&job, GET_LOCAL, "%s", strerror(ENOMEM));
		free(fields);
		free(addresses);
		return (int)job.outcome;
	}
	job.fields = fields;
	r = read_options(&job, &o, fields, argc, argv);
	if (r == 0)
		r = check_options(&job, &o);
	if (r == 0)
		r = prepare(&job, &o, name, sizeof(name));
	if (r == 0)
		run(&job, &o);
	free(fields);
	free(addresses);
	return (int)job.outcome;
}
