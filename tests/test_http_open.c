/*
 * test_http_open.c — nothing outside the served folder is opened; what is in it is listed.
 *
 * Design: what opens a path is tried as the kernel does it, and again in a child that a filter forbids to
 * call openat2, as old kernels and some containers do.
 */
#include "../programs/http/server.h"
#include "harness.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct tree {
	char path[32]; /* www is what is served, secret lies beside it */
	int outer, root;
};

static void put_file(int folder, const char *name, const char *text)
{
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int make_tree(void **state)
{
	struct tree *t = malloc(sizeof(*t));

	assert_non_null(t);
	strcpy(t->path, "/tmp/http-open-XXXXXX");
	assert_non_null(mkdtemp(t->path));
	t->outer = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put_file(t->outer, "secret", "secret");
	assert_int_equal(mkdirat(t->outer, "www", 0700), 0);
	t->root = openat(t->outer, "www", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put_file(t->root, "file", "inside");
	assert_int_equal(mkdirat(t->root, "sub", 0700), 0);
	put_file(t->root, "sub/file", "inside");
	assert_int_equal(symlinkat("../secret", t->root, "out"), 0);
	assert_int_equal(symlinkat("..", t->root, "up"), 0);
	assert_int_equal(symlinkat("/etc", t->root, "etc"), 0);
	assert_int_equal(symlinkat("loop", t->root, "loop"), 0);
	assert_int_equal(symlinkat("sub/file", t->root, "in"), 0);
	assert_int_equal(symlinkat("../file", t->root, "sub/back"), 0);
	assert_int_equal(mkfifoat(t->root, "fifo", 0600), 0);
	*state = t;
	return 0;
}

static int remove_tree(void **state)
{
	static const char *const names[] = { "sub/file", "sub/back", "file", "out", "up",
		                             "etc",      "loop",     "in",   "fifo" };
	struct tree *t = *state;

	for (size_t i = 0; i < COUNT(names); i++)
		unlinkat(t->root, names[i], 0);
	unlinkat(t->root, "sub", AT_REMOVEDIR);
	close(t->root);
	unlinkat(t->outer, "www", AT_REMOVEDIR);
	unlinkat(t->outer, "secret", 0);
	close(t->outer);
	rmdir(t->path);
	free(t);
	return 0;
}

/* Its status, 0 for a file or folder that was opened; nothing stays open. */
static int status_of(const struct tree *t, const char *path)
{
	struct stat st;
	int fd = http_open(t->root, path, &st);

	if (fd < 0)
		return -fd;
	close(fd);
	return 0;
}

static bool has_openat2(const struct tree *t)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC };
	long fd = syscall(SYS_openat2, t->root, ".", &how, sizeof(how));

	if (fd >= 0)
		close((int)fd);
	return fd >= 0;
}

/* How many were judged wrong. */
static int check_all(const struct tree *t)
{
	static const struct {
		const char *path;
		int status;
	} cases[] = {
		{ "/", 0 },           { "//", 0 },
		{ "/file", 0 },       { "/sub/file", 0 },
		{ "/sub", 0 },        { "/sub/", 0 },
		{ "//sub//file", 0 }, { "/none", 404 },
		{ "/none/x", 404 },   { "/file/x", 404 },
		{ "/out", 403 },      { "/up/secret", 403 },
		{ "/up/", 403 },      { "/etc/passwd", 403 },
		{ "/loop", 403 },     { "/fifo", 403 },
	};
	char name[512];
	int wrong = 0;

	for (size_t i = 0; i < COUNT(cases); i++) {
		int status = status_of(t, cases[i].path);

		if (status == cases[i].status)
			continue;
		fprintf(stderr, "%s: %d\n", cases[i].path, status);
		wrong++;
	}
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	return wrong + (status_of(t, name) != 404);
}

static void nothing_outside_is_opened(void **state)
{
	struct tree *t = *state;
	int fd = dup(t->root);

	assert_int_equal(check_all(t), 0);
	if (has_openat2(t)) {
		assert_int_equal(status_of(t, "/in"), 0);
		assert_int_equal(status_of(t, "/sub/back"), 0);
	}
	assert_int_equal(dup(t->root), fd + 1); /* no descriptor was left */
	close(fd + 1);
	close(fd);
}

