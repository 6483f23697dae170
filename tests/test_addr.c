/* test_addr.c — addr.c: what is an address, what is none, there and back; and what the kernel tells of them. */
#include "harness.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#include "../src/base/base.h"

static void there_and_back(void **state)
{
	static const char *const good[] = { "127.0.0.1:0",
		                            "127.0.0.1:1",
		                            "0.0.0.0:65535",
		                            "255.255.255.255:9",
		                            "[::]:0",
		                            "[::1]:80",
		                            "[2001:db8::a:b]:443",
		                            "[1:2:3:4:5:6:7:8]:65535",
		                            "[::ffff:192.0.2.1]:80",
		                            "[fe80::1%lo]:1",
		                            "unix:/tmp/x",
		                            "unix:relative",
		                            "unix:/tmp/with:colon and space",
		                            "unix:@abstract",
		                            "unix:@a" };
	struct ac_addr a, again;
	char text[AC_ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(ac_addr_parse(good[i], &a), 0);
		assert_ptr_equal(ac_addr_format(&a, text, sizeof(text)), text);
		assert_string_equal(text, good[i]);
		assert_int_equal(ac_addr_parse(text, &again), 0);
		assert_memory_equal(&a, &again, sizeof(a));
	}
}

static void other_spellings_become_the_usual_one(void **state)
{
	static const char *const pairs[][2] = { { "localhost:80", "127.0.0.1:80" },
		                                { "*:80", "0.0.0.0:80" },
		                                { "127.0.0.1:00080", "127.0.0.1:80" },
		                                { "[0:0:0:0:0:0:0:1]:1", "[::1]:1" },
		                                { "[2001:DB8::1]:1", "[2001:db8::1]:1" } };
	struct ac_addr a;
	char text[AC_ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_int_equal(ac_addr_parse(pairs[i][0], &a), 0);
		assert_string_equal(ac_addr_format(&a, text, sizeof(text)), pairs[i][1]);
	}
}

static void port_stands_in_network_order_and_every_one_is_kept(void **state)
{
	struct ac_addr a;
	char text[AC_ADDR_TEXT], want[AC_ADDR_TEXT];

	(void)state;
	for (int port = 0; port <= 65535; port += port < 1100 || port > 64500 ? 1 : 97) {
		snprintf(want, sizeof(want), "127.0.0.1:%d", port);
		assert_int_equal(ac_addr_parse(want, &a), 0);
		assert_int_equal(ntohs(a.in.sin_port), port);
		assert_string_equal(ac_addr_format(&a, text, sizeof(text)), want);
		snprintf(want, sizeof(want), "[::1]:%d", port);
		assert_int_equal(ac_addr_parse(want, &a), 0);
		assert_int_equal(ntohs(a.in6.sin6_port), port);
		assert_string_equal(ac_addr_format(&a, text, sizeof(text)), want);
	}
}

static void refused(const char *host, const char *port)
{
	struct ac_addr a = { .len = 77 };
	char text[600];

	snprintf(text, sizeof(text), "%s%s", host, port);
	if (ac_addr_parse(text, &a) != -EINVAL)
		fail_msg("taken for an address: \"%s\"", text);
	assert_int_equal(a.len, 77); /* untouched */
}

static void port_that_is_none_is_refused(void **state)
{
	static const char *const bad[] = {
		"",        ":",       ":65536",      ":99999",
		":100000", ":000080", ":4294967376", ":18446744073709551696",
		":-1",     ":+80",    ":80x",        ":x80",
		": 80",    ":80 ",    ":8 0",        ":0x50",
		":8.0",    ":80\n",   ":80:",        ":80]",
		":-0"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		refused("127.0.0.1", bad[i]);
		refused("[::1]", bad[i]);
	}
}

static void host_that_is_none_is_refused(void **state)
{
	static const char *const bad[] = { "",
		                           "x",
		                           "example.org",
		                           "LOCALHOST",
		                           "localhost.",
		                           "**",
		                           " 127.0.0.1",
		                           "127.0.0.1 ",
		                           "1.2.3",
		                           "1.2.3.4.5",
		                           "1.2.3.256",
		                           "1.2.3.-4",
		                           "01.2.3.4",
		                           "0x7f.0.0.1",
		                           "2130706433",
		                           "127.0.0.1%lo",
		                           "::1", /* brackets are missing */
		                           "fe80::1%lo",
		                           "]",
		                           "[",
		                           "[]",
		                           "[::1",
		                           "::1]",
		                           "[::1]]",
		                           "[[::1]]",
		                           "[::1]80",
		                           "[::1] ",
		                           "[ ::1]",
		                           "[127.0.0.1]",
		                           "[localhost]",
		                           "[*]",
		                           "[1:2:3:4:5:6:7]",
		                           "[1:2:3:4:5:6:7:8:9]",
		                           "[1::2::3]",
		                           "[12345::]",
		                           "[::1%]",
		                           "[::1%nowhere]",
		                           "[%lo]",
		                           "[fe80::1%lo%lo]" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i], ":80");
	assert_int_equal(ac_addr_parse(NULL, &(struct ac_addr){ 0 }), -EINVAL);
}

/* Every length around the buffers inside: none may be written past its end. */
static void long_hosts_are_refused_at_every_length(void **state)
{
	char host[512];

	(void)state;
	for (size_t n = 1; n < 500; n++) {
		memset(host, '1', sizeof(host));
		host[n] = '\0';
		refused(host, ":80");
		host[0] = '[';
		host[n > 1 ? n - 1 : 1] = ']';
		host[n > 1 ? n : 2] = '\0';
		refused(host, ":80");
		if (n < 10)
			continue;
		memcpy(host, "[fe80::1%", 9); /* a zone longer than any interface's name */
		memset(host + 9, 'z', n - 9);
		strcpy(host + n, "]");
		refused(host, ":80");
	}
}

static void zone_is_a_number_inside_and_a_name_outside(void **state)
{
	struct ac_addr a;
	char text[AC_ADDR_TEXT];

	(void)state;
	assert_int_equal(ac_addr_parse("[fe80::1%lo]:80", &a), 0);
	assert_int_equal(a.in6.sin6_scope_id, if_nametoindex("lo"));
	assert_int_equal(a.len, sizeof(a.in6));
	assert_int_equal(ac_addr_parse("[fe80::1]:80", &a), 0);
	assert_int_equal(a.in6.sin6_scope_id, 0);
	a.in6.sin6_scope_id = 0x7ffffffe; /* its interface has gone */
	assert_string_equal(ac_addr_format(&a, text, sizeof(text)), "[fe80::1]:80");
}

static void unix_path_up_to_the_last_byte(void **state)
{
	const size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	char name[256] = "unix:", text[AC_ADDR_TEXT];
	struct ac_addr a;

	(void)state;
	assert_int_equal(most, 107);
	for (size_t n = 1; n <= most; n++) {
		memset(name + 5, 'p', n);
		name[5 + n] = '\0';
		assert_int_equal(ac_addr_parse(name, &a), 0);
		assert_int_equal(a.len, offsetof(struct sockaddr_un, sun_path) + n + 1);
		assert_int_equal(a.un.sun_path[n], 0);
		assert_string_equal(ac_addr_format(&a, text, sizeof(text)), name);
	}
	for (size_t n = most + 1; n < 200; n++) {
		memset(name, 'p', sizeof(name));
		memcpy(name, "unix:", 5);
		name[5 + n] = '\0';
		refused(name, "");
	}
	refused("unix:", "");
}

/* An abstract name has no NUL at its end, so it may be as long as the path and its NUL. */
static void abstract_name_up_to_the_last_byte(void **state)
{
	const size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	char name[256] = "unix:@", text[AC_ADDR_TEXT];
	struct ac_addr a;

	(void)state;
	for (size_t n = 1; n <= most; n++) {
		memset(name + 6, 'n', n);
		name[6 + n] = '\0';
		assert_int_equal(ac_addr_parse(name, &a), 0);
		assert_int_equal(a.len, offsetof(struct sockaddr_un, sun_path) + 1 + n);
		assert_int_equal(a.un.sun_path[0], 0);
		assert_string_equal(ac_addr_format(&a, text, sizeof(text)), name);
	}
	name[6 + most] = 'n';
	refused(name, "");
	refused("unix:@", "");
}

static void tiny_buffers_are_cut_and_never_overrun(void **state)
{
	static const char *const good[] = { "255.255.255.255:65535", "[fe80::1%lo]:65535",
		                            "unix:/tmp/path", "unix:@name" };
	struct ac_addr a;
	char text[AC_ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(ac_addr_parse(good[i], &a), 0);
		for (size_t size = 0; size <= strlen(good[i]) + 1; size++) {
			memset(text, '#', sizeof(text));
			ac_addr_format(&a, text, size);
			assert_int_equal(text[size], '#');
			if (size == 0)
				continue;
			assert_int_equal(strlen(text), size - 1);
			assert_memory_equal(text, good[i], size - 1);
		}
	}
}