/* Every openat2 of this process fails with `error` from now on. */
static bool forbid_openat2(unsigned error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { COUNT(filter), filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* What was judged wrong; links within the folder are not followed then. */
static int check_without_openat2(const struct tree *t)
{
	int wrong = check_all(t);

	wrong += status_of(t, "/in") != 403;
	wrong += status_of(t, "/sub/back") != 403;
	return wrong + has_openat2(t);
}

static int check_busy(const struct tree *t)
{
	return status_of(t, "/file") != 503;
}

/* In a child that openat2 fails for; skipped where no filter can be had. */
static void check_in_child(const struct tree *t, unsigned error, int (*check)(const struct tree *t))
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(forbid_openat2(error) ? check(t) : 77);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void nothing_outside_is_opened_without_openat2(void **state)
{
	check_in_child(*state, ENOSYS, check_without_openat2);
	check_in_child(*state, EPERM, check_without_openat2);
}

static void kernel_that_asks_to_try_again_for_ever_is_busy(void **state)
{
	if (has_openat2(*state)) /* valgrind knows none */
		check_in_child(*state, EAGAIN, check_busy);
}

static void swap_for_ever(int root)
{
	alarm(60);
	while (syscall(SYS_renameat2, root, "sub", root, "up", RENAME_EXCHANGE) == 0)
		;
	_exit(1);
}

/* A folder is swapped with a link that leads out, again and again, while it is opened. */
static void link_swapped_in_meanwhile(void **state)
{
	struct tree *t = *state;
	pid_t child = fork();
	struct stat st;
	int status, fd = -404;

	if (child == 0)
		swap_for_ever(t->root);
	for (int i = 0; i < 20000 && (fd == -404 || fd == -403 || fd == -503); i++)
		fd = http_open(t->root, "/sub/secret", &st);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	if (faccessat(t->root, "sub/file", F_OK, 0) < 0) /* leave it as it was */
		syscall(SYS_renameat2, t->root, "sub", t->root, "up", RENAME_EXCHANGE);
	if (WIFEXITED(status)) /* this file system cannot swap */
		skip();
	if (fd >= 0)
		close(fd);
	assert_in_range(-fd, 403, 503);
}

static void listing_is_sorted_and_escaped(void **state)
{
	struct tree *t = *state;
	int sub = openat(t->root, "sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t len = 0;
	char *page, *a, *b;

	put_file(sub, "a:<b>&\"'%.txt", "x");
	put_file(sub, "\x1b[1m", "x");
	page = http_listing(sub, "/<sub>/", &len);
	assert_non_null(page);
	assert_int_equal(len, strlen(page));
	assert_non_null(strstr(page, "Index of /&#60;sub&#62;/"));
	a = strstr(
		page,
		"<a href=\"./a%3A%3Cb%3E%26%22%27%25.txt\">a:&#60;b&#62;&#38;&#34;&#39;%.txt</a>");
	b = strstr(page, "<a href=\"./file\">file</a></td><td align=\"right\">6</td>");
	assert_non_null(a);
	assert_non_null(b);
	assert_true(a < b);
	assert_non_null(strstr(page, "\"./%1B%5B1m\">&#65533;[1m<"));
	assert_non_null(strstr(page, "href=\"../\""));
	assert_null(strstr(page, "\"./.\""));
	assert_null(strchr(page, 0x1b));
	assert_null(strstr(page, "Not all"));
	free(page);
	unlinkat(sub, "a:<b>&\"'%.txt", 0);
	unlinkat(sub, "\x1b[1m", 0);
	close(sub);
}

static void listing_of_the_root_leads_nowhere_up(void **state)
{
	struct tree *t = *state;
	size_t len = 0;
	char *page = http_listing(t->root, "/", &len);

	assert_non_null(page);
	assert_null(strstr(page, "../"));
	assert_non_null(strstr(page, "\"./sub/\">sub/</a>"));
	assert_non_null(strstr(page, "\"./out\">out</a></td><td></td>"));
	free(page);
}

static void listing_of_very_many(void **state)
{
	struct tree *t = *state;
	int sub = openat(t->root, "sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[16], *page, *at;
	size_t len = 0, links = 0;

	for (int i = 0; i < 10001; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(symlinkat("x", sub, name), 0);
	}
	page = http_listing(sub, "/sub/", &len);
	for (int i = 0; i < 10001; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		unlinkat(sub, name, 0);
	}
	close(sub);
	assert_non_null(page);
	for (at = page; (at = strstr(at, "href=\"./")) != NULL; at++)
		links++;
	assert_int_equal(links, 10000);
	assert_non_null(strstr(page, "Not all"));
	free(page);
}

static void listing_of_long_names_ends_in_time(void **state)
{
	struct tree *t = *state;
	char name[256], *page;
	size_t len = 0;

	memset(name, '<', 240);
	for (int i = 0; i < 3000; i++) {
		snprintf(name + 240, 16, "%d", i);
		assert_int_equal(symlinkat("x", t->root, name), 0);
	}
	page = http_listing(t->root, "/", &len);
	for (int i = 0; i < 3000; i++) {
		snprintf(name + 240, 16, "%d", i);
		unlinkat(t->root, name, 0);
	}
	assert_non_null(page);
	assert_in_range(len, 4 << 20, (4 << 20) + 4096);
	assert_non_null(strstr(page, "Not all"));
	free(page);
}

#define IN_TREE(fn) cmocka_unit_test_setup_teardown(fn, make_tree, remove_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_TREE(nothing_outside_is_opened),
		IN_TREE(nothing_outside_is_opened_without_openat2),
		IN_TREE(kernel_that_asks_to_try_again_for_ever_is_busy),
		IN_TREE(link_swapped_in_meanwhile),
		IN_TREE(listing_is_sorted_and_escaped),
		IN_TREE(listing_of_the_root_leads_nowhere_up),
		IN_TREE(listing_of_very_many),
		IN_TREE(listing_of_long_names_ends_in_time),
	};

	return RUN(tests);
}