static void no_address_and_strange_ones_are_text_too(void **state)
{
	struct ac_addr a = { .len = 0 };
	char text[AC_ADDR_TEXT] = "before";

	(void)state;
	assert_string_equal(ac_addr_format(&a, text, sizeof(text)), "");
	a.len = sizeof(a.sa);
	a.sa.sa_family = AF_PACKET;
	assert_string_equal(ac_addr_format(&a, text, sizeof(text)), "family 17");
	memset(&a, 0, sizeof(a));
	a.un.sun_family = AF_UNIX;
	a.len = sizeof(sa_family_t); /* a socket without name */
	assert_string_equal(ac_addr_format(&a, text, sizeof(text)), "unix:");
	memset(a.un.sun_path, 'p', sizeof(a.un.sun_path)); /* no NUL anywhere */
	a.len = sizeof(a.un);
	ac_addr_format(&a, text, sizeof(text));
	assert_int_equal(strlen(text), 5 + sizeof(a.un.sun_path));
	a.len = offsetof(struct sockaddr_un, sun_path) + 3;
	assert_string_equal(ac_addr_format(&a, text, sizeof(text)), "unix:ppp");
}

/* Linux takes a path that fills sun_path without NUL, and then reports one byte more than there is. */
static void longest_path_stays_within_the_address(void **state)
{
	struct ac_addr a = { .len = sizeof(a.un) }, told = { .len = 0 };
	char dir[] = "/tmp/asyncore-XXXXXX", path[sizeof(a.un.sun_path) + 1] = "", byte;
	int listener = ac_sys_socket_(AF_UNIX, SOCK_SEQPACKET), fd;
	int client = ac_sys_socket_(AF_UNIX, SOCK_SEQPACKET);

	(void)state;
	assert_non_null(mkdtemp(dir));
	memset(path, 'p', sizeof(path) - 1);
	memcpy(path, dir, strlen(dir));
	path[strlen(dir)] = '/';
	a.un.sun_family = AF_UNIX;
	memcpy(a.un.sun_path, path, sizeof(a.un.sun_path));
	assert_int_equal(ac_sys_bind_(listener, &a), 0);
	assert_int_equal(ac_sys_sockname_(listener, &told), 0);
	assert_int_equal(told.len, sizeof(told.un));
	assert_int_equal(ac_sys_listen_(listener, 1), 0);
	assert_int_equal(ac_sys_connect_(client, &told), 0); /* good for the kernel as it is */
	assert_int_equal(ac_sys_peername_(client, &told), 0);
	assert_int_equal(told.len, sizeof(told.un));
	assert_int_equal(ac_sys_unlink_(path), 0);
	assert_int_equal(ac_sys_bind_(client, &a), 0);
	fd = ac_sys_accept_(listener, &told);
	assert_true(fd >= 0);
	close(fd);
	close(client);
	close(listener);
	assert_int_equal(ac_sys_unlink_(path), 0);

	client = ac_sys_socket_(AF_UNIX, SOCK_DGRAM);
	assert_int_equal(ac_sys_bind_(client, &a), 0);
	assert_int_equal(ac_sys_sendto_(client, "x", 1, &a), 1);
	assert_int_equal(ac_sys_recvfrom_(client, &byte, 1, &told), 1);
	assert_int_equal(told.len, sizeof(told.un));
	assert_memory_equal(&told.un, &a.un, sizeof(a.un));
	close(client);
	assert_int_equal(ac_sys_unlink_(path), 0);
	assert_int_equal(ac_sys_unlink_(path), -ENOENT);
	assert_int_equal(rmdir(dir), 0);
}

static void outputs_are_untouched_on_failure(void **state)
{
	struct ac_addr a = { .len = 77 };
	bool blocking = true, write_only = true;
	int value = 77;
	char byte;

	(void)state;
	assert_int_equal(ac_sys_accept_(-1, &a), -EBADF);
	assert_int_equal(ac_sys_sockname_(-1, &a), -EBADF);
	assert_int_equal(ac_sys_peername_(-1, &a), -EBADF);
	assert_int_equal(ac_sys_recvfrom_(-1, &byte, 1, &a), -EBADF);
	assert_int_equal(a.len, 77);
	assert_int_equal(ac_sys_getopt_(-1, SOL_SOCKET, SO_TYPE, &value), -EBADF);
	assert_int_equal(value, 77);
	assert_int_equal(ac_sys_mode_(-1, &blocking, &write_only), -EBADF);
	assert_true(blocking && write_only);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(other_spellings_become_the_usual_one),
		cmocka_unit_test(port_stands_in_network_order_and_every_one_is_kept),
		cmocka_unit_test(port_that_is_none_is_refused),
		cmocka_unit_test(host_that_is_none_is_refused),
		cmocka_unit_test(long_hosts_are_refused_at_every_length),
		cmocka_unit_test(zone_is_a_number_inside_and_a_name_outside),
		cmocka_unit_test(unix_path_up_to_the_last_byte),
		cmocka_unit_test(abstract_name_up_to_the_last_byte),
		cmocka_unit_test(tiny_buffers_are_cut_and_never_overrun),
		cmocka_unit_test(no_address_and_strange_ones_are_text_too),
		cmocka_unit_test(longest_path_stays_within_the_address),
		cmocka_unit_test(outputs_are_untouched_on_failure),
	};

	return RUN(tests);
}
